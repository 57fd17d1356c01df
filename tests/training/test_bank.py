"""The bank of objects: what is stored, how it is split, and that its symmetries are symmetries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from few_objects import KEYS, MESHES, Few, few_bank, nearest

from scenemaker.data.objects.surface import surface_points
from scenemaker.errors import InputError
from scenemaker.evaluation.measures.symmetry import Symmetries
from scenemaker.pose.dit.symmetric import nearest_symmetric
from scenemaker.training.data.bank import ObjectBank, build_bank, draw_keys, join_banks, pack_of
from scenemaker.training.data.chance import Chance
from scenemaker.training.data.symmetries import equivalent_t, padded, turned


def test_rows_are_those_of_the_meshes() -> None:
    bank = few_bank()
    assert bank.keys == tuple(f"few:{key}" for key in KEYS)
    for i, key in enumerate(KEYS):
        assert np.array_equal(bank.points_obj[i].numpy(), surface_points(MESHES[key], 2048))
    groups = {key.rpartition("_")[2]: int(_distinct(R)) for key, R in zip(KEYS, bank.symmetries, strict=True)}
    assert groups == {"corner": 1, "brick": 4, "cone": 1, "three/7": 24}
    assert torch.allclose(bank.axis[2].abs(), torch.tensor([0.0, 1.0, 0.0]))
    assert (bank.axis[:2] == 0).all()
    # of the cone: side of area pi r l with its centroid at a third, base pi r^2; obj's origin is at half the height
    r, slant = 0.4, float(np.hypot(0.4, 1))
    height = slant / 3 / (slant + r)
    assert torch.allclose(bank.pivot[2], torch.tensor([0.0, height - 0.5, 0.0]), atol=2e-3)


def _distinct(R: torch.Tensor) -> int:
    return len({tuple(r.flatten().round(decimals=3).tolist()) for r in R + 0.0})


def test_saved_and_loaded(tmp_path: Path) -> None:
    bank = few_bank()
    path = bank.save(tmp_path / "bank.safetensors")
    again = ObjectBank.load(path)
    assert again.keys == bank.keys
    assert (again.points_obj - bank.points_obj)[..., :3].abs().max() <= 1.01e-5
    assert (again.points_obj * bank.points_obj)[..., 3:].sum(-1).min() > np.cos(np.radians(0.5))
    for name in ("symmetries", "axis", "pivot"):
        assert torch.equal(getattr(again, name), getattr(bank, name)), name
    assert path.stat().st_size < 9 * 4 * 2048 + 4000, "nine bytes per point"


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"an object bank; got .*none\.safetensors: no such file; check the path"):
        ObjectBank.load(tmp_path / "none.safetensors")
    whole = few_bank().save(tmp_path / "bank.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="expected an object bank"):
        ObjectBank.load(tmp_path / "cut.safetensors")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"got .*other\.safetensors: another file"):
        ObjectBank.load(tmp_path / "other.safetensors")


def test_what_fails_is_listed_and_does_not_end_the_rest() -> None:
    calls: list[tuple[int, int]] = []
    keys = [KEYS[0], "broken", KEYS[2]]
    bank, failed = build_bank(Few(), keys, points=64, progress=lambda *at: calls.append(at))
    assert bank.keys == (f"few:{KEYS[0]}", f"few:{KEYS[2]}")
    assert failed == {"broken": "no mesh broken"}
    assert calls == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(InputError) as error:
        build_bank(Few(), ["broken"], points=64)
    assert str(error.value) == "expected at least one usable object; got broken: no mesh broken; check the meshes"


def test_drawn_keys_are_different() -> None:
    assert sorted(draw_keys(Few(), 4)) == sorted(KEYS)
    assert draw_keys(Few(), 2, seed=1) == draw_keys(Few(), 2, seed=1)
    with pytest.raises(InputError, match="expected 5 different objects; got 4 in 20 times as many draws"):
        draw_keys(Few(), 5)


def test_split_by_pack_and_by_hash() -> None:
    bank = few_bank()
    train, held = bank.split(["two_pack"])
    assert held.keys == ("few:two_pack__cone",)
    assert not set(train.keys) & set(held.keys)
    assert torch.equal(held.points_obj[0], bank.points_obj[2])
    assert torch.equal(held.axis[0], bank.axis[2])
    with pytest.raises(InputError) as error:
        bank.split(["five_pack"])
    assert str(error.value) == "expected packs of the bank; got five_pack; choose from one_pack, two_pack"
    with pytest.raises(InputError, match="expected objects on both sides; got 0 of 4 held out"):
        bank.split()

    many = join_banks([bank.select([3])] * 400)
    many.keys = tuple(f"procedural:table/{i}" for i in range(400))
    train, held = many.split(share=0.1)
    assert 20 < len(held) < 65
    assert set(train.keys) | set(held.keys) == set(many.keys)
    fewer = many.select(range(0, 400, 3))
    assert set(fewer.split(share=0.1)[1].keys) == set(held.keys) & set(fewer.keys), "a key alone decides"


def test_names_of_packs() -> None:
    assert pack_of("a:deep/folder/my_pack__thing__2") == "my_pack"
    assert pack_of("procedural:table/3") is None


def test_rows_by_name() -> None:
    bank = few_bank()
    assert bank.rows(["few:three/7", "elsewhere:one_pack__brick", "few:none", "none"]) == [3, 1, None, None]
    twice = join_banks([bank, bank.select([0])])
    twice.keys = (*bank.keys, "more:one_pack__corner")
    assert twice.rows(["more:one_pack__corner", "few:one_pack__corner", "x:one_pack__corner"]) == [4, 0, None]


def test_joined_banks() -> None:
    bank = few_bank()
    both = join_banks([bank.select([0, 1]), bank.select([3])])  # the brick has 4 rotations, the ball 24
    assert both.keys == (bank.keys[0], bank.keys[1], bank.keys[3])
    assert torch.equal(both.symmetries, bank.symmetries[[0, 1, 3]])
    with pytest.raises(InputError, match=r"expected banks of one number of points; got \[64, 2048\]"):
        join_banks([bank, few_bank(64)])


def test_equivalent_poses_put_the_shape_where_it_is() -> None:
    """In frames that are turned and centred anew; without ``equivalent_t`` the cone would not be there."""
    bank = few_bank()
    chance = Chance("cpu", "test")
    rows = torch.tensor([1, 2, 3])
    Q, R, s = chance.rotations(3), chance.rotations(3), torch.tensor([0.5, 2.0, 1.0])
    t = chance.normal(3, 3)
    p = bank.points_obj[rows, :, :3] @ Q.mT
    centre = (p.amin(1) + p.amax(1)) / 2
    p, pivot = p - centre[:, None], (Q @ bank.pivot[rows, :, None])[..., 0] - centre
    symmetries, axis = turned(bank.symmetries[rows], bank.axis[rows], Q)
    wanted = chance.normal(3, 12, 6)
    R_equal = nearest_symmetric(R, symmetries, axis, wanted)  # (3, 12, 3, 3)
    assert torch.allclose(torch.linalg.det(R_equal), torch.ones(3, 12), atol=1e-4)
    t_equal = equivalent_t(R, t, s, R_equal, pivot)
    true = s[:, None, None] * p @ R.mT + t[:, None]
    p = p[:, :300]
    floor = nearest(true[:, ::2], true[:, 1::2]).mean(-1)  # (3,) of two samples of one surface
    placed = s[:, None, None, None] * p[:, None] @ R_equal.mT + t_equal[:, :, None]
    off = torch.stack([nearest(placed[i], true[i][None]).mean(-1) for i in range(3)])  # (3, 12)
    assert (off.amax(1) < floor + 0.005 * s).all()
    placed = s[:, None, None, None] * p[:, None] @ R_equal.mT + t[:, None, None]
    assert nearest(placed[1], true[1][None]).mean(-1).max() > 0.05 * s[1], "the cone's axis is beside its box"


def test_any_rotation_of_a_ball_has_an_equivalent_near_it() -> None:
    rotations, axis = padded([Symmetries(rotations=np.eye(3)[None], ball=True)])
    assert torch.equal(rotations[0, 0], torch.eye(3))
    assert torch.allclose(rotations[0] @ rotations[0].mT, torch.eye(3).expand(24, 3, 3), atol=1e-5)
    R = Chance("cpu", 0).rotations(2000)
    noise = torch.cat([R[..., 0], R[..., 1]], -1)[None]
    found = nearest_symmetric(torch.eye(3)[None], rotations, axis, noise)[0]
    angle = torch.rad2deg(torch.arccos((((found * R).sum((1, 2)) - 1) / 2).clamp(-1, 1)))
    assert angle.max() < 40
    assert angle.mean() < 17.5
