"""Sources of objects: a folder of mesh files, and procedural families."""
