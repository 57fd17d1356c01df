"""What the user gives: photo, camera, meshes; read safely, with an error that says what to do."""

from scenemaker.inputs.camera import load_K
from scenemaker.inputs.given import path_or_array
from scenemaker.inputs.mesh_files import load_mesh
from scenemaker.inputs.meshes import as_mesh, load_meshes
from scenemaker.inputs.photo import in_photo_pixels, load_photo

__all__ = ["as_mesh", "in_photo_pixels", "load_K", "load_mesh", "load_meshes", "load_photo", "path_or_array"]
