"""``discs``: Poisson discs against a plain check, tops by closed forms, and what stands on what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_shapes import ball, box, chair, gaps, same_bytes, table, things, union

from scenemaker.data.layouts.discs import DiscLayout
from scenemaker.data.layouts.poisson import DiscGrid, poisson_discs
from scenemaker.data.layouts.stacking import CELLS, top_of
from scenemaker.data.types import GROUND, Arrangement, DataObject, rng_for
from scenemaker.errors import InputError, PlacementError
from scenemaker.geometry.mesh import normalise

THINGS = things()
STACKING = DiscLayout(DiscLayout.Config(stack_probability=1, orientation={"upright": 1}))


def arranged(layout: DiscLayout, index: int, n: int | None = None) -> Arrangement:
    rng = rng_for(11, index, "layout")
    n = n or int(rng.integers(layout.count[0], layout.count[1] + 1))
    return layout.arrange([THINGS[i] for i in rng.integers(len(THINGS), size=n)], rng)


@given(st.integers(0, 10_000), st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_grid_equals_a_check_of_all_pairs(seed: int, n: int):
    rng = np.random.default_rng(seed)
    radius, gap = np.sort(rng.uniform(0.05, 1, n))[::-1], float(rng.uniform(0, 0.3))
    grid, placed, region = DiscGrid(radius, gap, 3.0), [], 3.0
    for i in range(n):
        if i == n // 2:
            region = 4.0
            grid.grow(region)
        x = rng.uniform(-region / 1.5, region / 1.5, 2)
        plain = all(np.linalg.norm(x - grid.centre[j]) >= radius[i] + radius[j] + gap for j in placed)
        assert grid.is_free(i, x) == plain
        if plain:
            grid.place(i, x)
            placed.append(i)


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_discs_keep_the_gap(seed: int, n: int):
    rng = np.random.default_rng(seed)
    radius, gap = rng.uniform(0.05, 1, n), float(rng.uniform(0, 0.3))
    x, tries, lost = poisson_discs(radius, gap, rng, fill=0.5, tries=30, growths=50)
    assert lost is None and tries >= n
    clearance = np.linalg.norm(x[:, None] - x, axis=-1) - (radius[:, None] + radius)
    assert clearance[~np.eye(n, dtype=bool)].min(initial=np.inf) >= gap - 1e-12
    region = np.sqrt(((radius + gap / 2) ** 2).sum() / 0.5)
    assert np.linalg.norm(x, axis=1).max() <= region * 1.1**50


def test_the_largest_disc_is_placed_first_and_small_ones_give_up_first():
    radius = np.array([0.1, 1.0, 0.1])
    for seed in range(20):
        x, _, lost = poisson_discs(radius, 0.0, np.random.default_rng(seed), fill=1, tries=1, growths=0)
        assert lost != 1
        region = np.sqrt((radius**2).sum())
        first = np.random.default_rng(seed).random(2)
        r, angle = region * np.sqrt(first[1]), 2 * np.pi * first[0]
        np.testing.assert_allclose(x[1], [r * np.cos(angle), r * np.sin(angle)])


def test_the_region_grows_until_a_disc_fits():
    radius = np.array([1.0, 1.0])  # two discs cannot both have their centres in a region of radius 0.9
    fill = 2 / 0.9**2
    assert poisson_discs(radius, 0.0, np.random.default_rng(0), fill=fill, tries=10, growths=0)[2] is not None
    x, tries, lost = poisson_discs(radius, 0.0, np.random.default_rng(0), fill=fill, tries=10, growths=30)
    assert lost is None and tries > 10
    assert np.linalg.norm(x[0] - x[1]) >= 2


def test_boxes_of_standing_objects_are_apart():
    for index in range(100):
        made = arranged(DiscLayout(), index)
        assert gaps(made).min() > -1e-12  # an object that stands on another touches it
        if set(made.support) == {GROUND}:
            assert gaps(made).min() > 0
        for i, support in enumerate(made.support):
            floor = 0.0 if support == GROUND else made.boxes_world[support, 1, 1]
            assert made.boxes_world[i, 0, 1] == pytest.approx(floor, abs=1e-12)
        middle = (made.boxes_world[:, 0].min(0) + made.boxes_world[:, 1].max(0)) / 2
        np.testing.assert_allclose(middle[[0, 2]], 0, atol=1e-12)
        assert made.layout == "discs" and made.tries >= len(made)


def test_clearance_is_the_mean_radius_times_s():
    layout = DiscLayout(DiscLayout.Config(clearance=(0.5, 0.5), stack_probability=0))
    for index in range(20):
        made = arranged(layout, index, 6)
        low, high = made.boxes_world[:, 0], made.boxes_world[:, 1]
        centre, radius = (low + high)[:, [0, 2]] / 2, np.hypot(*((high - low)[:, [0, 2]] / 2).T)
        radius = np.maximum(radius, 0.05 * made.scale)
        apart = np.linalg.norm(centre[:, None] - centre, axis=-1) - radius[:, None] - radius
        assert apart[~np.eye(6, dtype=bool)].min() >= 0.5 * radius.mean() - 1e-9


def test_tops_by_closed_form():
    cell = 1 / CELLS
    assert top_of(table()).radius == pytest.approx(0.4, abs=2.5 * cell)  # 1 x 0.8
    assert top_of(table()).radius < 0.4
    np.testing.assert_allclose(top_of(table()).anchor_obj, [0, 0.35, 0], atol=cell)
    assert top_of(normalise(ball())[0]).radius < 0.05
    assert top_of(chair()).radius < 0.03
    upright_flat = normalise(box(1, 0.5, 1e-9))[0]
    assert top_of(upright_flat).radius < 0.02


def test_the_top_of_an_l_is_on_the_l():
    arm, foot = box(0.2, 0.3, 1, at=(-0.4, 0, 0)), box(0.8, 0.3, 0.3, at=(0.1, 0, 0.35))
    mesh = normalise(union(arm, foot))[0]
    top = top_of(mesh)
    x, _, z = top.anchor_obj  # the centroid of the L lies off it; the largest disc is in the corner
    assert -0.5 + top.radius <= x and z <= 0.5 - top.radius and z >= 0.2
    assert 0.12 < top.radius <= 0.2


def test_the_top_of_a_tray_is_its_rim():
    walls = [box(1, 0.4, 0.04, at=(0, 0, z)) for z in (-0.5, 0.5)] + [
        box(0.04, 0.4, 1, at=(x, 0, 0)) for x in (-0.5, 0.5)
    ]
    assert top_of(normalise(union(box(1, 0.1, 1, at=(0, -0.15, 0)), *walls))[0]).radius < 0.03


def test_stacked_objects_stand_on_the_top_and_inside_it():
    stacked = 0
    for index in range(80):
        made = arranged(STACKING, index)
        for rider, carrier in enumerate(made.support):
            if carrier == GROUND:
                continue
            stacked += 1
            top = top_of(made.objects[carrier].mesh)
            boxes = made.boxes_world
            assert boxes[rider, 0, 1] == pytest.approx(boxes[carrier, 1, 1], abs=1e-12)
            assert made.support[carrier] == GROUND and made.scale[rider] <= made.scale[carrier]
            S = made.S_world_obj[carrier]
            anchor = S[:3, :3] @ top.anchor_obj + S[:3, 3]
            corners = boxes[rider][:, [0, 2]]
            furthest = np.linalg.norm(np.abs(corners - anchor[[0, 2]]).max(0))
            assert furthest <= top.radius * made.scale[carrier] + 1e-9  # its box is inside the disc: supported
    assert stacked > 40


def test_riders_stand_at_different_places_of_the_top():
    layout = DiscLayout(DiscLayout.Config(stack_probability=1, orientation={"upright": 1}, size=(0.5, 1)))
    pair = [DataObject(key="table", mesh=table()), DataObject(key="stick", mesh=box(0.1, 1, 0.1))]
    offsets, riders = [], []
    for index in range(40):
        made = layout.arrange(pair, rng_for(0, index, "layout"))
        if made.support == (GROUND, 0):
            offsets.append((made.t_world_obj[1] - made.t_world_obj[0])[[0, 2]] / made.scale[0])
        riders.append(made.support)
    assert set(riders) == {(GROUND, 0)}
    assert np.std(offsets, axis=0).min() > 0.08 and np.linalg.norm(offsets, axis=1).max() < 0.4


def test_what_does_not_stand_upright_neither_carries_nor_rides():
    never = DiscLayout(DiscLayout.Config(stack_probability=1, orientation={"upright": 0, "tumbled": 1, "tilted": 1}))
    none = DiscLayout(DiscLayout.Config(stack_probability=0, orientation={"upright": 1}))
    for index in range(40):
        assert set(arranged(never, index).support) == {GROUND}
        assert set(arranged(none, index).support) == {GROUND}
    mixed = DiscLayout(DiscLayout.Config(stack_probability=1))
    pairs = [(m, r, c) for m in (arranged(mixed, i) for i in range(80)) for r, c in enumerate(m.support) if c != GROUND]
    assert pairs
    assert all(m.R_world_obj[i, 1, 1] == 1 for m, *both in pairs for i in both)


def test_least_top_keeps_small_tops_free():
    layout = DiscLayout(DiscLayout.Config(stack_probability=1, orientation={"upright": 1}, least_top=10))
    assert all(set(arranged(layout, i).support) == {GROUND} for i in range(30))


def test_equal_seeds_give_equal_bytes():
    assert same_bytes(arranged(STACKING, 5, 12), arranged(DiscLayout(STACKING.config), 5, 12))
    assert not same_bytes(arranged(STACKING, 5, 12), arranged(STACKING, 6, 12))


def test_errors_name_what_is_wrong():
    with pytest.raises(InputError) as error:
        arranged(DiscLayout(), 0, 1)
    assert str(error.value) == "expected 2 to 12 objects for the layout discs; got 1; give as many, or set its count"
    full = DiscLayout(DiscLayout.Config(fill=1, tries=2, growths=0))
    with pytest.raises(
        PlacementError, match=r"expected a free place for thing_\d in discs; got none in \d+ tries; raise"
    ):
        arranged(full, 0, 12)
