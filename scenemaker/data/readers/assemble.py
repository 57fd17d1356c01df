"""From what public data sets give to our sample: cameras, objects in ``obj``, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, check_K
from scenemaker.scene import F32, U8, Bool, ScaleKind

PixelCentre = Literal["auto", "half", "integer"]
_NOMINAL = 0.02  # of its longest side: a cloud is taken as normalised when centre and size are as near as this


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """One object of a scene.

    Attributes:
        name, label: Of the object.
        R_world_obj, t_world_obj: (3, 3), (3,).
        size: (3,) full sides of the placed box along the ``obj`` axes; ``scale`` is the longest.
        points_obj: (P, 6) float32 points and unit normals in ``obj``.
        refitted: Its cloud was not centred with longest side 2, and was brought to ``obj`` by its own box.
    """

    name: str
    label: str | None
    R_world_obj: F64
    t_world_obj: F64
    size: F64
    points_obj: F32
    refitted: bool

    @property
    def scale(self) -> float:
        return float(self.size.max())


def placed(
    surface: F64, half_sides: ArrayLike, R: ArrayLike, t: ArrayLike, *, name: str, label: str | None, exact: bool
) -> Placed:
    """An object that stands at p_world = R (half_sides * p) + t for the points p of its cloud.

    A cloud that is not normalised is centred and scaled, and pose and size change so that every placed point stays
    where it was.

    Args:
        surface: (P, 6) points, normalised to [-1, 1], and normals.
        half_sides: (3,) factor per axis.
        R, t: Pose in ``world``.
        name, label: Of the object.
        exact: ``half_sides`` are half the sides of the object's box; else these come from the cloud and ``half_sides``
            is half the longest.
    """
    R = transforms.check_R(R, f"rotation of {name}")
    t, half = np.asarray(t, np.float64).reshape(3), np.broadcast_to(np.asarray(half_sides, np.float64), (3,))
    if not (half >= 0).all() or not half.max() > 0:
        raise InputError(expected(f"a positive size of {name}", got=half.tolist(), remedy="leave this object out"))
    local = surface[:, :3] * half
    low, high = local.min(0), local.max(0)
    size, centre, nominal = high - low, (low + high) / 2, 2 * float(half.max())
    if not size.max() > 0:
        raise InputError(expected(f"a cloud of some extent for {name}", got="one point", remedy="leave it out"))
    off = max(float(np.abs(centre).max()), abs(float(size.max()) - nominal)) / nominal
    refitted = off > _NOMINAL
    if not refitted:
        size = 2 * half if exact else size * (nominal / size.max())  # a cloud falls a little short of its box
        centre = np.zeros(3)
    normals = surface[:, 3:] / np.maximum(half, 1e-6 * half.max())  # normals go by the inverse of a stretch
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    points = np.concatenate([(local - centre) / size.max(), normals], 1).astype(np.float32)
    return Placed(
        name=name,
        label=label,
        R_world_obj=R,
        t_world_obj=t + R @ centre,
        size=np.array(size, np.float64),
        points_obj=points,
        refitted=refitted,
    )


def camera(
    K: ArrayLike,
    T_cam_world: ArrayLike,
    *,
    K_px: tuple[int, int],
    size_px: tuple[int, int],
    pixel_centre: PixelCentre = "auto",
) -> Camera:
    """A camera of the house.

    Convention: the house has the top-left pixel's centre at (0.5, 0.5). Where a data set has it at (0, 0)
    ("integer"), its principal point is moved by half a pixel. "auto" decides by the principal point: at W / 2 it
    is "half", at (W - 1) / 2 "integer"; elsewhere it is "integer", as the published loaders back-project pixel (i, j)
    along K^-1 (i, j, 1).

    Args:
        K: (3, 3) in pixels of a picture of ``K_px``.
        T_cam_world: Extrinsics with OpenCV axes.
        K_px, size_px: (width, height) that K is for, and of the picture.
        pixel_centre: Where the data set has the centre of the top-left pixel.

    Raises:
        FrameError: K or pose are none.
    """
    K = np.array(check_K(K))
    (kw, kh), (w, h) = K_px, size_px
    halved = np.abs(K[:2, 2] - [kw / 2, kh / 2]).max() < 1e-3
    if pixel_centre == "integer" or (pixel_centre == "auto" and not halved):
        K[:2, 2] += 0.5
    K = np.diag([w / kw, h / kh, 1.0]) @ K
    T = np.asarray(T_cam_world, np.float64)
    transforms.check_R(T[:3, :3], "rotation of the camera")
    return Camera(K=K, width=w, height=h, T_cam_world=T)


def T_cam_world_from_gl(T_world_gl: ArrayLike) -> F64:
    """(4, 4) extrinsics of a camera given by its pose with the axes of OpenGL and Blender (y up, looks to -z)."""
    T = np.asarray(T_world_gl, np.float64)
    R = transforms.check_R(T[:3, :3], "rotation of the camera")
    R_cam_world = transforms.GL_FROM_CV @ R.T
    return transforms.rigid(R_cam_world, -R_cam_world @ T[:3, 3])


def labels_of_masks(masks: Sequence[Bool | None], shape: tuple[int, int], what: str) -> NDArray[np.uint16]:
    """(H, W) labels, i + 1 under mask i; pixels that two masks claim are nobody's.

    Raises:
        InputError: No mask has a pixel, or more than 1 % of what is masked is claimed twice.
    """
    labels, claims = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    for i, mask in enumerate(masks):
        if mask is not None:
            labels[mask] = i + 1
            claims += mask
    if not claims.any():
        raise InputError(expected(f"a visible object in {what}", got="only empty masks", remedy="leave this view out"))
    twice = int((claims > 1).sum())
    if twice > 0.01 * int((claims > 0).sum()):
        got = f"{twice} pixels in two masks of {what}"
        raise InputError(expected("masks of the visible parts", got=got, remedy="leave this view out"))
    labels[claims > 1] = 0
    return labels


def thinned(points: Sequence[F32], most: int | None) -> F32:
    """(n, P, 6): as many points of every object as the least has, or ``most``, evenly picked in their order."""
    P = min(len(p) for p in points)
    P = P if most is None else min(P, most)
    return np.stack([p[np.arange(P) * len(p) // P] for p in points])


def distinct(names: Sequence[str]) -> list[str]:
    """The names, with _2, _3, ... where one returns: two objects may be of one model."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out


def sample(
    *,
    key: str,
    source: str,
    camera: Camera,
    rgb: U8,
    labels: NDArray[np.uint16],
    depth: F32,
    objects: Sequence[Placed],
    points_obj: F32,
    depth_scale: ScaleKind,
    info: dict[str, Any],
) -> SceneSample:
    """The sample of one view of objects that stand in a ``world`` with y up."""
    T = camera.T_cam_world
    refitted = [o.name for o in objects if o.refitted]
    return SceneSample(
        key=key,
        source=source,
        camera=camera,
        rgb=rgb,
        labels=labels,
        depth=depth,
        names=tuple(distinct([o.name for o in objects])),
        R_cam_obj=np.stack([T[:3, :3] @ o.R_world_obj for o in objects]),
        t_cam_obj=np.stack([transforms.apply(T, o.t_world_obj) for o in objects]),
        size=np.stack([o.size for o in objects]),
        scale=np.array([o.scale for o in objects]),
        points_obj=points_obj,
        object_labels=tuple(o.label for o in objects),
        up_cam=T[:3, :3] @ np.array([0.0, 1.0, 0.0]),
        depth_scale=depth_scale,
        info={**info, **({"refitted": refitted} if refitted else {})},
    )
