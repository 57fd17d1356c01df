"""Picture and mask measures against scikit-image, hand-worked cases and invariants."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from scenemaker.errors import InputError, ShapeError
from scenemaker.evaluation.images import mask_iou, psnr, ssim


def pictures(seed=0, shape=(23, 41, 3)):
    """A smooth picture and a noisy copy of it, not square."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    base = 128 + 90 * np.sin(rows / 4)[..., None] * np.cos(columns / 6)[..., None] * rng.uniform(0.3, 1, 3)
    noisy = base + rng.normal(0, 25, shape)
    return base.astype(np.uint8), np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_psnr_equals_scikit_image(seed):
    a, b = pictures(seed)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9)


def test_psnr_by_hand_and_without_wrapping_around():
    a, b = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)
    assert psnr(a, b) == psnr(b, a) == 0.0
    assert psnr(a, np.full_like(a, 51)) == pytest.approx(20 * np.log10(5))
    assert psnr(a, a) == float("inf")


def test_psnr_counts_the_mask_only():
    a, b = pictures()
    mask = np.zeros(a.shape[:2], bool)
    mask[5:9, 30:40] = True
    inside = np.mean((a[5:9, 30:40].astype(float) - b[5:9, 30:40]) ** 2)
    assert psnr(a, b, mask) == pytest.approx(10 * np.log10(255**2 / inside), abs=1e-9)
    assert psnr(a, b, np.ones_like(mask)) == psnr(a, b)


@pytest.mark.parametrize("shape", [(23, 41, 3), (41, 23, 3), (11, 11, 3)])
@pytest.mark.parametrize("seed", range(2))
def test_ssim_equals_scikit_image(seed, shape):
    a, b = pictures(seed, shape)
    expected, values = structural_similarity(
        a, b, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    mask = np.random.default_rng(seed).random(shape[:2]) < 0.2  # pixels at the edge too
    assert ssim(a, b, mask) == pytest.approx(values[mask].mean(), abs=1e-9)


def test_ssim_of_equal_and_of_flat_pictures():
    a, _ = pictures()
    assert ssim(a, a) == pytest.approx(1.0, abs=1e-12)
    black, white = np.zeros_like(a), np.full_like(a, 255)
    c1 = (0.01 * 255) ** 2
    assert ssim(black, white) == pytest.approx(c1 / (255**2 + c1), abs=1e-9)  # only the term of the means is left


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_wrong_pictures(measure):
    a, _ = pictures()
    with pytest.raises(ShapeError) as error:
        measure(a, a[:, :30])
    assert str(error.value) == "expected two pictures of one size; got 41x23 and 30x23; resize one to the other"
    with pytest.raises(ShapeError) as error:
        measure(a / 255, a)
    text = "expected a picture (h, w, 3) uint8; got float64 (23, 41, 3); convert it to 8-bit RGB"
    assert str(error.value) == text
    with pytest.raises(ShapeError, match=r"got uint8 \(23, 41\); convert"):
        measure(a, a[..., 0])
    with pytest.raises(ShapeError) as error:
        measure(a, a, np.ones((41, 23), bool))
    assert str(error.value) == "expected a mask of 41x23; got 23x41; resize it"
    with pytest.raises(ShapeError) as error:
        measure(a, a, np.ones((23, 41), np.uint8))
    text = "expected a mask (h, w) of bool; got uint8 (23, 41); compare it with a threshold first"
    assert str(error.value) == text
    with pytest.raises(InputError) as error:
        measure(a, a, np.zeros((23, 41), bool))
    text = "expected a mask with at least one pixel; got an empty mask; leave the object out"
    assert str(error.value) == text


def test_ssim_of_a_picture_below_its_window():
    small = np.zeros((10, 40, 3), np.uint8)
    with pytest.raises(ShapeError) as error:
        ssim(small, small)
    assert str(error.value) == "expected pictures of at least 11x11 pixels; got 40x10; give larger pictures"


def test_mask_iou():
    a, b = np.zeros((4, 7), bool), np.zeros((4, 7), bool)
    a[:, :4], b[:, 2:] = True, True
    assert mask_iou(a, b) == mask_iou(b, a) == 8 / 28
    assert mask_iou(a, a) == 1.0
    assert mask_iou(a, ~a) == 0.0
    assert mask_iou(np.zeros_like(a), np.zeros_like(a)) == 1.0
    assert mask_iou(np.zeros_like(a), a) == 0.0
    with pytest.raises(ShapeError) as error:
        mask_iou(a, b.T)
    assert str(error.value) == "expected a mask of 7x4; got 4x7; resize it"
