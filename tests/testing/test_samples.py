"""The made scenes: their parts agree with one another, by the library's geometry and by plain projection."""

from __future__ import annotations

import numpy as np
import pytest

from scenemaker.cache import digest
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import project
from scenemaker.testing import Sample, box_mesh, make_sample, sphere_mesh

SIZES = [(1, 192, 128), (3, 192, 128), (3, 128, 192), (12, 240, 160)]


@pytest.fixture(scope="module", params=SIZES, ids=str)
def sample(request: pytest.FixtureRequest) -> Sample:
    n, width, height = request.param
    return make_sample(n, width=width, height=height)


def test_meshes_are_closed_and_turned_outwards() -> None:
    assert box_mesh((1, 2, 3), (0, 0, 0)).is_closed() and sphere_mesh((1, 2, 3), (0, 0, 0)).is_closed()
    assert box_mesh((1, 2, 3), (0, 0, 0)).volume() == pytest.approx(6)
    assert sphere_mesh((1, 2, 3), (0, 0, 0), n=96).volume() == pytest.approx(np.pi, rel=5e-3)


def test_every_object_is_seen(sample: Sample) -> None:
    assert [int(i) for i in np.unique(sample.instances.labels) if i] == sample.ids
    assert all(sample.instances.mask(i).sum() > 60 for i in sample.ids)


def test_observed_points_lie_on_the_true_meshes(sample: Sample) -> None:
    for view, g, pose in zip(sample.views_cut, sample.geometries, sample.poses, strict=True):
        points = view.points_cam[view.mask_modal].astype(np.float64)
        obj = transforms.apply(transforms.invert(pose.S_cam_obj(g.mesh.extents)), points)
        assert np.abs(obj).max(0) == pytest.approx(g.mesh.extents / 2, abs=0.04)


def test_true_meshes_project_onto_their_masks(sample: Sample) -> None:
    for g, pose in zip(sample.geometries, sample.poses, strict=True):
        uv = project(sample.point_map.K, transforms.apply(pose.S_cam_obj(g.mesh.extents), g.mesh.vertices))
        rows, cols = np.flatnonzero(sample.amodal[g.id].any(1)), np.flatnonzero(sample.amodal[g.id].any(0))
        lo, hi = uv.min(0).clip(0), np.minimum(uv.max(0), [sample.photo.width, sample.photo.height])
        assert [cols[0], rows[0], cols[-1] + 1, rows[-1] + 1] == pytest.approx([*lo, *hi], abs=1.01)


def test_ground_and_gravity(sample: Sample) -> None:
    plane = sample.point_map.ground_cam
    assert plane is not None
    floor = sample.point_map.points_cam[(sample.instances.labels == 0) & sample.point_map.valid]
    assert np.abs(floor @ plane[:3] + plane[3]).max() < 1e-3
    for g, pose in zip(sample.geometries, sample.poses, strict=True):
        heights = transforms.apply(pose.S_cam_obj(g.mesh.extents), g.mesh.vertices) @ plane[:3] + plane[3]
        assert heights.min() == pytest.approx(0, abs=1e-5)


def test_scene_renders_as_the_photo() -> None:
    sample = make_sample(3)
    drawn = sample.scene.render()
    on = sample.instances.labels > 0
    assert np.abs(drawn[on].astype(int) - sample.photo.rgb[on]).max() <= 1


def test_what_is_hidden() -> None:
    tall, wide = make_sample(3, width=128, height=192), make_sample(3)
    assert wide.views_cut[2].cut_by == (2,) and wide.views_whole[2].completed
    assert tall.views_cut[0].cut_sides == ("left",)
    assert not wide.views_whole[0].completed


def test_prompts_lie_in_their_masks(sample: Sample) -> None:
    for id, (x, y), (x0, y0, x1, y1) in zip(sample.ids, sample.points_px, sample.boxes_px, strict=True):
        assert sample.instances.labels[int(y), int(x)] == id
        assert sample.instances.mask(id)[int(y0) : int(y1), int(x0) : int(x1)].sum() == sample.instances.mask(id).sum()


def test_equal_bytes() -> None:
    a, b = make_sample(2), make_sample(2)
    assert digest([a.photo, a.views_whole, a.geometries]) == digest([b.photo, b.views_whole, b.geometries])
