"""The pose task: ten scenes are learnt by heart, statistics, symmetric targets, frozen encoders, weights that load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from few_objects import few_bank

from scenemaker.pose.dit.config import DiTConfig, PoseModelConfig, model_config
from scenemaker.pose.dit.feature_cache import FeatureCache
from scenemaker.pose.dit.pose_model import PoseModel
from scenemaker.pose.dit.types import PoseBatch, Poses
from scenemaker.pose.dit.weights import load_model
from scenemaker.training.data.augment import Augment
from scenemaker.training.data.splat_poses import POSE_SPLATS, SplatPoses
from scenemaker.training.data.symmetries import equivalent_t
from scenemaker.training.loop import train
from scenemaker.training.options import TrainOptions
from scenemaker.training.sources import Repeated
from scenemaker.training.stepper import Stepper
from scenemaker.training.tasks.pose import PoseTask
from scenemaker.training.validation import pose_errors, summary

TINY = model_config("tiny")


def source(config: PoseModelConfig = TINY) -> SplatPoses:
    """Exact scenes of two to four objects; a ball has no rotation that could be learnt."""
    splats = POSE_SPLATS.model_copy(update={"count": (2, 4)})
    return SplatPoses(few_bank().select([0, 1, 2]), splats, config, Augment.none(), ground=0.0)


def task(model: PoseModel, scenes: int = 4, **options: object) -> PoseTask:
    return PoseTask(model, source(), source(), scenes=scenes, validate_scenes=scenes, **options)  # type: ignore[arg-type]


def seeded(config: PoseModelConfig = TINY) -> PoseModel:
    torch.manual_seed(0)
    return PoseModel(config)


def test_two_rows_of_measures_the_harder_one_first() -> None:
    both = task(seeded(), exact=source())
    found = both.validate(both.model.eval())
    assert next(iter(found)) == "rotation_deg"
    names = [name for name in found if not name.startswith("exact_")]
    assert list(found) == names + [f"exact_{name}" for name in names]
    assert all(found[name] == found[f"exact_{name}"] for name in names)  # of one source here
    assert list(task(both.model).validate(both.model)) == names


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch looks at it, and hides what it says of that
def test_compiled_blocks_give_equal_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as ever, only no C++ is made of it: that needs a compiler."""
    compiled = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *a, **k: compiled(*a, **{**k, "backend": "eager"}))
    rows = []
    for on in (False, True):
        learner = task(seeded())
        assert learner.compiled() == [learner.model.dit]
        stepper = Stepper(learner, TrainOptions(steps=3, warmup=0, lr=1e-3, compile=on))
        rows.append([stepper.step(i, [learner.batch(i)], 0.0).values["loss"] for i in range(3)])
        assert (learner.model.dit._compiled_call_impl is not None) == on
        assert not [name for name in learner.model.state_dict() if "_orig_mod" in name]
    assert rows[1] == pytest.approx(rows[0], rel=1e-5) and len(set(rows[0])) == 3


@pytest.mark.slow
def test_ten_scenes_are_learnt_by_heart(tmp_path: Path) -> None:
    """The issue's number: below 5 degrees and 2 % of the translation; a model that only knew the data's mean would be
    off by about 90 degrees, and one that ignored the pictures could not tell the ten scenes apart."""
    ten = Repeated(source(), 1)
    learner = PoseTask(seeded(), ten, ten, scenes=10, levels=8, drop=0.0, validate_scenes=10, steps=20)
    before = learner.validate(learner.model.eval())
    learner.model.train()
    options = TrainOptions(steps=500, lr=2e-3, warmup=20, ema_start=0.9, ema=0.99, prefetch=0, validate_minutes=None)
    report = train(learner, options, tmp_path)
    assert report.best is not None
    after = report.best[1]
    assert before["rotation_deg"] > 30 and before["translation"] > 0.1
    assert after["rotation_deg"] < 5 and after["rot_15"] > 0.85
    assert after["translation"] < 0.02 and after["size_ratio"] < 1.02
    # the file that was written is that model, and the one users load
    loaded = load_model(tmp_path / "weights" / "pose.safetensors")
    again = learner.validate(loaded)
    assert again["rotation_deg"] == pytest.approx(after["rotation_deg"], abs=0.5)


def test_statistics_are_those_of_the_source() -> None:
    one = task(seeded(), scenes=16)
    variables = one.model.variables
    x = torch.cat(
        [
            variables.encode(batch.target, batch.inputs.centre, batch.inputs.radius)
            for batch in (one.source.batch(step, 32) for step in range(6))
        ]
    )  # (N, 10) of batches that the statistics have not seen
    assert torch.allclose(x[:, 6:].quantile(0.5, dim=0), torch.zeros(4), atol=0.2)
    spread = x[:, 6:].abs().mean(0) / (2 / torch.pi) ** 0.5  # (4,) mean absolute deviation, as of a normal one
    assert torch.allclose(spread, torch.ones(4), atol=0.25)
    kept = task(one.model, statistics=False).model.variables
    assert torch.equal(kept.mean, variables.mean)


def test_equal_steps_give_equal_losses_and_other_noise_others() -> None:
    one = task(seeded())
    batch = one.batch(3)
    with torch.no_grad():
        first, _ = one.loss(batch, torch.Generator().manual_seed(5))
        again, parts = one.loss(one.batch(3), torch.Generator().manual_seed(5))
        other, _ = one.loss(batch, torch.Generator().manual_seed(6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(first, parts["rotation"] + parts["translation"] + parts["size"])
    # a fresh model says 0: what is left is the velocity itself, of variance 2 in each standardised variable
    assert 4 < float(first) < 8


def test_a_symmetric_object_may_be_learnt_in_any_of_its_poses() -> None:
    """Turning the target by a symmetry of the object, about its pivot, changes nothing of the loss."""
    one = task(seeded())
    for parameter in one.model.parameters():  # a fresh model would say 0 to all
        parameter.data.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    batch = one.batch(0)
    N = len(batch.target.s)
    half = torch.diag(torch.tensor([-1.0, 1.0, -1.0])).expand(N, 3, 3)
    pivot = torch.tensor([0.1, 0.0, -0.05]).expand(N, 3)
    group = torch.stack([torch.eye(3).expand(N, 3, 3), half], 1)  # (N, 2, 3, 3)
    symmetric = replace(batch, symmetries=group, axis=torch.zeros(N, 3), pivot=pivot)
    R = batch.target.R @ half
    t = equivalent_t(batch.target.R, batch.target.t, batch.target.s, R[:, None], pivot)[:, 0]
    turned = replace(symmetric, target=Poses(R=R, t=t, s=batch.target.s))

    def loss(of: PoseBatch) -> float:
        return float(one.loss(of, torch.Generator().manual_seed(0))[0].detach())

    assert loss(symmetric) == pytest.approx(loss(turned), rel=1e-4)
    alone = replace(turned, symmetries=torch.eye(3).expand(N, 1, 3, 3))
    assert abs(loss(alone) - loss(symmetric)) > 0.01
    errors = pose_errors(Poses(R=R, t=t, s=batch.target.s), symmetric)
    assert float(errors["rotation_deg"].max()) < 0.1 and float(errors["translation"].max()) < 1e-4


def test_frozen_encoders_stay_and_are_computed_once() -> None:
    model, cache = seeded(), FeatureCache()
    repeated = Repeated(source(), 2)
    one = PoseTask(model, repeated, repeated, scenes=3, encoders="frozen", cache=cache)
    dit = {id(p) for p in model.dit.parameters()}
    assert [factor for _, factor in one.parameters()] == [1.0]
    assert {id(p) for group, _ in one.parameters() for p in group} == dit
    made = 0
    encoded = model.encoded

    def counted(*given: object) -> object:
        nonlocal made
        made += 1
        return encoded(*given)  # type: ignore[arg-type]

    model.encoded = counted  # type: ignore[method-assign, assignment]
    losses = [float(one.loss(one.batch(step), torch.Generator().manual_seed(0))[0].detach()) for step in range(6)]
    assert made == 6  # three scenes of each of two batches
    assert losses[:2] == losses[2:4] == losses[4:]
    plain = PoseTask(model, repeated, repeated, scenes=3, encoders="frozen", statistics=False)
    assert float(plain.loss(plain.batch(0), torch.Generator().manual_seed(0))[0].detach()) == pytest.approx(
        losses[0], rel=1e-5
    )


def test_joint_encoders_learn_at_their_own_rate() -> None:
    one = task(seeded(), encoder_lr=0.3)
    (dit, first), (rest, second) = one.parameters()
    assert (first, second) == (1.0, 0.3)
    assert {id(p) for p in [*dit, *rest]} == {id(p) for p in one.model.parameters()}
    for parameter in one.model.dit.parameters():  # gates start at zero
        parameter.data.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    one.loss(one.batch(0), torch.Generator().manual_seed(0))[0].backward()
    for name in ("geometry", "points", "image", "scene_image"):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in getattr(one.model, name).parameters()), name


def test_errors_of_the_truth_are_none_and_known_errors_are_found() -> None:
    batch = source().batch(0, 4)
    N, target = len(batch.target.s), batch.target
    none = summary(pose_errors(target, batch), batch.visible_fraction)
    assert none["rot_15"] == none["add_s_2"] == 1 and none["translation"] < 1e-6 and none["objects"] == N
    turn = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    lonely = replace(batch, symmetries=torch.eye(3).expand(N, 1, 3, 3), axis=torch.zeros(N, 3))
    wrong = pose_errors(Poses(R=target.R @ turn, t=target.t, s=2 * target.s), lonely)
    assert torch.allclose(wrong["rotation_deg"], torch.full((N,), 90.0), atol=0.1)
    assert torch.allclose(wrong["size_ratio"], torch.full((N,), 2.0))
    moved = pose_errors(Poses(R=target.R, t=target.t + torch.tensor([0.3, 0.0, 0.0]), s=target.s), lonely)
    side = (batch.inputs.geometry[:, :512, :3].amax(1) - batch.inputs.geometry[:, :512, :3].amin(1)).amax(-1)
    assert torch.allclose(moved["translation"], 0.3 / (side * target.s), rtol=1e-4)
    assert (moved["translation_scene"] < moved["translation"] + 1e-6).all()


def test_switches_reach_the_task() -> None:
    """An ablated model trains: one without images, geometry and global attention."""
    config = TINY.model_copy(
        update={"dit": DiTConfig(width=48, layers=1, heads=4, use_image=False, use_geometry=False, global_self=False)}
    )
    one = PoseTask(seeded(config), source(config), source(config), scenes=3)
    loss, _ = one.loss(one.batch(0), torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
