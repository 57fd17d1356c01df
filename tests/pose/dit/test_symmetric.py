"""The equivalent rotation nearest to a drawn noise, against brute force over group and angles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from scenemaker.pose.dit.symmetric import nearest_symmetric
from scenemaker.pose.dit.variables import rot6d_from_R

Y = [0.0, 1.0, 0.0]
TILTED = [2 / 3, -1 / 3, 2 / 3]


def _t(R: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(R, np.float32))


def _about(axis: list[float], turns: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(2 * np.pi * turns[:, None] * np.asarray(axis)).as_matrix()


def _brute(R: np.ndarray, group: np.ndarray, axis: list[float] | None, rot6d: np.ndarray) -> float:
    """Least squared distance of rot6d to the noise over the group and, with an axis, over 3600 angles."""
    turns = _about(axis, np.arange(3600) / 3600) if axis else np.eye(3)[None]
    all_R = np.einsum("ij,gjk,akl->gail", R, group, turns).reshape(-1, 3, 3)
    columns = np.concatenate([all_R[..., 0], all_R[..., 1]], -1)
    return float(((columns - rot6d) ** 2).sum(-1).min())


@pytest.mark.parametrize(
    ("group", "axis"),
    [
        (Rotation.identity(1).as_matrix(), None),
        (Rotation.create_group("O").as_matrix(), None),
        (_about(TILTED, np.arange(5) / 5), None),
        (Rotation.identity(1).as_matrix(), Y),
        (Rotation.identity(1).as_matrix(), TILTED),
        (np.stack([np.eye(3), np.diag([1.0, -1, -1])]), Y),  # a cylinder: upside down too
    ],
)
def test_it_is_as_near_as_the_best_of_all(group: np.ndarray, axis: list[float] | None) -> None:
    N, S = 4, 6
    R = Rotation.random(N, np.random.default_rng(1)).as_matrix()
    noise = np.random.default_rng(2).normal(size=(N, S, 6))
    a = torch.tensor(axis or [0.0, 0, 0]).expand(N, 3)
    found = nearest_symmetric(_t(R), _t(group).expand(N, -1, 3, 3), a, _t(noise))
    assert found.shape == (N, S, 3, 3)
    distance = ((rot6d_from_R(found).double().numpy() - noise) ** 2).sum(-1)
    for n in range(N):
        for s in range(S):
            best = _brute(R[n], group, axis, noise[n, s])
            assert distance[n, s] == pytest.approx(best, abs=2e-5)
            inside = R[n].T @ found[n, s].double().numpy()  # a symmetry itself
            if axis:
                ends = np.asarray(axis) @ (np.swapaxes(group, 1, 2) @ inside) @ np.asarray(axis)
                assert ends.max() == pytest.approx(1, abs=1e-5)
            else:
                assert np.abs(group - inside).max((1, 2)).min() < 1e-5


def test_each_object_has_its_own_symmetries_and_none_keeps_the_truth() -> None:
    R = _t(Rotation.random(3, np.random.default_rng(3)).as_matrix())
    symmetries = torch.eye(3).repeat(3, 2, 1, 1)
    symmetries[1, 1] = torch.diag(torch.tensor([-1.0, 1, -1]))
    axis = torch.tensor([[0.0, 0, 0], [0, 0, 0], Y])
    flipped = R[1] @ symmetries[1, 1]
    turned = R[2] @ _t(_about(Y, np.array([0.3])))[0]
    rot6d = torch.stack([-rot6d_from_R(R[0]), rot6d_from_R(flipped), rot6d_from_R(turned)])[:, None]
    found = nearest_symmetric(R, symmetries, axis, rot6d)[:, 0]
    assert torch.equal(found[0], R[0])  # though the noise is as far as can be
    torch.testing.assert_close(found[1], flipped)
    torch.testing.assert_close(found[2], turned, atol=1e-6, rtol=0)


def test_no_noise_at_all_still_gives_a_rotation() -> None:
    R = _t(Rotation.random(2, np.random.default_rng(4)).as_matrix())
    found = nearest_symmetric(R, torch.eye(3).expand(2, 1, 3, 3), torch.tensor([Y, [0.0, 0, 0]]), torch.zeros(2, 1, 6))
    torch.testing.assert_close(found @ found.mT, torch.eye(3).expand(2, 1, 3, 3), atol=1e-6, rtol=0)
