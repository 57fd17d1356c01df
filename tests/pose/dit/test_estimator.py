"""The backend ``pose-dit``: from stages to poses, by a tiny model with random weights, or by one that knows."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_weights import tiny_pose_weights

from scenemaker import registry
from scenemaker.errors import ConfigError, InputError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import K_from_fov
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.dit.estimator import PoseDiTEstimator, weights_path
from scenemaker.pose.dit.from_stages import pictures_of
from scenemaker.pose.dit.placer import in_cam, placements
from scenemaker.pose.dit.types import Poses, SceneFrame
from scenemaker.scene import Instances, ObjectFailure, PointMap
from scenemaker.testing import box_mesh, make_sample

TRAIN = "train them with `scenemaker train pose -o out/pose`, then give weights=out/pose/weights/pose.safetensors"
QUICK = {"samples": 4, "steps": 2, "n_refined": 1, "resolution_px": 40}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny_pose_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="module")
def sample():
    return make_sample(3)


def estimator(weights: Path, **options) -> PoseDiTEstimator:
    return PoseDiTEstimator(PoseDiTEstimator.Config(weights=str(weights), **{**QUICK, **options}))


def run(backend, sample, *, seed=7, **changes):
    s = replace(sample, **changes)
    return backend.estimate_poses(s.photo, s.instances, s.point_map, s.views_whole, s.geometries, seed=seed)


def the_truth(sample, samples: int, right: int) -> Poses:
    """Samples of which all but one are wrong: mirrored by half a turn about the optical axis, and too far right."""
    R = np.stack([p.R_cam_obj for p in sample.poses])[:, None].repeat(samples, 1)
    t = np.stack([p.t_cam_obj for p in sample.poses])[:, None].repeat(samples, 1)
    t[:, np.arange(samples) != right, 0] += 0.5
    R[:, np.arange(samples) != right] = np.diag([-1.0, -1.0, 1.0]) @ R[:, :1]
    s = np.array([p.scale for p in sample.poses])[:, None].repeat(samples, 1)
    return Poses(R=torch.from_numpy(R), t=torch.from_numpy(t), s=torch.from_numpy(s))


@pytest.mark.parametrize("options", [{}, {"refine": False}])
def test_the_sample_that_made_the_picture_is_found(weights, sample, options, monkeypatch):
    backend = estimator(weights, **options)
    monkeypatch.setattr(backend.placer, "place", lambda *_, **__: [the_truth(sample, 4, 2)])
    for found, true in zip(run(backend, sample), sample.poses, strict=True):
        assert (found.status, found.notices) == ("ok", ())
        assert transforms.rotation_angle_deg(found.R_cam_obj, true.R_cam_obj) < 2 or found.id == 2  # a ball
        np.testing.assert_allclose(found.t_cam_obj, true.t_cam_obj, atol=0.02)
        np.testing.assert_allclose(found.size, true.size, atol=0.02)
        ranked = backend.hypotheses[found.id]
        assert ranked.chosen.sample == ranked.hypotheses[0].sample == 2
        assert sorted(h.sample for h in ranked.hypotheses) == [0, 1, 2, 3]


def test_without_search_the_first_sample_is_taken(weights, sample, monkeypatch):
    backend = estimator(weights, search=False, refine=False)
    monkeypatch.setattr(backend.placer, "place", lambda *_, **__: [the_truth(sample, 4, 2)])
    for found, true in zip(run(backend, sample), sample.poses, strict=True):
        np.testing.assert_allclose(found.t_cam_obj, true.t_cam_obj + np.array([0.5, 0, 0]))
        assert found.status == "flagged" and "its silhouette covers the mask with IoU" in found.notices[0]


def test_the_pose_is_the_chosen_sample_of_the_model(weights, sample):
    backend = estimator(weights, refine=False)
    results = run(backend, sample)
    ids = [g.id for g in sample.geometries]
    pictures, _, _ = pictures_of(
        sample.photo,
        sample.instances,
        sample.point_map,
        sample.views_whole,
        sample.geometries,
        backend.placer.model.config,
        seed=7,
    )
    (poses,) = backend.placer.place([pictures], seed=7, keys=[ids])
    for row, found in zip(placements(poses), results, strict=True):
        chosen = row[backend.hypotheses[found.id].chosen.sample]
        assert found.scale == chosen.s and (found.t_cam_obj == chosen.t).all() and (found.R_cam_obj == chosen.R).all()


def test_scene_to_cam():
    g = torch.Generator().manual_seed(0)
    frame = SceneFrame(k=torch.tensor([2.0, 0.5]), c=torch.randn(2, 3, generator=g))
    scene = torch.tensor([0, 1, 1])
    R = torch.linalg.qr(torch.randn(3, 4, 3, 3, generator=g))[0]
    poses = Poses(R=R, t=torch.randn(3, 4, 3, generator=g), s=torch.rand(3, 4, generator=g))
    p_obj = torch.randn(3, generator=g)
    p_scene = (poses.R @ (poses.s[..., None] * p_obj)[..., None])[..., 0] + poses.t
    moved = in_cam(poses, frame, scene)
    p_cam = (moved.R @ (moved.s[..., None] * p_obj)[..., None])[..., 0] + moved.t
    torch.testing.assert_close(p_cam, frame.k[scene, None, None] * p_scene + frame.c[scene, None])


def test_many_scenes_at_once_are_as_one_by_one(weights):
    placer = estimator(weights).placer
    scenes = [make_sample(n, width=w, height=h) for n, w, h in ((3, 192, 128), (1, 96, 144), (5, 240, 160))]
    pictures = [
        pictures_of(s.photo, s.instances, s.point_map, s.views_cut, s.geometries, placer.model.config, seed=0)[0]
        for s in scenes
    ]
    together = placer.place(pictures, seed=3)
    assert [tuple(p.t.shape) for p in together] == [(3, 4, 3), (1, 4, 3), (5, 4, 3)]
    for one, many in zip([placer.place([p], seed=3)[0] for p in pictures], together, strict=True):
        for name in ("R", "t", "s"):
            torch.testing.assert_close(getattr(many, name), getattr(one, name), rtol=1e-4, atol=1e-4)


def test_order_of_objects_and_seed(weights, sample):
    backend = estimator(weights, search=False, refine=False)
    first = {p.id: p for p in run(backend, sample)}
    turned = run(backend, sample, views_whole=sample.views_whole[::-1], geometries=sample.geometries[::-1])
    assert [p.id for p in turned] == [3, 2, 1]
    for p in turned:
        np.testing.assert_allclose(p.R_cam_obj, first[p.id].R_cam_obj, atol=1e-4)
        np.testing.assert_allclose(p.t_cam_obj, first[p.id].t_cam_obj, atol=1e-4)
    assert not np.allclose(run(backend, sample, seed=8)[0].R_cam_obj, first[1].R_cam_obj, atol=0.1)


def test_half_precision_stays_near(weights, sample):
    backend = estimator(weights, search=False, refine=False)
    full = run(backend, sample)
    backend.to("cpu", "bfloat16")
    for a, b in zip(run(backend, sample), full, strict=True):
        np.testing.assert_allclose(a.t_cam_obj, b.t_cam_obj, atol=0.1)
    backend.to("cpu", "float32")
    for a, b in zip(run(backend, sample), full, strict=True):
        assert (a.t_cam_obj == b.t_cam_obj).all()


def test_the_transformer_is_compiled_when_asked_for(weights, sample, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda model, **options: compiled.append((model, options)) or model)
    run(estimator(weights, refine=False), sample)
    assert compiled == []
    backend = estimator(weights, refine=False, compile=True)
    run(backend, sample)
    run(backend, sample)
    assert compiled == [(backend.placer.model.dit, {"dynamic": True})]


def test_an_object_that_comes_out_as_nan_fails_alone(weights, sample, monkeypatch):
    poses = the_truth(sample, 4, 2)
    poses.t[1] = torch.nan
    backend = estimator(weights, refine=False)
    monkeypatch.setattr(backend.placer, "place", lambda *_, **__: [poses])
    good, bad, other = run(backend, sample)
    assert isinstance(bad, ObjectFailure) and (good.status, other.status) == ("ok", "ok")
    assert bad.error == (
        "expected a pose before the camera among the samples; got 4 that are not; "
        "check the weights, or train them longer"
    )
    assert sorted(backend.hypotheses) == [1, 3]


def test_weights_of_nan_fail_every_object(tmp_path, sample):
    def spoil(model):
        torch.nn.init.constant_(model.dit.decoders["size"][-1].bias, torch.nan)

    backend = estimator(tiny_pose_weights(tmp_path / "nan.safetensors", spoil))
    assert [type(r) for r in run(backend, sample)] == [ObjectFailure] * 3


@pytest.mark.parametrize("n", [1, 40])
def test_one_object_and_forty(weights, n):
    many = make_sample(n, width=320, height=240)
    results = run(estimator(weights, refine=False, samples=1), many)
    assert [r.id for r in results] == many.ids and not any(isinstance(r, ObjectFailure) for r in results)


def test_what_is_odd_about_an_object_is_told_and_harms_no_other(weights, sample):
    points = sample.point_map.points_cam.copy()
    points[sample.instances.mask(1)] = np.nan
    three = np.flatnonzero(sample.instances.mask(2).ravel())[3:]
    points.reshape(-1, 3)[three] = np.nan
    views = [
        replace(v, points_cam=np.full_like(v.points_cam, np.nan)) if v.id in (1, 2) else v for v in sample.views_whole
    ]
    blind, few, good = run(
        estimator(weights), sample, point_map=replace(sample.point_map, points_cam=points), views_whole=views
    )
    assert blind.status == few.status == "flagged"
    assert blind.notices[0].startswith("no depth was observed")
    assert few.notices[0] == "only 3 of its points were observed"
    assert not any("observed" in n for n in good.notices)


def test_a_flat_mesh_is_flagged_and_one_without_area_fails(weights, sample):
    plate = box_mesh((1.0, 1e-6, 0.5), (9, 9, 9))
    line = Mesh(vertices=np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0, 0]]), faces=np.array([[0, 1, 2]]))
    a, b, c = sample.geometries
    flat, none, good = run(estimator(weights), sample, geometries=[replace(a, mesh=plate), replace(b, mesh=line), c])
    assert "its mesh is flat: how it lies is uncertain" in flat.notices
    assert none.error == "expected a mesh with an area; got only degenerate faces; check the file"
    assert not isinstance(good, ObjectFailure)


@pytest.mark.parametrize("K", [K_from_fov(175, 192, 128), np.array([[1e9, 0, 96], [0, 1e9, 64], [0, 0, 1.0]])])
def test_a_camera_that_cannot_be_is_told(weights, sample, K):
    wrong = replace(sample.point_map, K=K)
    views = [replace(v, K_photo=K) for v in sample.views_whole]
    results = run(estimator(weights), sample, point_map=wrong, views_whole=views)
    assert all(isinstance(r, ObjectFailure) or r.status == "flagged" for r in results)


def test_given_clouds_take_the_place_of_those_of_the_pixels(weights, sample):
    backend = estimator(weights, search=False, refine=False)
    args = (sample.photo, sample.instances, sample.point_map, sample.views_whole, sample.geometries)
    cloud = sample.point_map.points_cam[sample.instances.mask(1)] + np.float32([0.5, 0, 0])
    before = backend.estimate_poses(*args, seed=0)[0].t_cam_obj
    after = backend.estimate_poses(*args, seed=0, clouds={1: cloud})[0].t_cam_obj
    assert after[0] - before[0] == pytest.approx(0.5, abs=0.1)


def test_naming_the_backend_imports_no_torch():
    code = "import sys, scenemaker.pose.dit.estimator as e; print('torch' in sys.modules, e.PoseDiTEstimator.requires)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False ('torch', 'safetensors')\n"


def test_nothing_to_do(weights, sample):
    empty = Instances(labels=np.zeros_like(sample.instances.labels), items=())
    backend = estimator(weights)
    assert run(backend, sample, instances=empty, views_whole=[], geometries=[]) == []
    assert "placer" not in vars(backend)  # not even the weights are read


def test_weights_are_part_of_the_fingerprint(tmp_path, weights):
    other = tiny_pose_weights(tmp_path / "other.safetensors", seed=1)
    same = tmp_path / "same.safetensors"
    same.write_bytes(weights.read_bytes())
    digests = [registry.build("pose", estimator(path)).fingerprint["weights"] for path in (weights, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_weights_that_are_not_there():
    with pytest.raises(ConfigError) as error:
        weights_path("giant")
    assert str(error.value) == f"expected shipped weights pose-giant.safetensors; got none yet; {TRAIN}"
    for path in ("out/pose", "no.safetensors"):
        with pytest.raises(InputError) as error:
            PoseDiTEstimator(PoseDiTEstimator.Config(weights=path))
        assert str(error.value) == f"expected a file of PoseDiT's weights; got no file {path}; {TRAIN}"


def test_weights_that_are_cut_short(tmp_path, weights, sample):
    path = tmp_path / "short.safetensors"
    path.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match="expected a whole file"):
        run(estimator(path), sample)


def test_a_point_map_of_nothing(weights, sample):
    nothing = PointMap(points_cam=np.full_like(sample.point_map.points_cam, np.nan), K=sample.point_map.K)
    views = [replace(v, points_cam=np.full_like(v.points_cam, np.nan)) for v in sample.views_whole]
    for result in run(estimator(weights), sample, point_map=nothing, views_whole=views):
        assert isinstance(result, ObjectFailure) or result.status == "flagged"
