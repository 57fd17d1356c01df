"""``scenemaker data``: what a user types, and what the answer is."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from scenemaker.cli.app import app
from scenemaker.data.occlusion.files import load_shadow_pair
from scenemaker.errors import ConfigError, InputError, OutputError
from scenemaker.export.glb import write_object_glb
from scenemaker.testing.samples import box_mesh, sphere_mesh


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def data(*args: object) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def meshes(folder: Path) -> Path:
    folder.mkdir()
    write_object_glb(folder / "crate.glb", box_mesh((1.0, 0.7, 0.5), (180, 120, 60)), name="crate")
    write_object_glb(folder / "ball.glb", sphere_mesh((1, 1, 1), (60, 120, 200)), name="ball")
    (folder / "broken.glb").write_bytes(b"glTF no more")
    return folder


SMALL = ("--views", 1, "--size", "64x48", "-j", 1, "--points", 32)


def test_scenes_and_show(tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    told = json.loads(data("scenes", "-o", out, "-n", 2, *SMALL, "--json"))
    assert (told["made"], told["found"], told["lost"]) == (2, 0, [])
    again = data("scenes", "-o", out, "-n", 3, *SMALL)
    assert "1 scenes made, 2 were there" in again
    shown = json.loads(data("show", out, "--json"))
    assert (shown["scenes"], shown["views"], shown["sizes_px"]) == (3, 3, {"64x48": 3})
    assert cv2.imread(shown["sheet"]).shape[2] == 3
    assert "3 scenes, 3 views" in data("show", out, "-o", tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()


def test_own_meshes_mixed_with_procedural_ones(tmp_path: Path) -> None:
    folder = meshes(tmp_path / "meshes")
    out = tmp_path / "out"
    data("scenes", "-o", out, "-n", 4, *SMALL, "--objects", f"{folder}=5", "--objects", "procedural=0.1")
    rows = [json.loads(p.read_text())["data"]["objects"] for p in sorted(out.glob("0*/00/scene.json"))]
    used = {name for row in rows for name in row}
    assert {"meshes:crate", "meshes:ball"} <= used
    recipe = json.loads((out / "dataset.json").read_text())["recipe"]
    assert [o["weight"] for o in recipe["objects"]] == [5.0, 0.1]


def test_shards_and_recipe_file(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('points = 16\n[[layouts]]\nname = "floating"\noptions = {count = [1, 2]}\n')
    out = tmp_path / "shards"
    data("scenes", "-o", out, "-n", 3, "--recipe", file, "--views", 1, "--size", "64x48", "--shards", 2, "-j", 1)
    assert sorted(p.name for p in out.iterdir()) == [
        "dataset.json",
        "scenes-000000-000001.tar",
        "scenes-000002-000002.tar",
    ]
    assert json.loads(data("show", out, "--json"))["layouts"] == {"floating": 3}


def test_triplets_and_clips(tmp_path: Path) -> None:
    small = ("--size", "64x48", "-j", 1)
    data(
        "triplets",
        "-o",
        tmp_path / "t",
        "-n",
        3,
        "--severity",
        "0.4",
        "--pattern",
        "corner",
        "--size",
        "160x120",
        "-j",
        1,
    )
    told = json.loads(data("show", tmp_path / "t", "--json"))
    assert (told["items"], told["patterns"]) == (3, {"corner": 3})
    assert told["severity"][1] == pytest.approx(0.4, abs=0.06)
    data("triplets", "-o", tmp_path / "ts", "-n", 3, "--shards", 2, *small)
    assert json.loads(data("show", tmp_path / "ts", "--json"))["items"] == 3
    data("clips", "-o", tmp_path / "c", "-n", 2, "--frames", 3, *small)
    assert len(list((tmp_path / "c" / "000001").glob("frame_*.png"))) == 4
    assert json.loads(data("show", tmp_path / "c", "--json"))["items"] == 2
    data("triplets", "-o", tmp_path / "p", "-n", 1, "--shadows", *small)
    pair = load_shadow_pair(tmp_path / "p" / "000000")
    assert 0.1 <= pair.hidden <= 0.6
    data("clips", "-o", tmp_path / "s", "-n", 1, "--frames", 2, "--shadows", *small)
    assert len(list((tmp_path / "s" / "000000").glob("frame_*.png"))) == 3


def test_objects_reports_every_file(tmp_path: Path) -> None:
    told = json.loads(data("objects", meshes(tmp_path / "meshes"), "-o", tmp_path / "out", "-j", 1, "--json"))
    assert (told["objects"], told["skipped"], told["watertight_share"]) == (2, 1, 1.0)
    rows = json.loads((tmp_path / "out" / "objects.json").read_text())
    assert [r["key"] for r in rows["objects"]] == ["ball", "crate"]
    assert "broken.glb" in (tmp_path / "out" / "objects.md").read_text()


@pytest.mark.parametrize(
    ("args", "kind", "text"),
    [
        (("scenes", "--size", "big"), ConfigError, "expected --size WIDTHxHEIGHT of at least 8 pixels; got big"),
        (("scenes", "--layout", "heap"), ConfigError, "layouts.0.name = 'heap'"),
        (("scenes", "--objects", "nowhere"), InputError, "nowhere"),
        (("scenes", "--objects", "x", "--color-space", "rgb"), ConfigError, "expected --color-space linear or srgb"),
        (("scenes", "--curate"), ConfigError, "expected a folder with it; got --curate alone; add --objects FOLDER"),
        (("scenes", "--layout", "plane=inf"), ConfigError, "layouts.0.weight = inf"),
        (("triplets", "--images", "a", "--objects", "b"), ConfigError, "expected one kind of target"),
        (("triplets", "--shadows", "--size", "64x48,32x32"), ConfigError, "expected one --size with --shadows"),
        (("scenes", "--recipe", "none.toml"), InputError, "none.toml"),
        (("triplets", "--severity", "much"), ConfigError, "expected --severity LOW,HIGH; got much"),
        (("triplets", "--severity", "0,2"), ConfigError, r"triplet"),
        (("triplets", "--images", "nowhere"), InputError, "nowhere"),
        (("clips", "--shadows", "--pattern", "brush"), ConfigError, "expected rendered objects with --shadows"),
    ],
)
def test_wrong_words_are_named(tmp_path: Path, args: tuple[str, ...], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as error:
        data(args[0], "-o", tmp_path / "out", *args[1:])
    assert text in str(error.value)
    assert not list((tmp_path / "out").glob("0*")) if (tmp_path / "out").exists() else True


def test_folder_with_nothing_usable(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    (folder / "a.obj").write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="meshes"):
        data("scenes", "-o", tmp_path / "out", "--objects", folder)
    with pytest.raises(InputError, match="expected a data set"):
        data("show", folder)


def test_triplets_of_several_sizes(tmp_path: Path) -> None:
    data("triplets", "-o", tmp_path / "t", "-n", 6, "--size", "160x120,96x128", "--severity", "0.3", "-j", 1)
    shapes = {cv2.imread(str(p)).shape[:2] for p in (tmp_path / "t").glob("0*/target.png")}
    assert shapes == {(120, 160), (128, 96)}


def test_damaged_environments_are_named_before_anything_is_made(tmp_path: Path) -> None:
    skies = tmp_path / "skies"
    skies.mkdir()
    cv2.imwrite(str(skies / "good.png"), np.full((8, 16, 3), 128, np.uint8))
    (skies / "bad.hdr").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"expected environments that can all be used; got .*bad\.hdr"):
        data("scenes", "-o", tmp_path / "out", "-n", 1, "--environments", skies)
    assert not (tmp_path / "out").exists()
    (skies / "bad.hdr").unlink()
    data("scenes", "-o", tmp_path / "out", "-n", 1, *SMALL, "--environments", skies)


@pytest.mark.parametrize(("file", "content"), [("scene.json", b"{}"), ("rgb.png", b""), ("labels.png", b"x")])
def test_show_names_what_is_damaged(tmp_path: Path, file: str, content: bytes) -> None:
    data("scenes", "-o", tmp_path / "out", "-n", 1, *SMALL)
    (tmp_path / "out" / "000000" / "00" / file).write_bytes(content)
    with pytest.raises(InputError, match="make the data again"):
        data("show", tmp_path / "out")


def test_another_recipe_in_the_folder(tmp_path: Path) -> None:
    data("scenes", "-o", tmp_path / "out", "-n", 1, *SMALL)
    with pytest.raises(OutputError, match="recipe.seed is 0 there, 9 now"):
        data("scenes", "-o", tmp_path / "out", "-n", 1, *SMALL, "--seed", 9)
