"""The layout protocol: each number against a closed form or a brute-force computation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from scenemaker.evaluation.measures.symmetry import rotation_error_deg
from scenemaker.evaluation.measures.symmetry_search import symmetries_of
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.layout import Layout
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface

QUARTER = transforms.rigid(transforms.axis_angle([0, 1, 0], np.pi / 2), np.zeros(3))
CORNERS = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
QUADS = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])


def boxes(*sides_and_centres):
    """A mesh of boxes, each with its sides and its centre."""
    vertices = np.concatenate([CORNERS * sides + np.array(centre) for sides, centre in sides_and_centres])
    faces = np.concatenate([QUADS[:, [0, 1, 2]], QUADS[:, [0, 2, 3]]])
    return Mesh(vertices=vertices, faces=np.concatenate([faces + 8 * i for i in range(len(sides_and_centres))]))


CHAIR = normalise(
    boxes(((0.5, 0.06, 0.5), (0, 0, 0)), ((0.5, 0.5, 0.06), (0, 0.25, -0.22)), ((0.1, 0.4, 0.1), (0.15, -0.2, 0)))
)[0]
CUBE = boxes(((1, 1, 1), (0, 0, 0)))
SHEET = Mesh(
    vertices=np.array([[-0.5, 0, -0.3], [0.5, 0, -0.3], [0.5, 0, 0.3], [-0.5, 0, 0.3]]), faces=[[0, 1, 2], [0, 2, 3]]
)


def triangle_prism():
    """Its axis does not pass through the centre of its box."""
    ring = np.array([[np.cos(a), 0, np.sin(a)] for a in np.radians([0, 120, 240])])
    up = np.array([0, 0.6, 0])
    v = np.concatenate([ring - up, ring + up])
    f = [
        [0, 1, 2],
        [3, 5, 4],
        *[t for i in range(3) for t in ([i, i + 3, (i + 1) % 3], [(i + 1) % 3, i + 3, (i + 1) % 3 + 3])],
    ]
    return normalise(Mesh(vertices=v, faces=np.array(f)))[0]


def placed(i, mesh, S):
    return EvalObject(id=i, name=f"object {i}", mesh=mesh, S_frame_obj=S)


def scene(*objects):
    return EvalScene(name="s", path=Path("s"), objects=objects)


def pair_of(gt, pred, *, partners=None, S_world_pred=None):
    """A pair of objects in one frame; object i is the partner of i where nothing else is said."""
    partners = tuple(range(len(gt))) if partners is None else partners
    alignment = Alignment(S_world_pred=np.eye(4) if S_world_pred is None else S_world_pred, kind="none", text="")
    return ScenePair(name="s", gt=scene(*gt), pred=scene(*pred), partners=partners, alignment=alignment)


def row(mesh, S_pred, S_gt=None, pred_mesh=None):
    """What comes out for one object."""
    S_gt = PLACE if S_gt is None else S_gt
    gt, pred = placed(1, mesh, S_gt), placed(1, mesh if pred_mesh is None else pred_mesh, S_pred)
    scores = Layout()(pair_of([gt], [pred]))
    assert scores.scene == {}
    return scores.objects[0]


PLACE = transforms.similarity(Rotation.from_rotvec([0.3, -0.8, 0.4]).as_matrix(), [1.0, 2.0, 3.0], 0.7)
PERFECT = {
    "add_s": 0, "add_s_2": 1, "add_s_5": 1, "add_s_10": 1, "rotation_deg": 0, "rot_15": 1,
    "translation": 0, "size_ratio": 1, "size_log": 0, "iou_obb": 1,
}  # fmt: skip


@pytest.mark.parametrize("mesh", [CHAIR, CUBE, triangle_prism(), SHEET], ids=["chair", "cube", "prism", "sheet"])
def test_a_perfect_prediction(mesh):
    assert row(mesh, PLACE) == pytest.approx(PERFECT, abs=1e-5)


@pytest.mark.parametrize("mesh", [CHAIR, SHEET], ids=["chair", "sheet"])
def test_the_alignment_places_the_prediction(mesh):
    S = transforms.similarity(transforms.axis_angle([1, 2, 0], 0.7), [4, 5, 6], 3.0)
    gt, pred = placed(1, mesh, PLACE), placed(1, mesh, np.linalg.inv(S) @ PLACE)
    perfect = pytest.approx(PERFECT, abs=1e-5 if mesh is CHAIR else 5e-3)  # float32 over the thickness of a sheet
    assert Layout()(pair_of([gt], [pred], S_world_pred=S)).objects[0] == perfect
    T_world_cam = transforms.rigid(transforms.axis_angle([0, 1, 0], 1.0), [1, 0, 0])
    pair = pair_of([gt], [pred], S_world_pred=T_world_cam @ S)
    pair = replace(pair, gt=replace(pair.gt, frame="cam", T_world_frame=T_world_cam))
    assert Layout()(pair).objects[0] == perfect


@pytest.mark.parametrize("angle_deg", [5, 14.9, 15.1, 90, 180])
def test_rotation(angle_deg):
    got = row(CHAIR, PLACE @ transforms.rigid(transforms.axis_angle([1, 1, 0], np.radians(angle_deg)), np.zeros(3)))
    assert got["rotation_deg"] == pytest.approx(angle_deg, abs=1e-4)
    assert got["rot_15"] == (angle_deg <= 15)
    assert got["translation"] == pytest.approx(0, abs=1e-6)
    assert got["size_ratio"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("factor", [1.25, 0.8])
def test_size(factor):
    got = row(CHAIR, PLACE @ np.diag([factor, factor, factor, 1]))
    assert got["size_ratio"] == pytest.approx(1.25, abs=1e-6)
    assert got["size_log"] == pytest.approx(np.log(factor), abs=1e-6)
    assert got["iou_obb"] == pytest.approx(0.8**3, abs=1e-6)
    assert (got["rotation_deg"], got["translation"]) == pytest.approx((0, 0), abs=1e-4)


def test_translation_over_the_size_of_the_scene():
    far = transforms.rigid(np.eye(3), [10, 0, 0])
    gt = [placed(1, CUBE, np.eye(4)), placed(2, CHAIR, far)]
    pred = [placed(1, CUBE, transforms.rigid(np.eye(3), [0.5, 0, 0])), placed(2, CHAIR, far)]
    scores = Layout()(pair_of(gt, pred))
    size = 10 + 0.5 + CHAIR.extents[0] / 2
    assert scores.objects[0]["translation"] == pytest.approx(0.5 / size, abs=1e-6)
    assert scores.objects[0]["iou_obb"] == pytest.approx(0.5 / 1.5, abs=1e-6)
    assert scores.objects[1] == pytest.approx(PERFECT, abs=1e-5)
    assert scores.notes == ()


def test_add_s_against_all_distances():
    S = PLACE @ transforms.similarity(transforms.axis_angle([0, 1, 1], 0.5), [0.1, 0, 0.05], 1.1)
    gt, pred = (sample_surface(CHAIR.transformed(T), 6000, seed=s)[0] for T, s in ((PLACE, 1), (S, 2)))
    d = cdist(pred, gt)
    brute = (d.min(0).mean() + d.min(1).mean()) / 2 / 0.7  # the longest side is 0.7
    got = row(CHAIR, S)
    assert got["add_s"] == pytest.approx(brute, rel=0.03)
    assert [got[f"add_s_{k}"] for k in (2, 5, 10)] == [brute < 0.02, brute < 0.05, brute < 0.1]


@pytest.mark.parametrize(
    ("shift", "within"), [(0.019, (1, 1, 1)), (0.049, (0, 1, 1)), (0.09, (0, 0, 1)), (0.15, (0, 0, 0))]
)
def test_add_s_thresholds(shift, within):
    """A sheet lifted off itself: every distance is the shift."""
    got = row(SHEET, transforms.rigid(np.eye(3), [0, shift, 0]), np.eye(4))
    assert got["add_s"] == pytest.approx(shift, abs=1e-6)
    assert tuple(got[f"add_s_{k}"] for k in (2, 5, 10)) == within


def test_a_sheet_counts_as_a_thousandth_thick():
    got = row(SHEET, transforms.rigid(np.eye(3), [0, 1e-4, 0]), np.eye(4))
    assert got["iou_obb"] == pytest.approx(0.9 / 1.1, abs=1e-3)


@pytest.mark.parametrize(
    ("mesh", "g"), [(CUBE, QUARTER), (CUBE, QUARTER @ np.diag([1, -1, -1, 1])), (SHEET, np.diag([-1, 1, -1, 1.0]))]
)
def test_equal_poses_of_symmetric_objects(mesh, g):
    got = row(mesh, PLACE @ g)
    assert got["rotation_deg"] < 1
    assert got["add_s"] < 0.01  # the spacing of the points
    assert got["translation"] < 0.01
    assert got["iou_obb"] > 0.9 if mesh is CUBE else got["iou_obb"] > 0.3  # a sheet is thinner than the turn's error


def test_an_axis_off_the_centre_of_the_box():
    prism = triangle_prism()
    centroid = np.array([-prism.extents[0] / 6, 0, 0])
    third = transforms.rigid(transforms.axis_angle([0, 1, 0], 2 * np.pi / 3), np.zeros(3))
    c = transforms.rigid(np.eye(3), centroid)
    got = row(prism, PLACE @ c @ third @ np.linalg.inv(c))
    assert got["rotation_deg"] < 1
    assert got["translation"] < 0.01
    assert got["iou_obb"] > 0.93
    assert got["add_s"] < 0.01


def test_two_objects_that_look_the_same_may_be_swapped():
    """Matching decides who is whose partner; the canonical shapes are then the same."""
    there = PLACE @ transforms.rigid(np.eye(3), [2, 0, 0])
    gt = [placed(1, CHAIR, PLACE), placed(2, CHAIR, there)]
    scores = Layout()(pair_of(gt, [gt[1], gt[0]], partners=(1, 0)))
    assert scores.objects == (pytest.approx(PERFECT, abs=1e-5),) * 2


def test_scales_per_axis_belong_to_the_shape():
    """A cube stretched along three axes is a brick: a quarter of a turn is an error of 90 degrees."""
    stretched = PLACE @ np.diag([1, 0.6, 0.35, 1])
    assert row(CUBE, stretched, stretched) == pytest.approx(PERFECT, abs=1e-5)
    got = row(CUBE, PLACE @ QUARTER @ np.diag([1, 0.6, 0.35, 1]), stretched)
    assert got["rotation_deg"] == pytest.approx(90, abs=1e-3)
    half = PLACE @ QUARTER @ QUARTER @ np.diag([1, 0.6, 0.35, 1])
    assert row(CUBE, half, stretched)["rotation_deg"] < 1


def test_shear_and_mirror_images_are_measured():
    shear = np.eye(4)
    shear[0, 1] = 0.3
    assert row(CHAIR, PLACE @ shear, PLACE @ shear) == pytest.approx(PERFECT, abs=1e-5)
    mirrored = PLACE @ np.diag([-1, 1, 1, 1.0])
    assert row(CHAIR, mirrored, mirrored) == pytest.approx(PERFECT, abs=1e-5)
    throne = boxes(((1, 0.1, 0.8), (0, 0, 0)), ((1, 0.8, 0.1), (0, 0.4, -0.35)))  # its mirror image in x is itself
    got = row(throne, PLACE @ np.diag([-1, 1, 1, 1.0]))
    assert got["rotation_deg"] < 2
    assert got["iou_obb"] > 0.9


def test_notes_tell_of_mirrored_and_sheared_places():
    shear, mirror = np.eye(4), np.diag([-1, 1, 1, 1.0])
    shear[0, 1] = 0.3
    even = np.diag([1, 2, 0.5, 1])  # unequal scales are no shear
    gt = [placed(1, CHAIR, PLACE @ mirror), placed(2, CHAIR, PLACE), placed(3, CUBE, PLACE @ even)]
    pred = [placed(1, CHAIR, PLACE @ mirror), placed(2, CHAIR, PLACE @ mirror), placed(3, CUBE, PLACE @ shear)]
    notes = Layout()(pair_of(gt, pred)).notes
    assert notes[-3:] == (
        "2 of 3 predicted objects mirrored by their placement, which counts as shape",
        "1 of 3 predicted objects sheared by their placement, which counts as shape",
        "1 of 3 true objects mirrored by their placement, which counts as shape",
    )
    assert Layout()(pair_of(gt[1:], gt[1:])).notes == ()


def other_mesh(mesh, seed):
    """The same shape as another system makes it: own frame, own size, a little rough; and the way back."""
    rng = np.random.default_rng(seed)
    T = transforms.similarity(Rotation.random(rng=rng).as_matrix(), rng.normal(size=3), rng.uniform(0.2, 3))
    rough = replace(mesh, vertices=mesh.vertices + rng.normal(size=mesh.vertices.shape).astype(np.float32) * 0.002)
    return rough.transformed(T), np.linalg.inv(T)


@pytest.mark.parametrize("angle_deg", [0, 20, 70, 180])
def test_other_meshes_are_registered(angle_deg):
    turn = transforms.rigid(transforms.axis_angle([0, 1, 0], np.radians(angle_deg)), np.zeros(3))
    mesh, S_obj_other = other_mesh(CHAIR, seed=angle_deg)
    gt, pred = placed(1, CHAIR, PLACE), placed(1, mesh, PLACE @ turn @ S_obj_other)
    scores = Layout()(pair_of([gt], [pred]))
    got = scores.objects[0]
    assert scores.notes == ("1 of 1 rotations are by registration: these meshes are not the ground truth's",)
    assert got["rotation_deg"] == pytest.approx(angle_deg, abs=4 if angle_deg == 180 else 1.5)  # 178 beyond is 182
    assert got["size_ratio"] == pytest.approx(1, abs=0.03)
    assert got["translation"] < 0.02
    if angle_deg < 180:  # the box turns with the prediction, not against it
        assert got["iou_obb"] == pytest.approx(row(CHAIR, PLACE @ turn)["iou_obb"], abs=0.06)
    if not angle_deg:
        assert got["iou_obb"] > 0.9
        assert got["add_s"] < 0.01


WARTED = boxes(((0.3, 1, 0.1), (0, 0, 0)), ((0.14, 0.14, 0.14), (0.22, 0.43, 0)))  # half turns fit to 0.7 % of its side


def baked(mesh, S, axis=(0, 1, 0), angle_deg=0.0, *, shuffled=False):
    """The placed mesh turned about the centre of its box, its vertices in ``world`` as most systems write them."""
    there = mesh.transformed(S)
    c = there.bounds.mean(0)
    R = transforms.axis_angle(axis, np.radians(angle_deg))
    turned = there.transformed(transforms.rigid(R, c - R @ c))
    faces = np.random.default_rng(0).permutation(turned.faces) if shuffled else turned.faces
    return replace(turned, faces=faces)


@pytest.mark.parametrize("shuffled", [False, True], ids=["alike", "shuffled"])
@pytest.mark.parametrize("mesh", [CHAIR, WARTED], ids=["chair", "warted"])
@pytest.mark.parametrize("angle_deg", [0, 20, 45, 150])
def test_baked_meshes_turned_read_what_they_were_turned_by(mesh, angle_deg, shuffled):
    """Half turns of the warted bar are no symmetries but fit nearly as well; the smaller of both would flatter."""
    axis = np.random.default_rng(angle_deg).normal(size=3)
    got = row(mesh, np.eye(4), pred_mesh=baked(mesh, PLACE, axis, angle_deg, shuffled=shuffled))
    assert got["rotation_deg"] == pytest.approx(angle_deg, abs=0.3 if shuffled else 0.05)


@pytest.mark.parametrize("angle_deg", [0.5, 3])
def test_small_turns_of_baked_meshes_show(angle_deg):
    """Both frames are the world's, and the shapes are nearly one: that does not make the turn go away."""
    got = row(WARTED, np.eye(4), np.eye(4), pred_mesh=baked(WARTED, np.eye(4), [1, 2, 0], angle_deg))
    assert got["rotation_deg"] == pytest.approx(angle_deg, abs=0.05)


def test_another_frame_of_a_symmetric_mesh():
    """Registered, up to symmetries: the frame of the predicted cube is turned by a quarter, then by ten degrees."""
    mesh, S_obj_other = other_mesh(CUBE, seed=3)
    ten = transforms.rigid(transforms.axis_angle([1, 0, 0], np.radians(10)), np.zeros(3))
    assert row(CUBE, PLACE @ ten @ QUARTER @ S_obj_other, pred_mesh=mesh)["rotation_deg"] == pytest.approx(10, abs=1.5)


def test_missing_and_extra_objects():
    gt = [placed(1, CHAIR, PLACE), placed(2, CUBE, np.eye(4)), placed(3, CHAIR, np.eye(4))]
    failed = EvalObject(id=9, name="failed", mesh=None, S_frame_obj=None, status="skipped")
    scores = Layout()(pair_of(gt, [failed, gt[0], gt[1]], partners=(1, None, 0)))
    assert scores.objects[0] == pytest.approx(PERFECT, abs=1e-5)
    assert scores.objects[1:] == (None, None)
    none = Layout()(pair_of(gt, [], partners=(None, None, None)))
    assert none.objects == (None, None, None)
    assert none.notes == ()


def test_what_a_missing_object_counts_as():
    worst = {m.key: m.missing for m in Layout.measures}
    assert worst == {
        "add_s": None, "add_s_2": 0, "add_s_5": 0, "add_s_10": 0, "rotation_deg": 180, "rot_15": 0,
        "translation": None, "size_ratio": None, "iou_obb": 0,
    }  # fmt: skip
    assert [m.title for m in Layout.measures] == [
        "ADD-S", "<2%", "<5%", "<10%", "rot deg", "<15deg", "trans", "size x", "IoU-OBB",
    ]  # fmt: skip
    assert {m.pool for m in Layout.measures} == {"objects"}
    assert {m.level for m in Layout.measures} == {"object"}


def test_names_and_repeated_runs():
    assert protocol("layout").name == "layout"
    assert protocol("layout", points=500).name == "layout@500"
    S = PLACE @ transforms.rigid(transforms.axis_angle([0, 1, 1], 0.5), [0.1, 0, 0])
    assert row(CHAIR, S) == row(CHAIR, S)


SCENES = Path(__file__).resolve().parents[3] / "shared" / "scenes"


def test_a_turned_scene_of_baked_meshes():
    """Of the first scene at hand (its bear trap is nearly symmetric), else of one made here."""
    from scenemaker.evaluation.reading import read_scene

    found = sorted(p.parent for p in SCENES.glob("*/scene.json"))[:1]
    made = scene(placed(1, CHAIR, PLACE), placed(2, WARTED, np.eye(4)))
    gt = read_scene(found[0]) if found else made
    pred = [
        placed(o.id, baked(o.mesh, gt.T_world_frame @ o.S_frame_obj, (0, 1, 0), 45, shuffled=True), np.eye(4))
        for o in gt.objects
    ]
    pair = replace(pair_of(gt.objects, pred), gt=gt)
    for item, got in zip(gt.objects, Layout()(pair).objects, strict=True):
        U, _, Vt = np.linalg.svd((gt.T_world_frame @ item.S_frame_obj)[:3, :3])
        turn = transforms.axis_angle([0, 1, 0], np.radians(45))
        expected = rotation_error_deg(turn @ U @ Vt, U @ Vt, symmetries_of(item.mesh))
        assert got["rotation_deg"] == pytest.approx(expected, abs=0.5)


def test_the_truth_of_a_scene_folder_is_perfect():
    """Of the first scene at hand, else of one made here."""
    from scenemaker.evaluation.reading import read_scene

    found = sorted(p.parent for p in SCENES.glob("*/scene.json"))[:1]
    gt = read_scene(found[0]) if found else scene(placed(1, CHAIR, PLACE), placed(2, CUBE, np.eye(4)))
    pair = pair_of(gt.objects, gt.objects, S_world_pred=gt.T_world_frame)
    pair = replace(pair, gt=gt)
    for got in Layout()(pair).objects:
        assert got == pytest.approx(PERFECT, abs=1e-4)
