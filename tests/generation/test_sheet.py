"""The flat mesh of a mask: area, outline, topology."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scenemaker.generation.sheet import Sheet, triangulate


def sheet_of(mask, coverage=None, block=8.0) -> Sheet:
    inside = np.pad(np.asarray(mask, bool), 1)
    cover = inside.astype(np.float32) if coverage is None else np.pad(coverage, 1).astype(np.float32)
    return triangulate(cover, inside, np.full(np.subtract(inside.shape, 1), block))


def areas(sheet):
    a, b, c = np.moveaxis(sheet.xy[sheet.faces], 1, 0)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def assert_manifold(sheet):
    """Every directed edge once; what has no opposite runs around as closed loops, one way in and out per vertex."""
    edges = sheet.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert (np.bincount(sheet.outline[:, 0], minlength=len(sheet.xy)) <= 1).all()
    np.testing.assert_array_equal(np.sort(sheet.outline[:, 0]), np.sort(sheet.outline[:, 1]))


def n_loops(sheet):
    follows = dict(sheet.outline.tolist())
    loops = 0
    while follows:
        loops += 1
        at = next(iter(follows))
        while at in follows:
            at = follows.pop(at)
    return loops


@settings(max_examples=60, deadline=None)
@given(
    arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 19)), elements=st.booleans()).filter(np.any),
    st.sampled_from([1.0, 2.0, 8.0]),
)
def test_any_mask_gives_an_oriented_manifold(mask, block):
    sheet = sheet_of(mask, block=block)
    assert_manifold(sheet)
    assert (areas(sheet) > 0).all()


@settings(max_examples=30, deadline=None)
@given(arrays(np.int8, (23, 37), elements=st.integers(1, 16)))
def test_blocks_of_any_sizes_meet_without_cracks(sizes):
    mask = np.ones((22, 36), bool)
    mask[5:9, 20:26] = False
    inside = np.pad(mask, 1)
    sheet = triangulate(inside.astype(np.float32), inside, sizes.astype(float))
    assert_manifold(sheet)
    assert areas(sheet).sum() == pytest.approx(areas(sheet_of(mask, block=1.0)).sum(), rel=1e-12)


def test_disc_has_its_area_and_few_triangles():
    y, x = np.mgrid[:71, :93]
    away = np.hypot(x - 46.0, y - 35.0)
    coverage = np.clip(30.5 - away, 0, 1)
    sheet = sheet_of(coverage >= 0.5, coverage)
    assert areas(sheet).sum() == pytest.approx(np.pi * 30.0**2, rel=0.003)
    rim = sheet.xy[sheet.outline[:, 0]] - (47, 36)
    assert np.abs(np.hypot(*rim.T) - 30).max() < 0.25  # a quarter of a cell: the outline follows the coverage
    assert len(sheet.faces) < len(sheet_of(coverage >= 0.5, coverage, block=1.0).faces) / 3


def test_parts_and_holes_are_kept():
    mask = np.zeros((40, 60), bool)
    mask[5:30, 5:30] = True
    mask[10:15, 10:15] = False
    mask[35, 50] = True  # one node
    mask[2:38, 40] = True  # a line one node wide
    sheet = sheet_of(mask)
    assert_manifold(sheet)
    assert n_loops(sheet) == 4  # three outer outlines, one hole


def test_touching_corners_are_joined():
    assert n_loops(sheet_of(np.eye(5, 7))) == 1
