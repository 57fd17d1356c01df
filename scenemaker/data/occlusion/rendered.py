"""Targets drawn from meshes: a random object in random light, seen from a random side."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.framing import looking
from scenemaker.data.layouts.options import PositiveSpan, Span
from scenemaker.data.occlusion.targets import Target, cut_out
from scenemaker.data.render.surroundings import SurroundingsConfig, draw_world
from scenemaker.data.types import NOTHING, Arrangement, DataObject, ObjectSource, Renderer
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import F32, Bool

MARGIN_PX = 2
SILHOUETTE_PX = 256
LEAST_PX = 8  # shorter side of a picture


class TargetViews(BaseModel, frozen=True, extra="forbid"):
    """From where targets are seen."""

    samples: int = Field(default=4, ge=1, le=16, description="Rays along each side of a pixel that the outline meets.")
    elevation_deg: Span = Field(default=(-5.0, 60.0), description="How far the camera looks down.")
    roll_deg: float = Field(default=5.0, ge=0, description="Standard deviation of the turn about the optical axis.")
    fov_deg: PositiveSpan = Field(
        default=(20.0, 60.0),
        description="Angle under which the ball around the object is seen; wide is near.",
    )


class RenderedTargets:
    """Renders the objects of a source, one at a time, without ground."""

    def __init__(
        self,
        source: ObjectSource,
        *,
        renderer: Renderer | None = None,
        views: TargetViews | None = None,
        surroundings: SurroundingsConfig | None = None,
    ) -> None:
        """Takes a source.

        Args:
            source: Of objects.
            renderer: Draws them; the fast one when none is given.
            views: From where.
            surroundings: The light they stand in.
        """
        if renderer is None:
            from scenemaker.data.render.fast import FastRenderer

            renderer = FastRenderer()
        self.name = source.name
        self.source, self.renderer = source, renderer
        self.views, self.surroundings = views or TargetViews(), surroundings

    def draw(self, rng: np.random.Generator, px: int) -> Target:
        """A random object from a random side, its longer side ``px``."""
        thing = self.source.get(self.source.draw(rng))
        camera = tight_camera(thing, px, self.views, rng)
        view = self.renderer.render(draw_world(floating(thing), rng, self.surroundings), [camera])[0]
        hit = view.labels > 0
        rgba = cut_out(view.rgb, hit, coverage(thing.mesh, camera, self.views.samples, hit))
        return Target(rgba=rgba, key=thing.key, label=thing.label)

    def silhouette(self, rng: np.random.Generator) -> Bool:
        """The outline of a random object from a random side."""
        thing = self.source.get(self.source.draw(rng))
        return coverage(thing.mesh, tight_camera(thing, SILHOUETTE_PX, self.views, rng), 1) > 0


def tight_camera(thing: DataObject, px: int, views: TargetViews, rng: np.random.Generator) -> Camera:
    """A camera that looks at the object from a random side; its picture is the object's box with a small margin.

    Args:
        thing: The object, which stands at the origin of ``world``.
        px: Longer side of the picture.
        views, rng: From where.
    """
    vertices = thing.mesh.vertices.astype(np.float64)
    radius = float(np.linalg.norm(vertices, axis=1).max())
    distance = radius / np.sin(np.radians(rng.uniform(*views.fov_deg)) / 2)
    elevation_deg, azimuth_deg = rng.uniform(*views.elevation_deg), rng.uniform(0, 360)
    R_cam_world = looking(elevation_deg, azimuth_deg, rng.normal(0, views.roll_deg))
    T_cam_world = transforms.rigid(R_cam_world, [0.0, 0.0, distance])  # world = obj: it stands at the origin
    seen = transforms.apply(T_cam_world, vertices)
    xy = seen[:, :2] / seen[:, 2:]
    low, high = xy.min(0), xy.max(0)
    f_px = (px - 2 * MARGIN_PX) / float((high - low).max())
    width, height = (max(LEAST_PX, int(np.ceil(e * f_px)) + 2 * MARGIN_PX) for e in (high - low).tolist())
    centre = (low + high) / 2
    K = np.array([[f_px, 0, width / 2 - f_px * centre[0]], [0, f_px, height / 2 - f_px * centre[1]], [0, 0, 1]])
    return Camera(K=K, width=width, height=height, T_cam_world=T_cam_world)


def floating(thing: DataObject) -> Arrangement:
    """The object alone, where its mesh lies, on no ground."""
    return Arrangement(
        objects=(thing,),
        R_world_obj=np.eye(3)[None],
        t_world_obj=np.zeros((1, 3)),
        scale=np.ones(1),
        support=(NOTHING,),
        layout="alone",
    )


def coverage(mesh: Mesh, camera: Camera, samples: int, hit: Bool | None = None) -> F32:
    """(H, W) share of every pixel that a mesh in ``world`` covers, by samples x samples rays along the outline.

    Args:
        mesh, camera: In one ``world``.
        samples: 1 looks at the centres only.
        hit: (H, W) pixels whose centre shows the mesh, when known.
    """
    import cv2

    caster, R_world_cam = RayCaster([mesh]), camera.T_cam_world[:3, :3].T
    rays_cam = camera.rays_cam()
    if hit is None:
        index = caster.cast(camera.centre_world, rays_cam.reshape(-1, 3) @ R_world_cam.T).index
        hit = index.reshape(camera.height, camera.width) >= 0
    out = hit.astype(np.float32)
    if samples > 1:
        square = np.ones((3, 3), np.uint8)
        edge = cv2.dilate(hit.astype(np.uint8), square) != cv2.erode(hit.astype(np.uint8), square)
        step_px = (np.arange(samples) + 0.5) / samples - 0.5
        x, y = (a.ravel() for a in np.meshgrid(step_px / camera.K[0, 0], step_px / camera.K[1, 1]))
        within = rays_cam[edge][:, None] + np.stack([x, y, np.zeros_like(x)], 1)  # (edges, samples^2, 3)
        finer = caster.cast(camera.centre_world, within.reshape(-1, 3) @ R_world_cam.T).index >= 0
        out[edge] = finer.reshape(-1, samples**2).mean(1)
    return out
