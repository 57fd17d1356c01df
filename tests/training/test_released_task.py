"""Fine-tuning of toy weights: the loss of the reference, what is trained, and a checkpoint that loads again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from released_tiny import config_tree, vecset_tree, write_checkpoint
from safetensors.torch import load_file

from scenemaker.errors import ConfigError
from scenemaker.geometry.mesh import sample_surface
from scenemaker.pose.dit.pictures import PosePictures
from scenemaker.pose.dit.types import DIM, Layout
from scenemaker.pose.released.checkpoint import load_released
from scenemaker.pose.released.inputs import encode
from scenemaker.testing import make_sample
from scenemaker.training.data.posed import Posed
from scenemaker.training.tasks.released import ReleasedTask


class Made:
    """Two made scenes over and over."""

    def posed(self, step: int, scenes: int) -> Posed:
        samples: list[Any] = [make_sample(3), make_sample(2)]
        poses = [p for s in samples for p in s.poses]
        n = len(poses)
        geometry = np.stack([sample_surface(g.mesh, 64, seed=step)[0] for s in samples for g in s.geometries])

        def stacked(get: Any) -> torch.Tensor:
            return torch.stack([torch.as_tensor(np.asarray(get(s))).float() for s in samples])

        return Posed(
            pictures=PosePictures(
                layout=Layout.of([3, 2]),
                points_cam=stacked(lambda s: s.point_map.points_cam),
                labels=stacked(lambda s: s.instances.labels.astype(np.int64)).long(),
                K=stacked(lambda s: s.point_map.K),
                up=stacked(lambda s: s.point_map.up_cam),
                geometry=torch.from_numpy(np.concatenate([geometry, np.ones_like(geometry)], -1)).float(),
                rgb=stacked(lambda s: s.photo.rgb.transpose(2, 0, 1)) / 255,
            ),
            R=torch.from_numpy(np.stack([p.R_cam_obj for p in poses])).float(),
            t=torch.from_numpy(np.stack([p.t_cam_obj for p in poses])).float(),
            s=torch.tensor([p.scale for p in poses]).float(),
            symmetries=torch.eye(3).expand(n, 1, 3, 3),
            axis=torch.zeros(n, 3),
            pivot=torch.zeros(n, 3),
            visible_fraction=torch.full((n,), math.nan),
        )


def task(folder: Path, **options: Any) -> ReleasedTask:
    return ReleasedTask(folder, Made(), Made(), scenes=2, validate_scenes=2, steps=2, **options)


def test_ten_steps_lower_the_loss_and_the_result_loads(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "a", kind="bin")
    tuned = task(source)
    batch = tuned.batch(0)
    assert len(batch) == 2 and len(batch.inputs.slot) == 5

    def loss() -> float:
        with torch.no_grad():
            return sum(float(tuned.loss(batch, torch.Generator().manual_seed(s))[0]) for s in range(8)) / 8

    before = loss()
    ((parameters, factor),) = tuned.parameters()
    assert factor == 1.0
    optimizer = torch.optim.AdamW(parameters, lr=1e-2)
    for step in range(10):
        optimizer.zero_grad()
        tuned.loss(batch, torch.Generator().manual_seed(step))[0].backward()
        optimizer.step()
    assert loss() < 0.7 * before

    path = tuned.write(tuned.model, tmp_path / "b", {"step": 10})
    again = load_released(tmp_path / "b")
    for (name, a), b in zip(again.state_dict().items(), tuned.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    old, new = torch.load(source / "model.bin", weights_only=True), load_file(path)
    still = {name for name in old if torch.equal(old[name], new[name])}
    assert {n for n in old if n.startswith(("shape_model.", "condition.", "denoiser_model.clip_embed"))} <= still
    moved = old.keys() - still
    assert {n.partition(".")[0] for n in moved} == {"denoiser_model", "pose_model", "pose_emb", "pcd_model"}


def test_loss_as_written_down(tmp_path: Path) -> None:
    """Plainly, scene by scene and object by object, with the noise that the task draws."""
    tuned = task(write_checkpoint(tmp_path), drop=0.0)
    batch, model = tuned.batch(3), tuned.model
    with torch.no_grad():
        got, parts = tuned.loss(batch, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(4)
    eps = torch.randn(5, DIM, generator=generator)
    t = 1000 - torch.randint(1000, (2,), generator=generator)
    torch.rand(2, generator=generator)
    seed = int(torch.randint(2**31, (1,), generator=generator))
    encoded = model.encode(batch.inputs, seed, range(5))  # type: ignore[operator]
    context = model.denoiser_model.context(encoded.tokens)  # type: ignore[union-attr]
    x0 = encode(batch.target, batch.inputs)
    sigma = torch.tensor([float(t[0])] * 3 + [float(t[1])] * 2)[:, None] / 1000
    x = (1 - sigma) * x0 + sigma * eps
    v = model.velocity(x, t, encoded, context).detach()  # type: ignore[operator]
    want = []
    for rows in ([0, 1, 2], [3, 4]):
        scene = 0.0
        for i in rows:
            s = float(sigma[i])
            weight = 2 / (math.pi * (1 - 2 * s + 2 * s * s))
            square = weight * ((x - sigma * v)[i] - x0[i]) ** 2
            scene += float(square[:6].mean() + square[6:9].mean() + square[9])
        want.append(scene / len(rows))
    assert float(got) == pytest.approx(sum(want) / 2, rel=1e-4)
    assert float(sum(parts.values())) == pytest.approx(float(got), rel=1e-5)
    assert list(parts) == ["rotation", "translation", "size"]


def test_dropped_conditions_are_zeros(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    dropped, kept = task(folder, drop=1.0), task(folder, drop=0.0)
    batch = kept.batch(0)
    changed = kept.batch(0)
    changed.inputs.crop.mul_(0.1)
    changed.inputs.cloud.add_(0.2)
    values = {}
    for name, t in (("dropped", dropped), ("kept", kept)):
        with torch.no_grad():
            values[name] = [float(t.loss(b, torch.Generator().manual_seed(0))[0]) for b in (batch, changed)]
    assert values["dropped"][0] == pytest.approx(values["dropped"][1], rel=1e-6)
    assert values["kept"][0] != pytest.approx(values["kept"][1], rel=1e-4)


def test_frozen_parts_and_the_frozen_point_encoder(tmp_path: Path) -> None:
    trees = {
        "mlp": config_tree(system__freeze_pcd_model=True),  # the reference freezes no MLP
        "vecset": vecset_tree(system__freeze_pcd_model=True),
        "vecset_free": vecset_tree(),
    }
    trained = {}
    for name, tree in trees.items():
        parameters = task(write_checkpoint(tmp_path / name, tree)).model.named_parameters()
        trained[name] = {n.partition(".")[0] for n, p in parameters if p.requires_grad}
    rest = {"denoiser_model", "pose_model", "pose_emb"}
    assert trained["mlp"] == rest | {"pcd_model"}
    assert trained["vecset"] == rest | {"pcd_emb"}
    assert trained["vecset_free"] == rest | {"pcd_emb", "pcd_model"}


def test_weights_of_another_loss(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        task(write_checkpoint(tmp_path, config_tree(system__weighting_scheme="sigma_sqrt")))
    what = "system.weighting_scheme: cosmap in config.yaml of weights that are fine-tuned"
    assert str(caught.value) == f"expected {what}; got sigma_sqrt; only that loss is rebuilt here"


def test_batches_and_validation_repeat(tmp_path: Path) -> None:
    tuned = task(write_checkpoint(tmp_path))
    a, b, c = tuned.batch(5), tuned.batch(5), tuned.batch(6)
    assert torch.equal(a.inputs.cloud, b.inputs.cloud) and not torch.equal(a.inputs.surface, c.inputs.surface)
    first, second = tuned.validate(tuned.model), tuned.validate(tuned.model)
    assert first == second and first["objects"] == 5
    assert set(first) == {"rot_15", "rotation_deg", "translation", "size_ratio", "objects"}
    assert 0 <= first["rotation_deg"] <= 180 and first["size_ratio"] >= 1
