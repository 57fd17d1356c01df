"""Poses for other projects: any mesh, placed where a picture with masks and depth shows it. Nothing is written."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from scenemaker import registry
from scenemaker.config import BackendSpec
from scenemaker.device import Residency
from scenemaker.errors import ConfigError, InputError, StageError, expected
from scenemaker.scene import DepthPrompt, ObjectFailure, PlacedObject, Prompts, ScaleKind, by_id

OnObjectError = Literal["raise", "skip"]


def estimate_poses(
    image: Any,
    masks: Any,
    depth: Any = None,
    meshes: Any = None,
    *,
    K: Any = None,
    point_map: Any = None,
    clouds: Mapping[int | str, Any] | None = None,
    scale_kind: ScaleKind | None = None,
    backend: str | BackendSpec | type | object = "pose-dit",
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
    seed: int = 0,
    on_object_error: OnObjectError = "raise",
) -> list[PlacedObject]:
    """Where given meshes stand in a picture: one ``PlacedObject`` per object with a mesh, in the order of the objects.

    Objects are numbered 1, 2, ... in the order of their masks; numbers as keys of ``meshes`` and ``clouds`` are these.

    ``found.S_cam_mesh`` takes the mesh as you gave it to the camera's frame (OpenCV axes), in the units of the depth;
    ``found.pose`` has rotation, translation and size of the mesh in ``obj``, with a status and notices.

    Args:
        image: Path, bytes, PIL image or array (H, W, 3).
        masks: File, folder, label image (H, W) or stack (n, H, W) of visible masks.
        depth: File or array (H, W) of z; or give ``point_map``.
        meshes: Folder, list in the order of the objects (None leaves one out), or dict by id or name.
        K: (3, 3) intrinsics in pixels, a file, "fx,fy,cx,cy" or "fov=60".
        point_map: (H, W, 3) points in ``cam``, NaN where unknown.
        clouds: Points (m, 3) in ``cam`` of some objects, by id or name, in place of those of their pixels: RGB-D over
            time, several views, complete scans.
        scale_kind: "metric" when depth is in metres.
        backend: Of the role ``pose``: a name, spec, class or object.
        options: Of the backend when it is named.
        device: "cpu", "cuda", "cuda:1".
        seed: Of the random backends.
        on_object_error: "skip" leaves objects that fail unplaced, their notices say why; "raise" ends.

    Raises:
        InputError: Something given cannot be used; the text says what to do.
        StageError: An object could not be placed, under "raise".
    """
    from scenemaker import inputs
    from scenemaker.deocclusion.views import cut_views
    from scenemaker.perception.depth_file import DepthFile
    from scenemaker.perception.masks import MaskFiles

    if scale_kind not in (None, "metric", "relative"):
        raise InputError(expected('scale_kind "metric" or "relative"', got=repr(scale_kind), remedy="leave it out"))
    if seed < 0:
        raise InputError(expected("a seed of 0 or more", got=seed, remedy="give 0, say"))
    photo = inputs.load_photo(image, K=K)
    own_depth = DepthPrompt(
        depth=inputs.path_or_array(depth), points_cam=inputs.path_or_array(point_map), scale_kind=scale_kind
    )
    prompts, prompt = inputs.in_photo_pixels(photo, Prompts(masks=inputs.path_or_array(masks)), own_depth)
    instances = MaskFiles().segment(photo, prompts)
    points = DepthFile().estimate(photo, instances, prompt)
    ids_by_name = {i.name: i.id for i in instances}
    if meshes is None:
        raise InputError(expected("meshes", got="none", remedy="give one per object: files, or trimesh meshes"))
    for given in (meshes, clouds):
        _check_numbers(masks, given)
    geometries = inputs.load_meshes(meshes, ids_by_name)
    views = {v.id: v for v in cut_views(photo, instances, points) if v.id in geometries}

    built = registry.build(
        "pose", BackendSpec(name=backend, options=dict(options or {})) if isinstance(backend, str) else backend
    )
    more = {} if clouds is None else {"clouds": _clouds(clouds, ids_by_name, built)}
    with Residency(device).on_device(built.call):
        found = built.call.estimate_poses(
            photo, instances, points, [views[i] for i in geometries], list(geometries.values()), seed=seed, **more
        )
    failures = {f.id: f.error for f in found if isinstance(f, ObjectFailure)}
    if failures and on_object_error == "raise":
        id, error = next(iter(failures.items()))
        remedy = 'give on_object_error="skip" to leave it out'
        raise StageError(f"object {id}: {error}; {remedy}", stage="pose", backend=built.name, object_id=id)
    poses = by_id([f for f in found if not isinstance(f, ObjectFailure)])
    about_all = (*photo.notices, *instances.notices, *points.notices)  # an assumed camera, masks that were resized
    return [
        PlacedObject(
            id=i.id,
            name=i.name,
            label=i.label,
            mesh=geometries[i.id].mesh,
            pose=poses.get(i.id),
            S_obj_mesh=geometries[i.id].S_obj_mesh,
            status=poses[i.id].status if i.id in poses else "skipped",
            notices=(*(poses[i.id].notices if i.id in poses else (failures[i.id],)), *about_all),
        )
        for i in instances
        if i.id in geometries
    ]


def _check_numbers(masks: Any, given: Any) -> None:
    """Numbers mean objects, not label values: where the two differ nothing is guessed.

    Raises:
        InputError: Keys are numbers, and the values of the label image are not 1, 2, ...
    """
    labels = masks if isinstance(masks, np.ndarray) and masks.ndim == 2 and masks.dtype.kind in "iu" else None
    if labels is None or not isinstance(given, Mapping) or not any(isinstance(key, int | np.integer) for key in given):
        return
    values = np.unique(labels[labels > 0]).tolist()
    if values != list(range(1, len(values) + 1)):
        got = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
        remedy = "renumber them, or give a list in the order of the values"
        raise InputError(expected("label values 1, 2, ... where objects are given by number", got=got, remedy=remedy))


def _clouds(clouds: Mapping[int | str, Any], ids_by_name: Mapping[str, int], built: registry.Backend) -> dict[int, Any]:
    """Checked clouds (m, 3) by id."""
    if "clouds" not in inspect.signature(built.call.estimate_poses).parameters:
        raise ConfigError(expected("a backend that takes clouds", got=built.name, remedy='use backend="pose-dit"'))
    out = {}
    for key, cloud in clouds.items():
        id = ids_by_name.get(key, None) if isinstance(key, str) else key
        if id not in ids_by_name.values():
            names = ", ".join(f"{i} ({n})" for n, i in ids_by_name.items())
            raise InputError(expected("clouds by object", got=repr(key), remedy=f"the objects are: {names}"))
        points = np.asarray(cloud, np.float32)
        if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all(1).any():
            got = f"{points.shape}" if points.ndim != 2 or points.shape[1] != 3 else "no finite point"
            raise InputError(
                expected(f"points (m, 3) of object {id}", got=got, remedy="give them in the camera's frame")
            )
        out[id] = points
    return out
