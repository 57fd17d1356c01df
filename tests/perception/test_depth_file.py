"""The user's own depth in every form: same geometry, exact errors, and a ground plane that is where it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scenemaker.errors import BackendNotInstalledError, FrameError, InputError, ShapeError
from scenemaker.geometry.cameras import K_from_fov, pixel_rays, project, unproject
from scenemaker.perception.depth_file import DepthFile
from scenemaker.perception.depth_readers import exr_depth_channel
from scenemaker.scene import DepthPrompt, Instance, Instances, Photo, PointMap

W, H = 120, 80
K = np.array([[100.0, 0, 62], [0, 101, 38], [0, 0, 1]])
UP = np.array([0, -np.cos(0.5), -np.sin(0.5)])  # the camera looks down by 0.5 rad
HEIGHT = 1.25


def room() -> np.ndarray[Any, Any]:
    """(H, W) z of a floor 1.25 below the camera and a wall; a box as object 1 stands on the floor."""
    rays = pixel_rays(K, H, W)
    floor = -HEIGHT / (rays @ UP)
    forward = np.array([0, -np.sin(0.5), np.cos(0.5)])
    wall = 4.0 / (rays @ forward)
    return np.minimum(np.where(floor > 0, floor, np.inf), wall)


DEPTH = room()
LABELS = np.zeros((H, W), np.uint16)
LABELS[45:60, 50:70] = 1
DEPTH[LABELS == 1] *= 0.8


def photo(**more: Any) -> Photo:
    return Photo(rgb=np.zeros((H, W, 3), np.uint8), **more)


INSTANCES = Instances(labels=LABELS, items=(Instance(id=1, name="box"),))


def estimate(prompt: DepthPrompt, the_photo: Photo | None = None, **options: Any) -> PointMap:
    return DepthFile(DepthFile.Config(**options)).estimate(the_photo or photo(), INSTANCES, prompt)


def test_every_form_of_depth_gives_the_same_points(tmp_path: Path) -> None:
    import OpenEXR

    z = DEPTH.astype(np.float32)
    cv2.imwrite(str(tmp_path / "mm.png"), np.round(DEPTH * 1000).astype(np.uint16))
    cv2.imwrite(str(tmp_path / "m.tiff"), z)
    np.save(tmp_path / "z.npy", z)
    np.save(tmp_path / "z1.npy", z[None])
    np.save(tmp_path / "points.npy", unproject(K, DEPTH))
    np.savez(tmp_path / "z.npz", depth=z)
    np.savez(tmp_path / "points.npz", points=unproject(K, DEPTH), intrinsics=np.diag([1 / W, 1 / H, 1]) @ K)
    OpenEXR.File({}, {"Z": z}).write(str(tmp_path / "z.exr"))
    sources: list[Any] = [*sorted(tmp_path.iterdir()), DEPTH, z[..., None], np.round(DEPTH * 1000).astype(np.int32)]
    assert len(sources) == 11
    for source in sources:
        got = estimate(DepthPrompt(depth=source, K=K))
        assert got.points_cam.dtype == np.float32
        assert np.allclose(got.points_cam, unproject(K, DEPTH), atol=2e-3), source
        assert np.array_equal(got.K, K)
        assert got.scale_kind == "metric"


def test_points_are_kept_and_tell_K() -> None:
    points = unproject(K, DEPTH)
    points[:9, :9] = np.nan
    points[9, 9] = np.inf
    points[10, 10, 2] *= -1
    got = estimate(DepthPrompt(points_cam=points, scale_kind="relative"))
    assert np.allclose(got.K, K, atol=1e-3)
    assert got.scale_kind == "relative"
    assert np.array_equal(got.valid, np.isfinite(points).all(-1) & (points[..., 2] > 0))
    assert np.isnan(got.points_cam[~got.valid]).all()
    assert np.allclose(got.points_cam[got.valid], points[got.valid])
    assert got.notices[0] == f"K was found from the given points (fx = {got.K[0, 0]:.1f} px)"
    rng = np.random.default_rng(0)
    wrong = points + (rng.random((H, W, 1)) < 0.2) * rng.normal(0, 0.5, (H, W, 3))  # a fifth is elsewhere
    assert np.allclose(estimate(DepthPrompt(points_cam=wrong)).K, K, rtol=0.01)


def test_K_by_precedence(tmp_path: Path) -> None:
    path = tmp_path / "z.npz"
    np.savez(path, depth=DEPTH, K=K)
    theirs, exif = K_from_fov(70, W, H), K_from_fov(50, W, H)
    assert np.array_equal(estimate(DepthPrompt(depth=path, K=theirs), photo(K=exif)).K, theirs)
    assert np.array_equal(estimate(DepthPrompt(depth=path), photo(K=exif)).K, exif)
    assert np.array_equal(estimate(DepthPrompt(depth=path)).K, K)
    assumed = estimate(DepthPrompt(depth=DEPTH), fov_x_deg=75)
    assert np.array_equal(assumed.K, K_from_fov(75, W, H))
    assert assumed.notices[0] == (
        "no K was given: a horizontal field of view of 75 degrees is assumed (option fov_x_deg)"
    )
    points = unproject(K, DEPTH)
    got = estimate(DepthPrompt(points_cam=points), photo(K=exif))
    assert np.allclose(got.K, K, atol=1e-3)
    assert got.notices[0].endswith("px), not from the photo's EXIF, which does not fit them")
    assert np.array_equal(estimate(DepthPrompt(points_cam=points), photo(K=K)).K, K)


def test_units_kind_and_scale() -> None:
    tenths = np.round(DEPTH * 10000).astype(np.uint16)
    got = estimate(DepthPrompt(depth=tenths, K=K), depth_unit_m=0.0001)
    assert np.allclose(got.depth, DEPTH, atol=1e-4)
    assert got.notices == ("depth read as integers of 0.0001 m (option depth_unit_m)",)
    distance = DEPTH * np.linalg.norm(pixel_rays(K, H, W), axis=-1)
    assert np.allclose(estimate(DepthPrompt(depth=distance, K=K), kind="distance").depth, DEPTH)
    assert estimate(DepthPrompt(depth=DEPTH, K=K), scale_kind="relative").scale_kind == "relative"


def test_another_size_of_the_same_aspect_is_resized_with_its_K(tmp_path: Path) -> None:
    path = tmp_path / "z.npz"
    np.savez(path, depth=np.repeat(np.repeat(DEPTH, 2, 0), 2, 1), K=np.diag([2, 2, 1]) @ K)
    got = estimate(DepthPrompt(depth=path))
    assert np.allclose(got.depth, DEPTH)
    assert np.allclose(got.K, K)
    assert got.notices == ("depth resized from 240x160 to 120x80 (nearest neighbour)",)
    near = estimate(DepthPrompt(depth=np.ones((41, 60)) * np.float32(2), K=K), find_ground=False)
    assert near.depth.shape == (H, W)
    assert near.notices == ("depth resized from 60x41 to 120x80 (nearest neighbour)",)


def test_invalid_values_become_nan() -> None:
    z = DEPTH.copy()
    z[0, :5] = [np.nan, np.inf, 0, -1, -np.inf]
    got = estimate(DepthPrompt(depth=z, K=K))
    assert got.valid.sum() == W * H - 5
    assert not got.valid[0, :5].any()
    hole = DEPTH.copy()
    hole[LABELS == 1] = 0  # an object without depth is for the later stages to tell
    assert not estimate(DepthPrompt(depth=hole, K=K)).valid[LABELS == 1].any()


def test_ground_is_found_behind_a_wall_and_an_object() -> None:
    got = estimate(DepthPrompt(depth=DEPTH, K=K))
    assert got.up_cam is not None
    assert got.ground_cam is not None
    assert np.degrees(np.arccos(min(1.0, float(got.up_cam @ UP)))) < 0.01
    assert got.ground_cam[3] == pytest.approx(HEIGHT, rel=1e-4)
    assert np.array_equal(got.ground_cam[:3], got.up_cam)
    assert got.notices == ()
    off = estimate(DepthPrompt(depth=DEPTH, K=K), find_ground=False)
    assert off.up_cam is None
    assert off.notices == ()
    blob = np.random.default_rng(0).uniform(1, 4, (H, W))
    none = estimate(DepthPrompt(depth=blob, K=K))
    assert none.up_cam is None
    assert none.ground_cam is None
    assert none.notices == ("no ground plane was found in the depth: which way is up is not known",)


def test_equal_input_gives_equal_bytes() -> None:
    a, b = (estimate(DepthPrompt(depth=DEPTH, K=K)) for _ in range(2))
    assert a.points_cam.tobytes() == b.points_cam.tobytes()
    assert a.ground_cam is not None
    assert b.ground_cam is not None
    assert a.ground_cam.tobytes() == b.ground_cam.tobytes()


def message(prompt: DepthPrompt, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        estimate(prompt)
    return str(caught.value)


def test_bad_depth(tmp_path: Path) -> None:
    assert message(DepthPrompt()) == (
        "expected a depth map for the backend file; got none; give depth= or --depth, or choose another depth backend"
    )
    assert message(DepthPrompt(depth=DEPTH[:, :100], K=K), ShapeError) == (
        "expected depth of the photo's size 120x80, or of the same aspect; got 100x80; "
        "give depth of this very photo (same crop, same rotation)"
    )
    assert message(DepthPrompt(depth=DEPTH.T, K=K), ShapeError) == (
        "expected depth of the photo's size 120x80, or of the same aspect; got 80x120; "
        "give depth of this very photo (same crop, same rotation)"
    )
    for value in (np.nan, 0.0, -1.0, np.inf):
        assert message(DepthPrompt(depth=np.full((H, W), value), K=K)) == (
            "expected depth with positive, finite values; got none in the whole map; check its unit and file"
        )
    assert message(DepthPrompt(points_cam=np.full((H, W, 3), np.nan))) == (
        "expected depth with positive, finite values; got none in the whole map; check its unit and file"
    )
    assert message(DepthPrompt(depth=np.ones((H, W), np.uint8), K=K)) == (
        "expected 16-bit or floating-point depth; got 8 bit (uint8) depth in the given depth; "
        "save z as 16-bit PNG or NPY"
    )
    assert message(DepthPrompt(depth=np.ones((H, W, 4)), K=K), ShapeError) == (
        "expected depth of the given depth as (H, W); got shape (80, 120, 4); give z per pixel"
    )
    assert message(DepthPrompt(depth=DEPTH, K=np.zeros((3, 3))), FrameError).startswith(
        "expected invertible intrinsics K; got [[0.0, 0.0, 0.0]"
    )


def test_bad_depth_files(tmp_path: Path) -> None:
    gone, eight, cut, odd, keys = (tmp_path / n for n in ("a.npy", "8.png", "cut.npy", "z.pfm", "k.npz"))
    cv2.imwrite(str(eight), np.full((H, W), 7, np.uint8))
    np.save(cut, DEPTH)
    cut.write_bytes(cut.read_bytes()[:5000])
    odd.write_bytes(b"Pf")
    np.savez(keys, image=DEPTH)
    assert message(DepthPrompt(depth=gone)) == f"expected a depth file; got {gone}: no such file; check the path"
    assert message(DepthPrompt(depth=tmp_path)) == f"expected a depth file; got {tmp_path}: a folder; check the path"
    assert message(DepthPrompt(depth=eight)) == (
        f"expected depth of 16 bits per pixel; got {eight}: 8 bits (mode L); "
        "save z as 16-bit grey PNG in millimetres, or as NPY"
    )
    assert message(DepthPrompt(depth=cut)).startswith(f"expected a whole depth file; got {cut}: ")
    assert message(DepthPrompt(depth=odd)) == (
        f"expected a depth file of .png, .tif, .tiff, .npy, .npz, .exr; got {odd}; save it as one of these"
    )
    assert message(DepthPrompt(depth=keys)) == (
        "expected one of the keys depth, depth_metric, z, arr_0, points_cam, points, pointmap, point_map, xyz; "
        f"got {keys} with keys image; save it under one of them"
    )
    pickled = tmp_path / "p.npy"
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    assert message(DepthPrompt(depth=pickled)).startswith(f"expected a whole depth file; got {pickled}: Object arrays")


def test_exr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import OpenEXR

    z = DEPTH.astype(np.float32)
    far = z.copy()
    far[0, 0] = 1e10  # what Blender writes where there is nothing
    path = tmp_path / "z.exr"
    other = np.zeros((H, W), np.float32)
    OpenEXR.File({}, {"View.Depth.Z": far, "View.Normal.Z": other, "View.Combined.R": other}).write(str(path))
    got = estimate(DepthPrompt(depth=path, K=K))
    assert not got.valid[0, 0]
    assert np.allclose(got.depth[1:], z[1:])
    window = {"dataWindow": (np.array([3, 2], np.int32), np.array([W - 1, H - 1], np.int32))}
    window["displayWindow"] = (np.array([0, 0], np.int32), np.array([W - 1, H - 1], np.int32))
    OpenEXR.File(window, {"Z": np.ascontiguousarray(z[2:, 3:])}).write(str(path))
    got = estimate(DepthPrompt(depth=path, K=K))
    assert not got.valid[:2].any()
    assert not got.valid[:, :3].any()
    assert np.allclose(got.depth[2:, 3:], z[2:, 3:])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert message(DepthPrompt(depth=path)).startswith(f"expected a whole depth file; got {path}: ")
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    assert message(DepthPrompt(depth=path), BackendNotInstalledError) == (
        f"expected the reader of EXR files; got {path} without it; "
        'type: pip install "scenemaker[exr]", or save it as NPY'
    )


def test_exr_channels() -> None:
    assert exr_depth_channel(["R", "G", "B"]) == "R"
    assert exr_depth_channel(["V"]) == "V"
    assert exr_depth_channel(["A.Normal.X", "A.Normal.Z"]) is None
    assert exr_depth_channel(["Z", "depth"]) == "Z"


def test_points_that_no_camera_sees() -> None:
    points = unproject(K, DEPTH)
    gl = points * [1, -1, 1]
    assert message(DepthPrompt(points_cam=gl), FrameError).startswith(
        "expected a point map of a pinhole camera; got focal lengths 100 and -101 px: an axis is turned round; "
    )
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(points.reshape(-1, 3)).reshape(points.shape)
    assert "expected a point map of a pinhole camera" in message(DepthPrompt(points_cam=shuffled), FrameError)
    with pytest.raises(FrameError) as caught:
        estimate(DepthPrompt(points_cam=points, K=K_from_fov(30, W, H)))
    off = np.median(np.linalg.norm(project(K_from_fov(30, W, H), points) - project(K, points), axis=-1))
    assert str(caught.value) == (
        f"expected points that project onto their pixels by the given K; got a median of {off:.1f} px off them; "
        "leave K out, or give the K that the points were made with"
    )


def test_shared_scenes_have_their_ground_within_half_a_degree() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "scenes"
    for scene in sorted(folder.glob("??")) if folder.is_dir() else []:
        truth = json.loads((scene / "scene.json").read_text())
        labels = cv2.imread(str(scene / "labels.png"), cv2.IMREAD_UNCHANGED).astype(np.uint16)
        instances = Instances(labels=labels, items=())
        the_photo = Photo(rgb=np.zeros((*labels.shape, 3), np.uint8))
        prompt = DepthPrompt(depth=scene / "depth.npy", K=np.array(truth["K"]))
        got = DepthFile().estimate(the_photo, instances, prompt)
        assert got.up_cam is not None, scene.name
        assert got.ground_cam is not None
        angle = np.degrees(np.arccos(min(1.0, float(got.up_cam @ truth["up_cam"]))))
        assert angle < 0.5, scene.name
        height = np.linalg.inv(truth["T_cam_world"])[1, 3]
        assert got.ground_cam[3] == pytest.approx(height, rel=0.01), scene.name
