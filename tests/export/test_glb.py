"""GLB files: read back by trimesh and by our reader, checked by the Khronos validator."""

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from khronos import assert_valid, validate
from scipy.spatial.transform import Rotation
from synthetic_scene import box, two_boxes

from scenemaker.errors import FrameError, InputError, OutputError
from scenemaker.export.glb import (
    GlbNode,
    glb_bytes,
    quat_xyzw_from_R,
    scene_nodes,
    unique_names,
    write_glb,
    write_object_glb,
)
from scenemaker.export.glb_parts import LINEAR_FROM_SRGB, smooth_normals
from scenemaker.export.glb_reader import read_object_glb
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, project
from scenemaker.geometry.mesh import Mesh

RNG = np.random.default_rng(3)


def textured(*, channels: int = 3, unlit: bool = True, alpha: int = 255) -> Mesh:
    texture = RNG.integers(0, 256, (6, 10, channels), dtype=np.uint8)
    if channels == 4:
        texture[..., 3] = alpha
    base = box((1, 0.5, 0.7))
    return Mesh(
        vertices=base.vertices, faces=base.faces, uv=RNG.random((8, 2)).astype("f4"), texture=texture, unlit=unlit
    )


def kinds() -> dict[str, Mesh]:
    plain = box()
    colours = RNG.integers(0, 256, (8, 4), dtype=np.uint8)
    return {
        "unlit colours": plain,
        "lit, no colours": replace(plain, colors=None, unlit=False),
        "lit colours with alpha": replace(plain, colors=colours, unlit=False),
        "unlit photo": textured(),
        "lit photo": textured(unlit=False),
        "opaque alpha": textured(channels=4),
        "glass": textured(channels=4, alpha=100),
    }


def tree_of(data: bytes) -> dict:
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length])


@pytest.mark.parametrize("kind", kinds())
def test_objects_come_back_bit_for_bit(kind, tmp_path):
    mesh = kinds()[kind]
    path = tmp_path / "object.glb"
    write_object_glb(path, mesh, "object")
    back = read_object_glb(path)
    for name in ("vertices", "faces", "uv", "texture", "colors"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name), err_msg=name)
    assert back.unlit == mesh.unlit
    write_object_glb(tmp_path / "again.glb", back, "object")
    assert (tmp_path / "again.glb").read_bytes() == path.read_bytes()


def test_every_kind_of_file_is_valid(tmp_path):
    s = two_boxes()
    meshes = kinds()
    for name, mesh in meshes.items():
        write_object_glb(tmp_path / f"{name}.glb", mesh, name)
    wide = Camera(K=np.array([[300, 0, 100], [0, 310, 90], [0, 0, 1.0]]), width=240, height=160)
    nodes = [GlbNode(name=n, mesh=m) for n, m in meshes.items()] + [GlbNode(name="again", mesh=meshes["unlit photo"])]
    write_glb(tmp_path / "all.glb", nodes, camera=wide, extras={"frame": "world"})
    write_glb(tmp_path / "jpeg.glb", nodes, textures="jpeg")
    write_glb(tmp_path / "empty.glb", [])
    write_glb(tmp_path / "scene.glb", scene_nodes(s.objects, s.camera.T_cam_world), camera=s.camera)
    assert_valid(*sorted(tmp_path.glob("*.glb")))


def test_the_validator_bites(tmp_path):
    data = bytearray(glb_bytes([GlbNode(name="box", mesh=box())]))
    at = data.index(b'"max":[0.5') + len('"max":[')
    data[at : at + 3] = b"0.4"
    (tmp_path / "wrong.glb").write_bytes(data)
    report = validate(tmp_path / "wrong.glb")[0]
    assert report["errors"] > 0 and "ACCESSOR_MAX_MISMATCH" in report["messages"][0]


def test_a_large_mesh_has_wide_indices(tmp_path):
    n = 65536
    faces = np.stack([np.arange(n - 2), np.arange(1, n - 1), np.arange(2, n)], 1)
    for count, kind in ((n, 5125), (n - 1, 5123)):
        mesh = Mesh(vertices=RNG.random((count, 3)), faces=faces[: count - 2], unlit=True)
        write_object_glb(tmp_path / f"{count}.glb", mesh, "large")
        tree = tree_of((tmp_path / f"{count}.glb").read_bytes())
        assert tree["accessors"][tree["meshes"][0]["primitives"][0]["indices"]]["componentType"] == kind
        np.testing.assert_array_equal(read_object_glb(tmp_path / f"{count}.glb").faces, mesh.faces)
    assert_valid(*tmp_path.glob("*.glb"))


def test_a_scene_reads_back_through_trimesh(tmp_path):
    import trimesh

    s = two_boxes()
    path = tmp_path / "scene.glb"
    write_glb(path, scene_nodes(s.objects, s.camera.T_cam_world), camera=s.camera)
    loaded = trimesh.load(path)
    for item in s.objects:
        S_world_mesh, geometry = loaded.graph[item.name]
        mesh = loaded.geometry[geometry]
        got = trimesh.transform_points(mesh.vertices, S_world_mesh)
        want = transforms.apply(np.linalg.inv(s.camera.T_cam_world) @ item.S_cam_obj, item.mesh.vertices)
        np.testing.assert_allclose(got, want, atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, item.mesh.faces)
        assert got[:, 1].min() == pytest.approx(0, abs=1e-6)  # stands on the floor: y is up
        raw = mesh.visual.vertex_attributes["color"]
        np.testing.assert_allclose(raw, LINEAR_FROM_SRGB[item.mesh.colors], atol=1e-6)


def test_textures_read_back_through_trimesh(tmp_path):
    import trimesh

    mesh = textured()
    write_object_glb(tmp_path / "o.glb", mesh, "o")
    visual = next(iter(trimesh.load(tmp_path / "o.glb").geometry.values())).visual
    np.testing.assert_array_equal(np.asarray(visual.material.baseColorTexture.convert("RGB")), mesh.texture)
    np.testing.assert_allclose(visual.uv, [0, 1] + [1, -1] * mesh.uv, atol=1e-6)  # trimesh counts v from below


def test_equal_input_gives_equal_bytes_without_dates():
    s = two_boxes()
    first, second = (glb_bytes(scene_nodes(two_boxes().objects, s.camera.T_cam_world), camera=s.camera) for _ in "ab")
    assert first == second
    assert tree_of(first)["asset"] == {"version": "2.0", "generator": "scenemaker"}


def test_chunks_and_views_are_aligned():
    data = glb_bytes([GlbNode(name="é", mesh=m) for m in kinds().values()])
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    tree, length = tree_of(data), struct.unpack_from("<I", data, 12)[0]
    binary_length = struct.unpack_from("<I", data, 20 + length)[0]
    assert length % 4 == binary_length % 4 == 0 and 28 + length + binary_length == len(data)
    assert tree["buffers"] == [{"byteLength": binary_length}]
    assert all(view["byteOffset"] % 4 == 0 for view in tree["bufferViews"])


def test_poses_are_editable_parts_and_exact():
    R = transforms.axis_angle([1, 2, -1], 2.2)
    S = transforms.similarity(R, [1, -2, 3], [0.5, 2, 1.5])
    node = tree_of(glb_bytes([GlbNode(name="box", mesh=box(), S_frame_mesh=S)]))["nodes"][0]
    np.testing.assert_allclose(Rotation.from_quat(node["rotation"]).as_matrix() * node["scale"], S[:3, :3], atol=1e-12)
    assert node["translation"] == [1, -2, 3]
    same = transforms.similarity(R, [0, 0, 0], 0.3)
    node = tree_of(glb_bytes([GlbNode(name="box", mesh=box(), S_frame_mesh=same)]))["nodes"][0]
    assert len(set(node["scale"])) == 1 and "translation" not in node


@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 1e-2))
def test_quaternions_agree_with_scipy(q):
    R = Rotation.from_quat(q).as_matrix()
    got = quat_xyzw_from_R(R)
    assert np.linalg.norm(got) == pytest.approx(1) and got[3] >= 0
    np.testing.assert_allclose(Rotation.from_quat(got).as_matrix(), R, atol=1e-7)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)])
def test_quaternions_of_half_turns(axis):
    R = transforms.axis_angle(axis, np.pi)
    np.testing.assert_allclose(Rotation.from_quat(quat_xyzw_from_R(R)).as_matrix(), R, atol=1e-12)


def test_a_mirrored_node_is_refused():
    with pytest.raises(FrameError, match="the rotation of node 'mirror' to be a rotation matrix"):
        glb_bytes([GlbNode(name="mirror", mesh=box(), S_frame_mesh=np.diag([-1.0, 1, 1, 1]))])
    with pytest.raises(FrameError, match=r"expected a transform of node 'flat'.*; give R diag\(scale\) \| t with pos"):
        glb_bytes([GlbNode(name="flat", mesh=box(), S_frame_mesh=np.diag([0.0, 1, 1, 1]))])


def test_the_camera_node_sees_what_the_photo_saw():
    s = two_boxes()
    tree = tree_of(glb_bytes(scene_nodes(s.objects, s.camera.T_cam_world), camera=s.camera))
    node = next(n for n in tree["nodes"] if "camera" in n)
    lens = tree["cameras"][0]["perspective"]
    assert node["name"] == "camera" and node["extras"]["K"] == s.camera.K.tolist()
    assert lens["aspectRatio"] == pytest.approx(240 / 160) and lens["znear"] < 1 < lens["zfar"]
    # glTF's own rules: clip coordinates of a point of the world
    points = np.array([[0, 0, -3], [0.5, 0.7, -5], [-1, 0.2, -4.0]])
    T_world_gl = transforms.rigid(Rotation.from_quat(node["rotation"]).as_matrix(), node["translation"])
    x, y, z = transforms.apply(np.linalg.inv(T_world_gl), points).T
    t = np.tan(lens["yfov"] / 2)
    ndc = np.stack([x / (t * lens["aspectRatio"] * -z), y / (t * -z)], 1)
    pixels = np.stack([(ndc[:, 0] + 1) / 2 * 240, (1 - ndc[:, 1]) / 2 * 160], 1)
    np.testing.assert_allclose(pixels, project(s.camera.K, transforms.apply(s.camera.T_cam_world, points)), atol=1e-6)


def test_nodes_tell_who_they_are():
    s = two_boxes()
    gone = replace(s.objects[1], mesh=None, pose=None, status="skipped")
    floor = box((5, 0.1, 5))
    nodes = tree_of(glb_bytes(scene_nodes([s.objects[0], gone], s.camera.T_cam_world, {"ground": floor})))["nodes"]
    assert [n["name"] for n in nodes] == ["box 3", "ground"]
    assert nodes[0]["extras"] == {"id": 3, "name": "box 3", "label": "box", "status": "ok"}
    assert nodes[1]["extras"] == {"role": "background"}


HOSTILE = [
    "../../etc",
    "a\x00b\x1b[31m",
    "chair",
    "chair",
    "chair_2",
    "",
    "\u202e",
    "椅子 🪑",
    "x" * 999,
    "camera",
    "a\udc80",
]


def test_names_are_cleaned_and_unique(tmp_path):
    names = unique_names(HOSTILE)
    assert len(set(names)) == len(names) and all(n and n.isprintable() and len(n) <= 204 for n in names)
    assert names[2:6] == ["chair", "chair_2", "chair_2_2", "object"] and names[7] == "椅子 🪑"
    write_glb(tmp_path / "n.glb", [GlbNode(name=n, mesh=box(), extras={"name": n}) for n in HOSTILE])
    assert_valid(tmp_path / "n.glb")
    assert tree_of((tmp_path / "n.glb").read_bytes())["nodes"][1]["name"] == "a b [31m"


def test_equal_parts_are_stored_once():
    mesh = textured()
    twin = replace(mesh, vertices=mesh.vertices * 2, texture=mesh.texture.copy())
    tree = tree_of(glb_bytes([GlbNode(name=n, mesh=m) for n, m in (("a", mesh), ("b", mesh), ("c", twin))]))
    assert len(tree["images"]) == len(tree["textures"]) == len(tree["materials"]) == 1
    assert len(tree["meshes"]) == 2 and [n["mesh"] for n in tree["nodes"]] == [0, 0, 1]


def test_materials():
    tree = tree_of(glb_bytes([GlbNode(name=n, mesh=m) for n, m in kinds().items()]))
    by_name = {m["name"]: tree["materials"][m["primitives"][0]["material"]] for m in tree["meshes"]}
    attributes = {m["name"]: set(m["primitives"][0]["attributes"]) for m in tree["meshes"]}
    assert {n for n, m in by_name.items() if "KHR_materials_unlit" in m.get("extensions", {})} == {
        "unlit colours", "unlit photo", "opaque alpha", "glass",
    }  # fmt: skip
    assert tree["extensionsUsed"] == ["KHR_materials_unlit"] and "extensionsRequired" not in tree
    assert all(m["doubleSided"] is False for m in tree["materials"])
    assert {n: m.get("alphaMode") for n, m in by_name.items() if "alpha" in n or n == "glass"} == {
        "lit colours with alpha": "BLEND", "opaque alpha": None, "glass": "BLEND",
    }  # fmt: skip
    assert {n for n, a in attributes.items() if "NORMAL" in a} == {
        "lit, no colours",
        "lit colours with alpha",
        "lit photo",
    }
    grey = by_name["lit, no colours"]["pbrMetallicRoughness"]["baseColorFactor"]
    assert grey == pytest.approx([0.5149, 0.5149, 0.5149, 1], abs=1e-3)  # sRGB 190, linear


def test_vertex_colours_are_linear():
    # IEC 61966-2-1: sRGB 0, 10, 128, 255
    np.testing.assert_allclose(LINEAR_FROM_SRGB[[0, 10, 128, 255]], [0, 0.0030353, 0.2158605, 1], atol=1e-6)


def test_jpeg_is_for_opaque_textures_only():
    nodes = [GlbNode(name="a", mesh=textured()), GlbNode(name="b", mesh=textured(channels=4, alpha=9))]
    assert [i["mimeType"] for i in tree_of(glb_bytes(nodes, textures="jpeg"))["images"]] == ["image/jpeg", "image/png"]
    assert [i["mimeType"] for i in tree_of(glb_bytes(nodes))["images"]] == ["image/png", "image/png"]


def test_normals_of_a_sphere_and_of_a_box():
    import trimesh

    ball = trimesh.creation.icosphere(3)
    seam = np.concatenate([ball.vertices, ball.vertices])  # every vertex twice, as at the seams of a texture
    faces = ball.faces.copy()
    faces[::2] += len(ball.vertices)
    normals = smooth_normals(Mesh(vertices=seam, faces=faces))
    used = np.unique(faces)
    assert (normals[used] * seam[used]).sum(1).min() > 0.999
    corners = box().triangles.reshape(-1, 3)  # each face its own corners: the edges stay sharp
    split = Mesh(vertices=corners, faces=np.arange(36).reshape(12, 3))
    np.testing.assert_allclose(np.abs(smooth_normals(split)).max(1), 1, atol=1e-6)
    assert (smooth_normals(split) * corners).sum(1).min() > 0.49


def test_degenerate_faces_have_unit_normals(tmp_path):
    line = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [2, 0, 0]], faces=[[0, 1, 2], [0, 0, 1]])
    np.testing.assert_allclose(np.linalg.norm(smooth_normals(line), axis=1), 1)
    write_object_glb(tmp_path / "line.glb", line, "line")
    assert_valid(tmp_path / "line.glb")


def test_a_wrong_texture_is_refused():
    with pytest.raises(InputError) as error:
        glb_bytes([GlbNode(name="a", mesh=replace(textured(), texture=np.zeros((4, 5, 3), np.uint16)))])
    want = "expected a texture (h, w, 3 or 4) of uint8; got uint16 (4, 5, 3); convert it to 8-bit RGB"
    assert str(error.value) == want


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "o.glb"
    write_object_glb(path, box(), "old")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="room to write"):
        write_object_glb(path, box(), "new")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_an_open_file_will_do(tmp_path):
    stream = io.BytesIO()
    write_object_glb(stream, box(), "o")
    write_object_glb(tmp_path / "o.glb", box(), "o")
    assert stream.getvalue() == (tmp_path / "o.glb").read_bytes()
