"""The readers of MIDI's and InstPIFu's 3D-FRONT and their mix, on scenes made here and written in those layouts."""

from __future__ import annotations

import builtins
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from readers_made import (
    HOUSE,
    ROOM,
    H,
    W,
    check_on_surface,
    check_same,
    direct,
    instpifu_task,
    made,
    npz,
    object_npy,
    png,
    webp,
    write,
    write_exr,
    write_instpifu,
    write_midi,
)

from scenemaker.data.readers import FrontMix, InstPifuFront, MidiFront
from scenemaker.data.readers.front_mix import room_of_tasks
from scenemaker.errors import BackendNotInstalledError, ConfigError, InputError

KEY = f"{HOUSE}/{ROOM}"
INFO = f"3D-FRONT-RENDER-independent-norm/{KEY}"
IMAGES = f"3D-FRONT-RENDER/{KEY}"
TASK = "rendertask7"


def midi(root: Path) -> Path:
    return write_midi(root, {KEY: made()})


def instpifu(root: Path) -> Path:
    return write_instpifu(root, {f"train/{TASK}": instpifu_task(made())}, [made()])


def open_instpifu(root: Path, **options: Any) -> InstPifuFront:
    """Its pictures here are not of the published size."""
    return InstPifuFront(root, **{"K_size": (2 * W, 2 * H), **options})


def reasons(reader: MidiFront | InstPifuFront) -> str:
    """What was left out, when nothing could be read."""
    with pytest.raises(InputError, match="a scene that can be read"):
        list(reader)
    return "\n".join(f"{s.item}: {s.reason}" for s in reader.skipped)


# MIDI


def test_midi_gives_the_scene_as_it_was_made(tmp_path: Path) -> None:
    reader = MidiFront(midi(tmp_path), views=3)
    samples = list(reader)
    assert len(reader) == len(samples) == 3 and reader.skipped == ()
    for k, sample in enumerate(samples):
        want = direct(made(), k, ground=False)  # transparent pixels come out white, as our background is
        check_same(sample, want, depth_tolerance=0)
        check_on_surface(sample, 0.01)
        assert sample.key == f"{HOUSE}_{ROOM}_{k:04d}_render"
        assert sample.object_labels == made().labels and sample.depth_scale == "relative"
        assert sample.info == {"room": KEY, "view": k, "renders": "render"}
        check_same(reader[k], want, depth_tolerance=0)
    normals, want = samples[0].points_obj[..., 3:], made().points_obj[..., 3:]
    np.testing.assert_allclose(normals, want, atol=1e-5)  # undone where the model was stretched


def test_midi_rerender_sharp_points_and_missing_masks(tmp_path: Path) -> None:
    root = midi(tmp_path)
    (root / INFO / "camera_0001" / "mask_0002.png").unlink()
    sample = MidiFront(root, renders="rerender", surface="sharp")[1]
    np.testing.assert_array_equal(sample.rgb, made().view(1, ground=False).rgb // 2)
    want = direct(made(), 1, ground=False).labels
    np.testing.assert_array_equal(sample.labels, np.where(want == 3, 0, want))  # no mask: not seen
    assert sample.points_obj.shape[1] == made().points_obj.shape[1] // 2


def test_midi_depth_and_mask_of_another_size(tmp_path: Path) -> None:
    """K is for the depth; the picture is twice as wide and high."""
    root = midi(tmp_path)
    image = direct(made(), 0, ground=False).rgb
    write(root, {f"{IMAGES}/render_0000.webp": webp(np.repeat(np.repeat(image, 2, 0), 2, 1))})
    sample = MidiFront(root)[0]
    np.testing.assert_allclose(sample.camera.K, np.diag([2, 2, 1]) @ made().cameras[0].K)
    assert sample.labels.shape == sample.depth.shape == (2 * H, 2 * W)


def test_midi_split_is_the_end_of_the_list(tmp_path: Path) -> None:
    rooms = [f"house/{c}" for c in "zyxw"]  # not in alphabetical order
    root = write(tmp_path, {"midi_room_ids.json": json.dumps(rooms).encode()})
    assert MidiFront(root, split="train", test_rooms=1).scenes == tuple(rooms[:3])
    assert MidiFront(root, split="test", test_rooms=1).scenes == ("house/w",)
    assert len(MidiFront(root)) == 4 * 11
    with pytest.raises(InputError, match="a list of scenes"):
        MidiFront(root, split="train")


def test_midi_workers_share_rooms(tmp_path: Path) -> None:
    rooms = [f"house/{k}" for k in range(3)]
    reader = MidiFront(write_midi(tmp_path, dict.fromkeys(rooms, made(views=1))), views=1)
    everything = [s.key for s in reader]
    shares = [[s.key for s in reader.iterate(w, 2)] for w in range(2)]
    assert shares == [everything[::2], everything[1::2]]


def scene_info(change: Any) -> dict[str, bytes]:
    from readers_made import midi_room

    from scenemaker.data.readers.pickles import loads

    data = midi_room(made())[f"{INFO}/scene_info.npy"]
    tree = loads(data[data.index(b"\n") + 1 :], "made").item()
    change(tree["furniture"])
    return {f"{INFO}/scene_info.npy": object_npy(tree)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: f.clear(), "expected furniture in"),
        (lambda f: f[1].pop("scale"), "the key scale in object 1"),
        (lambda f: f[1].update(scale=np.full(3, np.nan)), "finite scale of object 1"),
        (lambda f: f[1].update(scale=np.zeros(3)), "a positive size of"),
        (lambda f: f[1].update(transformation=np.eye(3)), r"transformation of object 1 .* of shape \(4, 4\)"),
        (lambda f: f[1].update(transformation=np.full((4, 4), np.nan)), "finite transformation of object 1"),
        (lambda f: f[1].update(transformation=2 * np.eye(4)), "to be a rotation matrix"),
        (lambda f: f[1].update(model_id="none"), r"normalized_watertight\.npz: not found"),
        (lambda f: f[1].update(model_id="../x"), "a path below"),
    ],
)
def test_midi_wrong_values(tmp_path: Path, change: Any, text: str) -> None:
    found = reasons(MidiFront(write(midi(tmp_path), scene_info(change))))
    assert found.startswith(f"{KEY}: ") and re.search(text, found), found


@pytest.mark.parametrize(
    ("file", "data", "text"),
    [
        (f"{IMAGES}/render_0000.webp", b"RIFF", r"a whole WEBP; got .*render_0000\.webp"),
        (f"{IMAGES}/render_0000.webp", None, r"render_0000\.webp: not found"),
        (f"{IMAGES}/depth_0000.exr", b"v/1\x01", r"a whole depth file; got .*depth_0000\.exr"),
        (f"{IMAGES}/depth_0000.exr", None, r"depth_0000\.exr: no such file"),
        (f"{INFO}/camera_0000/camera_info.npy", None, r"camera_info\.npy: not found"),
        (f"{INFO}/camera_0000/camera_info.npy", b"\x93NUMPY", r"a NPY file; got .*camera_info\.npy"),
        (f"{INFO}/camera_0000/camera_info.npy", object_npy({}), "the key camera_intrinsics in view 0"),
        (f"{INFO}/camera_0000/mask_0001.png", b"no", r"a whole PNG; got .*mask_0001\.png"),
        (f"{INFO}/camera_0000/mask_0001.png", png(np.full((H, W), 255, np.uint8)), "in two masks of view 0"),
    ],
)
def test_midi_damaged_view_is_left_out(tmp_path: Path, file: str, data: bytes | None, text: str) -> None:
    root = midi(tmp_path)
    if data is None:
        (root / file).unlink()
    else:
        write(root, {file: data})
    reader = MidiFront(root, views=3)
    assert [s.info["view"] for s in reader] == [1, 2]
    assert [s.item for s in reader.skipped] == [f"{KEY}/0"]
    assert re.search(text, reader.skipped[0].reason), reader.skipped[0].reason
    with pytest.raises(InputError, match=text):
        reader[0]


def test_midi_pixel_of_two_masks_is_nobodys(tmp_path: Path) -> None:
    root, labels = midi(tmp_path), direct(made(), 0, ground=False).labels
    v, u = np.argwhere(labels == 1)[5]
    mask = labels == 2
    mask[v, u] = True
    write(root, {f"{INFO}/camera_0000/mask_0001.png": png((mask * 255).astype(np.uint8))})
    labels[v, u] = 0
    np.testing.assert_array_equal(MidiFront(root)[0].labels, labels)


def test_midi_view_without_any_visible_object(tmp_path: Path) -> None:
    root = midi(tmp_path)
    for mask in (root / INFO / "camera_0000").glob("mask_*.png"):
        mask.unlink()
    reader = MidiFront(root, views=3)
    assert len(list(reader)) == 2
    assert reader.skipped[0].reason.startswith("expected a visible object in view 0 of")


def test_midi_depth_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the data that is damaged: an error, not a list of everything."""
    reader, real = MidiFront(midi(tmp_path)), builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "OpenEXR":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BackendNotInstalledError, match=r'pip install "scenemaker\[exr\]"'):
        list(reader)


def test_models_that_keep_their_proportions(tmp_path: Path) -> None:
    root, scene = midi(tmp_path), made()
    for name, points in zip(scene.names, scene.points_obj, strict=True):
        cloud = np.c_[2 * points[:, :3], points[:, 3:]]
        path = f"normalized_watertight/sampling_objects/{name}/normalized_watertight.npz"
        write(root, {path: npz(fps_coarse_surface=cloud)})
    found = reasons(MidiFront(root))
    assert re.search(r"a model stretched to \[-1, 1\]\^3; got .* with sides \[2.0, 1.2, 1.6\]; give proportions", found)
    check_same(MidiFront(root, proportions="kept")[0], direct(scene, 0, ground=False), depth_tolerance=0)


@pytest.mark.parametrize(
    "data",
    [b"PK", npz(fps_coarse_surface=np.ones((9, 3))), npz(surface=np.ones((9, 6)))],
)
def test_damaged_models(tmp_path: Path, data: bytes) -> None:
    path = f"normalized_watertight/sampling_objects/{made().names[0]}/normalized_watertight.npz"
    found = reasons(MidiFront(write(midi(tmp_path), {path: data})))
    assert found.startswith(f"{KEY}: ") and "normalized_watertight.npz" in found


def test_midi_lists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"midi_room_ids\.json: not found"):
        MidiFront(tmp_path)
    write(tmp_path, {"midi_room_ids.json": b'["a"]'})
    with pytest.raises(InputError, match='a list of "HOUSE/ROOM"'):
        MidiFront(tmp_path)
    write(tmp_path, {"midi_room_ids.json": b'["../.."]'})
    found = reasons(MidiFront(tmp_path))
    assert "expected a path below" in found
    for options in ({"split": "val"}, {"renders": "x"}, {"surface": "x"}, {"proportions": "x"}, {"test_rooms": 0}):
        with pytest.raises(ConfigError):
            MidiFront(midi(tmp_path / "a"), **options)  # type: ignore[arg-type]


# InstPIFu


def test_instpifu_gives_the_scene_as_it_was_made(tmp_path: Path) -> None:
    """Depth has 8 bits: 0.04 apart. Boxes stand in another order in desc.json than objects in the pickle."""
    reader = open_instpifu(instpifu(tmp_path))
    (sample,) = list(reader)
    want = direct(made(), 0, ground=True)
    assert (want.depth[np.isfinite(want.depth)] < 9.97).all()
    check_same(sample, want, depth_tolerance=0.5 * 10 / 255 + 1e-6)
    check_on_surface(sample, 0.5 * 10 / 255 + 0.01)
    assert len(reader) == 1 and sample.key == TASK and sample.depth_scale == "metric"
    assert sample.object_labels == made().labels
    assert sample.info == {"house": HOUSE, "task": TASK}


def test_instpifu_splits(tmp_path: Path) -> None:
    tasks = {
        f"{part}/{part}1": instpifu_task(made(), f"{part}1", part=part, view=k)
        for k, part in enumerate(("test", "train", "val"))
    }
    root = write_instpifu(tmp_path, tasks, [made()])
    assert open_instpifu(root).scenes == ("train/train1", "test/test1", "val/val1")
    (sample,) = open_instpifu(root, split="val")
    assert sample.key == "val1"
    np.testing.assert_allclose(sample.camera.T_cam_world, made().cameras[2].T_cam_world, atol=1e-12)
    (root / "prepare_data/val/pkl_filenames.json").unlink()  # as its authors: then every pickle
    assert open_instpifu(root, split="val").scenes == ("val/val1",)
    with pytest.raises(ConfigError, match='split "all", "train", "test" or "val"'):
        InstPifuFront(root, split="x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="prepare_data: not found"):
        InstPifuFront(tmp_path / "prepare_data")


def test_instpifu_K_is_for_pictures_of_another_size(tmp_path: Path) -> None:
    reader = open_instpifu(instpifu(tmp_path))
    np.testing.assert_allclose(reader[0].camera.K, made().cameras[0].K)
    wrong = reasons(InstPifuFront(tmp_path))
    assert f"expected a picture with the sides of 1296x968; got {W}x{H} in {TASK}; give K_size" in wrong


PKL, DESC = f"prepare_data/train/{TASK}.pkl", f"3d-front-data-small/{TASK}/desc.json"


def pickled(change: Any) -> dict[str, bytes]:
    tree = pickle.loads(instpifu_task(made())[PKL])
    change(tree)
    return {PKL: pickle.dumps(tree)}


def described(change: Any) -> dict[str, bytes]:
    tree = json.loads(instpifu_task(made())[DESC])
    change(tree["bbox_infos"])
    return {DESC: json.dumps(tree).encode()}


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({PKL: b"\x80"}, r"a whole pickle of arrays; got .*rendertask7\.pkl"),
        (pickled(lambda t: t.pop("boxes")), "the key boxes in"),
        (pickled(lambda t: t["boxes"].pop("jid")), "the key jid in"),
        (pickled(lambda t: t["boxes"].update(jid=np.array([], str))), "size_cls of"),
        (pickled(lambda t: t["boxes"].update(size_cls=np.array(["a", "b", "c"]))), "numbers as size_cls"),
        (pickled(lambda t: t["boxes"]["tran_matrix"].fill(np.nan)), "finite tran_matrix"),
        (pickled(lambda t: t["camera"].update(wrd2cam_matrix=np.zeros((4, 4)))), "camera of .* to be a rotation"),
        (pickled(lambda t: t.update(rgb_img=np.zeros((H, W), np.uint8))), "an 8-bit RGB picture"),
        (pickled(lambda t: t["boxes"]["tran_matrix"].__setitem__((0, 0, 3), 9.0)), "a box of .* object 0 without one"),
        ({DESC: b"{}"}, "the key bbox_infos in"),
        (described(lambda b: b["camera"].update(K=[0.0] * 9)), "invertible intrinsics"),
        (described(lambda b: b["object_infos"].clear()), "expected object_infos in"),
        (described(lambda b: b["object_infos"][0]["bbox"].update(size=[1, 2])), "bbox size in"),
        ({f"3d-front-data-small/{TASK}/depth.png": b"no"}, r"a whole PNG; got .*depth\.png"),
        ({f"3d-front-data-small/{TASK}/depth.png": png(np.ones((H, W), np.uint16))}, "8-bit depth"),
        ({f"render_mask/{TASK}/mask_0.png": png(np.full((H, W), 255, np.uint8))}, "in two masks of"),
    ],
)
def test_instpifu_bad_input(tmp_path: Path, files: dict[str, bytes], text: str) -> None:
    found = reasons(open_instpifu(write(instpifu(tmp_path), files)))
    assert found.startswith("train/") and re.search(text, found), found


@pytest.mark.parametrize("missing", [PKL, DESC, f"3d-front-data-small/{TASK}/depth.png"])
def test_instpifu_missing_files(tmp_path: Path, missing: str) -> None:
    root = instpifu(tmp_path)
    (root / missing).unlink()
    assert f"{Path(missing).name}: not found" in reasons(open_instpifu(root))


# the mix


def mix_data(root: Path) -> tuple[MidiFront, InstPifuFront]:
    """Houses a, b, c. Views of b/two and of c/one, of a house that MIDI has not, and of no known room of a."""
    scenes = {f"{house}/{room}": made(k, views=1) for k, (house, room) in enumerate(["a1", "b1", "b2", "c1"])}
    write_midi(root / "midi", scenes)
    stranger = made(9, views=1)
    tasks = {
        "train/t0": instpifu_task(scenes["c/1"], "t0", house="c"),
        "train/t1": instpifu_task(scenes["b/2"], "t1", house="b"),
        "test/t2": instpifu_task(stranger, "t2", house="d", part="test"),
        "test/t3": instpifu_task(stranger, "t3", house="a", part="test"),
        "test/t4": instpifu_task(scenes["b/2"], "t4", house="b", part="test"),
    }
    write_instpifu(root / "inst", tasks, [*scenes.values(), stranger])
    return MidiFront(root / "midi", views=1), open_instpifu(root / "inst")


ROOMS = ("a/1", "a/~t3", "b/1", "b/2", "c/1", "d/~t2")


def test_mix_gives_each_room_the_views_of_both(tmp_path: Path) -> None:
    mix = FrontMix(*mix_data(tmp_path))
    assert mix.rooms == ROOMS
    keys = [s.key for s in mix]
    assert keys == ["a_1_0000_render", "t3", "b_1_0000_render", "b_2_0000_render", "t1", "t4", "c_1_0000_render", "t0",
                    "t2"]  # fmt: skip
    assert len(mix) == 9 and [mix[i].key for i in range(9)] == keys and mix[-1].key == "t2"
    assert mix.skipped == ()
    both = FrontMix(mix.midi, mix.instpifu, rooms="both")
    assert both.rooms == ("b/2", "c/1")
    shares = [[s.key for s in mix.iterate(w, 2)] for w in range(2)]
    assert sorted(shares[0] + shares[1]) == sorted(keys) and not set(shares[0]) & set(shares[1])
    with pytest.raises(IndexError):
        mix[9]


def test_mix_split_keeps_houses_whole(tmp_path: Path) -> None:
    midi, instpifu = mix_data(tmp_path)
    assigned = room_of_tasks(midi, instpifu)
    assert assigned == {"train/t0": "c/1", "train/t1": "b/2", "test/t2": "d/~t2", "test/t3": "a/~t3", "test/t4": "b/2"}
    for most in range(1, 5):
        train, test = (FrontMix(midi, instpifu, split=s, test_rooms=most, room_of=assigned) for s in ("train", "test"))
        assert train.rooms + test.rooms == ROOMS
        assert len(test.rooms) >= most
        assert not {r[0] for r in train.rooms} & {r[0] for r in test.rooms}
    assert FrontMix(midi, instpifu, split="test", test_rooms=3).rooms == ROOMS[2:]  # b/1 comes with b/2
    with pytest.raises(InputError, match=r"rooms in the train set; got none of 6 with test_rooms=1000"):
        FrontMix(midi, instpifu, split="train", room_of=assigned)
    with pytest.raises(ConfigError, match="options of the mix"):
        FrontMix(midi, instpifu, rooms="x")  # type: ignore[arg-type]


def test_mix_lists_what_it_leaves_out(tmp_path: Path) -> None:
    midi, instpifu = mix_data(tmp_path)
    write(tmp_path, {"inst/prepare_data/train/t1.pkl": b"no pickle", "midi/3D-FRONT-RENDER/a/1/depth_0000.exr": b"x"})
    mix = FrontMix(midi, instpifu)
    assert len(list(mix)) == 7
    assert [s.item for s in mix.skipped] == ["train/t1", "a/1/0"]
    partly = FrontMix(midi, instpifu, room_of={"train/t0": "c/1"})
    assert "train/t1" in {s.item for s in partly.skipped} and partly.rooms == ("a/1", "b/1", "b/2", "c/1")


def test_mix_of_nothing_in_common(tmp_path: Path) -> None:
    midi, instpifu = mix_data(tmp_path)
    with pytest.raises(InputError, match="rooms in both data sets"):
        FrontMix(midi, instpifu, rooms="both", room_of={t: f"x/{t}" for t in instpifu.scenes})


def test_exr_written_here_is_read_as_ours(tmp_path: Path) -> None:
    """The fake data set's depth has three equal channels, as the published loader takes the first of three."""
    from scenemaker.perception.depth_readers import read_depth

    depth = np.array([[1.5, np.nan], [2.25, 3.0], [4.0, 5.0]], np.float32)
    write_exr(tmp_path / "d.exr", depth)
    got = read_depth(tmp_path / "d.exr", 1.0).depth
    np.testing.assert_array_equal(got, np.nan_to_num(depth, nan=np.inf))
