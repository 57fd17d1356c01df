"""Pictures of one object that another one or the photo's border cuts, with the whole object known.

The picture is a window of a wider rendering, so that also what lies outside of the photo is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster, Rendering
from scenemaker.scene import Bool, Instance, Instances, ObjectView, Photo, PointMap

WIDE = 520, 440  # width, height of the rendering the photo is a window of
KINDS = ("in front", "on top", "border")


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """One picture; the object in question has id 1.

    Attributes:
        kind: One of ``KINDS``.
        photo, instances, point_map: What the stage gets, with exact depth.
        window_px: (x0, y0) of the photo within the wide pictures.
        whole: (H', W') bool, the whole object in the wide picture.
        colours: (H', W', 3) uint8, the object alone in the wide picture.
    """

    kind: str
    photo: Photo
    instances: Instances
    point_map: PointMap
    window_px: tuple[int, int]
    whole: Bool
    colours: np.ndarray

    def truth(self, view: ObjectView) -> tuple[Bool, np.ndarray]:
        """Mask (h, w) and colours (h, w, 3) of the whole object in the pixels of a crop."""
        (x0, y0), (h, w) = view.origin_px, view.mask_modal.shape
        u = np.floor(x0 + (np.arange(w) + 0.5) / view.scale).astype(int) + self.window_px[0]
        v = np.floor(y0 + (np.arange(h) + 0.5) / view.scale).astype(int) + self.window_px[1]
        inside = ((v >= 0) & (v < WIDE[1]))[:, None] & ((u >= 0) & (u < WIDE[0]))[None, :]
        grid = np.ix_(v.clip(0, WIDE[1] - 1), u.clip(0, WIDE[0] - 1))
        return self.whole[grid] & inside, self.colours[grid]


def load_meshes(folder: Path, limit: int | None = None) -> list[Mesh]:
    """Canonical meshes of the GLB files of a folder (vertex colours)."""
    import trimesh

    meshes = []
    for path in sorted(folder.glob("*.glb"))[:limit]:
        loaded = trimesh.load(path, force="mesh", process=False)
        colors = np.asarray(loaded.visual.vertex_colors)[:, :3] if loaded.visual.kind == "vertex" else None
        meshes.append(normalise(Mesh(vertices=loaded.vertices, faces=loaded.faces, colors=colors))[0])
    return meshes


def make_cases(meshes: list[Mesh], count: int, *, seed: int) -> Iterator[Case]:
    """Cases of all kinds in turn, the object visible to between 35 % and 95 %."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        case = make_case(meshes, KINDS[made % len(KINDS)], rng)
        if case is not None:
            made += 1
            yield case


def make_case(meshes: list[Mesh], kind: str, rng: np.random.Generator) -> Case | None:
    """One case, or None when the dice gave an object that is hardly cut or hardly seen."""
    pitch, fov_deg = np.radians(rng.uniform(4, 50)), rng.uniform(30, 65)
    target, other = (meshes[int(rng.integers(len(meshes)))] for _ in range(2))
    S_target, size = _stand(target, 1.0, (0, 0), 0.0, rng)
    if kind == "on top":
        spot = rng.uniform(-0.3, 0.3, 2) * target.extents[[0, 2]]
        S_other, _ = _stand(other, rng.uniform(0.25, 0.6), spot, size[1] * rng.uniform(0.4, 0.98), rng)
    else:
        nearer = rng.uniform(0.35, 1.1)
        S_other, _ = _stand(other, rng.uniform(0.5, 1.1), (rng.uniform(-0.6, 0.6), nearer), 0.0, rng)
    camera = _camera(pitch, fov_deg, size, rng)
    only = RayCaster([target], [S_target]).render(camera)
    whole = only.index == 0
    both = only if kind == "border" else RayCaster([target, other], [S_target, S_other]).render(camera)
    box = _window(whole, kind, rng) if whole.sum() > 400 else None
    if box is None:
        return None
    visible = int((both.index[box] == 0).sum())
    if visible < 300 or not 0.35 <= visible / whole.sum() <= 0.95:
        return None
    return _case(kind, camera, only, both, box, rng)


def _stand(
    mesh: Mesh, longest: float, spot: tuple[float, float] | F64, height: float, rng: np.random.Generator
) -> tuple[F64, F64]:
    """S_world_obj of a mesh turned by any yaw that stands at ``height``, and its extents (y up)."""
    R = transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi))
    extents = mesh.extents * longest
    return transforms.similarity(R, [spot[0], height + extents[1] / 2, spot[1]], longest), extents


def _camera(pitch: float, fov_deg: float, size: F64, rng: np.random.Generator) -> Camera:
    """A camera in front (+z) and above that sees the object in the middle of the wide picture."""
    forward = np.array([0.0, -np.sin(pitch), -np.cos(pitch)])
    right = np.array([1.0, 0.0, 0.0])
    R_cam_world = np.stack([right, np.cross(forward, right), forward])
    K = K_from_fov(fov_deg, *WIDE)
    distance = rng.uniform(0.6, 0.95) * np.linalg.norm(size) * K[0, 0] / (0.5 * WIDE[1]) + 0.3
    centre = np.array([0, size[1] / 2, 0]) - forward * distance
    centre[1] = max(centre[1], 0.15)
    return Camera(K=K, width=WIDE[0], height=WIDE[1], T_cam_world=transforms.rigid(R_cam_world, -R_cam_world @ centre))


def _window(whole: Bool, kind: str, rng: np.random.Generator) -> tuple[slice, slice] | None:
    """The part of the wide picture that is the photo; for ``border`` its edge cuts the object."""
    rows, cols = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
    height, width = whole.shape
    if top == 0 or left == 0 or bottom == height or right == width:
        return None  # the rendering itself cuts it
    x0, x1, y0, y1 = 20, width - 20, 20, height - 20
    if kind == "border":
        share = rng.uniform(0.08, 0.5)
        side = int(rng.integers(4))
        if side == 0:
            x0 = round(left + share * (right - left))
        elif side == 1:
            x1 = round(right - share * (right - left))
        elif side == 2:
            y0 = round(top + share * (bottom - top))
        else:
            y1 = round(bottom - share * (bottom - top))
    return slice(y0, y1), slice(x0, x1)


def _case(
    kind: str,
    camera: Camera,
    only: Rendering,
    both: Rendering,
    box: tuple[slice, slice],
    rng: np.random.Generator,
) -> Case:
    labels = (both.index + 1).astype(np.uint16)
    backdrop = rng.uniform(60, 250, 3) + rng.normal(0, 6, (*labels.shape, 3))
    rgb = np.where((labels > 0)[..., None], both.rgb, backdrop.clip(0, 255).astype(np.uint8))
    up_cam = camera.T_cam_world[:3, :3] @ [0.0, 1.0, 0.0]
    ground_cam = np.append(up_cam, camera.centre_world[1])
    below = -(camera.rays_cam() @ up_cam)
    ground = np.where(below > 1e-3, camera.centre_world[1] / np.maximum(below, 1e-3), np.nan)
    depth = np.where(labels > 0, both.depth, ground)
    x0, y0 = box[1].start, box[0].start
    K = camera.K - [[0, 0, x0], [0, 0, y0], [0, 0, 0]]
    present = [i for i in range(1, int(labels.max()) + 1) if (labels[box] == i).any()]
    return Case(
        kind=kind,
        photo=Photo(rgb=np.ascontiguousarray(rgb[box])),
        instances=Instances(
            labels=np.ascontiguousarray(labels[box]), items=tuple(Instance(id=i, name=f"object_{i}") for i in present)
        ),
        point_map=PointMap.from_depth(depth[box], K, up_cam=up_cam, ground_cam=ground_cam),
        window_px=(x0, y0),
        whole=only.index == 0,
        colours=only.rgb,
    )
