"""The frames in which PoseDiT works: one per object's observed cloud, one per scene (``scene``).

Both come from the observed points alone, in training as at inference; the paper only says that "all scenes are
normalized to a unified space" (SceneMaker, 3.3.1). They are robust, so that flying pixels and an object of wrong depth
move them little, and follow the cloud when it is shifted or scaled (as long as no least radius, below, is at work).

Object: along each axis of ``cam`` let q1 and q7 be the quantiles 1/8 and 7/8 of its points. Then

    centre = (q1 + q7) / 2,    radius = |q7 - q1| / (2 * 3/4),    but at least |centre| / 100,

so that evenly spread points fill the sphere about half the diagonal of their box, and up to one point in eight may lie
anywhere. The least radius is half a degree of view, about a pixel of a small training picture: it is what an object of
one point gets.

Scene: every object counts once, however many pixels it has. With medians over the objects of the scene,

    c = median centre (each axis),    k = median |centre - c| + median radius,

so that of one object ``scene`` is its own frame, and up to half of the objects may be wrong.
"""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.types import Layout, SceneFrame  # noqa: E402

TAIL = 1 / 8  # of the points on either side of each axis that do not count
LEAST = 0.01  # radius over distance from the camera


def object_frame(cloud_cam: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Centre (N, 3) and radius (N,) of clouds, in ``cam``.

    Args:
        cloud_cam: (N, P, 3); what stands behind the first ``count`` points of a row changes nothing.
        count: (N,) int64, at least 1.
    """
    behind = torch.arange(cloud_cam.shape[1], device=cloud_cam.device) >= count[:, None]  # (N, P)
    values = cloud_cam.masked_fill(behind[..., None], torch.inf).sort(1).values  # (N, P, 3)
    low, high = _quantile(values, count, TAIL), _quantile(values, count, 1 - TAIL)  # (N, 3)
    centre = (low + high) / 2  # (N, 3)
    radius = (high - low).norm(dim=-1) / (2 * (1 - 2 * TAIL))  # (N,)
    least = (LEAST * centre.norm(dim=-1)).clamp_min(1e-9)  # (N,)
    return centre, radius.maximum(least)


def scene_frame(layout: Layout, centre_cam: Tensor, radius_cam: Tensor, observed: Tensor | None = None) -> SceneFrame:
    """The frame of every scene from those of its objects.

    Args:
        layout: Which scene each object belongs to.
        centre_cam: (N, 3) as from ``object_frame``.
        radius_cam: (N,) as from ``object_frame``.
        observed: (N,) bool: those that count, unless a scene has none; all by default.
    """
    B = len(layout.counts)
    use = torch.ones_like(layout.scene, dtype=torch.bool) if observed is None else observed  # (N,)
    some = torch.bincount(layout.scene[use], minlength=B) > 0  # (B,)
    use = use | ~some[layout.scene]  # (N,)
    count = torch.bincount(layout.scene[use], minlength=B)  # (B,)

    def median(values: Tensor) -> Tensor:  # (N, d) -> (B, d)
        padded = values.new_full((B, max(layout.counts), values.shape[-1]), torch.inf)  # (B, n, d)
        padded[layout.scene, layout.index] = values.masked_fill(~use[:, None], torch.inf)
        return _quantile(padded.sort(1).values, count, 0.5)

    c = median(centre_cam)  # (B, 3)
    spread = (centre_cam - c[layout.scene]).norm(dim=-1, keepdim=True)  # (N, 1)
    return SceneFrame(k=(median(spread) + median(radius_cam[:, None]))[:, 0], c=c)


def _quantile(values: Tensor, count: Tensor, q: float) -> Tensor:
    """(N, d) quantile of the first ``count`` (N,) of ascending values (N, P, d), linear between neighbours."""
    place = q * (count - 1).to(values.dtype)  # (N,)
    below = place.floor().long()  # (N,)
    above = (below + 1).minimum(count - 1)  # (N,)
    row = torch.arange(len(values), device=values.device)
    return torch.lerp(values[row, below], values[row, above], (place - below)[:, None])  # (N, d)
