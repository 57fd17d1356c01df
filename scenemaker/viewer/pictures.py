"""Pictures that show what each stage made: masks, depth, normals, the scene over the photo, the difference.

Every function returns uint8 sRGB (H, W, 3). Colours of objects follow their ids, in every picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.geometry.colour import srgb_from_linear
from scenemaker.geometry.raycast import Rendering
from scenemaker.scene import F32, U8, Bool, Instances, ObjectView

GOLDEN_ANGLE_DEG = 137.508  # neighbouring ids get hues far apart
INVALID: tuple[int, int, int] = (128, 128, 128)
DIFFERENCE_FULL = 96  # of 255: a difference of this much is shown in full


def srgb_from_oklch(lightness: ArrayLike, chroma: ArrayLike, hue_deg: ArrayLike) -> U8:
    """(..., 3) colours from perceptual lightness, chroma and hue; out-of-range colours are clipped.

    Reference: Ottosson, "A perceptual color space for image processing" (Oklab), 2020.

    >>> srgb_from_oklch(1.0, 0.0, 0.0).tolist()
    [255, 255, 255]
    """
    L, C, h = (np.asarray(x, np.float64) for x in (lightness, chroma, np.radians(hue_deg)))
    a, b = C * np.cos(h), C * np.sin(h)
    long, middle, short = (
        (L + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (L - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (L - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        ],
        -1,
    ).clip(0, 1)
    return (srgb_from_linear(linear) * 255).round().astype(np.uint8)


def id_colour(id: int) -> tuple[int, int, int]:
    """The colour of an object in every picture."""
    r, g, b = srgb_from_oklch(0.72, 0.16, 30 + id * GOLDEN_ANGLE_DEG).tolist()
    return r, g, b


def ramp(n: int = 256) -> U8:
    """(n, 3) colour map from near (light, warm) to far (dark, blue), even in perceived lightness."""
    t = np.linspace(0, 1, n)
    return srgb_from_oklch(0.94 - 0.68 * t, 0.045 + 0.10 * np.sin(np.pi * t), 95 - 190 * t)


def resized(rgb: U8, max_px: int) -> U8:
    """The picture with its longer side at most ``max_px``."""
    import cv2

    h, w = rgb.shape[:2]
    scale = max_px / max(h, w)
    if scale >= 1:
        return rgb
    size = max(1, round(w * scale)), max(1, round(h * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def mask_overlay(rgb: U8, instances: Instances, *, max_px: int = 768) -> U8:
    """The photo with every mask tinted, outlined, and numbered by its id."""
    import cv2

    out = resized(rgb, max_px).copy()
    h, w = out.shape[:2]
    labels = np.asarray(cv2.resize(instances.labels, (w, h), interpolation=cv2.INTER_NEAREST_EXACT), np.uint16)
    table = np.zeros((int(labels.max(initial=0)) + 1, 3), np.uint8)
    for item in instances:
        if item.id < len(table):
            table[item.id] = id_colour(item.id)
    on = labels > 0
    out[on] = (0.55 * out[on] + 0.45 * table[labels[on]]).astype(np.uint8)
    thick = max(1, round(max(h, w) / 380))
    centres = []
    for item in instances:
        rows, cols = np.flatnonzero((labels == item.id).any(1)), np.flatnonzero((labels == item.id).any(0))
        if not len(rows):
            continue
        y, x = rows[0], cols[0]
        mask = (labels[y : rows[-1] + 1, x : cols[-1] + 1] == item.id).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(int(x), int(y)))
        cv2.drawContours(out, outlines, -1, id_colour(item.id), thick, cv2.LINE_AA)
        inner = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
        row, col = np.unravel_index(int(inner.argmax()), inner.shape)
        centres.append((str(item.id), int(col) + int(x), int(row) + int(y)))
    for text, x, y in centres:
        _put_centred(out, text, x, y, max(h, w) / 640)
    return out


def _put_centred(rgb: U8, text: str, x: int, y: int, scale: float) -> None:
    import cv2

    font, scale = cv2.FONT_HERSHEY_SIMPLEX, max(scale, 0.35)
    (w, h), _ = cv2.getTextSize(text, font, scale, 1)
    at = int(np.clip(x - w // 2, 2, max(rgb.shape[1] - w - 2, 2))), int(np.clip(y + h // 2, h + 2, rgb.shape[0] - 2))
    for colour, thick in (((20, 20, 20), 4), ((255, 255, 255), 1)):
        cv2.putText(rgb, text, at, font, scale, colour, max(1, round(thick * scale * 1.6)), cv2.LINE_AA)


def depth_picture(depth: F32, *, max_px: int = 768) -> U8:
    """Depth, near to far, by even steps of 1 / z (2nd to 98th percentile); grey where unknown."""
    step = max(1, -(-max(depth.shape) // max_px))
    z = depth[step // 2 :: step, step // 2 :: step]
    known = np.isfinite(z) & (z > 0)
    out = np.full((*z.shape, 3), INVALID, np.uint8)
    if known.any():
        near = 1 / z[known]
        low, high = np.percentile(near, [2, 98])
        t = ((high - near) / max(high - low, 1e-12)).clip(0, 1)
        out[known] = ramp()[(t * 255).astype(int)]
    return out


def normal_picture(points_cam: F32, *, max_px: int = 768) -> U8:
    """Normals of the point map: red is right, green is up, blue is towards the camera; grey where unknown."""
    step = max(1, -(-max(points_cam.shape[:2]) // max_px))
    p = points_cam[step // 2 :: step, step // 2 :: step]
    if min(p.shape[:2]) < 3:
        return np.full((*p.shape[:2], 3), INVALID, np.uint8)
    right, down = np.empty_like(p), np.empty_like(p)
    right[:, 1:-1], down[1:-1] = p[:, 2:] - p[:, :-2], p[2:] - p[:-2]
    right[:, 0], right[:, -1] = p[:, 1] - p[:, 0], p[:, -1] - p[:, -2]
    down[0], down[-1] = p[1] - p[0], p[-1] - p[-2]
    n = np.cross(down, right)  # x right, y down, z forward: this points to the camera
    return shade_normals(n / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-20))


def shade_normals(normals_cam: F32) -> U8:
    """Colours of unit normals (H, W, 3) in ``cam``; grey where NaN or zero."""
    known = np.isfinite(normals_cam).all(-1) & (np.abs(normals_cam).max(-1, initial=0) > 0)
    out = np.full(normals_cam.shape, INVALID, np.uint8)
    n = normals_cam[known] * np.array([1, -1, -1], np.float32)
    out[known] = ((n * 0.5 + 0.5) * 255).round().clip(0, 255).astype(np.uint8)
    return out


def over_photo(rgb: U8, rendering: Rendering) -> U8:
    """The rendered objects over the paled, grey photo; both of one size."""
    grey = rgb.mean(2, keepdims=True)
    pale = 0.45 * (0.4 * rgb + 0.6 * grey) + 0.55 * 255
    return np.where(rendering.index[..., None] >= 0, rendering.rgb, pale).astype(np.uint8)


def difference_picture(rgb: U8, labels: np.ndarray[Any, Any], rendering: Rendering) -> U8:
    """Absolute difference from the photo on black where mask and rendering agree.

    Red: the mask is not covered. Blue: the rendering reaches beyond the masks, or shows it where no mask is.
    """
    mask, shown = labels > 0, rendering.index >= 0
    difference = np.abs(rendering.rgb.astype(np.int16) - rgb.astype(np.int16)).mean(2)
    grey = (difference * (255 / DIFFERENCE_FULL)).clip(0, 255).astype(np.uint8)
    out = np.repeat((np.where(mask & shown, grey, 24)).astype(np.uint8)[..., None], 3, axis=2)
    out[mask & ~shown] = (235, 84, 72)
    out[shown & ~mask] = (84, 132, 240)
    return out


def crop_picture(view: ObjectView, photo_size: tuple[int, int]) -> U8:
    """The crop as the photo (H, W) shows it: the object clear, its surroundings pale, white beyond the border."""
    rgb = view.rgba[..., :3].astype(np.float32)
    pale = 0.35 * rgb + 0.65 * 245
    out = np.where(view.mask_modal[..., None], rgb, pale).astype(np.uint8)
    h, w = view.mask_modal.shape
    x = view.origin_px[0] + (np.arange(w) + 0.5) / view.scale
    y = view.origin_px[1] + (np.arange(h) + 0.5) / view.scale
    out[(y < 0) | (y > photo_size[0])] = 252
    out[:, (x < 0) | (x > photo_size[1])] = 252
    return out


def completed_picture(view: ObjectView) -> U8:
    """The completed object over a checkerboard; what was added is outlined."""
    import cv2

    h, w = view.rgba.shape[:2]
    out = over_checks(view.rgba)
    added = (view.mask_amodal & ~view.mask_modal).astype(np.uint8)
    if added.any():
        outlines, _ = cv2.findContours(added, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outlines = [o for o in outlines if cv2.contourArea(o) > 2e-4 * h * w]
        cv2.drawContours(out, outlines, -1, (235, 140, 40), max(1, round(max(h, w) / 250)), cv2.LINE_AA)
    return out


def over_checks(rgba: U8) -> U8:
    """RGBA over a light checkerboard."""
    h, w = rgba.shape[:2]
    side = max(4, max(h, w) // 28)
    checks = np.where((np.add.outer(np.arange(h) // side, np.arange(w) // side) % 2)[..., None] == 0, 246, 228)
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return (alpha * rgba[..., :3] + (1 - alpha) * checks).round().astype(np.uint8)


def fit_box(rgb: U8, width: int, height: int, fill: int = 246) -> U8:
    """The picture scaled into a box, centred; the rest is filled."""
    import cv2

    h, w = rgb.shape[:2]
    scale = min(width / w, height / h)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    out = np.full((height, width, 3), fill, np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    out[y : y + size[1], x : x + size[0]] = small
    return out


def added_share(mask_modal: Bool, mask_amodal: Bool) -> float:
    """Share of the whole object that the photo does not show."""
    whole = int((mask_modal | mask_amodal).sum())
    return float((mask_amodal & ~mask_modal).sum() / whole) if whole else 0.0
