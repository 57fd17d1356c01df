"""Targets: a folder of pictures with all its faults, rendered objects with exact outlines, resizing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial import ConvexHull

from scenemaker.data.occlusion.images import ImageTargets, label_of
from scenemaker.data.occlusion.rendered import RenderedTargets, TargetViews, coverage, tight_camera
from scenemaker.data.occlusion.targets import Target, cut_out, over, resized, trimmed
from scenemaker.data.occlusion.triplets import TripletRecipe, make_triplet
from scenemaker.data.types import DataObject, View, World
from scenemaker.errors import InputError, ShapeError
from scenemaker.geometry.cameras import Camera, project
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster
from scenemaker.geometry.transforms import apply


def disc(height: int, width: int, colour: tuple[int, int, int] = (200, 40, 30)) -> np.ndarray:
    """RGBA of a soft ellipse; a glaring colour hides under the transparent parts."""
    big = np.zeros((4 * height, 4 * width), np.uint8)
    cv2.ellipse(big, (2 * width, 2 * height), (int(1.6 * width), int(1.4 * height)), 0, 0, 360, 255, -1)
    alpha = cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA)
    rgb = np.where(alpha[..., None] > 0, np.array(colour), np.array([0, 255, 255])).astype(np.uint8)
    return np.concatenate([rgb, alpha[..., None]], 2)


def test_nothing_bleeds_in_when_resized() -> None:
    rgba = disc(90, 140)
    for size in ((70, 45), (33, 60), (210, 135)):
        out = resized(rgba, *size)
        assert out.shape == (size[1], size[0], 4)
        seen = out[..., 3] > 8
        assert np.abs(out[seen][:, :3].astype(int) - [200, 40, 30]).max() <= 1
        assert out[..., 3].mean() == pytest.approx(rgba[..., 3].mean(), rel=0.02)


def test_over_a_colour() -> None:
    pixel = np.array([[[100, 200, 0, 255], [100, 200, 0, 0], [100, 200, 0, 51]]], np.uint8)  # alpha 1, 0, 0.2
    assert over(pixel).tolist() == [[[100, 200, 0], [255, 255, 255], [224, 244, 204]]]
    assert over(pixel, (10, 20, 30))[0, 2].tolist() == [28, 56, 24]


def test_trimmed_to_the_object() -> None:
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[4:9, 11:25, 3] = 1
    assert trimmed(rgba).shape == (5, 14, 4)
    assert trimmed(np.zeros((20, 30, 4), np.uint8)).shape == (20, 30, 4)


def test_a_target_is_rgba() -> None:
    with pytest.raises(ShapeError) as error:
        Target(rgba=np.zeros((4, 5, 3), np.uint8), key="mug")
    assert str(error.value) == "expected rgba (H, W, 4) uint8; got uint8 (4, 5, 3); check target mug"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five usable pictures, five that are not, and files that are no pictures."""
    root = tmp_path / "pictures"
    (root / "dining_table").mkdir(parents=True)
    (root / ".thumbs").mkdir()
    Image.fromarray(disc(90, 140), "RGBA").save(root / "dining_table" / "0001.png")
    Image.fromarray(disc(70, 60, (20, 90, 200)), "RGBA").save(root / "dining_table" / "0002.webp", lossless=True)
    Image.fromarray(disc(90, 140), "RGBA").save(root / ".thumbs" / "x.png")
    plain = over(disc(100, 130), (250, 250, 250))
    plain[40:60, 55:75] = 250  # a hole that does not reach the border
    Image.fromarray(plain).save(root / "mug_03.jpg", quality=95)
    green = over(disc(100, 130), (10, 160, 20))
    Image.fromarray(green).save(root / "0007.png")
    Image.fromarray(over(disc(64, 50))).convert("P").save(root / "vase.gif")
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    Image.fromarray(noise).save(root / "busy.png")
    whole = (root / "dining_table" / "0001.png").read_bytes()
    (root / "half.png").write_bytes(whole[: len(whole) // 2])
    (root / "broken.jpg").write_bytes(b"no picture at all")
    Image.fromarray(np.zeros((40, 50, 4), np.uint8), "RGBA").save(root / "nothing.png")
    Image.fromarray(np.full((40, 50, 3), 255, np.uint8)).save(root / "white.png")
    Image.fromarray(disc(12, 20), "RGBA").save(root / "speck.png")
    (root / "notes.txt").write_text("not a picture")
    return root


def test_a_folder_is_sorted_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        targets = ImageTargets(folder)
    assert targets.files == ("0007.png", "dining_table/0001.png", "dining_table/0002.webp", "mug_03.jpg", "vase.gif")
    reasons = dict(targets.skipped)
    assert sorted(reasons) == ["broken.jpg", "busy.png", "half.png", "nothing.png", "speck.png", "white.png"]
    assert reasons["busy.png"].startswith("expected transparent parts or a plain background; got busy.png: ")
    assert reasons["busy.png"].endswith(
        " of its border has one colour; cut the object out, or give a picture on a plain background"
    )
    assert reasons["nothing.png"] == (
        "expected an object of at least 32 px; got nothing.png: nothing; give a larger picture"
    )
    assert reasons["white.png"] == "expected an object of at least 32 px; got white.png: nothing; give a larger picture"
    assert reasons["speck.png"].startswith("expected an object of at least 32 px; got speck.png: one of ")
    for name in ("half.png", "broken.jpg"):
        assert name in reasons[name]
    assert "6 of 11 pictures skipped" in caplog.text


def test_targets_are_what_the_pictures_show(folder: Path) -> None:
    targets, rng = ImageTargets(folder), np.random.default_rng(0)
    seen = {}
    for _ in range(60):
        target = targets.draw(rng, 1000)
        seen[target.key] = target
    assert set(seen) == set(targets.files)
    labels = {key: t.label for key, t in seen.items()}
    assert labels == {
        "0007.png": None,
        "dining_table/0001.png": "dining table",
        "dining_table/0002.webp": "dining table",
        "mug_03.jpg": "mug",
        "vase.gif": "vase",
    }
    own = trimmed(disc(90, 140))
    got = seen["dining_table/0001.png"].rgba
    assert np.array_equal(got[..., 3], own[..., 3])
    assert np.abs(over(got).astype(int) - over(own)).max() <= 1
    solid = got[..., 3] > 128
    assert np.abs(got[solid][:, :3].astype(int) - [200, 40, 30]).max() <= 1  # straight again, not mixed with white
    for key in ("mug_03.jpg", "0007.png"):
        want = disc(100, 130)[..., 3] >= 128
        alpha = seen[key].rgba[..., 3]
        assert alpha.sum() / 255 == pytest.approx(want.sum(), rel=0.03)  # the hole is filled
    green = seen["0007.png"].rgba
    assert (green[green[..., 3] > 0][:, 1] == 40).all()  # nothing of the background
    h, w = green.shape[:2]
    true = over(disc(100, 130), (10, 160, 20))
    y, x = np.argwhere(np.abs(true.astype(int) - [10, 160, 20]).max(2) > 12).min(0)
    true = true[y : y + h, x : x + w]
    assert np.abs(over(green, (10, 160, 20)).astype(int) - true).max() <= 12  # put back it is the picture again


def test_draws_are_as_large_as_wanted_and_repeat(folder: Path) -> None:
    targets = ImageTargets(folder)
    for seed in range(6):
        small = targets.draw(np.random.default_rng(seed), 50)
        again = ImageTargets(folder).draw(np.random.default_rng(seed), 50)
        assert max(small.rgba.shape[:2]) <= 50
        assert np.array_equal(small.rgba, again.rgba)
        assert small.key == again.key
    outline = targets.silhouette(np.random.default_rng(1))
    assert outline.dtype == bool
    assert 0.3 < outline.mean() < 1
    x = make_triplet(TripletRecipe(width=120, height=90, min_visible_px=20), targets, seed=0, index=0)
    assert x.key in targets.files


def test_a_rotated_photo_is_upright(tmp_path: Path) -> None:
    tall = over(disc(60, 140))  # stored lying, to be turned by a quarter
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(tall).save(tmp_path / "a.jpg", exif=exif, quality=95)
    h, w = ImageTargets(tmp_path).draw(np.random.default_rng(0), 500).rgba.shape[:2]
    assert h > 1.5 * w


def test_folders_of_no_use(tmp_path: Path) -> None:
    remedy = "; give pictures of one object each, with alpha or on a plain background"
    with pytest.raises(InputError) as error:
        ImageTargets(tmp_path / "none")
    assert str(error.value) == f"expected a folder of pictures; got {tmp_path / 'none'}: no such folder; check the path"
    with pytest.raises(InputError) as error:
        ImageTargets(tmp_path)
    assert str(error.value) == f"expected pictures that are usable as targets; got none in {tmp_path}{remedy}"
    Image.fromarray(np.full((40, 50, 3), 255, np.uint8)).save(tmp_path / "white.png")
    with pytest.raises(InputError) as error:
        ImageTargets(tmp_path)
    assert str(error.value) == (
        "expected pictures that are usable as targets; got 1 that are not: expected an object of at least 32 px; "
        f"got white.png: nothing; give a larger picture{remedy}"
    )


def test_a_picture_that_goes_away_is_named(tmp_path: Path) -> None:
    Image.fromarray(disc(60, 80), "RGBA").save(tmp_path / "pot.png")
    targets = ImageTargets(tmp_path)
    (tmp_path / "pot.png").unlink()
    with pytest.raises(InputError, match=r"pot\.png: no such file"):
        targets.draw(np.random.default_rng(0), 100)


def test_labels() -> None:
    assert label_of("a/b/tea pot/x.png") == "tea pot"
    assert label_of("chair-12.png") == "chair"
    assert label_of("IKEA_4000_b.png") == "IKEA 4000 b"
    assert label_of("0042.png") is None


def one(mesh: trimesh.Trimesh, key: str = "thing") -> DataObject:
    house, _ = normalise(Mesh(vertices=np.asarray(mesh.vertices, np.float32), faces=np.asarray(mesh.faces, np.int32)))
    return DataObject(key=key, mesh=house, label=key)


class Things:
    """A source of two objects."""

    name = "things"

    def __init__(self) -> None:
        self.things = {
            "crate": one(trimesh.creation.box((1.0, 0.6, 0.4)), "crate"),
            "post": one(trimesh.creation.cylinder(0.12, 1.0, sections=24), "post"),
        }

    def draw(self, rng: np.random.Generator) -> str:
        return ("crate", "post")[int(rng.integers(2))]

    def get(self, key: str) -> DataObject:
        return self.things[key]


class Magenta:
    """Renders every object in grey before magenta, with smooth edges."""

    name = "magenta"

    def render(self, world: World, cameras: Sequence[Camera]) -> list[View]:
        views = []
        for camera in cameras:
            big = RayCaster(world.meshes, world.S_world_obj).render(camera.resized(camera.width * 4, camera.height * 4))
            rgb = np.where((big.index >= 0)[..., None], 120, np.array([255, 0, 255])).astype(np.uint8)
            rgb = np.asarray(cv2.resize(rgb, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)
            exact = RayCaster(world.meshes, world.S_world_obj).render(camera)
            views.append(
                View(
                    camera=camera,
                    rgb=rgb,
                    labels=(exact.index + 1).astype(np.uint16),
                    depth=exact.depth,
                    normals_cam=exact.normals_cam,
                    amodal=exact.index[None] >= 0,
                    in_frame=np.ones(1),
                )
            )
        return views


@pytest.mark.parametrize("seed", range(4))
def test_the_outline_has_the_area_of_the_projection(seed: int) -> None:
    """The picture of a box covers the convex hull of its projected corners: alpha sums to that area."""
    crate = Things().get("crate")
    camera = tight_camera(crate, 160, TargetViews(), np.random.default_rng(seed))
    area_px = ConvexHull(project(camera.K, apply(camera.T_cam_world, crate.mesh.vertices))).volume
    assert coverage(crate.mesh, camera, 4).sum() == pytest.approx(area_px, rel=2e-3)
    assert coverage(crate.mesh, camera, 1).sum() == pytest.approx(area_px, rel=2e-2)


def test_outlines_are_those_of_a_finer_picture() -> None:
    post = Things().get("post")
    camera = tight_camera(post, 80, TargetViews(), np.random.default_rng(0))
    fine = coverage(post.mesh, camera.resized(camera.width * 4, camera.height * 4), 1)
    mean = fine.reshape(camera.height, 4, camera.width, 4).mean((1, 3))
    got = coverage(post.mesh, camera, 4)
    assert np.abs(got - mean).max() <= 2 / 16  # but for rays along an edge
    assert np.abs(got - mean).mean() < 1e-3


def test_cameras_fit_the_object() -> None:
    crate, elevations = Things().get("crate"), []
    for seed in range(20):
        camera = tight_camera(crate, 100, TargetViews(elevation_deg=(10, 30)), np.random.default_rng(seed))
        uv = project(camera.K, apply(camera.T_cam_world, crate.mesh.vertices))
        assert max(camera.width, camera.height) in (100, 101)
        assert uv.min() > 1
        assert ([camera.width, camera.height] - uv.max(0)).min() > 1
        assert max((uv.max(0) - uv.min(0)) / [camera.width, camera.height]) > 0.95
        up = camera.centre_world[1] / np.linalg.norm(camera.centre_world)
        elevations.append(np.degrees(np.arcsin(up)))
    assert min(elevations) >= 10
    assert max(elevations) <= 30
    assert np.ptp(elevations) > 10


def test_no_background_is_left_in_the_colours() -> None:
    targets = RenderedTargets(Things(), renderer=Magenta())
    for seed in range(4):
        target = targets.draw(np.random.default_rng(seed), 90)
        assert max(target.rgba.shape[:2]) in (90, 91)
        alpha = target.rgba[..., 3]
        assert (target.rgba[alpha > 0][:, :3] == 120).all()
        assert ((alpha > 0) & (alpha < 255)).sum() > 50
        assert target.label == target.key


def test_what_is_thinner_than_a_pixel_keeps_its_colour() -> None:
    rgb = np.full((5, 9, 3), 255, np.uint8)
    rgb[2] = 7
    hit = np.zeros((5, 9), bool)
    hit[2] = True
    rgba = cut_out(rgb, hit, hit.astype(np.float32))
    assert (rgba[2] == [7, 7, 7, 255]).all()
    assert (rgba[[0, 1, 3, 4], :, 3] == 0).all()
    assert not cut_out(rgb, hit & False, np.zeros((5, 9), np.float32)).any()


def test_rendered_targets_make_triplets() -> None:
    """With the renderer of the library, end to end; equal bytes again."""
    targets = RenderedTargets(Things())
    recipe = TripletRecipe(width=72, height=56, min_visible_px=10)
    x, again = (make_triplet(recipe, targets, seed=4, index=2) for _ in range(2))
    assert all(np.array_equal(getattr(x, k), getattr(again, k)) for k in vars(x))
    assert x.target.min() < 230
    assert targets.silhouette(np.random.default_rng(0)).mean() > 0.2
