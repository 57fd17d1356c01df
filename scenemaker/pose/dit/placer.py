"""PoseDiT at work: pictures of any number of scenes in, sampled poses of all their objects out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, cast

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402

from scenemaker.pose.dit.pictures import PosePictures, join_inputs, make_inputs  # noqa: E402
from scenemaker.pose.dit.pose_model import PoseModel  # noqa: E402
from scenemaker.pose.dit.sampler import Solver, noise_for, sample  # noqa: E402
from scenemaker.pose.dit.types import Poses, SceneFrame  # noqa: E402
from scenemaker.pose.target import Placement  # noqa: E402

if TYPE_CHECKING:
    from scenemaker.pose.dit.model import PoseDiT


class Placer:
    """A pose model with the settings of its sampler.

    Args:
        model: In float32.
        samples: K, poses per object.
        steps, solver, guidance_scale: Of ``sampler.sample``.
        compile: Compile the transformer: slow at first, then faster.
    """

    def __init__(
        self,
        model: PoseModel,
        *,
        samples: int = 8,
        steps: int = 12,
        solver: Solver = "euler",
        guidance_scale: float = 1.0,
        compile: bool = False,
    ) -> None:
        self.model, self.samples, self.compile = model, samples, compile
        self.steps, self.guidance_scale = steps, guidance_scale
        self.solver: Solver = solver
        self._device, self._dtype = torch.device("cpu"), torch.float32

    def to(self, device: str, dtype: str) -> None:
        """Moves the model. Its weights stay float32; in another dtype, matrices are multiplied in that one."""
        self._device, self._dtype = torch.device(device), getattr(torch, dtype)
        self.model.to(self._device)

    @torch.no_grad()
    def place(
        self, pictures: Sequence[PosePictures], *, seed: int, keys: Sequence[Sequence[str | int]] | None = None
    ) -> list[Poses]:
        """Sampled poses in ``cam`` of the objects of each of them: R (n, K, 3, 3), t (n, K, 3), s (n, K), on the CPU.

        Args:
            pictures: Each of one size, with any number of objects; at least one.
            seed: Of the noise, and of the points that are drawn.
            keys: What the noise of each object hangs on, beside the seed; its number in its own scene by default.
        """
        if keys is None:
            keys = [p.layout.index.tolist() for p in pictures]
        config = self.model.config
        inputs = join_inputs([make_inputs(p, config, torch.Generator().manual_seed(seed)) for p in pictures])
        inputs = inputs.to(self._device)
        noise = noise_for(seed, [key for one in keys for key in one], self.samples)  # (N, K, 10)
        with self._autocast():
            features = self.model.features(inputs)
            x = sample(
                self._dit,
                features,
                noise,
                steps=self.steps,
                solver=self.solver,
                guidance_scale=self.guidance_scale,
            )  # (N, K, 10)
        poses = self.model.variables.decode(x, inputs.centre, inputs.radius)  # (N, K)
        poses = in_cam(poses, inputs.frame, inputs.layout.scene).to("cpu")
        counts = [len(p.layout.scene) for p in pictures]
        parts = zip(poses.R.split(counts), poses.t.split(counts), poses.s.split(counts), strict=True)
        return [Poses(R=R, t=t, s=s) for R, t, s in parts]

    @cached_property
    def _dit(self) -> PoseDiT:
        return cast("PoseDiT", torch.compile(self.model.dit, dynamic=True)) if self.compile else self.model.dit

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self._dtype == torch.float32 else torch.autocast(self._device.type, self._dtype)


def in_cam(poses: Poses, frame: SceneFrame, scene: torch.Tensor) -> Poses:
    """Poses (N, K) of ``scene`` in ``cam``: t_cam = k t + c, s_cam = k s, R as it is.

    Args:
        poses: Of N objects.
        frame: Of their B scenes.
        scene: (N,) which scene each is in.
    """
    k, c = frame.k[scene, None], frame.c[scene, None]  # (N, 1), (N, 1, 3)
    return Poses(R=poses.R, t=k[..., None] * poses.t + c, s=k * poses.s)


def placements(poses: Poses) -> list[list[Placement]]:
    """The K poses of each of N objects, in float64."""
    R, t, s = (a.double().numpy() for a in (poses.R, poses.t, poses.s))
    return [
        [Placement(R=R_k, s=float(s_k), t=t_k) for R_k, t_k, s_k in zip(*one, strict=True)]
        for one in zip(R, t, s, strict=True)
    ]
