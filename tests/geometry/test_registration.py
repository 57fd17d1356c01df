"""Closed forms and ICP: exact on exact pairs, robust on partial ones; silhouettes against a rendered mask."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from scenemaker.errors import InputError, ShapeError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.geometry.raycast import render
from scenemaker.geometry.registration import circle, fit_silhouette, icp, kabsch, mask_support, scale_of, split, umeyama

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(40, 3)) * [1, 2, 0.5]
angles = st.floats(-3.1, 3.1)


def similarity(a: float, b: float, c: float, s: float) -> np.ndarray:
    R = Rotation.from_euler("yxz", [a, b, c]).as_matrix()
    return transforms.similarity(R, [0.3, -1.0, 4.0], s)


@given(angles, angles, angles, st.floats(0.01, 100))
def test_umeyama_finds_the_similarity_of_exact_pairs(a, b, c, s):
    S = similarity(a, b, c, s)
    np.testing.assert_allclose(umeyama(CLOUD, transforms.apply(S, CLOUD)), S, atol=1e-8 * max(s, 1))


@given(angles, angles, angles)
def test_kabsch_agrees_with_scipy_on_noisy_pairs(a, b, c):
    noisy = transforms.apply(similarity(a, b, c, 1.0), CLOUD) + 0.1 * RNG.normal(size=CLOUD.shape)
    theirs = Rotation.align_vectors(noisy - noisy.mean(0), CLOUD - CLOUD.mean(0))[0].as_matrix()
    np.testing.assert_allclose(kabsch(CLOUD, noisy)[:3, :3], theirs, atol=1e-9)


def test_a_mirror_image_is_answered_with_a_rotation():
    S = umeyama(CLOUD, CLOUD * [1, 1, -1])
    transforms.check_R(S[:3, :3] / np.linalg.norm(S[:3, 0]))


def test_flat_pairs_still_give_their_rotation():
    flat = CLOUD * [1, 1, 0]
    S = similarity(0.4, 0.3, -1.2, 2.0)
    np.testing.assert_allclose(umeyama(flat, transforms.apply(S, flat)), S, atol=1e-9)


def test_weights_of_zero_take_pairs_out():
    S = similarity(0.4, 0.3, -1.2, 2.0)
    target = transforms.apply(S, CLOUD)
    target[:10] += 100
    weights = np.r_[np.zeros(10), np.ones(30)]
    np.testing.assert_allclose(umeyama(CLOUD, target, weights), S, atol=1e-9)


@given(angles, st.floats(0.1, 10))
def test_a_rotation_about_one_axis_stays_about_it(angle, s):
    axis = np.array([0.2, -0.9, -0.4])
    S = transforms.similarity(transforms.axis_angle(axis, angle), [1, 2, 3], s)
    np.testing.assert_allclose(umeyama(CLOUD, transforms.apply(S, CLOUD), axis=axis), S, atol=1e-8 * max(1, s))
    other = transforms.apply(similarity(0, 0.5, 0.4, 1), CLOUD)  # not reachable
    _, R, _ = split(umeyama(CLOUD, other, axis=axis))
    np.testing.assert_allclose(R @ axis, axis, atol=1e-9)


def test_a_single_pair_moves_without_turning_or_scaling():
    S = umeyama([[1, 2, 3]], [[4, 4, 4]])
    assert scale_of(S) == pytest.approx(1)
    np.testing.assert_allclose(transforms.apply(S, [1, 2, 3]), [4, 4, 4])


def test_pairs_that_do_not_pair_are_refused():
    with pytest.raises(ShapeError) as caught:
        umeyama(CLOUD, CLOUD[1:])
    assert str(caught.value) == "expected pairs of points (n, 3); got (40, 3) and (39, 3); pair them up"
    with pytest.raises(InputError) as nothing:
        umeyama(np.zeros((0, 3)), np.zeros((0, 3)))
    assert str(nothing.value) == "expected at least one pair with weight; got 0 pairs; give more points"


def test_split_undoes_similarity():
    R = transforms.axis_angle([1, 2, 3], 0.5)
    s, R_back, t = split(transforms.similarity(R, [1, 2, 3], 0.25))
    assert s == pytest.approx(0.25)
    np.testing.assert_allclose(R_back, R)
    np.testing.assert_allclose(t, [1, 2, 3])


def of(made: trimesh.Trimesh) -> Mesh:
    return Mesh(vertices=np.asarray(made.vertices), faces=np.asarray(made.faces))


BOX = of(trimesh.creation.box((1, 0.7, 0.4)))


def test_icp_with_scale_places_a_model_by_the_half_of_it_that_is_seen():
    model = sample_surface(BOX, 6000, seed=1)[0]
    S = similarity(0.3, 0.2, 0.1, 1.4)
    observed = transforms.apply(S, sample_surface(BOX, 800, seed=2)[0])
    observed = observed[observed[:, 2] < np.median(observed[:, 2])]
    start = transforms.similarity(transforms.axis_angle([1, 1, 0], 0.08), [0.05, 0.03, -0.05], 1.05) @ S
    found = icp(model, observed, start, keep=0.95, iterations=80, tolerance=1e-6)
    gap = np.linalg.norm(transforms.apply(found.S, BOX.vertices) - transforms.apply(S, BOX.vertices), axis=1)
    before = np.linalg.norm(transforms.apply(start, BOX.vertices) - transforms.apply(S, BOX.vertices), axis=1)
    assert gap.max() < 0.06 < before.max()
    assert found.error < 0.03


def test_trimming_ignores_outliers_that_ruin_plain_icp():
    model = sample_surface(BOX, 4000, seed=1)[0]
    observed = sample_surface(BOX, 400, seed=2)[0]
    observed[:60] += [0, 0, 1.5]
    start = transforms.rigid(np.eye(3), [0.05, 0, 0])
    trimmed = icp(model, observed, start, keep=0.8, scale=False, iterations=40)
    plain = icp(model, observed, start, keep=1.0, scale=False, iterations=40)
    assert np.abs(trimmed.S - np.eye(4)).max() < 0.02 < np.abs(plain.S - np.eye(4)).max()


def test_icp_at_the_answer_stays_there():
    found = icp(CLOUD, CLOUD, np.eye(4))
    np.testing.assert_allclose(found.S, np.eye(4), atol=1e-9)
    assert found.error == pytest.approx(0, abs=1e-12)


def test_icp_without_points_is_refused():
    with pytest.raises(InputError) as caught:
        icp(CLOUD, CLOUD[:2], np.eye(4))
    wanted = "expected at least 3 observed points and a model; got 2 observed, 40 model points; give more points"
    assert str(caught.value) == wanted


def test_support_of_a_mask_lies_on_the_outer_edges_of_its_pixels():
    mask = np.zeros((20, 50), bool)
    mask[5:9, 10:30] = True
    K = np.array([[10.0, 0, 25], [0, 20.0, 10], [0, 0, 1]])
    support, corners = mask_support(mask, K, circle(4))  # right, down, left, up
    np.testing.assert_allclose(support, [(30 - 25) / 10, (9 - 10) / 20, -(10 - 25) / 10, -(5 - 10) / 20])
    assert corners[0, 0] == 30
    assert corners[3, 1] == 5


def test_an_empty_mask_has_no_support():
    with pytest.raises(InputError) as caught:
        mask_support(np.zeros((3, 4), bool), np.eye(3), circle(4))
    assert str(caught.value) == "expected a mask with at least one pixel; got an empty mask; drop the object"


@pytest.mark.parametrize(("x", "y", "z", "s"), [(0, 0, 4, 1), (0.9, -0.5, 3, 1.5), (-0.1, 0.05, 0.9, 0.55)])
def test_the_silhouette_gives_scale_and_translation_up_to_the_distance(x, y, z, s):
    camera = Camera(K=K_from_fov(70, 320, 200), width=320, height=200)
    R = Rotation.from_euler("yx", [0.7, 0.4]).as_matrix()
    small = s * 0.7
    mask = render([BOX], [transforms.similarity(R, [x, y, z], small)], camera).index == 0
    support, _ = mask_support(mask, camera.K, circle(48))
    s_found, t_found = fit_silhouette(BOX.vertices @ R.T, support, circle(48))
    assert s_found * z == pytest.approx(small, rel=0.02)
    np.testing.assert_allclose(t_found * z, [x, y, z], atol=0.02)


def test_the_side_that_reaches_farthest_is_found_under_perspective():
    near, far = np.array([0.4, 0.3, -0.5]), np.array([0.5, 0.4, 0.5])  # the far end is wider, the near end seen wider
    signs = np.array([[x, y, 1] for x in (-1, 1) for y in (-1, 1)])
    points = np.concatenate([signs * near, signs * far])
    placed = 0.9 * points + [0.1, -0.05, 1.5]
    support = (placed[:, :2] / placed[:, 2:] @ circle(24).T).max(0)
    s, t = fit_silhouette(points, support, circle(24))
    assert s * 1.5 == pytest.approx(0.9, rel=1e-6)
    np.testing.assert_allclose(t * 1.5, [0.1, -0.05, 1.5], atol=1e-6)


def test_a_known_scale_is_kept_and_only_trusted_sides_are_met():
    camera = Camera(K=K_from_fov(70, 320, 200), width=320, height=200)
    whole = render([BOX], [transforms.similarity(np.eye(3), [0.1, 0, 3], 1)], camera).index == 0
    cut = whole.copy()
    cut[:, 170:] = False
    support, _ = mask_support(cut, camera.K, circle(48))
    trust = np.where(circle(48)[:, 0] > 0.01, 1e-4, 1.0)  # the right side is hidden
    s, t = fit_silhouette(BOX.vertices, support, circle(48), trust, scale=1 / 3)
    assert s == pytest.approx(1 / 3)
    np.testing.assert_allclose(t[:2] * 3, [0.1, 0], atol=0.03)


def test_a_shape_without_width_has_no_silhouette():
    with pytest.raises(InputError) as caught:
        fit_silhouette(np.zeros((5, 3)), np.ones(4), circle(4))
    assert str(caught.value) == "expected a shape with an extent; got all points on one ray; check the mesh"
