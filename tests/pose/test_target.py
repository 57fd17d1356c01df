"""The score of a pose, on pixels counted by hand."""

import numpy as np
import pytest

from scenemaker.geometry.cameras import K_from_fov, project
from scenemaker.pose.target import Target, compare, make_target
from scenemaker.scene import Instance, Instances, ObjectView, PointMap

NONE = float("nan")
LIMIT = 0.1  # of an extent of 1


def target(wanted: str, free: str, z: list[float], z_front: list[float]) -> Target:
    n = len(z)
    return Target(
        rays_cam=np.tile(np.array([0, 0, 1], np.float32), (n, 1)),
        wanted=np.array([c == "1" for c in wanted]),
        free=np.array([c == "1" for c in free]),
        z=np.array(z, np.float32),
        z_front=np.array(z_front, np.float32),
        z_median=2.0,
        extent=1.0,
        up_cam=None,
        ground_cam=None,
    )


def drawn(*z: float) -> np.ndarray:
    return np.array(z, np.float32)


def test_a_perfect_pose_scores_one():
    t = target("1100", "0011", [2, 2, NONE, NONE], [NONE] * 4)
    found = compare(t, drawn(2, 2, NONE, NONE))
    assert (found.iou, found.depth_error, found.in_front, found.z_ratio, found.score) == (1, 0, 0, 1, 1)


def test_pixels_drawn_on_free_ground_count_against_it():
    t = target("1100", "0011", [2, 2, NONE, NONE], [NONE] * 4)
    assert compare(t, drawn(2, 2, 2, NONE)).iou == pytest.approx(2 / 3)
    assert compare(t, drawn(2, NONE, NONE, NONE)).iou == pytest.approx(1 / 2)
    assert compare(t, drawn(NONE, NONE, NONE, NONE)).iou == 0


def test_pixels_that_may_be_hidden_do_not_count():
    t = target("1100", "0000", [2, 2, NONE, NONE], [NONE] * 4)
    assert compare(t, drawn(2, 2, 2, 2)).iou == 1


def test_behind_another_object_it_is_hidden_and_before_it_seen():
    t = target("1100", "0011", [2, 2, NONE, NONE], [NONE, NONE, 1.5, 3.0])
    assert compare(t, drawn(2, 2, 2, NONE)).iou == 1
    assert compare(t, drawn(2, 2, NONE, 2)).iou == pytest.approx(2 / 3)


def test_standing_before_what_hides_it_is_a_violation():
    t = target("1100", "0000", [2, 2, NONE, NONE], [NONE, NONE, 1.5, NONE])
    assert compare(t, drawn(2, 2, 2, NONE)).in_front == 0
    assert compare(t, drawn(2, 2, 1.0, NONE)).in_front == pytest.approx(1 / 3)


def test_depth_errors_are_cut_at_the_trusted_share_of_the_extent():
    t = target("1111", "0000", [2, 2, 2, NONE], [NONE] * 4)
    found = compare(t, drawn(2 + LIMIT / 2, 2 + 5 * LIMIT, 2 - 5 * LIMIT, 7))
    assert found.depth_error == pytest.approx((0.5 + 1 + 1) / 3, abs=1e-5)
    assert found.in_front == pytest.approx(1 / 4)  # only one stands before the observed surface
    assert found.score == pytest.approx(1 - 0.5 * (found.depth_error + found.in_front))


def test_the_depth_ratio_is_that_of_the_median_pixel():
    t = target("1110", "0001", [4, 4, 9, NONE], [NONE] * 4)
    assert compare(t, drawn(2, 2, 3, 2)).z_ratio == pytest.approx(2)
    assert np.isnan(compare(t, drawn(NONE, NONE, NONE, 2)).z_ratio)


def view_of(labels: np.ndarray, points: PointMap, x0: int, y0: int, w: int, h: int, scale: float) -> ObjectView:
    v, u = np.mgrid[0 : round(h * scale), 0 : round(w * scale)]
    at = (y0 + v / scale).astype(int), (x0 + u / scale).astype(int)
    modal = labels[at] == 1
    return ObjectView(
        id=1,
        rgba=np.dstack([np.zeros((*modal.shape, 3), np.uint8), modal.astype(np.uint8) * 255]),
        mask_modal=modal,
        mask_hidden=np.zeros_like(modal),
        origin_px=(x0, y0),
        scale=scale,
        K_photo=points.K,
        points_cam=np.where(modal[..., None], points.points_cam[at], np.float32(np.nan)),
    )


@pytest.mark.parametrize(("scale", "max_px"), [(1.0, 400), (1.0, 30), (0.5, 20)])
def test_the_rays_of_a_crop_are_those_of_the_photo(scale, max_px):
    labels = np.zeros((90, 160), np.uint16)
    labels[30:60, 40:100], labels[30:60, 100:120] = 1, 2
    depth = np.fromfunction(lambda y, x: 2 + 0.01 * x + 0.02 * y, labels.shape)
    points = PointMap.from_depth(depth, K_from_fov(60, 160, 90))
    instances = Instances(labels=labels, items=(Instance(id=1, name="a"), Instance(id=2, name="b")))
    view = view_of(labels, points, 20, 10, 120, 70, scale)
    view.mask_hidden[:, : view.mask_hidden.shape[1] // 8] = True  # the 15 columns from photo column 20 on
    t = make_target(view, instances, points, view.mask_modal, max_px)
    u, v = np.floor(project(points.K, t.rays_cam)).T.astype(int)
    sure = (np.abs(u[:, None] - [35, 40, 100, 120]) > 3).all(1) & (np.abs(v[:, None] - [30, 60]) > 3).all(1)
    np.testing.assert_array_equal(t.wanted[sure], (labels[v, u] == 1)[sure])
    np.testing.assert_array_equal(np.isfinite(t.z_front)[sure], (labels[v, u] == 2)[sure])
    seen = np.isfinite(t.z) & sure
    assert seen.sum() > 50
    np.testing.assert_allclose(t.z[seen], depth[v, u][seen], atol=0.06)
    assert t.extent == pytest.approx(np.hypot(60, 30) / points.K[0, 0] * t.z_median, rel=0.1)
    np.testing.assert_array_equal(t.free[sure], (~t.wanted & (u >= 35))[sure])
    assert (u[sure] < 35).any()


def test_a_hair_between_the_coarse_rays_is_still_seen():
    labels = np.zeros((90, 160), np.uint16)
    labels[10:80, 60] = labels[10, 60:140] = 1
    points = PointMap.from_depth(np.full(labels.shape, 2.0), K_from_fov(60, 160, 90))
    view = view_of(labels, points, 0, 0, 160, 90, 1.0)
    instances = Instances(labels=labels, items=(Instance(id=1, name="a"),))
    for max_px in (2, 3, 5, 7):
        assert make_target(view, instances, points, view.mask_modal, max_px).wanted.any()
