"""The main job on pictures: `instant`, offline, checked from the files it writes with independent readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from export.khronos import assert_valid
from PIL import Image

from scenemaker import Scene, ScenePipeline
from scenemaker.assets import demo_masks, demo_photo
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster

SHARED = Path(__file__).resolve().parents[2] / "shared"
PHOTOS = SHARED / "photos"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the example picture at half size."""
    work = tmp_path_factory.mktemp("demo")
    Image.open(demo_photo()).reduce(2).save(work / "demo.png")
    with ScenePipeline.from_preset("instant", cache_dir=work / "cache") as pipe:
        pipe.run(work / "demo.png", masks=demo_masks(), K="fov=52", out=work / "out")
    return work / "out"


def glb_over_photo(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], float]:
    """Labels of ``scene.glb`` seen by its own camera, labels of the photo, and colour error where both are.

    trimesh reads the file; camera and poses come from the GLB alone, so a wrong frame cannot hide.
    """
    scene = trimesh.load(folder / "scene.glb")
    tree = json.loads((folder / "scene.glb").read_bytes()[20:].split(b"\0")[0].rsplit(b"}", 1)[0] + b"}")
    node = next(n for n in tree["nodes"] if "camera" in n)
    T_world_gl = scene.graph.get(node["name"])[0] if node["name"] in scene.graph.nodes else _matrix(node)
    photo, labels = np.asarray(Image.open(folder / "rgb.png")), np.asarray(Image.open(folder / "labels.png"))
    T_cam_world = np.diag([1.0, -1, -1, 1]) @ np.linalg.inv(T_world_gl)
    camera = Camera(
        K=np.array(node["extras"]["K"]), width=photo.shape[1], height=photo.shape[0], T_cam_world=T_cam_world
    )
    ids, meshes, poses = [], [], []
    extras = {n["name"]: n.get("extras", {}) for n in tree["nodes"]}
    for name in scene.graph.nodes_geometry:
        pose, geometry = scene.graph.get(name)
        if "id" not in extras.get(name, {}):
            continue
        mesh = scene.geometry[geometry]
        uv = np.asarray(mesh.visual.uv) * [1, -1] + [0, 1]
        texture = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"))
        meshes.append(Mesh(vertices=mesh.vertices, faces=mesh.faces, uv=uv.astype("f4"), texture=texture, unlit=True))
        ids.append(extras[name]["id"])
        poses.append(pose)
    seen = RayCaster(meshes, poses).render(camera)
    rendered = np.array([0, *ids])[seen.index + 1]
    both = (rendered > 0) & (rendered == labels)
    error = np.abs(seen.rgb.astype(int) - photo[..., :3]).mean(-1)[both].mean()
    return rendered, labels, float(error)


def _matrix(node: dict[str, Any]) -> np.ndarray[Any, Any]:
    x, y, z, w = node["rotation"]
    T = np.eye(4)
    T[:3, :3] = trimesh.transformations.quaternion_matrix([w, x, y, z])[:3, :3]
    T[:3, 3] = node["translation"]
    return T


def iou_per_object(rendered: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> list[float]:
    return [
        float(((rendered == i) & (labels == i)).sum() / ((rendered == i) | (labels == i)).sum())
        for i in np.unique(labels)[1:]
    ]


def test_the_glb_overlays_the_photo(demo: Path) -> None:
    rendered, labels, colour_error = glb_over_photo(demo)
    iou = iou_per_object(rendered, labels)
    assert labels.shape == (400, 600) and len(iou) == 5
    assert np.mean(iou) > 0.93 and min(iou) > 0.85, iou
    assert colour_error < 8  # of 255: the visible side shows the photo
    mirrored = iou_per_object(rendered[:, ::-1], labels)
    assert np.mean(mirrored) < 0.5  # the check is alive


def test_scores_agree_with_the_glb(demo: Path) -> None:
    rendered, labels, _ = glb_over_photo(demo)
    scores = json.loads((demo / "scene.json").read_text())["run"]["scores"]
    assert scores["mask_iou"] == pytest.approx(np.mean(iou_per_object(rendered, labels)), abs=0.03)


def test_every_object_is_a_solid_with_a_back(demo: Path) -> None:
    scene = Scene.load(demo)
    for item in scene.placed:
        assert item.mesh is not None and item.pose is not None
        assert item.mesh.is_closed() and item.mesh.volume() > 0
        size = np.sort(item.pose.size)
        assert size[0] > 0.15 * size[2], f"{item.name} is a billboard"
        loaded = trimesh.load(demo / "objects" / f"{item.id}_{item.name}.glb", force="mesh")
        assert loaded.merge_vertices() is None and loaded.is_watertight


def test_every_glb_is_valid(demo: Path) -> None:
    files = sorted(demo.rglob("*.glb"))
    assert len(files) == 12  # 5 in stages, 5 in objects, the ground, the scene
    assert_valid(*files)


def test_the_frames_of_scene_json_are_those_of_the_glb(demo: Path) -> None:
    data, scene = json.loads((demo / "scene.json").read_text()), trimesh.load(demo / "scene.glb")
    T_world_cam = np.linalg.inv(np.array(data["T_cam_world"]))
    for item in data["objects"]:
        S = np.eye(4)
        S[:3, :3], S[:3, 3] = np.array(item["R_cam_obj"]) * item["scale"], item["t_cam_obj"]
        np.testing.assert_allclose(scene.graph.get(item["name"])[0], T_world_cam @ S, atol=1e-5)
    up = np.array(data["T_cam_world"])[:3, :3] @ [0, 1, 0]
    np.testing.assert_allclose(up, data["up_cam"], atol=1e-6)
    ground = np.array(data["ground_cam"])
    foot_cam = np.array(data["T_cam_world"])[:3, 3]
    assert ground[:3] @ foot_cam + ground[3] == pytest.approx(0, abs=1e-6)


def test_objects_stand_on_the_ground(demo: Path) -> None:
    scores = json.loads((demo / "scene.json").read_text())["run"]["scores"]
    assert scores["floating"] < 0.15, scores


def test_editing_a_scene_shows_in_its_export(demo: Path, tmp_path: Path) -> None:
    scene = Scene.load(demo)
    before = scene.render()
    assert before.shape == (400, 600, 3)
    t = scene.objects[1].pose.t_cam_obj.copy()  # type: ignore[union-attr]
    scene.move(1, (0.2, 0, -0.1), turn_deg=30)
    moved = scene.camera.T_cam_world[:3, :3].T @ (scene.objects[1].pose.t_cam_obj - t)  # type: ignore[union-attr]
    np.testing.assert_allclose(moved, [0.2, 0, -0.1], atol=1e-9)
    scene.remove(2)
    scene.replace(3, trimesh.creation.icosphere())
    assert (scene.render() != before).any()
    scene.export(tmp_path / "edited.glb")
    scene.save(tmp_path / "edited")
    assert_valid(tmp_path / "edited.glb", tmp_path / "edited" / "scene.glb")
    again = Scene.load(tmp_path / "edited")
    assert list(again.objects) == [1, 3, 4, 5] and again.objects[3].S_obj_mesh is not None
    assert np.array_equal(again.render(), scene.render())


@pytest.mark.parametrize("given", ["boxes", "auto"])
def test_without_masks(tmp_path: Path, given: str) -> None:
    Image.open(demo_photo()).reduce(3).save(tmp_path / "demo.png")
    labels = np.asarray(Image.open(demo_masks()).resize((400, 266), Image.Resampling.NEAREST))
    boxes = []
    for i in range(1, 6):
        v, u = np.nonzero(labels == i)
        boxes.append((u.min(), v.min(), u.max() + 1, v.max() + 1))
    with ScenePipeline.from_preset(cache_dir=None) as pipe:
        scene = pipe(tmp_path / "demo.png", boxes=boxes if given == "boxes" else ())
    assert scene.placed and scene.run["stages"][1]["backend"] == {"boxes": "prompts", "auto": "auto"}[given]
    assert scene.run["scores"]["mask_iou"] > 0.85
    if given == "boxes":
        assert np.mean(iou_per_object(scene.labels[:266], labels)) > 0.6


@pytest.mark.parametrize("cut", ["3:2", "2:3"])
@pytest.mark.parametrize("name", ["made", "cartoon_04", "realistic_08"])
def test_photos_cut_to_other_aspects(tmp_path: Path, name: str, cut: str) -> None:
    """On real photographs where they are at hand; ``made`` is always there."""
    if name == "made" or not PHOTOS.is_dir():
        photo = Image.open(demo_photo()).reduce(3)
        masks = Image.open(demo_masks()).resize(photo.size, Image.Resampling.NEAREST)
    else:
        photo = Image.open(PHOTOS / f"{name}.jpg").reduce(2)
        masks = Image.open(PHOTOS / f"{name}_masks.png").resize(photo.size, Image.Resampling.NEAREST)
    w, h = photo.size
    aspect = 1.5 if cut == "3:2" else 2 / 3
    cw, ch = min(w, round(h * aspect)), min(h, round(w / aspect))
    box = ((w - cw) // 2, (h - ch) // 2, (w - cw) // 2 + cw, (h - ch) // 2 + ch)
    photo.convert("RGB").crop(box).save(tmp_path / "p.png")
    masks.crop(box).save(tmp_path / "m.png")
    with ScenePipeline.from_preset(cache_dir=None, compose={"report": False}) as pipe:
        pipe.run(tmp_path / "p.png", masks=tmp_path / "m.png", out=tmp_path / "out")
    rendered, labels, _ = glb_over_photo(tmp_path / "out")
    assert rendered.shape == (ch, cw) and np.mean(iou_per_object(rendered, labels)) > 0.9
