"""Schedules against closed forms; the average against the sum that it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from scenemaker.training.ema import Average
from scenemaker.training.options import TrainOptions
from scenemaker.training.schedule import crossed, ema_decay, learning_rate, spent


def test_the_budget_is_the_larger_share_of_steps_and_time():
    both = TrainOptions(steps=1000, minutes=2)
    assert spent(both, 100, 6.0) == 0.1
    assert spent(both, 100, 60.0) == 0.5
    assert spent(both, 1001, 0.0) == 1.0
    assert spent(TrainOptions(minutes=2), 10**6, 12.0) == 0.1
    assert spent(TrainOptions(steps=10), 1, 1e9) == 0.1


def test_the_rate_rises_and_falls_on_a_cosine():
    options = TrainOptions(steps=10_000, lr=1.0, final_lr=0.01, warmup=500)
    rates = [learning_rate(options, s, s / 10_000) for s in range(10_000)]
    assert rates[0] == pytest.approx(1 / 500)
    assert rates[249] == pytest.approx(0.5 * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * 0.0249))))
    assert int(np.argmax(rates)) == 499
    assert rates[5000] == pytest.approx(0.505)
    assert rates[-1] == pytest.approx(0.01, abs=1e-6)
    assert learning_rate(options, 10_000, 1.0) == pytest.approx(0.01)


def test_a_short_run_has_a_short_rise_by_steps_and_by_time():
    short = TrainOptions(steps=100, lr=1.0, final_lr=0.0, warmup=500)
    rates = [learning_rate(short, s, s / 100) for s in range(100)]
    assert int(np.argmax(rates)) == 10
    timed = TrainOptions(minutes=1, lr=1.0, final_lr=0.0, warmup=500)
    assert learning_rate(timed, 3, 0.05) == pytest.approx(0.5 * 0.5 * (1 + math.cos(math.pi * 0.05)))
    assert learning_rate(TrainOptions(steps=10, warmup=0), 0, 0.0) == 6e-4


def test_the_decay_of_the_average():
    options = TrainOptions(steps=100_000)
    assert ema_decay(options, 0, 0.0) == 0.1
    assert ema_decay(options, 90, 0.0009) == 91 / 100
    assert ema_decay(options, 50_000, 0.5) == pytest.approx(0.99975 - 0.0005)
    assert ema_decay(options, 99_999, 1.0) == pytest.approx(0.9995)
    assert ema_decay(TrainOptions(steps=10, ema=0.0), 5, 0.5) == 0.0
    assert ema_decay(TrainOptions(steps=10, ema=0.9), 500, 0.5) == 0.9  # a lower end lowers the start


def test_what_is_due_every_so_often():
    assert [s for s in range(1, 11) if crossed(s - 1, s, 3)] == [3, 6, 9]
    assert crossed(59.0, 61.0, 60) and not crossed(61.0, 119.9, 60)
    assert not crossed(0, 10**9, None)


def test_the_average_is_the_weighted_sum_of_all_weights():
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(4, 3, generator=generator)
    parameter = nn.Parameter(start.clone())
    average = Average({"w": parameter})
    decays = [0.1, 0.5, 0.9, 0.75]
    history = [start]
    for decay in decays:
        with torch.no_grad():
            parameter += torch.randn(4, 3, generator=generator)
        history.append(parameter.detach().clone())
        average.update(decay)
    weights = [math.prod(decays)] + [(1 - d) * math.prod(decays[i + 1 :]) for i, d in enumerate(decays)]
    oracle = sum(w * h.double() for w, h in zip(weights, history, strict=True))
    assert torch.allclose(average.values["w"].double(), oracle, atol=1e-6)


def test_the_average_visits_the_model_and_leaves_no_trace():
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    average = Average({"w": parameter})
    with torch.no_grad():
        parameter += 0.1
    own = parameter.detach().clone()
    with pytest.raises(KeyError), average.in_model():
        assert parameter.tolist() == [1.0, 2.0]
        raise KeyError
    assert torch.equal(parameter, own)
    assert parameter.requires_grad


def test_an_average_of_half_precision_weights_is_kept_in_full():
    parameter = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    average = Average({"w": parameter})
    with torch.no_grad():
        parameter += 1
    average.update(0.9995)
    assert torch.allclose(average.values["w"], torch.full((3,), 1.0005), atol=1e-7)


def test_options_need_a_budget_and_know_their_fields():
    with pytest.raises(ValidationError, match="expected a budget; got neither steps nor minutes; give one of them"):
        TrainOptions()
    with pytest.raises(ValidationError, match=r"expected betas in \[0, 1\); got \(0.9, 1.0\); take \(0.9, 0.95\)"):
        TrainOptions(steps=1, betas=(0.9, 1.0))
    with pytest.raises(ValidationError, match="learning_rate"):
        TrainOptions(steps=1, learning_rate=0.1)  # type: ignore[call-arg]
    assert TrainOptions(steps=3, minutes=0.5).budget == "3 steps or 0.5 minutes"


def test_which_options_shape_the_result():
    base = TrainOptions(steps=10)
    same = {
        "steps": 20,
        "minutes": 3.0,
        "pause_minutes": 1.0,
        "log_steps": 3,
        "part_mib": 1.0,
        "keep": 2,
        "prefetch": 0,
    }
    assert TrainOptions(**(base.model_dump() | same)).result() == base.result()
    assert base.model_copy(update={"accumulate": 2}).result(1) == base.result(2)
    for name, value in {"lr": 1.0, "seed": 1, "precision": "bf16", "clip": 2.0, "ema": 0.5, "accumulate": 2}.items():
        assert base.model_copy(update={name: value}).result() != base.result(), name
