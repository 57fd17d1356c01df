"""The scene folder, version 1: what a run writes, what a dataset is made of, what the evaluator reads.

``scene.json`` follows ``scenemaker/schema/scene.schema.json``; keys beyond the dataset's are optional.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scenemaker.artefacts import (
    label_image,
    read_json,
    read_png,
    safe_name,
    save_amodal,
    write_json,
    write_npy,
    write_png,
)
from scenemaker.cache import META, copy_tree, output_errors, sweep, temporary_prefix
from scenemaker.editable import Scene
from scenemaker.errors import FrameError, InputError, OutputError, expected
from scenemaker.export import export_scene
from scenemaker.export.glb import write_object_glb
from scenemaker.export.glb_reader import read_object_glb
from scenemaker.geometry.cameras import Camera
from scenemaker.scene import ObjectPose, PlacedObject

VERSION = 1
_DAMAGED = (KeyError, TypeError, ValueError, IndexError, OSError, zipfile.BadZipFile)


def save_scene(scene: Scene, folder: Path) -> Path:
    """Writes a scene folder; ``scene.json`` comes last, so that a folder with one is whole.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    if folder.is_dir() and not (folder / "scene.json").exists():
        foreign = [name for name in ("rgb.png", "labels.png", "depth.npy", "objects") if (folder / name).exists()]
        if foreign:
            got = f"{folder} with {', '.join(foreign)} of another origin"
            raise OutputError(expected("a new folder, or a scene's", got=got, remedy="choose another"))
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=temporary_prefix()))
        try:
            write_scene_files(scene, temporary)
            install(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def write_scene_files(scene: Scene, folder: Path) -> None:
    """The files of a scene folder, written into an empty one."""
    order = {id: n for n, id in enumerate(scene.objects, start=1)}
    lookup = np.zeros(int(max(scene.labels.max(initial=0), max(order, default=0))) + 1, np.uint16)
    for id, n in order.items():
        lookup[id] = n
    labels = lookup[scene.labels]
    write_png(folder / "rgb.png", scene.rgb)
    write_png(folder / "labels.png", label_image(labels))
    write_npy(folder / "depth.npy", scene.depth)
    whole = (np.asarray(scene.amodal.get(id, labels == n)) for id, n in order.items())
    save_amodal(whole, len(order), labels.shape, folder / "amodal.npz")
    for name in ("objects", "background"):
        (folder / name).mkdir()
    files = {}
    for o in scene.placed:
        files[o.id] = f"objects/{o.id}_{safe_name(o.name)}.glb"
        if o.mesh is not None:
            write_object_glb(folder / files[o.id], o.mesh, name=o.name)
    for name, mesh in scene.background.items():
        write_object_glb(folder / "background" / f"{safe_name(name)}.glb", mesh, name=name)
    export_scene(scene, folder / "scene.glb")
    write_json(folder / "scene.json", scene_to_dict(scene, files))


def install(source: Path, folder: Path) -> None:
    """Moves finished files into a scene folder, ``scene.json`` last; what the scene of before listed goes."""
    before = _listed(folder)
    (folder / "scene.json").unlink(missing_ok=True)
    for file in sorted(p for p in source.rglob("*") if p.is_file() and p.name not in ("scene.json", META)):
        target = folder / file.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        file.replace(target)
    for name in before - _listed(source):
        (folder / name).unlink(missing_ok=True)
    (source / "scene.json").replace(folder / "scene.json")


def _listed(folder: Path) -> set[str]:
    """Files of objects and background that ``scene.json`` of a folder names."""
    try:
        data = read_json(folder / "scene.json")
        names = [o["mesh"] for o in data["objects"] if o["mesh"]] + list(data.get("background", {}).values())
        return {n for n in names if _inside(folder, n).parent.parent == folder}
    except (InputError, KeyError, TypeError):
        return set()


def publish(artefact: Path, folder: Path, provenance: dict[str, Any]) -> None:
    """Copies a composed scene from the cache into a run folder, with this run's provenance in ``scene.json``.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=temporary_prefix()))
        try:
            copy_tree(artefact, temporary / "new")
            data = read_json(temporary / "new" / "scene.json")
            write_json(temporary / "new" / "scene.json", {**data, "run": {**data.get("run", {}), **provenance}})
            for stale in {"report.html", "pictures"} - {p.name for p in (temporary / "new").iterdir()}:
                if (folder / stale).exists():
                    (folder / stale).replace(temporary / stale)
            install(temporary / "new", folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def scene_to_dict(scene: Scene, files: dict[int, str]) -> dict[str, Any]:
    """``scene.json`` of a scene whose meshes lie in ``files``."""
    return {
        "version": VERSION,
        "width": scene.camera.width,
        "height": scene.camera.height,
        "K": scene.camera.K.tolist(),
        "T_cam_world": scene.camera.T_cam_world.tolist(),
        "up_cam": None if scene.up_cam is None else list(map(float, scene.up_cam)),
        "ground_cam": None if scene.ground_cam is None else list(map(float, scene.ground_cam)),
        "depth_scale": scene.scale_kind,
        "background": {name: f"background/{safe_name(name)}.glb" for name in scene.background},
        "objects": [_object_to_dict(o, files.get(o.id)) for o in scene.objects.values()],
        "run": scene.run,
    }


def _object_to_dict(o: PlacedObject, file: str | None) -> dict[str, Any]:
    pose = o.pose
    return {
        "id": o.id,
        "name": o.name,
        "label": o.label,
        "status": o.status,
        "mesh": file,
        "S_obj_mesh": None if o.S_obj_mesh is None else o.S_obj_mesh.tolist(),
        "R_cam_obj": None if pose is None else pose.R_cam_obj.tolist(),
        "t_cam_obj": None if pose is None else pose.t_cam_obj.tolist(),
        "size": None if pose is None else pose.size.tolist(),
        "scale": None if pose is None else pose.scale,
        "notices": list(o.notices),
    }


def load_scene(folder: Path, *, on_object_error: Literal["raise", "skip"] = "raise") -> Scene:
    """The scene of a scene folder, of a run or of a dataset (whose optional keys may be missing).

    Args:
        folder: With ``scene.json``.
        on_object_error: With "skip" an object whose mesh or pose is damaged is "skipped", its notices say why.

    Raises:
        InputError: No scene folder, another version, or a damaged file.
    """
    if not (folder / "scene.json").is_file():
        raise InputError(expected("a scene folder with scene.json", got=str(folder), remedy="give the run folder"))
    data = read_json(folder / "scene.json")
    version = data.get("version") if isinstance(data, dict) else type(data).__name__
    if version != VERSION:
        raise InputError(expected(f"scene.json of version {VERSION}", got=version, remedy="convert it"))
    try:
        return _from_dict(data, folder, on_object_error == "skip")
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(expected("a whole scene folder", got=f"{folder}: {error!r}", remedy="make it again")) from None


def _object_from_dict(item: dict[str, Any], id: int, folder: Path) -> PlacedObject:
    status, pose = item.get("status", "ok"), None
    if item["R_cam_obj"] is not None:
        R, t, size = (np.asarray(item[k], np.float64) for k in ("R_cam_obj", "t_cam_obj", "size"))
        scale = item["scale"]
        if not np.isfinite([*t, *size, scale or 0.0]).all():
            got = f"object {id} of {folder / 'scene.json'}: t_cam_obj {t.tolist()}, size {size.tolist()}, scale {scale}"
            raise FrameError(expected("finite positions and sizes", got=got, remedy="make it again"))
        pose = ObjectPose(id=id, R_cam_obj=R, t_cam_obj=t, size=size, scale=scale, status=status)
    S = item.get("S_obj_mesh")
    return PlacedObject(
        id=id,
        name=item["name"],
        label=item.get("label"),
        status=status,
        mesh=None if item["mesh"] is None else read_object_glb(_inside(folder, item["mesh"])),
        pose=pose,
        S_obj_mesh=None if S is None else np.asarray(S, np.float64),
        notices=tuple(item.get("notices", ())),
    )


def _from_dict(data: dict[str, Any], folder: Path, skip_damaged: bool) -> Scene:
    objects: dict[int, PlacedObject] = {}
    for n, item in enumerate(data["objects"], start=1):
        id = item.get("id", n)
        if id in objects:
            got = f"{id!r} twice in {folder / 'scene.json'}"
            raise InputError(expected("objects with ids of their own", got=got, remedy="make it again"))
        try:
            objects[id] = _object_from_dict(item, id, folder)
        except _DAMAGED as error:
            if not skip_damaged:
                raise
            why = str(error) if isinstance(error, InputError) else f"damaged: {error!r}"
            name = str(item.get("name", f"object_{id}"))
            objects[id] = PlacedObject(id=id, name=name, mesh=None, pose=None, status="skipped", notices=(why,))
    order = np.array([0, *objects], np.uint16)
    labels = order[read_png(folder / "labels.png")]
    with np.load(folder / "amodal.npz") as stored:
        amodal = stored["amodal"]
    up, ground = data.get("up_cam"), data.get("ground_cam")
    return Scene(
        rgb=np.ascontiguousarray(read_png(folder / "rgb.png")[..., :3]),
        labels=labels,
        depth=np.load(folder / "depth.npy"),
        camera=Camera(
            K=np.asarray(data["K"], np.float64),
            width=data["width"],
            height=data["height"],
            T_cam_world=np.asarray(data["T_cam_world"], np.float64),
        ),
        objects=objects,
        up_cam=None if up is None else np.asarray(up, np.float64),
        ground_cam=None if ground is None else np.asarray(ground, np.float64),
        scale_kind=data.get("depth_scale", "metric"),
        background={n: read_object_glb(_inside(folder, f)) for n, f in data.get("background", {}).items()},
        amodal=dict(zip(objects, amodal, strict=True)),
        run=data.get("run", {}),
    )


def _inside(folder: Path, name: str) -> Path:
    """A file of the folder.

    Raises:
        InputError: A name that leads out of it.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            expected(f"files inside {folder}", got=name, remedy="do not open folders that you do not trust")
        )
    return path
