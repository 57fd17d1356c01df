"""A closed, textured mesh between a front and a back sheet that share one silhouette."""

from __future__ import annotations

import cv2
import numpy as np

from scenemaker.generation.front import Front
from scenemaker.generation.sheet import triangulate
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import U8, Bool, ObjectView

MIN_THICKNESS = 0.01  # of the object's size: what keeps the two sheets apart
FLATNESS = 0.004  # of the object's size: how far a merged block may be from the surface
TEXTURE_MARGIN = 4  # pixels


def build(view: ObjectView, front: Front, z_back: F64) -> tuple[Mesh, F64]:
    """The mesh in ``obj``, and the similarity S_cam_obj (4, 4) that puts it where the view saw it.

    Args:
        view: The completed view, for the texture.
        front: Its visible side.
        z_back: (gh, gw) depth of the far side; raised where it comes nearer than ``MIN_THICKNESS`` to the front.
    """
    z_back = np.maximum(z_back, front.z + MIN_THICKNESS * front.size)
    bend = np.maximum(_bend(front.z), _bend(z_back))
    largest = np.sqrt(8 * FLATNESS * front.size / np.maximum(bend, 1e-12))  # sagitta of a parabola over a block
    sheet = triangulate(front.coverage, front.inside, largest)
    rays, z = _at(sheet.xy, front.rays), (_at(sheet.xy, front.z), _at(sheet.xy, z_back))
    points_cam = np.concatenate([rays * z[0][:, None], rays * z[1][:, None]])

    n = len(sheet.xy)
    a, b = sheet.outline[:, 0], sheet.outline[:, 1]
    # a face that runs clockwise on screen (y down) runs counter-clockwise about the way to the camera
    faces = np.concatenate(
        [
            sheet.faces[:, ::-1],
            sheet.faces + n,
            np.stack([a, b, b + n], 1),
            np.stack([a, b + n, a + n], 1),
        ]
    )
    texture, uv = _texture(view, np.array(front.xy_px) + sheet.xy * front.step_px)

    R = front.R_cam_obj
    aligned = points_cam @ R  # in obj axes, at the object's own place and size
    lo, hi = aligned.min(0), aligned.max(0)
    scale, centre = float((hi - lo).max()), (lo + hi) / 2
    mesh = Mesh(
        vertices=((aligned - centre) / scale).astype(np.float32),
        faces=faces.astype(np.int32),
        uv=np.concatenate([uv, uv]).astype(np.float32),  # the far side mirrors the photo
        texture=texture,
        unlit=True,
    )
    return mesh, transforms.similarity(R, R @ centre, scale)


def _bend(z: F64) -> F64:
    """(gh - 1, gw - 1) second difference of a depth map, the largest at the corners of each cell."""
    bend = np.zeros_like(z)
    bend[1:-1] = np.abs(z[2:] - 2 * z[1:-1] + z[:-2])
    bend[:, 1:-1] = np.maximum(bend[:, 1:-1], np.abs(z[:, 2:] - 2 * z[:, 1:-1] + z[:, :-2]))
    rows = np.maximum(bend[:-1], bend[1:])
    return np.maximum(rows[:, :-1], rows[:, 1:])


def _at(xy: F64, values: F64) -> F64:
    """(n, ...) bilinear samples of a map (gh, gw, ...) at node coordinates."""
    gh, gw = values.shape[:2]
    j, i = xy[:, 0].astype(int).clip(0, gw - 2), xy[:, 1].astype(int).clip(0, gh - 2)
    shape = (-1,) + (1,) * (values.ndim - 2)
    u, v = (xy[:, 0] - j).reshape(shape), (xy[:, 1] - i).reshape(shape)
    top = values[i, j] * (1 - u) + values[i, j + 1] * u
    return top * (1 - v) + (values[i + 1, j] * (1 - u) + values[i + 1, j + 1] * u) * v


def _texture(view: ObjectView, xy_px: F64) -> tuple[U8, F64]:
    """The object's colours (h, w, 3), continued beyond its silhouette, and the uv (n, 2) of crop pixels (n, 2)."""
    mask = view.mask_amodal
    h, w = mask.shape
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y0, y1 = max(int(rows[0]) - TEXTURE_MARGIN, 0), min(int(rows[-1]) + 1 + TEXTURE_MARGIN, h)
    x0, x1 = max(int(cols[0]) - TEXTURE_MARGIN, 0), min(int(cols[-1]) + 1 + TEXTURE_MARGIN, w)
    texture = pad_colours(view.rgba[y0:y1, x0:x1, :3], mask[y0:y1, x0:x1])
    uv = (xy_px - (x0, y0)) / (x1 - x0, y1 - y0)
    return texture, uv.clip(0, 1)


def pad_colours(rgb: U8, mask: Bool) -> U8:
    """The picture with every pixel outside of the mask given the colour of the nearest one well inside.

    The outermost pixels mix object and background, so colours are taken one pixel further in where there is one.
    """
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
    near_core = cv2.dilate(core.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    source = core | (mask & ~near_core)  # thin parts have no core: they keep their own pixels
    apart = (~source).astype(np.uint8)
    labels = cv2.distanceTransformWithLabels(apart, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    nearest = np.asarray(labels, np.int64)
    colour = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colour[nearest[source]] = rgb[source]
    return np.where(source[..., None], rgb, colour[nearest])
