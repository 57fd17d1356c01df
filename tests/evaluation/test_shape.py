"""The protocol ``shape`` against closed forms and the measures it is made of; objects beyond all measure everywhere."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from scenemaker.evaluation.measures.points import chamfer_squared, fscore, nearest_distances
from scenemaker.evaluation.measures.rigid import icp
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.shape import Shape
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import raycast, transforms
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.filterwarnings("error")


def box(*extents) -> Mesh:
    out = trimesh.creation.box(extents)
    return Mesh(vertices=out.vertices, faces=out.faces)


def asymmetric() -> Mesh:
    block = trimesh.creation.box((0.35, 0.4, 0.45))
    block.apply_translation((0.41, 0.33, 0.17))
    both = trimesh.util.concatenate([trimesh.creation.box((1, 0.57, 0.31)), block])
    return Mesh(vertices=both.vertices, faces=both.faces)


def placed(x=0.0, scale=1.0, angle_deg=0.0):
    return transforms.similarity(transforms.axis_angle((1, 2, 3), np.radians(angle_deg)), (x, 0, 0), scale)


def pair_of(gt, pred, partners=None) -> ScenePair:
    """Both as lists of (mesh, S)."""

    def scene(items):
        objects = [EvalObject(id=i, name=f"o{i}", mesh=m, S_frame_obj=S) for i, (m, S) in enumerate(items, 1)]
        return EvalScene(name="s", path=Path("s"), objects=tuple(objects))

    return ScenePair(
        name="s",
        gt=scene(gt),
        pred=scene(pred),
        partners=tuple(range(len(gt))) if partners is None else partners,
        alignment=Alignment(S_world_pred=np.eye(4), kind="none", text=""),
    )


def score(gt, pred, points=3000):
    return Shape(points=points)(pair_of([gt], [pred])).objects[0]


def test_place_size_and_a_turn_that_icp_undoes_cost_no_shape():
    still = score((asymmetric(), placed()), (asymmetric(), placed()))
    found = score((asymmetric(), placed()), (asymmetric(), placed(0.3, 1.4, 5)))
    assert found["cd_shape"] < 2 * still["cd_shape"] and found["f_shape"] > 0.99
    assert found["volume_iou"] > 0.85 and found["volume_iou_placed"] < 0.3
    assert still["volume_iou"] > 0.99 and still["volume_iou_placed"] == 1.0


def test_proportions_count():
    """With the longest side 2 a cube and a box of 2 x 5/3 x 5/3 in it; as they stand the cube is in the box."""
    found = score((box(2, 2, 2), placed()), (box(2.4, 2, 2), placed()))
    assert found["volume_iou"] == pytest.approx(25 / 36, abs=0.03)
    assert found["volume_iou_placed"] == pytest.approx(1 / 1.2, abs=0.02)


def test_distances_word_by_word():
    pair = pair_of([(asymmetric(), placed())], [(box(1, 0.6, 0.4), placed(0.1, 1.2, 5))])
    found = Shape(points=500)(pair).objects[0]
    p, g = pair.clouds(500).pred[0], pair.clouds(500).gt[0]
    (p, g) = (
        (x - m.bounds.mean(0)) * 2 / m.extents.max() for x, m in ((p, pair.pred_meshes[0]), (g, pair.gt_meshes[0]))
    )
    near = nearest_distances(icp(p, g).moved, g)
    assert found["cd_shape"] == pytest.approx(chamfer_squared(near), abs=1e-9)
    assert found["f_shape"] == pytest.approx(fscore(near, 0.1), abs=1e-9)


def test_missing_extra_and_flat_objects():
    flat = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], faces=[[0, 1, 2], [0, 2, 3]])
    gt = [(box(1, 1, 1), placed()), (flat, placed(3))]
    found = Shape(points=500)(pair_of(gt, [(flat, placed(3)), (flat, placed(9))], (None, 0))).objects
    assert found[0] is None
    assert found[1]["volume_iou"] is None and found[1]["volume_iou_placed"] is None and found[1]["f_shape"] > 0.95
    assert {m.key: m.missing for m in Shape.measures} == {
        "cd_shape": None,
        "f_shape": 0.0,
        "volume_iou": 0.0,
        "volume_iou_placed": 0.0,
    }


def test_one_search_tree_for_each_side(monkeypatch):
    built, init = [], raycast.RayCaster.__init__
    monkeypatch.setattr(raycast.RayCaster, "__init__", lambda self, meshes: (built.append(1), init(self, meshes))[1])
    score((asymmetric(), placed()), (asymmetric(), placed(0.3)))
    assert len(built) == 2


def test_the_name_tells_the_points():
    assert protocol("shape").name == "shape" and protocol("shape", points=500).name == "shape@500"


WILD = {"1000 scenes large": placed(1.3, 4000), "a millionth": placed(1.3, 1e-6), "a million away": placed(1.3e6)}
POINTS = {
    "midi": 500, "midi-fast": 500, "midi-published": 300, "scenemaker": 500, "scenemaker-published": 300,
    "scenemaker-validation": 500, "scenegen": 500, "gen3dsr": 3000, "partcrafter": 1000, "sam3d": 1000, "shape": 500,
}  # fmt: skip


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("wild", WILD)
@pytest.mark.parametrize("name", POINTS)
def test_an_object_beyond_all_measure_has_finite_scores(name, wild, extra):
    gt = [(asymmetric(), placed(x)) for x in (0, 1.3, 2.6)]
    pred = [*gt, (asymmetric(), WILD[wild])] if extra else [gt[0], (asymmetric(), WILD[wild]), gt[2]]
    found = protocol(name, points=POINTS[name])(pair_of(gt, pred, (0, 1, 2)))
    values = [v for row in (found.scene, *found.objects) for v in (row or {}).values() if v is not None]
    assert values and np.isfinite(values).all()
    sane = protocol(name, points=POINTS[name])(pair_of(gt, gt))
    if extra:  # the objects do not feel it
        boxes = ("iou_b", "iou_b_objects")  # they are compared after the whole scene was normalised or registered
        for one, other in zip(found.objects, sane.objects, strict=True):
            alone = {k: v for k, v in other.items() if k not in boxes}
            assert {k: v for k, v in one.items() if k not in boxes} == pytest.approx(alone, abs=0.01)
    else:
        assert found != sane
