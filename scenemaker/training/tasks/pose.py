"""Training PoseDiT: flow matching on rotation, translation and size (SceneMaker, arXiv 2512.10957, section 3.3.3).

One batch gives B scenes, every scene several noise levels: conditions and encoders are computed once and shared by
them, so that a noise level costs only the blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.feature_cache import FeatureCache  # noqa: E402
from scenemaker.pose.dit.flow import draw_t, flow_loss, noisy, velocity  # noqa: E402
from scenemaker.pose.dit.pose_model import PoseModel  # noqa: E402
from scenemaker.pose.dit.sampler import noise_for, sample  # noqa: E402
from scenemaker.pose.dit.symmetric import nearest_symmetric  # noqa: E402
from scenemaker.pose.dit.types import DIM, Features, PoseBatch, PoseInputs, Poses  # noqa: E402
from scenemaker.pose.dit.weights import save_model  # noqa: E402
from scenemaker.training.data.symmetries import equivalent_t  # noqa: E402
from scenemaker.training.types import PoseSource  # noqa: E402
from scenemaker.training.validation import pose_errors, summary  # noqa: E402

STATISTICS = 512  # objects that the mean and spread of the variables are taken from
UNTRAINED = 1 << 30  # first of the steps whose batches are looked at, and not trained on
EXACT = "exact_"  # of the measures of data that are not made worse
Encoders = Literal["joint", "frozen"]


class PoseTask:
    """Flow matching on scenes from a source."""

    name = "pose"

    def __init__(
        self,
        model: PoseModel,
        source: PoseSource,
        held_out: PoseSource,
        *,
        exact: PoseSource | None = None,
        scenes: int = 32,
        levels: int = 8,
        encoders: Encoders = "joint",
        encoder_lr: float = 0.3,
        drop: float = 0.1,
        validate_scenes: int = 64,
        steps: int = 12,
        statistics: bool = True,
        cache: FeatureCache | None = None,
    ) -> None:
        """A task.

        Args:
            model: PoseDiT with its encoders.
            source: What is trained on.
            held_out: What is validated on, as models are used; none of its objects is in ``source``.
            exact: The same with nothing made worse, for measures called "exact_..." beside the others.
            scenes: Per step and process.
            levels: Noise levels per scene and step.
            encoders: "joint" trains them too, "frozen" leaves them as they are.
            encoder_lr: Their factor of the learning rate.
            drop: Share of scenes trained without conditions, for guidance.
            validate_scenes: Held-out scenes that are validated on.
            steps: Of the sampler in validation.
            statistics: Takes mean and spread of the variables from the source; off for a model that has them.
            cache: Where features of frozen encoders are kept: for sources that repeat themselves.
        """
        self.model, self.source = model, source
        self.held_out = {"": held_out, **({} if exact is None else {EXACT: exact})}
        self.scenes, self.levels, self.encoders, self.encoder_lr, self.drop = scenes, levels, encoders, encoder_lr, drop
        self.validate_scenes, self.steps, self.cache = validate_scenes, steps, cache
        if encoders == "frozen":
            model.freeze_encoders()
        if statistics:
            _fit_statistics(model, source)

    def parameters(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """PoseDiT, and the encoders at their own rate when they are trained."""
        dit = [p for p in self.model.dit.parameters() if p.requires_grad]
        mine = {id(p) for p in dit}
        rest = [p for p in self.model.trained_parameters() if id(p) not in mine]
        return [(dit, 1.0), *([(rest, self.encoder_lr)] if rest else [])]

    def compiled(self) -> Sequence[nn.Module]:
        """The blocks, which see every noise level; encoders see the scenes once."""
        return [self.model.dit]

    def batch(self, step: int) -> PoseBatch:
        """Scenes of the source."""
        return self.source.batch(step, self.scenes)

    def loss(self, batch: PoseBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The velocity's mean squared error inside each variable, the three summed with equal weight (3.3.3)."""
        layout, target, device = batch.inputs.layout, batch.target, batch.target.R.device
        N, B, S = len(layout.scene), len(layout.counts), self.levels
        eps = torch.randn(N, S, DIM, generator=generator).to(device)  # (N, S, 10)
        t = draw_t((B, S), generator).to(device)  # (B, S)
        drop = (torch.rand(B, generator=generator) < self.drop).to(device)  # (B,)

        conditions = self.model.dit.conditions(self._features(batch.inputs), drop)
        variables = self.model.variables
        noise6d = eps[..., :6] * variables.std[:6] + variables.mean[:6]  # (N, S, 6) the noise as a rotation
        R = nearest_symmetric(target.R, batch.symmetries, batch.axis, noise6d)  # (N, S, 3, 3)
        t_true = equivalent_t(target.R, target.t, target.s, R, batch.pivot)  # (N, S, 3)
        poses = Poses(R=R, t=t_true, s=target.s[:, None].expand(-1, S))
        x0 = variables.encode(poses, batch.inputs.centre, batch.inputs.radius)  # (N, S, 10)
        v = self.model.dit(noisy(x0, eps, t[layout.scene]), t, conditions)  # (N, S, 10)
        parts = flow_loss(v, velocity(x0, eps))
        return parts["rotation"] + parts["translation"] + parts["size"], parts

    def _features(self, inputs: PoseInputs) -> Features:
        return self.model.features(inputs) if self.cache is None else self.cache.features(self.model, inputs)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """One sample per held-out object, no search: rotation, translation, size, ADD-S (see ``validation``)."""
        if not isinstance(model, PoseModel):
            raise TypeError(type(model))
        rows = {prefix: self._measured(model, source) for prefix, source in self.held_out.items()}
        return {prefix + name: value for prefix, row in rows.items() for name, value in row.items()}

    def _measured(self, model: PoseModel, source: PoseSource) -> dict[str, float]:
        device = next(model.dit.parameters()).device
        rows: list[dict[str, Tensor]] = []
        seen: list[Tensor] = []
        for step in range(-(-self.validate_scenes // self.scenes)):
            batch = source.batch(step, min(self.scenes, self.validate_scenes)).to(device)
            noise = noise_for(step, range(len(batch.inputs.layout.scene)), 1).to(device)  # (N, 1, 10)
            x = sample(model.dit, model.features(batch.inputs), noise, steps=self.steps)  # (N, 1, 10)
            found = model.variables.decode(x[:, 0], batch.inputs.centre, batch.inputs.radius)
            rows.append(pose_errors(found, batch))
            seen.append(batch.visible_fraction)
        return summary({k: torch.cat([r[k] for r in rows]) for k in rows[0]}, torch.cat(seen))

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """``pose.safetensors``: what the backend ``pose-dit`` loads."""
        if not isinstance(model, PoseModel):
            raise TypeError(type(model))
        path = folder / "pose.safetensors"
        save_model(model, path, dict(facts))
        return path


def _fit_statistics(model: PoseModel, source: PoseSource, scenes: int = 64) -> None:
    """Sets mean and spread of the variables from batches that are not trained on."""
    batches: list[PoseBatch] = []
    while sum(len(b.target.s) for b in batches) < STATISTICS:
        batches.append(source.batch(UNTRAINED + len(batches), scenes))
    target = [b.target for b in batches]
    poses = Poses(
        R=torch.cat([p.R for p in target]), t=torch.cat([p.t for p in target]), s=torch.cat([p.s for p in target])
    )
    centre = torch.cat([b.inputs.centre for b in batches])
    model.variables.fit(poses, centre, torch.cat([b.inputs.radius for b in batches]))
