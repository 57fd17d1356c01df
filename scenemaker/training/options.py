"""How a model is trained: every switch of the loop. No torch."""

from __future__ import annotations

import os
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from scenemaker.errors import ConfigError, expected


class TrainOptions(BaseModel, frozen=True, extra="forbid"):
    """Options of ``train``. The budget is spent when either share of it is: of ``steps`` or of ``minutes``.

    Under ``steps`` alone a stopped training goes on exactly; under ``minutes`` learning rate and averaging hang on the
    clock, so that no two runs are alike.
    """

    steps: int | None = Field(default=None, ge=1, description="Budget in steps of the optimizer.")
    minutes: float | None = Field(default=None, gt=0, description="Budget in minutes, over all runs of this training.")
    pause_minutes: float | None = Field(
        default=None,
        gt=0,
        description="This run alone stops, saved, after so long; the schedule is that of the budget.",
    )
    lr: float = Field(default=6e-4, gt=0, description="Highest learning rate.")
    final_lr: float = Field(default=1e-5, ge=0, description="Learning rate at the end of the cosine.")
    warmup: int = Field(default=500, ge=0, description="Steps of linear rise; at most a tenth of the budget.")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="Of AdamW's two moving means.")
    weight_decay: float = Field(default=0.01, ge=0, description="Of matrices; norms, biases and 1-d tensors have none.")
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    ema_start: float = Field(default=0.999, ge=0, lt=1, description="Decay of the averaged weights at the start.")
    ema: float = Field(default=0.9995, ge=0, lt=1, description="The same at the end of the budget; 0 averages nothing.")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="Of the forward pass; weights stay fp32.")
    accumulate: int = Field(default=1, ge=1, description="Batches per step and process.")
    seed: int = Field(default=0, ge=0, description="Of the noise in the loss.")
    device: str = Field(default="cpu", description='"cpu", "cuda" or "cuda:1".')
    compile: bool = Field(default=False, description="Compiles the heavy parts of the model with torch.compile.")
    prefetch: int = Field(default=2, ge=0, description="Batches made ahead in a thread of their own; 0: none.")
    log_steps: int = Field(default=10, ge=1, description="Steps between two points of the curves.")
    validate_steps: int | None = Field(default=None, ge=1, description="Steps between two validations.")
    validate_minutes: float | None = Field(default=10.0, gt=0, description="Minutes between two validations.")
    save_minutes: float = Field(default=10.0, gt=0, description="Minutes between two checkpoints.")
    keep: int = Field(default=1, ge=1, description="Newest checkpoints kept.")
    part_mib: float = Field(default=16.0, gt=0, description="Largest file of a checkpoint.")

    @model_validator(mode="after")
    def _fits(self) -> TrainOptions:
        if self.steps is None and self.minutes is None:
            raise ConfigError(expected("a budget", got="neither steps nor minutes", remedy="give one of them"))
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(expected("betas in [0, 1)", got=str(self.betas), remedy="take (0.9, 0.95)"))
        return self

    def result(self, processes: int = 1) -> dict[str, Any]:
        """What must stay the same for a stopped training to go on; the budget may be changed."""
        names = {"lr", "final_lr", "warmup", "betas", "weight_decay", "clip", "ema_start", "ema", "precision", "seed"}
        return {**self.model_dump(mode="json", include=names), "batches per step": self.accumulate * processes}

    @property
    def process_device(self) -> str:
        """``device``, but where several processes run (torchrun, accelerate) "cuda" is the one of this process."""
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if several and self.device == "cuda" else self.device

    @property
    def budget(self) -> str:
        """In words."""
        parts = [f"{self.steps} steps"] if self.steps else []
        return " or ".join(parts + ([f"{self.minutes:g} minutes"] if self.minutes else []))
