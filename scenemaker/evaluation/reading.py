"""Reads a scene to evaluate, of any system. One bad object does not lose the scene: it is kept as a failed one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenemaker.artefacts import read_json
from scenemaker.errors import InputError, expected
from scenemaker.evaluation.glb_scene import SUFFIXES, check_shape, read_glb
from scenemaker.evaluation.scene_files import WHOLE, meshes_in, pair_scenes, scenes_in
from scenemaker.evaluation.types import EvalObject, EvalScene
from scenemaker.export.folder import load_scene
from scenemaker.export.glb import unique_names
from scenemaker.geometry import transforms
from scenemaker.inputs.mesh_files import read_mesh

if TYPE_CHECKING:
    from scenemaker.editable import Scene
    from scenemaker.scene import PlacedObject


def read_scene(path: str | Path, name: str | None = None) -> EvalScene:
    """The scene of a scene folder, a GLB or glTF file with a node per object, or a folder with a GLB per object.

    An object whose mesh or pose is damaged, empty or not finite is kept without a mesh; its notices say why.

    Raises:
        InputError: None of these, or a file that concerns the whole scene is damaged; the text names it.
    """
    path = Path(path)
    name = name or (path.resolve().name if path.is_dir() else path.stem)
    if (path / "scene.json").is_file():
        return _from_folder(path, name)
    files = meshes_in(path)
    if len(files) > 1:
        return _from_parts(path, files, name)
    file = files[0] if files else path
    if not file.is_file() or file.suffix.lower() not in SUFFIXES:
        kind = "no scene.json and no GLB in it" if path.is_dir() else "not there" if not path.exists() else "not a GLB"
        remedy = "check the path"
        raise InputError(expected("a scene folder, a GLB or a folder of GLBs", got=f"{path}: {kind}", remedy=remedy))
    objects, notices = read_glb(file)
    return EvalScene(name=name, path=path, objects=objects, notices=notices)


def _from_folder(folder: Path, name: str) -> EvalScene:
    scene = load_scene(folder, on_object_error="skip")
    data = read_json(folder / "scene.json")
    given = data.get("data", {}).get("visible_fraction") or [None] * len(scene.objects)
    objects = tuple(
        _object(item, _visible_fraction(scene, item.id, told, raw))
        for item, told, raw in zip(scene.objects.values(), given, data["objects"], strict=True)
    )
    notices = [] if scene.up_cam is not None else ["gravity is not known: up is up in the picture"]
    return EvalScene(
        name=name,
        path=folder,
        objects=objects,
        frame="cam",
        T_world_frame=transforms.invert(scene.camera.T_cam_world),
        scene=scene,
        notices=tuple(notices),
    )


def _object(item: PlacedObject, visible_fraction: float | None) -> EvalObject:
    out = EvalObject(
        id=item.id,
        name=item.name,
        mesh=item.mesh,
        S_frame_obj=None if item.mesh is None or item.pose is None else item.S_cam_obj,
        label=item.label,
        status=item.status,
        visible_fraction=visible_fraction,
        notices=item.notices,
    )
    if not out.placed or item.mesh is None:
        return replace(out, mesh=None, S_frame_obj=None)
    try:
        check_shape(item.mesh)
        return out
    except InputError as error:
        return replace(out, mesh=None, S_frame_obj=None, status="skipped", notices=(*out.notices, str(error)))


def _visible_fraction(scene: Scene, id: int, told: float | None, raw: dict[str, Any]) -> float | None:
    """As told by the data set (of the scene or of the object), else visible pixels over pixels of the whole mask."""
    if told is not None:
        return float(told)
    visible, whole = raw.get("visible"), raw.get("amodal")
    if visible is None or whole is None:
        visible, whole = (scene.labels == id).sum(), np.count_nonzero(scene.amodal.get(id, 0))
    return min(float(visible) / float(whole), 1.0) if whole else None


def _from_parts(folder: Path, files: list[Path], name: str) -> EvalScene:
    parts = [p for p in files if p.stem.lower() not in WHOLE]
    if not parts:
        got = f"{folder} with {', '.join(p.name for p in files)}"
        raise InputError(expected("one scene", got=got, remedy="give one of the files"))
    left = sorted(p.name for p in folder.iterdir() if p.is_file() and p.stem.lower() in WHOLE)
    notices = [f"{len(parts)} files read as the objects of one scene"]
    notices += [f"left out as the whole scene or its background: {', '.join(left)}"] if left else []
    names = unique_names([p.stem for p in parts])
    objects = tuple(_part(k, n, p) for k, (n, p) in enumerate(zip(names, parts, strict=True), start=1))
    return EvalScene(name=name, path=folder, objects=objects, notices=tuple(notices))


def _part(id: int, name: str, path: Path) -> EvalObject:
    try:
        mesh, notices = read_mesh(path)
        check_shape(mesh)
    except InputError as error:
        return EvalObject(id=id, name=name, mesh=None, S_frame_obj=None, status="skipped", notices=(str(error),))
    return EvalObject(id=id, name=name, mesh=mesh, S_frame_obj=np.eye(4), notices=notices)


__all__ = ["pair_scenes", "read_scene", "scenes_in"]
