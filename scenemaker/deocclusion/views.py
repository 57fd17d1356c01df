"""Cut every object out of the photo, with what is known about it; and put amodal masks back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.deocclusion.order import reach_px, who_hides_whom
from scenemaker.errors import NoObjectsError, expected
from scenemaker.scene import F32, Bool, Instances, ObjectView, Photo, PointMap, Side

MARGIN = 0.12  # of the longer box side, on every side
ROOM = 0.6  # of the box side, where the photo's border or another object cuts

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in photo pixels, upper ends exclusive


@dataclass(frozen=True, eq=False, kw_only=True)
class _Layout:
    """What is found out once for all n objects.

    Attributes:
        index: (H, W) int32 position of each pixel's object in the list of instances, -1 for none.
        boxes: Of the visible masks.
        hidden_by: (n, n) bool, [i, j]: j touches i and hides part of it.
        behind: (n, n) bool, [i, j]: i may continue unseen behind j.
        reach: Masks, or a mask and the photo's border, nearer than this meet.
    """

    index: NDArray[np.int32]
    boxes: list[Box]
    hidden_by: Bool
    behind: Bool
    reach: int


def cut_views(photo: Photo, instances: Instances, point_map: PointMap, *, max_px: int = 512) -> list[ObjectView]:
    """One view per object, ordered as ``instances``; the longer side is at most ``max_px`` pixels.

    Raises:
        NoObjectsError: An instance without a pixel.
    """
    layout = _lay_out(instances, np.ascontiguousarray(point_map.depth))
    return [_cut(photo, instances, point_map, layout, k, max_px) for k in range(len(instances))]


def _lay_out(instances: Instances, depth: F32) -> _Layout:
    labels = instances.labels
    height, width = labels.shape
    ids = [item.id for item in instances]
    position = np.full(int(max([*ids, labels.max(initial=0)])) + 1, -1, np.int32)
    position[ids] = np.arange(len(ids))
    index = position[labels]

    pixels = np.flatnonzero(index.ravel() >= 0)
    owner = index.ravel()[pixels].astype(np.uint16)
    pixels = pixels[np.argsort(owner, kind="stable")]
    area = np.bincount(owner, minlength=len(ids))
    for item, count in zip(instances, area.tolist()):
        if not count:
            raise NoObjectsError(
                expected(f"pixels of object {item.id} in the label image", got="none", remedy="paint it or drop it")
            )
    boxes: list[Box] = []
    median_depth = np.full(len(ids), np.nan, np.float32)
    for k, own in enumerate(np.split(pixels, np.cumsum(area)[:-1])):
        y, x = np.divmod(own, width)
        boxes.append((int(x.min()), int(y[0]), int(x.max()) + 1, int(y[-1]) + 1))
        z = depth.ravel()[own]
        z = z[np.isfinite(z)]
        if len(z):
            median_depth[k] = np.median(z)
    reach = reach_px(height, width)
    hidden_by, behind = who_hides_whom(index, depth, median_depth, area, reach)
    return _Layout(index=index, boxes=boxes, hidden_by=hidden_by, behind=behind, reach=reach)


def _cut(photo: Photo, instances: Instances, point_map: PointMap, layout: _Layout, k: int, max_px: int) -> ObjectView:
    import cv2

    h, w = layout.index.shape
    item = instances.items[k]
    cut_sides = _cut_sides(layout.boxes[k], h, w, layout.reach)
    left, top, right, bottom = _crop_box(layout, k, cut_sides)
    scale = min(1.0, max_px / max(right - left, bottom - top))
    out_w, out_h = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))

    # nearest source pixel of every crop pixel centre
    u = np.floor(left + (np.arange(out_w) + 0.5) / scale).astype(int)
    v = np.floor(top + (np.arange(out_h) + 0.5) / scale).astype(int)
    inside = ((v >= 0) & (v < h))[:, None] & ((u >= 0) & (u < w))[None, :]
    u, v = u.clip(0, w - 1), v.clip(0, h - 1)
    crop = photo.rgb[max(top, 0) : min(bottom, h), max(left, 0) : min(right, w)]
    crop = cv2.copyMakeBorder(
        crop, max(-top, 0), max(bottom - h, 0), max(-left, 0), max(right - w, 0), cv2.BORDER_REPLICATE
    )
    rgb = crop if scale == 1.0 else cv2.resize(crop, (out_w, out_h), interpolation=cv2.INTER_AREA)
    index = np.where(inside, layout.index.take(v, 0).take(u, 1), -1)
    modal = index == k
    if not modal.any():  # the reduced crop stepped over every pixel of a tiny mask
        y, x = np.argwhere(layout.index == k)[0]
        modal[min(int((y + 0.5 - top) * scale), out_h - 1), min(int((x + 0.5 - left) * scale), out_w - 1)] = True
    points = point_map.points_cam.take(v, 0).take(u, 1)
    points[~modal] = np.nan
    return ObjectView(
        id=item.id,
        rgba=np.concatenate([np.asarray(rgb, np.uint8), modal[..., None].astype(np.uint8) * 255], 2),
        mask_modal=modal,
        mask_hidden=_hidden(index, modal, inside, layout.behind[k], max(1, round(layout.reach * scale))),
        origin_px=(float(left), float(top)),
        scale=scale,
        K_photo=point_map.K,
        points_cam=points.astype(np.float32, copy=False),
        up_cam=point_map.up_cam,
        ground_cam=point_map.ground_cam,
        cut_by=tuple(instances.items[j].id for j in np.flatnonzero(layout.hidden_by[k])),
        cut_sides=cut_sides,
        label=item.label,
    )


def _cut_sides(box: Box, height: int, width: int, reach: int) -> tuple[Side, ...]:
    """Sides of the photo that the mask reaches; masks as users have them may stop a little short of it."""
    x0, y0, x1, y1 = box
    reached: dict[Side, bool] = {
        "left": x0 < reach,
        "top": y0 < reach,
        "right": x1 > width - reach,
        "bottom": y1 > height - reach,
    }
    return tuple(side for side, is_cut in reached.items() if is_cut)


def _crop_box(layout: _Layout, k: int, cut_sides: tuple[Side, ...]) -> Box:
    """The box with a margin, and with room where the object may continue."""
    x0, y0, x1, y1 = layout.boxes[k]
    hiders = [layout.boxes[j] for j in np.flatnonzero(layout.hidden_by[k])]
    pad = round(MARGIN * max(x1 - x0, y1 - y0)) + 2
    room_x, room_y = round(ROOM * (x1 - x0)), round(ROOM * (y1 - y0))

    def grow(side: Side, beyond: int, room: int) -> int:
        return max(pad, room if side in cut_sides else min(room, beyond))

    return (
        x0 - grow("left", max([x0 - b[0] for b in hiders], default=0), room_x),
        y0 - grow("top", max([y0 - b[1] for b in hiders], default=0), room_y),
        x1 + grow("right", max([b[2] - x1 for b in hiders], default=0), room_x),
        y1 + grow("bottom", max([b[3] - y1 for b in hiders], default=0), room_y),
    )


def _hidden(index: NDArray[np.int32], modal: Bool, inside: Bool, behind: Bool, reach: int) -> Bool:
    """(h, w) bool: objects in front, the outside of the photo, and slivers of nothing between those and the object."""
    import cv2

    hidden = np.append(behind, False)[index] | ~inside  # index -1 is the last entry
    near = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near_both = [np.asarray(cv2.dilate(mask.astype(np.uint8), near)) > 0 for mask in (hidden, modal)]
    return (hidden | (near_both[0] & near_both[1] & (index < 0))) & ~modal


def paste_amodal(views: Sequence[ObjectView], height: int, width: int) -> dict[int, Bool]:
    """Whole-object masks (H, W) in photo pixels, by object id."""
    out: dict[int, Bool] = {}
    for view in views:
        (x0, y0), s = view.origin_px, view.scale
        amodal = view.mask_amodal
        h, w = amodal.shape
        u0, u1 = max(0, int(np.floor(x0))), min(width, int(np.ceil(x0 + w / s)))
        v0, v1 = max(0, int(np.floor(y0))), min(height, int(np.ceil(y0 + h / s)))
        u = np.floor((np.arange(u0, u1) + 0.5 - x0) * s).astype(int)
        v = np.floor((np.arange(v0, v1) + 0.5 - y0) * s).astype(int)
        inside = ((v >= 0) & (v < h))[:, None] & ((u >= 0) & (u < w))[None, :]
        out[view.id] = np.zeros((height, width), bool)
        out[view.id][v0:v1, u0:u1] = amodal.take(v.clip(0, h - 1), 0).take(u.clip(0, w - 1), 1) & inside
    return out
