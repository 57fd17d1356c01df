"""Robust ICP: its stages against Open3D and brute force, what it recovers, and what it does with poor clouds."""

from __future__ import annotations

import numpy as np
import pytest

from scenemaker.errors import ConfigError, InputError
from scenemaker.evaluation.measures import rigid
from scenemaker.evaluation.measures import robust_icp as robust
from scenemaker.evaluation.measures.icp_stages import point_to_plane, point_to_point, run_stage
from scenemaker.evaluation.measures.normals import normals_of
from scenemaker.evaluation.measures.robust_icp import (
    first_sane,
    nearest_rotation,
    robust_icp,
    trimmed_chamfer,
    voxel_means,
)
from scenemaker.geometry import transforms
from scenemaker.geometry.registration import scale_of

pytestmark = pytest.mark.filterwarnings("error")

# Open3D 0.20.0, pipelines.registration.registration_icp on ellipsoids(), threshold 0.15, from the identity, after so
# many steps at most: fitness, inlier_rmse and the upper 3x4 of the transformation. "scale": estimated with the scale;
# "plane": point to plane with TukeyLoss(0.12).
OPEN3D = {
    ("point", 1): (
        0.996,
        0.0841656940032,
        [0.9989219613, -0.002863042, -0.0463326902, -0.0044514441],
        [0.0029395388, 0.9999944266, 0.0015829815, 0.01007845],
        [0.0463278999, -0.0017174717, 0.99892481, -0.0123489173],
    ),
    ("point", 100): (
        1.0,
        0.058904496818,
        [0.9802272492, 0.0132481609, -0.1974310669, -0.0346688043],
        [-0.0181928897, 0.9995640733, -0.0232525745, 0.0277676073],
        [0.1970369475, 0.0263846487, 0.9800409643, -0.0278410815],
    ),
    ("scale", 4): (
        1.0,
        0.0510268112236,
        [0.92460315559, 0.0012010187844, -0.12262552086, -0.013234307063],
        [-0.0008898836705, 0.93269651144, 0.0024252437700, 0.024938844845],
        [0.12262817344, -0.0022871935140, 0.92460075491, -0.019979361313],
    ),
    ("scale", 100): (
        1.0,
        0.0452049932761,
        [0.9223620173, 0.0191996204, -0.1880404574, -0.0256542389],
        [-0.0240327207, 0.9409709968, -0.0218069175, 0.0297641166],
        [0.1874840457, 0.0261627195, 0.9223040577, -0.0243516033],
    ),
    ("plane", 1): (
        1.0,
        0.0625648556053,
        [0.9883574166, 0.0174718729, -0.1511434771, -0.050239087],
        [-0.0182592844, 0.9998259753, -0.0038232991, 0.0222322459],
        [0.1510503742, 0.0065385578, 0.9885044419, -0.0225084705],
    ),
    ("plane", 100): (
        1.0,
        0.0599887831549,
        [0.9773647585, 0.0230950676, -0.210296806, -0.038538868],
        [-0.0194702186, 0.9996243088, 0.0192912372, 0.0291187501],
        [0.2106633318, -0.0147600506, 0.9774472372, -0.0306557463],
    ),
}


def ellipsoids():
    """Source (500, 3), target (800, 3) and its normals: two samples of an ellipsoid, the first moved and larger."""
    rng = np.random.default_rng(5)
    axes = np.array([1, 0.6, 0.4])
    u = rng.standard_normal((2, 800, 3))
    source, target = u / np.linalg.norm(u, axis=2, keepdims=True) * axes
    normals = target / axes**2
    c, s = np.cos(0.2), np.sin(0.2)
    source = 1.06 * source[:500] @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + [0.04, -0.03, 0.02]
    return source, target, normals / np.linalg.norm(normals, axis=1, keepdims=True)


@pytest.mark.parametrize(("estimator", "steps"), OPEN3D)
def test_a_stage_is_open3d_s(estimator, steps):
    source, target, normals = ellipsoids()
    step = (
        point_to_plane(target, normals, tukey=0.12)
        if estimator == "plane"
        else point_to_point(target, scale=estimator == "scale")
    )
    fit = run_stage(source, target, np.eye(4), step, threshold=0.15, iterations=steps)
    fitness, rmse, *S = OPEN3D[estimator, steps]
    assert fit.fitness == fitness
    assert fit.rmse == pytest.approx(rmse, abs=1e-9)
    np.testing.assert_allclose(fit.S[:3], S, atol=1e-8)


def test_pairs_without_a_normal_do_not_count():
    source, target, normals = ellipsoids()
    index = np.arange(500)
    some = normals.copy()
    some[::3] = np.nan
    kept = np.flatnonzero(np.isfinite(some[:500, 0]))
    step = point_to_plane(target, some, tukey=0.5)
    expected = point_to_plane(target, normals, tukey=0.5)(source[kept], kept)
    np.testing.assert_allclose(step(source, index), expected, atol=1e-12)


def test_voxel_means_are_those_of_a_dictionary():
    points = ellipsoids()[0]
    cells: dict[tuple, list] = {}
    for p in points:
        cells.setdefault(tuple(np.floor((p - (points.min(0) - 0.05)) / 0.1)), []).append(p)
    expected = np.array([np.mean(c, 0) for c in cells.values()])
    found = voxel_means(points, 0.1)
    assert len(found) == 358  # so many has Open3D
    np.testing.assert_allclose(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)], atol=1e-12)


def test_the_pre_score_is_that_of_the_full_distance_matrix():
    x, y, _ = ellipsoids()
    turns = [transforms.rigid(transforms.axis_angle([0, 1, 0], a), [0.1 * a, 0, 0]) for a in (0, 1, 2.5)]
    expected = []
    for T in turns:
        d = np.linalg.norm(transforms.apply(T, x)[:, None] - y[None], axis=2)
        expected.append(np.sort(d.min(1))[:400].mean() + np.sort(d.min(0))[:640].mean())
    np.testing.assert_allclose(trimmed_chamfer(x, y, turns, trim=0.2), expected, atol=1e-12)


def test_normals_of_an_ellipsoid_and_where_there_are_none():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((20000, 3))
    p = u / np.linalg.norm(u, axis=1, keepdims=True) * [1, 0.6, 0.4]
    true = p / np.array([1, 0.6, 0.4]) ** 2
    cosine = np.abs((normals_of(p) * true).sum(1)) / np.linalg.norm(true, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, 0, 1))).mean() < 2
    flat = rng.uniform(size=(50, 3)) * [1, 0, 1]
    np.testing.assert_allclose(np.abs(normals_of(flat)), np.tile([0, 1, 0], (50, 1)), atol=1e-9)
    assert np.isnan(normals_of(rng.uniform(size=(50, 1)) * [1.0, 2, 3])).all()  # a line
    assert np.isnan(normals_of(np.ones((50, 3)))).all()
    assert np.isnan(normals_of(np.eye(3)[:2])).all()


def test_the_numbers_are_the_paper_s():
    assert (robust.VOXEL, robust.TRIM, robust.SCORED, robust.KEPT) == (0.03, 0.2, 2000, 3)
    assert np.diff(robust.YAWS_DEG).tolist() == [45] * 7 and robust.YAWS_DEG[0] == 0


# --- what it recovers


def scene(seed, points=1500):
    """Two samples (5 points, 3) of one asymmetric scene: boxes and ellipsoids on a plane, in a crooked row."""
    rng = np.random.default_rng([3, seed])
    both = [[], []]
    for k in range(5):
        size, turn = rng.uniform(0.15, 0.6, 3), transforms.axis_angle([0, 1, 0], rng.uniform(0, 7))
        centre = [0.7 * k - 1.2, size[1] / 2, rng.uniform(-0.5, 0.5) + 0.1 * k * k]
        for cloud in both:
            p = rng.standard_normal((points, 3))
            p /= np.linalg.norm(p, ord=np.inf if k % 2 else 2, axis=1, keepdims=True)  # of a cube or of a ball
            cloud.append(p * size / 2 @ turn.T + centre)
    return np.concatenate(both[0]), np.concatenate(both[1])


def disturbance(seed, size, *, tilt_deg=30.0, shift=0.2, scales=(0.8, 1.25)):
    rng = np.random.default_rng([4, seed])
    yaw, way = rng.uniform(0, 2 * np.pi, 2)
    tilt = np.radians(rng.uniform(0, tilt_deg))
    R = transforms.axis_angle([np.cos(way), 0, np.sin(way)], tilt) @ transforms.axis_angle([0, 1, 0], yaw)
    return transforms.similarity(R, shift * size * transforms.unit(rng.standard_normal(3)), rng.uniform(*scales))


def error(S, moved, true):
    """Mean distance of the points from their true place, over the scene's size."""
    return np.linalg.norm(transforms.apply(S, moved) - true, axis=1).mean() / np.ptp(true, axis=0).max()


def test_yaw_tilt_shift_and_scale_are_recovered_where_plain_icp_is_lost():
    errors, plain = [], []
    for seed in range(8):
        gt, other = scene(seed, 600)
        moved = transforms.apply(disturbance(seed, np.ptp(gt, axis=0).max()), other)
        found = robust_icp(moved, gt, scale=True, centred=True)
        errors.append(error(found.S_target_source, moved, other))
        plain.append(error(rigid.icp(moved, gt).T, moved, other))
        assert found.notes == () and found.fitness > 0.99
    assert max(errors) < 0.01 and np.mean(np.less(plain, 0.01)) < 0.25


def test_as_printed_any_yaw_of_a_centred_scene_is_recovered():
    for seed in range(4):
        gt, other = scene(seed)
        middle = transforms.rigid(np.eye(3), -(gt.min(0) + gt.max(0)) / 2)
        gt, other = transforms.apply(middle, gt), transforms.apply(middle, other)
        T = disturbance(seed, 1.0, tilt_deg=10, shift=0.05, scales=(1, 1))
        found = robust_icp(transforms.apply(T, other), gt)
        assert error(found.S_target_source, transforms.apply(T, other), other) < 0.002
        assert np.linalg.det(found.S_target_source[:3, :3]) == pytest.approx(1, abs=1e-12)


def test_a_cloud_stays_on_itself():
    gt, _ = scene(0, 500)
    for scale in (False, True):
        found = robust_icp(gt, gt, scale=scale)
        np.testing.assert_allclose(found.S_target_source, np.eye(4), atol=1e-9)
        assert found.fitness == 1 and found.rmse == pytest.approx(0, abs=1e-9)


def test_fitness_and_rmse_are_of_the_result():
    gt, other = scene(1, 300)
    other = np.concatenate([other[::2], other[:40] + np.array([0, 0.15, 0])])  # some have no neighbour
    moved = transforms.apply(disturbance(1, 1.0), other)
    found = robust_icp(moved, gt, scale=True, centred=True)
    first = moved + gt.mean(0) - moved.mean(0)
    side = (np.maximum(first.max(0), gt.max(0)) - np.minimum(first.min(0), gt.min(0))).max()
    near = np.linalg.norm(transforms.apply(found.S_target_source, moved)[:, None] - gt[None], axis=2).min(1)
    near = near[near < 0.03 * side]
    assert 0.9 < len(near) / len(moved) < 0.99
    assert found.fitness == len(near) / len(moved)
    assert found.rmse == pytest.approx(np.sqrt((near**2).mean()), abs=1e-9)


@pytest.mark.parametrize("up", ["x", "z"])
def test_another_axis_may_point_up(up):
    gt, other = scene(2, 500)
    moved = transforms.apply(disturbance(2, 1.0, tilt_deg=10), other)
    roll = np.roll(np.eye(3), {"x": -1, "z": 1}[up], 0)  # the y axis becomes x or z
    y_up = robust_icp(moved, gt, scale=True, centred=True)
    found = robust_icp(moved @ roll.T, gt @ roll.T, up=up, scale=True, centred=True)
    back = transforms.rigid(roll.T, np.zeros(3)) @ found.S_target_source @ transforms.rigid(roll, np.zeros(3))
    np.testing.assert_allclose(back, y_up.S_target_source, atol=1e-6)


def test_the_unit_and_the_origin_do_not_matter():
    gt, other = scene(3, 500)
    moved = transforms.apply(disturbance(3, 1.0, shift=0.05), other)
    a = robust_icp(moved, gt, scale=True)
    U = transforms.similarity(np.eye(3), [300, -200, 40], 1000)
    b = robust_icp(transforms.apply(U, moved), transforms.apply(U, gt), scale=True)
    np.testing.assert_allclose(transforms.invert(U) @ b.S_target_source @ U, a.S_target_source, atol=1e-6)
    assert b.rmse == pytest.approx(1000 * a.rmse, rel=1e-6) and b.fitness == a.fitness


def test_equal_clouds_give_equal_results_and_are_not_changed():
    gt, other = scene(4)
    before = gt.copy(), other.copy()
    a, b = (robust_icp(other, gt, seed=3) for _ in range(2))
    assert (a.S_target_source == b.S_target_source).all() and a.rmse == b.rmse
    assert (gt == before[0]).all() and (other == before[1]).all()


def test_a_mirror_image_is_not_undone():
    for seed in range(3):
        gt, other = scene(seed, 500)
        S = robust_icp(other * [-1, 1, 1], gt, scale=True, centred=True).S_target_source
        R = S[:3, :3] / scale_of(S)
        assert np.linalg.det(R) == pytest.approx(1) and np.abs(R @ R.T - np.eye(3)).max() < 1e-9


# --- poor clouds

POOR = {
    "one point": np.array([[1.0, 2, 3]]),
    "three points": np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0.5]]),
    "coincident": np.ones((30, 3)),
    "line": np.linspace(0, 1, 40)[:, None] * [1.0, 2, 0],
    "plane": np.random.default_rng(0).uniform(size=(300, 3)) * [1, 0, 2],
}
NO_NORMALS = "the target has no normals: fine stage point to point"
FAR = "no point of the source came near the target: not aligned"


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("b", POOR)
@pytest.mark.parametrize("a", POOR)
def test_poor_clouds_give_a_transform(a, b, centred, scale):
    found = robust_icp(POOR[a], POOR[b], scale=scale, centred=centred)
    S = found.S_target_source
    assert np.isfinite(S).all() and np.isfinite([found.rmse, found.fitness]).all()
    R = S[:3, :3] / scale_of(S)
    assert np.abs(R @ R.T - np.eye(3)).max() < 1e-9 and np.linalg.det(R) > 0
    assert 0.1 <= scale_of(S) <= 10 if scale else scale_of(S) == pytest.approx(1)
    one = found.notes == ("all points in one place: not turned",)
    assert (NO_NORMALS in found.notes) == (not one and b in ("one point", "coincident", "line"))
    if a == b:
        assert np.abs(transforms.apply(S, POOR[a]) - POOR[a]).max() < 1e-9 and found.fitness == 1


def test_a_plane_is_found_in_the_plane():
    plane = POOR["plane"]
    T = transforms.rigid(transforms.axis_angle([0, 1, 0], 1.6), [0.05, 0.02, -0.03])
    found = robust_icp(transforms.apply(T, plane), plane, centred=True)
    assert found.notes == () and error(found.S_target_source, transforms.apply(T, plane), plane) < 0.01


def test_clouds_that_never_meet_are_told():
    far = robust_icp(POOR["three points"] * 0.01 + 10, POOR["three points"])
    assert far.notes == (FAR,) and far.fitness == far.rmse == 0
    np.testing.assert_allclose(far.S_target_source, np.eye(4), atol=1e-12)


def test_results_that_fail_the_checks_are_dropped_and_told():
    good = transforms.similarity(transforms.axis_angle([0, 1, 0], 0.3), [0.1, 0, 0], 1.1)
    broken = np.full((4, 4), np.nan)
    shrunk = transforms.similarity(np.eye(3), [0, 0, 0], 0.05)
    gone = transforms.rigid(np.eye(3), [0, 3, 0])
    notes: list[str] = []
    np.testing.assert_allclose(first_sane({"fine": broken, "coarse": good}, scale=True, notes=notes), good)
    assert notes == ["fine result dropped: not finite"]
    notes = []
    assert (first_sane({"fine": shrunk, "coarse": gone}, scale=True, notes=notes) == np.eye(4)).all()
    assert notes == [
        "fine result dropped: scale 0.05, shift 0 of the common box",
        "coarse result dropped: scale 1, shift 3 of the common box",
        "not moved: no result passed the checks",
    ]
    notes = []
    assert (first_sane({"fine": good, "coarse": np.eye(4)}, scale=False, notes=notes) == np.eye(4)).all()
    assert notes == ["fine result dropped: scale 1.1, shift 0.1 of the common box"]


def test_a_fallback_reaches_the_user():
    rng = np.random.default_rng(1)
    found = robust_icp(rng.uniform(size=(20000, 3)), 0.5 + 0.01 * rng.uniform(size=(20, 3)), scale=True)
    assert len(found.notes) == 3  # the source shrinks into the small target
    assert found.notes[0].startswith("fine result dropped: scale ")
    assert found.notes[1].startswith("coarse result dropped: scale ")
    assert found.notes[2] == "not moved: no result passed the checks"
    np.testing.assert_allclose(found.S_target_source, np.eye(4), atol=1e-12)


def test_the_nearest_rotation_is_no_mirror_image():
    R = transforms.axis_angle([1, 2, 3], 0.7)
    np.testing.assert_allclose(nearest_rotation(1.3 * R), R, atol=1e-12)
    np.testing.assert_allclose(nearest_rotation(R @ np.diag([1.0, 0.9, -0.1])), R, atol=1e-12)  # the smallest is turned


def test_what_cannot_be_used_is_said():
    cloud = POOR["plane"]
    wrong = "expected a cloud of finite points (n, 3), n > 0; got {}; check the mesh"
    for bad, got in ((np.zeros((0, 3)), "shape (0, 3)"), (np.zeros((4, 2)), "shape (4, 2)")):
        for pair in ((bad, cloud), (cloud, bad)):
            with pytest.raises(InputError) as told:
                robust_icp(*pair)
            assert str(told.value) == wrong.format(got)
    with pytest.raises(InputError) as told:
        robust_icp(cloud, cloud * np.nan)
    assert str(told.value) == wrong.format("NaN or infinity")
    for settings, got in (
        ({"up": "u"}, "up 'u', 100 iterations, 8 yaws"),
        ({"iterations": 0}, "up 'y', 0 iterations, 8 yaws"),
        ({"yaws_deg": ()}, "up 'y', 100 iterations, 0 yaws"),
    ):
        with pytest.raises(ConfigError) as wrong_setting:
            robust_icp(cloud, cloud, **settings)
        expected = f"expected up x, y or z, an iteration and a yaw; got {got}; keep the defaults"
        assert str(wrong_setting.value) == expected
