"""The reader of SceneMaker's open-set data, on a scene made here and written in that layout."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from readers_made import (
    UUID,
    H,
    W,
    check_on_surface,
    check_same,
    direct,
    made,
    npz,
    openset_geometry,
    openset_scene,
    png,
    tar,
    write,
)

from scenemaker.data.readers import SceneMakerOpenSet
from scenemaker.errors import ConfigError, InputError

SCENE = f"000-000/{UUID}"
DEPTH_STEP = 20 / 65535


def folder(root: Path, files: dict[str, bytes] | None = None) -> Path:
    return write(root, {**openset_geometry(made()), **(openset_scene(made()) if files is None else files)})


def archive(root: Path, data: bytes, name: str = "000-000.tar.gz") -> Path:
    return write(root, {**openset_geometry(made()), name: data})


def one_error(reader: SceneMakerOpenSet) -> str:
    """The text of an item that alone was left out."""
    with pytest.raises(InputError, match=r"a scene that can be read"):
        list(reader)
    assert len(reader.skipped) >= 1
    return reader.skipped[0].reason


def edited(key: str, change: Any) -> dict[str, bytes]:
    """The scene's files with its ``metadata.json`` or ``UUID.json`` changed."""
    files = openset_scene(made())
    tree = json.loads(files[key])
    change(tree)
    return {**files, key: json.dumps(tree).encode()}


def test_folder_and_archive_give_the_scene_as_it_was_made(tmp_path: Path) -> None:
    unpacked = SceneMakerOpenSet(folder(tmp_path / "a"), views=3)
    streamed = SceneMakerOpenSet(archive(tmp_path / "b", tar(openset_scene(made()).items())))
    assert len(unpacked) == 3
    for samples in (list(unpacked), list(streamed), [unpacked[i] for i in range(3)]):
        assert [s.key for s in samples] == [f"000-000_{UUID}_{k:04d}" for k in range(3)]
        for k, sample in enumerate(samples):
            check_same(sample, direct(made(), k, ground=True), depth_tolerance=0.51 * DEPTH_STEP)
            check_on_surface(sample, 0.01)
            assert sample.object_labels == (None, None, None) and sample.depth_scale == "relative"
            assert sample.info["seg_offset"] == 2 and sample.info["seg_agreement"] > 0.9
            assert abs(sample.info["depth_ratio"] - 1) < 0.01
            assert "refitted" not in sample.info
            json.dumps(sample.info)
    assert unpacked.skipped == streamed.skipped == ()


def test_blenders_world_is_turned_upright(tmp_path: Path) -> None:
    """A camera at (1, 2, 3) of Blender's world without rotation looks down: up is +z there, +y in ours."""

    def at(tree: dict[str, Any]) -> None:
        pose = np.eye(4)
        pose[:3, 3] = 1, 2, 3
        tree["cam2world_matrixs"] = [pose.tolist()] * 3

    files = edited(f"{SCENE}/metadata.json", at)
    camera = SceneMakerOpenSet(folder(tmp_path, files), seg_offset=2)[0].camera
    np.testing.assert_allclose(camera.centre_world, [1, 3, -2], atol=1e-12)
    np.testing.assert_allclose(camera.T_cam_world[2, :3], [0, -1, 0], atol=1e-12)  # forwards is down
    np.testing.assert_allclose(camera.T_cam_world[1, :3], [0, 0, 1], atol=1e-12)  # the picture's down is Blender's -y


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_ids_are_found_out_from_where_the_objects_are(tmp_path: Path, offset: int) -> None:
    files = openset_scene(made(), seg_offset=offset)
    samples = list(SceneMakerOpenSet(folder(tmp_path, files)))
    for k, sample in enumerate(samples):
        np.testing.assert_array_equal(sample.labels, direct(made(), k, ground=True).labels)
        assert sample.info["seg_offset"] == offset
    fixed = SceneMakerOpenSet(tmp_path, seg_offset=2)[0]
    np.testing.assert_array_equal(fixed.labels == 1, samples[0].labels == 3 - offset)


def test_ids_that_fit_no_numbering_are_refused(tmp_path: Path) -> None:
    files = openset_scene(made())
    for k in range(3):
        order = np.array([0, 1, 4, 2, 3] + [200] * 251, np.uint8)  # the objects' ids went round
        index = made().view(k).index
        files[f"{SCENE}/{k:04d}_seg.png"] = png(order[np.where(index < 3, index + 2, 1)])
    reason = one_error(SceneMakerOpenSet(folder(tmp_path, files)))
    assert re.fullmatch(
        r"expected ids that fit where the objects are in one way only; got k\+0 \d+%, k\+1 \d+%, k\+2 \d+% of the "
        rf"object points of {SCENE}; check poses and masks, or give seg_offset=2 \(as the published loader reads "
        r"them\) or another if you know",
        reason,
    )


def test_ids_cannot_be_told_without_a_visible_object(tmp_path: Path) -> None:
    def away(tree: dict[str, Any]) -> None:
        for item in tree["objects"]:
            item["translation"] = [0, -500, 0]

    reason = one_error(SceneMakerOpenSet(folder(tmp_path, edited(f"{SCENE}.json", away))))
    assert reason.startswith(f"expected at least 30 to tell the ids by; got 0 visible object points in {SCENE}")


def test_depth_decodings(tmp_path: Path) -> None:
    """The published decoding is right where a pixel is clipped, and stretches every other picture."""
    want = direct(made(), 0, ground=True).depth
    root = folder(tmp_path, openset_scene(made()))
    assert np.isnan(want).any()  # background: stored as the clip value
    np.testing.assert_allclose(SceneMakerOpenSet(root, depth_decoding="published")[0].depth, want, atol=1e-3)
    files = openset_scene(made())
    stored = np.nan_to_num(want / 20 * 65535, nan=0).round().astype(np.uint16)  # nothing clipped
    files[f"{SCENE}/0000_depth.png"] = png(stored)
    write(root, files)
    np.testing.assert_allclose(SceneMakerOpenSet(root)[0].depth, want, atol=0.51 * DEPTH_STEP)
    stretched = SceneMakerOpenSet(root, depth_decoding="published", views=1)[0]
    known = np.isfinite(stretched.depth)
    factor = 20 / np.nanmax(want)
    np.testing.assert_allclose(stretched.depth[known], want[known] * factor, rtol=1e-3)
    assert factor > 1.2 and stretched.info["depth_ratio"] > 1.05
    near = SceneMakerOpenSet(root, max_depth=4.0)[0].depth
    np.testing.assert_array_equal(np.isfinite(near), want < 4.0)
    with pytest.raises(ConfigError, match=r'depth_decoding "range" or "published"; got \'max\''):
        SceneMakerOpenSet(root, depth_decoding="max")  # type: ignore[arg-type]


def test_cloud_that_is_not_normalised_keeps_its_place(tmp_path: Path) -> None:
    scene, shift, factor = made(), np.array([0.3, -0.1, 0.2]), 0.8
    root = folder(tmp_path)
    points = scene.points_obj[1]
    cloud = np.c_[2 * factor * points[:, :3] + shift, points[:, 3:]].astype(np.float32)
    path = f"geometry/sample/000-000/{scene.names[1]}.npz"
    write(root, {path: npz(surface=cloud)})
    sample = SceneMakerOpenSet(root, seg_offset=2)[0]
    assert sample.info["refitted"] == [scene.names[1]]
    want = direct(scene, 0, ground=True)
    np.testing.assert_allclose(sample.points_obj[1], want.points_obj[1], atol=1e-5)
    np.testing.assert_allclose(sample.size[1], factor * want.size[1], rtol=1e-5)
    placed = sample.scale[1] * sample.points_obj[1, :, :3] @ sample.R_cam_obj[1].T + sample.t_cam_obj[1]
    as_told = want.scale[1] / 2 * cloud[:, :3] @ want.R_cam_obj[1].T + want.t_cam_obj[1]
    np.testing.assert_allclose(placed, as_told, atol=1e-5)


@pytest.mark.parametrize("values", [{"{n}": "sample/000-000/{n}.npz"}, {"{n}": "geometry/sample/000-000/{n}.npz"},
                                    {"{n}": "000-000/{n}.glb"}, {"/data/objaverse/000-000/{n}.glb": "000-000/{n}.npz"},
                                    {}, None])  # fmt: skip
def test_index_of_the_geometry(tmp_path: Path, values: dict[str, str] | None) -> None:
    root = write(tmp_path, {**openset_geometry(made(), index=False), **openset_scene(made())})
    if values is not None:
        index = {k.format(n=n): v.format(n=n) for n in made().names for k, v in values.items()}
        write(root, {"geometry/geometry.json": json.dumps(index).encode()})
    assert SceneMakerOpenSet(root)[0].names == made().names


def test_index_names_files_that_lie_elsewhere(tmp_path: Path) -> None:
    names, clouds = made().names, openset_geometry(made(), index=False)
    moved = {f"geometry/clouds/{n}.npz": clouds[f"geometry/sample/000-000/{n}.npz"] for n in names}
    root = write(tmp_path, {**moved, **openset_scene(made())})
    for value in ("clouds/{n}.npz", "geometry/clouds/{n}.npz", "clouds/{n}.glb"):
        index = {n: value.format(n=n) for n in names}
        write(root, {"geometry/geometry.json": json.dumps(index).encode()})
        assert SceneMakerOpenSet(root)[0].names == names
    write(root, {"geometry/geometry.json": json.dumps({n: f"../../{n}.npz" for n in names}).encode()})
    assert "expected a path below" in one_error(SceneMakerOpenSet(root))
    write(root, {"geometry/geometry.json": b"[]"})
    assert "a dictionary of paths" in one_error(SceneMakerOpenSet(root))


def test_cloud_that_falls_a_little_short_is_taken_as_normalised(tmp_path: Path) -> None:
    """Samples seldom hit the ends of a shape: pose and longest side stay those of the file."""
    scene = made()
    points = scene.points_obj[1]
    path = f"geometry/sample/000-000/{scene.names[1]}.npz"
    root = write(folder(tmp_path), {path: npz(surface=np.c_[1.98 * points[:, :3], points[:, 3:]])})
    sample, want = SceneMakerOpenSet(root)[0], direct(scene, 0, ground=True)
    assert "refitted" not in sample.info
    np.testing.assert_allclose(sample.size, want.size, rtol=1e-5)
    np.testing.assert_allclose(sample.t_cam_obj, want.t_cam_obj, atol=1e-9)
    np.testing.assert_allclose(sample.points_obj[1, :, :3], 0.99 * points[:, :3], atol=1e-5)


def test_captions_and_their_lack(tmp_path: Path) -> None:
    captions = {made().names[1]: "an egg"}
    sample = SceneMakerOpenSet(folder(tmp_path), captions=captions)[0]
    assert sample.object_labels == (None, "an egg", None)


def test_options_of_views_points_and_repeated_models(tmp_path: Path) -> None:
    def twice(tree: dict[str, Any]) -> None:
        tree["objects"][2]["uuid"] = tree["objects"][0]["uuid"]

    root = folder(tmp_path, edited(f"{SCENE}.json", twice))
    reader = SceneMakerOpenSet(root, views=2, points=500, seg_offset=2)
    assert len(reader) == len(list(reader)) == 2
    sample = reader[1]
    every = made().points_obj.shape[1]
    np.testing.assert_allclose(sample.points_obj[1], made().points_obj[1, np.arange(500) * every // 500], atol=1e-5)
    assert sample.points_obj.shape == (3, 500, 6)
    assert sample.names == (made().names[0], made().names[1], f"{made().names[0]}_2")
    assert len(list(SceneMakerOpenSet(root, views=20))) == 3  # the scene has no more
    with pytest.raises(InputError, match=rf"got view 4 of {SCENE}, which has 3; give views=3"):
        SceneMakerOpenSet(root, views=20)[4]
    with pytest.raises(IndexError, match="a number below 20; got 20"):
        SceneMakerOpenSet(root, views=20)[20]


def test_pixel_centre_and_size_of_K(tmp_path: Path) -> None:
    """K of a library whose top-left pixel has its centre at (0, 0), and pictures twice as large as the depth."""

    def integer(tree: dict[str, Any]) -> None:
        for K in tree["intrinsics"]:
            K[0][2], K[1][2] = (W - 1) / 2, (H - 1) / 2

    files = edited(f"{SCENE}/metadata.json", integer)
    rgb = direct(made(), 0, ground=True).rgb
    files[f"{SCENE}/0000_rgb.png"] = png(np.repeat(np.repeat(rgb, 2, 0), 2, 1))
    root = folder(tmp_path, files)
    K = made().cameras[0].K
    reader = SceneMakerOpenSet(root)
    np.testing.assert_allclose(reader[1].camera.K, K)
    np.testing.assert_allclose(reader[0].camera.K, np.diag([2, 2, 1]) @ K)
    assert reader[0].labels.shape == reader[0].depth.shape == (2 * H, 2 * W)
    np.testing.assert_array_equal(reader[0].labels[::2, 1::2], direct(made(), 0, ground=True).labels)
    half = SceneMakerOpenSet(root, pixel_centre="half")[1].camera.K
    np.testing.assert_allclose(half[:2, 2], [(W - 1) / 2, (H - 1) / 2])


def test_list_of_scenes_decides_and_may_be_of_another_machine(tmp_path: Path) -> None:
    other = "1" * 32
    root = folder(tmp_path, {**openset_scene(made()), **openset_scene(made(), other)})
    assert SceneMakerOpenSet(root).scenes == (SCENE, f"000-000/{other}")
    write(root, {"all_json_files.json": json.dumps({"json_files": [f"/private/data/000-000/{other}.json"]}).encode()})
    assert [s.info["scene"] for s in SceneMakerOpenSet(root)] == [f"000-000/{other}"] * 3
    write(root, {"all_json_files.json": json.dumps({"json_files": ["../../etc/passwd.json"]}).encode()})
    with pytest.raises(InputError, match=r"expected paths below .* got '\.\./\.\./etc/passwd\.json'"):
        SceneMakerOpenSet(root)


def test_workers_share_scenes_and_archives(tmp_path: Path) -> None:
    uuids = [f"{k:032x}" for k in range(3)]
    files = [openset_scene(made(), u) for u in uuids]
    root = folder(tmp_path / "a", {k: v for f in files for k, v in f.items()})
    archives = write(tmp_path / "b", openset_geometry(made()))
    for k, f in enumerate(files):
        write(archives, {f"{k:03d}-000.tar.gz": tar(f.items())})
    for reader in (SceneMakerOpenSet(root), SceneMakerOpenSet(archives)):
        everything = [s.key for s in reader]
        shares = [[s.key for s in reader.iterate(w, 2)] for w in range(2)]
        assert len(everything) == 9 and sorted(shares[0] + shares[1]) == everything
        assert {k.split("_")[1] for k in shares[1]} == {uuids[1]}
        assert list(reader.iterate(7, 8)) == []
    with pytest.raises(TypeError, match=r"expected unpacked scenes to count; got 3 archives in"):
        len(SceneMakerOpenSet(archives))


def test_readers_go_to_worker_processes(tmp_path: Path) -> None:
    for reader in (
        SceneMakerOpenSet(folder(tmp_path / "a")),
        SceneMakerOpenSet(archive(tmp_path / "b", tar(openset_scene(made()).items()))),
    ):
        next(iter(reader))  # with a scene open
        assert [s.key for s in pickle.loads(pickle.dumps(reader))] == [s.key for s in reader]


# archives


def test_archives_of_any_order_and_plain_tar(tmp_path: Path) -> None:
    """Scene files first, last, and far from their folders; "./" before names; not packed."""
    scenes = [openset_scene(made(views=1), f"{k:032x}") for k in range(12)]
    everything = [m for s in scenes for m in s.items()]
    jsons = [m for m in everything if m[0].count("/") == 1]
    rest = [m for m in everything if m[0].count("/") == 2]
    by_kind = sorted(rest[: 4 * 6], key=lambda m: m[0].rpartition("/")[2]) + rest[4 * 6 :]
    for name, members in (
        ("first", jsons + rest),
        ("last", rest + jsons),
        ("mixed", by_kind + jsons),
        ("dots", [(f"./{n}", d) for n, d in everything]),
    ):
        for packed in (True, False):
            file = "000-000.tar.gz" if packed else "000-000.tar"
            root = archive(tmp_path / f"{name}{packed}", tar(members, packed=packed), file)
            reader = SceneMakerOpenSet(root)
            assert sorted(s.info["scene"] for s in reader) == [f"000-000/{k:032x}" for k in range(12)], name
            assert reader.skipped == ()


def test_scenes_that_never_get_whole_do_not_pile_up(tmp_path: Path) -> None:
    """Ten scenes lack a picture: only eight wait, the others are given while the archive is read."""
    uuids = [f"{k:032x}" for k in range(12)]
    members = []
    for k, uuid in enumerate(uuids):
        files = openset_scene(made(), uuid)
        if k < 10:
            del files[f"000-000/{uuid}/0001_rgb.png"]
        members += files.items()
    reader = SceneMakerOpenSet(archive(tmp_path, tar(members)), seg_offset=2)
    order = list(dict.fromkeys(int(s.info["scene"][-2:], 16) for s in reader))
    assert order == [0, 1, 2, 10, 11, 3, 4, 5, 6, 7, 8, 9]
    assert sorted(s.item for s in reader.skipped) == [f"000-000/{u}/1" for u in uuids[:10]]


def test_truncated_archive_names_itself_and_what_was_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = (openset_scene(made(views=1), f"{k:032x}") for k in range(2))
    data = tar([*first.items(), *second.items()])
    after_first = len(tar(first.items()))
    root = archive(tmp_path, data[: (after_first + len(data)) // 2])
    reader = SceneMakerOpenSet(root)
    assert [s.info["scene"] for s in reader] == [f"000-000/{0:032x}"]
    cut = reader.skipped[0]
    assert cut.item == str(root / "000-000.tar.gz")
    assert cut.reason.startswith("damaged after 1 whole scenes: Compressed file ended before")
    assert reader.skipped[1].item == f"000-000/{1:032x}"  # begun, not finished: listed too
    assert f"left out {cut.item}: {cut.reason}" in caplog.text


def test_plain_tar_cut_between_files(tmp_path: Path) -> None:
    members = list(openset_scene(made(views=1)).items())
    data = tar(members, packed=False)
    end = data.rindex(b"\x00ustar"[1:]) - 257  # the last header
    reader = SceneMakerOpenSet(archive(tmp_path, data[:end], "000-000.tar"))
    with pytest.raises(InputError, match=r"damaged after 0 whole scenes: no end mark, it was cut off"):
        list(reader)


def test_damaged_header_within_is_not_taken_for_the_end(tmp_path: Path) -> None:
    first, second = (openset_scene(made(), k * 32) for k in "ab")
    raw = bytearray(tar([*first.items(), *second.items()], packed=False))
    at = len(tar(first.items(), packed=False)) - 10240
    at = raw.index(b"000-000/bbb", max(0, at))
    raw[at : at + 100] = b"\xff" * 100
    reader = SceneMakerOpenSet(archive(tmp_path, gzip.compress(bytes(raw), 1)))
    assert len(list(reader)) == 3
    assert reader.skipped[0].reason == "damaged after 1 whole scenes: a damaged header within"


def test_archive_that_is_none(tmp_path: Path) -> None:
    reader = SceneMakerOpenSet(archive(tmp_path, b"<html>not found</html>"))
    text = r"expected a scene that can be read in .*; got none \(1 left out: .*000-000\.tar\.gz: damaged after 0 whole"
    with pytest.raises(InputError, match=text):
        list(reader)


def test_members_that_lead_out_and_links_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo(f"{SCENE}/0009_rgb.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    bad = [("../evil.json", b"{}"), ("/abs.json", b"{}"), (f"{SCENE}/../../x", b"x"), (link.name, link)]
    root = archive(tmp_path, tar([*bad, *openset_scene(made()).items()]))
    reader = SceneMakerOpenSet(root)
    assert len(list(reader)) == 3
    file = root / "000-000.tar.gz"
    out = "refused: its name leads out of the archive"
    assert [(s.item, s.reason) for s in reader.skipped] == [
        (f"{file}:../evil.json", out),
        (f"{file}:/abs.json", out),
        (f"{file}:{SCENE}/../../x", out),
        (f"{file}:{link.name}", "refused: a link or device, not a file"),
    ]
    assert {p.name for p in tmp_path.iterdir()} == {"geometry", "000-000.tar.gz"}  # nothing was unpacked


@pytest.mark.parametrize("missing", ["0001_rgb.png", "0001_depth.png", "0001_seg.png"])
def test_view_without_a_picture_is_left_out(tmp_path: Path, missing: str) -> None:
    files = openset_scene(made())
    del files[f"{SCENE}/{missing}"]
    streamed = SceneMakerOpenSet(archive(tmp_path / "a", tar(files.items())))
    unpacked = SceneMakerOpenSet(folder(tmp_path / "b", files))
    for reader in (streamed, unpacked):
        assert [s.info["view"] for s in reader] == [0, 2]
        assert [s.item for s in reader.skipped] == [f"{SCENE}/1"]
        assert missing in reader.skipped[0].reason and "not" in reader.skipped[0].reason
    with pytest.raises(InputError, match=f"{missing}: not found"):
        unpacked[1]


@pytest.mark.parametrize("missing", ["metadata.json", "UUID.json"])
def test_scene_without_its_files_is_listed(tmp_path: Path, missing: str) -> None:
    files, key = openset_scene(made()), {"metadata.json": f"{SCENE}/metadata.json", "UUID.json": f"{SCENE}.json"}
    del files[key[missing]]
    for reader in (
        SceneMakerOpenSet(folder(tmp_path / "a", files)),
        SceneMakerOpenSet(archive(tmp_path / "b", tar(files.items()))),
    ):
        with pytest.raises(InputError, match=r"a scene that can be read"):
            list(reader)
        assert [s.item for s in reader.skipped] == [SCENE]


def test_scene_file_without_its_folder_is_listed(tmp_path: Path) -> None:
    lonely = f"000-000/{'e' * 32}"
    files = {**openset_scene(made()), f"{lonely}.json": openset_scene(made())[f"{SCENE}.json"]}
    for reader in (
        SceneMakerOpenSet(folder(tmp_path / "a", files)),
        SceneMakerOpenSet(archive(tmp_path / "b", tar(files.items()))),
    ):
        assert len(list(reader)) == 3
        assert [s.item for s in reader.skipped] == [lonely]
        assert "metadata.json: not" in reader.skipped[0].reason


META, OBJECTS = f"{SCENE}/metadata.json", f"{SCENE}.json"


def _set(path: list[Any], value: Any) -> Any:
    def change(tree: Any) -> None:
        for key in path[:-1]:
            tree = tree[key]
        tree[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("key", "path", "value", "text"),
    [
        (META, ["intrinsics"], [], "as many intrinsics as poses"),
        (META, ["intrinsics"], "x", "as many intrinsics as poses"),
        (META, ["intrinsics"], [[[1, 0], [0, 1]]] * 3, r"intrinsics of view 0 of .* of shape \(3, 3\)"),
        (META, ["cam2world_matrixs"], [float("nan")] * 3, r"pose of view 0 of .* of shape \(4, 4\)"),
        (META, ["cam2world_matrixs"], [np.full((4, 4), np.nan).tolist()] * 3, "finite pose of view 0"),
        (META, ["cam2world_matrixs"], [(2 * np.eye(4)).tolist()] * 3, "rotation of the camera to be a rotation matrix"),
        (OBJECTS, ["objects"], [], "expected objects in"),
        (OBJECTS, ["objects", 0], {"uuid": "a/b.glb"}, "the key rotation_matrix in object 0"),
        (OBJECTS, ["objects", 0, "scale"], float("nan"), "finite scale of object 0"),
        (OBJECTS, ["objects", 0, "scale"], -1.0, "a positive size of"),
        (OBJECTS, ["objects", 0, "scale"], "big", "numbers as scale of object 0"),
        (OBJECTS, ["objects", 0, "scale"], [1, 2, 3], r"scale of object 0 of .* of shape \(1,\)"),
        (OBJECTS, ["objects", 0, "rotation_matrix"], [1.0] * 16, "to be a rotation matrix"),
        (OBJECTS, ["objects", 0, "rotation_matrix"], [1.0] * 9, r"of shape \(4, 4\); got shape \(9,\)"),
        (OBJECTS, ["objects", 0, "translation"], [0, float("inf"), 0], "finite translation of object 0"),
        (OBJECTS, ["objects", 0, "uuid"], "x/nowhere.glb", r"nowhere\.npz: not found"),
        (OBJECTS, ["objects", 0, "uuid"], "../...glb", r"a path below .*geometry"),
    ],
)
def test_wrong_values_in_json(tmp_path: Path, key: str, path: list[Any], value: Any, text: str) -> None:
    reason = one_error(SceneMakerOpenSet(folder(tmp_path, edited(key, _set(path, value)))))
    assert re.search(text, reason), reason


@pytest.mark.parametrize(
    ("file", "data", "text"),
    [
        ("metadata.json", b"{", r"whole JSON; got .*metadata\.json"),
        ("metadata.json", b"[]", r"the key intrinsics in .*metadata\.json; got list"),
        ("metadata.json", b"", r"metadata\.json: an empty file"),
        ("0000_rgb.png", b"\x89PNG\r\n", r"a whole PNG; got .*0000_rgb\.png"),
        ("0000_rgb.png", png(np.zeros((H, W), np.uint8)), r"an 8-bit RGB picture; got .*0000_rgb\.png: uint8"),
        ("0000_depth.png", png(np.zeros((H, W), np.uint8)), r"16-bit depth; got .*0000_depth\.png: uint8"),
        ("0000_depth.png", png(np.zeros((H, W), np.uint16)), r"expected depth; got .*0000_depth\.png: all zero"),
        ("0000_seg.png", png(np.random.default_rng(0).integers(0, 9, (H, W, 3), np.uint8)), "a picture of one channel"),
    ],
)
def test_damaged_files(tmp_path: Path, file: str, data: bytes, text: str) -> None:
    """With one view, that view is the scene."""
    files = {**openset_scene(made(views=1)), f"{SCENE}/{file}": data}
    reason = one_error(SceneMakerOpenSet(folder(tmp_path, files)))
    assert re.search(text, reason), reason


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"PK", "a whole NPZ file"),
        (npz(points=np.zeros((9, 6), np.float32)), r"the key surface; got .* with points"),
        (npz(surface=np.zeros((9, 5), np.float32)), r"points with normals \(P, 6\); got .*float32 \(9, 5\)"),
        (npz(surface=np.zeros((2, 9, 6), np.float32)), r"points with normals \(P, 6\)"),
        (npz(surface=np.full((9, 6), np.nan, np.float32)), r"finite points; got .*NaN or infinity"),
        (npz(surface=np.zeros((9, 6), np.float32)), "a cloud of some extent"),
        (npz(surface=np.array([[print] * 6] * 9, dtype=object)), "a whole NPZ file"),
    ],
)
def test_damaged_geometry(tmp_path: Path, data: bytes, text: str) -> None:
    root = write(folder(tmp_path), {f"geometry/sample/000-000/{made().names[0]}.npz": data})
    reason = one_error(SceneMakerOpenSet(root))
    assert re.search(text, reason), reason


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected the folder of a data set; got .*: not found"):
        SceneMakerOpenSet(tmp_path / "no")
    with pytest.raises(InputError, match=r"expected a list of scenes; got none in"):
        SceneMakerOpenSet(tmp_path)
    with pytest.raises(ConfigError, match='seg_offset "detect" or a number'):
        SceneMakerOpenSet(tmp_path, seg_offset="guess")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one view per scene; got 0"):
        SceneMakerOpenSet(folder(tmp_path / "x"), views=0)


def test_one_bad_scene_among_good_ones(tmp_path: Path) -> None:
    other = "f" * 32
    files = {**openset_scene(made()), **openset_scene(made(), other)}
    files[f"000-000/{other}.json"] = b"not json"
    for reader in (
        SceneMakerOpenSet(folder(tmp_path / "a", files)),
        SceneMakerOpenSet(archive(tmp_path / "b", tar(files.items()))),
    ):
        assert len(list(reader)) == 3
        assert [s.item for s in reader.skipped] == [f"000-000/{other}"]
        assert len(list(reader)) == 3 and len(reader.skipped) == 1  # a second pass lists nothing twice
