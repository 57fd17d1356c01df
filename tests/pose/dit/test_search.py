"""The search finds the pose that made a picture among wrong ones, in easy and in hard cases."""

from dataclasses import replace

import numpy as np
import pytest
from made_poses import KINDS, MESHES, disturbed, make, turned_about

from scenemaker.errors import InputError
from scenemaker.pose.dit.evidence import evidence_of, nearer_outline, unexplained_holes
from scenemaker.pose.dit.search import rank
from scenemaker.pose.target import Placement, compare
from scenemaker.scene import PointMap

ASYMMETRIC = [kind for kind in KINDS if kind not in MESHES]
NONE = float("nan")


def samples(ranked) -> list[int]:
    return [h.sample for h in ranked]


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_pose_scores_well(kind):
    case = make(kind)
    for fine in (False, True):
        assert case.evidence.judge(case.truth, fine=fine).score > 0.93


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("kind", ASYMMETRIC)
def test_the_right_one_is_chosen_beside_one_turned_half_round(kind, axis):
    case = make(kind)
    wrong, right = disturbed(turned_about(case.truth, axis, 180), 1), disturbed(case.truth, 2)
    evidence = case.evidence
    assert samples(rank(evidence, [wrong, right])) == [1, 0]
    assert samples(rank(evidence, [right, wrong])) == [0, 1]


@pytest.mark.parametrize("depth", [True, False])
def test_the_right_one_is_chosen_among_many(depth):
    case = make("bracket", depth=depth)
    wrong = [disturbed(turned_about(case.truth, i % 3, 60 + 30 * i), i) for i in range(7)]
    assert rank(case.evidence, [*wrong[:4], disturbed(case.truth, 9), *wrong[4:]])[0].sample == 4


def test_without_depth_the_silhouette_alone_tells():
    case = make("bracket", depth=False)
    agreement = case.evidence.judge(case.truth)
    assert (agreement.depth_error, agreement.in_front) == (0.5, 0)
    farther = case.evidence.judge(case.truth.scaled(1.3))  # the same picture
    assert farther.score == pytest.approx(agreement.score, abs=0.02)


def test_of_one_picture_the_pose_at_the_observed_depth_is_best():
    case = make("bracket")
    poses = [case.truth.scaled(0.7), case.truth.scaled(1.3), case.truth, case.truth.scaled(0.97)]
    ranked = rank(case.evidence, poses, n_fine=4)
    assert samples(ranked) == [2, 3, 1, 0]  # the last one also fills space that was seen to be free
    assert ranked[3].agreement.in_front > 0.9 and ranked[2].agreement.in_front == 0


def test_scores_are_those_of_the_common_scorer():
    case, evidence = make("cut"), make("cut").evidence
    ranked = rank(evidence, [disturbed(case.truth, i) for i in range(5)], n_fine=2)
    for h, target in zip(ranked, [evidence.fine] * 2 + [evidence.coarse] * 3, strict=True):
        expected = compare(target, evidence.prober.depth(target, h.placement))
        assert (h.agreement.score, h.agreement.iou) == (expected.score, expected.iou)
    assert len(evidence.fine.rays_cam) > 1.5 * len(evidence.coarse.rays_cam)


def test_best_first_and_independent_of_the_order():
    case, evidence = make("bracket"), make("bracket").evidence
    poses = [disturbed(turned_about(case.truth, 1, 25 * i), i) for i in range(6)]
    ranked = rank(evidence, poses, n_fine=6)
    scores = [h.agreement.score for h in ranked]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == 6
    backwards = rank(evidence, poses[::-1], n_fine=6)
    assert [5 - i for i in samples(backwards)] == samples(ranked)
    assert [h.agreement.score for h in backwards] == scores


@pytest.mark.parametrize("n_fine", [1, 2, 5])
def test_of_equals_the_earlier_one(n_fine):
    case = make("box")
    assert samples(rank(case.evidence, [case.truth] * 4, n_fine=n_fine)) == [0, 1, 2, 3]


def test_what_is_no_pose_is_left_out():
    truth = make("bracket").truth
    bad = [
        replace(truth, R=truth.R * NONE),
        replace(truth, t=np.array([0, np.inf, 1])),
        replace(truth, s=NONE),
        replace(truth, s=0.0),
        replace(truth, t=-truth.t),
    ]
    evidence = make("bracket").evidence
    assert samples(rank(evidence, [*bad, truth])) == [5]
    with pytest.raises(InputError) as error:
        rank(evidence, bad)
    assert str(error.value) == (
        "expected a pose before the camera among the samples; got 5 that are not; "
        "check the weights, or train them longer"
    )


def test_an_object_of_which_nothing_is_seen():
    case = make("bracket")
    blind = replace(case.view, rgba=case.view.rgba * 0, mask_modal=case.view.mask_modal & False)
    with pytest.raises(InputError) as error:
        evidence_of(blind, case.instances, case.point_map, case.mesh)
    assert str(error.value) == "expected an object that is seen; got an empty mask; drop it, or draw its mask"


def test_inputs_are_left_alone():
    case = make("unmasked")
    labels, hidden = case.instances.labels.copy(), case.view.mask_hidden.copy()
    assert case.evidence.fine.free.any()
    assert (case.instances.labels == labels).all() and (case.view.mask_hidden == hidden).all()


def test_behind_a_wall_without_a_mask_as_behind_one_with_a_mask():
    known, unknown = make("hidden"), make("unmasked")
    larger = Placement(R=known.truth.R, s=known.truth.s * 1.3, t=known.truth.t)  # reaches farther behind the wall
    before = known.truth.scaled(0.5)
    for place in (known.truth, disturbed(known.truth, 0), larger, before):
        a, b = known.evidence.judge(place), unknown.evidence.judge(place)
        assert b.iou == pytest.approx(a.iou, abs=0.03)
        assert b.in_front == pytest.approx(a.in_front, abs=0.03)
    assert known.evidence.judge(before).in_front > 0.9
    ignorant = replace(unknown.point_map, points_cam=np.full_like(unknown.point_map.points_cam, np.nan))
    blind = evidence_of(unknown.view, unknown.instances, ignorant, unknown.mesh, resolution_px=56)
    assert blind.judge(unknown.truth).iou < 0.6  # without depth the wall is not found


def test_a_hole_of_the_mask_is_not_held_against_the_pose():
    torn, whole = make("torn"), make("bracket")
    assert torn.evidence.judge(torn.truth).iou == pytest.approx(whole.evidence.judge(whole.truth).iou, abs=0.01)
    assert not torn.evidence.fine.free[np.isfinite(torn.evidence.prober.depth(torn.evidence.fine, torn.truth))].all()


MASK = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 1, 0, 1, 0, 1, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)


def test_the_outline_before_which_something_stands():
    z = np.where(MASK, 2.0, 3.0)
    free = ~MASK
    assert nearer_outline(MASK, z, free, 0.1) == 0  # farther all around
    z[4] = 1.0
    assert nearer_outline(MASK, z, free, 0.1) == 5 / 24  # 16 edges outside, 8 inside
    assert nearer_outline(MASK, z, free, 1.0) == 0  # the step is not larger
    assert nearer_outline(MASK, z, free & (np.arange(5) < 4)[:, None], 0.1) == 0  # it is an object with a mask
    z[4] = 2.0
    assert nearer_outline(MASK, z, free, 0.1) == 0  # it stands on it
    assert nearer_outline(MASK, z * NONE, free, 0.1) == 0
    assert nearer_outline(MASK.T, np.where(MASK, 2.0, 1.0).T, free.T, 0.1) == 1


def test_holes_that_nothing_behind_explains():
    z = np.where(MASK, 2.0, 3.0)
    assert not unexplained_holes(MASK, z, ~MASK, 0.1).any()
    z[2, 2] = 2.05
    assert np.argwhere(unexplained_holes(MASK, z, ~MASK, 0.1)).tolist() == [[2, 2]]
    z[2, 4] = NONE
    assert np.argwhere(unexplained_holes(MASK, z, ~MASK, 0.1)).tolist() == [[2, 2], [2, 4]]
    taken = ~MASK
    taken[2, 4] = False  # another object
    assert np.argwhere(unexplained_holes(MASK, z, taken, 0.1)).tolist() == [[2, 2]]
    assert not unexplained_holes(MASK[1:4, 1:3], z[1:4, 1:3], ~MASK[1:4, 1:3], 0.1).any()  # open at a side


def test_a_view_smaller_than_the_photo_and_beyond_it():
    case = make("cut")
    assert case.view.origin_px[0] < 0 and case.view.cut_sides == ("left",)
    labels, points = case.instances.labels.copy(), case.point_map.points_cam.copy()
    rows, cols = np.nonzero(labels)
    front = np.s_[int(np.quantile(rows, 0.6)) :, : cols.max() + 1]
    labels[front], points[front] = 0, points[front] * 0.5
    instances = replace(case.instances, labels=labels)
    view = replace(case.view, mask_modal=case.view.mask_modal & False)
    u = (case.view.origin_px[0] + (np.arange(view.mask_modal.shape[1]) + 0.5)).astype(int)
    v = (case.view.origin_px[1] + (np.arange(view.mask_modal.shape[0]) + 0.5)).astype(int)
    inside = ((v >= 0) & (v < 150))[:, None] & ((u >= 0) & (u < 240))
    modal = (labels[np.ix_(v.clip(0, 149), u.clip(0, 239))] == 1) & inside
    view = replace(view, mask_modal=modal, points_cam=np.where(modal[..., None], view.points_cam, np.float32(NONE)))
    point_map = PointMap(points_cam=points, K=case.point_map.K)
    evidence = evidence_of(view, instances, point_map, case.mesh, resolution_px=56)
    assert evidence.judge(case.truth).score > 0.93
