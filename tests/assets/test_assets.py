"""The example picture that ships."""

from __future__ import annotations

import numpy as np
from PIL import Image

from scenemaker.assets import demo_masks, demo_photo
from scenemaker.inputs import load_photo


def test_photo_and_masks_fit() -> None:
    with Image.open(demo_photo()) as photo, Image.open(demo_masks()) as masks:
        assert photo.size == masks.size == (1200, 800)
        assert (photo.mode, masks.mode) == ("RGB", "P")
        labels = np.asarray(masks)
    counts = np.bincount(labels.ravel())
    assert len(counts) == 6 and (counts > 10000).all()
    assert demo_photo().stat().st_size < 300_000


def test_the_camera_is_known() -> None:
    photo = load_photo(demo_photo())
    assert photo.K is not None and np.allclose(photo.K, [[4000 / 3, 0, 600], [0, 4000 / 3, 400], [0, 0, 1]])
    assert photo.notices == ()


def test_the_cushion_hides_a_part_of_the_armchair() -> None:
    with Image.open(demo_masks()) as masks:
        labels = np.asarray(masks)
    touching = (labels[:-1] == 1) & (labels[1:] == 2)
    assert touching.sum() > 30
