"""Poses as standardised numbers and back, and rotations of any six numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from scenemaker.geometry import transforms
from scenemaker.pose.dit.types import Poses
from scenemaker.pose.dit.variables import R_from_rot6d, Variables, rot6d_from_R


def _rotations(*shape: int, seed: int = 0) -> Tensor:
    R = Rotation.random(math.prod(shape), np.random.default_rng(seed)).as_matrix()
    return torch.from_numpy(R.astype(np.float32)).reshape(*shape, 3, 3)


def _poses(*shape: int, seed: int = 0) -> tuple[Poses, Tensor, Tensor]:
    """Poses (N, ...) with centre (N, 3) and radius (N,) of their clouds."""
    g = torch.Generator().manual_seed(seed)
    ones = [1] * (len(shape) - 1)
    centre, radius = torch.randn(shape[0], 3, generator=g), torch.rand(shape[0], generator=g) + 0.1
    t = centre.view(-1, *ones, 3) + radius.view(-1, *ones, 1) * torch.randn(*shape, 3, generator=g)
    s = radius.view(-1, *ones) * torch.randn(shape, generator=g).exp()
    return Poses(R=_rotations(*shape, seed=seed), t=t, s=s), centre, radius


def test_rot6d_is_first_and_second_column_as_everywhere_in_the_house() -> None:
    R = _rotations(5, 2)
    rot6d = rot6d_from_R(R)
    assert torch.equal(rot6d[..., :3], R[..., :, 0])
    np.testing.assert_allclose(rot6d, transforms.rot6d_from_R(R.numpy()))
    noisy = rot6d + 0.3 * torch.randn(rot6d.shape, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(R_from_rot6d(noisy), transforms.R_from_rot6d(noisy.numpy()), atol=2e-6)


@pytest.mark.parametrize("anchored", [True, False])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from([(1,), (4,), (3, 2), (2, 3, 4)]))
def test_there_and_back(anchored: bool, seed: int, shape: tuple[int, ...]) -> None:
    poses, centre, radius = _poses(*shape, seed=seed)
    variables = Variables(anchored=anchored)
    variables.fit(*_poses(50, seed=1))
    x = variables.encode(poses, centre, radius)
    assert x.shape == (*shape, 10)
    back = variables.decode(x, centre, radius)
    torch.testing.assert_close(back.R, poses.R, atol=2e-6, rtol=0)
    torch.testing.assert_close(back.t, poses.t, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(back.s, poses.s, atol=0, rtol=1e-5)


def test_the_numbers_by_hand() -> None:
    poses = Poses(R=torch.eye(3)[None], t=torch.tensor([[3.0, 0, 1]]), s=torch.tensor([2 * math.e]))
    centre, radius = torch.tensor([[1.0, 0, 0]]), torch.tensor([2.0])
    x = Variables(anchored=True).encode(poses, centre, radius)
    r = math.sqrt(3)
    torch.testing.assert_close(x, torch.tensor([[r, 0, 0, 0, r, 0, 1, 0, 0.5, 1]]))
    x = Variables(anchored=False).encode(poses, centre, radius)
    torch.testing.assert_close(x, torch.tensor([[r, 0, 0, 0, r, 0, 3, 0, 1, math.log(2) + 1]]))


def test_fitted_variables_are_standard_and_a_rotation_keeps_one_scale() -> None:
    variables = Variables()
    sample = _poses(4000, seed=3)
    sample[0].t.sub_(sample[1]).mul_(3).add_(sample[1] + sample[2][:, None])  # mean 1, standard deviation 3
    variables.fit(*sample)
    torch.testing.assert_close(variables.mean[6:9], torch.ones(3), atol=0.15, rtol=0)
    torch.testing.assert_close(variables.std[6:9], torch.full((3,), 3.0), atol=0.15, rtol=0)
    x = variables.encode(*sample)
    torch.testing.assert_close(x[:, 6:].mean(0), torch.zeros(4), atol=0.06, rtol=0)
    torch.testing.assert_close(x[:, 6:].std(0), torch.ones(4), atol=0.06, rtol=0)
    np.testing.assert_allclose(x[:, 6:].quantile(0.5, dim=0), 0, atol=1e-5)
    np.testing.assert_allclose(x[:, 6:].abs().mean(0), math.sqrt(2 / math.pi), atol=1e-4)
    assert set(variables.mean[:6].tolist()) == {0.0}
    torch.testing.assert_close(variables.std[:6], torch.full((6,), 3**-0.5))
    torch.testing.assert_close(x[:, :6].std(0), torch.ones(6), atol=0.05, rtol=0)
    again = Variables()
    again.load_state_dict(variables.state_dict())
    assert torch.equal(again.encode(*sample), x)


def test_a_few_far_away_objects_do_not_squeeze_the_others() -> None:
    poses, centre, radius = _poses(4000, seed=4)
    clean, tailed = Variables(), Variables()
    clean.fit(poses, centre, radius)
    far = torch.arange(4000) % 20 == 0  # 5 %, all on one side
    t = torch.where(far[:, None], centre + 30 * radius[:, None], poses.t)
    s = torch.where(far, 100 * poses.s, poses.s)
    tailed.fit(Poses(R=poses.R, t=t, s=s), centre, radius)
    torch.testing.assert_close(tailed.mean, clean.mean, atol=0.1, rtol=0)
    y = torch.cat([(t - centre) / radius[:, None], (s / radius).log()[:, None]], 1)  # (M, 4)
    assert (tailed.std[6:9] < 0.5 * y.std(0)[:3]).all()  # what the few would make of it
    assert (tailed.std[6:] < 3 * clean.std[6:]).all()
    loss = tailed.encode(Poses(R=poses.R, t=t, s=s), centre, radius)[:, 6:].square().mean(0)  # (4,)
    assert (loss < 10).all()  # and yet they do not make up nearly all of the loss


def test_poses_that_are_all_alike_do_not_divide_by_zero() -> None:
    poses, centre, radius = _poses(1)
    variables = Variables()
    variables.fit(poses, centre, radius)
    assert (variables.std > 0).all()
    assert variables.encode(poses, centre, radius).isfinite().all()


def test_anchored_variables_do_not_change_with_the_unit_or_the_place() -> None:
    poses, centre, radius = _poses(6)
    shift = torch.tensor([1.0, -2, 3])
    moved = Poses(R=poses.R, t=5 * (poses.t + shift), s=5 * poses.s)
    new_centre, new_radius = 5 * (centre + shift), 5 * radius
    anchored, plain = Variables(anchored=True), Variables(anchored=False)
    torch.testing.assert_close(
        anchored.encode(moved, new_centre, new_radius), anchored.encode(poses, centre, radius), atol=1e-4, rtol=1e-4
    )
    assert not torch.allclose(plain.encode(moved, new_centre, new_radius), plain.encode(poses, centre, radius))


@pytest.mark.parametrize(
    "rot6d",
    [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0, 0],
        [1, 2, 3, 0, 0, 0],
        [1, 2, 3, 1, 2, 3],
        [1, 2, 3, -2, -4, -6],
        [1, 2, 3, 1, 2, 3.000001],
        [1e30, 1e30, 0, 1e-30, 0, 1e-30],
        [1e-9, 0, 0, 0, 1e-9, 0],
        [3e38, -3e38, 3e38, 3e38, 3e38, 3e38],
        [1, 0, 0, 1, 1e-4, 0],
    ],
)
def test_any_six_numbers_are_a_rotation(rot6d: list[float]) -> None:
    R = R_from_rot6d(torch.tensor(rot6d, dtype=torch.float32))
    torch.testing.assert_close(R.T @ R, torch.eye(3), atol=1e-5, rtol=0)
    assert torch.linalg.det(R).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("off", [0, 1e-7, 1e-5, 3e-4, 1e-3])
def test_columns_that_are_nearly_parallel_are_a_rotation_too(off: float) -> None:
    g = torch.Generator().manual_seed(0)
    a = torch.randn(20000, 3, generator=g)
    b = a * torch.randn(20000, 1, generator=g) + off * torch.randn(a.shape, generator=g)
    R = R_from_rot6d(torch.cat([a, b], -1))
    assert (R.mT @ R - torch.eye(3)).abs().amax() < 2e-6


def test_a_wild_size_is_held() -> None:
    x = torch.zeros(2, 10)
    x[0, 9], x[1, 9] = 1e4, -1e4
    radius = torch.tensor([2.0, 0.5])
    poses = Variables().decode(x, torch.zeros(2, 3), radius)
    torch.testing.assert_close(poses.s, radius * torch.tensor([6.0, -6.0]).exp())


def test_half_precision_is_decoded_in_float32() -> None:
    x = torch.randn(3, 2, 10, generator=torch.Generator().manual_seed(0)).bfloat16()
    poses = Variables().bfloat16().decode(x, torch.zeros(3, 3), torch.ones(3))
    assert poses.R.dtype == torch.float32
    torch.testing.assert_close(poses.R @ poses.R.mT, torch.eye(3).expand(3, 2, 3, 3), atol=1e-6, rtol=0)
