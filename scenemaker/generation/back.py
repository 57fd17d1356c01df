"""The far side of an object, which no pixel shows: how thick it is along every ray.

Four things tell:

- the silhouette: what is wide is thick (``inflate``);
- gravity: below every visible point the object goes down to what it stands on, so a ray stays in the object as long
  as it runs below something seen. A box seen from above is filled to its far edge, a table to its legs;
- the relief: what bulges towards the camera over its own outline bulges as much behind;
- the support: nothing reaches below the object's lowest point, or the ground.

The first two are joined as a product of powers, the third is added. The constants in ``Prior`` come from renderings of
training meshes, never from scenes or photos that numbers are reported on. ``benchmarks/solids_fit.py`` moves them and
prints the IoU; two were then set by hand against its optimum, at little cost: ``flat_gain`` lower, so that panels stay
thin, and ``compact_fill`` higher, so that boxes are filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from scenemaker.generation.front import Front, fill
from scenemaker.generation.inflate import inflate
from scenemaker.geometry.cameras import F64
from scenemaker.scene import Bool

RAYS = 40  # of the longer side of the silhouette, for the columns
DEPTHS = 40
REACH = 2.4  # of the size: no column is looked for beyond
THIN = 0.02  # of the size: added to columns where they are all that counts
FLAT_NOTICE = "flat: its visible points lie in one plane"


@dataclass(frozen=True)
class Prior:
    """Constants of the far side; lengths are in units of the object's size (root of its silhouette's area).

    Attributes:
        gain, pillow_power, column_power: thickness = gain * pillow^pillow_power * column^column_power ...
        column_floor: Added to columns: a wall seen from the front shows no top, and still is no sheet of paper.
        compact: Convexity of the silhouette (area over that of its hull) from which on columns count as filled, and
            where they do in full: a box seen from above becomes a box, a table does not ...
        compact_fill: ... to at least this share of them from any height, ...
        above: ... and as the power of the columns alone when the camera looks down by these sines of its elevation.
        bulge: ... + bulge * how far the front stands before its outline; never less than that far itself.
        flat, solid: Rms distance of the visible points to a plane below which it is a panel, and above which it is not.
        flat_gain: What a panel keeps of its thickness.
    """

    gain: float = 0.8
    pillow_power: float = 0.8
    column_power: float = 0.35
    column_floor: float = 0.1
    compact: tuple[float, float] = (0.75, 0.92)
    compact_fill: float = 0.85
    above: tuple[float, float] = (0.2, 0.4)
    bulge: float = 0.5
    flat: float = 0.01
    solid: float = 0.03
    flat_gain: float = 0.25


PRIOR = Prior()


def far_side(front: Front, gain: float = 1.0, prior: Prior = PRIOR) -> tuple[F64, tuple[str, ...]]:
    """(gh, gw) depth of the far side, and notices; ``gain`` multiplies the thickness."""
    size = front.size
    pillow = inflate(front.inside) * front.cell / size
    column, bulge = columns(front) / size, _bulge(front) / size
    thickness = prior.gain * pillow**prior.pillow_power * (column + prior.column_floor) ** prior.column_power
    thickness = np.maximum(thickness + prior.bulge * bulge, bulge)  # so that the back is not hollow
    filled = prior.compact_fill * float(np.interp(_convexity(front.inside), prior.compact, (0.0, 1.0)))
    thickness = np.maximum(thickness, filled * column)
    filled *= float(np.interp(_elevation(front), prior.above, (0.0, 1.0)))
    thickness = thickness ** (1 - filled) * (column + THIN) ** filled
    off_plane = _rms_to_plane(front) / size
    gain *= float(np.interp(off_plane, [prior.flat, prior.solid], [prior.flat_gain, 1.0]))
    z_back = _above_support(front, front.z + thickness * size * gain)
    return z_back, (FLAT_NOTICE,) if off_plane < prior.flat else ()


def columns(front: Front) -> F64:
    """(gh, gw) how far each ray runs below visible points, behind its own."""
    inside, size = front.inside, front.size
    step = -(-max(inside.shape) // RAYS)
    sub = (slice(step // 2, None, step),) * 2
    points = front.points_cam[inside] @ front.R_cam_obj  # x right, y up, z towards the camera
    cell = size / 32
    lo = points.min(0) - (size / 2, 0, REACH * size)
    nx, nz = (((points.max(0) - lo)[[0, 2]] + size / 2) / cell).astype(int) + 1
    x, z = ((points - lo)[:, [0, 2]] / cell).astype(int).T
    tops = np.full((nz, nx), -np.inf, np.float32)
    np.maximum.at(tops, (z, x), points[:, 1].astype(np.float32))
    tops = cv2.morphologyEx(np.maximum(tops, -1e30), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))  # sparse far points

    tau = (np.arange(DEPTHS) + 0.5) * (REACH * size / DEPTHS)
    rays = front.rays[sub] @ front.R_cam_obj
    at = rays[:, :, None] * (front.z[sub][..., None] + tau)[..., None] - lo  # (h, w, DEPTHS, 3)
    ix, iz = (at[..., 0] / cell).astype(int), (at[..., 2] / cell).astype(int)
    on = (ix >= 0) & (ix < nx) & (iz >= 0) & (iz < nz)
    below = on & (tops[iz.clip(0, nz - 1), ix.clip(0, nx - 1)] - lo[1] > at[..., 1] - 0.02 * size)
    # the stretch from the front that is mostly below something: gaps of the far, sparse points are bridged
    gain = np.concatenate([np.zeros_like(below[..., :1], float), np.cumsum(below - 0.4, -1)], -1)
    run = gain.argmax(-1) * (REACH * size / DEPTHS)
    return _spread(run, inside[sub], inside.shape, step)


def _spread(values: F64, known: Bool, shape: tuple[int, ...], step: int) -> F64:
    """(gh, gw) a smooth map through the known of every step-th sample."""
    smooth = cv2.GaussianBlur(fill(values, known).astype(np.float32), (0, 0), 1.0)
    j = (np.arange(shape[1], dtype=np.float32) - step // 2) / step
    i = (np.arange(shape[0], dtype=np.float32) - step // 2) / step
    map_x, map_y = np.meshgrid(j, i)
    return cv2.remap(smooth, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)


def _bulge(front: Front) -> F64:
    """(gh, gw) how far the front stands before a smooth sheet through its outline."""
    inside = front.inside
    edge = inside & ~cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
    sheet = cv2.GaussianBlur(fill(np.where(edge, front.z, 0), edge).astype(np.float32), (0, 0), max(inside.shape) / 20)
    return (sheet - front.z).clip(0, 0.6 * front.size)


def _elevation(front: Front) -> float:
    """Sine of the angle by which the camera looks down on the object."""
    centre = front.points_cam[front.inside].mean(0)
    return float(-(centre @ front.R_cam_obj[:, 1]) / np.linalg.norm(centre))


def _convexity(inside: Bool) -> float:
    """Area of the silhouette over the area of its convex hull, both in nodes."""
    hull = cv2.convexHull(cv2.findNonZero(inside.astype(np.uint8)))
    return float(inside.sum() / cv2.fillConvexPoly(np.zeros(inside.shape, np.uint8), hull, 1).sum())


def _rms_to_plane(front: Front) -> float:
    """Root mean square distance of the observed points to their plane; infinite where too few were observed."""
    points = front.points_cam[front.observed]
    if len(points) < 4:
        return np.inf
    return float(np.sqrt(max(np.linalg.eigvalsh(np.cov(points.T))[0], 0)))


def _above_support(front: Front, z_back: F64) -> F64:
    """The far side held above what the object stands on: the height of its lowest points."""
    up = front.R_cam_obj[:, 1]
    height = front.points_cam[front.inside] @ up
    support = float(np.percentile(height, 1))
    if front.ground_cam is not None:
        support = max(support, -float(front.ground_cam[3]))
    down = front.rays @ up
    limit = np.where(down < -1e-6, support / np.minimum(down, -1e-6), np.inf)
    return np.maximum(np.minimum(z_back, limit), front.z)
