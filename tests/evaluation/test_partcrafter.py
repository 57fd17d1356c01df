"""The protocol ``partcrafter`` against the published functions and hand-worked scenes."""

import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from scenemaker.evaluation.measures.clipping import joined
from scenemaker.evaluation.measures.points import chamfer, fscore, nearest_distances
from scenemaker.evaluation.measures.volume import filled_voxels, voxel_iou
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.partcrafter import PartCrafter, self_overlap
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.filterwarnings("error")
PITCH = 2 / 64


def blob(rng, centre, radius) -> Mesh:
    """A closed bumpy shape of 24 x 13 vertices."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 24, endpoint=False), np.linspace(0, np.pi, 13))
    bumps = np.sin(3 * u + rng.uniform(0, 6)) * np.sin(v) * np.sin(2 * v + rng.uniform(0, 6))
    r = radius * (1 + 0.2 * bumps)
    p = np.stack([r * np.sin(v) * np.cos(u), r * np.cos(v), r * np.sin(v) * np.sin(u)], -1).reshape(-1, 3)
    quads = [(24 * i + j, 24 * i + (j + 1) % 24) for i in range(12) for j in range(24)]
    faces = [f for a, b in quads for f in ([a, b, a + 24], [b, b + 24, a + 24])]
    return Mesh(vertices=p + centre, faces=faces)


def blobs(seed) -> list[Mesh]:
    rng = np.random.default_rng(seed)
    return [blob(rng, rng.uniform(-0.5, 0.5, 3), rng.uniform(0.2, 0.45)) for _ in range(4)]


def box(extents, centre=(0, 0, 0)) -> Mesh:
    out = trimesh.creation.box(extents)
    return Mesh(vertices=out.vertices + np.asarray(centre), faces=out.faces)


def scene(meshes) -> EvalScene:
    objects = [EvalObject(id=i, name=f"o{i}", mesh=m, S_frame_obj=np.eye(4)) for i, m in enumerate(meshes, 1)]
    return EvalScene(name="s", path=Path("s"), objects=tuple(objects))


def pair_of(gt, pred, partners=None, seed=0) -> ScenePair:
    return ScenePair(
        name="s",
        gt=scene(gt),
        pred=scene(pred),
        partners=tuple(range(len(gt))) if partners is None else partners,
        alignment=Alignment(S_world_pred=np.eye(4), kind="none", text=""),
        seed=seed,
    )


class TestPublishedCode:
    """Numbers of wgsxm/PartCrafter 269bd41, src/utils/metric_utils.py, run on these meshes and clouds with trimesh
    5.2.0 and scikit-learn; only its ``typing_utils`` was replaced."""

    def test_voxel_iou_of_two_scenes(self):  # compute_IoU of the concatenated meshes
        a, b = joined(blobs(0)), joined(blobs(1))
        found = [voxel_iou(filled_voxels(a, 2 / n), filled_voxels(b, 2 / n)) for n in (64, 32)]
        assert found == pytest.approx([0.1949525640230669, 0.221195184866724], abs=1e-12)
        assert len(filled_voxels(a, PITCH)) == 18895  # get_voxel_set

    def test_overlap_of_the_parts(self):  # compute_IoU_for_scene
        found = [self_overlap([filled_voxels(m, PITCH) for m in blobs(seed)]) for seed in (0, 1)]
        assert found == pytest.approx([0.006563959790125944, 0.040396116151624716], abs=1e-12)

    def test_chamfer_and_fscore(self):  # compute_cd_and_f_score, its sampling replaced by these clouds
        rng = np.random.default_rng(5)
        near = nearest_distances(rng.normal(size=(10000, 3)) * 0.4, rng.normal(size=(10000, 3)) * 0.4 + 0.05)
        assert chamfer(near) == pytest.approx(0.09429592684294191, abs=1e-12)
        assert fscore(near, 0.1) == pytest.approx(0.94279844, abs=1e-6)
        assert fscore(near, 0.02) == pytest.approx(0.11029991, abs=1e-6)


def test_a_perfect_prediction():
    meshes = blobs(0)[:2]
    found = PartCrafter()(pair_of(meshes, meshes))
    assert found.scene["fscore"] == 1.0 and found.scene["voxel_iou"] == 1.0
    assert 0 < found.scene["cd"] < 0.06  # two samplings of one surface
    assert found.objects == ({}, {})


def test_distances_are_those_of_the_normalised_scene():
    """A plate of side 10 and one 1 above it: 0.2 apart where the longest side is 2."""
    low, high = box((10, 1e-3, 10)), box((10, 1e-3, 10), (0, 1, 0))
    found = PartCrafter(points=20000, num_grids=32)(pair_of([low], [high])).scene
    assert found["cd"] == pytest.approx(0.4, rel=2e-3)
    assert found["fscore"] == 0.0 and found["voxel_iou"] == 0.0
    assert PartCrafter(num_grids=32)(pair_of([low], [box((10, 1e-3, 10), (0, 0.45, 0))])).scene["fscore"] > 0.99


def test_moving_and_scaling_the_whole_pair_changes_nothing():
    gt, pred = blobs(0)[:2], blobs(1)[:2]
    S = transforms.similarity(np.eye(3), (3, -2, 5), 4.0)
    score = PartCrafter(num_grids=32)
    one = score(pair_of(gt, pred)).scene
    two = score(pair_of([m.transformed(S) for m in gt], [m.transformed(S) for m in pred])).scene
    assert two == pytest.approx(one, rel=1e-3)


def test_nothing_is_aligned():
    gt = blobs(0)[:2]
    moved = [m.transformed(transforms.rigid(np.eye(3), (0.5, 0, 0))) for m in gt]
    found = PartCrafter(num_grids=32)(pair_of(gt, moved)).scene
    assert found["fscore"] < 0.7 and found["voxel_iou"] < 0.6


def test_overlap_is_of_predicted_parts_only():
    """Two boxes of 12 x 8 x 8 pitches in a scene of 32, 6 apart: 13 voxels long each, 7 of them common."""
    frame = box((2, 0.5, 0.5))
    into = [box((0.75, 0.5, 0.5), (x, 0, 0)) for x in (0, 0.375)]
    apart = [box((0.75, 0.5, 0.5), (x, 0, 0)) for x in (-0.625, 0.625)]
    score = PartCrafter(points=200, num_grids=32)
    assert score(pair_of([frame, frame], into)).scene["overlap"] == pytest.approx(7 / 19, abs=1e-9)
    assert score(pair_of([frame, frame], apart)).scene["overlap"] == 0.0
    assert score(pair_of(into, apart)).scene["overlap"] == 0.0  # whatever the ground truth does


def test_missing_and_extra_objects():
    gt = [box((1, 1, 1), (x, 0, 0)) for x in (-1.5, 0, 1.5)]
    score = PartCrafter(num_grids=48)
    lacks = score(pair_of(gt, gt[:2], partners=(0, 1, None)))
    assert lacks.objects == ({}, {}, None)
    assert lacks.scene["voxel_iou"] == pytest.approx(2 / 3, abs=0.02)
    extra = score(pair_of(gt[:2], gt, partners=(0, 1)))
    assert extra.scene["voxel_iou"] == pytest.approx(2 / 3, abs=0.02)
    assert lacks.scene["fscore"] < 0.9 and extra.scene["fscore"] < 0.9


def test_nothing_predicted():
    found = PartCrafter()(pair_of(blobs(0)[:2], [], partners=(None, None)))
    assert found.scene == {"cd": None, "fscore": 0.0, "voxel_iou": 0.0, "overlap": None}
    assert found.objects == (None, None)
    assert {m.key for m in PartCrafter.measures} == set(found.scene)


@pytest.mark.parametrize(("size", "away"), [(10, 0), (4000, 0), (1, 1e6)])
def test_an_object_beyond_all_measure_is_not_voxelised(size, away):
    gt = [box((1, 1, 1), (x, 0, 0)) for x in (-1.5, 0, 1.5)]
    wild = box((4 * size,) * 3, (4 * away, 0, 0))
    start = time.process_time()
    for pair, note in (
        (pair_of(gt, [*gt, wild], partners=(0, 1, 2)), "1 of 4"),
        (pair_of(gt, [wild, *gt[1:]], partners=(0, 1, 2)), "1 of 3"),
    ):
        found = PartCrafter(points=2000)(pair)
        assert found.scene["voxel_iou"] == 0.0 and found.scene["overlap"] is None
        assert np.isfinite([found.scene["cd"], found.scene["fscore"]]).all()
        text = "predicted objects not voxelised, too large or too far away: voxel IoU is 0"
        assert found.notes == (f"{note} {text}",)
    assert time.process_time() - start < 3


def test_a_large_object_counts_with_its_voxels():
    """A plate 3 scenes long under three cubes; and the same far below, where the box of all is no longer voxelised."""
    gt = [box((1, 1, 1), (x, 0, 0)) for x in (-1.5, 0, 1.5)]
    found = PartCrafter(points=2000, num_grids=16)(pair_of(gt, [*gt, box((12, 0.01, 12), (0, -1, 0))], (0, 1, 2)))
    cubes, plate = 5 * 5 * 5, 49 * 49  # voxels, two cubes also touch the next layer
    assert found.scene["voxel_iou"] == pytest.approx(3 * cubes / (3 * cubes + plate), abs=0.02) and not found.notes
    far = PartCrafter(points=2000, num_grids=16)(pair_of(gt, [*gt, box((12, 0.01, 12), (0, -5000, 0))], (0, 1, 2)))
    assert far.scene["voxel_iou"] == found.scene["voxel_iou"] and not far.notes


def test_a_tiny_object_fills_one_voxel():
    gt = [box((1, 1, 1), (x, 0, 0)) for x in (-1.5, 0, 1.5)]
    found = PartCrafter(points=2000)(pair_of(gt, [*gt[:2], box((4e-6,) * 3, (1.5, 0, 0))]))
    assert found.scene["voxel_iou"] == pytest.approx(2 / 3, abs=0.01) and found.scene["overlap"] == 0.0


def test_one_flat_object():
    flat = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], faces=[[0, 1, 2], [0, 2, 3]])
    found = PartCrafter()(pair_of([flat], [flat])).scene
    assert found["fscore"] == 1.0 and found["voxel_iou"] == 1.0 and found["overlap"] is None


def test_equal_pairs_give_equal_scores_and_the_seed_counts():
    gt, pred = [box((1, 1, 1))], [box((1, 0.8, 0.9))]
    score = PartCrafter(num_grids=16)
    one, again = (score(pair_of(gt, pred)).scene for _ in range(2))
    other = score(pair_of(gt, pred, seed=3)).scene
    assert one == again
    assert one["cd"] != other["cd"] and one["cd"] == pytest.approx(other["cd"], rel=0.02)


def test_the_name_tells_the_settings():
    assert protocol("partcrafter").name == "partcrafter"
    assert protocol("partcrafter", points=500).name == "partcrafter@500"
    assert PartCrafter(num_grids=32).name == "partcrafter@32^3"
