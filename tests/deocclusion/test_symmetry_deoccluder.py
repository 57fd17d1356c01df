"""What `symmetry` may and may not change, and that it finds hidden parts that are known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from occluded import box_behind_post, picture, view_of
from pydantic import ValidationError

from scenemaker.deocclusion.evidence import walk
from scenemaker.deocclusion.symmetry import SymmetryDeoccluder
from scenemaker.deocclusion.views import cut_views
from scenemaker.scene import ObjectFailure, ObjectView

BACKEND = SymmetryDeoccluder()


def complete(view: ObjectView) -> ObjectView:
    (out,) = BACKEND.deocclude([view], seed=0)
    assert isinstance(out, ObjectView)
    return out


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def check_invariants(view: ObjectView, out: ObjectView) -> None:
    modal, amodal = view.mask_modal, out.mask_amodal
    assert out.id == view.id and out.rgba.shape == view.rgba.shape and out.rgba.dtype == np.uint8
    assert (amodal >= modal).all()
    assert not (amodal & ~modal & ~view.mask_hidden).any()
    assert (out.rgba[modal] == view.rgba[modal]).all()
    assert set(np.unique(out.rgba[..., 3])) <= {0, 255}
    assert (out.mask_modal == modal).all() and out.points_cam is view.points_cam
    assert out.completed == bool((amodal & ~modal).any())
    if not out.completed:
        assert out is view


def test_a_box_behind_a_post_becomes_one_box_of_its_own_colour() -> None:
    box, post = cut_views(*picture(box_behind_post(), {1: 5, 2: 4}))
    out = complete(box)
    check_invariants(box, out)
    (x0, y0) = (int(c) for c in box.origin_px)
    whole = np.zeros_like(box.mask_modal)
    whole[30 - y0 : 100 - y0, 40 - x0 : 120 - x0] = True
    assert iou(out.mask_amodal, whole) > 0.97 > iou(box.mask_modal, whole)
    added = out.mask_amodal & ~box.mask_modal
    own = box.rgba[box.mask_modal][0, :3].astype(int)
    assert np.abs(out.rgba[added][:, :3].astype(int) - own).max() <= 6  # the post's colour is 40 levels away
    assert complete(post) is post


def test_a_hidden_side_comes_back_by_symmetry() -> None:
    y, x = np.mgrid[:100, :150]
    whole = (np.abs(y - 50) < 40) & (np.abs(x - 75) < 30 + 12 * np.sin(y / 6))
    hidden = (x >= 88) & (y > 20) & (y < 80)
    rgb = np.dstack([np.where((y // 10) % 2, 40, 200)] * 3).astype(np.uint8)  # stripes, equal left and right
    view = view_of(whole & ~hidden, hidden, rgb=np.where(hidden[..., None], np.uint8([0, 0, 255]), rgb))
    out = complete(view)
    check_invariants(view, out)
    assert iou(out.mask_amodal, whole) > 0.94 > iou(view.mask_modal, whole) + 0.05
    added = out.mask_amodal & ~view.mask_modal & whole
    assert np.abs(out.rgba[added][:, 0].astype(int) - rgb[added][:, 0]).mean() < 30  # the stripes run on
    assert out.rgba[added][:, 2].astype(int).mean() < 160  # and are not the hider's blue


def test_see_through_holes_stay_open_and_hidden_ones_are_closed() -> None:
    modal = np.zeros((80, 130), bool)
    modal[10:70, 20:110] = True
    modal[20:60, 30:50] = False  # one sees through: background
    modal[30:50, 75:95] = False  # a cushion in front
    hidden = np.zeros_like(modal)
    hidden[30:50, 75:95] = True
    out = complete(view_of(modal, hidden))
    assert not out.mask_amodal[25:55, 33:47].any()
    assert out.mask_amodal[30:50, 75:95].all()


def test_an_object_cut_by_the_border_grows_a_little_and_only_outwards() -> None:
    y, x = np.mgrid[:90, :140]
    disc = (x - 70) ** 2 + (y - 45) ** 2 < 35**2
    outside = x < 55
    view = view_of(disc & ~outside, outside, cut_by=(), cut_sides=("left",))
    out = complete(view)
    check_invariants(view, out)
    assert iou(out.mask_amodal, disc) > 0.93 > iou(view.mask_modal, disc)


def test_complete_views_come_back_as_they_are() -> None:
    modal = np.zeros((40, 60), bool)
    modal[10:30, 10:50] = True
    nearer_elsewhere = np.zeros_like(modal)
    nearer_elsewhere[:5] = True
    views = [
        view_of(modal, nearer_elsewhere, cut_by=()),  # nothing cuts it
        view_of(modal, np.zeros_like(modal)),  # nowhere to continue
        view_of(modal, nearer_elsewhere, completed=True),  # done before
    ]
    out = BACKEND.deocclude(views, seed=0)
    assert all(a is b for a, b in zip(out, views))


def test_completing_twice_changes_nothing_and_the_seed_neither() -> None:
    box = cut_views(*picture(box_behind_post(), {1: 5, 2: 4}))[0]
    once = complete(box)
    assert complete(once) is once
    (other,) = BACKEND.deocclude([box], seed=7)
    assert isinstance(other, ObjectView) and (other.rgba == once.rgba).all()


def test_one_bad_object_fails_alone() -> None:
    modal = np.zeros((30, 50), bool)
    hidden = np.ones_like(modal)
    good = cut_views(*picture(box_behind_post(), {1: 5, 2: 4}))[0]
    alone = complete(good)
    bad, fine = BACKEND.deocclude([view_of(modal, hidden, id=5), good], seed=0)
    assert isinstance(bad, ObjectFailure) and bad.id == 5
    assert bad.error == "expected visible pixels of object 5; got an empty mask; paint it or drop it"
    assert isinstance(fine, ObjectView) and (fine.rgba == alone.rgba).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 3), (300, 5), (33, 64)])
def test_one_pixel_is_enough(shape: tuple[int, int]) -> None:
    modal = np.zeros(shape, bool)
    modal[shape[0] // 2, shape[1] // 2] = True
    view = view_of(modal, ~modal, cut_sides=("left",))
    check_invariants(view, complete(view))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 90))
def test_invariants_hold_for_any_masks(seed: int, h: int, w: int) -> None:
    rng = np.random.default_rng(seed)
    blobs = [rng.random((h, w)) < 0.5 for _ in range(2)]
    for blob in blobs:  # a random rectangle each, with a ragged rim
        y, x = sorted(rng.integers(0, h + 1, 2)), sorted(rng.integers(0, w + 1, 2))
        blob[y[0] : y[1], x[0] : x[1]] = True
    modal = blobs[0]
    modal[rng.integers(h), rng.integers(w)] = True
    rgb = rng.integers(0, 255, (h, w, 3)).astype(np.uint8)
    view = view_of(modal, blobs[1] & ~modal, rgb=rgb)
    check_invariants(view, complete(view))


def test_added_area_is_limited() -> None:
    modal = np.zeros((60, 90), bool)
    modal[25:35, 40:50] = True
    view = view_of(modal, ~modal, cut_sides=("left", "top", "right", "bottom"))
    (out,) = SymmetryDeoccluder(SymmetryDeoccluder.Config(max_added=0.2)).deocclude([view], seed=0)
    assert isinstance(out, ObjectView)
    assert 0 < (out.mask_amodal & ~modal).sum() <= 20


def test_walk_is_the_harmonic_function() -> None:
    value = np.zeros((9, 40), np.float32)
    value[:, :5] = 1
    hidden = np.zeros(value.shape, bool)
    hidden[:, 5:30] = True
    found = walk(np.pad(value, ((40, 40), (0, 0)), mode="edge"), np.pad(hidden, ((40, 40), (0, 0)), mode="edge"))
    middle = found[44]
    # between two walls it falls linearly: 26 steps from pixel 4 (object) to pixel 30 (background)
    assert np.abs(middle[5:30] - (1 - (np.arange(5, 30) - 4) / 26)).max() < 0.06


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValidationError):
        SymmetryDeoccluder.Config(treshold=0.4)  # type: ignore[call-arg]
