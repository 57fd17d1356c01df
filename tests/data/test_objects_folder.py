"""Objects from a folder: every file is an object or a skip with its reason, read once, kept within bounds."""

from __future__ import annotations

import json
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from object_shapes import ball, box, write_gltf, write_mesh, write_ply
from one_that_dies import double_or_die

from scenemaker.data.objects import scan
from scenemaker.data.objects.curation import Curation
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.types import rng_for
from scenemaker.errors import InputError
from scenemaker.parallel import each

SHARED = Path(__file__).resolve().parents[3] / "shared" / "assets" / "val"
QUAD = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]]


def five(folder: Path) -> None:
    """Boxes of five sizes as five kinds of files, at depth."""
    for i, name in enumerate(("glbs/000-000/b.glb", "glbs/000-001/a.GLB", "c.obj", "c.ply", "d.stl")):
        write_mesh(folder / name.lower(), box(1, 2 + i, 3))
        (folder / name.lower()).rename(folder / name)


def test_keys_are_paths_without_suffix_sorted_and_unique(tmp_path: Path) -> None:
    five(tmp_path / "own")
    write_mesh(tmp_path / "far" / "e.ply", box(1, 1, 2))
    (tmp_path / "own" / "notes.txt").write_text("no mesh")
    (tmp_path / "own" / "linked").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "loop").symlink_to(tmp_path / "far")
    (tmp_path / "entry").symlink_to(tmp_path / "own")
    source = FolderSource(tmp_path / "entry")
    keys = ("c.obj", "c.ply", "d", "glbs/000-000/b", "glbs/000-001/a", "linked/e")
    assert source.keys == keys and source.skipped == () and len(source) == 6
    np.testing.assert_allclose(source.get("glbs/000-001/a").mesh.extents, [1 / 3, 1, 1])
    np.testing.assert_allclose(source.get("c.obj").mesh.extents, np.array([1, 4, 3]) / 4)
    np.testing.assert_allclose(source.get("c.ply").mesh.extents, np.array([1, 5, 3]) / 5, rtol=1e-6)


def test_a_key_is_never_given_twice(tmp_path: Path) -> None:
    for name in ("a.glb", "a.obj", "a.glb.obj"):
        write_mesh(tmp_path / name, box(1, 2, 3))
    assert FolderSource(tmp_path).keys == ("a.glb", "a.glb.obj", "a.obj")


def test_objects_stand_in_obj_and_equal_keys_give_equal_bytes(tmp_path: Path) -> None:
    write_mesh(tmp_path / "x.glb", box(2, 1, 0.5, at=(7, -3, 2)))
    (tmp_path / "labels.json").write_text(json.dumps({"x": "crate"}))
    one, two = (FolderSource(tmp_path, name="mine").get("x") for _ in range(2))
    np.testing.assert_allclose(one.mesh.bounds, [[-0.5, -0.25, -0.125], [0.5, 0.25, 0.125]], atol=1e-6)
    assert one.mesh.vertices.tobytes() == two.mesh.vertices.tobytes()
    assert (one.key, one.label, one.source) == ("x", "crate", "mine")


def test_labels_may_name_the_last_part_of_a_key(tmp_path: Path) -> None:
    five(tmp_path)
    (tmp_path / "labels.json").write_text('{"b": "chest", "d": "door"}')
    source = FolderSource(tmp_path)
    assert [source.get(key).label for key in source.keys] == [None, None, "door", "chest", None]
    (tmp_path / "labels.json").write_text('["chest"]')
    with pytest.raises(InputError) as error:
        FolderSource(tmp_path)
    assert str(error.value) == (
        f"expected JSON {{key: label}}; got {tmp_path}/labels.json: other content; mend or remove it"
    )


def test_every_bad_file_is_a_skip_that_names_it(tmp_path: Path) -> None:
    folder, v, f = tmp_path / "in", *map(np.array, QUAD)
    write_mesh(folder / "good.glb", box(1, 2, 3))
    whole = (folder / "good.glb").read_bytes()
    tilt = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    (folder / "a_empty.glb").write_bytes(b"")
    (folder / "b_half.glb").write_bytes(whole[: len(whole) // 2])
    (folder / "c_text.glb").write_text("a web page, not a mesh: the download failed")
    write_ply(folder / "d_points.ply", v, [])
    write_ply(folder / "e_nan.ply", [[np.nan, 0, 0], *v[1:]], f)
    write_ply(folder / "f_point.ply", v * 0, f)
    write_ply(folder / "g_line.ply", v, [[0, 1, 1]])
    write_ply(folder / "h_flat.ply", v, f)
    write_ply(folder / "i_tilted.ply", v @ tilt, f)
    write_ply(folder / "j_index.ply", v, [[0, 1, 9]])
    write_gltf(folder / "k_outside.glb", box(1, 2, 3), {"pbrMetallicRoughness": {}}, "../secret.png")
    tree = {"asset": {"version": "2.0"}, "buffers": [{"uri": "../../b.bin", "byteLength": 12}]}
    tree |= {"bufferViews": [{"buffer": 0, "byteLength": 12}], "meshes": [], "scenes": [{}], "scene": 0}
    (folder / "l_outside.gltf").write_text(json.dumps(tree))
    write_mesh(folder / "m_many.stl", ball(fine=3))
    (folder / "n_gone.obj").symlink_to(folder / "nowhere.obj")
    (folder / "o_folder.obj").mkdir()
    source = FolderSource(folder, Curation(max_faces=1279))
    assert source.keys == ("good",)
    assert [(skip.file, skip.reason) for skip in source.skipped] == [
        ("a_empty.glb", "not a mesh file"),
        ("b_half.glb", "not a whole mesh file"),
        ("c_text.glb", "not a whole mesh file"),
        ("d_points.ply", "not a mesh with faces"),
        ("e_nan.ply", "not finite vertices"),
        ("f_point.ply", "not a mesh with an extent"),
        ("g_line.ply", "not a mesh with an area"),
        ("h_flat.ply", "flat"),
        ("i_tilted.ply", "flat"),
        ("j_index.ply", "not a mesh with faces on its vertices"),
        ("k_outside.glb", "not a mesh file that stays in its folder"),
        ("l_outside.gltf", "not a mesh file that stays in its folder"),
        ("m_many.stl", "more than 1279 faces"),
        ("n_gone.obj", "not a mesh file"),
    ]
    assert all(str(folder / skip.file) in skip.detail for skip in source.skipped)
    assert source.skipped[12].detail == f"{folder}/m_many.stl: more than 1279 faces (1280 faces)"
    assert list(source.counts.items())[:3] == [
        ("flat", 2),
        ("not a mesh file", 2),
        ("not a mesh file that stays in its folder", 2),
    ]
    assert sum(source.counts.values()) == 14
    flat = FolderSource(folder, Curation(allow_flat=True, max_faces=1280))
    assert flat.keys == ("good", "h_flat", "i_tilted", "m_many")


def test_whatever_a_reader_trips_over_is_a_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    five(tmp_path)
    monkeypatch.setattr("scenemaker.data.objects.curation.normalise", lambda _: {}["lost"])
    with pytest.raises(InputError, match="5 mesh files looked at, none usable: 5 x cannot be read; give a folder"):
        FolderSource(tmp_path)


def test_a_million_faces_are_the_limit() -> None:
    facts = scan.FileFacts(faces=1_000_001, thinness=1)
    assert Curation().reason(facts) == "more than 1000000 faces"
    assert Curation().reason(scan.FileFacts(faces=1_000_000, thinness=1)) is None


def test_a_folder_with_nothing_usable_says_why(tmp_path: Path) -> None:
    for name in "abc":
        write_ply(tmp_path / f"{name}.ply", *QUAD)
    (tmp_path / "d.obj").write_text("")
    write_mesh(tmp_path / "e.stl", box(1, 1, 1))
    with pytest.raises(InputError) as error:
        FolderSource(tmp_path, Curation(exclude=("e",)))
    assert str(error.value) == (
        f"expected a folder with usable meshes; got {tmp_path}: 4 mesh files looked at, none usable: 3 x flat, "
        "1 x not a mesh file, 1 left out by include, exclude or keys_file; "
        "give a folder of .glb, .gltf, .obj, .ply, .stl, or relax the curation"
    )
    with pytest.raises(InputError) as error:
        FolderSource(tmp_path / "none")
    assert str(error.value) == f"expected a folder of mesh files; got {tmp_path}/none: no such folder; check the path"
    with pytest.raises(InputError, match="e.stl: a file; check the path"):
        FolderSource(tmp_path / "e.stl")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="bare: 0 mesh files looked at; give a folder"):
        FolderSource(tmp_path / "bare")


def test_unknown_and_vanished_objects_are_named(tmp_path: Path) -> None:
    five(tmp_path)
    source = FolderSource(tmp_path)
    with pytest.raises(InputError) as error:
        source.get("z")
    assert (
        str(error.value) == f"expected the key of an object in {tmp_path}; got 'z', which is none of its 5; see .keys"
    )
    (tmp_path / "d.stl").unlink()
    with pytest.raises(InputError, match="d.stl: no such file"):
        source.get("d")


def test_draws_reach_every_object_and_repeat(tmp_path: Path) -> None:
    five(tmp_path)
    source = FolderSource(tmp_path)
    keys = [source.draw(rng_for(3, i, "objects")) for i in range(200)]
    assert set(keys) == set(source.keys) and min(keys.count(key) for key in source.keys) > 20
    assert keys == [source.draw(rng_for(3, i, "objects")) for i in range(200)]


def test_files_are_read_once_and_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    examine = scan.examine

    def counted(path: Path, color_space: Any) -> scan.FileFacts:
        seen.append(path.name)
        return examine(path, color_space)

    monkeypatch.setattr(scan, "examine", counted)
    folder, cache = tmp_path / "in", tmp_path / "cache"
    five(folder)
    write_ply(folder / "bad.ply", [], [])
    steps: list[tuple[int, int]] = []
    first = FolderSource(folder, cache_dir=cache, progress=lambda *step: steps.append(step))
    assert steps == [(i, 6) for i in range(7)] and len(seen) == 6
    seen.clear(), steps.clear()
    again = FolderSource(folder, cache_dir=cache, progress=lambda *step: steps.append(step))
    assert seen == ["bad.ply"] and steps == [(5, 6), (6, 6)]  # what failed is tried again
    assert again.keys == first.keys and again.skipped == first.skipped
    seen.clear()
    strict = FolderSource(folder, Curation(min_thinness=0.3), cache_dir=cache)  # other rules, same facts
    assert seen == ["bad.ply"] and strict.keys == ("glbs/000-000/b", "glbs/000-001/a")
    seen.clear()
    write_mesh(folder / "d.stl", ball())
    os.utime(folder / "c.obj", ns=(0, 0))
    FolderSource(folder, cache_dir=cache)
    assert seen == ["bad.ply", "c.obj", "d.stl"]
    seen.clear()
    FolderSource(folder, cache_dir=cache, color_space="srgb")  # another reading of the colours
    FolderSource(folder)  # no cache
    assert len(seen) == 12


def test_a_damaged_scan_file_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, cache = tmp_path / "in", tmp_path / "cache"
    five(folder)
    FolderSource(folder, cache_dir=cache)
    (file,) = (cache / "objects").iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:100], b"[]", b'{"files": {"d.stl": {"stamp": [1, 2]}}}'):
        file.write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            assert len(FolderSource(folder, cache_dir=cache)) == 5
        assert file.read_bytes() == whole
    assert caplog.messages == [f"a damaged scan file is made anew: {file}"] * 2


def test_workers_change_nothing(tmp_path: Path) -> None:
    five(tmp_path / "in")
    write_ply(tmp_path / "in" / "bad.ply", *QUAD)
    one = FolderSource(tmp_path / "in", cache_dir=tmp_path / "1")
    two = FolderSource(tmp_path / "in", cache_dir=tmp_path / "2", workers=2)
    assert one.keys == two.keys and one.skipped == two.skipped
    assert [p.read_bytes() for p in (tmp_path / "1").rglob("*.json")] == [
        p.read_bytes() for p in (tmp_path / "2").rglob("*.json")
    ]


def test_an_item_that_kills_its_process_does_not_end_the_rest() -> None:
    assert dict(each(double_or_die, range(6), workers=2)) == {0: 0, 1: 2, 2: 4, 3: None, 4: 8, 5: 10}


def test_memory_stays_within_its_bound(tmp_path: Path) -> None:
    for i in range(6):
        write_mesh(tmp_path / f"{i}.ply", ball(fine=2))
    size = ball(fine=2).vertices.nbytes + ball(fine=2).faces.nbytes
    source = FolderSource(tmp_path, memory_bytes=2 * size)
    first = source.get("0")
    assert source.get("1") is source.get("1") and source.get("0") is first
    source.get("2")  # "1" was used longest ago
    assert source.get("0") is first and source._kept.keys() == {"2", "0"}
    for i in range(60):
        source.get(str(i % 6))
        assert source._kept_bytes == size * len(source._kept) <= 2 * size
    nothing = FolderSource(tmp_path, memory_bytes=size - 1)
    assert nothing.get("0") is not nothing.get("0") and nothing._kept_bytes == 0


def test_a_source_travels_to_workers_without_its_meshes(tmp_path: Path) -> None:
    for i in range(3):
        write_mesh(tmp_path / f"{i}.ply", ball(fine=4))
    source = FolderSource(tmp_path)
    mesh = source.get("1").mesh
    data = pickle.dumps(source)
    assert len(data) < 5000 < mesh.vertices.nbytes
    assert pickle.loads(data).get("1").mesh.vertices.tobytes() == mesh.vertices.tobytes()


def test_globs_and_key_files_choose(tmp_path: Path) -> None:
    five(tmp_path / "in")
    wanted = tmp_path / "keys.txt"
    wanted.write_text("b\nglbs/000-001/a\n\n d \nlost\n")
    source = FolderSource(tmp_path / "in", Curation(keys_file=wanted))
    assert source.keys == ("d", "glbs/000-000/b", "glbs/000-001/a") and source.left_out == 2
    assert [(skip.file, skip.reason) for skip in source.skipped] == [("lost", "not in the folder")]
    source = FolderSource(tmp_path / "in", Curation(include=("glbs/*", "c.*"), exclude=("*/a", "*.ply")))
    assert source.keys == ("c.obj", "glbs/000-000/b") and source.left_out == 3 and source.skipped == ()
    with pytest.raises(InputError, match="expected a text file of keys; got .*none.txt: .*; give one key per line"):
        FolderSource(tmp_path / "in", Curation(keys_file=tmp_path / "none.txt"))


def painted(folder: Path, name: str, rgb: Any) -> str:
    folder.mkdir(exist_ok=True)
    PIL.Image.fromarray(np.asarray(rgb, np.uint8)).save(folder / name)
    return name


def material(**more: Any) -> dict[str, Any]:
    return {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, **more}


def test_curation_of_the_paper_by_material_and_albedo(tmp_path: Path) -> None:
    rng, shape = np.random.default_rng(0), ball(fine=2)
    bright = painted(tmp_path, "bright.png", rng.integers(60, 255, (8, 12, 3)))
    dark = painted(tmp_path, "dark.png", rng.integers(0, 30, (8, 12, 3)))
    pure = painted(tmp_path, "pure.png", np.full((8, 12, 3), 120))
    glass = {"extensions": {"KHR_materials_transmission": {"transmissionFactor": 0.9}}}
    write_gltf(tmp_path / "a_good.glb", shape, material(), bright)
    write_gltf(tmp_path / "b_cut.glb", shape, material(alphaMode="MASK"), bright)
    write_gltf(tmp_path / "c_blend.glb", shape, material(alphaMode="BLEND"), bright)
    write_gltf(tmp_path / "d_glass.glb", shape, material(**glass), bright)
    write_gltf(tmp_path / "e_none.glb", shape, None)
    write_gltf(tmp_path / "f_grey.glb", shape, {"pbrMetallicRoughness": {}})
    write_gltf(tmp_path / "g_lost.glb", shape, material(), "lost.png")
    write_gltf(tmp_path / "h_dark.glb", shape, material(), dark)
    write_gltf(tmp_path / "i_pure.glb", shape, material(), pure)
    write_gltf(tmp_path / "j_coarse.glb", ball(fine=1), material(), bright)
    assert len(FolderSource(tmp_path).keys) == 10  # by default only geometry counts
    source = FolderSource(tmp_path, Curation.paper())
    assert source.keys == ("a_good", "b_cut")
    assert [(skip.file[0], skip.reason) for skip in source.skipped] == [
        ("c", "transparent"),
        ("d", "transparent"),
        ("e", "no material"),
        ("f", "no albedo map"),
        ("g", "no albedo map"),
        ("h", "dark albedo"),
        ("i", "albedo of one colour"),
        ("j", "fewer than 100 faces"),
    ]


def test_materials_of_obj_files(tmp_path: Path) -> None:
    lines = [f"v {x} {y} {z}" for x, y, z in box(1, 2, 3).vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (box(1, 2, 3).faces + 1).tolist()]
    for name, mtl in (("solid", "d 1.0"), ("glass", "d 0.4"), ("inverse", "Tr 0.5"), ("odd", "d -halo x")):
        (tmp_path / f"{name}.mtl").write_text(f"newmtl m\nKd 0.5 0.2 0.1\n{mtl}\n")
        head = [f"mtllib {name}.mtl", *lines[:8], "usemtl m", *lines[8:]]
        (tmp_path / f"{name}.obj").write_text("\n".join(head))
    (tmp_path / "bare.obj").write_text("\n".join(lines))
    (tmp_path / "lost.obj").write_text("\n".join(["mtllib lost.mtl", *lines[:8], "usemtl m", *lines[8:]]))
    source = FolderSource(tmp_path, Curation(opaque_only=True, need_material=True))
    assert source.keys == ("odd", "solid")
    assert source.counts == {"no material": 2, "transparent": 2}


def test_albedo_is_measured_on_the_surface_by_area(tmp_path: Path) -> None:
    """A prism that is white where x < 3/4 and black beyond: its luma is the share of its area that is white."""
    halves = np.full((8, 256, 3), 255)
    halves[:, 192:] = 0
    write_gltf(tmp_path / "prism.glb", box(1, 0.5, 0.5), material(), painted(tmp_path, "halves.png", halves))
    facts = scan.examine(tmp_path / "prism.glb", "linear")
    white = (0.25 + 4 * 0.75 * 0.5) / (2 * 0.25 + 4 * 0.5)  # one end, and 3/4 of the four sides
    assert facts.albedo == pytest.approx(white, abs=0.02)
    assert facts.albedo_spread == pytest.approx(np.sqrt(white * (1 - white)), abs=0.02)
    assert facts.textured and facts.material and not facts.transparent and facts.faces == 12
    assert facts.thinness == pytest.approx(0.5, abs=0.21)  # the flattest direction of a square section is any


def test_made_files_and_shared_meshes_are_all_usable(tmp_path: Path) -> None:
    five(tmp_path)
    for folder in (tmp_path, *([SHARED] if SHARED.is_dir() else [])):
        source = FolderSource(folder, Curation(exclude=("*[a-np-zA-Z]",)) if folder == SHARED else None)
        assert source.skipped == () and len(source) > 3
