"""What flows between stages: frozen dataclasses of NumPy arrays.

Order of a run: ``Photo`` + ``Prompts`` -> ``Instances`` -> ``PointMap`` -> ``ObjectView`` (cut, then completed)
-> ``ObjectGeometry`` -> ``ObjectPose`` -> ``PlacedObject`` in a ``Scene`` (``scenemaker.editable``).
Images are uint8 sRGB (H, W, 3), masks bool (H, W), geometry float32; frames are those of ``docs/conventions.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import ShapeError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, unproject
from scenemaker.geometry.mesh import Mesh

U8, F32, Bool = NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]
ScaleKind = Literal["metric", "relative"]
Status = Literal["ok", "flagged", "skipped"]
Side = Literal["left", "top", "right", "bottom"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Photo:
    """One picture, upright and in sRGB.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB, EXIF orientation and ICC profile already applied.
        K: (3, 3) intrinsics in pixels when the file tells its focal length or the user gave them, else None.
        name: For people; never used as a path.
        notices: What the user should know about how it was read (resized, alpha put on white, no sRGB profile).
        source_px: (width, height) of the upright picture as the user gave it, in whose pixels the user's own boxes
            and points are, when it was made smaller; else None. See ``inputs.in_photo_pixels``.
    """

    rgb: U8
    K: F64 | None = None
    name: str = "photo"
    notices: tuple[str, ...] = ()
    source_px: tuple[int, int] | None = None

    @property
    def height(self) -> int:
        return self.rgb.shape[0]

    @property
    def width(self) -> int:
        return self.rgb.shape[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Prompts:
    """What the user says about the objects; all of it optional.

    Attributes:
        masks: A file or folder of masks (see the backend ``masks``), a label image (H, W), or a stack (n, H, W).
        boxes_px: (x0, y0, x1, y1) per object, in photo pixels.
        points_px: (x, y) per object, in photo pixels.
        text: Phrases, for a segmenter that reads them.
    """

    masks: Path | NDArray[np.generic] | None = None
    boxes_px: tuple[tuple[float, float, float, float], ...] = ()
    points_px: tuple[tuple[float, float], ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthPrompt:
    """What the user knows of the geometry; all of it optional.

    Attributes:
        depth: A file (see the backend ``file``) or an array (H, W) of z.
        points_cam: (H, W, 3) own point map, NaN or inf where invalid.
        K: (3, 3) intrinsics in pixels of the photo.
        scale_kind: Whether depth or points are in metres.
    """

    depth: Path | NDArray[np.generic] | None = None
    points_cam: NDArray[np.floating] | None = None
    K: F64 | None = None
    scale_kind: ScaleKind | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Instance:
    """Name tag of one object. ``id`` is the pixel value in the label image, from 1."""

    id: int
    name: str
    label: str | None = None
    score: float = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Instances:
    """Which pixel belongs to which object: disjoint visible masks.

    Attributes:
        labels: (H, W) uint16, 0 background, else the ``id`` of an instance.
        items: One tag per object, ordered by id.
        notices: What the user should know about how the masks were read (resized, split, dropped).
    """

    labels: NDArray[np.uint16]
    items: tuple[Instance, ...]
    notices: tuple[str, ...] = ()

    def mask(self, id: int) -> Bool:
        """(H, W) bool, the visible pixels of one object (``mask_modal``)."""
        return self.labels == id

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.items)


@dataclass(frozen=True, eq=False, kw_only=True)
class PointMap:
    """Per-pixel 3D points of the photo in ``cam``.

    Attributes:
        points_cam: (H, W, 3) float32, NaN where invalid.
        K: (3, 3) intrinsics in pixels.
        scale_kind: "metric" (metres) or "relative".
        up_cam: (3,) unit vector against gravity, or None when unknown.
        ground_cam: (4,) plane (n, d) with n = up and n . p + d = 0 on the ground, or None when unknown.
        notices: What the user should know (assumed field of view, tilt not found, holes filled).
    """

    points_cam: F32
    K: F64
    scale_kind: ScaleKind = "relative"
    up_cam: F64 | None = None
    ground_cam: F64 | None = None
    notices: tuple[str, ...] = ()

    @property
    def depth(self) -> F32:
        """(H, W) float32 z, NaN where invalid."""
        return self.points_cam[..., 2]

    @property
    def valid(self) -> Bool:
        """(H, W) bool."""
        return np.asarray(np.isfinite(self.points_cam).all(-1))

    @classmethod
    def from_depth(cls, depth: NDArray[np.floating], K: F64, **rest: object) -> PointMap:
        """A point map from z (H, W); values that are not finite or not positive become invalid."""
        z = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)
        return cls(points_cam=unproject(K, z).astype(np.float32), K=K, **rest)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectView:
    """One object cut out of the photo; the camera centre and axes are the photo's, only K differs.

    Convention: crop pixel (u, v) shows photo pixel (x0 + u / scale, y0 + v / scale). The crop may reach beyond the
    photo, so that an object cut by the border has room to be completed.

    Attributes:
        id: Of the object.
        rgba: (h, w, 4) uint8, straight alpha. Before de-occlusion alpha is ``mask_modal``, after it ``mask_amodal``.
        mask_modal: (h, w) bool, what the photo shows of it.
        mask_hidden: (h, w) bool, where it may continue unseen: nearer objects, and outside of the photo.
        origin_px: (x0, y0) of the crop's top-left corner in photo pixels.
        scale: Crop pixels per photo pixel.
        K_photo: (3, 3) of the photo.
        points_cam: (h, w, 3) float32 observed points, NaN outside ``mask_modal`` or where invalid.
        up_cam, ground_cam: As in ``PointMap``.
        cut_by: Ids of the objects that hide part of it.
        cut_sides: Sides of the photo that cut it.
        completed: A de-occluder added pixels to it.
        label: What it is, when known.
    """

    id: int
    rgba: U8
    mask_modal: Bool
    mask_hidden: Bool
    origin_px: tuple[float, float]
    scale: float
    K_photo: F64
    points_cam: F32
    up_cam: F64 | None = None
    ground_cam: F64 | None = None
    cut_by: tuple[int, ...] = ()
    cut_sides: tuple[Side, ...] = ()
    completed: bool = False
    label: str | None = None

    def __post_init__(self) -> None:
        shape = self.rgba.shape[:2]
        for name in ("mask_modal", "mask_hidden", "points_cam"):
            got = getattr(self, name).shape[:2]
            if got != shape:
                raise ShapeError(expected(f"{name} of {shape}", got=got, remedy="give every map the size of rgba"))

    @property
    def mask_amodal(self) -> Bool:
        """(h, w) bool, the whole object as far as it is known."""
        return self.rgba[..., 3] > 127

    @property
    def K(self) -> F64:
        """(3, 3) intrinsics of the crop, in crop pixels."""
        (x0, y0), s = self.origin_px, self.scale
        return np.array([[s, 0, -s * x0], [0, s, -s * y0], [0, 0, 1.0]]) @ self.K_photo

    @property
    def camera(self) -> Camera:
        """The camera that took this crop, standing at the origin of ``cam``."""
        return Camera(K=self.K, width=self.rgba.shape[1], height=self.rgba.shape[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectGeometry:
    """The complete shape of one object in ``obj`` (y up, centred on its box, longest side 1).

    Attributes:
        id: Of the object.
        mesh: In ``obj``.
        R_cam_obj: (3, 3) when the generator worked in the view's frame and so knows the rotation; else None.
        S_obj_mesh: (4, 4) that took a user's own file to ``obj``; None for generated meshes.
        notices: What the user should know (flat, repaired, hull).
    """

    id: int
    mesh: Mesh
    R_cam_obj: F64 | None = None
    S_obj_mesh: F64 | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectPose:
    """Where one object stands: p_cam = R_cam_obj (s p_obj) + t_cam_obj.

    Attributes:
        id: Of the object.
        R_cam_obj: (3, 3).
        t_cam_obj: (3,) in ``cam``, in the units of the point map.
        size: (3,) full extents of the placed box along the ``obj`` axes.
        scale: Uniform s, or None when the scale is per axis (then from ``size``).
        status: "flagged" when the estimator does not trust it.
        notices: Why it is flagged, how it was found.
    """

    id: int
    R_cam_obj: F64
    t_cam_obj: F64
    size: F64
    scale: float | None
    status: Status = "ok"
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "R_cam_obj", transforms.check_R(self.R_cam_obj, "R_cam_obj"))
        object.__setattr__(self, "t_cam_obj", np.asarray(self.t_cam_obj, np.float64))
        object.__setattr__(self, "size", np.asarray(self.size, np.float64))

    def S_cam_obj(self, extents_obj: F64) -> F64:
        """(4, 4) that places the canonical mesh of the given extents (3,)."""
        per_axis = self.size / np.maximum(extents_obj, 1e-9)
        return transforms.similarity(self.R_cam_obj, self.t_cam_obj, per_axis if self.scale is None else self.scale)

    def scaled(self, k: float) -> ObjectPose:
        """The pose when the whole scene is scaled by k about the camera."""
        return replace(
            self,
            t_cam_obj=self.t_cam_obj * k,
            size=self.size * k,
            scale=None if self.scale is None else self.scale * k,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectFailure:
    """One object that a stage could not do; the others are unharmed."""

    id: int
    error: str


@dataclass(frozen=True, eq=False, kw_only=True)
class PlacedObject:
    """One object of a scene: its name, its mesh in ``obj``, and where it stands (None when skipped)."""

    id: int
    name: str
    mesh: Mesh | None
    pose: ObjectPose | None
    label: str | None = None
    status: Status = "ok"
    S_obj_mesh: F64 | None = None
    notices: tuple[str, ...] = ()

    @property
    def S_cam_obj(self) -> F64:
        """(4, 4) that places the mesh in ``cam``."""
        if self.mesh is None or self.pose is None:
            raise ShapeError(expected(f"object {self.id} to be placed", got=self.status, remedy="see its notices"))
        return self.pose.S_cam_obj(self.mesh.extents)

    @property
    def S_cam_mesh(self) -> F64:
        """(4, 4) that places the user's own mesh, as it came, in ``cam``; of a mesh made here it is ``S_cam_obj``."""
        return self.S_cam_obj if self.S_obj_mesh is None else self.S_cam_obj @ self.S_obj_mesh


class HasId(Protocol):
    """Anything that belongs to one object."""

    @property
    def id(self) -> int: ...


T = TypeVar("T", bound=HasId)


def by_id(items: Sequence[T]) -> dict[int, T]:
    """The items in a dict, keyed by object id."""
    return {item.id: item for item in items}
