"""How each stage's result lies on disk: standard formats that a person can open and edit, read back bit for bit.

``save_*(value, folder)`` and ``load_*(folder, ...)`` come in pairs; what a hand edited is read back as edited.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.errors import FrameError, InputError, NoObjectsError, ShapeError, expected
from scenemaker.geometry.cameras import unproject
from scenemaker.scene import (
    Bool,
    Instance,
    Instances,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PointMap,
)


def safe_name(name: str) -> str:
    """A file name made of letters, digits, ``-`` and ``_`` only; never empty, never leaves its folder.

    >>> safe_name("../../etc/pass wd")
    'etc_pass_wd'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or "object"


def write_png(path: Path, image: np.ndarray[Any, Any]) -> None:
    """(H, W), (H, W, 3) or (H, W, 4) uint8, or (H, W) uint16, as PNG; the bytes depend on the pixels alone."""
    import cv2

    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    bgr = cv2.cvtColor(image, order[image.shape[2]]) if image.ndim == 3 else image
    ok, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not ok:
        raise InputError(expected("an image that PNG can hold", got=f"{image.dtype}{image.shape}", remedy="use uint8"))
    path.write_bytes(data.tobytes())


def read_png(path: Path) -> np.ndarray[Any, Any]:
    """The pixels of a PNG as written by ``write_png``: RGB or RGBA order, uint8 or uint16."""
    import cv2

    data = path.read_bytes() if path.exists() else b""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if bgr is None:
        raise InputError(expected("a readable PNG", got=str(path), remedy="save it again, or redo the stage"))
    order = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    return cv2.cvtColor(bgr, order[bgr.shape[2]]) if bgr.ndim == 3 else bgr


def write_npy(path: Path, array: np.ndarray[Any, Any]) -> None:
    """An array as NPY. (``np.save`` into a file hides the reason when the disk is full.)"""
    buffer = io.BytesIO()
    np.save(buffer, array)
    path.write_bytes(buffer.getbuffer())


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        InputError: Missing or not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(expected(f"the file {path}", got=error.strerror, remedy="redo its stage")) from None
    except ValueError as error:
        raise InputError(expected(f"JSON in {path}", got=str(error), remedy="mend it, or redo its stage")) from None


def write_json(path: Path, value: Any) -> None:
    """A JSON file with stable bytes; floats read back exactly."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), "utf-8")


def _array(value: Any) -> np.ndarray[Any, Any] | None:
    return None if value is None else np.asarray(value, np.float64)


def _listed(value: np.ndarray[Any, Any] | None) -> Any:
    return None if value is None else np.asarray(value, np.float64).tolist()


def save_photo(photo: Photo, folder: Path) -> None:
    """``rgb.png``, ``photo.json``."""
    write_png(folder / "rgb.png", photo.rgb)
    data = {"name": photo.name, "K": _listed(photo.K), "notices": list(photo.notices), "source_px": photo.source_px}
    write_json(folder / "photo.json", data)


def load_photo(folder: Path) -> Photo:
    """Reads ``save_photo`` back."""
    data = read_json(folder / "photo.json")
    rgb = read_png(folder / "rgb.png")[..., :3]
    source_px = data["source_px"] and (int(data["source_px"][0]), int(data["source_px"][1]))
    return Photo(
        rgb=np.ascontiguousarray(rgb),
        K=_array(data["K"]),
        name=data["name"],
        notices=tuple(data["notices"]),
        source_px=source_px,
    )


def label_image(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Labels in the dtype of the scene folder: uint8, or uint16 above 255."""
    return labels.astype(np.uint8 if labels.max(initial=0) <= 255 else np.uint16)


def save_instances(instances: Instances, folder: Path) -> None:
    """``labels.png`` (edit it by hand: pixel value = id), ``instances.json``."""
    write_png(folder / "labels.png", label_image(instances.labels))
    items = [{"id": i.id, "name": i.name, "label": i.label, "score": i.score} for i in instances]
    write_json(folder / "instances.json", {"items": items, "notices": list(instances.notices)})


def load_instances(folder: Path, size: tuple[int, int]) -> Instances:
    """Reads ``save_instances`` back; objects that a hand added or erased in ``labels.png`` come and go.

    Args:
        folder: Of the stage.
        size: (H, W) of the photo.
    """
    data, labels = read_json(folder / "instances.json"), read_png(folder / "labels.png")
    if labels.ndim == 3 and (labels[..., :3] == labels[..., :1]).all():  # most editors save grey as RGB
        labels = labels[..., 0]
    if labels.shape != size:
        want = f"labels.png of {size[1]}x{size[0]} grey"
        raise ShapeError(expected(want, got=str(labels.shape), remedy="save it as grey, without resizing"))
    tags = {item["id"]: Instance(**item) for item in data["items"]}
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        remedy = "paint at least one object with a value above 0, or redo the stage"
        raise NoObjectsError(expected(f"objects in {folder / 'labels.png'}", got="none", remedy=remedy))
    items = tuple(tags.get(i, Instance(id=i, name=f"object_{i}")) for i in ids)
    return Instances(labels=labels.astype(np.uint16), items=items, notices=tuple(data["notices"]))


def save_point_map(point_map: PointMap, folder: Path) -> None:
    """``depth.npy``, ``camera.json``, and ``points_cam.npy`` only where the points are not depth times K's rays."""
    write_npy(folder / "depth.npy", point_map.depth)
    rays = unproject(point_map.K, point_map.depth).astype(np.float32)
    if not np.array_equal(rays, point_map.points_cam, equal_nan=True):
        write_npy(folder / "points_cam.npy", point_map.points_cam)
    write_json(
        folder / "camera.json",
        {
            "K": _listed(point_map.K),
            "scale_kind": point_map.scale_kind,
            "up_cam": _listed(point_map.up_cam),
            "ground_cam": _listed(point_map.ground_cam),
            "notices": list(point_map.notices),
        },
    )


def load_point_map(folder: Path, size: tuple[int, int]) -> PointMap:
    """Reads ``save_point_map`` back, for a photo of ``size`` (H, W).

    Raises:
        ShapeError: Depth of another size.
        InputError: No valid depth, or a file that cannot be read.
    """
    data = read_json(folder / "camera.json")
    K = np.asarray(data["K"], np.float64)
    own = folder / "points_cam.npy"
    name = own if own.exists() else folder / "depth.npy"
    try:
        array = np.load(name)
    except (OSError, ValueError) as error:
        raise InputError(expected("a readable NPY", got=f"{name}: {error}", remedy="save it again")) from None
    if array.shape[:2] != size or array.ndim != (3 if own.exists() else 2):
        want = f"{name.name} of {size[1]}x{size[0]} (W x H)"
        raise ShapeError(expected(want, got=f"an array of shape {array.shape}", remedy="keep its shape"))
    points = array if own.exists() else unproject(K, np.where(array > 0, array, np.nan)).astype(np.float32)
    if not np.isfinite(points[..., 2]).any():
        raise InputError(expected(f"valid depth in {name}", got="none", remedy="redo the stage"))
    return PointMap(
        points_cam=points,
        K=K,
        scale_kind=data["scale_kind"],
        up_cam=_array(data["up_cam"]),
        ground_cam=_array(data["ground_cam"]),
        notices=tuple(data["notices"]),
    )


def save_views(views: Sequence[ObjectView], folder: Path) -> None:
    """One completed RGBA picture ``ID.png`` per object (edit it by hand), ``views.json``."""
    for view in views:
        write_png(folder / f"{view.id}.png", view.rgba)
    write_json(folder / "views.json", {"views": [{"id": v.id, "completed": v.completed} for v in views]})


def load_views(folder: Path, cut: Sequence[ObjectView]) -> list[ObjectView]:
    """Reads ``save_views`` back onto the views as they were cut from the photo."""
    completed = {item["id"]: item["completed"] for item in read_json(folder / "views.json")["views"]}
    out = []
    for view in cut:
        if view.id not in completed:
            continue
        rgba = read_png(folder / f"{view.id}.png")
        if rgba.shape != view.rgba.shape:
            want = f"{view.id}.png of {view.rgba.shape[1]}x{view.rgba.shape[0]} RGBA"
            raise ShapeError(expected(want, got=str(rgba.shape), remedy="save it with its alpha, without resizing"))
        out.append(replace(view, rgba=rgba, completed=completed[view.id]))
    return out


def save_geometries(geometries: Sequence[ObjectGeometry], folder: Path) -> None:
    """One mesh ``ID.glb`` in ``obj`` per object, ``geometries.json``."""
    from scenemaker.export.glb import write_object_glb

    for g in geometries:
        write_object_glb(folder / f"{g.id}.glb", g.mesh, name=f"object_{g.id}")
    items = [
        {"id": g.id, "R_cam_obj": _listed(g.R_cam_obj), "S_obj_mesh": _listed(g.S_obj_mesh), "notices": list(g.notices)}
        for g in geometries
    ]
    write_json(folder / "geometries.json", {"geometries": items})


def load_geometries(folder: Path) -> list[ObjectGeometry]:
    """Reads ``save_geometries`` back; a mesh replaced by hand must lie in ``obj``."""
    from scenemaker.export.glb_reader import read_object_glb

    return [
        ObjectGeometry(
            id=item["id"],
            mesh=read_object_glb(folder / f"{item['id']}.glb"),
            R_cam_obj=_array(item["R_cam_obj"]),
            S_obj_mesh=_array(item["S_obj_mesh"]),
            notices=tuple(item["notices"]),
        )
        for item in read_json(folder / "geometries.json")["geometries"]
    ]


def pose_to_dict(pose: ObjectPose) -> dict[str, Any]:
    """A pose as JSON values."""
    return {
        "id": pose.id,
        "status": pose.status,
        "R_cam_obj": _listed(pose.R_cam_obj),
        "t_cam_obj": _listed(pose.t_cam_obj),
        "size": _listed(pose.size),
        "scale": pose.scale,
        "notices": list(pose.notices),
    }


def pose_from_dict(data: dict[str, Any]) -> ObjectPose:
    """Reads ``pose_to_dict`` back."""
    R, t, size = (np.asarray(data[k], np.float64) for k in ("R_cam_obj", "t_cam_obj", "size"))
    if not np.isfinite(np.concatenate([t, size])).all() or not (size > 0).all():
        got = f"object {data['id']}: t_cam_obj {t.tolist()}, size {size.tolist()}"
        raise FrameError(expected("poses.json with finite positions and sizes above 0", got=got, remedy="mend it"))
    told = tuple(data["notices"])
    return ObjectPose(
        id=data["id"], R_cam_obj=R, t_cam_obj=t, size=size, scale=data["scale"], status=data["status"], notices=told
    )


def save_poses(poses: Sequence[ObjectPose], folder: Path) -> None:
    """``poses.json`` (edit it by hand)."""
    write_json(folder / "poses.json", {"poses": [pose_to_dict(p) for p in poses]})


def load_poses(folder: Path) -> list[ObjectPose]:
    """Reads ``save_poses`` back."""
    return [pose_from_dict(item) for item in read_json(folder / "poses.json")["poses"]]


def save_amodal(masks: Iterable[Bool], count: int, size: tuple[int, int], path: Path) -> None:
    """``amodal.npz``: key ``amodal``, bool (count, H, W); stable bytes, one mask in memory at a time."""
    info = zipfile.ZipInfo("amodal.npy")  # dated 1980: the bytes depend on the masks alone
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive, archive.open(info, "w", force_zip64=True) as file:
        header = {"descr": "|b1", "fortran_order": False, "shape": (count, *size)}
        np.lib.format.write_array_header_1_0(file, header)
        for mask in masks:
            file.write(np.ascontiguousarray(mask).data)
