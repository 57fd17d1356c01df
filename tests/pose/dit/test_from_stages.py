"""Stage data of one photo as pictures, and what each kind of bad object is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scenemaker.deocclusion.views import cut_views
from scenemaker.errors import InputError, ShapeError
from scenemaker.export.folder import load_scene
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.from_stages import Notices, pictures_of
from scenemaker.pose.dit.pictures import PosePictures, make_inputs
from scenemaker.pose.dit.types import PoseInputs
from scenemaker.scene import Instance, Instances, ObjectFailure, ObjectGeometry, ObjectPose, Photo, PointMap
from scenemaker.testing.samples import Sample, make_sample

TINY = CONFIGS["tiny"]
SHARED = Path(__file__).resolve().parents[4] / "shared" / "scenes"
Got = tuple[PosePictures, Notices, dict[int, ObjectFailure]]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(4, width=160, height=100)


def _of(sample: Sample, **rest: Any) -> Got:
    pictures, notices, failures = pictures_of(
        sample.photo,
        sample.instances,
        sample.point_map,
        sample.views_cut,
        sample.geometries,
        TINY,
        **{"seed": 3, **rest},
    )
    assert pictures is not None
    return pictures, notices, failures


def _inputs(pictures: PosePictures) -> PoseInputs:
    return make_inputs(pictures, TINY, torch.Generator().manual_seed(0))


def _equal(a: PosePictures, b: PosePictures, *names: str) -> bool:
    return all(torch.equal(getattr(a, name).nan_to_num(), getattr(b, name).nan_to_num()) for name in names)


def _with_points(sample: Sample, edit: Callable[[np.ndarray, np.ndarray], None]) -> Sample:
    points = sample.point_map.points_cam.copy()
    edit(points, sample.instances.labels)
    return replace(sample, point_map=replace(sample.point_map, points_cam=points))


def _with_mesh(sample: Sample, id: int, mesh: Mesh) -> Sample:
    return replace(sample, geometries=[replace(g, mesh=mesh) if g.id == id else g for g in sample.geometries])


def test_what_a_good_photo_becomes(sample: Sample) -> None:
    pictures, notices, failures = _of(sample)
    assert (notices, failures) == ({}, {})
    assert pictures.layout.counts == (4,)
    assert torch.equal(pictures.labels[0], torch.from_numpy(sample.instances.labels.astype(np.int64)))
    np.testing.assert_array_equal(pictures.rgb[0].movedim(0, -1) * 255, sample.photo.rgb)  # type: ignore[index]
    np.testing.assert_array_equal(pictures.points_cam[0], sample.point_map.points_cam)
    np.testing.assert_allclose(pictures.up[0], np.asarray(sample.point_map.up_cam), rtol=1e-6)
    assert not pictures.other.any()  # type: ignore[union-attr]
    assert pictures.clouds_cam is None
    assert _inputs(pictures).cloud_count.min() > 16


def test_shapes_are_points_on_the_mesh_with_its_normals(sample: Sample) -> None:
    pictures, _, _ = _of(sample)
    g = sample.geometries[0]  # a box
    points, normals = pictures.geometry[0, :, :3].double().numpy(), pictures.geometry[0, :, 3:].double().numpy()
    half = g.mesh.extents / 2
    off = half - np.abs(points)
    np.testing.assert_allclose(off.min(1), 0, atol=1e-6)
    axis = off.argmin(1)
    wanted = np.eye(3)[axis] * np.sign(points[np.arange(len(points)), axis])[:, None]
    np.testing.assert_allclose(normals, wanted, atol=1e-5)
    assert torch.equal(pictures.geometry, _of(sample)[0].geometry)
    assert not torch.equal(pictures.geometry, _of(sample, seed=4)[0].geometry)


def test_ids_need_not_count_from_one_and_order_is_that_of_the_geometries(sample: Sample) -> None:
    new = {1: 900, 2: 7, 3: 65535, 4: 12}
    labels = np.zeros_like(sample.instances.labels)
    for old, id in new.items():
        labels[sample.instances.labels == old] = id
    items = tuple(Instance(id=id, name=str(id)) for id in sorted(new.values()))
    renamed = replace(
        sample,
        instances=Instances(labels=labels, items=items),
        views_cut=[replace(v, id=new[v.id]) for v in sample.views_cut],
        geometries=[replace(g, id=new[g.id]) for g in sample.geometries],
    )
    a, b = _of(sample)[0], _of(renamed)[0]
    assert _equal(a, b, "labels", "geometry", "points_cam", "other")


def test_instances_without_a_geometry_still_hide_what_is_behind_them(sample: Sample) -> None:
    some = replace(sample, views_cut=sample.views_cut[1:3], geometries=sample.geometries[1:3])
    pictures, _, _ = _of(some)
    labels = sample.instances.labels
    np.testing.assert_array_equal(pictures.labels[0], np.select([labels == 2, labels == 3], [1, 2]))
    np.testing.assert_array_equal(pictures.other[0], (labels == 1) | (labels == 4))  # type: ignore[index]
    whole = _of(sample)[0]
    assert torch.equal(pictures.geometry, whole.geometry[1:3])
    assert torch.equal(_inputs(pictures).cloud, _inputs(whole).cloud[1:3])


# ------------------------------------------------------------------------------------------------------ bad meshes


def test_a_mesh_without_area_fails_alone(sample: Sample) -> None:
    line = Mesh(vertices=np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0, 0]]), faces=np.array([[0, 1, 2]]))  # type: ignore[arg-type]
    pictures, notices, failures = _of(_with_mesh(sample, 2, line))
    assert {id: f.error for id, f in failures.items()} == {
        2: "expected a mesh with an area; got only degenerate faces; check the file"
    }
    assert notices == {}
    good = _of(sample)[0]
    keep = [0, 2, 3]
    assert torch.equal(pictures.geometry, good.geometry[keep])
    a, b = _inputs(good), _inputs(pictures)
    for name in ("cloud", "cloud_count", "crop", "picture_own"):
        assert torch.equal(getattr(a, name)[keep], getattr(b, name)), name
    assert torch.equal(a.picture[:, :3], b.picture[:, :3])


def test_nothing_is_left_when_all_meshes_fail(sample: Sample) -> None:
    line = Mesh(vertices=np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0, 0]]), faces=np.array([[0, 1, 2]]))  # type: ignore[arg-type]
    all_bad = [replace(g, mesh=line) for g in sample.geometries]
    pictures, notices, failures = pictures_of(
        sample.photo, sample.instances, sample.point_map, sample.views_cut, all_bad, TINY, seed=0
    )
    assert pictures is None
    assert notices == {}
    assert sorted(failures) == [1, 2, 3, 4]


@pytest.mark.parametrize("turned", [False, True])
def test_a_flat_mesh_works_and_is_told(sample: Sample, turned: bool) -> None:
    corners = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]])
    if turned:
        corners = corners @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    sheet = Mesh(vertices=corners.astype(np.float32), faces=np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    pictures, notices, failures = _of(_with_mesh(sample, 3, sheet))
    assert notices == {3: ("its mesh is flat: how it lies is uncertain",)}
    assert failures == {}
    good = _of(sample)[0]
    assert torch.equal(pictures.geometry[[0, 1, 3]], good.geometry[[0, 1, 3]])
    assert pictures.geometry.isfinite().all()


# ------------------------------------------------------------------------------------------------------ bad points


def test_an_object_without_depth_is_told_and_changes_no_other(sample: Sample) -> None:
    bad = _with_points(sample, lambda p, labels: p.__setitem__(labels == 2, np.nan))
    pictures, notices, failures = _of(bad)
    text = "no depth was observed; it was looked for along its pixels, at the depth of the other objects"
    assert notices == {2: (text,)}
    assert failures == {}
    a, b, keep = _inputs(_of(sample)[0]), _inputs(pictures), [0, 2, 3]
    for name in ("cloud", "cloud_count", "picture_own"):
        assert torch.equal(getattr(a, name)[keep], getattr(b, name)[keep]), name
    assert b.evidence[:, 8].tolist() == [0, 1, 0, 0]
    assert ((a.frame.c - b.frame.c).norm(dim=-1) < a.frame.k).all()
    assert 0.5 < (a.frame.k / b.frame.k).item() < 2


def test_three_points_are_told(sample: Sample) -> None:
    def edit(points: np.ndarray, labels: np.ndarray) -> None:
        v, u = np.nonzero(labels == 4)
        points[v[3:], u[3:]] = np.inf
        points[v[0], u[0], 2] = -1

    pictures, notices, _ = _of(_with_points(sample, edit))
    assert notices == {4: ("only 2 of its points were observed",)}
    assert _inputs(pictures).cloud_count.tolist()[3] == 2


def test_an_empty_mask_is_told(sample: Sample) -> None:
    labels = np.where(sample.instances.labels == 1, 0, sample.instances.labels)
    pictures, notices, failures = _of(replace(sample, instances=replace(sample.instances, labels=labels)))
    where = "the middle of the picture, for its mask is empty, at the depth of the other objects"
    assert notices == {1: (f"no depth was observed; it was looked for along {where}",)}
    assert failures == {}
    assert pictures.layout.counts == (4,)


def test_an_object_of_wild_depth_is_told(sample: Sample) -> None:
    bad = _with_points(sample, lambda p, labels: p.__setitem__(labels == 3, p[labels == 3] * 300))
    _, notices, _ = _of(bad)
    assert notices == {3: ("its observed points lie far from all other objects: its depth may be wrong",)}


@pytest.mark.parametrize(
    ("K", "wrong"),
    [
        (np.diag([np.nan, 1, 1]), "they are no camera"),
        (np.diag([0.0, 100, 1]), "they are no camera"),
        (np.diag([-100.0, 100, 1]), "they are no camera"),
        ([[1.0, 0, 80], [0, 1, 50], [0, 0, 1]], "they see 179 degrees"),
        ([[1e6, 0, 80], [0, 1e6, 50], [0, 0, 1]], "they see 0.00917 degrees"),
        ([[150.0, 0, 1e9], [0, 150, 50], [0, 0, 1]], "their principal point (1e+09, 50) is outside of the picture"),
    ],
)
def test_wildly_wrong_intrinsics_are_told_for_all_and_change_no_observed_object(
    sample: Sample, K: Any, wrong: str
) -> None:
    def blind(points: np.ndarray, labels: np.ndarray) -> None:
        points[labels == 2] = np.nan

    calm = _with_points(sample, blind)
    bad = replace(calm, point_map=replace(calm.point_map, K=np.asarray(K, np.float64)))
    pictures, notices, failures = _of(bad)
    text = f"the intrinsics K cannot be right, {wrong}: a field of view of 60 degrees was assumed"
    assert {id: n[-1] for id, n in notices.items()} == dict.fromkeys([1, 2, 3, 4], text)
    assert failures == {}
    a, b, keep = _inputs(_of(calm)[0]), _inputs(pictures), [0, 2, 3]
    for name in ("cloud", "crop", "centre", "radius", "evidence", "picture_own"):
        assert torch.equal(getattr(a, name)[keep], getattr(b, name)[keep]), name
    assert b.evidence.isfinite().all()


@pytest.mark.parametrize("up", [None, np.zeros(3), np.array([np.nan, 0, 1]), np.array([np.inf, 0, 1])])
def test_without_gravity_up_is_zero(sample: Sample, up: Any) -> None:
    pictures, _, _ = _of(replace(sample, point_map=replace(sample.point_map, up_cam=up)))
    assert pictures.up.tolist() == [[0, 0, 0]]


# -------------------------------------------------------------------------------------------------- clouds, checks


def test_clouds_of_some_objects_serve_those_alone(sample: Sample) -> None:
    cloud = np.random.default_rng(0).normal([0, 0, 5], size=(700, 3))
    cloud[::7] = np.nan
    pictures, notices, failures = _of(sample, clouds={2: cloud, 3: np.full((9, 3), np.nan), 4: np.zeros(3)})
    assert notices == {3: ("the points given for it are not valid: those of its pixels were used",)}
    assert {id: f.error for id, f in failures.items()} == {
        4: "expected a cloud (n, 3); got (3,); give one row per point"
    }
    assert pictures.layout.counts == (3,)
    given = pictures.clouds_cam
    assert given is not None
    np.testing.assert_array_equal(given[1], cloud[np.isfinite(cloud).all(1)].astype(np.float32))
    a, b = _inputs(_of(sample)[0]), _inputs(pictures)
    assert torch.equal(a.cloud[[0, 2]], b.cloud[[0, 2]])
    np.testing.assert_allclose((b.centre * b.frame.k + b.frame.c)[1], [0, 0, 5], atol=0.5)


def test_data_that_does_not_belong_together_is_told(sample: Sample) -> None:
    with pytest.raises(ShapeError) as error:
        _of(replace(sample, photo=replace(sample.photo, rgb=sample.photo.rgb[:, :-1])))
    assert str(error.value) == "expected labels of (100, 159); got (100, 160); give all maps the size of the photo"
    with pytest.raises(InputError) as error:
        _of(replace(sample, views_cut=sample.views_cut[::-1]))
    assert str(error.value) == (
        "expected views of the objects [1, 2, 3, 4]; got views of [4, 3, 2, 1]; give both in equal order"
    )
    with pytest.raises(InputError) as error:
        _of(sample, clouds={9: np.zeros((4, 3))})
    assert str(error.value) == "expected clouds of the objects [1, 2, 3, 4]; got also of [9]; leave them out"


# ------------------------------------------------------------------------------------------------- poses in reach


def _reach(pictures: PosePictures, poses: Sequence[ObjectPose]) -> tuple[np.ndarray, np.ndarray]:
    """Translation in radii from the cloud's centre (N,) and log of size over radius (N,) of true poses."""
    inputs = _inputs(pictures)
    centre = (inputs.centre * inputs.frame.k[:, None] + inputs.frame.c).double().numpy()
    radius = (inputs.radius * inputs.frame.k).double().numpy()
    t, s = np.stack([p.t_cam_obj for p in poses]), np.array([p.scale for p in poses], np.float64)
    return np.linalg.norm(t - centre, axis=1) / radius, np.log(s / radius)


def test_true_poses_lie_near_their_clouds(sample: Sample) -> None:
    distance, log_size = _reach(_of(sample)[0], sample.poses)
    assert distance.max() < 2
    assert np.abs(log_size).max() < 1.5


def test_true_poses_of_whole_scene_folders_lie_near_their_clouds(tmp_path: Path) -> None:
    """Of the scenes that stand beside the repository, where they do, and of one of our own."""
    make_sample(7, width=150, height=110).scene.save(tmp_path / "own")
    for folder in (tmp_path / "own", *sorted(p.parent for p in SHARED.glob("*/scene.json"))[:5]):
        scene = load_scene(folder)
        objects = [o for o in scene.objects.values() if (scene.labels == o.id).sum() >= 200]
        photo = Photo(rgb=scene.rgb)
        items = tuple(Instance(id=id, name=o.name) for id, o in scene.objects.items())
        instances = Instances(labels=scene.labels.astype(np.uint16), items=items)
        point_map = PointMap.from_depth(scene.depth, scene.camera.K)
        views = [v for v in cut_views(photo, instances, point_map) if v.id in [o.id for o in objects]]
        shapes = [ObjectGeometry(id=o.id, mesh=o.mesh) for o in objects if o.mesh is not None]
        pictures, notices, failures = pictures_of(photo, instances, point_map, views, shapes, TINY, seed=0)
        assert pictures is not None
        assert set(notices) | set(failures) == set()
        distance, log_size = _reach(pictures, [o.pose for o in objects if o.pose is not None])
        assert distance.max() < 4
        assert np.abs(log_size).max() < 2
