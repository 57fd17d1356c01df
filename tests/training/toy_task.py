"""A small regression for the tests of the training loop."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

import torch
from torch import nn


@dataclass(frozen=True)
class ToyBatch:
    x: torch.Tensor  # (n, 3)
    y: torch.Tensor  # (n, 2)

    def to(self, device):
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def __len__(self):
        return len(self.x)


class ToyTask:
    """An MLP learns a fixed linear map, under noise from the loss's generator. A signal may come inside a step."""

    name = "toy"

    def __init__(self, width=5, samples=8, signal_at_loss=None):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self.model = nn.ModuleDict(
                {
                    "net": nn.Sequential(nn.Linear(3, width), nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, 2)),
                    "frozen": nn.Linear(2, 2),
                }
            )
        self.model.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.samples, self.asked, self.validations = samples, [], 0
        self.losses, self.signal_at_loss = 0, signal_at_loss
        self.poison = lambda number: False

    def parameters(self):
        net = self.model["net"]
        return [(list(net[0].parameters()), 1.0), ([*net[1].parameters(), *net[3].parameters()], 0.3)]

    def compiled(self):
        return [self.model["net"]]

    def batch(self, step):
        self.asked.append(step)
        draw = torch.Generator().manual_seed(1000 + step)
        x = torch.randn(self.samples, 3, generator=draw)
        if self.poison(step):
            x = x * float("nan")
        return ToyBatch(x, torch.stack([x[:, 0] - x[:, 1], 2 * x[:, 2]], dim=1))

    def loss(self, batch, generator):
        if self.model.training:
            self.model.seen += 1
        self.losses += 1
        if self.losses == self.signal_at_loss:
            signal.raise_signal(signal.SIGTERM)
        noise = 0.1 * torch.randn(batch.y.shape, generator=generator).to(batch.y.device)
        error = (self.model["net"](batch.x) - batch.y - noise) ** 2
        return error.mean(), {"first": error[:, 0].mean(), "second": error[:, 1].mean()}

    def validate(self, model):
        assert not model.training
        self.validations += 1
        batch = self.batch(1 << 20)
        return {"error": float((model["net"](batch.x) - batch.y).abs().mean()), "constant": 1.0}

    def write(self, model, folder, facts):
        path = folder / "toy.pt"
        torch.save({"weights": {k: v.clone() for k, v in model.state_dict().items()}, "facts": dict(facts)}, path)
        return path
