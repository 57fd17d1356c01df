"""One photo with its masks, points and meshes, as ``PosePictures``; what is wrong with an object stays with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import FrameError, InputError, ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402

from scenemaker.geometry.cameras import F64, K_from_fov, check_K  # noqa: E402
from scenemaker.geometry.mesh import Mesh, sample_surface  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.pictures import PosePictures  # noqa: E402
from scenemaker.pose.dit.types import Layout  # noqa: E402
from scenemaker.scene import F32, Instances, ObjectFailure, ObjectGeometry, ObjectView, Photo, PointMap  # noqa: E402

FEW = 16  # observed points below which a pose is not trusted
FOV_DEG = (5.0, 150.0)  # of real cameras
ASSUMED_FOV_DEG = 60.0  # where K cannot be right; rays serve objects without points only
THIN = 1e-3  # thickness of a flat shape over its longest side
ASTRAY = 20.0  # distance from the other objects, in units of how far those lie apart

_FLAT = "its mesh is flat: how it lies is uncertain"
_ASTRAY = "its observed points lie far from all other objects: its depth may be wrong"
_NO_POINT = "the points given for it are not valid: those of its pixels were used"

Notices = dict[int, tuple[str, ...]]


def pictures_of(
    photo: Photo,
    instances: Instances,
    point_map: PointMap,
    views: Sequence[ObjectView],
    geometries: Sequence[ObjectGeometry],
    config: PoseModelConfig,
    *,
    seed: int,
    clouds: Mapping[int, NDArray[np.floating]] | None = None,
) -> tuple[PosePictures | None, Notices, dict[int, ObjectFailure]]:
    """Stage data of one photo for ``make_inputs``.

    Instances without a geometry are no objects, but still hide those behind them.

    Args:
        photo, instances, point_map: Of one size (H, W).
        views: Of the same objects as ``geometries``, in equal order.
        geometries: Shapes of the objects to be placed.
        config: Of the model: how many points of a shape it takes.
        seed: Of the points drawn on the shapes; those of one do not depend on the others.
        clouds: Observed points (n, 3) in ``cam`` of some objects by id, in place of those of their pixels.

    Returns:
        The pictures (B = 1), with the objects in the order of ``geometries`` less those that failed; None when all did.
        Why the pose of an object will not be trusted, by id; only ids with a notice are in it.
        Objects that cannot be posed, by id.

    Raises:
        ShapeError: Photo, masks and points differ in size.
        InputError: Views or clouds of other objects than the geometries.
    """
    _check(photo, instances, point_map, views, geometries, clouds or {})
    shapes: dict[int, F32] = {}
    given: dict[int, F32] = {}
    failures: dict[int, ObjectFailure] = {}
    for g in geometries:
        try:
            shapes[g.id] = _surface(g.mesh, config.geometry.points, seed)
            if clouds is not None and g.id in clouds:
                given[g.id] = _cloud(clouds[g.id])
        except InputError as error:
            shapes.pop(g.id, None)
            failures[g.id] = ObjectFailure(id=g.id, error=str(error))
    ids = list(shapes)
    if not ids:
        return None, {}, failures

    number = np.zeros(int(max(instances.labels.max(initial=0), *ids)) + 1, np.int64)
    number[ids] = np.arange(1, len(ids) + 1)
    labels = number[instances.labels]  # (H, W)
    K, wrong_K = _usable_K(point_map.K, photo.width, photo.height)
    points = {id: _points(point_map.points_cam[labels == number[id]]) for id in ids} | {
        id: cloud for id, cloud in given.items() if len(cloud)
    }
    astray = _astray(points)
    notices = {
        id: (
            *_seen(points[id], bool((labels == number[id]).any())),
            *([_ASTRAY] if id in astray else []),
            *([_NO_POINT] if id in given and not len(given[id]) else []),
            *([_FLAT] if _is_flat(shapes[id]) else []),
            *([wrong_K] if wrong_K else []),
        )
        for id in ids
    }
    pictures = PosePictures(
        layout=Layout.of([len(ids)]),
        points_cam=torch.from_numpy(point_map.points_cam.astype(np.float32))[None],
        labels=torch.from_numpy(labels)[None],
        K=torch.from_numpy(K.astype(np.float32))[None],
        up=torch.from_numpy(_up(point_map.up_cam))[None],
        geometry=torch.from_numpy(np.stack([shapes[id] for id in ids])),
        rgb=torch.from_numpy(photo.rgb.astype(np.float32) / 255).movedim(-1, 0)[None],
        clouds_cam=_stacked([given.get(id) for id in ids]) if given else None,
        other=torch.from_numpy((instances.labels > 0) & (labels == 0))[None],
    )
    return pictures, {id: n for id, n in notices.items() if n}, failures


def _check(
    photo: Photo,
    instances: Instances,
    point_map: PointMap,
    views: Sequence[ObjectView],
    geometries: Sequence[ObjectGeometry],
    clouds: Mapping[int, NDArray[np.floating]],
) -> None:
    size = photo.rgb.shape[:2]
    for name, got in (("labels", instances.labels.shape), ("points_cam", point_map.points_cam.shape[:2])):
        if got != size:
            raise ShapeError(expected(f"{name} of {size}", got=got, remedy="give all maps the size of the photo"))
    ids = [g.id for g in geometries]
    if [v.id for v in views] != ids:
        got = f"views of {[v.id for v in views]}"
        raise InputError(expected(f"views of the objects {ids}", got=got, remedy="give both in equal order"))
    strange = sorted(set(clouds) - set(ids))
    if strange:
        raise InputError(expected(f"clouds of the objects {ids}", got=f"also of {strange}", remedy="leave them out"))


def _surface(mesh: Mesh, n: int, seed: int) -> F32:
    """(n, 6) points and unit normals of their faces, in ``obj``."""
    points, face = sample_surface(mesh, n, seed=seed)  # (n, 3), (n,)
    a, b, c = np.moveaxis(mesh.triangles[face], 1, 0)  # (n, 3)
    normals = np.cross(b - a, c - a)  # (n, 3)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    return np.concatenate([points, normals], 1).astype(np.float32)


def _is_flat(shape: F32) -> bool:
    """All points (n, 6) lie near one plane."""
    points = shape[:, :3].astype(np.float64)
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)  # (3,)
    return bool(spread[2] < THIN * spread[0])


def _points(points_cam: NDArray[np.floating]) -> F32:
    """Those of points (..., 3) that are valid and before the camera (n, 3)."""
    flat = np.asarray(points_cam, np.float32).reshape(-1, 3)
    return flat[np.isfinite(flat).all(1) & (flat[:, 2] > 0)]


def _cloud(points_cam: NDArray[np.floating]) -> F32:
    """The valid points of a given cloud."""
    if np.ndim(points_cam) != 2 or np.shape(points_cam)[1] != 3:
        raise ShapeError(expected("a cloud (n, 3)", got=np.shape(points_cam), remedy="give one row per point"))
    return _points(points_cam)


def _stacked(clouds: Sequence[F32 | None]) -> torch.Tensor:
    """(N, P, 3) clouds, with NaN behind the last point of each."""
    longest = max(1, *(len(c) for c in clouds if c is not None))
    out = np.full((len(clouds), longest, 3), np.nan, np.float32)
    for row, cloud in zip(out, clouds, strict=True):
        if cloud is not None:
            row[: len(cloud)] = cloud
    return torch.from_numpy(out)


def _seen(points: F32, masked: bool) -> list[str]:
    """What to say of the number of observed points (n, 3)."""
    if len(points) >= FEW:
        return []
    if len(points):
        return [f"only {len(points)} of its points were observed"]
    where = "its pixels" if masked else "the middle of the picture, for its mask is empty"
    return [f"no depth was observed; it was looked for along {where}, at the depth of the other objects"]


def _astray(points: Mapping[int, F32]) -> set[int]:
    """Objects whose points lie far from all others, where there are enough others to tell."""
    seen = {id: p.astype(np.float64) for id, p in points.items() if len(p)}
    if len(seen) < 3:
        return set()
    centres = np.stack([np.median(p, 0) for p in seen.values()])  # (n, 3)
    radii = np.stack([np.median(np.linalg.norm(p - np.median(p, 0), axis=1)) for p in seen.values()])  # (n,)
    distance = np.linalg.norm(centres - np.median(centres, 0), axis=1)  # (n,)
    far = distance > ASTRAY * (np.median(distance) + np.median(radii))
    return {id for id, is_far in zip(seen, far, strict=True) if is_far}


def _usable_K(K: F64, width: int, height: int) -> tuple[F64, str | None]:
    """K that rays can be cast with, and what was wrong with the given one."""
    try:
        K = check_K(K)
    except FrameError:
        wrong = "they are no camera"
    else:
        fov_deg = max(float(np.degrees(2 * np.arctan(n / 2 / f))) for n, f in ((width, K[0, 0]), (height, K[1, 1])))
        if not FOV_DEG[0] <= fov_deg <= FOV_DEG[1]:
            wrong = f"they see {fov_deg:.3g} degrees"
        elif not (0 <= K[0, 2] <= width and 0 <= K[1, 2] <= height):
            wrong = f"their principal point ({K[0, 2]:.3g}, {K[1, 2]:.3g}) is outside of the picture"
        else:
            return K, None
    instead = f"a field of view of {ASSUMED_FOV_DEG:.0f} degrees was assumed"
    return K_from_fov(ASSUMED_FOV_DEG, width, height), f"the intrinsics K cannot be right, {wrong}: {instead}"


def _up(up_cam: F64 | None) -> F32:
    """(3,) unit vector, zeros where unknown."""
    up = np.zeros(3) if up_cam is None else np.asarray(up_cam, np.float64)
    length = np.linalg.norm(up)
    return (up / length if np.isfinite(length) and length > 0 else np.zeros(3)).astype(np.float32)
