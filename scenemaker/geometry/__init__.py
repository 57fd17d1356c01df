"""Pure geometry: cameras, transforms, meshes, rays. No models, no torch."""
