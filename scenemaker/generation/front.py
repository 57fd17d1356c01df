"""The visible side of an object: one depth per node of a grid over its silhouette.

Observed depth is filtered by medians and freed of flying points; where nothing was observed (holes, completed parts,
one ring around the silhouette) it continues the plane that fits best in 1/z, plus a smooth residual. Planes of the
world are linear in 1/z, so a table top continues as a table top.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.scene import F32, Bool, ObjectView

NODES = 90**2  # inside of the silhouette, about; what is thin gets a finer grid than what is compact
RIM_STEP = 0.06  # of the size: how far the rim may fall back behind what is next to it, besides the slope there
LONGEST = 320  # nodes on the longer side, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Front:
    """The silhouette on a grid, and how far away it is.

    Attributes:
        coverage: (gh, gw) float32 share of the mask in each node's square.
        inside: (gh, gw) bool, nodes of the silhouette; never on the border of the grid.
        observed: (gh, gw) bool, nodes whose depth was seen.
        z: (gh, gw) float64 depth of the visible side, everywhere finite and positive.
        rays: (gh, gw, 3) directions of the nodes in ``cam``, scaled to z = 1.
        xy_px: (2,) crop pixel (x, y) of node (0, 0); step_px: crop pixels from node to node.
        cell: Width of one step at the object's depth, in the units of the points.
        size: Square root of the silhouette's area, in the same units.
        R_cam_obj: (3, 3) the frame of the mesh: y up, z towards the camera.
        ground_cam: (4,) plane below the object, or None.
        notices: What the user should know.
    """

    coverage: F32
    inside: Bool
    observed: Bool
    z: F64
    rays: F64
    xy_px: tuple[float, float]
    step_px: int
    cell: float
    size: float
    R_cam_obj: F64
    ground_cam: F64 | None
    notices: tuple[str, ...]

    @property
    def points_cam(self) -> F64:
        """(gh, gw, 3) the visible side in ``cam``."""
        return self.rays * self.z[..., None]


def read_front(view: ObjectView) -> Front:
    """The front of a view.

    Raises:
        InputError: A view without a single pixel of object.
    """
    mask = view.mask_amodal
    if not mask.any():
        raise InputError(
            expected("a view with object pixels", got="an empty mask", remedy=f"remove object {view.id} or redraw it")
        )
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1
    step = max(1, round(float(np.sqrt(mask.sum() / NODES))), -(-max(y1 - y0, x1 - x0) // LONGEST))
    gh, gw = -(-(y1 - y0) // step) + 2, -(-(x1 - x0) // step) + 2  # one empty ring
    coverage, inside = _coverage(mask[y0:y1, x0:x1], step, gh, gw)
    seen = view.points_cam[y0:y1, x0:x1, 2]
    modal = (view.mask_modal & mask)[y0:y1, x0:x1]
    with np.errstate(invalid="ignore"):
        seen = np.where(modal & np.isfinite(seen) & (seen > 0), seen, np.nan)
    z_seen = _block_median(seen, step, gh, gw)
    K = view.K
    xy_px = (x0 - step / 2, y0 - step / 2)
    rays = np.ones((gh, gw, 3))
    rays[..., 0] = (xy_px[0] + np.arange(gw) * step - K[0, 2])[None] / K[0, 0]
    rays[..., 1] = (xy_px[1] + np.arange(gh) * step - K[1, 2])[:, None] / K[1, 1]
    rays[..., 0] -= K[0, 1] / K[0, 0] * rays[..., 1]

    notices: list[str] = []
    up, ground = _gravity(view)
    observed = np.isfinite(z_seen) & inside
    if not observed.any():
        notices.append("no depth was observed on it: placed at distance 1, facing the camera")
        z_seen, ground = np.where(inside, 1.0, np.nan), None
    unit_area = step * step / (K[0, 0] * K[1, 1])
    z_typical = float(np.nanmedian(z_seen[inside]))
    cell, size = z_typical * np.sqrt(unit_area), z_typical * np.sqrt(unit_area * inside.sum())
    z = _complete(z_seen, inside, rays, size, cell)
    if ground is not None:
        z = _above_ground(z, observed, rays, ground)
    return Front(
        coverage=coverage,
        inside=inside,
        observed=observed,
        z=z,
        rays=rays,
        xy_px=xy_px,
        step_px=step,
        cell=float(cell),
        size=float(size),
        R_cam_obj=_frame(up, (rays * z[..., None])[inside].mean(0)),
        ground_cam=ground,
        notices=tuple(notices),
    )


def _coverage(mask: Bool, step: int, gh: int, gw: int) -> tuple[F32, Bool]:
    """Share of the mask per node, and the nodes that are in it; parts thinner than a step are kept."""
    full = np.zeros(((gh - 2) * step, (gw - 2) * step), np.float32)
    full[: mask.shape[0], : mask.shape[1]] = mask
    coverage = np.zeros((gh, gw), np.float32)
    coverage[1:-1, 1:-1] = full.reshape(gh - 2, step, gw - 2, step).mean((1, 3))
    inside = coverage >= 0.5
    if step > 1:
        kernel = np.ones((2 * step - 1, 2 * step - 1), np.uint8)
        thin = full - cv2.morphologyEx(full, cv2.MORPH_OPEN, kernel, borderValue=0)
        inside[1:-1, 1:-1] |= thin.reshape(gh - 2, step, gw - 2, step).mean((1, 3)) > 0.3
        if not inside.any():  # specks only
            inside |= coverage >= coverage.max()
    soft = cv2.GaussianBlur(coverage, (0, 0), 0.7 if step == 1 else 0.5)
    return np.asarray(soft, np.float32), np.asarray(inside, bool)


def _block_median(values: F32, step: int, gh: int, gw: int) -> F64:
    """(gh, gw) median of the finite values in each node's square, NaN where there are none."""
    out = np.full((gh, gw), np.nan)
    full = np.full(((gh - 2) * step, (gw - 2) * step), np.nan)
    full[: values.shape[0], : values.shape[1]] = values
    blocks = np.sort(full.reshape(gh - 2, step, gw - 2, step).swapaxes(1, 2).reshape(gh - 2, gw - 2, -1), axis=-1)
    middle = np.maximum(np.isfinite(blocks).sum(-1) - 1, 0) // 2  # NaN sorts last
    out[1:-1, 1:-1] = np.take_along_axis(blocks, middle[..., None], -1)[..., 0]
    return out


def _complete(z_seen: F64, inside: Bool, rays: F64, size: float, cell: float) -> F64:
    """(gh, gw) depth everywhere: filtered where seen, continued elsewhere."""
    good = inside & np.isfinite(z_seen)
    good &= ~_fringe(z_seen, good, size)
    lo, hi = np.percentile(z_seen[good], [5, 95])
    reach = 0.75 * max(size, hi - lo)
    with np.errstate(invalid="ignore"):
        good &= (z_seen >= lo - reach) & (z_seen <= hi + reach)
    q = np.where(good, 1 / np.where(good, z_seen, 1), 0)
    plane = _robust_plane(rays[good], q[good], cell / float(np.median(z_seen[good])) ** 2)
    base = rays @ plane
    residual = fill(np.where(good, q - base, 0), good)
    filtered = cv2.medianBlur(residual.astype(np.float32), 3 if min(z_seen.shape) < 12 else 5)
    q = base + filtered
    return 1 / np.clip(q, 1 / (hi + reach), 1 / max(lo - reach, 0.2 * lo))


def _fringe(z: F64, good: Bool, size: float) -> Bool:
    """(gh, gw) nodes of the outer two rings that fall back behind all around them: mixed with the background."""
    around = np.ones((7, 7), np.uint8)
    core = cv2.erode(good.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
    far = cv2.dilate(np.where(core, z, -1e30).astype(np.float32), around)
    near = cv2.erode(np.where(core, z, 1e30).astype(np.float32), around)
    has_core = far > 0  # thin parts have none, and are left alone
    with np.errstate(invalid="ignore"):
        return good & ~core & has_core & (z - far > RIM_STEP * size + 2 * (far - near))


def _robust_plane(rays: F64, q: F64, noise: float) -> F64:
    """(3,) plane with q = plane . ray, fitted by least squares reweighted to ignore outliers (Geman-McClure)."""
    if len(q) < 8:
        return np.array([0, 0, float(np.median(q))])
    pick = slice(None, None, max(1, len(q) // 2000))
    A, b = rays[pick], q[pick]
    centre = A.mean(0)
    B = A - centre
    B[:, 2] = 1.0
    w = np.ones(len(b))
    ridge = np.diag([1e-3, 1e-3, 0]) * max(float((B[:, :2] ** 2).sum()), 1e-12)
    x = np.zeros(3)
    for _ in range(6):
        x = np.linalg.solve(B.T @ (B * w[:, None]) + ridge, B.T @ (w * b))
        r = b - B @ x
        s = max(1.5 * float(np.median(np.abs(r))), noise)
        w = 1 / (1 + (r / (3 * s)) ** 2) ** 2 + 1e-6
    return np.array([x[0], x[1], x[2] - x[0] * centre[0] - x[1] * centre[1]])


def fill(values: F64, known: Bool) -> F64:
    """(h, w) values with the unknown ones filled from coarser and coarser averages of the known (pull-push)."""
    v, w = (values * known).astype(np.float32), known.astype(np.float32)
    if known.all() or min(v.shape) <= 1 or not known.any():
        return np.where(known, v, v.sum() / max(w.sum(), 1))
    h, wd = v.shape
    small = ((wd + 1) // 2, (h + 1) // 2)
    pad_h, pad_w = small[1] * 2 - h, small[0] * 2 - wd

    def halve(a: F32) -> F32:
        return np.pad(a, ((0, pad_h), (0, pad_w))).reshape(small[1], 2, small[0], 2).sum((1, 3))

    weight = halve(w)
    coarse = fill(halve(v) / np.maximum(weight, 1), weight > 0).astype(np.float32)
    up = cv2.resize(coarse, (small[0] * 2, small[1] * 2), interpolation=cv2.INTER_LINEAR)[:h, :wd]
    return np.where(known, v, up)


def _above_ground(z: F64, observed: Bool, rays: F64, ground_cam: F64) -> F64:
    """Depth with what was not observed held above the ground."""
    down = -(rays @ ground_cam[:3])
    limit = np.where(down > 1e-6, ground_cam[3] / np.maximum(down, 1e-6), np.inf)
    limit = np.where(limit > 0, limit, np.inf)
    return np.where(observed, z, np.minimum(z, limit))


def _gravity(view: ObjectView) -> tuple[F64, F64 | None]:
    """Up (3,) and the ground (4,) in ``cam``; image up when gravity is unknown."""
    up = None if view.up_cam is None else np.asarray(view.up_cam, np.float64)
    if up is None or up.shape != (3,) or not np.isfinite(up).all() or np.linalg.norm(up) < 1e-6:
        return np.array([0.0, -1.0, 0.0]), None
    ground = None if view.ground_cam is None else np.asarray(view.ground_cam, np.float64)
    usable = ground is not None and np.isfinite(ground).all() and ground[3] > 0
    return transforms.unit(up), ground if usable else None


def _frame(up: F64, centre_cam: F64) -> F64:
    """(3, 3) R_cam_obj: y up, z level and towards the camera; seen from straight above, z is image down."""
    back = -transforms.unit(centre_cam)
    level = back - (back @ up) * up
    if np.linalg.norm(level) < 0.05:
        image_down = np.array([0.0, 1.0, 0.0])
        level = image_down - (image_down @ up) * up
    z = transforms.unit(level)
    return np.stack([np.cross(up, z), up, z], 1)
