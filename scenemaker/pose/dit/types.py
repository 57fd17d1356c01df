"""What flows through PoseDiT: frozen dataclasses of torch tensors.

Order: ``SceneEvidence`` (NumPy, one photo) -> ``PoseInputs`` (many scenes) -> encoders -> ``Features`` -> conditions of
``PoseDiT`` -> standardised variables x (N, S, 10) -> ``Poses``.

Convention: the N objects of B scenes stand in one row, those of a scene side by side; nothing is padded. S is the
number of samples (or noise levels) per scene, which share its conditions. Frame ``scene``: p_cam = k p_scene + c.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TypeVar

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

EVIDENCE = 9  # numbers in ``PoseInputs.evidence``
CROP, PICTURE = 6, 5  # channels of ``PoseInputs.crop`` and ``picture``
VARIABLES = {"rotation": slice(0, 6), "translation": slice(6, 9), "size": slice(9, 10)}  # of x
DIM = 10

T = TypeVar("T", bound="_Movable")


class _Movable:
    def to(self: T, device: str | torch.device, dtype: torch.dtype | None = None) -> T:
        """On another device; floating-point fields also in another dtype."""
        new = {}
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, Tensor):
                new[f.name] = value.to(device, dtype if value.is_floating_point() else None)
            elif isinstance(value, _Movable):
                new[f.name] = value.to(device, dtype)
        return replace(self, **new)  # type: ignore[type-var]


@dataclass(frozen=True, eq=False)
class Layout(_Movable):
    """Which scene each of N objects belongs to.

    Attributes:
        scene: (N,) int64 in [0, B), ascending; every scene has at least one object.
    """

    scene: Tensor

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Objects of every scene, B numbers."""
        return tuple(torch.bincount(self.scene).tolist())

    @cached_property
    def index(self) -> Tensor:
        """(N,) number of every object in its own scene, from 0."""
        counts = torch.tensor(self.counts, device=self.scene.device)
        first = counts.cumsum(0) - counts
        return torch.arange(len(self.scene), device=self.scene.device) - first[self.scene]

    @cached_property
    def groups(self) -> tuple[Tensor, ...]:
        """Rows (B_n, n) of the objects of all scenes of n objects, for every n that occurs: batches without padding."""
        counts = torch.tensor(self.counts, device=self.scene.device)
        first = counts.cumsum(0) - counts
        return tuple(
            first[counts == n][:, None] + torch.arange(n, device=self.scene.device) for n in sorted(set(self.counts))
        )

    @classmethod
    def of(cls, counts: list[int] | tuple[int, ...], device: str | torch.device = "cpu") -> Layout:
        """The layout of scenes of so many objects each."""
        counts_t = torch.tensor(counts, device=device)
        return cls(torch.repeat_interleave(torch.arange(len(counts), device=device), counts_t))


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneFrame(_Movable):
    """p_cam = k p_scene + c, per scene; from the observed points alone (see ``frame.scene_frame``).

    Attributes:
        k: (B,) above 0, in units of ``cam``.
        c: (B, 3) in ``cam``.
    """

    k: Tensor
    c: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseInputs(_Movable):
    """B scenes of N objects in all, ready for the encoders; float32.

    Attributes:
        layout: Which scene each object belongs to.
        frame: Of every scene.
        cloud: (N, P, 3) observed points in the object's own units, (p_cam - centre_cam) / radius_cam, axes of ``cam``.
            What stands behind the first ``cloud_count`` of a row changes nothing.
        cloud_count: (N,) int64, at least 1.
        geometry: (N, Q, 6) points and unit normals of the complete shape in ``obj``.
        crop: (N, 6, S, S): rgb in [-1, 1] inside the own mask and 0 elsewhere (0 everywhere without colour), own mask,
            mask of what may hide it (nearer objects, outside of the picture), and (z - centre_z) / radius clipped to
            [-2, 2] on own pixels with depth, else 0. The square holds the mask's box and a margin of a tenth a side.
        picture: (B, 5, S, S), the whole picture made square by padding with zeros (not stretched): rgb in [-1, 1],
            mask of all objects, z in ``scene`` where known, else 0.
        picture_own: (N, S, S) own mask in the picture, in [0, 1].
        picture_xyz: (B, 3, S, S) points in ``scene``, NaN where unknown.
        scene_cloud: (B, M, 3) observed points of all objects in ``scene``.
        scene_owner: (B, M) int64, row in [0, N) of the object each belongs to.
        centre: (N, 3) centre of the observed cloud, in ``scene``: its rotary position.
        radius: (N,) of the observed cloud, in ``scene``.
        evidence: (N, 9): unit ray from the camera to the centre (3), log of radius (scene), the four sides of the
            picture (left, top, right, bottom) that cut it as 0 or 1, and 1 where no depth was observed.
        up: (B, 3) unit vector against gravity in ``cam``'s axes; zeros where unknown.
    """

    layout: Layout
    frame: SceneFrame
    cloud: Tensor
    cloud_count: Tensor
    geometry: Tensor
    crop: Tensor
    picture: Tensor
    picture_own: Tensor
    picture_xyz: Tensor
    scene_cloud: Tensor
    scene_owner: Tensor
    centre: Tensor
    radius: Tensor
    evidence: Tensor
    up: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Features(_Movable):
    """What the encoders make of ``PoseInputs``: all that PoseDiT sees. Cached where the encoders are frozen.

    Attributes:
        layout: Which scene each object belongs to.
        geometry: (N, G, c_g) latents of the complete shape.
        crop: (N, L_i, c_i).
        cloud: (N, L_p, c_p) patches of the object's cloud; cloud_xyz: (N, L_p, 3) their centres, in object units.
        picture: (B, L_i, c_i); picture_xyz: (B, L_i, 3) where each patch lies in ``scene`` (mean of its known points,
            else 0); picture_own: (N, L_i) share of the patch in the own mask.
        scene_cloud: (B, L_q, c_p); scene_xyz: (B, L_q, 3) in ``scene``; scene_owner: (B, L_q) row of the object.
        centre, radius, evidence, up: As in ``PoseInputs``.
    """

    layout: Layout
    geometry: Tensor
    crop: Tensor
    cloud: Tensor
    cloud_xyz: Tensor
    picture: Tensor
    picture_xyz: Tensor
    picture_own: Tensor
    scene_cloud: Tensor
    scene_xyz: Tensor
    scene_owner: Tensor
    centre: Tensor
    radius: Tensor
    evidence: Tensor
    up: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Poses(_Movable):
    """Rotation, translation and uniform scale in ``scene`` (its axes are those of ``cam``): p_scene = R (s p_obj) + t.

    Attributes:
        R: (N, ..., 3, 3).
        t: (N, ..., 3).
        s: (N, ...), longest side of the object.
    """

    R: Tensor
    t: Tensor
    s: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseBatch(_Movable):
    """What training sees.

    Attributes:
        inputs: Of B scenes.
        target: Of their N objects.
        symmetries: Rotations (N, G, 3, 3) of ``obj`` under which each looks the same, the identity first and filled up
            with it; axis: (N, 3) of a solid of revolution, zeros where it is none; pivot: (N, 3) in ``obj``, the point
            that all of them turn about.
        visible_fraction: (N,), NaN where unknown.
    """

    inputs: PoseInputs
    target: Poses
    symmetries: Tensor
    axis: Tensor
    pivot: Tensor
    visible_fraction: Tensor

    def __len__(self) -> int:
        """Scenes."""
        return len(self.inputs.layout.counts)
