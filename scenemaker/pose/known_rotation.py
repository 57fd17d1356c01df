"""Scale and translation of a mesh whose rotation is known: the silhouette gives all but one number, depth the last.

A picture leaves the common scale of s and t free, so the two are solved apart: ``fit_silhouette`` makes the mesh
reach as far as the mask in every direction, then the median ratio of observed to rendered depth scales both.
"""

from __future__ import annotations

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.registration import circle, fit_silhouette, mask_support
from scenemaker.pose.target import Agreement, Placement, Prober, Target, compare, without_specks
from scenemaker.scene import Bool, ObjectView

DIRECTIONS = circle(48)


def place_known_rotation(
    mesh: Mesh, R_cam_obj: F64, prober: Prober, target: Target, view: ObjectView
) -> tuple[Placement, Agreement]:
    """The placement that covers the whole-object mask, at the observed depth."""
    wanted = view.mask_amodal | view.mask_modal
    best = _start(mesh, R_cam_obj, prober, target, view, wanted)
    if best[1].iou < 0.9:
        largest = without_specks(wanted, 1.0)  # a generator may have dropped specks that lie apart
        if largest.sum() < wanted.sum():
            other = _start(mesh, R_cam_obj, prober, target, view, largest)
            best = max(best, other, key=lambda b: b[1].iou)
    return _nudge(prober, target, *_match_moments(prober, target, *best))


def at_depth(prober: Prober, target: Target, place: Placement) -> tuple[Placement, Agreement]:
    """The placement scaled about the camera to the observed depth, and how it agrees."""
    z = prober.depth(target, place)
    k = compare(target, z).z_ratio
    if not np.isfinite(k):
        k = _ratio_without_overlap(target, z)
    return place.scaled(k), compare(target, z * np.float32(k))


def _ratio_without_overlap(target: Target, z: np.ndarray) -> float:
    """Median observed depth over median rendered depth, else 1."""
    if np.isfinite(target.z_median) and np.isfinite(z).any():
        return target.z_median / float(np.nanmedian(z))
    return 1.0


def _start(
    mesh: Mesh, R: F64, prober: Prober, target: Target, view: ObjectView, wanted: Bool
) -> tuple[Placement, Agreement]:
    support, _ = mask_support(wanted, view.K, DIRECTIONS)
    s, t = fit_silhouette(mesh.vertices @ R.T, support, DIRECTIONS)
    return at_depth(prober, target, start_depth(mesh, Placement(R=R, s=s, t=t), target))


def start_depth(mesh: Mesh, place: Placement, target: Target) -> Placement:
    """A placement known up to the distance, brought to the depth of the points, else of the ground."""
    if np.isfinite(target.z_median):
        return place.scaled(target.z_median / place.t[2])
    k = ground_ratio(mesh.vertices, place, target.ground_cam)
    return place if k is None else place.scaled(k)


def ground_ratio(vertices: np.ndarray, place: Placement, ground_cam: F64 | None) -> float | None:
    """By how much to scale about the camera so that the lowest vertex touches the ground, or None.

    Scaling about the camera leaves the picture as it is.
    """
    if ground_cam is None:
        return None
    n, d = ground_cam[:3], float(ground_cam[3])
    lowest = float((transforms.apply(place.S, vertices) @ n).min())
    return -d / lowest if lowest * d < 0 else None


def _nudge(
    prober: Prober, target: Target, place: Placement, found: Agreement, *, rounds: int = 3
) -> tuple[Placement, Agreement]:
    """Small shifts and scales, each kept if IoU rises, with steps that halve when none helps."""
    steps = np.full(3, np.clip((1 - found.iou) / 2, 0.002, 0.02))
    for _ in range(rounds):
        helped = False
        for kind in range(3):
            for sign in (1, -1):
                if found.iou > 0.99:
                    return place, found
                d = sign * steps[kind]
                shift = np.eye(3)[kind] * d * target.extent if kind < 2 else np.zeros(3)
                grown = place.s * (1 + d * (kind == 2))
                moved, agrees = at_depth(prober, target, Placement(R=place.R, s=grown, t=place.t + shift))
                if agrees.iou > found.iou:
                    place, found, helped = moved, agrees, True
                    break
        if not helped:
            steps /= 2
    return place, found


def _match_moments(
    prober: Prober, target: Target, place: Placement, found: Agreement, *, rounds: int = 3
) -> tuple[Placement, Agreement]:
    """Shifts and scales so that centre and area of the drawn pixels meet the wanted ones, while IoU rises."""
    xy = target.rays_cam[:, :2].astype(np.float64)
    for _ in range(rounds):
        drawn = np.isfinite(prober.depth(target, place)) & (target.wanted | target.free)
        if not drawn.any() or found.iou > 0.995:
            break
        shift = xy[target.wanted].mean(0) - xy[drawn].mean(0)
        grow = float(np.sqrt(target.wanted.sum() / drawn.sum()))
        t_z = place.t[2]
        t = place.t + np.array([*(shift * t_z), 0.0])
        moved, agrees = at_depth(prober, target, Placement(R=place.R, s=place.s * grow, t=t))
        if agrees.iou <= found.iou:
            break
        place, found = moved, agrees
    return place, found
