"""The backend on toy weights, through its real loading path."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from released_tiny import config_tree, vecset_tree, write_checkpoint

from scenemaker import registry
from scenemaker.errors import InputError, ShapeError
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.released.estimator import ReleasedPoseEstimator
from scenemaker.scene import ObjectFailure, ObjectPose
from scenemaker.testing import Subject, checks, make_sample


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("released"))


def backend(weights: Path, **options: Any) -> ReleasedPoseEstimator:
    return ReleasedPoseEstimator(ReleasedPoseEstimator.Config(weights=weights, **options))


def poses(estimator: ReleasedPoseEstimator, sample: Any, seed: int = 0, order: list[int] | None = None) -> list[Any]:
    order = list(range(len(sample.geometries))) if order is None else order
    views, geometries = ([x[i] for i in order] for x in (sample.views_whole, sample.geometries))
    return estimator.estimate_poses(sample.photo, sample.instances, sample.point_map, views, geometries, seed=seed)


def test_poses_and_determinism(weights: Path) -> None:
    sample, estimator = make_sample(3), backend(weights)
    first, again, other = (poses(estimator, sample, seed) for seed in (0, 0, 1))
    fresh = poses(backend(weights), sample)
    assert [p.id for p in first] == [1, 2, 3]
    for a, b, c, d in zip(first, again, fresh, other, strict=True):
        assert isinstance(a, ObjectPose) and a.scale is not None
        assert np.array_equal(a.R_cam_obj, b.R_cam_obj) and np.array_equal(a.t_cam_obj, c.t_cam_obj)
        assert not np.allclose(a.R_cam_obj, d.R_cam_obj)
    extents = sample.geometries[0].mesh.extents
    np.testing.assert_allclose(first[0].size, first[0].scale * extents)


def test_order_matters(weights: Path) -> None:
    sample, estimator = make_sample(3), backend(weights)
    forward, backward = poses(estimator, sample), poses(estimator, sample, order=[2, 1, 0])[::-1]
    assert [p.id for p in backward] == [1, 2, 3]
    assert max(np.abs(a.R_cam_obj - b.R_cam_obj).max() for a, b in zip(forward, backward)) > 1e-3


def test_noise_is_drawn_by_id(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scenemaker.pose.dit import sampler

    keys, before = [], sampler.noise_for
    monkeypatch.setattr(
        sampler, "noise_for", lambda seed, ids, n: (keys.append((seed, list(ids))), before(seed, ids, n))[1]
    )
    poses(backend(weights, steps=1), make_sample(3), seed=4, order=[2, 0])
    assert keys == [(4, [3, 1])]


def test_conformance_of_what_random_weights_can_do(weights: Path) -> None:
    subject = Subject("pose", backend(weights, steps=1, guidance_scale=1.0))
    by_name = {check.name: check for check in checks("pose")}
    for name in ("one_per_object", "many_objects", "no_objects", "bad_object_alone"):
        by_name[name](subject)


def test_one_bad_object_among_others(weights: Path) -> None:
    sample = make_sample(3)
    points = sample.point_map.points_cam.copy()
    points[sample.instances.mask(2)] = np.nan
    found = poses(backend(weights), replace(sample, point_map=replace(sample.point_map, points_cam=points)))
    remedy = "give its mask and depth, or use pose-dit"
    assert isinstance(found[0], ObjectPose) and isinstance(found[2], ObjectPose)
    assert isinstance(found[1], ObjectFailure) and found[1].id == 2
    assert found[1].error == f"expected pixels with known depth; got none; {remedy}"
    flat = Mesh(vertices=np.zeros((3, 3), np.float32), faces=np.array([[0, 1, 2]], np.int32))
    geometries = [replace(sample.geometries[0], mesh=flat), *sample.geometries[1:]]
    found = poses(backend(weights), replace(sample, geometries=geometries))
    assert found[0].error == "expected a mesh with an area; got only degenerate faces; check the file"
    assert isinstance(found[1], ObjectPose)


def test_all_objects_bad_or_none(weights: Path) -> None:
    sample = make_sample(2)
    nothing = replace(sample.point_map, points_cam=np.full_like(sample.point_map.points_cam, np.nan))
    found = poses(backend(weights), replace(sample, point_map=nothing))
    assert all(isinstance(p, ObjectFailure) for p in found) and len(found) == 2
    assert poses(backend(weights), sample, order=[]) == []


def test_place_of_a_bad_object_counts(weights: Path) -> None:
    """As in the reference, where it is masked: dropping it beforehand is another input."""
    sample = make_sample(3)
    points = sample.point_map.points_cam.copy()
    points[sample.instances.mask(1)] = np.nan
    sample = replace(sample, point_map=replace(sample.point_map, points_cam=points))
    estimator = backend(weights)
    among, without = poses(estimator, sample), poses(estimator, sample, order=[1, 2])
    # places 1, 2 against 0, 1: rotary scores know differences alone
    np.testing.assert_allclose(among[1].t_cam_obj, without[0].t_cam_obj, atol=1e-4)
    points[sample.instances.mask(1)] = make_sample(3).point_map.points_cam[sample.instances.mask(1)]
    points[sample.instances.mask(2)] = np.nan
    sample = replace(sample, point_map=replace(sample.point_map, points_cam=points))
    among, without = poses(estimator, sample), poses(estimator, sample, order=[0, 2])
    assert np.abs(among[2].t_cam_obj - without[1].t_cam_obj).max() > 1e-4


def test_doubts_are_told(tmp_path: Path, weights: Path) -> None:
    many = poses(backend(weights, steps=1), make_sample(5, width=240, height=160))
    text = "the weights were trained on at most 3 objects; this scene has 5, all placed together"
    assert all(text in p.notices for p in many)
    sample = make_sample(2)
    assert not any(text in p.notices for p in poses(backend(weights, steps=1), sample))
    folder = write_checkpoint(tmp_path, config_tree(data__min_pcd=900, system__denoiser_model__num_pcd_latents=900))
    seen = np.argwhere(sample.instances.mask(1))
    v, u = seen[len(seen) // 2]
    labels = np.where(sample.instances.labels == 1, 0, sample.instances.labels)
    labels[v - 3 : v + 3, u - 3 : u + 3] = 1  # 6 x 6 pixels, 24 x 24 at working size
    few = replace(sample, instances=replace(sample.instances, labels=labels))
    found = poses(backend(folder, steps=1, flag_iou=0), few)
    assert (found[0].status, found[1].status) == ("flagged", "ok")
    _, count, text = found[0].notices[0].split(" ", 2)
    assert 300 < int(count) < 600 and text == "of its points are known; the release drops objects up to 900"


def test_poses_that_miss_the_mask_are_flagged(weights: Path) -> None:
    """Random weights put objects anywhere: the ray caster sees it."""
    found = poses(backend(weights, steps=1), make_sample(2))
    assert all(p.status == "flagged" for p in found)
    assert all(any(n.startswith("its silhouette covers the mask with IoU 0.") for n in p.notices) for p in found)


def test_levelled_weights(tmp_path: Path) -> None:
    sample = make_sample(2)
    folder = write_checkpoint(tmp_path, config_tree(data__only_use_pitch=True))
    as_config, camera = (poses(backend(folder, frame=f), sample)[0] for f in ("config", "camera"))
    turn = as_config.R_cam_obj @ camera.R_cam_obj.T  # back from gravity to the camera: a turn about x
    angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    assert abs(angle - 22.0) < 1e-3  # the sample's camera looks down by so much
    unknown = replace(sample, point_map=replace(sample.point_map, up_cam=None))
    text = "its rotation is levelled with gravity, whose direction is not known here"
    found = poses(backend(folder), unknown)[0]
    assert found.status == "flagged" and text in found.notices
    np.testing.assert_allclose(found.R_cam_obj, camera.R_cam_obj, atol=1e-6)


def test_options(weights: Path) -> None:
    sample = make_sample(2)
    base = poses(backend(weights), sample)[0]
    same = poses(backend(weights, steps=4, guidance_scale=3.0), sample)[0]  # those of config.yaml
    assert np.array_equal(base.t_cam_obj, same.t_cam_obj)
    for options in ({"steps": 3}, {"guidance_scale": 1.0}):
        assert not np.allclose(base.t_cam_obj, poses(backend(weights, **options), sample)[0].t_cam_obj)
    uncached = poses(backend(weights, cache=False), sample)[0]
    np.testing.assert_allclose(uncached.t_cam_obj, base.t_cam_obj, atol=1e-4)
    with pytest.raises(ValidationError, match="weights\n  Field required"):
        ReleasedPoseEstimator.Config()  # type: ignore[call-arg]


def test_the_other_point_encoder_and_half_precision(tmp_path: Path) -> None:
    estimator = backend(write_checkpoint(tmp_path, vecset_tree(), "bin"), steps=1)
    full = poses(estimator, make_sample(2))[0]
    estimator.to("cpu", "bfloat16")
    half = poses(estimator, make_sample(2))[0]
    assert np.abs(full.t_cam_obj - half.t_cam_obj).max() < 0.2
    assert not np.array_equal(full.t_cam_obj, half.t_cam_obj)


def test_weights_that_make_no_number(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_checkpoint(tmp_path)
    state = load_file(folder / "model.safetensors")
    state["pose_model.out_proj_size.2.bias"] += float("nan")
    save_file(state, folder / "model.safetensors")
    found = poses(backend(folder, steps=1), make_sample(2))[0]
    remedy = "use float32, or another checkpoint"
    assert isinstance(found, ObjectFailure)
    assert found.error == f"expected a finite pose; got NaN or infinity; {remedy}"


def test_sizes_that_do_not_fit(weights: Path) -> None:
    sample = make_sample(2)
    point_map = replace(sample.point_map, points_cam=sample.point_map.points_cam[:-1])
    with pytest.raises(ShapeError, match=r"^expected points of \(128, 192\); got \(127, 192\); give the photo's size$"):
        poses(backend(weights), replace(sample, point_map=point_map))


def test_fingerprint_and_missing_files(weights: Path, tmp_path: Path) -> None:
    first, other = (
        registry.build("pose", backend(folder)).fingerprint
        for folder in (weights, write_checkpoint(tmp_path / "b", seed=1))
    )
    assert first is not None and other is not None
    assert len(first["weights"]) == 16 and first["weights"] != other["weights"]
    with pytest.raises(
        InputError, match=r"^expected config.yaml and model.safetensors, model.bin or model.ckpt; got no"
    ):
        registry.build("pose", backend(tmp_path / "no"))


def test_naming_the_backend_loads_no_torch() -> None:
    code = "import sys, scenemaker.pose.released.estimator as e; assert 'torch' not in sys.modules, 'torch'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
