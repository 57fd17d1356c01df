"""Ground truth scores perfectly: on a made scene always, on path-traced ones where they are at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from scenemaker.artefacts import read_png
from scenemaker.evaluation.selfcheck import check_scene
from scenemaker.export.glb_reader import read_object_glb
from scenemaker.scene import Instance, Instances, ObjectPose, Photo, PlacedObject, PointMap
from scenemaker.testing.samples import make_sample

SCENES = sorted((Path(__file__).resolve().parents[3] / "shared" / "scenes").glob("[0-9][0-9]"))[::5]


@pytest.mark.parametrize("folder", ["made", *SCENES], ids=lambda p: getattr(p, "name", p))
def test_ground_truth_scores_perfectly(folder, tmp_path):
    if folder == "made":
        folder = make_sample(3, width=240, height=160).scene.save(tmp_path)
    data = json.loads((folder / "scene.json").read_text())
    K, T = np.array(data["K"]), np.array(data["T_cam_world"])
    ground = np.array([*T[:3, 1], -T[:3, 1] @ T[:3, 3]])
    point_map = PointMap.from_depth(np.load(folder / "depth.npy"), K, up_cam=ground[:3], ground_cam=ground)
    objects = []
    for id, o in enumerate(data["objects"], start=1):
        pose = ObjectPose(id=id, **{k: o[k] for k in ("R_cam_obj", "t_cam_obj", "size", "scale")})
        objects.append(PlacedObject(id=id, name=o["name"], mesh=read_object_glb(folder / o["mesh"]), pose=pose))
    scores = check_scene(
        objects,
        Photo(rgb=read_png(folder / "rgb.png")[..., :3]),
        Instances(
            labels=read_png(folder / "labels.png").astype(np.uint16),
            items=tuple(Instance(id=o.id, name=o.name) for o in objects),
        ),
        point_map,
    )
    assert scores.mask_iou > 0.99
    assert scores.depth_error < 1e-3
    assert all(abs(o.floating) < 1e-3 and o.support == "ground" for o in scores.objects)
