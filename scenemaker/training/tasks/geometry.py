"""Training the point VAE of complete shapes on reconstruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenemaker.errors import InputError, expected, needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.encoders.distance import ShapeDecoder  # noqa: E402
from scenemaker.pose.dit.encoders.geometry import GeometryVAE, divergence, sampled  # noqa: E402
from scenemaker.pose.dit.weights import save_encoder  # noqa: E402
from scenemaker.training.data.chance import Chance  # noqa: E402
from scenemaker.training.tasks.reconstruction import (  # noqa: E402
    draw_queries,
    reconstruction_errors,
    reconstruction_loss,
)

STRETCH = 0.1  # each axis by up to so much, either way
TURNED = 0.75  # share of shapes in any rotation, as the pose model will see them
VALIDATION_QUERIES = 1024


@dataclass(frozen=True, eq=False)
class Shapes:
    """Points and normals (N, Q, 6) of complete shapes in ``obj``, all of which are the truth; some are the input."""

    points: Tensor

    def to(self, device: str | torch.device) -> Shapes:
        """On another device."""
        return Shapes(self.points.to(device))

    def __len__(self) -> int:
        """N."""
        return len(self.points)


class GeometryTask:
    """Shapes of a bank, turned and stretched, through the VAE and back."""

    name = "geometry"

    def __init__(
        self,
        model: GeometryVAE,
        bank: Tensor,
        held_out: Tensor,
        *,
        batch_size: int = 16,
        queries: int = 512,
        seed: int = 0,
    ) -> None:
        """A task.

        Args:
            model: With its decoder.
            bank: (M, Q, 6) points and normals in ``obj`` that are trained on; Q may exceed what the model takes in.
            held_out: (M', Q, 6) of other shapes, to validate on.
            batch_size: Shapes per batch.
            queries: Per shape.
            seed: Of all that is drawn.

        Raises:
            InputError: A bank of no shapes, or of another form.
        """
        for name, points in (("bank", bank), ("held_out", held_out)):
            if points.ndim != 3 or points.shape[-1] != 6 or 0 in points.shape:
                got = tuple(points.shape)
                raise InputError(expected(f"{name} of shapes (M, Q, 6)", got=got, remedy="sample some meshes"))
        self.model, self.bank, self.held_out = model, bank, held_out
        self.batch_size, self.queries, self.seed = batch_size, queries, seed

    def parameters(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """All of the model, at one rate."""
        return [(list(self.model.parameters()), 1.0)]

    def compiled(self) -> Sequence[nn.Module]:
        """The decoder, which is asked most."""
        return [decoder_of(self.model)]

    def batch(self, step: int) -> Shapes:
        """Shapes drawn from the bank, turned and stretched."""
        chance = Chance(self.bank.device, self.name, self.seed, step)
        chosen = chance.below(len(self.bank), self.batch_size)  # (N,)
        return Shapes(any_way_up(self.bank[chosen], chance))

    def loss(self, batch: Shapes, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Reconstruction, and the weighted divergence of the latents."""
        points = some_points(batch.points, self.model.config.points, generator)  # (N, Q', 6)
        mean, logvar = self.model.posterior(points)  # (N, G, c) each
        latents = sampled(mean, logvar, generator)  # (N, G, c)
        surface, scale = batch.points[..., :3], batch.points.new_ones(len(points))
        queries = draw_queries(surface, scale, self.queries, generator)  # (N, K, 3)
        parts = dict(reconstruction_loss(decoder_of(self.model), latents, surface, scale, queries))
        parts["kl"] = self.model.config.kl_weight * divergence(mean, logvar)
        return parts["distance"] + parts["direction"] + parts["kl"], parts

    @torch.no_grad()
    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """Of held-out shapes, as they are and turned anyhow: ``reconstruction_errors``, and the divergence."""
        device = next(model.parameters()).device
        generator = torch.Generator().manual_seed(self.seed)
        chance = Chance(self.held_out.device, self.name, self.seed, "validation")
        rows: dict[str, list[Tensor]] = {}
        for part in self.held_out.split(self.batch_size):
            for how, shapes in (("", part), ("turned_", any_way_up(part, chance, share=1.0, stretch=0.0))):
                points = some_points(shapes, self.model.config.points, generator).to(device)  # (N, Q', 6)
                surface = shapes[..., :3].to(device)  # (N, Q, 3)
                scale = surface.new_ones(len(surface))
                mean, _ = model.posterior(points)  # type: ignore[operator]
                queries = draw_queries(surface, scale, VALIDATION_QUERIES, generator)  # (N, K, 3)
                for name, value in reconstruction_errors(decoder_of(model), mean, surface, scale, queries).items():
                    rows.setdefault(how + name, []).append(value)
        return {name: float(torch.cat(values).nanmean()) for name, values in rows.items()}

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """``geometry.safetensors``."""
        path = folder / "geometry.safetensors"
        save_encoder(model, path, facts)
        return path


def decoder_of(model: nn.Module) -> ShapeDecoder:
    """The decoder that a model is trained with.

    Raises:
        InputError: It has none.
    """
    decoder = getattr(model, "decoder", None)
    if not isinstance(decoder, ShapeDecoder):
        remedy = "build it with decoder=True"
        raise InputError(expected("an encoder with its decoder", got="one without", remedy=remedy))
    return decoder


def some_points(points: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """(N, at most number, 6) random points of shapes (N, Q, 6)."""
    Q = points.shape[1]
    if number >= Q:
        return points
    return points[:, torch.randperm(Q, generator=generator)[:number].to(points.device)]


def any_way_up(points: Tensor, chance: Chance, *, share: float = TURNED, stretch: float = STRETCH) -> Tensor:
    """Shapes (N, Q, 6) stretched along their axes, a share of them turned anyhow, and brought back into ``obj``."""
    N = len(points)
    factor = chance.uniform(1 - stretch, 1 + stretch, N, 1, 3)  # (N, 1, 3)
    upright = torch.eye(3, device=points.device)
    R = torch.where(chance.yes(share, N, 1, 1), chance.rotations(N), upright)  # (N, 3, 3)
    xyz = (points[..., :3] * factor) @ R.mT  # (N, Q, 3)
    normals = functional.normalize(points[..., 3:] / factor, dim=-1) @ R.mT  # (N, Q, 3) by the inverse transpose
    low, high = xyz.amin(1, keepdim=True), xyz.amax(1, keepdim=True)  # (N, 1, 3)
    side = (high - low).amax(-1, keepdim=True).clamp_min(1e-9)  # (N, 1, 1)
    return torch.cat([(xyz - (low + high) / 2) / side, normals], -1)
