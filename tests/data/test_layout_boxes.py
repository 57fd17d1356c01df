"""Hulls, boxes and groups of boxes against all vertices and plain loops."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_shapes import box, things

from scenemaker.data.layouts import boxes
from scenemaker.data.layouts.boxes import CLEAR, Bodies, clear_of, hull_points, log_uniform
from scenemaker.data.layouts.cluster import group
from scenemaker.data.layouts.orientation import OrientationMix
from scenemaker.errors import PlacementError


def test_hull_has_the_box_of_the_mesh_in_every_orientation():
    for thing in things():
        hull = hull_points(thing.mesh)
        for R in OrientationMix(upright=0, tumbled=1).draw(20, np.random.default_rng(0))[0]:
            turned, all_turned = hull @ R.T, thing.mesh.vertices.astype(np.float64) @ R.T
            np.testing.assert_allclose(turned.min(0), all_turned.min(0), atol=1e-12)
            np.testing.assert_allclose(turned.max(0), all_turned.max(0), atol=1e-12)


def test_hull_of_a_ball_in_a_box_is_the_box():
    thing = next(t for t in things() if len(t.mesh.vertices) == 8)
    inner = np.random.default_rng(1).uniform(-0.05, 0.05, (500, 3))
    mesh = type(thing.mesh)(vertices=np.concatenate([thing.mesh.vertices, inner]), faces=thing.mesh.faces)
    assert len(hull_points(mesh)) == 8


def test_hulls_live_as_long_as_their_meshes():
    mesh = box(1, 2, 3)
    assert hull_points(mesh) is hull_points(mesh)
    kept = weakref.ref(mesh)
    assert kept() in boxes._hulls
    del mesh
    gc.collect()
    assert kept() is None, "the hull does not keep its mesh alive"


def test_bodies_resized_equal_bodies_made_at_that_size():
    objects = things()
    R, _ = OrientationMix(tumbled=1).draw(len(objects), np.random.default_rng(2))
    small, large = np.full(len(objects), 0.4), np.linspace(0.5, 1.5, len(objects))
    a, b = Bodies.of(objects, R, small).resized(large), Bodies.of(objects, R, large)
    np.testing.assert_allclose(a.low, b.low, atol=1e-14)
    np.testing.assert_allclose(a.high, b.high, atol=1e-14)
    assert (a.scale == large).all()


def test_log_uniform_is_even_by_ratio():
    x = log_uniform((0.25, 4), 4000, np.random.default_rng(3))
    assert x.min() >= 0.25 and x.max() <= 4
    np.testing.assert_allclose([(x < 0.5).mean(), (x < 1).mean(), (x < 2).mean()], [0.25, 0.5, 0.75], atol=0.03)


@given(st.integers(0, 10_000), st.sampled_from([2, 3]))
@settings(max_examples=50, deadline=None)
def test_clear_of_equals_loops(seed: int, d: int):
    rng = np.random.default_rng(seed)
    centre, centres, half, halves = rng.normal(size=(5, d)), rng.normal(size=(4, d)), rng.random(d), rng.random((4, d))
    plain = [
        all(any(abs(c[a] - p[a]) - half[a] - h[a] >= 0.1 for a in range(d)) for p, h in zip(centres, halves))
        for c in centre
    ]
    assert clear_of(centre, half, centres, halves, 0.1).tolist() == plain


@given(st.integers(0, 10_000), st.sampled_from([2, 3]), st.integers(2, 20))
@settings(max_examples=40, deadline=None)
def test_group_keeps_the_margin_and_stays_together(seed: int, d: int, n: int):
    rng = np.random.default_rng(seed)
    half = rng.uniform(0.02, 1, (n, d))
    objects = [things()[0]] * n
    centre, tries = group(half, objects, rng, margin=0.05, gap=0.0, tries=2000, layout="plane")
    assert tries >= n
    apart = np.abs(centre[:, None] - centre) - (half[:, None] + half)
    gap = np.where(np.eye(n, dtype=bool), np.inf, apart.max(-1))
    assert gap.min() >= 0.05 + CLEAR
    assert (gap.min(1) < 0.05 + half.max() * 2).all()  # everything has a neighbour


def test_group_without_gap_touches_at_the_margin():
    centre, tries = group(
        np.array([[0.5, 0.2], [0.3, 0.3]]),
        things()[:2],
        np.random.default_rng(5),
        margin=0.1,
        gap=0,
        tries=1,
        layout="",
    )
    apart = np.abs(centre[0] - centre[1]) - [0.8, 0.5]
    assert apart.max() == pytest.approx(0.1 + 2 * CLEAR, abs=1e-12)
    assert tries == 2


def test_group_gives_up_and_names_the_object():
    half = np.full((40, 2), 0.5)
    with pytest.raises(PlacementError) as error:
        group(half, things()[:1] * 40, np.random.default_rng(0), margin=0, gap=0, tries=1, layout="plane")
    assert str(error.value) == (
        "expected a free place for thing_0 in plane; got none in 1 tries; draw other objects, or raise its tries"
    )


def test_placed_is_about_the_origin_and_keeps_the_ground():
    objects = things()[:3]
    R, _ = OrientationMix(tumbled=1).draw(3, np.random.default_rng(6))
    bodies = Bodies.of(objects, R, np.array([0.5, 1.0, 0.8]))
    centre = np.array([[4.0, 0.3, 2.0], [6.0, 0.5, 1.0], [5.0, 0.9, -1.0]])
    for ground in (True, False):
        made = bodies.placed(centre, [-1] * 3, "x", 3, ground=ground)
        middle = (made.boxes_world[:, 0].min(0) + made.boxes_world[:, 1].max(0)) / 2
        np.testing.assert_allclose(middle[[0, 2]], 0, atol=1e-12)
        between = made.boxes_world.mean(1)
        np.testing.assert_allclose(np.diff(between, axis=0), np.diff(centre, axis=0), atol=1e-12)
        assert (middle[1] == pytest.approx(0, abs=1e-12)) is not ground
        if ground:
            np.testing.assert_allclose(between[:, 1], centre[:, 1], atol=1e-12)


def test_unequal_objects_are_placed_from_the_largest():
    half = np.array([[0.1, 0.1], [1.0, 1.0], [0.3, 0.3]])
    centre, _ = group(half, things()[:3], np.random.default_rng(7), margin=0, gap=0, tries=400, layout="plane")
    assert (centre[1] == 0).all()
    assert all(np.abs(a - b).max() > 0 for a, b in pairwise(centre))


def test_neighbours_of_neighbours_make_the_group():
    half, first = np.full((5, 2), 0.5), []
    for seed in range(40):
        centre, _ = group(half, things()[:5], np.random.default_rng(seed), margin=0, gap=0, tries=400, layout="plane")
        apart = np.abs(centre[:, None] - centre).max(-1) + 9 * np.eye(5)
        assert (apart.min(1) < 1 + 3 * CLEAR).all()  # everyone touches someone
        first.extend(apart[1:, 0] < 1 + 3 * CLEAR)
    assert 0.3 < np.mean(first) < 0.7  # but not always the first
