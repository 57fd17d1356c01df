"""The floor in pictures of the scene: a textured rectangle that a homography draws, faster than rays could."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import U8

SQUARES = 24  # of the checkerboard, per side
SQUARE_TEXELS = 24
LIGHT, DARK = 242, 229


@dataclass(frozen=True, eq=False, kw_only=True)
class Floor:
    """A rectangle with a texture.

    Attributes:
        corner: (3,) where the texture's top-left corner lies.
        right: (3,) from there along the texture's width.
        down: (3,) from there along the texture's height.
        texture: (h, w, 3) uint8.
    """

    corner: F64
    right: F64
    down: F64
    texture: U8

    @classmethod
    def from_mesh(cls, mesh: Mesh | None) -> Floor | None:
        """The floor of a flat mesh whose texture is laid on it without distortion; None for any other."""
        if mesh is None or mesh.uv is None or mesh.texture is None:
            return None
        design = np.column_stack([np.ones(len(mesh.uv)), mesh.uv])  # (n, 3)
        if np.linalg.matrix_rank(design) < 3:
            return None
        solved = np.linalg.lstsq(design, mesh.vertices.astype(np.float64), rcond=None)[0]
        if np.abs(design @ solved - mesh.vertices).max() > 1e-4 * float(mesh.extents.max()):
            return None
        return cls(corner=solved[0], right=solved[1], down=solved[2], texture=mesh.texture[..., :3])

    def paint(self, picture: U8, depth: np.ndarray[tuple[int, ...], np.dtype[np.float32]], camera: Camera) -> None:
        """Draws it into a picture wherever it is nearer than the depth (H, W; NaN where nothing is) drawn so far."""
        import cv2

        R, t = camera.T_cam_world[:3, :3], camera.T_cam_world[:3, 3]
        h, w = self.texture.shape[:2]
        spans = np.column_stack([R @ self.right / w, R @ self.down / h, R @ self.corner + t])  # of texels, in cam
        if abs(np.linalg.det(spans)) < 1e-12 * np.linalg.norm(spans[:, 2]) ** 3:
            return  # seen edge-on
        # texel (x, y, 1) * z ~ pixel; cv2 counts from pixel centres
        half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
        texel_from_pixel = np.linalg.inv(half @ camera.K @ spans @ np.linalg.inv(half))
        size = camera.width, camera.height
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpPerspective(self.texture, texel_from_pixel, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        # rays with z = 1 meet the plane at spans (x, y, 1) = z ray
        x, y, per_z = np.moveaxis(camera.rays_cam() @ np.linalg.inv(spans).T, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = 1 / per_z
            inside = (per_z > 0) & (x * z >= 0) & (x * z <= w) & (y * z >= 0) & (y * z <= h)
            on = inside & ~(depth <= z)
        picture[on] = np.asarray(drawn, np.uint8)[on]


def checked_floor(points: F64, plane: F64) -> Floor:
    """A checkerboard on a plane (4,), under points (n, 3) and well beyond them."""
    n = transforms.unit(plane[:3])
    axes = transforms.R_cam_world_from_up(n)
    centre = (points.min(0) + points.max(0)) / 2
    foot = centre - (centre @ n + plane[3] / np.linalg.norm(plane[:3])) * n
    reach = 1.8 * float(np.linalg.norm(points - centre, axis=1).max())
    board = np.add.outer(np.arange(SQUARES), np.arange(SQUARES)) % 2
    board = np.where(board == 0, LIGHT, DARK).astype(np.uint8)
    texture = np.repeat(board.repeat(SQUARE_TEXELS, 0).repeat(SQUARE_TEXELS, 1)[..., None], 3, axis=2)
    x, z = reach * axes[:, 0], reach * axes[:, 2]
    return Floor(corner=foot - x - z, right=2 * x, down=2 * z, texture=texture)
