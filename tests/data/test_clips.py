"""Transition clips: algorithm 2 as it is read here; triplets, clips and shadow pairs as files and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from scenemaker.data.occlusion.cast_shadows import ShadowPair
from scenemaker.data.occlusion.clips import ClipRecipe, clip_of, clip_of_pair, make_clip, transition
from scenemaker.data.occlusion.files import (
    clip_files,
    load_clip,
    load_shadow_pair,
    load_triplet,
    shadow_files,
    triplet_files,
)
from scenemaker.data.occlusion.triplets import Triplet
from scenemaker.errors import InputError, ShapeError
from scenemaker.geometry.cameras import Camera, K_from_fov

H, W = 12, 20


def parts() -> dict[str, Any]:
    """A picture, its masks (the right part is hidden), and what is left on white."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 256, (H, W, 3)).astype(np.uint8)
    whole = np.zeros((H, W), bool)
    whole[2:10, 3:17] = True
    seen = whole.copy()
    seen[:, 9:] = False
    target[~whole] = 255
    image = np.where(seen[..., None], target, np.uint8(255))
    return {"occluded": image, "target": target, "mask_modal": seen, "mask_amodal": whole}


def triplet() -> Triplet:
    p = parts()
    return Triplet(
        image=p["occluded"],
        prompt="Größe: ganz",
        target=p["target"],
        mask_modal=p["mask_modal"],
        mask_amodal=p["mask_amodal"],
        mask_hidden=~p["mask_modal"],
        pattern="corner",
        severity=1 / 3,
        label=None,
        key="chair/01.png",
    )


def pair() -> ShadowPair:
    """The others are dark and shade what is seen by half; the ground is shaded as well."""
    p = parts()
    image = p["target"] // 2
    image[~p["mask_modal"] & p["mask_amodal"]] = 10
    camera = Camera(K=K_from_fov(50, W, H), width=W, height=H, T_cam_world=np.eye(4))
    return ShadowPair(
        image=image,
        target=p["target"],
        mask_modal=p["mask_modal"],
        mask_amodal=p["mask_amodal"],
        camera=camera,
        label="mug",
        key="m",
    )


def test_algorithm_2_as_it_is_read() -> None:
    """Written down again, frame by frame, from the paper's lines with M_v in line 2 and I_v in line 4."""
    p, N = parts(), 5
    M_v, M_w, I_o = p["mask_modal"][..., None], p["mask_amodal"][..., None], p["target"].astype(float)
    M_d = np.abs(M_v.astype(float) - M_w)
    I_v = I_o * M_v + 255.0 * ~M_v
    X = [I_v]
    for i in range(N):
        alpha = 1 - i / (N - 1)
        M_i = M_d * alpha
        X.append(I_v * M_i + I_o * (1 - M_i))
    clip = make_clip(ClipRecipe(frames=N), **p)
    assert clip.frames.shape == (N + 1, H, W, 3)
    assert np.array_equal(clip.frames, np.rint(np.stack(X)))


@pytest.mark.parametrize("frames", [2, 3, 8, 25])
def test_a_clip_goes_from_the_occluded_to_the_complete(frames: int) -> None:
    p = parts()
    clip = make_clip(ClipRecipe(frames=frames), **p)
    assert len(clip.frames) == frames + 1
    assert np.array_equal(clip.frames[0], p["occluded"])
    assert np.array_equal(clip.frames[1], p["occluded"])
    assert np.array_equal(clip.frames[-1], p["target"])
    seen = p["mask_modal"]
    assert (clip.frames[:, seen] == p["target"][seen]).all()  # what is visible stays
    left = np.abs(clip.frames[1:].astype(int) - p["target"]).sum((1, 2, 3))
    assert (np.diff(left) < 0).all()


def test_blending_is_linear_in_srgb() -> None:
    dark, bright = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 240, np.uint8)
    frames = transition(dark, bright, np.ones((1, 1), bool), 5)
    assert frames[:, 0, 0, 0].tolist() == [0, 60, 120, 180, 240]


def test_a_low_resolution_triplet_starts_as_the_model_sees_it() -> None:
    t = triplet()
    blurred = Triplet(**{**vars(t), "image": t.image // 2 + 100})
    clip = clip_of(blurred, ClipRecipe(frames=4))
    assert np.array_equal(clip.frames[0], blurred.image)
    assert np.array_equal(clip.frames[-1], t.target)
    assert np.array_equal(clip.frames[1][t.mask_modal], t.target[t.mask_modal])
    assert clip.key == t.key
    assert np.array_equal(clip.mask_modal, t.mask_modal)


def test_frames_of_another_size() -> None:
    p = parts()
    clip = make_clip(ClipRecipe(frames=3, width=40, height=24), **p)
    assert clip.frames.shape == (4, 24, 40, 3)
    assert clip.mask_amodal.shape == clip.mask_modal.shape == (24, 40)
    assert clip.mask_amodal.mean() == pytest.approx(p["mask_amodal"].mean(), abs=0.02)
    assert not (clip.mask_modal & ~clip.mask_amodal).any()
    assert make_clip(ClipRecipe(frames=3, width=10), **p).frames.shape == (4, H, 10, 3)


def test_shadows_go_everywhere() -> None:
    p = pair()
    scene = clip_of_pair(p, ClipRecipe(frames=3, background="scene"))
    middle = (p.image.astype(float) + p.target) / 2
    assert np.array_equal(scene.frames[0], p.image)
    assert np.array_equal(scene.frames[2], np.rint(middle))
    assert np.array_equal(scene.frames[3], p.target)
    white = clip_of_pair(p, ClipRecipe(frames=3))
    assert (white.frames[0][~p.mask_modal] == 255).all()
    assert (white.frames[3][~p.mask_amodal] == 255).all()
    assert np.array_equal(white.frames[2][p.mask_modal], np.rint(middle)[p.mask_modal])  # its shade goes as well
    assert white.label == "mug"


def test_clips_of_unequal_pictures_are_refused() -> None:
    with pytest.raises(ShapeError) as error:
        transition(np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.uint8), np.ones((6, 4), bool), 3)
    assert str(error.value) == (
        "expected two pictures (H, W, 3) and a mask (H, W); got (4, 6, 3), (4, 6, 3) and (6, 4); give them one size"
    )
    with pytest.raises(ValidationError):
        ClipRecipe(frames=1)


FORMS: list[tuple[Any, Callable[[Any], dict[str, bytes]], Callable[[Any], Any], set[str]]] = [
    (
        triplet(),
        triplet_files,
        load_triplet,
        {"image.png", "target.png", "mask_modal.png", "mask_amodal.png", "mask_hidden.png", "triplet.json"},
    ),
    (
        clip_of(triplet(), ClipRecipe(frames=2)),
        clip_files,
        load_clip,
        {"frame_000.png", "frame_001.png", "frame_002.png", "mask_modal.png", "mask_amodal.png", "clip.json"},
    ),
    (
        pair(),
        shadow_files,
        load_shadow_pair,
        {"image.png", "target.png", "mask_modal.png", "mask_amodal.png", "shadow.json"},
    ),
]


@pytest.mark.parametrize(("thing", "files_of", "load", "names"), FORMS)
def test_files_and_back(thing: Any, files_of: Any, load: Any, names: set[str], tmp_path: Path) -> None:
    files = files_of(thing)
    assert set(files) == names
    assert files == files_of(thing)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for source in (files, tmp_path, str(tmp_path)):
        back = load(source)
        for key, value in vars(thing).items():
            got = getattr(back, key)
            if isinstance(value, Camera):
                assert np.array_equal(got.K, value.K)
                assert np.array_equal(got.T_cam_world, value.T_cam_world)
                assert (got.width, got.height) == (value.width, value.height)
            else:
                assert np.array_equal(got, value)
                assert getattr(got, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize(("thing", "files_of", "load", "names"), FORMS)
def test_damaged_files_are_named(thing: Any, files_of: Any, load: Any, names: set[str], tmp_path: Path) -> None:
    whole = files_of(thing)
    for name in names:
        without = {k: v for k, v in whole.items() if k != name}
        with pytest.raises(InputError) as error:
            load(without)
        assert str(error.value) == f"expected {name} in the sample; got no such file; make it again"
        for bad in (b"", whole[name][: len(whole[name]) // 2]):
            with pytest.raises(InputError, match=f"expected a whole {name}; got "):
                load({**whole, name: bad})
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data if name.endswith("json") else b"GIF")
    first = min(n for n in names if n.startswith(("image", "frame")))
    with pytest.raises(InputError) as error:
        load(tmp_path)
    assert str(error.value) == f"expected a whole {tmp_path / first}; got not a whole picture; make it again"


def test_a_mask_of_another_size_is_named() -> None:
    files = triplet_files(triplet())
    other = Triplet(**{**vars(triplet()), "mask_hidden": np.zeros((H, W + 1), bool)})
    files["mask_hidden.png"] = triplet_files(other)["mask_hidden.png"]
    with pytest.raises(InputError) as error:
        load_triplet(files)
    assert str(error.value) == "expected a whole mask_hidden.png; got (12, 21) beside (12, 20); make it again"


def test_json_without_a_value_is_named() -> None:
    files = triplet_files(triplet())
    info = json.loads(files["triplet.json"])
    assert info["severity"] == 1 / 3
    del info["prompt"]
    with pytest.raises(InputError) as error:
        load_triplet({**files, "triplet.json": json.dumps(info).encode()})
    assert str(error.value) == "expected a whole triplet.json; got no 'prompt'; make it again"
