"""From a world to pictures and ground truth: Embree, Cycles, point splats."""
