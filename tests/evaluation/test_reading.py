"""Scenes of every kind of file, and what is wrong with them."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh

from scenemaker.errors import InputError
from scenemaker.evaluation.reading import pair_scenes, read_scene, scenes_in
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.testing import make_sample

SHARED = Path(__file__).resolve().parents[3] / "shared" / "scenes"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A made scene of three objects."""
    return make_sample(3).scene.save(tmp_path_factory.mktemp("made") / "made")


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def edit(folder: Path, change) -> None:
    data = json.loads((folder / "scene.json").read_text())
    change(data)
    (folder / "scene.json").write_text(json.dumps(data))


def box(centre=(0, 0, 0), extents=(1, 1, 1)) -> trimesh.Trimesh:
    return trimesh.creation.box(extents, transform=trimesh.transformations.translation_matrix(centre))


def glb(path: Path, nodes, meshes=("box",), **tree) -> Path:
    """A GLB with given nodes; mesh k is a box of sides k + 1, of two primitives where its name is "two"."""
    binary, views, accessors, entries = b"", [], [], []
    for k, kind in enumerate(meshes):
        parts = [box(extents=[k + 1] * 3)] if kind != "two" else [box((-1, 0, 0)), box((1, 0, 0))]
        if kind == "nan":
            parts[0].vertices[0] = np.nan
        if kind == "flat":
            parts[0].vertices[:] = 0
        primitives = []
        for part in parts:
            for array in (part.vertices.astype("<f4"), part.faces.astype("<u4").ravel()):
                views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
                kind_of = {"componentType": 5126, "type": "VEC3"} if array.ndim == 2 else {"componentType": 5125}
                count = {"bufferView": len(views) - 1, "count": len(array), "type": "SCALAR"}
                if array.ndim == 2:
                    count |= {"min": [-9, -9, -9], "max": [9, 9, 9]}
                accessors.append({**count, **kind_of})
                binary += array.tobytes()
            primitives.append({"attributes": {"POSITION": len(accessors) - 2}, "indices": len(accessors) - 1})
        entries.append({"name": kind, "primitives": primitives})
    whole = {"asset": {"version": "2.0"}, "nodes": nodes, "scene": 0, "scenes": [{"nodes": tree.pop("roots", [0])}]}
    if entries:
        whole |= {"meshes": entries, "buffers": [{"byteLength": len(binary)}]}
        whole |= {"bufferViews": views, "accessors": accessors}
    text = json.dumps({**whole, **tree}).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = [(b"JSON", text)] + ([(b"BIN\0", binary)] if binary else [])
    body = b"".join(struct.pack("<I4s", len(c), kind) + c for kind, c in chunks)
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body)
    return path


def bounds(item) -> np.ndarray:
    return item.mesh.transformed(item.S_frame_obj).bounds


# Scene folders


def test_a_scene_folder_has_all_its_objects(made):
    sample, scene = make_sample(3), read_scene(made)
    assert (scene.name, scene.path, scene.frame, scene.notices) == ("made", made, "cam", ())
    assert [(o.id, o.name, o.status, o.notices) for o in scene.objects] == [
        (i, f"object_{i}", "ok", ()) for i in (1, 2, 3)
    ]
    for item, pose, geometry in zip(scene.objects, sample.poses, sample.geometries, strict=True):
        np.testing.assert_allclose(item.S_frame_obj, pose.S_cam_obj(geometry.mesh.extents), atol=1e-9)
    T_cam_world = sample.scene.camera.T_cam_world
    np.testing.assert_allclose(scene.T_world_frame @ T_cam_world, np.eye(4), atol=1e-12)
    assert read_scene(made, "other").name == "other"


def test_the_visible_fraction_is_as_told_by_the_data_set_else_by_the_object_else_counted(folder):
    sample = make_sample(3)
    scene = sample.scene
    scene.amodal = dict(sample.amodal)
    scene.save(folder)
    counted = [(sample.instances.labels == i).sum() / sample.amodal[i].sum() for i in (1, 2, 3)]
    assert counted[2] < 0.96
    assert [o.visible_fraction for o in read_scene(folder).objects] == pytest.approx(counted)
    edit(folder, lambda d: d["objects"][0].update(visible=30, amodal=40))
    assert [o.visible_fraction for o in read_scene(folder).objects] == pytest.approx([0.75, *counted[1:]])
    edit(folder, lambda d: d.update(data={"visible_fraction": [0.25, None, 1.0]}))
    assert [o.visible_fraction for o in read_scene(folder).objects] == pytest.approx([0.25, counted[1], 1.0])


def test_an_object_that_the_picture_does_not_show_has_no_visible_fraction(folder):
    scene = make_sample(3).scene
    scene.labels[scene.labels == 2] = 0
    assert read_scene(scene.save(folder)).objects[1].visible_fraction is None


def test_without_gravity_there_is_a_notice(folder):
    edit(folder, lambda d: d.update(up_cam=None))
    assert read_scene(folder).notices == ("gravity is not known: up is up in the picture",)


def test_a_skipped_object_is_a_failed_one(folder):
    nothing = dict.fromkeys(("mesh", "R_cam_obj", "t_cam_obj", "size", "scale"))
    edit(folder, lambda d: d["objects"][1].update(status="skipped", notices=["too small"], **nothing))
    items = read_scene(folder).objects
    assert [o.placed for o in items] == [True, False, True]
    assert (items[1].status, items[1].notices, items[1].mesh, items[1].S_frame_obj) == (
        "skipped",
        ("too small",),
        None,
        None,
    )


def spoil_pose(folder):
    edit(folder, lambda d: d["objects"][1].update(t_cam_obj=[0.0, float("nan"), 1.0]))


def spoil_rotation(folder):
    edit(folder, lambda d: d["objects"][1].update(R_cam_obj=np.diag([1.0, 1, -1]).tolist()))


def spoil_key(folder):
    edit(folder, lambda d: d["objects"][1].pop("size"))


def cut_mesh(folder):
    path = folder / "objects" / "2_object_2.glb"
    path.write_bytes(path.read_bytes()[:200])


def no_mesh(folder):
    (folder / "objects" / "2_object_2.glb").unlink()


def flat_mesh(folder):
    from scenemaker.export.glb import write_object_glb

    line = Mesh(vertices=np.array([[0, 0, 0], [1, 0, 0], [0.5, 0, 0]], np.float32), faces=np.array([[0, 1, 2]]))
    write_object_glb(folder / "objects" / "2_object_2.glb", line, "line")


@pytest.mark.parametrize(
    "spoil, told",
    [
        (spoil_pose, "expected finite positions and sizes; got object 2 of"),
        (spoil_rotation, "expected R_cam_obj to be a rotation matrix"),
        (spoil_key, "damaged: KeyError('size')"),
        (cut_mesh, "2_object_2.glb: not a whole GLB"),
        (no_mesh, "2_object_2.glb: [Errno 2]"),
        (flat_mesh, "expected a mesh with an area; got only degenerate faces; check the file"),
    ],
)
def test_one_bad_object_does_not_lose_the_scene(folder, spoil, told):
    spoil(folder)
    items = read_scene(folder).objects
    assert [o.placed for o in items] == [True, False, True]
    assert (items[1].id, items[1].name, items[1].status) == (2, "object_2", "skipped")
    assert told in items[1].notices[-1]


def test_what_concerns_the_whole_scene_is_an_error(folder):
    edit(folder, lambda d: d["objects"][1].update(id=1))
    with pytest.raises(InputError, match=r"^expected objects with ids of their own; got 1 twice in .*scene\.json"):
        read_scene(folder)
    (folder / "scene.json").write_text("{")
    with pytest.raises(InputError, match="expected JSON in"):
        read_scene(folder)


def test_scene_folders_of_the_early_form_are_read():  # made of ours: test_optional_keys_may_be_missing
    for path in sorted(SHARED.glob("0*"))[:3]:
        scene = read_scene(path)
        assert all(o.placed and o.visible_fraction for o in scene.objects)
        assert [o.id for o in scene.objects] == list(range(1, len(scene.objects) + 1))


def test_optional_keys_may_be_missing(folder):
    def early(data):
        for key in ("ground_cam", "depth_scale", "background", "run"):
            data.pop(key)
        for item in data["objects"]:
            for key in ("id", "status", "S_obj_mesh", "notices"):
                item.pop(key)

    edit(folder, early)
    scene = read_scene(folder)
    assert [(o.id, o.status, o.placed) for o in scene.objects] == [(1, "ok", True), (2, "ok", True), (3, "ok", True)]


# GLB files


def test_our_own_scene_glb_has_the_objects_and_no_background(tmp_path):
    scene = make_sample(3).scene
    floor = Mesh(vertices=np.array([[-1, 1, 1], [1, 1, 1], [0, 1, 3]], np.float32), faces=np.array([[0, 1, 2]]))
    scene.background["ground"] = floor
    folder = read_scene(scene.save(tmp_path / "run"))
    file = read_scene(tmp_path / "run" / "scene.glb")
    assert file.notices == ("left out as background: ground",)
    assert (file.frame, file.scene, [o.name for o in file.objects]) == ("world", None, [o.name for o in folder.objects])
    np.testing.assert_array_equal(file.T_world_frame, np.eye(4))
    for a, b in zip(file.objects, folder.objects, strict=True):
        there = transforms.apply(folder.T_world_frame @ b.S_frame_obj, b.mesh.vertices)
        np.testing.assert_allclose(transforms.apply(a.S_frame_obj, a.mesh.vertices), there, atol=1e-5)


def test_nested_nodes_and_primitives_are_one_object_and_instances_are_several(tmp_path):
    nodes = [
        {"name": "root", "children": [1, 4, 5, 6], "translation": [0, 0, 10]},
        {"name": "chair", "children": [2, 3], "scale": [2, 2, 2]},
        {"name": "seat", "mesh": 0, "translation": [1, 0, 0]},
        {"name": "leg", "mesh": 0, "translation": [-1, 0, 0]},
        {"name": "lamp", "mesh": 1},
        {"name": "pair", "mesh": 2, "rotation": [0, 0, 2**-0.5, 2**-0.5]},
        {"name": "lamp too", "mesh": 1, "translation": [5, 0, 0]},
    ]
    scene = read_scene(glb(tmp_path / "a.glb", nodes, ("box", "box", "two")))
    assert [(o.id, o.name) for o in scene.objects] == [(1, "chair"), (2, "lamp"), (3, "pair"), (4, "lamp too")]
    assert scene.notices == ()
    chair, lamp, pair, other = scene.objects
    np.testing.assert_allclose(bounds(chair), [[-3, -1, 9], [3, 1, 11]], atol=1e-6)
    np.testing.assert_allclose(chair.S_frame_obj, np.diag([2, 2, 2, 1]) + shift(0, 0, 10))
    np.testing.assert_allclose(bounds(lamp), [[-1, -1, 9], [1, 1, 11]], atol=1e-6)
    np.testing.assert_allclose(bounds(other), [[4, -1, 9], [6, 1, 11]], atol=1e-6)
    np.testing.assert_allclose(bounds(pair), [[-0.5, -1.5, 9.5], [0.5, 1.5, 10.5]], atol=1e-6)


def shift(x, y, z):
    out = np.zeros((4, 4))
    out[:3, 3] = x, y, z
    return out


def test_wrappers_cameras_lights_and_empty_nodes_are_looked_through(tmp_path):
    nodes = [
        {"name": "world", "children": [1, 2]},
        {"name": "camera", "camera": 0},
        {"name": "geometry", "children": [3, 4, 5]},
        {"name": "a", "mesh": 0},
        {"name": "b", "mesh": 0, "translation": [3, 0, 0]},
        {"name": "light"},
    ]
    camera = {"type": "perspective", "perspective": {"yfov": 1.0, "znear": 0.1, "aspectRatio": 1.0}}
    scene = read_scene(glb(tmp_path / "a.glb", nodes, cameras=[camera]))
    assert [o.name for o in scene.objects] == ["a", "b"]


def test_a_scene_that_trimesh_wrote_has_its_nodes(tmp_path):
    scene = trimesh.Scene()
    leg = box((0, -1, 0), (0.2, 1, 0.2))
    scene.add_geometry(box(), node_name="table", geom_name="top")
    scene.add_geometry(leg, node_name="leg", geom_name="leg", parent_node_name="table")
    turned = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0], [1, 0, 0])
    scene.add_geometry(box((4, 0, 0), (1, 2, 3)), node_name="cupboard", transform=turned)
    scene.export(tmp_path / "a.glb")
    found = {o.name: bounds(o) for o in read_scene(tmp_path / "a.glb").objects}
    np.testing.assert_allclose(found["table"], [[-0.5, -1.5, -0.5], [0.5, 0.5, 0.5]], atol=1e-6)
    np.testing.assert_allclose(found["cupboard"], [[-0.5, -1, -3.5], [2.5, 1, -2.5]], atol=1e-6)
    assert len(found) == 2


def test_a_single_node_is_one_object(tmp_path):
    scene = read_scene(glb(tmp_path / "a.glb", [{"name": "all", "mesh": 0}]))
    assert [o.name for o in scene.objects] == ["all"]
    assert scene.notices == ("the file has a single node with a mesh: taken as one object",)


def test_a_gltf_file_with_its_buffer_beside_is_read(tmp_path):
    files = trimesh.exchange.gltf.export_gltf(trimesh.Scene({"a": box(), "b": box((3, 0, 0))}))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert [o.name for o in read_scene(tmp_path / "model.gltf").objects] == ["a", "b"]


def test_equal_and_missing_names_become_unique(tmp_path):
    nodes = [{"children": [1, 2, 3]}, {"name": "chair", "mesh": 0}, {"name": "chair", "mesh": 0}, {"mesh": 0}]
    scene = read_scene(glb(tmp_path / "a.glb", nodes))
    assert [o.name for o in scene.objects] == ["chair", "chair_2", "node_3"]
    assert scene.notices == ("names made unique: 'chair' is now 'chair_2'",)


@pytest.mark.parametrize(
    "kind, told",
    [("nan", "expected finite vertices"), ("flat", "expected a mesh with an area; got only degenerate faces")],
)
def test_bad_geometry_is_a_failed_object(tmp_path, kind, told):
    nodes = [{"children": [1, 2]}, {"name": "good", "mesh": 0}, {"name": "bad", "mesh": 1}]
    good, bad = read_scene(glb(tmp_path / "a.glb", nodes, ("box", kind))).objects
    assert good.placed and not bad.placed
    assert (bad.name, bad.status, bad.mesh) == ("bad", "skipped", None)
    assert bad.notices[0].startswith(told)


@pytest.mark.parametrize(
    "change",
    [
        {"scale": [0, 0, 0]},
        {"translation": [float("nan"), 0, 0]},
        {"matrix": [1.0] * 3},
        {"rotation": [0, 0, 0, 0]},
        {"scale": "no"},
        {"mesh": 7},
    ],
)
def test_a_node_that_places_nothing_is_a_failed_object(tmp_path, change):
    nodes = [{"children": [1, 2]}, {"name": "good", "mesh": 0}, {"name": "bad", "mesh": 0, **change}]
    assert [o.placed for o in read_scene(glb(tmp_path / "a.glb", nodes)).objects] == [True, False]


def test_a_mesh_of_points_is_a_failed_object(tmp_path):
    scene = trimesh.Scene({"good": box()})
    scene.add_geometry(trimesh.PointCloud(np.eye(3)), node_name="points", geom_name="points")
    scene.export(tmp_path / "a.glb")
    found = {o.name: o for o in read_scene(tmp_path / "a.glb").objects}
    assert found["good"].placed
    told = "expected a mesh with faces; got none; save its surface, not its points"
    assert found["points"].notices == (told,)


def test_mirrored_and_sheared_nodes_keep_their_shape_where_it_stands(tmp_path):
    nodes = [
        {"children": [1, 2]},
        {"name": "mirrored", "mesh": 0, "scale": [-1, 2, 3], "translation": [1, 0, 0]},
        {"name": "sheared", "mesh": 0, "matrix": [1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1]},
    ]
    mirrored, sheared = read_scene(glb(tmp_path / "a.glb", nodes)).objects
    assert mirrored.notices == ("its node is mirrored",) and sheared.notices == ()
    for item in (mirrored, sheared):
        np.testing.assert_array_equal(item.S_frame_obj, np.eye(4))
        assert item.mesh.volume() > 0
    np.testing.assert_allclose(bounds(mirrored), [[0.5, -1, -1.5], [1.5, 1, 1.5]])
    np.testing.assert_allclose(bounds(sheared), [[4, -0.5, -0.5], [6, 0.5, 0.5]])


@pytest.mark.parametrize("nodes", [[], [{"name": "empty"}], [{"children": [0]}]])
def test_a_file_without_mesh_nodes_is_an_error(tmp_path, nodes):
    path = glb(tmp_path / "a.glb", nodes, (), roots=[0] if nodes else [])
    told = f"expected nodes with meshes; got {path}: none; export the scene with one node per object"
    with pytest.raises(InputError) as caught:
        read_scene(path)
    assert str(caught.value) == told


def test_damaged_and_foreign_files_are_errors(tmp_path):
    path = glb(tmp_path / "a.glb", [{"mesh": 0}])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="expected a whole mesh file"):
        read_scene(path)
    (tmp_path / "a.txt").write_text("x")
    for name, kind in (("a.txt", "not a GLB"), ("none.glb", "not there")):
        with pytest.raises(InputError) as caught:
            read_scene(tmp_path / name)
        got = f"expected a scene folder, a GLB or a folder of GLBs; got {tmp_path / name}: {kind}; check the path"
        assert str(caught.value) == got


@pytest.mark.parametrize(
    "nodes, tree",
    [
        ("no", {}),
        ([{"mesh": 0, "children": [5]}], {}),
        ([{"mesh": 0}], {"scenes": [{"nodes": [9]}]}),
        ([{"mesh": 0}], {"scenes": "no"}),
        ([{"mesh": 0}], {"scene": 3}),
    ],
)
def test_a_malformed_tree_is_an_input_error(tmp_path, nodes, tree):
    with pytest.raises(InputError):
        read_scene(glb(tmp_path / "a.glb", nodes, **tree))


# Folders of parts


def parts(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        box((2 * k, 0, 0)).export(folder / name)
    return folder


def test_a_folder_of_parts_is_one_scene(tmp_path):
    names = [f"part_{k}.glb" for k in (0, 2, 10)]
    scene = read_scene(parts(tmp_path / "0001", *names, "object.glb", "background.ply"))
    assert [(o.id, o.name) for o in scene.objects] == [(1, "part_0"), (2, "part_2"), (3, "part_10")]
    assert scene.notices == (
        "3 files read as the objects of one scene",
        "left out as the whole scene or its background: background.ply, object.glb",
    )
    np.testing.assert_allclose(bounds(scene.objects[2])[:, 0], [3.5, 4.5])


def test_a_damaged_part_is_a_failed_object(tmp_path):
    folder = parts(tmp_path / "0001", "part_00.glb", "part_01.glb")
    (folder / "part_01.glb").write_bytes(b"glTF")
    good, bad = read_scene(folder).objects
    assert good.placed and not bad.placed and "part_01.glb" in bad.notices[0]


def test_a_folder_with_one_glb_is_that_file(tmp_path):
    folder = tmp_path / "0001"
    folder.mkdir()
    trimesh.Scene({"a": box(), "b": box((3, 0, 0))}).export(folder / "output.glb")
    assert [o.name for o in read_scene(folder).objects] == ["a", "b"]


def test_several_whole_scenes_in_one_folder_are_an_error(tmp_path):
    folder = parts(tmp_path / "x", "object.glb", "scene.glb")
    with pytest.raises(InputError, match=r"^expected one scene; got .*x with object.glb, scene.glb; give one of the"):
        read_scene(folder)


# Trees


def test_scenes_in_finds_each_scene_once(made, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(made, root / "b" / "0002")
    shutil.copytree(made, root / "b" / "0001")
    parts(root / "a", "0003.glb", "0001.glb")
    parts(root / "c", "instance_01.glb", "scene_pred.glb")
    parts(root / "d" / "reconstruction", "3.glb", "7.glb", "full_scene.glb")
    parts(root / "stopped" / "stages", "1.glb")
    (root / "stopped" / "run.json").write_text("{}")
    parts(root / ".hidden", "1.glb")
    (root / "notes.txt").write_text("x")
    (root / "b" / "up").symlink_to(root)
    found = scenes_in(root)
    assert list(found) == ["a/0001", "a/0003", "b/0001", "b/0002", "c", "d/reconstruction"]
    assert found["a/0003"] == root / "a" / "0003.glb" and found["c"] == root / "c"
    assert scenes_in(root / "b" / "0002") == {"0002": root / "b" / "0002"}
    assert scenes_in(root / "a" / "0001.glb") == {"0001": root / "a" / "0001.glb"}


def test_scenes_in_nothing(tmp_path):
    assert scenes_in(tmp_path) == {}
    with pytest.raises(InputError, match=r"^expected a scene or a folder of scenes; got .*none: not there"):
        scenes_in(tmp_path / "none")


def test_two_scenes_of_one_name_are_an_error(made, tmp_path):
    shutil.copytree(made, tmp_path / "0001")
    parts(tmp_path, "0001.glb", "0002.glb")
    with pytest.raises(InputError, match=r"^expected one scene per name; got .*0001 and .*0001\.glb; move one away$"):
        scenes_in(tmp_path)


def test_pairs_by_name_file_or_folder(made, tmp_path):
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    for name in ("0001", "0002", "0003", "0004"):
        shutil.copytree(made, gt / name)
    parts(pred, "0001.glb", "0009.glb")
    parts(pred / "0002", "output.glb")
    parts(pred / "0003", "part_00.glb", "part_01.glb")
    pairs, extra = pair_scenes(pred, gt)
    found = [pred / "0001.glb", pred / "0002" / "output.glb", pred / "0003", None]
    assert pairs == [(f"000{k}", gt / f"000{k}", path) for k, path in enumerate(found, start=1)]
    assert extra == ["0009"]
    # the other way round
    pairs, extra = pair_scenes(gt, pred)
    assert [(n, p and p.name) for n, _, p in pairs] == [
        ("0001", "0001"),
        ("0002/output", "0002"),
        ("0003", "0003"),
        ("0009", None),
    ]
    assert extra == ["0004"]


def test_a_scene_of_the_same_name_goes_before_one_alone_in_its_folder(tmp_path):
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    parts(gt, "x.glb")
    parts(gt / "x", "0001.glb")
    parts(pred, "z.glb")
    parts(pred / "x", "0001.glb")
    pairs, extra = pair_scenes(pred, gt)
    assert pairs == [("x", gt / "x.glb", None), ("x/0001", gt / "x" / "0001.glb", pred / "x" / "0001.glb")]
    assert extra == ["z"]


def test_no_prediction_serves_two_scenes(tmp_path):
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    parts(gt, "a.glb")
    parts(gt / "a" / "b", "c.glb")
    parts(pred / "a" / "b", "d.glb")
    parts(pred, "z.glb")
    pairs, _ = pair_scenes(pred, gt)
    assert [(name, path and path.name) for name, _, path in pairs] == [("a", "d.glb"), ("a/b/c", None)]


def test_the_single_scenes_of_both_sides_belong_together(made, tmp_path):
    files = parts(tmp_path / "pred", "chair.glb", "table.glb")
    assert pair_scenes(files, made) == ([("made", made, files)], [])
    assert pair_scenes(files / "chair.glb", made) == ([("made", made, files / "chair.glb")], [])


def test_folders_that_do_not_match_are_an_error(made, tmp_path):
    gt = tmp_path / "gt"
    for name in ("a", "b", "c", "d", "e"):
        shutil.copytree(made, gt / name)
    pred = parts(tmp_path / "pred", "x.glb", "y.glb")
    with pytest.raises(InputError) as caught:
        pair_scenes(pred, gt)
    assert str(caught.value) == (
        "expected names in common; got predictions x, y for ground truth a, b, c and 2 more; "
        "call each prediction as its ground truth (0001/ or 0001.glb for 0001)"
    )


def test_an_empty_side_is_an_error(made, tmp_path):
    with pytest.raises(InputError) as caught:
        pair_scenes(tmp_path, made)
    told = f"expected scene folders or GLB files as prediction; got none in {tmp_path}; check the path"
    assert str(caught.value) == told
