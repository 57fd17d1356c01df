"""Refinement brings disturbed poses nearer to the truth, in hard cases too, and never lowers the score."""

from dataclasses import replace

import numpy as np
import pytest
from made_poses import KINDS, disturbed, make, turned_about

from scenemaker.geometry import transforms
from scenemaker.pose.dit.refine import Gates, gates_of, refine
from scenemaker.pose.dit.search import Hypothesis, rank
from scenemaker.pose.target import Placement


def started(evidence, *places: Placement) -> tuple[Hypothesis, ...]:
    return rank(evidence, places, n_fine=len(places))


@pytest.mark.parametrize("kind", KINDS)
def test_disturbed_poses_come_nearer(kind):
    case, evidence = make(kind), make(kind).evidence
    before, after = [], []
    for seed in range(3):
        ranked = started(evidence, disturbed(case.truth, seed))
        found = refine(evidence, ranked, gates_of(evidence))
        assert found.agreement.score >= ranked[0].agreement.score
        assert found.agreement.score == evidence.judge(found.placement).score
        before.append(case.error(ranked[0].placement))
        after.append(case.error(found.placement))
    assert np.median(after) < 0.5 * np.median(before) and max(after) < max(before)


def test_an_asymmetric_object_is_found_to_a_degree_and_a_hundredth():
    case, evidence = make("bracket"), make("bracket").evidence
    place = refine(evidence, started(evidence, disturbed(case.truth, 3)), gates_of(evidence)).placement
    assert transforms.rotation_angle_deg(place.R, case.truth.R) < 1
    assert np.linalg.norm(place.t - case.truth.t) < 0.01 * case.truth.s
    assert place.s == pytest.approx(case.truth.s, rel=0.01)


@pytest.mark.parametrize("kind", ["ball", "disc", "bracket", "hidden"])
def test_the_true_pose_stays(kind):
    case, evidence = make(kind), make(kind).evidence
    found = refine(evidence, started(evidence, case.truth), gates_of(evidence))
    assert case.error(found.placement) < 0.01
    assert transforms.rotation_angle_deg(found.placement.R, case.truth.R) < 5  # no drift about an axis of symmetry


def test_moved_first_and_chosen_then():
    case, evidence = make("bracket"), make("bracket").evidence
    wrong = turned_about(case.truth, 0, 180)
    near = replace(disturbed(case.truth, 5), t=case.truth.t * 1.09)
    ranked = started(evidence, wrong, near)
    assert ranked[0].sample == 0
    assert refine(evidence, ranked, gates_of(evidence), n=2).sample == 1
    assert refine(evidence, ranked, gates_of(evidence), n=1).sample == 0


@pytest.mark.parametrize("kind", ["bracket", "hidden"])
def test_each_step_helps_alone_and_both_help_more(kind):
    case, evidence = make(kind), make(kind).evidence

    def shift(gates: Gates) -> float:
        starts = [started(evidence, disturbed(case.truth, seed)) for seed in range(3)]
        return float(np.mean([case.shift(refine(evidence, ranked, gates).placement) for ranked in starts]))

    none = shift(Gates(registration=False, silhouette=False))
    assert none == np.mean([case.shift(disturbed(case.truth, seed)) for seed in range(3)])
    assert shift(Gates()) < shift(Gates(silhouette=False)) < none
    assert shift(Gates()) < shift(Gates(registration=False)) < none


@pytest.mark.parametrize("factor", [0.93, 1.07])
def test_registration_finds_the_size(factor):
    case, evidence = make("bracket"), make("bracket").evidence
    start = replace(case.truth, s=case.truth.s * factor)
    found = refine(evidence, started(evidence, start), Gates(silhouette=False))
    assert found.placement.s == pytest.approx(case.truth.s, rel=0.03)


def test_what_is_not_good_enough_stays_as_sampled():
    case, evidence = make("bracket"), make("bracket").evidence
    tiny = replace(case.truth, s=0.3 * case.truth.s)
    assert evidence.judge(replace(tiny, s=0.33 * case.truth.s)).score > evidence.judge(tiny).score  # it could be better
    lost = replace(case.truth, t=case.truth.t + np.array([3.0, 0, 0]))
    for place in (tiny, lost):
        assert refine(evidence, started(evidence, place), Gates(registration=False)).placement is place


def test_few_points_open_no_registration_and_a_speck_nothing():
    case = make("bracket")
    assert gates_of(case.evidence) == Gates(registration=True, silhouette=True)
    assert gates_of(make("bracket", depth=False).evidence) == Gates(registration=False, silhouette=True)
    z = case.evidence.fine.z.copy()
    z[np.flatnonzero(np.isfinite(z))[29:]] = np.nan
    few = replace(case.evidence, fine=replace(case.evidence.fine, z=z))
    assert gates_of(few) == Gates(registration=False, silhouette=True)
    wanted = np.zeros_like(case.evidence.fine.wanted)
    wanted[:29] = True
    assert not gates_of(replace(few, fine=replace(few.fine, wanted=wanted))).silhouette


def test_without_depth_the_distance_stays():
    case = make("bracket", depth=False)
    evidence, start = case.evidence, disturbed(case.truth, 1)
    found = refine(evidence, started(evidence, start), gates_of(evidence))
    assert found.placement.t[2] == start.t[2] and not np.allclose(found.placement.t, start.t)
    assert found.agreement.iou > 0.93
    assert case.error(found.placement) < case.error(start)


def test_equal_inputs_give_equal_bytes():
    case = make("cut")
    runs = [
        refine(e, started(e, disturbed(case.truth, 0), disturbed(case.truth, 1)), gates_of(e)).placement
        for e in (case.evidence, case.evidence)
    ]
    assert runs[0].R.tobytes() == runs[1].R.tobytes() and runs[0].t.tobytes() == runs[1].t.tobytes()
