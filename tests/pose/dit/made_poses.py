"""Pictures of one object with its true pose: easy ones and the hard cases of search and refinement. Not square."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import trimesh
from scipy.spatial import KDTree

from scenemaker.deocclusion.views import cut_views
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface
from scenemaker.geometry.raycast import render
from scenemaker.pose.dit.evidence import Evidence, evidence_of
from scenemaker.pose.target import Placement
from scenemaker.scene import Instance, Instances, ObjectView, Photo, PointMap
from scenemaker.testing import box_mesh, sphere_mesh

CAMERA = Camera(K=K_from_fov(50, 240, 150), width=240, height=150)
TURNED = transforms.axis_angle([1, 0, 0], np.radians(205)) @ transforms.axis_angle([0, 1, 0], 0.6)


def bracket() -> Mesh:
    """A seat with a back and one arm: no symmetry at all."""
    bounds = ([[0, 0, 0], [1, 0.3, 0.6]], [[0, 0.3, 0], [1, 1, 0.15]], [[0, 0.3, 0.15], [0.2, 0.6, 0.6]])
    made = trimesh.util.concatenate([trimesh.creation.box(bounds=b) for b in bounds])
    return normalise(Mesh(vertices=np.asarray(made.vertices), faces=np.asarray(made.faces)))[0]


def disc() -> Mesh:
    """Flat and round."""
    made = trimesh.creation.cylinder(radius=0.5, height=0.03, sections=48)
    return normalise(Mesh(vertices=np.asarray(made.vertices), faces=np.asarray(made.faces)))[0]


MESHES = {
    "box": box_mesh((0.7, 1.0, 0.5), (200, 60, 40)),
    "ball": sphere_mesh((1.0, 1.0, 1.0), (200, 60, 40)),
    "disc": disc(),
    "plate": box_mesh((1.0, 0.02, 0.6), (200, 60, 40)),
}
KINDS = ("bracket", *MESHES, "cut", "hidden", "unmasked", "torn")


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A picture that shows object 1, whose pose is known."""

    photo: Photo
    instances: Instances
    point_map: PointMap
    view: ObjectView
    mesh: Mesh
    truth: Placement

    @property
    def evidence(self) -> Evidence:
        return evidence_of(self.view, self.instances, self.point_map, self.mesh, resolution_px=56)

    def error(self, place: Placement) -> float:
        """Mean distance of each placed surface point to the true surface, over the size: 0.00 for symmetric turns."""
        points = sample_surface(self.mesh, 4000)[0]
        true = KDTree(transforms.apply(self.truth.S, points))
        return float(true.query(transforms.apply(place.S, points[::8]))[0].mean()) / self.truth.s

    def shift(self, place: Placement) -> float:
        """Mean distance of each placed surface point to where it should be, over the size."""
        points = sample_surface(self.mesh, 500)[0]
        off = transforms.apply(place.S, points) - transforms.apply(self.truth.S, points)
        return float(np.linalg.norm(off, axis=1).mean()) / self.truth.s


def make(kind: str, *, depth: bool = True) -> Case:
    """The case of that name; "hidden" and "unmasked" stand behind a wall, "torn" has a hole in its mask."""
    mesh = MESHES.get(kind, bracket())
    truth = Placement(R=TURNED, s=0.9, t=np.array([-1.15 if kind == "cut" else 0.1, 0.05, 2.6]))
    wall = transforms.similarity(np.eye(3), [-0.63, 0.0, 1.8], [1.5, 1.5, 0.1])
    floor = transforms.similarity(TURNED, [0, 1.5, 4.0], [9.0, 0.1, 9.0])
    cube = box_mesh((1.0, 1.0, 1.0), (90, 90, 90))
    walled = kind in ("hidden", "unmasked")
    seen = render([mesh, cube, *[cube] * walled], [truth.S, floor, *[wall] * walled], CAMERA)
    labels = np.where(seen.index == 0, 1, 0).astype(np.uint16)
    items = [Instance(id=1, name="thing")]
    if kind == "hidden":
        labels[seen.index == 2] = 2
        items.append(Instance(id=2, name="wall"))
    if kind == "torn":
        rows, cols = np.nonzero(labels)
        labels[int(np.median(rows)) - 5 :, int(np.median(cols)) - 5 :][:13, :17] = 0
    instances = Instances(labels=labels, items=tuple(items))
    z = seen.depth if depth else np.full_like(seen.depth, np.nan)
    photo, point_map = Photo(rgb=seen.rgb), PointMap.from_depth(z, CAMERA.K)
    view = cut_views(photo, instances, point_map)[0]
    return Case(photo=photo, instances=instances, point_map=point_map, view=view, mesh=mesh, truth=truth)


def disturbed(truth: Placement, seed: int, *, share: float = 1.0) -> Placement:
    """Turned by 5 to 10 degrees, moved by 5 % of the size, and made larger or smaller by up to 5 %."""
    rng = np.random.default_rng(seed)
    turn = transforms.axis_angle(rng.standard_normal(3), share * np.radians(rng.uniform(5, 10)))
    shift = share * 0.05 * truth.s * transforms.unit(rng.standard_normal(3))
    return Placement(R=turn @ truth.R, s=truth.s * float(np.exp(share * rng.uniform(-0.05, 0.05))), t=truth.t + shift)


def turned_about(truth: Placement, axis: int, angle_deg: float) -> Placement:
    """The pose with the mesh turned about one of its own axes."""
    return replace(truth, R=truth.R @ transforms.axis_angle(np.eye(3)[axis], np.radians(angle_deg)))
