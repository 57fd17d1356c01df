"""The example picture of `scenemaker demo`: procedural shapes, materials and a small path tracer."""
