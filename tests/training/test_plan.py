"""The plan of a training against hand counts; it changes nothing."""

from __future__ import annotations

import json

import pytest
import torch
from toy_task import ToyTask

from scenemaker.training.checkpoints import save_checkpoint
from scenemaker.training.options import TrainOptions
from scenemaker.training.plan import plan
from scenemaker.training.stepper import Stepper

W = 4000
NET = (3 * W + W) + 2 * W + (2 * W + 2)  # linear, norm, linear
MIB = 2**20


def test_sizes_by_hand():
    found = plan(ToyTask(width=W), TrainOptions(steps=50))
    assert found.parameters == NET + 6 and found.trained == NET
    assert found.by_part == {"net": NET, "frozen": 6}
    memory = found.memory_mib
    assert memory["weights"] == pytest.approx((4 * (NET + 6) + 8) / MIB)  # and one int64 buffer
    assert memory["gradients"] == memory["average"] == pytest.approx(4 * NET / MIB)
    assert memory["optimizer"] == pytest.approx((8 * NET + 6 * 4) / MIB)  # two means, and a count per tensor
    assert found.weights_mib == memory["weights"]
    assert found.steps == 50 and found.samples == 50 * 8
    assert found.samples_per_second == pytest.approx(8 / found.seconds_per_step)
    assert found.minutes == pytest.approx(50 * found.seconds_per_step / 60)


def test_the_checkpoint_is_as_large_as_it_says(tmp_path):
    options = TrainOptions(steps=5)
    found = plan(ToyTask(width=W), options)
    task = ToyTask(width=W)
    stepper = Stepper(task, options)
    stepper.step(0, [task.batch(0)], 0.0)
    path = save_checkpoint(tmp_path, 1, stepper.tensors(), {}, part_mib=16)
    assert sum(p.stat().st_size for p in path.iterdir()) / MIB == pytest.approx(found.checkpoint_mib, rel=0.02)


def test_the_memory_of_a_step_is_measured():
    class Hungry(ToyTask):
        def loss(self, batch, generator):
            held = torch.ones(128, 2**18)  # 128 MiB
            loss, parts = super().loss(batch, generator)
            return loss + 0 * held.sum(), parts

    little, much = (plan(kind(), TrainOptions(steps=5)).memory_mib["step"] for kind in (ToyTask, Hungry))
    assert little < 60 < 100 < much < 190


def test_time_is_that_of_data_and_step_and_the_budget_follows(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("scenemaker.training.plan.time.perf_counter", lambda: clock[0])

    class Slow(ToyTask):
        def batch(self, step):
            clock[0] += (0.0, 0.0, 1.0, 0.0, 0.25, 0.25, 2.0, 2.0)[step]  # the first step is not measured
            return super().batch(step)

    found = plan(Slow(), TrainOptions(minutes=1, accumulate=2))
    assert found.seconds_per_step == 1.0  # the median of 1, 0.5, 4
    assert (found.steps, found.samples, found.minutes) == (60, 60 * 16, 1.0)
    assert plan(Slow(), TrainOptions(minutes=1, steps=7, accumulate=2)).steps == 7
    assert plan(Slow(), TrainOptions(minutes=1, steps=700, accumulate=2)).steps == 60


def test_nothing_is_written_and_the_model_is_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = ToyTask()
    before = {k: v.clone() for k, v in task.model.state_dict().items()}
    found = plan(task, TrainOptions(steps=5))
    assert all(torch.equal(v, before[k]) for k, v in task.model.state_dict().items())
    assert not list(tmp_path.iterdir())
    assert json.loads(json.dumps(found.as_json()))["trained"] == found.trained
    text = str(found).splitlines()
    assert [line.split()[0] for line in text] == ["parameters", "memory", "speed", "budget", "files"]
    assert text[3].startswith("budget      5 steps, 40 samples, 0.0 minutes")
