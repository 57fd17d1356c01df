"""What the released model is given of N objects in B scenes, and its poses as numbers.

Convention: ``net`` is the frame of the network: axes x left, y up, z forward (those of ``cam`` with x and y negated),
normalised. With D = diag(-1, -1, 1): p_cam = k D p_net + c, so that it is the house's ``scene`` with its axes turned.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.types import VARIABLES, Layout, Poses, SceneFrame, _Movable  # noqa: E402
from scenemaker.pose.dit.variables import R_from_rot6d, rot6d_from_R  # noqa: E402

LEAST_SIZE = 1e-3  # of a decoded object, in `net`


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleasedInputs(_Movable):
    """N usable objects of B scenes; float32.

    Attributes:
        layout: Which scene each object belongs to.
        slot: (N,) int64 its place in the list of its scene, in which unusable objects are counted too.
        surface: (N, Q, 6) points in [-1, 1]^3 and unit normals of the complete shape, in axes of ``obj``.
        crop: (N, 3, S, S) RGB in [0, 1] around the own pixels, white elsewhere.
        picture: (B, 3, S, S) RGB in [0, 1], stretched to a square.
        own: (N, S, S) 1 on the own pixels of ``picture``, else 0.
        cloud: (N, P, 3) observed points about the centre of their box, over their reach in x and y, times 0.95.
        scene_cloud: (N, P, 3) the same points in ``net`` (quirk ``shrunk-cloud``).
        centre: (N, 3) of the cloud, in ``net``.
        reach: (N, 1) half the extent of the cloud in x and y, in ``net`` (quirk ``half-and-full``).
        frame: Of every scene.
        level: (B, 3, 3) rotation from ``net`` to where the weights put their answer: the identity, or that which
            levels gravity (quirk ``levelled-targets``).
    """

    layout: Layout
    slot: Tensor
    surface: Tensor
    crop: Tensor
    picture: Tensor
    own: Tensor
    cloud: Tensor
    scene_cloud: Tensor
    centre: Tensor
    reach: Tensor
    frame: SceneFrame
    level: Tensor

    def __len__(self) -> int:
        """Scenes."""
        return len(self.layout.counts)


def decode(x: Tensor, inputs: ReleasedInputs) -> Poses:
    """Poses in ``cam`` (R (N, 3, 3), t (N, 3), s (N,)) of the ten numbers x (N, 10)."""
    scene, D = inputs.layout.scene, _axes(x)
    back = inputs.level.to(x)[scene].mT  # (N, 3, 3)
    R = back @ R_from_rot6d(x[:, VARIABLES["rotation"]]).mT  # (N, 3, 3): quirk `rows`
    t = (back @ x[:, VARIABLES["translation"], None])[..., 0]  # (N, 3)
    k, c = inputs.frame.k.to(x)[scene], inputs.frame.c.to(x)[scene]  # (N,), (N, 3)
    size = (x[:, VARIABLES["size"].start] + 1).clamp_min(LEAST_SIZE)  # (N,) longest side: quirk `half-and-full`
    return Poses(R=D[:, None] * R, t=k[:, None] * D * t + c, s=k * size)


def encode(poses: Poses, inputs: ReleasedInputs) -> Tensor:
    """The ten numbers (N, 10) of poses in ``cam``: what ``decode`` takes."""
    scene, D = inputs.layout.scene, _axes(poses.t)
    level = inputs.level.to(poses.t)[scene]  # (N, 3, 3)
    k, c = inputs.frame.k.to(poses.t)[scene], inputs.frame.c.to(poses.t)[scene]  # (N,), (N, 3)
    R = level @ (D[:, None] * poses.R)  # (N, 3, 3)
    t = (level @ (D * (poses.t - c) / k[:, None])[..., None])[..., 0]  # (N, 3)
    return torch.cat([rot6d_from_R(R.mT), t, (poses.s / k)[:, None] - 1], -1)  # (N, 10)


def levelling(up: Tensor) -> Tensor:
    """(B, 3, 3) rotations from ``net`` that turn up (B, 3) of ``cam`` to y and keep the heading; 1 where up is zero.

    The reference takes the heading from the camera's rotation in the world, which a photo does not tell, by a formula
    that is exact for a level camera; for one that is pitched by 20 degrees the two differ by up to 1.8 degrees.
    """
    y = torch.nn.functional.normalize(_axes(up) * up, dim=-1)  # (B, 3)
    forward = up.new_tensor([0.0, 0.0, 1.0]).expand_as(y)  # (B, 3)
    z = forward - (forward * y).sum(-1, keepdim=True) * y  # (B, 3)
    steep = z.norm(dim=-1, keepdim=True) < 1e-6  # straight down or up there is no heading
    z = torch.nn.functional.normalize(torch.where(steep, torch.linalg.cross(_x(y), y), z), dim=-1)  # (B, 3)
    level = torch.stack([torch.linalg.cross(y, z), y, z], -2)  # (B, 3, 3)
    unknown = up.norm(dim=-1)[:, None, None] == 0
    return torch.where(unknown, torch.eye(3, dtype=up.dtype, device=up.device), level)


def _x(like: Tensor) -> Tensor:
    return like.new_tensor([1.0, 0.0, 0.0]).expand_as(like)


def _axes(like: Tensor) -> Tensor:
    """D (3,), the axes of ``net`` in those of ``cam``."""
    return like.new_tensor([-1.0, -1.0, 1.0])
