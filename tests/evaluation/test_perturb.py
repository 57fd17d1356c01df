"""Every perturbation does what its line in the table says, in the amount that it says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from scenemaker.errors import ConfigError
from scenemaker.evaluation.perturb import KINDS, perturb

H, W = 180, 260


def scene() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((H, W), np.uint16)
    labels[20:120, 30:130] = 4  # a square of 100
    labels[40:160, 130:190] = 7  # touches it; longer side 120
    depth = np.full((H, W), 3.0, np.float32)
    depth[:10] = np.nan
    return labels, depth


@pytest.mark.parametrize(("level", "r"), [(1, 1), (2, 3), (3, 9)])
def test_masks_shrink_and_grow_by_their_own_size(level: int, r: int) -> None:
    labels, depth = scene()
    small, _ = perturb(labels, depth, "masks-eroded", level)
    large, same = perturb(labels, depth, "masks-dilated", level)
    rows = np.flatnonzero((small == 4).any(1))
    assert (rows[0], rows[-1]) == (20 + r, 119 - r)
    assert ((small == 4) <= (labels == 4)).all() and ((small == 7) <= (labels == 7)).all()
    columns = np.flatnonzero((large == 4).any(0))
    assert columns[0] == 30 - r
    assert (large[labels > 0] == labels[labels > 0]).all()  # what was another object's stays
    assert np.array_equal(same, depth, equal_nan=True)


def test_a_broken_mask_falls_apart_and_loses_its_share() -> None:
    labels, depth = scene()
    for level, share in ((1, 0.05), (2, 0.15)):
        broken, _ = perturb(labels, depth, "masks-broken", level, seed=3)
        for id in (4, 7):
            left = (broken == id).sum() / (labels == id).sum()
            assert left == pytest.approx(1 - share, abs=0.01)
            pieces, _ = cv2.connectedComponents((broken == id).astype(np.uint8), connectivity=4)
            assert pieces == 3  # background and two


def test_depth_is_scaled_as_a_whole() -> None:
    labels, depth = scene()
    factors = {float(np.nanmean(perturb(labels, depth, "depth-scaled", 1, name=f"{s}")[1])) / 3 for s in range(8)}
    assert {round(f, 5) for f in factors} == {round(float(np.exp(a)), 5) for a in (-0.05, 0.05)}


@pytest.mark.parametrize("level", [1, 2])
def test_depth_noise_has_its_amount_per_pixel_and_its_smooth_part(level: int) -> None:
    labels, depth = scene()
    ratio = perturb(labels, depth, "depth-noisy", level)[1][10:] / 3 - 1
    times = 3 ** (level - 1)
    pixel = (ratio[:, 1:] - ratio[:, :-1]) / np.sqrt(2)  # neighbours share the smooth field
    assert pixel.std() == pytest.approx(0.01 * times, rel=0.05)
    smooth = cv2.blur(ratio.astype(np.float64), (9, 9))[8:-8, 8:-8]
    assert smooth.std() == pytest.approx(0.005 * times, rel=0.35)


def test_holes_are_patches_of_the_right_share() -> None:
    labels, depth = scene()
    holed = perturb(labels, depth, "depth-holes", 1)[1]
    lost = np.isnan(holed)
    assert lost[10:].mean() == pytest.approx(0.05, abs=0.02) and lost[:10].all()
    patches, _ = cv2.connectedComponents(lost[10:].astype(np.uint8))
    assert patches < 15


def test_each_scene_has_its_own_chance_the_same_at_every_level() -> None:
    labels, depth = scene()
    a, b = (perturb(labels, depth, "depth-noisy", 1, name=n)[1] for n in "ab")
    assert not np.array_equal(a, b, equal_nan=True)
    signs = [np.sign(np.nanmean(perturb(labels, depth, "depth-scaled", n, name="a")[1]) - 3) for n in (1, 2)]
    assert signs[0] == signs[1]


def test_growing_masks_take_background_only() -> None:
    labels, depth = scene()
    for seed in range(6):  # by chance one is eroded and its neighbour dilated
        worse = perturb(labels, depth, "both", 2, seed=seed)[0]
        assert not ((labels == 4) & (worse == 7)).any() and not ((labels == 7) & (worse == 4)).any()


def test_both_worsens_both() -> None:
    labels, depth = scene()
    worse, holed = perturb(labels, depth, "both", 1, seed=1)
    assert (worse != labels).any() and np.isnan(holed[10:]).any() and (np.nan_to_num(holed[10:], nan=3) != 3).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_and_inputs_stay(kind: str) -> None:
    labels, depth = scene()
    a, b = perturb(labels, depth, kind, 2, seed=5), perturb(labels, depth, kind, 2, seed=5)
    assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1], equal_nan=True)
    again = scene()
    assert np.array_equal(labels, again[0]) and np.array_equal(depth, again[1], equal_nan=True)
    assert a[0].dtype == labels.dtype and a[1].dtype == np.float32


def test_what_does_not_exist_is_told() -> None:
    with pytest.raises(ConfigError) as error:
        perturb(*scene(), "fog", 1)
    assert str(error.value) == (
        "expected a perturbation; got 'fog' at level 1; choose one of masks-eroded, masks-dilated, masks-broken, "
        "depth-scaled, depth-noisy, depth-holes, both, and a level from 1"
    )
