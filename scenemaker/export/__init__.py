"""Files that other programs open. ``EXPORTERS`` maps an ending to the function that writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scenemaker.errors import InputError, expected

if TYPE_CHECKING:
    from scenemaker.editable import Scene


def _glb(scene: Scene, path: Path) -> None:
    from scenemaker.export.glb import scene_nodes, write_glb

    write_glb(
        path,
        scene_nodes(list(scene.objects.values()), scene.camera.T_cam_world, scene.background),
        camera=scene.camera,
        extras={
            "frame": "world, y up",
            "units": "m" if scene.scale_kind == "metric" else "relative",
            "scale_kind": scene.scale_kind,
            "gravity": "known" if scene.up_cam is not None else "unknown",
        },
    )


EXPORTERS: dict[str, Callable[[Scene, Path], None]] = {".glb": _glb}


def export_scene(scene: Scene, path: Path) -> Path:
    """Writes a scene in the format of the path's ending, and returns the path.

    Raises:
        InputError: An unknown ending; the text lists those that are known.
    """
    exporter = EXPORTERS.get(path.suffix.lower())
    if exporter is None:
        known = ", ".join(EXPORTERS)
        raise InputError(expected("a file name with a known ending", got=path.name, remedy=f"choose one of: {known}"))
    exporter(scene, path)
    return path
