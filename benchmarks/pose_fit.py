"""Poses by ``fit``: of the true meshes on scenes with ground truth, and of reliefs on photos.

    python -m benchmarks.pose_fit --scenes SCENES [--disturb none noise no-up ...] [--ground]
    python -m benchmarks.pose_fit --photos PHOTOS

SCENES holds scene folders (masks, K, depth and up given, unless disturbed), PHOTOS NAME.jpg with NAME_masks.png.
On scenes the meshes come without rotation. ADD-S is the mean distance of each true surface point to the placed
surface, over the longest side; the rotation error is the plain angle, without symmetries, so that a ball counts as
wrong; IoU-B is the mean box IoU along the axes of the true world, beside that of the box of the visible points alone.
With `ground-plane` the depth is estimated, and poses are first scaled by the median true over estimated depth.
On photos, with masks and estimated depth, IoU is that of each relief rendered alone at full size in its view with the
visible mask, hidden pixels left out; `bound` is the same where the generator itself puts the mesh.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial import KDTree

from scenemaker.deocclusion.views import cut_views
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.geometry.raycast import render
from scenemaker.pose.fit import ClosedFormFit
from scenemaker.scene import (
    DepthPrompt,
    Instance,
    Instances,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PointMap,
    Prompts,
)

Evidence = tuple[Instances, PointMap]


def noise(instances: Instances, points: PointMap) -> Evidence:
    """2 % of the depth, independent per pixel."""
    factor = 1 + 0.02 * np.random.default_rng(0).standard_normal((*instances.labels.shape, 1))
    return instances, replace(points, points_cam=(points.points_cam * factor).astype(np.float32))


def leaning(instances: Instances, points: PointMap) -> Evidence:
    """Gravity wrong by five degrees."""
    return instances, replace(points, up_cam=transforms.axis_angle([1, 0, 0.5], np.radians(5)) @ points.up_cam)


def billboard(instances: Instances, points: PointMap) -> Evidence:
    """Every object flat, at its median depth."""
    p = points.points_cam.copy()
    for item in instances:
        m = instances.mask(item.id)
        p[m] *= np.nanmedian(p[m, 2]) / p[m, 2:]
    return instances, replace(points, points_cam=p)


def hidden(share: float) -> Callable[[Instances, PointMap], Evidence]:
    """The right part of every object behind something at half its depth."""

    def disturb(instances: Instances, points: PointMap) -> Evidence:
        labels, p, front = instances.labels.copy(), points.points_cam.copy(), len(instances) + 1
        column = np.arange(labels.shape[1])[None]
        for item in instances:
            m = instances.mask(item.id)
            labels[m & (column > np.quantile(np.nonzero(m)[1], 1 - share))] = front
        p[labels == front] *= 0.5
        items = (*instances.items, Instance(id=front, name="front"))
        return replace(instances, labels=labels, items=items), replace(points, points_cam=p)

    return disturb


DISTURB: dict[str, Callable[[Instances, PointMap], Evidence]] = {
    "none": lambda i, p: (i, p),
    "noise": noise,
    "no-up": lambda i, p: (i, replace(p, up_cam=None)),
    "leaning-up": leaning,
    "billboard": billboard,
    "no-points": lambda i, p: (i, replace(p, points_cam=p.points_cam * np.float32(np.nan))),
    "hidden-40": hidden(0.4),
    "hidden-60": hidden(0.6),
    "ground-plane": lambda i, p: (i, p),  # needs the photo: estimated in ``on_scene``
}


def on_scene(folder: Path, disturb: str, ground: bool) -> list[tuple[float, ...]]:
    """ADD-S, rotation error in degrees, box IoU, that of the visible points, size ratio, seconds; per object."""
    scene = json.loads((folder / "scene.json").read_text())
    labels = np.asarray(Image.open(folder / "labels.png")).astype(np.uint16)
    seen = [i for i in range(1, 1 + len(scene["objects"])) if (labels == i).any()]
    photo = Photo(rgb=np.asarray(Image.open(folder / "rgb.png").convert("RGB")), K=np.array(scene["K"]))
    instances = Instances(labels=labels, items=tuple(Instance(id=i, name=str(i)) for i in seen))
    T_cam_world, up = np.array(scene["T_cam_world"]), np.array(scene["up_cam"])
    plane = np.array([*up, -up @ T_cam_world[:3, 3]]) if ground or disturb == "no-points" else None
    true_points = PointMap.from_depth(np.load(folder / "depth.npy"), photo.K, up_cam=up, ground_cam=plane)
    given, points = DISTURB[disturb](instances, true_points)
    unit = 1.0
    if disturb == "ground-plane":
        from scenemaker.perception.ground_plane import GroundPlane

        points = GroundPlane().estimate(photo, instances, DepthPrompt(K=photo.K))
        on = (labels > 0) & points.valid & true_points.valid
        unit = float(np.median(true_points.depth[on] / points.depth[on]))
    meshes = {}
    for i in seen:
        loaded = trimesh.load(folder / scene["objects"][i - 1]["mesh"], force="mesh", process=False)
        meshes[i] = Mesh(vertices=np.asarray(loaded.vertices), faces=np.asarray(loaded.faces))
    views = [v for v in cut_views(photo, given, points) if v.id in meshes]
    geometries = [ObjectGeometry(id=v.id, mesh=meshes[v.id]) for v in views]
    start = time.process_time()
    poses = ClosedFormFit().estimate_poses(photo, given, points, views, geometries, seed=0)
    seconds = (time.process_time() - start) / len(poses)
    rows = []
    for pose in poses:
        truth = scene["objects"][pose.id - 1]
        if not isinstance(pose, ObjectPose):
            rows.append((1.0, 180.0, 0.0, 0.0, 0.0, seconds))
            continue
        pose, mesh = pose.scaled(unit), meshes[pose.id]
        S_true = transforms.similarity(truth["R_cam_obj"], truth["t_cam_obj"], truth["scale"])
        surface = sample_surface(mesh, 4000)[0]
        ours, true = transforms.apply(pose.S_cam_obj(mesh.extents), surface), transforms.apply(S_true, surface)
        add_s = float(KDTree(ours).query(true[::4])[0].mean()) / max(truth["size"])
        angle = transforms.rotation_angle_deg(truth["R_cam_obj"], pose.R_cam_obj)
        visible = points.points_cam[given.mask(pose.id) & points.valid] * unit
        T_world_cam = transforms.invert(T_cam_world)
        boxes = [np.stack([q.min(0), q.max(0)]) for q in (transforms.apply(T_world_cam, p) for p in (ours, true))]
        iou_points = 0.0
        if len(visible):
            q = transforms.apply(T_world_cam, visible)
            iou_points = box_iou(np.stack([q.min(0), q.max(0)]), boxes[1])
        rows.append((add_s, angle, box_iou(*boxes), iou_points, (pose.scale or 0) / truth["scale"], seconds))
    return rows


def box_iou(a: F64, b: F64) -> float:
    """Of two axis-aligned boxes (2, 3)."""
    common = np.prod(np.maximum(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0))
    return float(common / (np.prod(a[1] - a[0]) + np.prod(b[1] - b[0]) - common))


def on_photo(path: Path) -> list[tuple[float, ...]]:
    """IoU of the fitted relief and of where its generator puts it, scale ratio of the two, seconds; per object."""
    from scenemaker.generation.relief import ReliefGenerator
    from scenemaker.inputs import load_photo
    from scenemaker.perception.ground_plane import GroundPlane
    from scenemaker.perception.masks import MaskFiles

    photo = load_photo(path)
    instances = MaskFiles().segment(photo, Prompts(masks=path.with_name(path.stem + "_masks.png")))
    points = GroundPlane().estimate(photo, instances, DepthPrompt())
    views = cut_views(photo, instances, points)
    placed = [ReliefGenerator().generate_placed(view) for view in views]
    start = time.process_time()
    poses = ClosedFormFit().estimate_poses(photo, instances, points, views, [g for g, _ in placed], seed=0)
    seconds = (time.process_time() - start) / len(poses)
    rows = []
    for view, (geometry, S), pose in zip(views, placed, poses, strict=True):
        if isinstance(pose, ObjectPose):
            S_fit = pose.S_cam_obj(geometry.mesh.extents)
            ratio = (pose.scale or 0) / float(np.cbrt(np.linalg.det(S[:3, :3])))
            rows.append((covers(geometry.mesh, S_fit, view), covers(geometry.mesh, S, view), ratio, seconds))
        else:
            rows.append((0.0, covers(geometry.mesh, S, view), 0.0, seconds))
    return rows


def covers(mesh: Mesh, S_cam_obj: F64, view: ObjectView) -> float:
    """IoU of a posed mesh with the visible mask of a view, hidden pixels left out."""
    drawn = render([mesh], [S_cam_obj], view.camera).index == 0
    union = view.mask_modal | (drawn & ~view.mask_hidden)
    return float((drawn & view.mask_modal).sum() / union.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, help="folder of scene folders")
    parser.add_argument("--photos", type=Path, help="folder of NAME.jpg and NAME_masks.png")
    parser.add_argument("--disturb", nargs="+", choices=DISTURB, default=["none"])
    parser.add_argument("--ground", action="store_true", help="give the ground plane, too")
    args = parser.parse_args()
    if args.scenes:
        print(
            "evidence      objects  ADD-S<2%  <5%  <10%   median  rot<15  IoU-B  (points)  size ratio 5-95 %   s/object"
        )
        folders = sorted(p.parent for p in args.scenes.glob("*/scene.json"))
        for name in args.disturb:
            a = np.array([row for folder in folders for row in on_scene(folder, name, args.ground)])
            shares = [float((a[:, 0] < limit).mean()) for limit in (0.02, 0.05, 0.10)]
            print(
                f"{name:13} {len(a):7d}  {shares[0]:8.3f} {shares[1]:.3f} {shares[2]:.3f}  {np.median(a[:, 0]):6.2%}"
                f"  {(a[:, 1] < 15).mean():6.3f}  {a[:, 2].mean():.3f}   {a[:, 3].mean():.3f}"
                f"    {np.percentile(a[:, 4], 5):.2f} - {np.percentile(a[:, 4], 95):.2f}      {a[:, 5].mean():.2f}"
            )
    if args.photos:
        a = np.array([row for photo in sorted(args.photos.glob("*.jpg")) for row in on_photo(photo)])
        print("objects  IoU mean   min  <0.95  bound mean   min   size ratio 5-95 %   s/object")
        print(
            f"{len(a):7d}     {a[:, 0].mean():.3f} {a[:, 0].min():.3f}   {(a[:, 0] < 0.95).sum():4d}"
            f"       {a[:, 1].mean():.3f} {a[:, 1].min():.3f}       {np.percentile(a[:, 2], 5):.3f} - "
            f"{np.percentile(a[:, 2], 95):.3f}      {a[:, 3].mean():.3f}"
        )


if __name__ == "__main__":
    main()
