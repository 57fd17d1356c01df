"""Mesh files of every kind: geometry, texture the right way up, colours in the right space, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import trimesh

from scenemaker.errors import InputError
from scenemaker.export.glb import GlbNode, write_glb, write_object_glb
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import surface_colours
from scenemaker.inputs import as_mesh, load_mesh, load_meshes

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def picture() -> np.ndarray[Any, Any]:
    """6 x 4 pixels: top left red, top right green, bottom left blue, bottom right white."""
    out = np.zeros((4, 6, 3), np.uint8)
    out[:2, :3], out[:2, 3:], out[2:, :3], out[2:, 3:] = RED, GREEN, BLUE, WHITE
    return out


def quad(**more: Any) -> Mesh:
    """3 x 2 in the plane z = 0; uv as in glTF: the upper left corner of the quad shows (0, 0)."""
    return Mesh(
        vertices=np.array([[0, 2, 0], [3, 2, 0], [0, 0, 0], [3, 0, 0]], np.float32),
        faces=np.array([[0, 2, 1], [1, 2, 3]], np.int32),
        **more,
    )


UV = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)


def colour_at(mesh: Mesh, x: float, y: float) -> tuple[int, ...]:
    """The colour where the line through (x, y) along z meets the mesh, straight from uv or vertex colours."""
    for f, (a, b, c) in enumerate(mesh.triangles[:, :, :2]):
        if abs(np.linalg.det(np.stack([b - a, c - a]))) < 1e-9:
            continue
        w = np.linalg.solve(np.stack([b - a, c - a], 1), np.array([x, y]) - a)
        if (w > -1e-6).all() and w.sum() < 1 + 1e-6:
            colour = surface_colours(mesh, np.array([f], np.int32), w[None].astype(np.float32))[0]
            return tuple(int(v) for v in colour)
    raise AssertionError(f"nothing at {x}, {y}")


def corners(mesh: Mesh) -> list[tuple[int, ...]]:
    return [colour_at(mesh, x, y) for x, y in ((0.3, 1.8), (2.7, 1.8), (0.3, 0.2), (2.7, 0.2))]


def write_obj(folder: Path, texture: str = "tex ture.png") -> Path:
    PIL.Image.fromarray(picture()).save(folder / "tex ture.png")
    (folder / "m.mtl").write_text(f"newmtl a\nKd 1 1 1\nmap_Kd {texture}\n")
    path = folder / "m.obj"
    path.write_text(
        "mtllib m.mtl\nusemtl a\nv 0 2 0\nv 3 2 0\nv 0 0 0\nv 3 0 0\n"
        "vt 0 1\nvt 1 1\nvt 0 0\nvt 1 0\nf 1/1 3/3 2/2\nf 2/2 3/3 4/4\n"  # OBJ: v = 1 is the top
    )
    return path


def test_a_texture_is_the_right_way_up_in_every_format(tmp_path: Path) -> None:
    glb = tmp_path / "ours.glb"
    write_object_glb(glb, quad(uv=UV, texture=picture()), "quad")
    theirs = tmp_path / "trimesh.glb"
    visual = trimesh.visual.TextureVisuals(
        uv=UV * [1, -1] + [0, 1],
        material=trimesh.visual.material.PBRMaterial(baseColorTexture=PIL.Image.fromarray(picture())),
    )
    trimesh.Trimesh(quad().vertices, quad().faces, visual=visual, process=False).export(theirs)
    for path in (glb, theirs, write_obj(tmp_path)):
        mesh = load_mesh(path)
        assert corners(mesh) == [RED, GREEN, BLUE, WHITE], path.name
        assert mesh.extents.tolist() == [3, 2, 0]
    assert corners(as_mesh(trimesh.load(theirs, force="scene"))) == [RED, GREEN, BLUE, WHITE]


def test_our_own_files_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "o.glb"
    textured = quad(uv=UV * np.float32(0.7), texture=picture(), unlit=True)
    write_object_glb(path, textured, "x")
    back = load_mesh(path)
    assert np.array_equal(back.vertices, textured.vertices)
    assert np.array_equal(back.faces, textured.faces)
    assert np.array_equal(back.uv, textured.uv)  # type: ignore[arg-type]
    assert np.array_equal(back.texture, textured.texture)  # type: ignore[arg-type]
    assert back.unlit
    colors = np.array([[0, 1, 2], [3, 5, 8], [120, 200, 255], [13, 1, 0]], np.uint8)  # dark ones break in 8-bit linear
    write_object_glb(path, quad(colors=colors), "x")
    back = load_mesh(path)
    assert np.array_equal(back.colors, colors)  # type: ignore[arg-type]
    assert not back.unlit


def gltf(
    attributes: dict[str, tuple[np.ndarray[Any, Any], bool]], *, material: dict[str, Any] | None = None, **top: Any
) -> dict[str, Any]:
    """A .gltf tree of one quad with the given attributes, each with whether it is normalised."""
    blobs = {"POSITION": (quad().vertices, False), **attributes}
    binary, views, accessors = b"", [], []
    codes = {np.dtype("f4"): 5126, np.dtype("u1"): 5121, np.dtype("u2"): 5123, np.dtype("u4"): 5125}
    for array, normalised in [*blobs.values(), (quad().faces.astype(np.uint32).reshape(-1), False)]:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        kind = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}[1 if array.ndim == 1 else array.shape[1]]
        accessor = {
            "bufferView": len(views) - 1,
            "componentType": codes[array.dtype],
            "count": len(array),
            "type": kind,
        }
        accessors.append({**accessor, "normalized": True} if normalised else accessor)
        binary += array.tobytes() + bytes(-array.nbytes % 4)
    accessors[0] |= {"min": [0, 0, 0], "max": [3, 2, 0]}
    primitive: dict[str, Any] = {
        "attributes": {name: i for i, name in enumerate(blobs)},
        "indices": len(accessors) - 1,
    }
    tree: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [
            {
                "byteLength": len(binary),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(binary).decode(),
            }
        ],
    }
    if material is not None:
        primitive["material"] = 0
        tree["materials"] = [material]
    return tree | top


def saved(tmp_path: Path, tree: dict[str, Any]) -> Path:
    path = tmp_path / "m.gltf"
    path.write_text(json.dumps(tree))
    return path


def image_uri() -> str:
    out = io.BytesIO()
    PIL.Image.fromarray(picture()).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def test_vertex_colours_are_linear_in_gltf_and_srgb_elsewhere(tmp_path: Path) -> None:
    linear = np.tile(np.array([[1, 0.21404114, 0.0]], np.float32), (4, 1))  # 0.214 linear is 127.5 / 255
    path = saved(tmp_path, gltf({"COLOR_0": (linear, False)}))
    assert load_mesh(path).colors is not None
    assert load_mesh(path).colors[0].tolist() in ([255, 127, 0], [255, 128, 0])  # type: ignore[index]
    assert load_mesh(path, color_space="srgb").colors[0].tolist() == [255, 55, 0]  # type: ignore[index]
    sixteen = saved(tmp_path, gltf({"COLOR_0": ((linear * 65535).astype(np.uint16), True)}))
    assert load_mesh(sixteen).colors[0].tolist() in ([255, 127, 0], [255, 128, 0])  # type: ignore[index]
    ply = tmp_path / "m.ply"
    colors = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]], np.uint8)
    trimesh.Trimesh(quad().vertices, quad().faces, vertex_colors=colors, process=False).export(ply)
    assert np.array_equal(load_mesh(ply).colors, colors)  # type: ignore[arg-type]


def test_material_factor_is_linear(tmp_path: Path) -> None:
    plain = {"pbrMetallicRoughness": {"baseColorFactor": [0.21404114, 1, 0, 0.5]}}
    colors = load_mesh(saved(tmp_path, gltf({}, material=plain))).colors
    assert colors is not None
    assert colors.shape == (4, 3)  # alphaMode OPAQUE: alpha counts for nothing
    assert abs(int(colors[0, 0]) - 127.5) < 1
    tinted = {"pbrMetallicRoughness": {"baseColorFactor": [0.21404114, 1, 1, 1], "baseColorTexture": {"index": 0}}}
    tree = gltf({"TEXCOORD_0": (UV, False)}, material=tinted, textures=[{"source": 0}], images=[{"uri": image_uri()}])
    red, green, _, white = corners(load_mesh(saved(tmp_path, tree)))
    assert abs(red[0] - 127.5) < 1
    assert green == GREEN
    assert abs(white[0] - 127.5) < 1
    assert white[1:] == (255, 255)


def test_second_uv_set_integer_uv_and_texture_transform(tmp_path: Path) -> None:
    wrong = np.zeros((4, 2), np.float32)
    info: dict[str, Any] = {"index": 0, "texCoord": 1}
    more: dict[str, Any] = {"textures": [{"source": 0}], "images": [{"uri": image_uri()}]}
    material = {"pbrMetallicRoughness": {"baseColorTexture": info}}
    tree = gltf({"TEXCOORD_0": (wrong, False), "TEXCOORD_1": (UV, False)}, material=material, **more)
    assert corners(load_mesh(saved(tmp_path, tree))) == [RED, GREEN, BLUE, WHITE]
    short = (UV * 65535).astype(np.uint16)
    tree = gltf({"TEXCOORD_0": (wrong, False), "TEXCOORD_1": (short, True)}, material=material, **more)
    assert corners(load_mesh(saved(tmp_path, tree))) == [RED, GREEN, BLUE, WHITE]
    info["extensions"] = {"KHR_texture_transform": {"offset": [0, 1], "rotation": np.pi / 2, "scale": [1, 1]}}
    tree = gltf({"TEXCOORD_0": (wrong, False), "TEXCOORD_1": (UV, False)}, material=material, **more)
    # the extension's own example: offset (0, 1) and a quarter turn shows the picture turned by 90 degrees
    assert corners(load_mesh(saved(tmp_path, tree))) == [BLUE, RED, WHITE, GREEN]


def test_a_repeating_texture_repeats(tmp_path: Path) -> None:
    path = tmp_path / "m.glb"
    write_object_glb(path, quad(uv=UV * 2 + 5, texture=picture()), "x")
    mesh = load_mesh(path)
    assert mesh.uv is not None
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1
    for left, top in ((0.0, 2.0), (1.5, 2.0), (0.0, 1.0), (1.5, 1.0)):
        found = [colour_at(mesh, left + x, top - y) for x, y in ((0.2, 0.2), (1.3, 0.2), (0.2, 0.8), (1.3, 0.8))]
        assert found == [RED, GREEN, BLUE, WHITE]


def test_parts_are_placed_and_joined_with_their_textures_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "m.glb"
    turned = transforms.similarity(np.eye(3), [10, 0, 0], 2.0)
    other = np.full((5, 3, 3), (9, 99, 199), np.uint8)
    write_glb(
        path,
        [
            GlbNode(name="a", mesh=quad(uv=UV, texture=picture())),
            GlbNode(name="b", mesh=quad(uv=UV, texture=other), S_frame_mesh=turned),
            GlbNode(name="c", mesh=quad(), S_frame_mesh=transforms.similarity(np.eye(3), [0, 10, 0])),
        ],
    )
    mesh = load_mesh(path)
    assert mesh.bounds.tolist() == [[0, 0, 0], [16, 12, 0]]
    assert len(mesh.faces) == 6
    assert corners(mesh) == [RED, GREEN, BLUE, WHITE]
    assert colour_at(mesh, 13, 2) == (9, 99, 199)
    assert len(set(colour_at(mesh, 1, 11))) == 1  # the plain part is grey or white


def test_mirrored_part_is_not_inside_out(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 2, 3))
    scene = trimesh.Scene()
    scene.add_geometry(box, transform=np.diag([-1.0, 1, 1, 1]))
    path = tmp_path / "m.glb"
    scene.export(path)
    assert load_mesh(path).volume() == pytest.approx(6)


def test_stl_and_unused_vertices(tmp_path: Path) -> None:
    path = tmp_path / "Stück 1.STL"
    trimesh.creation.box((1, 2, 3)).export(path, file_type="stl")
    mesh = load_mesh(path)
    assert mesh.volume() == pytest.approx(6)
    assert mesh.is_closed()
    assert mesh.colors is None
    stray = tmp_path / "s.obj"
    stray.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 99 99 99\nf 1 2 3\n")
    assert load_mesh(stray).extents.tolist() == [1, 1, 0]


def message(call: Any, *args: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*args)
    return str(caught.value)


def test_bad_meshes_are_named(tmp_path: Path) -> None:
    def obj(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    nan = obj("nan.obj", "v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n")
    assert message(load_mesh, nan) == f"expected finite vertices; got {nan}: NaN or infinity; repair the mesh"
    point = obj("point.obj", "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n")
    assert message(load_mesh, point) == (
        f"expected a mesh with an extent; got {point}: all vertices in one point; check the file"
    )
    cloud = tmp_path / "cloud.ply"
    trimesh.PointCloud(np.eye(3)).export(cloud)
    assert message(load_mesh, cloud) == (
        f"expected a mesh with faces; got {cloud}: none; save its surface, not its points"
    )
    empty = obj("empty.stl", "")
    assert message(load_mesh, empty) == f"expected a mesh file; got {empty}: an empty file; copy or save it again"
    gone = tmp_path / "gone.glb"
    assert message(load_mesh, gone) == f"expected a mesh file; got {gone}: no such file; check the path"
    odd = obj("m.fbx", "x")
    assert message(load_mesh, odd) == (
        f"expected a mesh file of .glb, .gltf, .obj, .ply, .stl; got {odd}; save it as one of these"
    )
    other = obj("other.glb", "no glb")
    assert message(load_mesh, other) == (
        f"expected a glTF 2.0 binary file; got {other}: other content; save it again as GLB"
    )
    cut = tmp_path / "cut.glb"
    write_object_glb(cut, quad(uv=UV, texture=picture()), "x")
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-60])
    got = f"{cut}: the first {len(whole) - 60} of {len(whole)} bytes"
    assert message(load_mesh, cut) == f"expected a whole mesh file; got {got}; copy or save it again"
    for name in ("EXT_meshopt_compression", "KHR_draco_mesh_compression"):
        packed = saved(tmp_path, gltf({}, extensionsRequired=[name]))
        assert message(load_mesh, packed) == (
            f"expected glTF that can be read here; got {packed} with {name}; save it as GLB without compression"
        )
    faces = gltf({})
    faces["accessors"][0]["count"] = 3
    assert "m.gltf" in message(load_mesh, saved(tmp_path, faces))


@pytest.mark.parametrize(
    "reference", ["../secret.png", "/etc/hostname", "https://example.com/a.png", "sub/../../secret.png"]
)
def test_files_outside_of_the_folder_are_refused(tmp_path: Path, reference: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    PIL.Image.fromarray(picture()).save(tmp_path / "secret.png")
    remedy = "put everything into one folder, or save it as GLB"
    obj = write_obj(folder, texture=reference)
    assert message(load_mesh, obj) == (
        f"expected a mesh file that stays in its folder; got {obj} that refers to {reference}; {remedy}"
    )
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    tree = gltf({"TEXCOORD_0": (UV, False)}, material=material, textures=[{"source": 0}], images=[{"uri": reference}])
    path = saved(folder, tree)
    assert message(load_mesh, path) == (
        f"expected a mesh file that stays in its folder; got {path} that refers to {reference}; {remedy}"
    )


def test_a_missing_texture_is_a_notice(tmp_path: Path) -> None:
    path = write_obj(tmp_path)
    (tmp_path / "tex ture.png").unlink()
    geometry = load_meshes({"a": path}, {"a": 1})[1]
    assert geometry.notices == ("tex ture.png, which it refers to, was not found",)
    assert geometry.mesh.texture is None


def test_a_broken_texture_is_a_notice(tmp_path: Path) -> None:
    path = write_obj(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "tex ture.png")
    data = (tmp_path / "tex ture.png").read_bytes()
    (tmp_path / "tex ture.png").write_bytes(data[:2000])
    (notice,) = load_meshes({"a": path}, {"a": 1})[1].notices
    assert notice.startswith("a texture could not be read: ")
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    for half in (data[:2000], b"no picture"):
        uri = "data:image/png;base64," + base64.b64encode(half).decode()
        tree = gltf({"TEXCOORD_0": (UV, False)}, material=material, textures=[{"source": 0}], images=[{"uri": uri}])
        (notice,) = load_meshes([saved(tmp_path, tree)], {"a": 1})[1].notices
        assert notice.startswith("a texture could not be read")


IDS = {"chair_1": 1, "table": 2, "7": 3}


def test_meshes_by_folder_dict_and_list(tmp_path: Path) -> None:
    for name in ("2.stl", "chair_1.stl"):
        trimesh.creation.box((1, 2, 4)).export(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a mesh")
    box = trimesh.creation.box((1, 2, 4))
    ours = Mesh(vertices=np.asarray(box.vertices), faces=np.asarray(box.faces))
    path = tmp_path / "2.stl"
    for source in (
        tmp_path,
        str(tmp_path),
        {1: path, "table": box},
        {"1": str(path), 2: ours},
        [box, ours, None],
        {"chair_1": trimesh.Scene(box), 2: ours},
    ):
        got = load_meshes(source, IDS)
        assert list(got) == [1, 2]
        for id, geometry in got.items():
            assert geometry.id == id
            assert np.allclose(geometry.mesh.extents, [0.25, 0.5, 1])
            assert np.allclose(geometry.mesh.bounds.sum(0), 0)
            assert geometry.S_obj_mesh is not None
            assert np.allclose(geometry.S_obj_mesh, np.diag([0.25, 0.25, 0.25, 1]))
            assert geometry.R_cam_obj is None
    assert list(load_meshes(path, {"only": 4})) == [4]


def test_meshes_of_no_object(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    objects = "they are: 1 (chair_1), 2 (table), 3 (7)"
    assert message(load_meshes, {"lamp": box}, IDS) == (
        f"expected a mesh for one of the objects; got 'lamp'; {objects}"
    )
    assert message(load_meshes, {9: box}, IDS) == f"expected a mesh for one of the objects; got 9; {objects}"
    assert message(load_meshes, [box], IDS) == (
        "expected 3 meshes, one per object; got 1; give None for an object without a mesh"
    )
    assert message(load_meshes, {1: box, "chair_1": box}, IDS) == (
        "expected one mesh for object 1; got a second one, 'chair_1'; leave one out"
    )
    assert message(load_meshes, {1: 5}, IDS) == (
        "expected a path, a trimesh.Trimesh or a Mesh; got int as the mesh of object 1; give one of these"
    )
    assert message(load_meshes, tmp_path, IDS) == (
        f"expected mesh files (.glb, .gltf, .obj, .ply, .stl); got none in {tmp_path}; call them by object id or name"
    )
    box.export(tmp_path / "lamp.stl")
    assert message(load_meshes, tmp_path, IDS) == (
        f"expected a mesh for one of the objects; got the file lamp.stl; {objects}"
    )
    (tmp_path / "lamp.stl").rename(tmp_path / "1.stl")
    box.export(tmp_path / "chair_1.ply")
    assert message(load_meshes, tmp_path, IDS) == (
        "expected one mesh for object 1; got 1.stl and chair_1.ply; leave one out"
    )
    assert message(load_meshes, tmp_path / "1.stl", IDS) == (
        "expected meshes as a folder, a dict by object or a list in their order; "
        f"got {tmp_path / '1.stl'}; there are 3 objects: 1 (chair_1), 2 (table), 3 (7)"
    )


def test_shipped_assets_are_read_with_their_own_colour_convention() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "assets" / "val"
    for path in sorted(folder.glob("*.glb"))[::60] if folder.is_dir() else []:
        mesh = load_mesh(path, color_space="srgb")
        assert mesh.extents.max() == pytest.approx(1, abs=1e-3)
        assert mesh.colors is not None
        data = path.read_bytes()
        tree = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
        assert len(mesh.faces) == sum(
            tree["accessors"][p["indices"]]["count"] // 3 for m in tree["meshes"] for p in m["primitives"]
        )


def test_a_run_s_own_folder_of_meshes(tmp_path: Path) -> None:
    """Runs call files ID_NAME.glb; another number before the name is no such file."""
    trimesh.creation.box((1, 2, 4)).export(tmp_path / "2_table.stl")
    assert list(load_meshes(tmp_path, {"chair": 1, "table": 2})) == [2]
    with pytest.raises(InputError, match="got the file 2_table.stl; they are: 1 \\(table\\)"):
        load_meshes(tmp_path, {"table": 1})
