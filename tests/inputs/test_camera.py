"""Intrinsics in all the forms that users have them, and the exact text for those that are no camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenemaker.errors import FrameError, InputError
from scenemaker.inputs import load_K

K = np.array([[120.0, 0, 45], [0, 110, 28], [0, 0, 1]])
W, H = 90, 60
REMEDY = 'give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels, "fx,fy,cx,cy", or "fov=60"'


def test_every_form_gives_the_same_K(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "list.json": K.tolist(),
        "dict.json": {"K": K.tolist()},
        "scene.json": {"version": 1, "width": 2 * W, "height": 2 * H, "K": (np.diag([2, 2, 1]) @ K).tolist()},
        "numbers.json": {"fx": 120, "fy": 110, "cx": 45, "cy": 28},
    }
    for name, data in files.items():
        (tmp_path / name).write_text(json.dumps(data))
    np.save(tmp_path / "k k.npy", K)
    np.savetxt(tmp_path / "K.txt", K)
    np.savetxt(tmp_path / "K.csv", K, delimiter=",")
    sources: list[Any] = [
        K,
        K.tolist(),
        (120, 110, 45, 28),
        "120,110,45,28",
        "120 110 45 28",
        *sorted(tmp_path.iterdir()),
    ]
    assert len(sources) == 12
    for source in (*sources, str(tmp_path / "K.txt")):
        assert np.array_equal(load_K(source, W, H), K), source


def test_field_of_view_is_horizontal() -> None:
    got = load_K("fov=90", W, H)
    assert np.allclose(got, [[45, 0, 45], [0, 45, 30], [0, 0, 1]])
    assert np.array_equal(load_K({"fov_x_deg": 90}, W, H), got)


def message(source: Any, error: type[Exception] = FrameError) -> str:
    with pytest.raises(error) as caught:
        load_K(source, W, H)
    return str(caught.value)


def test_no_camera(tmp_path: Path) -> None:
    singular = message(np.zeros((3, 3)))
    assert singular == (
        "expected invertible intrinsics K; got [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]; "
        "give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels"
    )
    assert message(np.eye(4)) == f"expected intrinsics K; got an array of shape (4, 4); {REMEDY}"
    assert message(K * np.nan).startswith("expected invertible intrinsics K; got [[nan")
    assert message("fov=180") == ("expected a field of view in (0, 180) degrees; got 180.0; give 60, say")
    assert message("fov=wide") == "expected a field of view in degrees; got 'wide'; give \"fov=60\", say"
    assert message(np.diag([1 / W, 1 / H, 1]) @ K) == (
        "expected K in pixels; got K divided by the size: "
        "[[1.3333, 0.0, 0.5], [0.0, 1.8333, 0.4667], [0.0, 0.0, 1.0]]; "
        "multiply its first row by the width and its second by the height"
    )
    assert message({"K": K, "width": H, "height": W}) == (
        "expected K of a picture of 90x60; got K of a picture of 60x90; give the K of this picture"
    )


def test_no_file(tmp_path: Path) -> None:
    gone = tmp_path / "gone.json"
    assert message(gone, InputError) == f"expected a file of intrinsics K; got {gone}: no such file; {REMEDY}"
    odd = tmp_path / "k.xml"
    odd.write_text("<K/>")
    assert message(odd, InputError) == f"expected intrinsics K in one of .json, .npy, .txt, .csv; got {odd}; {REMEDY}"
    broken = tmp_path / "k.json"
    broken.write_text("{")
    assert message(broken, InputError).startswith(f"expected a file of intrinsics K; got {broken}: Expecting")
    words = tmp_path / "k.txt"
    words.write_text("fx is 5")
    assert message(words, InputError) == f"expected nine or four numbers; got {words}: other text; {REMEDY}"
    other = tmp_path / "other.json"
    other.write_text('{"focal": 5}')
    assert message(other, InputError) == (f'expected "K", "fx, fy, cx, cy" or "fov_x_deg"; got keys focal; {REMEDY}')
