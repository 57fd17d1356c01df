"""A prediction beside its ground truth, from files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from scenemaker.errors import InputError
from scenemaker.evaluation.pairing import check_ground_truth, make_pair
from scenemaker.evaluation.reading import read_scene
from scenemaker.geometry import transforms
from scenemaker.testing import make_sample

SHARED = Path(__file__).resolve().parents[3] / "shared" / "scenes"


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return make_sample(4).scene.save(tmp_path_factory.mktemp("made") / "made")


@pytest.fixture(scope="module")
def gt(path):
    return read_scene(path)


def gone(item):
    return replace(item, mesh=None, S_frame_obj=None, status="skipped")


def home(pair, atol=1e-5):
    """Every partner lies on its ground truth."""
    for mesh, true in zip(pair.pred_meshes, pair.gt_meshes, strict=True):
        if mesh is not None:
            np.testing.assert_allclose(mesh.bounds, true.bounds, atol=atol * pair.scene_size)


def test_a_scene_against_itself(gt):
    pair = make_pair(gt, gt, seed=5)
    assert pair.partners == (0, 1, 2, 3) and pair.extra_meshes == () and (pair.name, pair.seed) == ("made", 5)
    assert (pair.alignment.kind, pair.alignment.text) == ("none", "objects by mask; same K, metric")
    home(pair, 0)
    assert make_pair(gt, gt, name="other").name == "other"


def test_permuted_missing_extra_and_failed_objects(gt):
    a, b, c, d = gt.objects
    pair = make_pair(gt, replace(gt, objects=(d, b, a, c)))
    assert pair.partners == (2, 1, 3, 0)
    home(pair, 0)
    pair = make_pair(gt, replace(gt, objects=(d, gone(b), a)))
    assert pair.partners == (2, 1, None, 0)  # the failed one keeps its mask
    assert [m is None for m in pair.pred_meshes] == [False, True, True, False]
    twice = replace(a, id=9, name="again")
    pair = make_pair(gt, replace(gt, objects=(a, b, c, d, twice)))
    assert pair.partners == (0, 1, 2, 3) and len(pair.extra_meshes) == 1


@pytest.mark.parametrize("match", ["id", "name", "mask", "geometry"])
def test_every_way_to_match_gives_the_same_pairs(gt, match):
    order = [2, 0, 3, 1]
    pair = make_pair(gt, replace(gt, objects=tuple(gt.objects[k] for k in order)), match=match)
    assert pair.partners == tuple(order.index(k) for k in range(4))
    assert pair.alignment.text.startswith(f"objects by {match}; ")
    home(pair, 0)


def test_our_scene_glb_against_the_folder(gt, path):
    pair = make_pair(gt, read_scene(path / "scene.glb"))
    assert pair.partners == (0, 1, 2, 3) and pair.alignment.kind == "similarity"
    home(pair)


@pytest.mark.parametrize("up", ["y", "z"])
def test_a_foreign_glb_against_the_folder(gt, tmp_path, up):
    axes = np.eye(3) if up == "y" else np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    S = transforms.similarity(axes @ transforms.axis_angle([0, 1, 0], 0.8), [3, 1, 2], 3.7)
    scene = trimesh.Scene()
    for o in reversed(gt.objects):
        scene.add_geometry(
            trimesh.Trimesh(o.mesh.vertices, o.mesh.faces, process=False),
            transform=S @ gt.T_world_frame @ o.S_frame_obj,
        )
    scene.export(tmp_path / "a.glb")
    pair = make_pair(gt, read_scene(tmp_path / "a.glb"))
    assert pair.partners == (3, 2, 1, 0)
    assert pair.alignment.text.startswith("objects by geometry; ")
    assert ("z up: turned to y up" in pair.alignment.text) == (up == "z")
    home(pair, 1e-3)


def test_a_folder_of_parts_against_the_folder(gt, tmp_path):
    S = transforms.similarity(transforms.axis_angle([0, 1, 0], 2.0), [0, 0, 1], 0.5)
    for k, o in enumerate(gt.objects[1:]):
        mesh = o.mesh.transformed(S @ gt.T_world_frame @ o.S_frame_obj)
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(tmp_path / f"part_{k:02}.glb")
    trimesh.creation.box().export(tmp_path / "object.glb")
    pair = make_pair(gt, read_scene(tmp_path))
    assert pair.partners == (None, 0, 1, 2)
    home(pair, 1e-3)


def test_known_partners_lead_the_alignment(tmp_path):
    """Three equal cubes around a centre: by shape alone the turn by a third cannot be told."""
    words, files = ("chair", "table", "lamp"), {}
    for side, first in (("gt", 0.0), ("pred", 2 * np.pi / 3)):
        scene = trimesh.Scene()
        for k, word in enumerate(words):
            turn = trimesh.transformations.rotation_matrix(first + 2 * np.pi * k / 3, [0, 1, 0])
            place = turn @ trimesh.transformations.translation_matrix([1, 0, 0])
            scene.add_geometry(trimesh.creation.box((0.3, 0.3, 0.3)), node_name=word, geom_name=word, transform=place)
        scene.export(tmp_path / f"{side}.glb")
        files[side] = read_scene(tmp_path / f"{side}.glb")
    pair = make_pair(files["gt"], files["pred"])
    assert [files["pred"].objects[k].name for k in pair.partners] == [o.name for o in files["gt"].objects]
    assert pair.alignment.text.startswith("objects by name; similarity, scale 1, ")
    home(pair, 1e-3)


@pytest.mark.parametrize("match", ["auto", "geometry"])
def test_no_predicted_object_placed_is_a_pair_without_partners(gt, match):
    nothing = replace(gt, objects=tuple(map(gone, gt.objects)))
    for pred in (nothing, replace(gt, objects=()), replace(nothing, scene=None, frame="world")):
        pair = make_pair(gt, pred, match=match, align="similarity")
        assert pair.alignment.kind == "none" and pair.pred_meshes == (None,) * 4 and pair.extra_meshes == ()
        assert pair.clouds(50).scene_pred.shape == (0, 3)


def refuse(gt, pred):
    """What both say of ground truth that cannot be used."""
    with pytest.raises(InputError) as alone:
        check_ground_truth(gt)
    with pytest.raises(InputError) as caught:
        make_pair(gt, pred, match="id", align="none")
    assert str(caught.value) == str(alone.value)
    return str(alone.value)


def test_ground_truth_must_be_whole(gt):
    check_ground_truth(gt)
    told = refuse(replace(gt, objects=()), gt)
    assert told == f"expected ground truth with objects; got none in {gt.path}; leave the scene out"
    bad = replace(gone(gt.objects[1]), notices=("its mesh is empty",))
    told = f"got object_2 of {gt.path}: its mesh is empty; mend it"
    damaged = replace(gt, objects=(gt.objects[0], bad))
    assert refuse(damaged, gt) == f"expected ground truth whose objects all have a mesh; {told}"
    assert make_pair(gt, damaged).pred_meshes[1] is None  # of a prediction it is a missing object


def real_scenes():
    """Two path-traced scenes where they are at hand, else made ones."""
    return sorted(SHARED.glob("*/scene.json"))[3:14:6] or [None]


@pytest.mark.parametrize("file", real_scenes())
def test_real_shapes_come_home_resampled(file, tmp_path):
    path = make_sample(5).scene.save(tmp_path / "made") if file is None else file.parent
    gt = read_scene(path)
    rng = np.random.default_rng(0)
    S = transforms.similarity(transforms.axis_angle([0, 1, 0], 4.0), [1, 2, 3], 0.3)
    scene, order = trimesh.Scene(), rng.permutation(len(gt.objects))
    for k in order:
        o = gt.objects[k]
        fine = trimesh.Trimesh(o.mesh.vertices, o.mesh.faces, process=False).subdivide()
        fine.faces = fine.faces[rng.permutation(len(fine.faces))]  # so that other points are drawn
        scene.add_geometry(fine, transform=S @ gt.T_world_frame @ o.S_frame_obj)
    scene.export(tmp_path / "a.glb")
    pair = make_pair(gt, read_scene(tmp_path / "a.glb"))
    assert [order[k] for k in pair.partners] == list(range(len(order)))
    home(pair, 0.01)
