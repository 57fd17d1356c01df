"""Rotary positions: complex numbers as oracle, only differences matter, tables from elsewhere."""

import math

import pytest
import torch

from scenemaker.errors import ConfigError
from scenemaker.pose.dit.rotary import Rotary, Table, rotate


def test_pairs_turn_like_complex_numbers():
    x = torch.randn(2, 5, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    angle = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    number = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * torch.exp(1j * angle)[..., None, :]
    assert torch.allclose(rotate(x, *Table.of(angle)), torch.view_as_real(number).flatten(-2))


@pytest.mark.parametrize("head_dim", [6, 12, 32])
def test_only_the_difference_of_positions_counts(head_dim):
    generator = torch.Generator().manual_seed(2)
    rotary = Rotary(head_dim)
    q, k = torch.randn(2, 1, 1, head_dim, dtype=torch.float64, generator=generator)
    here, there, shift = torch.randn(3, 1, 3, dtype=torch.float64, generator=generator)

    def score(p, q_at):
        return (rotate(q, *rotary(q_at)) * rotate(k, *rotary(p))).sum()

    assert torch.isclose(score(there, here), score(there + shift, here + shift))
    for axis in range(3):
        away = torch.zeros(1, 3, dtype=torch.float64)
        away[0, axis] = 0.1
        assert abs(score(there + away, here) - score(there, here)) > 1e-3


def test_every_axis_turns_its_own_pairs_and_the_rest_stays():
    rotary, x = Rotary(32), torch.ones(1, 1, 32)
    assert (rotary.count, rotary.rest) == (5, 1)
    moved = []
    for axis in range(3):
        position = torch.zeros(1, 3)
        position[0, axis] = 0.3
        moved.append((rotate(x, *rotary(position))[0, 0] != 1).unflatten(-1, (16, 2)).all(-1))
    pairs = torch.arange(16)
    assert all((moved[a] == (pairs // 5 == a)).all() for a in range(3))


def test_wavelengths_reach_from_longest_to_shortest():
    turns = Rotary(12, longest=8.0, shortest=0.25)(torch.tensor([[1.0, 0.0, 0.0]]))
    angle = torch.tensor([2 * math.pi / 8, 2 * math.pi / 0.25])
    assert torch.allclose(turns.cos[0, :2], angle.cos(), atol=1e-5)
    assert torch.allclose(turns.sin[0, :2], angle.sin(), atol=1e-5)
    whole = Rotary(32)(torch.tensor([[8.0, 0.0, 0.0]])).cos[0, 0]
    assert torch.isclose(whole, torch.tensor(1.0))


def test_a_table_from_elsewhere():
    """Flat token indices with the frequencies of a language model, on every pair: the score of i and j is of i - j."""
    frequency = 10_000 ** (-2 * torch.arange(32, dtype=torch.float64) / 32)
    table = Table.of(torch.arange(9)[:, None] * frequency)  # (9, 32)
    q, k = torch.randn(2, 1, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    turned_q, turned_k = (rotate(a.expand(9, 1, 64), *table)[:, 0] for a in (q, k))
    scores = turned_q @ turned_k.T
    assert torch.allclose(scores.diagonal(), scores[0, 0].expand(9))
    assert torch.allclose(scores.diagonal(3), scores[0, 3].expand(6))
    assert not torch.isclose(scores[0, 3], scores[3, 0])


def test_bf16_is_turned_in_float32():
    position = torch.tensor([[1.7, -0.9, 2.3]])
    x = torch.randn(1, 4, 24, generator=torch.Generator().manual_seed(4)).bfloat16()
    table = Rotary(24)(position.bfloat16())
    assert table.cos.dtype == torch.float32
    turned = rotate(x, *Rotary(24)(position))
    assert turned.dtype == torch.bfloat16
    assert torch.equal(turned, rotate(x.float(), *Rotary(24)(position)).bfloat16())


def test_heads_without_a_pair_per_axis():
    with pytest.raises(ConfigError) as caught:
        Rotary(4)
    assert str(caught.value) == (
        "expected heads of 6 channels or more for rotary positions; got 4 channels; take fewer heads, or no positions"
    )
