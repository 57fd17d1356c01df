"""Training the encoder of observed clouds: from what is seen, where the complete surface is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.encoders.points import PointEncoder  # noqa: E402
from scenemaker.pose.dit.types import PoseBatch  # noqa: E402
from scenemaker.pose.dit.weights import save_encoder  # noqa: E402
from scenemaker.training.tasks.geometry import decoder_of, some_points  # noqa: E402
from scenemaker.training.tasks.reconstruction import (  # noqa: E402
    draw_queries,
    reconstruction_errors,
    reconstruction_loss,
)

SURFACE = 2048  # points of a complete surface that serve as truth
VALIDATION_QUERIES = 1024


class PointsTask:
    """Clouds of objects and scenes of a source of posed pictures, completed."""

    name = "points"

    def __init__(
        self,
        model: PointEncoder,
        source: Callable[[int], PoseBatch],
        held_out: Callable[[int], PoseBatch],
        *,
        queries: int = 256,
        validate_batches: int = 4,
        seed: int = 0,
    ) -> None:
        """A task.

        Args:
            model: With its decoder.
            source: The scenes of a step. Their ``geometry`` is taken for the complete truth: leave it as it is.
            held_out: The same, of shapes that are not trained on.
            queries: Per object and per scene.
            validate_batches: Of ``held_out``.
            seed: Of the queries in validation.
        """
        self.model, self.source, self.held_out = model, source, held_out
        self.queries, self.validate_batches, self.seed = queries, validate_batches, seed

    def parameters(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """All of the model, at one rate."""
        return [(list(self.model.parameters()), 1.0)]

    def compiled(self) -> Sequence[nn.Module]:
        """The decoder, which is asked most."""
        return [decoder_of(self.model)]

    def batch(self, step: int) -> PoseBatch:
        """Scenes of the source."""
        return self.source(step)

    def loss(self, batch: PoseBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Reconstruction of the objects, and that of the scenes, with equal weight."""
        decoder, scenes = decoder_of(self.model), len(batch.inputs.layout.counts)
        parts: dict[str, Tensor] = {}
        for what, tokens, surface, scale in completed(self.model, batch, generator):
            queries = draw_queries(surface, scale, self.queries, generator)  # (N, K, 3)
            share = len(surface) / scenes if what == "scene" else 1.0
            for name, value in reconstruction_loss(decoder, tokens, surface, scale, queries).items():
                key = f"{what}_{name}"
                parts[key] = parts[key] + share * value if key in parts else share * value
        return torch.stack(list(parts.values())).sum(), parts

    @torch.no_grad()
    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """``reconstruction_errors`` of held-out objects and scenes."""
        if not isinstance(model, PointEncoder):
            raise TypeError(type(model))
        device, generator = model.kind.device, torch.Generator().manual_seed(self.seed)
        rows: dict[str, list[Tensor]] = {}
        for step in range(self.validate_batches):
            batch = self.held_out(step).to(device)
            for what, tokens, surface, scale in completed(model, batch, generator):
                queries = draw_queries(surface, scale, VALIDATION_QUERIES, generator)  # (N, K, 3)
                for name, value in reconstruction_errors(decoder_of(model), tokens, surface, scale, queries).items():
                    rows.setdefault(f"{what}_{name}", []).append(value)
        return {name: float(torch.cat(values).nanmean()) for name, values in rows.items()}

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """``points.safetensors``."""
        path = folder / "points.safetensors"
        save_encoder(model, path, facts)
        return path


def completed(
    model: PointEncoder, batch: PoseBatch, generator: torch.Generator
) -> Iterator[tuple[str, Tensor, Tensor, Tensor]]:
    """Tokens (n, L, w), complete surface (n, Q, 3) and its longest side (n,), each in the frame of the cloud.

    Once for all objects, then for the scenes of every number of objects that occurs.
    """
    inputs, target, layout = batch.inputs, batch.target, batch.inputs.layout
    geometry = some_points(inputs.geometry, SURFACE, generator)[..., :3]  # (N, Q, 3) in obj
    placed = (target.s[:, None, None] * geometry) @ target.R.mT + target.t[:, None]  # (N, Q, 3) in scene
    radius = inputs.radius[:, None, None]  # (N, 1, 1)
    tokens = model(inputs.cloud, inputs.cloud_count).tokens  # (N, L, w)
    yield "object", tokens, (placed - inputs.centre[:, None]) / radius, target.s / inputs.radius

    tokens, _ = model.scene(inputs.scene_cloud, inputs.scene_owner)  # tokens: (B, L, w)
    for rows in layout.groups:  # (B_n, n)
        keep = -(-SURFACE // rows.shape[1])  # of each object, so that every scene has about as many points
        surface = placed[rows, :keep].flatten(1, 2)  # (B_n, n keep, 3)
        scale = (surface.amax(1) - surface.amin(1)).amax(-1)  # (B_n,)
        yield "scene", tokens.tokens[layout.scene[rows[:, 0]]], surface, scale
