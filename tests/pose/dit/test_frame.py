"""The frames of objects and scenes: by hand, under shifts, scales and outliers, and at their limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scenemaker.pose.dit.frame import object_frame, scene_frame
from scenemaker.pose.dit.types import Layout


def _clouds(N: int, P: int, seed: int = 0) -> Tensor:
    """(N, P, 3) boxes of points, a few units before the camera."""
    g = torch.Generator().manual_seed(seed)
    size = 0.2 + torch.rand(N, 1, 3, generator=g)
    place = torch.tensor([0.0, 0.0, 4.0]) + torch.randn(N, 1, 3, generator=g)
    return place + size * (torch.rand(N, P, 3, generator=g) - 0.5)


def _full(cloud: Tensor) -> Tensor:
    return torch.full((len(cloud),), cloud.shape[1])


def test_an_object_by_hand() -> None:
    cloud = torch.zeros(1, 12, 3)
    cloud[0, :9, 0] = torch.arange(9.0)[torch.randperm(9, generator=torch.Generator().manual_seed(0))]
    cloud[0, :9, 2] = 20
    cloud[0, 9:] = torch.nan  # behind the count
    centre, radius = object_frame(cloud, torch.tensor([9]))  # quantiles 1/8 and 7/8 of 0..8 are 1 and 7
    assert centre.tolist() == [[4, 0, 20]]
    assert radius.tolist() == [4]  # half the diagonal of the whole box


def test_an_object_against_numpy_and_whatever_stands_behind_the_count() -> None:
    cloud, count = _clouds(4, 31), torch.tensor([31, 1, 2, 17])
    centre, radius = object_frame(cloud, count)
    for i, n in enumerate(count.tolist()):
        low, high = np.quantile(cloud[i, :n].double().numpy(), [1 / 8, 7 / 8], axis=0)
        np.testing.assert_allclose(centre[i], (low + high) / 2, rtol=1e-5)
        wanted = max(np.linalg.norm(high - low) / 1.5, 0.01 * np.linalg.norm((low + high) / 2))
        np.testing.assert_allclose(radius[i], wanted, rtol=1e-5)
        cloud[i, n:] = torch.tensor([torch.nan, torch.inf, -torch.inf])[i % 3]
    again = object_frame(cloud, count)
    assert torch.equal(again[0], centre)
    assert torch.equal(again[1], radius)


@pytest.mark.parametrize("where", [[1e6, 0, 0], [-1e6, 1e6, 1e6], [0, 0, 1e6]])
def test_a_tenth_of_flying_pixels_cannot_move_an_object_beyond_its_true_box(where: list[float]) -> None:
    cloud = _clouds(5, 400)
    centre, radius = object_frame(cloud, _full(cloud))
    wild = cloud.clone()
    wild[:, 7::10] = torch.tensor(where)
    centre_wild, radius_wild = object_frame(wild, _full(cloud))
    half = (cloud.amax(1) - cloud.amin(1)) / 2
    assert ((centre_wild - centre).abs() < 0.2 * half).all()
    assert ((radius_wild / radius - 1).abs() < 0.25).all()


def test_a_scene_by_hand() -> None:
    centre = torch.tensor([[10.0, 0, 1], [0, 0, 1], [2, 0, 1], [5, 5, 5]])
    frame = scene_frame(Layout.of([3, 1]), centre, torch.tensor([3.0, 1, 2, 7]))
    assert frame.c.tolist() == [[2, 0, 1], [5, 5, 5]]
    assert frame.k.tolist() == [2 + 2, 7]  # median distance 2 and median radius 2; the object's own


def test_scenes_of_many_sizes_at_once_are_those_one_by_one() -> None:
    counts = [3, 1, 6, 2]
    cloud = _clouds(sum(counts), 20)
    centre, radius = object_frame(cloud, _full(cloud))
    together = scene_frame(Layout.of(counts), centre, radius)
    for b, (c, r) in enumerate(zip(centre.split(counts), radius.split(counts), strict=True)):
        alone = scene_frame(Layout.of([len(c)]), c, r)
        assert torch.equal(alone.k[0], together.k[b])
        assert torch.equal(alone.c[0], together.c[b])
        np.testing.assert_allclose(alone.c[0], np.median(c.numpy(), 0), rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(a=st.floats(0.05, 50), b=st.tuples(*[st.floats(-5, 5)] * 3), seed=st.integers(0, 99), n=st.integers(1, 7))
def test_frames_follow_a_cloud_that_is_scaled_and_shifted(
    a: float, b: tuple[float, float, float], seed: int, n: int
) -> None:
    cloud, shift = _clouds(n, 24, seed).double(), torch.tensor(b, dtype=torch.float64)
    layout = Layout.of([n])
    centre, radius = object_frame(cloud, _full(cloud))
    frame = scene_frame(layout, centre, radius)
    moved = object_frame(a * (cloud + shift), _full(cloud))
    frame_moved = scene_frame(layout, *moved)
    torch.testing.assert_close(moved[0], a * (centre + shift))
    torch.testing.assert_close(moved[1], a * radius)
    torch.testing.assert_close(frame_moved.c, a * (frame.c + shift))
    torch.testing.assert_close(frame_moved.k, a * frame.k)


def test_one_wild_object_moves_the_frame_less_than_the_others_lie_apart() -> None:
    cloud = _clouds(5, 50)
    calm = scene_frame(Layout.of([5]), *object_frame(cloud, _full(cloud)))
    cloud[3] *= 1e4
    wild = scene_frame(Layout.of([5]), *object_frame(cloud, _full(cloud)))
    assert (wild.c - calm.c).norm() < calm.k
    assert 0.5 < wild.k / calm.k < 2


def test_objects_that_were_not_observed_do_not_count_unless_all_were_not() -> None:
    cloud = _clouds(6, 50)
    centre, radius = object_frame(cloud, _full(cloud))
    observed = torch.tensor([True, False, True, True, False, False])
    frame = scene_frame(Layout.of([4, 2]), centre, radius, observed)
    without = scene_frame(Layout.of([3, 2]), *(v[[0, 2, 3, 4, 5]] for v in (centre, radius)))
    assert torch.equal(frame.k, without.k)
    assert torch.equal(frame.c, without.c)


def test_one_point_and_objects_all_alike_have_a_frame() -> None:
    point = torch.tensor([[[0.0, 3.0, 4.0]]])
    centre, radius = object_frame(point, torch.tensor([1]))
    assert centre.tolist() == [[0, 3, 4]]
    assert radius.item() == pytest.approx(0.05)  # a hundredth of the distance
    frame = scene_frame(Layout.of([4]), centre.expand(4, 3), radius.expand(4))
    assert frame.k.item() == radius.item()
    assert frame.c.tolist() == [[0, 3, 4]]
    nothing = object_frame(torch.zeros(1, 1, 3), torch.tensor([1]))
    assert nothing[1].item() > 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), size=st.floats(1e-3, 1e3))
def test_there_and_back_is_where_it_was(seed: int, size: float) -> None:
    cloud = _clouds(3, 30, seed) * size
    frame = scene_frame(Layout.of([3]), *object_frame(cloud, _full(cloud)))
    there = (cloud - frame.c) / frame.k
    back = there * frame.k + frame.c
    assert (back - cloud).abs().amax() <= 1e-6 * cloud.abs().amax()
    assert there.abs().amax() < 20
