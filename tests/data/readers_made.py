"""A scene made here, rendered by our own ray caster, written as the public data sets have theirs."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenemaker.data.types import SceneSample
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface
from scenemaker.geometry.raycast import RayCaster, Rendering

W, H = 88, 60
GL = np.diag([1.0, -1.0, -1.0, 1.0])
HOUSE, ROOM = "0a8d471a-2587-458a-9214-586e003e9cf9", "Hallway-1213"
UUID = "0002c6eafa154e8bb08ebafb715a8d46"


def box(*sides: float) -> Mesh:
    v = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * np.array(sides) / 2
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(vertices=v, faces=np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]))


def ellipsoid(*sides: float) -> Mesh:
    rows, columns = 13, 24  # poles and the four sides are vertices: the box is exact
    a, b = np.meshgrid(np.linspace(0, np.pi, rows), np.arange(columns) * 2 * np.pi / columns, indexing="ij")
    v = np.stack([np.sin(a) * np.cos(b), np.cos(a), np.sin(a) * np.sin(b)], -1).reshape(-1, 3) * np.array(sides) / 2
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    p, q = i * columns + j, i * columns + (j + 1) % columns
    down = columns
    faces = np.concatenate([np.stack([p, q, p + down], -1), np.stack([q, q + down, p + down], -1)]).reshape(-1, 3)
    mesh = Mesh(vertices=v, faces=faces)
    corners = mesh.triangles
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Mesh(vertices=mesh.vertices, faces=mesh.faces[area > 1e-6])  # none at the poles


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """Objects in a world with y up, ground y = 0, and cameras around; ``points_obj`` contain the boxes' corners."""

    meshes: tuple[Mesh, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    R_world_obj: NDArray[np.float64]
    t_world_obj: NDArray[np.float64]
    size: NDArray[np.float64]
    points_obj: NDArray[np.float32]
    cameras: tuple[Camera, ...]

    @property
    def scale(self) -> NDArray[np.float64]:
        return self.size.max(1)

    def view(self, i: int, *, ground: bool = True) -> Rendering:
        """``index`` is the object; the ground is ``len(names)``."""
        return rendered(self, i, ground)


@cache
def rendered(scene: Made, i: int, ground: bool) -> Rendering:
    S = [
        transforms.similarity(R, t, s)
        for R, t, s in zip(scene.R_world_obj, scene.t_world_obj, scene.scale, strict=True)
    ]
    floor = box(7, 0.02, 7)  # ends within the pictures: there is background
    meshes, poses = (*scene.meshes, floor), [*S, transforms.similarity(np.eye(3), [0, -0.01, 0])]
    n = len(meshes) if ground else len(scene.meshes)
    return RayCaster(meshes[:n], poses[:n]).render(scene.cameras[i])


@cache
def made(seed: int = 0, views: int = 3, n: int = 3) -> Made:
    rng = np.random.default_rng(seed)
    shapes = [normalise(m)[0] for m in (box(1.0, 0.6, 0.8), ellipsoid(0.7, 1.0, 0.5), box(0.5, 1.0, 0.4))[:n]]
    R = np.stack([transforms.axis_angle(rng.normal(size=3), rng.uniform(0.2, 1.2)) for _ in shapes])
    angle = 2 * np.pi * np.arange(n) / n
    t = np.stack([0.75 * np.cos(angle), rng.uniform(0.8, 1.0, n), 0.75 * np.sin(angle)], 1)
    scale = rng.uniform(0.8, 1.1, n)
    clouds = []
    for mesh in shapes:
        p, face = sample_surface(mesh, 2000, seed=seed)
        a, b, c = np.moveaxis(mesh.triangles, 1, 0)
        normal = np.cross(b - a, c - a)
        normal *= np.sign((normal * (a + b + c)).sum(1, keepdims=True))  # outwards: all are convex about the origin
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        ends = np.concatenate([mesh.triangles[:, k] for k in range(3)])  # so that the box of the cloud is exact
        pick = np.r_[ends.argmin(0), ends.argmax(0)]
        clouds.append(np.concatenate([np.c_[p, normal[face]], np.c_[ends, np.tile(normal, (3, 1))][pick]]))
    cameras = []
    for k in range(views):
        yaw = 0.4 + 2 * np.pi * k / views
        eye = np.array([3.2 * np.sin(yaw), 2.3, 3.2 * np.cos(yaw)])
        z = transforms.unit(np.array([0, 0.8, 0]) - eye)
        x = transforms.unit(np.cross(z, [0, 1, 0]))
        R_cam = np.stack([x, np.cross(z, x), z])
        f = 1.25 * W
        K = np.array([[f, 0, W / 2], [0, f, H / 2], [0, 0, 1]])
        cameras.append(Camera(K=K, width=W, height=H, T_cam_world=transforms.rigid(R_cam, -R_cam @ eye)))
    return Made(
        meshes=tuple(shapes),
        names=tuple(f"{seed:08d}{k:024x}" for k in range(n)),
        labels=("table", "chair", "bookshelf")[:n],
        R_world_obj=R,
        t_world_obj=t,
        size=np.stack([m.extents * s for m, s in zip(shapes, scale, strict=True)]),
        points_obj=np.stack(clouds).astype(np.float32),
        cameras=tuple(cameras),
    )


def direct(scene: Made, view: int, *, ground: bool) -> SceneSample:
    """The sample of a view, built from the scene itself."""
    image, cam = scene.view(view, ground=ground), scene.cameras[view]
    R, t = cam.T_cam_world[:3, :3], cam.T_cam_world[:3, 3]
    return SceneSample(
        key=f"{view}",
        source="made",
        camera=cam,
        rgb=image.rgb,
        labels=np.where(image.index < len(scene.names), image.index + 1, 0).astype(np.uint16),
        depth=image.depth,
        names=scene.names,
        R_cam_obj=R @ scene.R_world_obj,
        t_cam_obj=scene.t_world_obj @ R.T + t,
        size=scene.size,
        scale=scene.scale,
        points_obj=scene.points_obj,
        object_labels=scene.labels,
        up_cam=R[:, 1],
    )


def check_same(got: SceneSample, want: SceneSample, *, depth_tolerance: float) -> None:
    """Reads as it was made."""
    np.testing.assert_allclose(got.camera.K, want.camera.K, atol=1e-9)
    np.testing.assert_allclose(got.camera.T_cam_world, want.camera.T_cam_world, atol=1e-9)
    assert (got.camera.width, got.camera.height) == (W, H)
    np.testing.assert_array_equal(got.rgb, want.rgb)
    np.testing.assert_array_equal(got.labels, want.labels)
    assert got.labels.dtype == np.uint16 and got.rgb.dtype == np.uint8 and got.depth.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(got.depth), np.isnan(want.depth))
    np.testing.assert_allclose(got.depth, want.depth, atol=depth_tolerance)
    assert got.names == want.names
    np.testing.assert_allclose(got.R_cam_obj, want.R_cam_obj, atol=1e-6)
    np.testing.assert_allclose(got.t_cam_obj, want.t_cam_obj, atol=1e-6)
    np.testing.assert_allclose(got.size, want.size, rtol=1e-6)
    np.testing.assert_allclose(got.scale, want.scale, rtol=1e-6)
    np.testing.assert_allclose(got.points_obj, want.points_obj, atol=1e-5)
    np.testing.assert_allclose(got.up_cam, want.up_cam, atol=1e-6)


def check_on_surface(sample: SceneSample, tolerance: float) -> None:
    """The complete points, placed by R, t and scale, lie on the depth map or behind it, under their own mask."""
    for i in range(len(sample)):
        p = sample.scale[i] * sample.points_obj[i, :, :3] @ sample.R_cam_obj[i].T + sample.t_cam_obj[i]
        uv = p @ sample.camera.K.T
        u, v = np.floor(uv[:, :2] / uv[:, 2:]).astype(int).T
        inside = (u >= 1) & (v >= 1) & (u < W - 1) & (v < H - 1)
        u, v, z = u[inside], v[inside], p[inside, 2]
        around = [(v + a, u + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        inner = (np.stack([sample.labels[p] for p in around]) == i + 1).all(0)  # at outlines a pixel is of two depths
        depths = np.stack([sample.depth[p][inner] for p in around])
        near, far = z[inner] - depths.min(0), depths.max(0) - z[inner]
        assert inner.sum() > 200
        assert near.min() > -tolerance
        assert ((near > -tolerance) & (far > -tolerance)).mean() > 0.3


def png(pixels: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def webp(pixels: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, exact=True)
    return out.getvalue()


def npz(**arrays: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def object_npy(value: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(value, dtype=object), allow_pickle=True)
    return out.getvalue()


def write(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def tar(members: Iterable[tuple[str, bytes | tarfile.TarInfo]], *, packed: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members:
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return gzip.compress(out.getvalue(), 1, mtime=0) if packed else out.getvalue()


def pose_in_blender(cam: Camera) -> NDArray[np.float64]:
    """Camera to world as Blender has it: y of ours is its z, its y (forwards) is our -z."""
    T_yup_gl = np.linalg.inv(cam.T_cam_world) @ GL
    x, y, z = T_yup_gl[0], T_yup_gl[1], T_yup_gl[2]
    return np.stack([x, -z, y, T_yup_gl[3]])


def openset_scene(
    scene: Made, uuid: str = UUID, *, archive: str = "000-000", seg_offset: int = 2, depth_top: int = 65535
) -> dict[str, bytes]:
    """Files of one scene, in the order that ``tar`` of a folder gives: the folder first."""
    files: dict[str, bytes] = {}
    for k in range(len(scene.cameras)):
        image = scene.view(k)
        ground, background = (seg_offset - 1, 0) if seg_offset else (200, 255)
        seg = np.where(image.index < len(scene.names), image.index + seg_offset, ground)
        seg = np.where(image.index < 0, background, seg)
        stored = np.nan_to_num(image.depth / 20 * depth_top, nan=65535).clip(0, 65535).round().astype(np.uint16)
        stem = f"{archive}/{uuid}/{k:04d}"
        files[f"{stem}_depth.png"] = png(stored)
        files[f"{stem}_rgb.png"] = png(image.rgb)
        files[f"{stem}_seg.png"] = png(seg.astype(np.uint8))
    files[f"{archive}/{uuid}/metadata.json"] = json.dumps(
        {
            "intrinsics": [c.K.tolist() for c in scene.cameras],
            "cam2world_matrixs": [pose_in_blender(c).tolist() for c in scene.cameras],
        }
    ).encode()
    objects = [
        {
            "uuid": f"/data/objaverse/{archive}/{name}.glb",
            "rotation_matrix": transforms.rigid(R, [0, 0, 0]).reshape(-1).tolist(),
            "translation": t.tolist(),
            "scale": s,
        }
        for name, R, t, s in zip(scene.names, scene.R_world_obj, scene.t_world_obj, scene.scale.tolist(), strict=True)
    ]
    files[f"{archive}/{uuid}.json"] = json.dumps({"objects": objects}).encode()
    return files


def openset_geometry(scene: Made, *, archive: str = "000-000", index: bool = True) -> dict[str, bytes]:
    files = {}
    for name, points in zip(scene.names, scene.points_obj, strict=True):
        surface = np.c_[2 * points[:, :3], points[:, 3:]].astype(np.float32)[:, None]  # (P, 1, 6)
        files[f"geometry/sample/{archive}/{name}.npz"] = npz(surface=surface)
    if index:
        paths = {name: f"sample/{archive}/{name}.npz" for name in scene.names}
        files["geometry/geometry.json"] = json.dumps(paths).encode()
    return files


def models(scene: Made) -> dict[str, bytes]:
    """3D-FUTURE's models, stretched to [-1, 1]^3."""
    files = {}
    for name, points, size, scale in zip(scene.names, scene.points_obj, scene.size, scene.scale, strict=True):
        normals = points[:, 3:] * (size / scale)  # of the stretched shape
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        cloud = np.c_[2 * points[:, :3] * scale / size, normals].astype(np.float32)
        data = npz(fps_coarse_surface=cloud[:, None], fps_sharp_surface=cloud[: len(cloud) // 2])
        files[f"normalized_watertight/sampling_objects/{name}/normalized_watertight.npz"] = data
    return files


def write_exr(path: Path, depth: NDArray[np.float32]) -> None:
    import OpenEXR  # type: ignore[import-not-found]

    path.parent.mkdir(parents=True, exist_ok=True)
    far = np.nan_to_num(depth, nan=1e10).astype(np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": np.stack([far] * 3, -1)}).write(str(path))


def midi_room(scene: Made, room: str = f"{HOUSE}/{ROOM}") -> dict[str, bytes]:
    """Files of one room but its depth, which ``write_midi_depth`` writes."""
    furniture = [
        {"model_id": name, "category": label, "transformation": transforms.rigid(R, t), "scale": size / 2}
        for name, label, R, t, size in zip(
            scene.names, scene.labels, scene.R_world_obj, scene.t_world_obj, scene.size, strict=True
        )
    ]
    poses = f"3D-FRONT-RENDER-independent-norm/{room}"
    files = {f"{poses}/scene_info.npy": object_npy({"furniture": furniture})}
    for k, cam in enumerate(scene.cameras):
        image = scene.view(k, ground=False)
        info = {"camera_intrinsics": cam.K, "camera_extrinsics": np.linalg.inv(cam.T_cam_world) @ GL}
        files[f"{poses}/camera_{k:04d}/camera_info.npy"] = object_npy(info)
        for i in range(len(scene.names)):
            files[f"{poses}/camera_{k:04d}/mask_{i:04d}.png"] = png(((image.index == i) * 255).astype(np.uint8))
        alpha = ((image.index >= 0) * 255).astype(np.uint8)
        seen = np.where(alpha[..., None] > 0, image.rgb, 7).astype(np.uint8)  # what is transparent has any colour
        files[f"3D-FRONT-RENDER/{room}/render_{k:04d}.webp"] = webp(np.dstack([seen, alpha]))
        files[f"3D-FRONT-RENDER/{room}/rerender_{k:04d}.webp"] = webp(image.rgb // 2)
    return files


def write_midi(root: Path, rooms: Mapping[str, Made]) -> Path:
    for room, scene in rooms.items():
        write(root, {**midi_room(scene, room), **models(scene)})
        for k in range(len(scene.cameras)):
            write_exr(root / "3D-FRONT-RENDER" / room / f"depth_{k:04d}.exr", scene.view(k, ground=False).depth)
    return write(root, {"midi_room_ids.json": json.dumps(list(rooms)).encode()})


def instpifu_task(
    scene: Made, task: str = "rendertask7", *, view: int = 0, house: str = HOUSE, part: str = "train"
) -> dict[str, bytes]:
    """Files of one task; K is for twice the picture's size, with the signs of a camera that looks to -z."""
    cam, image = scene.cameras[view], scene.view(view)
    to_task = np.diag([-1.0, -1.0, 1.0, 1.0])  # OpenCV's axes to x left, y up, z forward
    poses = np.stack([transforms.rigid(R, t) for R, t in zip(scene.R_world_obj, scene.t_world_obj, strict=True)])
    tree = {
        "rgb_img": image.rgb,
        "depth_map": np.zeros((H, W), np.uint8),
        "layout": {"pitch": 0.1},
        "camera": {"K": 2 * cam.K, "scale_factor": 2, "wrd2cam_matrix": to_task @ cam.T_cam_world},
        "boxes": {
            "jid": np.array(scene.names),
            "size_cls": np.array([{"table": 0, "chair": 4, "bookshelf": 5}[label] for label in scene.labels]),
            "tran_matrix": poses,
        },
        "sequence_id": task,
        "scene_id": house,
    }
    K = np.diag([2.0, 2.0, 1.0]) @ cam.K @ np.diag([1.0, 1.0, -1.0])
    infos = [
        {"id": f"f/{i}", "label": label, "bbox": {"center": t.tolist(), "size": size.tolist()}}
        for i, (label, t, size) in enumerate(zip(scene.labels, scene.t_world_obj, scene.size, strict=True))
    ]
    desc = {"scene_id": house, "bbox_infos": {"camera": {"K": K.reshape(-1).tolist()}, "object_infos": infos[::-1]}}
    depth = np.nan_to_num(255 * (1 - image.depth / 10), nan=0.0)
    files = {
        f"prepare_data/{part}/{task}.pkl": pickle.dumps(tree),
        f"3d-front-data-small/{task}/desc.json": json.dumps(desc).encode(),
        f"3d-front-data-small/{task}/depth.png": png(depth.clip(0, 255).round().astype(np.uint8)),
    }
    for i in range(len(scene.names)):
        files[f"render_mask/{task}/mask_{i}.png"] = png(((image.index == i) * 255).astype(np.uint8))
    return files


def write_instpifu(root: Path, tasks: Mapping[str, dict[str, bytes]], scenes: Iterable[Made]) -> Path:
    """Tasks "PART/TASK" with their files, the lists of the parts, and the models."""
    for files in tasks.values():
        write(root, files)
    for scene in scenes:
        write(root, models(scene))
    for part in sorted({name.partition("/")[0] for name in tasks}):
        names = [f"/somewhere/prepare_data/{name}.pkl" for name in tasks if name.startswith(f"{part}/")]
        write(root, {f"prepare_data/{part}/pkl_filenames.json": json.dumps(names).encode()})
    return root
