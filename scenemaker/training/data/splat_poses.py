"""Scenes of point splats as training batches: no files, no renderer, no colour.

Every batch of so many scenes has the same numbers of objects, only which scene has how many differs: shapes stay the
same from step to step, so that ``torch.compile`` compiles once.

A scene in which an object shows fewer than ``LEAST_PX`` pixels (nobody would ask for its pose) is replaced by another
scene of the same batch with as many objects; noise, cuts and shapes of the two differ afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.data.render.splats import SplatBatch, SplatConfig, SplatSource  # noqa: E402
from scenemaker.errors import PlacementError, expected  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.pictures import PosePictures  # noqa: E402
from scenemaker.pose.dit.types import Layout, PoseBatch  # noqa: E402
from scenemaker.training.data.augment import Augment, batch_of  # noqa: E402
from scenemaker.training.data.bank import ObjectBank  # noqa: E402
from scenemaker.training.data.chance import Chance, in_epochs, seed_of  # noqa: E402
from scenemaker.training.data.posed import LEAST_PX, Posed, rays  # noqa: E402

TRIES = 20  # batches that are drawn when all scenes of some number of objects are bad
FAR = 3.0  # of the farthest object's depth: how far the ground is seen
POSE_SPLATS = SplatConfig(width=112, height=84, points=1536, observed=0, centred=True, tilted=0.3, stacked=0.1)


class SplatPoses:
    """Batches of scenes of splats: a pure function of seed, rank and step on one kind of device."""

    def __init__(
        self,
        bank: ObjectBank,
        splats: SplatConfig = POSE_SPLATS,
        config: PoseModelConfig | None = None,
        augment: Augment | None = None,
        *,
        seed: int = 0,
        rank: int = 0,
        ground: float = 0.7,
        widths: Sequence[int] = (),
        device: str | torch.device = "cpu",
    ) -> None:
        """Moves the bank to the device.

        Args:
            bank: Objects; the first ``splats.points`` points are splatted, the last ones are the given shapes, and all
                but these make complete clouds. With as many points as both need (``splats.points`` and
                ``config.geometry.points``) no point is splatted and given as well. With fewer some are, and with no
                more than ``config.geometry.points`` complete clouds are made of given points too.
            splats: What scenes look like.
            config: Of the model; it decides the sizes of the inputs and how many points shapes have.
            augment: What is made worse; ``Augment.none()`` for exact data.
            seed: Of everything.
            rank: Of the process: each has scenes of its own.
            ground: Share of scenes with points of a ground around the objects.
            widths: Of the pictures, in pixels; every step has one of them, all as often, at the aspect of ``splats``.
                That of ``splats`` by default.
            device: Where scenes are made.

        Raises:
            InputError: Fewer points per object than are splatted.
        """
        self.bank, self.config, self.augment = bank.to(device), config or PoseModelConfig(), augment or Augment()
        self.seed, self.rank, self.ground, self.device = seed, rank, ground, torch.device(device)
        self.splats = [SplatSource(self.bank, _sized(splats, width)) for width in widths or (splats.width,)]

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """What step ``step`` sees.

        Raises:
            PlacementError: In all drawn scenes of some number of objects one of these is hidden.
        """
        return batch_of(self.posed(step, scenes), self.augment, self.config, self.seed, self.rank, step)

    def posed(self, step: int, scenes: int) -> Posed:
        """The exact scenes of a step, before anything is made worse."""
        splats = self.splats[in_epochs(step, len(self.splats), seed_of(self.seed, self.rank, "width"))]
        low, high = splats.config.count
        chance = self._chance(step, "splats")
        counts = low + torch.arange(scenes) % (high - low + 1)  # (B,)
        counts = counts[Chance("cpu", self.seed, self.rank, step, "counts").order(scenes)].tolist()
        for _ in range(TRIES):
            made = splats.make(scenes, chance.generator, counts=counts)
            chosen = _seen_ones(made)
            if chosen is not None:
                return self._posed(made, chosen, chance)
        got = f"{TRIES} batches of {scenes} scenes with a hidden object in all of some number of objects"
        raise PlacementError(
            expected("objects that are seen", got=got, remedy="splat fewer objects or larger pictures")
        )

    def _posed(self, made: SplatBatch, chosen: Tensor, chance: Chance) -> Posed:
        """The chosen (B,) scenes of a batch."""
        b, i = made.present[chosen].nonzero().unbind(1)  # (N,) scene and slot of every object
        at = chosen[b]  # (N,)
        which = made.object[at, i]  # (N,) rows of the bank
        size = (made.depth.shape[1], made.depth.shape[2])
        depth, K, up = made.depth[chosen], made.K[chosen], made.up_cam[chosen]  # (B, H, W), (B, 3, 3), (B, 3)
        direction = rays(K, *size)  # (B, H, W, 3)
        R, t, s = made.R_cam_obj[at, i], made.t_cam_obj[at, i], made.scale[at, i]
        lowest = self._lowest(made)[chosen]  # (B,)
        with_ground = chance.yes(self.ground, len(chosen))  # (B,)
        depth = torch.where(depth.isnan(), _ground(direction, up, lowest, depth, with_ground), depth)
        shapes, spare = self._shapes(which, chance)
        pictures = PosePictures(
            layout=Layout(b),
            points_cam=direction * depth[..., None],
            labels=made.labels[chosen],
            K=K,
            up=up,
            geometry=shapes,
        )
        bank = self.bank
        return Posed(
            pictures=pictures,
            R=R,
            t=t,
            s=s,
            symmetries=bank.symmetries[which],
            axis=bank.axis[which],
            pivot=bank.pivot[which],
            visible_fraction=made.visible_fraction[at, i],
            spare=spare,
        )

    def _shapes(self, which: Tensor, chance: Chance) -> tuple[Tensor, Tensor | None]:
        """(N, Q, 6) points of shapes, as far as the bank has enough others than those that are splatted.

        And of the others (N, P, 6), or None where they are too few for a cloud.
        """
        points, all_of_it = self.bank.points_obj, self.bank.points_obj.shape[1]
        want = min(self.config.geometry.points, all_of_it)
        last = max(want, all_of_it - self.splats[0].config.points)
        order = all_of_it - last + chance.order(last)  # (last,)
        rest = torch.cat([order[want:], torch.arange(all_of_it - last, device=order.device)])  # (P,)
        spare = points[which[:, None], rest] if len(rest) >= self.config.points.points else None
        return points[which[:, None], order[:want]], spare

    def _lowest(self, made: SplatBatch) -> Tensor:
        """(B,) height of the ground along ``up``: of the lowest point of all objects."""
        p = made.scale[..., None, None] * made.points_obj[..., :3]  # (B, n, P, 3)
        up_obj = (made.R_cam_obj.mT @ made.up_cam[:, None, :, None])[..., 0]  # (B, n, 3)
        height = (p @ up_obj[..., None])[..., 0].amin(-1) + (made.t_cam_obj @ made.up_cam[..., None])[..., 0]  # (B, n)
        return torch.where(made.present, height, torch.inf).amin(1)

    def _chance(self, step: int, purpose: str) -> Chance:
        return Chance(self.device, self.seed, self.rank, step, purpose)


def _sized(splats: SplatConfig, width: int) -> SplatConfig:
    """The same pictures at another width; the gaps between points that are closed grow with it."""
    factor = width / splats.width
    size = {"width": width, "height": round(factor * splats.height), "footprint": math.ceil(factor * splats.footprint)}
    return SplatConfig.model_validate({**splats.model_dump(), **size})


def _seen_ones(made: SplatBatch) -> Tensor | None:
    """(B,) scenes, each itself or, where an object is hidden, another of as many objects; None where there is none."""
    n = made.present.shape[1]
    number = torch.arange(1, n + 1, device=made.labels.device)  # (n,)
    pixels = torch.stack([(made.labels == i).flatten(1).sum(1) for i in range(1, n + 1)], 1)  # (B, n)
    good = ((pixels >= LEAST_PX) | ~made.present).all(1)  # (B,)
    chosen = torch.arange(len(good), device=good.device)  # (B,)
    if bool(good.all()):
        return chosen
    count = made.present.sum(1)  # (B,)
    for k in number.tolist():
        spare, bad = (good & (count == k)).nonzero()[:, 0], (~good & (count == k)).nonzero()[:, 0]
        if len(bad) and not len(spare):
            return None
        if len(bad):
            chosen[bad] = spare[torch.arange(len(bad), device=bad.device) % len(spare)]
    return chosen


def _ground(direction: Tensor, up: Tensor, height: Tensor, depth: Tensor, which: Tensor) -> Tensor:
    """(B, H, W) depth of the plane up . p = height (B,) along rays (B, H, W, 3), NaN where it is far or not wanted."""
    z = height[:, None, None] / (direction * up[:, None, None]).sum(-1)  # (B, H, W)
    far = FAR * depth.nan_to_num(nan=0).amax((1, 2), keepdim=True)  # (B, 1, 1)
    return torch.where((z > 0) & (z < far) & which[:, None, None], z, torch.nan)
