"""Small made pictures with known hidden parts, never square."""

from __future__ import annotations

import numpy as np

from scenemaker.geometry.cameras import K_from_fov
from scenemaker.scene import Instance, Instances, ObjectView, Photo, PointMap

HEIGHT, WIDTH = 120, 170


def picture(labels: np.ndarray, depth_of: dict[int, float], *, seed: int = 0) -> tuple[Photo, Instances, PointMap]:
    """A photo of noise with one plain colour per object, and flat depth per label."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 60, (*labels.shape, 3)).astype(np.uint8)
    depth = np.full(labels.shape, 9.0, np.float32)
    ids = [int(i) for i in np.unique(labels) if i]
    for id in ids:
        rgb[labels == id] = ((60 + 40 * id) % 256, (250 - 30 * id) % 256, 90)
        depth[labels == id] = depth_of.get(id, 5.0)
    items = tuple(Instance(id=id, name=f"object_{id}") for id in ids)
    K = K_from_fov(50, labels.shape[1], labels.shape[0])
    return Photo(rgb=rgb), Instances(labels=labels.astype(np.uint16), items=items), PointMap.from_depth(depth, K)


def box_behind_post() -> np.ndarray:
    """Labels: box 1 (x 40..120, y 30..100), and post 2 in front of its middle, taller than the box."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[30:100, 40:120] = 1
    labels[15:110, 70:84] = 2
    return labels


def view_of(modal: np.ndarray, hidden: np.ndarray, *, rgb: np.ndarray | None = None, **rest: object) -> ObjectView:
    """A view of the given masks (h, w), cut by object 9 unless told otherwise."""
    h, w = modal.shape
    rgb = np.full((h, w, 3), 120, np.uint8) if rgb is None else rgb
    return ObjectView(
        **{
            "id": 1,
            "rgba": np.dstack([rgb, modal.astype(np.uint8) * 255]),
            "mask_modal": modal,
            "mask_hidden": hidden,
            "origin_px": (0.0, 0.0),
            "scale": 1.0,
            "K_photo": K_from_fov(50, w, h),
            "points_cam": np.full((h, w, 3), np.nan, np.float32),
            "cut_by": (9,),
            **rest,
        }
    )
