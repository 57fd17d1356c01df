"""Checks of de-occluders, object generators and pose estimators."""

from __future__ import annotations

import numpy as np

from scenemaker.geometry.cameras import project
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import ObjectGeometry, ObjectPose, ObjectView, by_id
from scenemaker.testing.conformance.subject import (
    BAD_ID,
    Subject,
    Variant,
    check_no_failures,
    check_results,
    check_rotation,
    demand,
    make_checks,
    same_bytes,
    sample_of,
)

_KIND = {
    "deocclusion": (ObjectView, "ObjectView"),
    "generation": (ObjectGeometry, "ObjectGeometry"),
    "pose": (ObjectPose, "ObjectPose"),
}


def _results(subject: Subject, variant: Variant = "landscape") -> list:
    kind, what = _KIND[subject.role]
    return check_results(subject.result(variant), sample_of(variant).ids, kind, what)


def check_one_per_object(subject: Subject) -> None:
    """One result per object, ids and order kept, of a wide and of a tall photo."""
    for variant in ("landscape", "portrait"):
        _results(subject, variant)
        check_no_failures(subject.result(variant))


def check_many_objects(subject: Subject) -> None:
    """Twelve objects are no limit."""
    _results(subject, "many")
    check_no_failures(subject.result("many"))


def check_no_objects(subject: Subject) -> None:
    """No object gives no result."""
    got = subject.result("empty")
    demand(isinstance(got, list) and not got, f"expected an empty list; got {got!r}")


def check_bad_object_alone(subject: Subject) -> None:
    """An object of which nothing is seen harms no other."""
    results = subject.result("bad_object")
    _results(subject, "bad_object")
    check_no_failures([r for r in results if r.id != BAD_ID])


_EACH = (check_one_per_object, check_many_objects, check_no_objects, check_bad_object_alone)


def check_views_kept(subject: Subject) -> None:
    """Crop, camera, points and visible mask stay as they are."""
    before = by_id(sample_of("landscape").views_cut)
    for view in _results(subject):
        old = before[view.id]
        demand(view.rgba.shape == old.rgba.shape, f"expected rgba of {old.rgba.shape}; got {view.rgba.shape}")
        demand(view.rgba.dtype == np.uint8, f"expected rgba of dtype uint8; got {view.rgba.dtype}")
        for name in ("mask_modal", "mask_hidden", "points_cam", "origin_px", "scale", "K_photo", "cut_by", "cut_sides"):
            same = same_bytes(getattr(view, name), getattr(old, name))
            demand(same, f"expected {name} of object {view.id} as it was; got another")


def check_visible_pixels_kept(subject: Subject) -> None:
    """What the photo shows of an object keeps its colours, and belongs to the whole."""
    for variant in ("landscape", "portrait", "many"):
        before = by_id(sample_of(variant).views_cut)
        for view in _results(subject, variant):
            seen = view.mask_modal
            same = np.array_equal(view.rgba[seen][:, :3], before[view.id].rgba[seen][:, :3])
            demand(same, f"expected the visible pixels of object {view.id} as they were; got other colours")
            lost = int((seen & ~view.mask_amodal).sum())
            demand(not lost, f"expected mask_amodal to hold mask_modal; got {lost} pixels of object {view.id} outside")


def check_complete_views_untouched(subject: Subject) -> None:
    """A view that nothing cuts comes back as it was."""
    before = by_id(sample_of("landscape").views_cut)
    for view in _results(subject):
        old = before[view.id]
        if not old.cut_by and not old.cut_sides:
            demand(same_bytes(view, old), f"expected object {view.id} untouched, nothing cuts it; got it changed")


def check_added_pixels_hidden(subject: Subject) -> None:
    """What is added lies mostly where something hides the object."""
    for variant in ("landscape", "many"):
        for view in _results(subject, variant):
            added = view.mask_amodal & ~view.mask_modal
            seen = int((added & ~view.mask_hidden).sum())
            got = f"{seen} of {int(added.sum())} pixels elsewhere"
            fine = seen <= max(0.5 * added.sum(), 8)
            demand(fine, f"expected object {view.id} to grow where it is hidden; got {got}")


DEOCCLUSION = make_checks(
    *_EACH, check_views_kept, check_visible_pixels_kept, check_complete_views_untouched, check_added_pixels_hidden
)


def check_obj_mesh(mesh: object, id: int) -> None:
    """A mesh in ``obj``: centred on its box, longest side 1."""
    if not isinstance(mesh, Mesh):
        demand(False, f"expected a Mesh; got {type(mesh).__name__}")
        return
    centre, longest = mesh.bounds.mean(0), float(mesh.extents.max())
    demand(
        np.abs(centre).max() < 1e-3, f"expected object {id} centred on its box; got centre {centre.round(4).tolist()}"
    )
    demand(abs(longest - 1) < 1e-3, f"expected object {id} with its longest side 1; got {longest:.4f}")


def check_obj_frame(subject: Subject) -> None:
    """Meshes are finite, centred on their box, with longest side 1."""
    for variant in ("landscape", "portrait", "many"):
        for g in _results(subject, variant):
            check_obj_mesh(g.mesh, g.id)


def check_closed(subject: Subject) -> None:
    """Meshes are closed with positive volume, if the backend says ``closed = True``."""
    if not getattr(subject.cls, "closed", False):
        return
    for variant in ("landscape", "many"):
        for g in _results(subject, variant):
            demand(g.mesh.is_closed(), f"expected a closed mesh of object {g.id}; got open edges")
            volume = g.mesh.volume()
            demand(volume > 0, f"expected a positive volume of object {g.id}; got {volume:.3g}: turn the faces round")


def check_known_rotation(subject: Subject) -> None:
    """A rotation that the generator knows is one."""
    for g in _results(subject):
        if g.R_cam_obj is not None:
            check_rotation(g.R_cam_obj, f"R_cam_obj of object {g.id}")


GENERATION = make_checks(*_EACH, check_obj_frame, check_closed, check_known_rotation)


def check_pose(pose: ObjectPose, mesh: Mesh) -> None:
    """Rotation, translation before the camera, size = scale * extents."""
    check_rotation(pose.R_cam_obj, f"R_cam_obj of object {pose.id}")
    t, size = np.asarray(pose.t_cam_obj), np.asarray(pose.size)
    fine = t.shape == (3,) and np.isfinite(t).all() and t[2] > 0
    demand(fine, f"expected t_cam_obj of object {pose.id} before the camera (z > 0); got {t.tolist()}")
    fine = size.shape == (3,) and np.isfinite(size).all() and (size >= 0).all() and size.max() > 0
    demand(fine, f"expected a positive size of object {pose.id}; got {size.tolist()}")
    if pose.scale is not None:
        want = pose.scale * mesh.extents
        fine = np.allclose(size, want, rtol=1e-3, atol=1e-4 * size.max())
        demand(fine, f"expected size = scale * extents = {want.tolist()} of object {pose.id}; got {size.tolist()}")


def check_poses(subject: Subject) -> None:
    """Rotations are rotations, objects stand before the camera, size = scale * extents."""
    for variant in ("landscape", "portrait", "many"):
        meshes = {g.id: g.mesh for g in sample_of(variant).geometries}
        for pose in _results(subject, variant):
            check_pose(pose, meshes[pose.id])


def check_where_seen(subject: Subject) -> None:
    """Objects stand where the photo shows them (OpenCV axes, pixel centres at 0.5)."""
    for variant in ("landscape", "portrait"):
        sample = sample_of(variant)
        for pose, (x0, y0, x1, y1) in zip(_results(subject, variant), _whole_boxes(sample.amodal), strict=True):
            u, v = project(sample.point_map.K, pose.t_cam_obj)
            inside = x0 <= u <= x1 and y0 <= v <= y1
            box = f"({x0:.0f}, {y0:.0f}, {x1:.0f}, {y1:.0f})"
            demand(inside, f"expected object {pose.id} inside its box {box} px; got ({u:.1f}, {v:.1f})")


def _whole_boxes(amodal: dict) -> list[tuple[float, float, float, float]]:
    boxes = []
    for mask in amodal.values():
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes.append((float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1)))
    return boxes


POSE = make_checks(*_EACH, check_poses, check_where_seen)
