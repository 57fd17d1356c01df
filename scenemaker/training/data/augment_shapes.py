"""Shapes made worse, for generated geometry is never exact; and frames of shapes turned, for theirs is arbitrary.

What the target is: f takes the points p of the true shape to those of the imperfect one, in the frame of the true one.
It is freed of any similarity first: of all similar copies of the imperfect shape it leaves the one whose points lie
nearest to the true ones (least squares, point by point). So the imperfect shape stands where it coincides best when the
true pose (R, t, s) places it. Then its frame is made canonical: turned by Q, box at 0, longest side 1,

    p' = (Q f(p) - c) / L,    R' = R Q^T,    s' = s L,    t' = t + s R Q^T c,

so that R' s' p' + t' = R s f(p) + t exactly.

Symmetries are those of the true shape T, in the new frame, however imperfect the given one is: for g T = T the
placements by R and by R g are equally far from T, |g f(T) - T| = |g f(T) - g T| = |f(T) - T|, and f does not know R.
Only a relief knows: it is made of the side that the camera sees, and has no symmetry left.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pydantic import BaseModel, Field

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

from scenemaker.training.data.chance import Chance  # noqa: E402
from scenemaker.training.data.deform import clustered, stretched, warped, without_similarity  # noqa: E402
from scenemaker.training.data.missing import relief, without_parts  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402
from scenemaker.training.data.symmetries import turned  # noqa: E402

SLACK = 0.01  # points of a surface span up to so much less than the box of its mesh


class ShapeAugment(BaseModel, frozen=True, extra="forbid"):
    """How shapes are made worse: shares of objects, and amounts in longest sides of them."""

    turn: float = Field(default=0.5, ge=0, le=1, description="Share with a frame of any rotation; others about y.")
    exact: float = Field(default=0.3, ge=0, le=1, description="Share of objects whose shape stays as it is.")
    stretch: float = Field(default=0.1, ge=0, lt=1, description="Anisotropy: each axis by up to this, 0.1 is 10 %.")
    warp: float = Field(default=0.03, ge=0, description="Of low frequency: its greatest root mean square.")
    coarse: float = Field(default=0.3, ge=0, le=1, description="Share drawn together as by decimation.")
    jitter: float = Field(default=0.005, ge=0, description="Greatest standard deviation of noise of points.")
    missing: float = Field(default=0.2, ge=0, le=1, description="Share that lacks parts.")
    lost: float = Field(default=0.4, gt=0, lt=1, description="Greatest share of points that is missing then.")
    relief: float = Field(default=0.15, ge=0, le=1, description="Share known from the picture's side only.")

    @classmethod
    def none(cls) -> ShapeAugment:
        """Exact shapes in the frame in which they were made."""
        return cls(exact=1.0, turn=0.0, stretch=0, warp=0, coarse=0, jitter=0, missing=0, relief=0)

    @property
    def nothing(self) -> bool:
        """Shapes and frames stay as they are."""
        return self == ShapeAugment.none()


def worse_shapes(posed: Posed, config: ShapeAugment, chance: Chance) -> Posed:
    """Scenes with worse shapes in other frames, and poses that place these where they coincide best with the true."""
    if config.nothing:
        return posed
    N, geometry = len(posed.t), posed.pictures.geometry
    worse = ~chance.yes(config.exact, N)  # (N,)
    bent = worse.nonzero()[:, 0]  # (n,)
    if len(bent):
        geometry = geometry.index_copy(0, bent, _bent(geometry[bent], config, chance))
    flat = worse & chance.yes(config.relief, N)  # (N,)
    rows = flat.nonzero()[:, 0]
    if len(rows):
        view = normalize((posed.R.mT @ posed.t[..., None])[..., 0], dim=-1)  # (N, 3) from the camera, in `obj`
        geometry = geometry.index_copy(0, rows, relief(geometry[rows], view[rows], chance))
    one = torch.eye(3, device=flat.device).expand_as(posed.symmetries)
    return reframed(
        replace(
            posed,
            pictures=replace(posed.pictures, geometry=geometry),
            symmetries=torch.where(flat[:, None, None, None], one, posed.symmetries),
            axis=torch.where(flat[:, None], 0.0, posed.axis),
        ),
        _turns(N, config.turn, chance),
        1 + SLACK * chance.uniform(0, 1, N),
    )


def _bent(geometry: Tensor, config: ShapeAugment, chance: Chance) -> Tensor:
    """(n, Q, 6) f(p) and its normals."""
    n, true = len(geometry), geometry[..., :3]
    geometry = stretched(geometry, torch.exp(math.log1p(config.stretch) * chance.uniform(-1, 1, n, 3)))
    geometry = warped(geometry, config.warp * chance.uniform(0, 1, n), chance)
    geometry = without_similarity(geometry, true)
    rows = chance.yes(config.coarse, n).nonzero()[:, 0]
    if len(rows):
        geometry = geometry.index_copy(0, rows, clustered(geometry[rows], chance))
    noise = (config.jitter * chance.uniform(0, 1, n))[:, None, None] * chance.normal(*true.shape)  # (n, Q, 3)
    geometry = torch.cat([geometry[..., :3] + noise, geometry[..., 3:]], -1)
    rows = chance.yes(config.missing, n).nonzero()[:, 0]
    if len(rows):
        geometry = geometry.index_copy(0, rows, without_parts(geometry[rows], config.lost, chance))
    return geometry


def reframed(posed: Posed, Q: Tensor, slack: Tensor) -> Posed:
    """The same placed shapes in canonical frames turned by Q (N, 3, 3); longest sides are 1 / ``slack`` (N,)."""
    geometry = posed.pictures.geometry
    p = geometry[..., :3] @ Q.mT  # (N, Q, 3)
    low, high = p.amin(1), p.amax(1)  # (N, 3)
    c, L = (low + high) / 2, (high - low).amax(-1) * slack  # (N, 3), (N,)
    symmetries, axis = turned(posed.symmetries, posed.axis, Q)
    R = posed.R @ Q.mT  # (N, 3, 3)
    p = (p - c[:, None]) / L[:, None, None]
    return replace(
        posed,
        pictures=replace(posed.pictures, geometry=torch.cat([p, geometry[..., 3:] @ Q.mT], -1)),
        R=R,
        t=posed.t + posed.s[:, None] * (R @ c[..., None])[..., 0],
        s=posed.s * L,
        symmetries=symmetries,
        axis=axis,
        pivot=((Q @ posed.pivot[..., None])[..., 0] - c) / L[:, None],
    )


def _turns(N: int, share: float, chance: Chance) -> Tensor:
    """(N, 3, 3) any rotation for a share, turns about y for the others: which way is front means nothing anyway."""
    angle = chance.uniform(0, 2 * torch.pi, N)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    about_y = torch.stack([cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos], -1).view(N, 3, 3)
    return torch.where(chance.yes(share, N)[:, None, None], chance.rotations(N), about_y)
