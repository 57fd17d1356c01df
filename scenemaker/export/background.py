"""The surroundings of the objects, made from the photo: the floor as a textured plane, the rest on a card behind.

The objects are taken out of the photo first (inpainted at reduced resolution), so that one that is moved does not
leave its picture behind. Seen from the photo's camera, floor and card show what the photo showed there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, pixel_rays, project
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import F32, U8, Bool, Instances, Photo, PointMap

BackgroundKind = Literal["none", "ground", "full"]

INPAINT_PX = 256  # longer side at which hidden surroundings are filled in
GROW = 0.012  # of the longer side: masks grow by it, so that no rim of an object stays
TEXELS = 768  # of the longer side of the floor's texture
FLAT = 0.04  # a pixel shows the floor when its depth is this near to the plane's, relative
REACH = 1.6  # the floor reaches this far beyond the farthest object, in its distance
FADE = 0.12  # of the floor's side, over which it fades to its smoothed colours
EDGE = 0.03  # of the photo's longer side, over which its rim on the floor fades
BEHIND = 1.02  # the card stands this much behind the farthest thing
PLAIN: tuple[int, int, int] = (200, 200, 200)  # of a floor that no pixel shows


def make_background(
    photo: Photo, instances: Instances, point_map: PointMap, kind: BackgroundKind
) -> list[tuple[str, Mesh]]:
    """Unlit meshes in ``cam`` by name: "ground" when the ground is known, and "backdrop" for "full"."""
    if kind == "none":
        return []
    clean = remove_objects(photo.rgb, instances.labels > 0)
    out: list[tuple[str, Mesh]] = []
    if point_map.ground_cam is not None:
        ground = _ground(clean, instances, point_map, point_map.ground_cam)
        if ground is not None:
            out.append(("ground", ground))
    if kind == "full":
        out.append(("backdrop", _backdrop(clean, instances, point_map, out)))
    return out


def remove_objects(rgb: U8, mask: Bool) -> U8:
    """(H, W, 3) the picture with the masked pixels (H, W) filled in from around them.

    Reference: Telea, "An image inpainting technique based on the fast marching method", 2004 (OpenCV).
    """
    import cv2

    h, w = mask.shape
    if not mask.any():
        return rgb
    grown_px = max(1, round(GROW * max(h, w)))
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * grown_px + 1,) * 2, np.uint8))
    if grown.all():
        return np.full_like(rgb, np.median(rgb.reshape(-1, 3), axis=0).astype(np.uint8))
    small = min(1.0, INPAINT_PX / max(h, w))
    size = max(1, round(w * small)), max(1, round(h * small))
    # colours of the kept pixels only: an object must not bleed into its surroundings when the picture shrinks
    kept = rgb.copy()
    kept[grown > 0] = 0
    share = 1 - cv2.resize(grown * np.uint8(255), size, interpolation=cv2.INTER_AREA) / np.float32(255)
    colours = cv2.resize(kept, size, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-6)[..., None]
    colours = colours.round().clip(0, 255).astype(np.uint8)
    filled = cv2.inpaint(colours, (share < 0.2).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (w, h), interpolation=cv2.INTER_LINEAR)
    soft = cv2.blur(grown * np.uint8(255), (2 * grown_px + 1,) * 2)
    soft[mask] = 255
    rim = soft > 0
    weight = soft[rim, None] / np.float32(255)
    out = rgb.copy()
    out[rim] = (rgb[rim] + weight * (filled[rim] - rgb[rim].astype(np.float32))).round().astype(np.uint8)
    return out


def _ground(clean: U8, instances: Instances, point_map: PointMap, plane: F64) -> Mesh | None:
    """A rectangle on the plane under everything, or None when the camera does not look down on the plane."""
    import cv2

    h, w = instances.labels.shape
    normal, height = transforms.unit(plane[:3]), float(plane[3] / np.linalg.norm(plane[:3]))
    if height <= 0:  # the camera is below the ground
        return None
    # axes on the plane: along the view and across it; the texture's rows run towards the far end
    R_cam_world = transforms.R_cam_world_from_up(normal)
    across, far = R_cam_world[:, 0], -R_cam_world[:, 2]
    foot = -height * normal
    step = max(1, max(h, w) // 256)
    rays = pixel_rays(point_map.K, h, w)[step // 2 :: step, step // 2 :: step]
    labels = instances.labels[step // 2 :: step, step // 2 :: step]
    depth = point_map.depth[step // 2 :: step, step // 2 :: step]
    fall = rays @ normal
    with np.errstate(divide="ignore"):
        z_plane = np.where(fall < -1e-6, -height / fall, np.inf)
    is_floor = (labels == 0) & (np.abs(depth - z_plane) <= FLAT * z_plane) & np.isfinite(z_plane)
    is_object = (labels > 0) & np.isfinite(depth)
    spots = rays[is_object] * depth[is_object][:, None] - foot
    reach = REACH * float(np.percentile(spots @ far, 98)) if len(spots) else np.inf
    floor = rays[is_floor] * z_plane[is_floor][:, None] - foot
    floor = floor[floor @ far <= max(reach, 2 * height)]
    spots = np.concatenate([spots, floor])
    if not len(spots):
        return None
    a, b = spots @ across, spots @ far
    (a0, a1), (b0, b1) = (np.percentile(x, [0.5, 99.5]) for x in (a, b))
    pad = 0.15 * max(a1 - a0, b1 - b0, 0.2 * height)
    a0, a1, b0, b1 = a0 - pad, a1 + pad, b0 - pad, b1 + pad
    wide, deep = a1 - a0, b1 - b0
    cols = max(8, round(TEXELS * min(1, wide / deep)))
    rows = max(8, round(TEXELS * min(1, deep / wide)))

    grid_a = a0 + (np.arange(cols) + 0.5) / cols * wide
    grid_b = b1 - (np.arange(rows) + 0.5) / rows * deep
    points = foot + grid_a[None, :, None] * across + grid_b[:, None, None] * far  # (rows, cols, 3)
    pixels = (project(point_map.K, points) - 0.5).astype(np.float32)  # cv2 counts from pixel centres
    texture = cv2.remap(clean, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    trust = _trust(is_floor, labels > 0, (h, w))
    trust = cv2.remap(trust, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderValue=0)
    base = _spread(np.asarray(texture, np.uint8), np.asarray(trust, np.float32))
    down, right = np.arange(rows), np.arange(cols)
    rim = np.minimum.outer(np.minimum(down, down[::-1]), np.minimum(right, right[::-1]))  # texels to the edge
    weight = (trust * np.clip(rim / (FADE * max(rows, cols)), 0, 1))[..., None]
    texture = (base + weight * (texture - base)).round().clip(0, 255).astype(np.uint8)
    corners = [foot + x * across + y * far for x, y in ((a0, b0), (a1, b0), (a1, b1), (a0, b1))]
    return _rectangle(corners, texture)


def _trust(is_floor: Bool, is_object: Bool, size: tuple[int, int]) -> F32:
    """(H, W) how far a pixel of the cleaned photo shows the floor, in [0, 1].

    Behind an object the inpainted pixels count where floor is near.
    """
    import cv2

    known = cv2.blur(is_floor.astype(np.float32), (31, 31)) / np.maximum(
        cv2.blur((~is_object).astype(np.float32), (31, 31)), 1e-3
    )
    behind = np.clip(2 * known, 0, 1)
    soft = np.where(is_object, behind, is_floor).astype(np.float32)
    down, right = np.arange(soft.shape[0]) + 0.5, np.arange(soft.shape[1]) + 0.5
    rim = np.minimum.outer(np.minimum(down, down[::-1]), np.minimum(right, right[::-1]))
    soft = cv2.blur(soft * np.clip(rim / (EDGE * max(soft.shape)), 0, 1).astype(np.float32), (5, 5))
    return np.asarray(cv2.resize(soft, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _spread(texture: U8, trust: F32) -> F32:
    """(rows, cols, 3) colours of the trusted texels, smoothed and carried on over all others."""
    import cv2

    rows, cols = trust.shape
    size = max(2, round(cols * 64 / max(rows, cols))), max(2, round(rows * 64 / max(rows, cols)))
    weight = cv2.resize(trust, size, interpolation=cv2.INTER_AREA)[..., None]
    colour = cv2.resize(texture * trust[..., None], size, interpolation=cv2.INTER_AREA)
    total = float(weight.sum())
    plain = colour.sum((0, 1)) / total if total > 0 else np.array(PLAIN, np.float32)
    out = np.broadcast_to(plain, colour.shape).astype(np.float32)
    for sigma in (24, 8, 3):  # from far to near: what is near decides where there is anything near
        near = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur(colour, (0, 0), sigma) / np.maximum(near, 1e-6)
        out += np.clip(8 * near, 0, 1) * (mean - out)
    return np.asarray(cv2.resize(out, (cols, rows), interpolation=cv2.INTER_CUBIC), np.float32)


def _backdrop(clean: U8, instances: Instances, point_map: PointMap, others: list[tuple[str, Mesh]]) -> Mesh:
    """The cleaned photo on a card across the optical axis, behind everything; from the camera it fills the view."""
    h, w = instances.labels.shape
    depth, on = point_map.depth, instances.labels > 0
    seen = depth[np.isfinite(depth)]
    objects = depth[on & np.isfinite(depth)]
    z = float(np.percentile(objects, 99)) * REACH if len(objects) else 1.0
    if len(seen):
        z = max(z, min(float(np.percentile(seen, 95)), 2 * z))
    for _, mesh in others:
        z = max(z, float(mesh.vertices[:, 2].max()))
    z *= BEHIND
    Kinv = np.linalg.inv(point_map.K)
    corners = [z * (Kinv @ np.array([u, v, 1.0])) for u, v in ((0, h), (w, h), (w, 0), (0, 0))]
    return _rectangle(corners, clean)


def _rectangle(corners: Sequence[NDArray[np.floating]], texture: U8) -> Mesh:
    """Two unlit triangles; corners are the texture's bottom left, bottom right, top right, top left."""
    return Mesh(
        vertices=np.stack(corners).astype(np.float32),
        faces=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        uv=np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32),
        texture=np.ascontiguousarray(texture),
        unlit=True,
    )
