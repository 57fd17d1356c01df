"""One scene of the open-set data: what its JSON files say, and the pictures of one view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.readers.archives import SCENE_JSON
from scenemaker.data.readers.assemble import PixelCentre, Placed, T_cam_world_from_gl, camera, placed
from scenemaker.data.readers.files import (
    as_grey,
    as_rgb,
    entry,
    inside,
    numbers,
    parse_json,
    read_json,
    read_picture,
    read_surface,
    resized,
)
from scenemaker.data.readers.seg_ids import SegCheck
from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.scene import F32, U8

DepthDecoding = Literal["range", "published"]
KINDS = ("rgb", "depth", "seg")
FAR = 20.0  # "range 0-20, stored as 16-bit PNG" (card)
# world of the cameras' matrices (z up) to the world of the poses (y up): (x, y, z) -> (x, z, -y), a rotation
_R_YUP_ZUP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenSetScene:
    """What the views of a scene share.

    Attributes:
        name: ``NNN-NNN/UUID``.
        read: Gives the bytes of a file of the scene's folder.
        K, T_zup_cam: (3, 3) and (4, 4) numbers per view, not yet checked.
        objects: In the order of the scene's file.
        check: What the pictures tell of the ids, when that was asked.
    """

    name: str
    read: Callable[[str], bytes]
    K: list[Any]
    T_zup_cam: list[Any]
    objects: tuple[Placed, ...]
    check: SegCheck | None = None

    def __len__(self) -> int:
        return len(self.K)


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenSetView:
    """Pictures and camera of one view; ``ids`` (H, W) are as stored, ``depth`` (H, W) is z, NaN where unknown."""

    camera: Camera
    rgb: U8
    ids: NDArray[Any]
    depth: F32


class Clouds:
    """The objects' points: where the index says if such a file exists, else where the loader looks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: dict[str, str] | None = None

    def path(self, uuid: str) -> Path:
        """The NPZ file of an object, which may be missing.

        Raises:
            InputError: The index is damaged, or a path leads out of the folder.
        """
        if self._index is None:
            index = self.folder / "geometry.json"
            tree = read_json(index) if index.is_file() else {}
            if not isinstance(tree, dict):
                got = f"{index}: a {type(tree).__name__}"
                raise InputError(expected("a dictionary of paths", got=got, remedy="copy it again"))
            self._index = {str(k): str(v) for k, v in tree.items()}
        object_path = PurePosixPath(uuid.replace("\\", "/"))
        usual = inside(self.folder, f"sample/{object_path.parent.name}/{object_path.stem}.npz")
        keys = (uuid, object_path.name, object_path.stem)
        named = next((self._index[k] for k in keys if k in self._index), None)
        if not named:
            return usual
        npz = str(PurePosixPath(named.replace("\\", "/")).with_suffix(".npz"))
        bases = (self.folder, self.folder.parent, self.folder / "sample")
        return next((p for p in (inside(base, npz) for base in bases) if p.is_file()), usual)


def open_scene(name: str, read: Callable[[str], bytes], clouds: Clouds, captions: Mapping[str, str]) -> OpenSetScene:
    """Cameras and objects of a scene.

    Raises:
        InputError: A file is missing or damaged, or says what cannot be.
    """
    what = f"{name}/metadata.json"
    meta = parse_json(read("metadata.json"), what)
    K, poses = entry(meta, "intrinsics", what), entry(meta, "cam2world_matrixs", what)
    if not isinstance(K, list) or not isinstance(poses, list) or not K or len(K) != len(poses):
        counts = " and ".join(str(len(x)) if isinstance(x, list) else type(x).__name__ for x in (K, poses))
        raise ShapeError(expected(f"as many intrinsics as poses in {what}", got=counts, remedy="copy it again"))
    listed = entry(parse_json(read(SCENE_JSON), f"{name}.json"), "objects", f"{name}.json")
    if not isinstance(listed, list) or not listed:
        raise InputError(expected(f"objects in {name}.json", got=repr(listed)[:80], remedy="leave this scene out"))
    objects = tuple(_object(item, f"object {k} of {name}", clouds, captions) for k, item in enumerate(listed))
    return OpenSetScene(name=name, read=read, K=K, T_zup_cam=poses, objects=objects)


def _object(item: Any, what: str, clouds: Clouds, captions: Mapping[str, str]) -> Placed:
    uuid = str(entry(item, "uuid", what))
    name = PurePosixPath(uuid.replace("\\", "/")).stem
    T = numbers(entry(item, "rotation_matrix", what), (4, 4), f"rotation_matrix of {what}")
    t = numbers(entry(item, "translation", what), (3,), f"translation of {what}")
    edge = float(numbers(entry(item, "scale", what), (1,), f"scale of {what}")[0])
    surface = read_surface(clouds.path(uuid), ("surface",))
    return placed(surface, edge / 2, T[:3, :3], t, name=name, label=captions.get(name), exact=False)


def read_view(
    scene: OpenSetScene, view: int, *, decoding: DepthDecoding, max_depth: float | None, pixel_centre: PixelCentre
) -> OpenSetView:
    """The pictures and the camera of one view.

    Raises:
        InputError: A file is missing or damaged, or the camera is none.
    """
    if view >= len(scene):
        got = f"view {view} of {scene.name}, which has {len(scene)}"
        raise InputError(expected("a view that exists", got=got, remedy=f"give views={len(scene)}"))
    what = {kind: f"{view:04d}_{kind}.png" for kind in KINDS}
    raw = {kind: read_picture(scene.read(file), f"{scene.name}/{file}") for kind, file in what.items()}
    rgb = as_rgb(raw["rgb"], f"{scene.name}/{what['rgb']}")
    h, w = rgb.shape[:2]
    stored = as_grey(raw["depth"], f"{scene.name}/{what['depth']}")
    T = numbers(scene.T_zup_cam[view], (4, 4), f"pose of view {view} of {scene.name}")
    T_world_cam = np.eye(4)
    T_world_cam[:3] = _R_YUP_ZUP @ T[:3]
    return OpenSetView(
        camera=camera(
            numbers(scene.K[view], (3, 3), f"intrinsics of view {view} of {scene.name}"),
            T_cam_world_from_gl(T_world_cam),
            K_px=(stored.shape[1], stored.shape[0]),
            size_px=(w, h),
            pixel_centre=pixel_centre,
        ),
        rgb=rgb,
        ids=resized(as_grey(raw["seg"], f"{scene.name}/{what['seg']}"), h, w),
        depth=resized(decoded(stored, decoding, max_depth, f"{scene.name}/{what['depth']}"), h, w),
    )


def decoded(stored: NDArray[Any], decoding: DepthDecoding, max_depth: float | None, what: str) -> F32:
    """(H, W) z of a 16-bit picture of depth; NaN where 0, at ``FAR``, or from ``max_depth`` on.

    Raises:
        InputError: Not 16 bits, or nothing in it.
    """
    if stored.dtype == np.uint8 or not np.issubdtype(stored.dtype, np.integer):
        raise ShapeError(expected("16-bit depth", got=f"{what}: {stored.dtype}", remedy="copy the data set again"))
    if not stored.max() > 0:
        raise InputError(expected("depth", got=f"{what}: all zero", remedy="leave this view out"))
    top = 65535.0 if decoding == "range" else float(stored.max())
    depth: F64 = stored / top * FAR
    far = FAR if max_depth is None else min(FAR, max_depth)
    return np.where((stored > 0) & (depth < far), depth, np.nan).astype(np.float32)
