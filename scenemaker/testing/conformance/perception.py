"""Checks of segmenters and depth estimators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenemaker.geometry.cameras import K_from_fov, check_K
from scenemaker.geometry.intrinsics import projection_error_px
from scenemaker.scene import Instance, Instances, PointMap
from scenemaker.testing.conformance.subject import Subject, Variant, demand, make_checks, sample_of


def _instances(subject: Subject, variant: Variant) -> Instances:
    got, photo = subject.result(variant), sample_of(variant).photo
    demand(isinstance(got, Instances), f"expected Instances; got {type(got).__name__}")
    shape, want = np.shape(got.labels), (photo.height, photo.width)
    demand(shape == want, f"expected labels of the photo's shape {want} (height, width); got {shape}")
    demand(got.labels.dtype == np.uint16, f"expected labels of dtype uint16; got {got.labels.dtype}")
    return got


def check_labels(subject: Subject) -> None:
    """A label image of the photo's size, wide or tall."""
    _instances(subject, "landscape")
    _instances(subject, "portrait")


def check_ids(subject: Subject) -> None:
    """One tag per object: ids from 1, ascending, each with pixels."""
    got = _instances(subject, "landscape")
    ids, seen = [i.id for i in got.items], [int(i) for i in np.unique(got.labels) if i]
    demand(ids, "expected at least one object; got none")
    demand(ids == sorted(set(ids)) and ids[0] >= 1, f"expected ascending ids from 1; got {ids}")
    demand(ids == seen, f"expected an instance per label value and pixels per instance: labels {seen}; got {ids}")


def check_tags(subject: Subject) -> None:
    """Every object has a name of its own and a score in [0, 1]."""
    items = _instances(subject, "landscape").items
    names = [i.name for i in items]
    demand(all(names) and len(set(names)) == len(names), f"expected names that differ; got {names}")
    scores = [i.score for i in items]
    demand(all(np.isfinite(s) and 0 <= s <= 1 for s in scores), f"expected scores in [0, 1]; got {scores}")


def check_follows_prompts(subject: Subject) -> None:
    """Given masks, boxes or points: one object per prompt, in their order."""
    if subject.given not in ("masks", "boxes", "points"):
        return
    got, sample = _instances(subject, "landscape"), sample_of("landscape")
    demand(len(got) == len(sample.ids), f"expected {len(sample.ids)} objects; got {len(got)}")
    for k, (id, item) in enumerate(zip(sample.ids, got.items, strict=True), start=1):
        want, mask = sample.instances.mask(id), got.mask(item.id)
        iou = float((want & mask).sum() / (want | mask).sum())
        demand(iou > 0.3, f"expected object {k} where prompt {k} is; got IoU {iou:.2f}")


def check_many_objects(subject: Subject) -> None:
    """Twelve objects are no limit."""
    got = _instances(subject, "many")
    if subject.given in ("masks", "boxes", "points"):
        demand(len(got) == 12, f"expected 12 objects; got {len(got)}")


SEGMENTATION = make_checks(check_labels, check_ids, check_tags, check_follows_prompts, check_many_objects)


def _point_map(subject: Subject, variant: Variant) -> PointMap:
    got, photo = subject.result(variant), sample_of(variant).photo
    demand(isinstance(got, PointMap), f"expected a PointMap; got {type(got).__name__}")
    shape, want = np.shape(got.points_cam), (photo.height, photo.width, 3)
    demand(shape == want, f"expected points_cam of shape {want}; got {shape}")
    demand(got.points_cam.dtype == np.float32, f"expected points_cam of dtype float32; got {got.points_cam.dtype}")
    return got


def check_point_map(subject: Subject) -> None:
    """A point map of the photo's size, wide or tall."""
    _point_map(subject, "landscape")
    _point_map(subject, "portrait")


def check_valid_points(subject: Subject) -> None:
    """Points lie before the camera; invalid ones are NaN in all three numbers."""
    points = _point_map(subject, "landscape").points_cam
    nan = np.isnan(points)
    demand((nan.all(-1) == nan.any(-1)).all(), "expected NaN in all three numbers of an invalid point; got it in some")
    demand(not np.isinf(points).any(), "expected NaN where invalid; got infinity")
    z = points[..., 2][~nan.any(-1)]
    demand(len(z) > 0.3 * nan[..., 0].size, f"expected points for most pixels; got {len(z)} of {nan[..., 0].size}")
    demand((z > 0).all(), f"expected z > 0 (OpenCV axes, z forward); got {float(z.min()):.3g}")


def check_rays(subject: Subject) -> None:
    """K projects each point onto the centre of its own pixel, (0.5, 0.5) being the first."""
    got = _point_map(subject, "landscape")
    check_K(got.K)
    error = projection_error_px(got.K, got.points_cam)
    demand(error < 0.01 * got.points_cam.shape[1], f"expected points on the rays of K; got them {error:.2f} px off")


def check_keeps_K(subject: Subject) -> None:
    """A given K is kept: the prompt's, else the photo's."""
    (photo, instances, prompt), _ = subject.inputs("landscape")
    mine, other = K_from_fov(48, photo.width, photo.height), K_from_fov(71, photo.width, photo.height)
    for given, K_photo, K_prompt in ((mine, other, mine), (other, other, None)):
        call = (replace(photo, K=K_photo), instances, replace(prompt, K=K_prompt))
        got = subject.call((call, {})).K
        demand(
            np.allclose(got, given, atol=1e-4), f"expected K {given.tolist()} as given; got {np.asarray(got).tolist()}"
        )


def check_gravity(subject: Subject) -> None:
    """Up is a unit vector; the ground's normal is up and the camera stands above it. Both may be None."""
    got = _point_map(subject, "landscape")
    if got.up_cam is not None:
        length = float(np.linalg.norm(got.up_cam))
        demand(abs(length - 1) < 1e-4, f"expected up_cam of length 1; got {length}")
    if got.ground_cam is not None:
        n, d = np.asarray(got.ground_cam)[:3], float(got.ground_cam[3])
        up = np.zeros(3) if got.up_cam is None else got.up_cam
        demand(np.allclose(n, up, atol=1e-3), f"expected the ground's normal to be up_cam; got {n.tolist()}")
        demand(d > 0, f"expected the camera above the ground (d > 0); got {d}")


def check_scale_kind(subject: Subject) -> None:
    """Says whether it is metric or relative."""
    got = _point_map(subject, "landscape").scale_kind
    demand(got in ("metric", "relative"), f'expected scale_kind "metric" or "relative"; got {got!r}')


def check_depth_many_objects(subject: Subject) -> None:
    """Twelve objects are no limit, nor is one of a single pixel."""
    _point_map(subject, "many")
    (photo, instances, prompt), _ = subject.inputs("landscape")
    labels = instances.labels.copy()
    labels[2, 3] = 9
    speck = Instances(labels=labels, items=(*instances.items, Instance(id=9, name="speck")))
    got = subject.call(((photo, speck, prompt), {}))
    demand(np.isfinite(got.points_cam).any(), "expected valid points; got none")


DEPTH = make_checks(
    check_point_map,
    check_valid_points,
    check_rays,
    check_keeps_K,
    check_gravity,
    check_scale_kind,
    check_depth_many_objects,
)
