"""One photo in, an editable 3D scene out.

>>> from scenemaker import ScenePipeline  # doctest: +SKIP
>>> scene = ScenePipeline.from_preset("instant")("photo.jpg", masks="masks.png")  # doctest: +SKIP
>>> scene.export("scene.glb")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scenemaker.cache import Store
    from scenemaker.config import BackendSpec, PipelineConfig, build_config
    from scenemaker.editable import Scene
    from scenemaker.errors import SceneMakerError
    from scenemaker.geometry.cameras import Camera
    from scenemaker.geometry.mesh import Mesh
    from scenemaker.pipelines.poses import estimate_poses
    from scenemaker.pipelines.scenemaker import RunResult, ScenePipeline
    from scenemaker.pipelines.steps import ProgressEvent
    from scenemaker.scene import DepthPrompt, Instances, Photo, PlacedObject, PointMap, Prompts

_WHERE = {
    "BackendSpec": "config",
    "Camera": "geometry.cameras",
    "DepthPrompt": "scene",
    "Instances": "scene",
    "Mesh": "geometry.mesh",
    "Photo": "scene",
    "PipelineConfig": "config",
    "PlacedObject": "scene",
    "PointMap": "scene",
    "ProgressEvent": "pipelines.steps",
    "Prompts": "scene",
    "RunResult": "pipelines.scenemaker",
    "Scene": "editable",
    "SceneMakerError": "errors",
    "ScenePipeline": "pipelines.scenemaker",
    "Store": "cache",
    "build_config": "config",
    "estimate_poses": "pipelines.poses",
}
__all__ = [*_WHERE, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'scenemaker' has no attribute {name!r}")
    return getattr(import_module(f"scenemaker.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
