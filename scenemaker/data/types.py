"""What flows through the data engine: frozen dataclasses of NumPy arrays, and one Protocol per part.

Order: ``ObjectSource`` -> ``DataObject`` -> ``Layout`` -> ``Arrangement`` -> ``World`` -> ``Renderer`` -> ``View`` ->
``SceneSample``. Only ``SceneSample`` leaves the engine: every reader and every data set gives it.

Convention: ``world`` is y up; where there is a ground it is the plane y = 0. An object stands at
p_world = R_world_obj (s p_obj) + t_world_obj with its mesh in ``obj`` (y up, centred on its box, longest side 1).
All randomness comes from the ``numpy.random.Generator`` that a function is given: equal state, equal bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import ShapeError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import F32, U8, Bool, ScaleKind

GROUND, NOTHING = -1, -2  # what an object may rest on beside another object


def rng_for(seed: int, index: int, purpose: str) -> np.random.Generator:
    """The generator of one purpose ("layout", "light", ...) of scene ``index``: no other draw can shift it."""
    return np.random.default_rng([seed, index, zlib.crc32(purpose.encode())])


@dataclass(frozen=True, eq=False, kw_only=True)
class DataObject:
    """One object that may be put into scenes.

    Attributes:
        key: Unique in its source, and enough for the source to give the object again: "chair_01", "table/42".
        mesh: In ``obj``.
        label: What it is, when known.
        source: Name of its source.
        notices: What was done to it on reading.
    """

    key: str
    mesh: Mesh
    label: str | None = None
    source: str = "folder"
    notices: tuple[str, ...] = ()


class ObjectSource(Protocol):
    """Where objects come from. Unusable ones were counted and listed when it was opened; it never gives them."""

    name: str

    def draw(self, rng: np.random.Generator) -> str:
        """The key of a random object."""
        ...

    def get(self, key: str) -> DataObject:
        """The object of a key; equal keys give equal bytes.

        Raises:
            InputError: No such object, or its file cannot be read any more; the text names it.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Arrangement:
    """Where the n objects of a scene stand in ``world``.

    Attributes:
        objects: The n objects.
        R_world_obj: (n, 3, 3).
        t_world_obj: (n, 3).
        scale: (n,) uniform, so that the longest side of object i is scale[i].
        support: What each rests on: the index of another object, ``GROUND`` or ``NOTHING``.
        layout: Name of the layout that made it.
        tries: Candidate places that were tried, accepted ones included.
    """

    objects: tuple[DataObject, ...]
    R_world_obj: F64
    t_world_obj: F64
    scale: F64
    support: tuple[int, ...]
    layout: str
    tries: int = 0

    def __post_init__(self) -> None:
        n = len(self.objects)
        for name, shape in (("R_world_obj", (n, 3, 3)), ("t_world_obj", (n, 3)), ("scale", (n,)), ("support", (n,))):
            got = np.shape(getattr(self, name))
            if got != shape:
                raise ShapeError(expected(f"{name} of shape {shape}", got=got, remedy="give one row per object"))

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def S_world_obj(self) -> F64:
        """(n, 4, 4) similarities that place the meshes."""
        return np.stack(
            [
                transforms.similarity(R, t, s)
                for R, t, s in zip(self.R_world_obj, self.t_world_obj, self.scale, strict=True)
            ]
        )

    @cached_property
    def boxes_world(self) -> F64:
        """(n, 2, 3) lowest and highest corner of every placed mesh, along the axes of ``world``; exact."""
        boxes = np.empty((len(self), 2, 3))
        for i, o in enumerate(self.objects):
            placed = self.scale[i] * (o.mesh.vertices @ self.R_world_obj[i].T) + self.t_world_obj[i]
            boxes[i] = placed.min(0), placed.max(0)
        return boxes

    @property
    def size(self) -> float:
        """Longest side of the box of the whole scene."""
        return float((self.boxes_world[:, 1].max(0) - self.boxes_world[:, 0].min(0)).max())


class Layout(Protocol):
    """Arranges objects. ``count`` is the least and greatest number that it is given."""

    name: str
    count: tuple[int, int]

    def arrange(self, objects: Sequence[DataObject], rng: np.random.Generator) -> Arrangement:
        """Places every object.

        Raises:
            PlacementError: No place was found for one of them; the caller draws others.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Finish:
    """How a surface takes the light, as in glTF: roughness and metallic in [0, 1]."""

    roughness: float = 0.8
    metallic: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Light:
    """A lamp beside the environment.

    Attributes:
        direction_world: (3,) unit vector from the origin of ``world`` towards the lamp.
        irradiance: (3,) linear RGB that arrives at the origin on a surface facing the lamp.
        distance: Of an area lamp from the origin (a square that faces the origin); None is a sun, at infinity.
        size: Side of the square, or the angular diameter of the sun in radians: how soft the shadows are.
    """

    direction_world: F64
    irradiance: F64
    distance: float | None = None
    size: float = 0.01


@dataclass(frozen=True, eq=False, kw_only=True)
class Environment:
    """Light from all around, and what is seen behind everything.

    Attributes:
        radiance: (h, w, 3) float32 linear RGB, equirectangular: row 0 is straight up; the direction d in ``world`` has
            column w (atan2(d_x, -d_z) / 2 pi + 1/2) and row h arccos(d_y) / pi. One column makes it a gradient.
    """

    radiance: F32


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """The plane y = 0.

    Attributes:
        texture: (h, w, 3) uint8 sRGB, repeated: pixel column x = w (x_world / tile), row y = h (z_world / tile).
        tile: Side of one repetition, in units of ``world``.
        radius: The ground is the disc of this radius about the origin; beyond it the environment is seen.
        finish: How it takes the light.
    """

    texture: U8
    tile: float
    radius: float
    finish: Finish = field(default_factory=Finish)


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """Everything a renderer needs to know but the camera.

    Attributes:
        meshes: Of the n objects, in ``obj``.
        S_world_obj: (n, 4, 4).
        finishes: One per object.
        environment, lights, ground: The surroundings; no ground means floating objects.
        exposure: Factor of the light in the picture; None lets the renderer find it, as a camera does.
    """

    meshes: tuple[Mesh, ...]
    S_world_obj: F64
    finishes: tuple[Finish, ...]
    environment: Environment
    lights: tuple[Light, ...] = ()
    ground: Ground | None = None
    exposure: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """One picture of a world with its ground truth, exact at the pixel centres.

    Attributes:
        camera: K, size and T_cam_world.
        rgb: (H, W, 3) uint8 sRGB.
        labels: (H, W) uint16, i + 1 where object i is seen, 0 where ground or environment.
        depth: (H, W) float32, z; NaN where only the environment is seen.
        normals_cam: (H, W, 3) float32 unit geometric normals turned towards the camera; NaN as depth.
        amodal: (n, H, W) bool, each object as if it were alone.
        in_frame: (n,) share of the object's surface points that project into the picture; 1 is not cut.
        exposure: Factor of the light that the picture was taken with: another ``World`` may ask for the same.
    """

    camera: Camera
    rgb: U8
    labels: NDArray[np.uint16]
    depth: F32
    normals_cam: F32
    amodal: Bool
    in_frame: F64
    exposure: float = 1.0

    @cached_property
    def visible_fraction(self) -> F64:
        """(n,) visible pixels over pixels of the whole object inside the picture; 0 for an object that is outside."""
        n = len(self.amodal)
        modal = np.bincount(self.labels.ravel(), minlength=n + 1)[1 : n + 1]
        whole = self.amodal.reshape(n, -1).sum(1)
        return modal / np.maximum(whole, 1)


class Renderer(Protocol):
    """Takes pictures of a world. All renderers see the same camera and give the same ground truth."""

    name: str

    def render(self, world: World, cameras: Sequence[Camera]) -> list[View]:
        """One view per camera."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneSample:
    """One view of a scene with everything known: what every data set of the engine gives, ours or public.

    Attributes:
        key: Unique in its data set.
        source: Name of the data set or recipe.
        camera: K, size and T_cam_world.
        rgb: (H, W, 3) uint8 sRGB.
        labels: (H, W) uint16, i + 1 where object i is seen.
        depth: (H, W) float32, z; NaN where unknown.
        names: Of the n objects.
        R_cam_obj: (n, 3, 3).
        t_cam_obj: (n, 3).
        size: (n, 3) full extents of the placed box along the ``obj`` axes.
        scale: (n,) uniform scale; NaN where the scale is per axis (then from ``size``).
        points_obj: (n, P, 6) float32 complete surface points and unit normals in ``obj``; P may be 0.
        object_labels: What each object is, when known.
        up_cam: (3,) against gravity, or None.
        amodal: (n, H, W) bool, or None when the data set has none.
        normals_cam: (H, W, 3) float32, or None.
        visible_fraction: (n,) as in ``View``; NaN where unknown.
        depth_scale: "metric" or "relative".
        info: What else is known (layout, elevation, seeds); JSON only.
    """

    key: str
    source: str
    camera: Camera
    rgb: U8
    labels: NDArray[np.uint16]
    depth: F32
    names: tuple[str, ...]
    R_cam_obj: F64
    t_cam_obj: F64
    size: F64
    scale: F64
    points_obj: F32
    object_labels: tuple[str | None, ...] = ()
    up_cam: F64 | None = None
    amodal: Bool | None = None
    normals_cam: F32 | None = None
    visible_fraction: F64 = field(default_factory=lambda: np.zeros(0))
    depth_scale: ScaleKind = "relative"
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, (h, w) = len(self.names), self.rgb.shape[:2]
        shapes = {
            "labels": (h, w),
            "depth": (h, w),
            "R_cam_obj": (n, 3, 3),
            "t_cam_obj": (n, 3),
            "size": (n, 3),
            "scale": (n,),
            **({} if self.amodal is None else {"amodal": (n, h, w)}),
            **({} if self.normals_cam is None else {"normals_cam": (h, w, 3)}),
        }
        for name, shape in shapes.items():
            got = np.shape(getattr(self, name))
            if got != shape:
                raise ShapeError(expected(f"{name} of shape {shape}", got=got, remedy=f"check sample {self.key}"))
        got = np.shape(self.points_obj)
        if len(got) != 3 or got[0] != n or got[2] != 6:
            raise ShapeError(expected(f"points_obj of shape ({n}, P, 6)", got=got, remedy=f"check sample {self.key}"))
        if len(self.visible_fraction) != n:
            object.__setattr__(self, "visible_fraction", np.full(n, np.nan))
        if len(self.object_labels) != n:
            object.__setattr__(self, "object_labels", (None,) * n)

    def __len__(self) -> int:
        return len(self.names)
