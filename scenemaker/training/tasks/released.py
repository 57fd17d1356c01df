"""Fine-tuning published weights on our data: the reference's loss, its recipe of inference for the inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from scenemaker.errors import ConfigError, expected, needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.evaluation.batched import rotation_error_deg  # noqa: E402
from scenemaker.pose.dit.sampler import noise_for  # noqa: E402
from scenemaker.pose.dit.types import DIM, VARIABLES, Poses, _Movable  # noqa: E402
from scenemaker.pose.released.checkpoint import load_released, write_released  # noqa: E402
from scenemaker.pose.released.inputs import ReleasedInputs, decode, encode  # noqa: E402
from scenemaker.pose.released.model import ReleasedModel  # noqa: E402
from scenemaker.pose.released.recipe import released_inputs  # noqa: E402
from scenemaker.pose.released.sampler import sample  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402

LEVELS = 1000  # noise levels, 1 to 1000 thousandths


class PosedSource(Protocol):
    """Where scenes come from: those with colour."""

    def posed(self, step: int, scenes: int) -> Posed:
        """So many scenes; a pure function of the step."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleasedBatch(_Movable):
    """What a step sees.

    Attributes:
        inputs: Of N usable objects.
        target: In ``cam``.
        symmetries, axis: As in ``PoseBatch``.
    """

    inputs: ReleasedInputs
    target: Poses
    symmetries: Tensor
    axis: Tensor

    def __len__(self) -> int:
        """Scenes."""
        return len(self.inputs)


class ReleasedTask:
    """Fine-tunes denoiser, pose codec and point encoder; shape and image encoders stay as they are."""

    name = "released"

    def __init__(
        self,
        weights: Path,
        source: PosedSource,
        held_out: PosedSource,
        *,
        scenes: int = 8,
        drop: float = 0.1,
        validate_scenes: int = 16,
        steps: int | None = None,
    ) -> None:
        """A task.

        Args:
            weights: The checkpoint that is fine-tuned.
            source: What is trained on.
            held_out: What is validated on.
            scenes: Per step and process.
            drop: Share of scenes trained without conditions, for guidance.
            validate_scenes: Held-out scenes that are validated on.
            steps: Of the sampler in validation; None as the weights' config says.

        Raises:
            InputError, ShapeError: The checkpoint cannot be used.
            ConfigError: Its config is not rebuilt here, or asks for another loss.
        """
        self.weights, self.source, self.held_out = weights, source, held_out
        self.scenes, self.drop, self.validate_scenes, self.steps = scenes, drop, validate_scenes, steps
        self.model: nn.Module = load_released(weights)
        scheme = _released(self.model).config.weighting
        if scheme != "cosmap":
            what = "system.weighting_scheme: cosmap in config.yaml of weights that are fine-tuned"
            raise ConfigError(expected(what, got=scheme, remedy="only that loss is rebuilt here"))
        still = {id(p) for part in _released(self.model).frozen() for p in part.parameters()}
        for p in self.model.parameters():
            p.requires_grad_(id(p) not in still)

    def parameters(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """One group."""
        return [([p for p in self.model.parameters() if p.requires_grad], 1.0)]

    def compiled(self) -> Sequence[nn.Module]:
        """Nothing: released blocks are rebuilt to be like the published ones, not to be fast."""
        return []

    def batch(self, step: int) -> ReleasedBatch:
        """Scenes of the source."""
        return self._batch(self.source, step, self.scenes)

    def loss(self, batch: ReleasedBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Squared error of the pose that the velocity leads to, weighted by noise level ("cosmap", arXiv 2403.03206):

            w(s) = 2 / (pi (1 - 2 s + 2 s^2)),   sum over rotation, translation, size of mean w (x_s - s v - x_0)^2.

        Every scene counts as much as any other, every object as much as any other of its scene.
        """
        model = _released(self.model)
        inputs, device = batch.inputs, batch.target.t.device
        scene, B, N = inputs.layout.scene, len(inputs), len(inputs.slot)
        eps = torch.randn(N, DIM, generator=generator).to(device)  # (N, 10)
        t = LEVELS - torch.randint(LEVELS, (B,), generator=generator).to(device)  # (B,) 1 to 1000
        kept = (torch.rand(B, generator=generator) >= self.drop).to(device)  # (B,)
        seed = int(torch.randint(2**31, (1,), generator=generator))

        encoded = model.encode(inputs, seed, range(N))
        context = model.denoiser_model.context(encoded.tokens * kept[scene][:, None, None])
        x0 = encode(batch.target, inputs)  # (N, 10)
        level = (t / LEVELS)[scene][:, None]  # (N, 1)
        x = (1 - level) * x0 + level * eps  # (N, 10)
        found = x - level * model.velocity(x, t, encoded, context)  # (N, 10)
        weight = 2 / (math.pi * (1 - 2 * level + 2 * level**2))  # (N, 1)
        error = weight * (found - x0).square()  # (N, 10)
        parts = {name: _mean_of_scenes(error[:, part].mean(-1), scene, B) for name, part in VARIABLES.items()}
        return parts["rotation"] + parts["translation"] + parts["size"], parts

    @torch.no_grad()
    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """One sample per held-out object: medians of its errors, and the share within 15 degrees."""
        released = _released(model)
        rows: list[Tensor] = []
        for step in range(-(-self.validate_scenes // self.scenes)):
            batch = self._batch(self.held_out, step, min(self.scenes, self.validate_scenes))
            batch = batch.to(released.pose_emb.weight.device)
            keys = range(len(batch.inputs.slot))
            encoded = released.encode(batch.inputs, step, keys)
            x = sample(released, encoded, noise_for(step, keys, 1)[:, 0], steps=self.steps)  # (N, 10)
            found, target = decode(x, batch.inputs), batch.target
            angle = rotation_error_deg(found.R, target.R, batch.symmetries, axis=batch.axis)  # (N,)
            shift = (found.t - target.t).norm(dim=-1) / target.s  # (N,)
            ratio = found.s / target.s  # (N,)
            rows.append(torch.stack([angle, shift, torch.maximum(ratio, 1 / ratio)], 1))  # (N, 3)
        angle, shift, ratio = torch.cat(rows).unbind(1)
        return {
            "rotation_deg": float(angle.median()),
            "rot_15": float((angle <= 15).float().mean()),
            "translation": float(shift.median()),
            "size_ratio": float(ratio.median()),
            "objects": float(len(angle)),
        }

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """A checkpoint as it is published, which the backend ``pose-dit-released`` loads."""
        return write_released(_released(model), self.weights, folder, {"training": json.dumps(facts)})

    def _batch(self, source: PosedSource, step: int, scenes: int) -> ReleasedBatch:
        posed = source.posed(step, scenes).to("cpu")
        generator = torch.Generator().manual_seed(step)
        inputs, rows = released_inputs(posed.pictures, _released(self.model).config, generator)
        return ReleasedBatch(
            inputs=inputs,
            target=Poses(R=posed.R[rows], t=posed.t[rows], s=posed.s[rows]),
            symmetries=posed.symmetries[rows],
            axis=posed.axis[rows],
        )


def _mean_of_scenes(value: Tensor, scene: Tensor, scenes: int) -> Tensor:
    """Mean over scenes of the mean over their objects, of (N,)."""
    count = torch.bincount(scene, minlength=scenes)  # (B,)
    return (value / count[scene]).sum() / scenes


def _released(model: nn.Module) -> ReleasedModel:
    if not isinstance(model, ReleasedModel):
        raise TypeError(type(model))
    return model
