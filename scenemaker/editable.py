"""The editable scene: objects with poses, a camera, a ground; move, remove, replace, render, save, export.

Convention: ``world`` is y up, its origin the foot of the camera on the ground, the optical axis' horizontal part
is -z. A camera 1.5 above the ground that looks level has T_cam_world = [diag(1, -1, -1) | (0, 1.5, 0)].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scenemaker.errors import FrameError, InputError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.scene import F32, U8, Bool, ObjectPose, PlacedObject, ScaleKind


def T_cam_world_of_photo(up_cam: F64 | None, ground_cam: F64 | None) -> F64:
    """(4, 4) extrinsics of a photo: ``world`` from gravity and ground, as far as they are known.

    Without gravity it is ``cam`` turned by diag(1, -1, -1); without a ground its origin is the camera.
    """
    if up_cam is None:
        return transforms.rigid(transforms.GL_FROM_CV, np.zeros(3))
    foot = np.zeros(3) if ground_cam is None else -float(ground_cam[3]) * transforms.unit(ground_cam[:3])
    return transforms.rigid(transforms.R_cam_world_from_up(up_cam), foot)


@dataclass(eq=False, kw_only=True, repr=False)
class Scene:
    """A scene that can be edited and exported again. Objects are frozen; an edit swaps one for another.

    Attributes:
        rgb: (H, W, 3) uint8, the photo.
        labels: (H, W) int, 0 background, else the id of the visible object.
        depth: (H, W) float32 z, NaN where unknown.
        camera: K, size and T_cam_world of the photo.
        objects: By id.
        up_cam, ground_cam: Gravity and ground plane in ``cam``, or None.
        scale_kind: "metric" (units are metres) or "relative".
        background: Ground and backdrop, by name, in ``cam``.
        amodal: Whole-object masks (H, W) by id.
        run: Provenance: backends, configs, seeds, licences, times.
    """

    rgb: U8
    labels: np.ndarray[Any, Any]
    depth: F32
    camera: Camera
    objects: dict[int, PlacedObject]
    up_cam: F64 | None = None
    ground_cam: F64 | None = None
    scale_kind: ScaleKind = "relative"
    background: dict[str, Mesh] = field(default_factory=dict)
    amodal: dict[int, Bool] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str | Path) -> Scene:
        """The scene of a scene folder (a run of ours, or a dataset's).

        Raises:
            InputError: No scene folder, or a file in it is damaged.
        """
        from scenemaker.export.folder import load_scene

        return load_scene(Path(folder))

    def save(self, folder: str | Path) -> Path:
        """Writes the scene folder (``scene.json``, ``scene.glb``, ``objects/``, pictures) and returns it."""
        from scenemaker.export.folder import save_scene

        return save_scene(self, Path(folder))

    def export(self, path: str | Path) -> Path:
        """Writes one file with everything in it; the ending says the format (``.glb``).

        Raises:
            InputError: A format that is not known; the text lists those that are.
        """
        from scenemaker.export import export_scene

        return export_scene(self, Path(path))

    def __repr__(self) -> str:
        names = ", ".join(f"{o.id}: {o.name}" for o in list(self.objects.values())[:8])
        more = ", ..." if len(self.objects) > 8 else ""
        size = f"{self.camera.width}x{self.camera.height}"
        return f"<Scene {size} px, {self.scale_kind}, {len(self.objects)} objects ({names}{more})>"

    @property
    def placed(self) -> list[PlacedObject]:
        """The objects that stand in the scene."""
        return [o for o in self.objects.values() if o.pose is not None and o.mesh is not None]

    @property
    def skipped(self) -> list[PlacedObject]:
        """The objects that a stage could not do; their ``notices`` say why."""
        return [o for o in self.objects.values() if o.status == "skipped"]

    def move(
        self,
        id: int,
        by: Sequence[float] = (0.0, 0.0, 0.0),
        *,
        turn_deg: float = 0.0,
        scale: float = 1.0,
        frame: Literal["world", "cam"] = "world",
    ) -> PlacedObject:
        """Moves, turns and scales one object, and returns it as it stands then.

        Args:
            id: Of the object.
            by: (3,) shift along the axes of ``frame``, in the scene's units (world: x right, y up, -z away).
            turn_deg: Turn about the vertical through its centre, counter-clockwise seen from above.
            scale: Factor of its size; its lowest point keeps its height.
            frame: Of ``by``.
        """
        old = self._placed(id)
        pose = old.pose
        shift = np.asarray(by, np.float64)
        if pose is None or shift.shape != (3,) or not np.isfinite(shift).all() or not np.isfinite(turn_deg):
            raise FrameError(expected("a finite shift (x, y, z)", got=by, remedy="give by=(0.1, 0, 0), say"))
        if not np.isfinite(scale) or scale <= 0:
            raise FrameError(expected("a scale above 0", got=scale, remedy="give scale=1.2, say"))
        R_cam_world = self.camera.T_cam_world[:3, :3]
        up_cam = R_cam_world[:, 1]
        before = self._lowest(old)
        R = transforms.axis_angle(up_cam, np.radians(turn_deg)) @ pose.R_cam_obj
        grown = replace(
            pose, R_cam_obj=R, size=pose.size * scale, scale=None if pose.scale is None else pose.scale * scale
        )
        kept = replace(old, pose=grown)
        drop = (before - self._lowest(kept)) * up_cam if scale != 1.0 else np.zeros(3)
        shift_cam = R_cam_world @ shift if frame == "world" else shift
        new = replace(old, pose=replace(grown, t_cam_obj=pose.t_cam_obj + drop + shift_cam))
        self.objects[id] = new
        return new

    def remove(self, id: int) -> PlacedObject:
        """Takes one object out of the scene, and returns it."""
        return self.objects.pop(self._known(id).id)

    def replace(self, id: int, mesh: Mesh | str | Path | Any) -> PlacedObject:
        """Puts another mesh in the place of one object: same centre, rotation, and longest side.

        Args:
            id: Of the object.
            mesh: A ``Mesh``, a trimesh mesh, or a file (GLB, OBJ, PLY, STL), in any scale.
        """
        from scenemaker.inputs import as_mesh

        old = self._placed(id)
        new_mesh, S_obj_mesh = normalise(as_mesh(mesh))
        if old.pose is None:
            raise FrameError(expected("a placed object", got=old.status, remedy="choose another id"))
        longest = float(np.max(old.pose.size))
        pose = replace(old.pose, size=new_mesh.extents * longest, scale=longest)
        new = replace(old, mesh=new_mesh, pose=pose, S_obj_mesh=S_obj_mesh)
        self.objects[id] = new
        return new

    def render(self, camera: Camera | None = None, *, background: bool = False) -> U8:
        """(H, W, 3) uint8 picture of the scene.

        Args:
            camera: In ``world``; none is the camera of the photo.
            background: Shows ground and backdrop where the scene has them.
        """
        from scenemaker.geometry.raycast import RayCaster

        T_world_cam = transforms.invert(self.camera.T_cam_world)
        meshes = [o.mesh for o in self.placed if o.mesh is not None]
        poses = [T_world_cam @ o.S_cam_obj for o in self.placed]
        if background:
            meshes += list(self.background.values())
            poses += [T_world_cam] * len(self.background)
        return RayCaster(meshes, poses).render(camera or self.camera).rgb

    def scaled(self, k: float, scale_kind: ScaleKind) -> Scene:
        """The scene scaled by k about the camera; nothing changes in the picture."""
        ground = self.ground_cam
        T = self.camera.T_cam_world.copy()
        T[:3, 3] *= k
        S = transforms.similarity(np.eye(3), np.zeros(3), k)
        return replace(
            self,
            depth=(self.depth * np.float32(k)),
            camera=replace(self.camera, T_cam_world=T),
            objects={i: replace(o, pose=None if o.pose is None else o.pose.scaled(k)) for i, o in self.objects.items()},
            ground_cam=None if ground is None else np.array([*ground[:3], ground[3] * k]),
            scale_kind=scale_kind,
            background={n: m.transformed(S) for n, m in self.background.items()},
        )

    def _known(self, id: int) -> PlacedObject:
        if id not in self.objects:
            ids = ", ".join(map(str, self.objects)) or "none"
            raise InputError(expected("the id of an object", got=repr(id), remedy=f"choose one of: {ids}"))
        return self.objects[id]

    def _placed(self, id: int) -> PlacedObject:
        found = self._known(id)
        if found.mesh is None or found.pose is None:
            raise InputError(expected("a placed object", got=f"object {id} was skipped", remedy="choose another id"))
        return found

    def _lowest(self, item: PlacedObject) -> float:
        """Height of the lowest vertex along ``up``, in ``cam`` units from the camera."""
        mesh, up_cam = item.mesh, self.camera.T_cam_world[:3, 1]
        return float((transforms.apply(item.S_cam_obj, mesh.vertices) @ up_cam).min()) if mesh is not None else 0.0


def known_scale(objects: Sequence[PlacedObject], known_size: dict[int, float]) -> float:
    """The factor that makes a relative scene metric, from the known longest side of some objects (metres).

    With several known sizes it is the geometric mean of their factors.

    Raises:
        InputError: An id that is not in the scene, a size out of reason, or sizes that do not agree.
    """
    poses: dict[int, ObjectPose] = {o.id: o.pose for o in objects if o.pose is not None}
    factors = []
    for id, size_m in known_size.items():
        if id not in poses:
            ids = ", ".join(map(str, poses)) or "none"
            raise InputError(expected("known_size of a placed object", got=f"id {id!r}", remedy=f"the ids are: {ids}"))
        if not 1e-4 <= size_m <= 1e5:
            raise InputError(expected("a size in metres above 0", got=size_m, remedy=f"known_size={{{id}: 0.45}}, say"))
        factors.append(size_m / float(poses[id].size.max()))
    if max(factors) > 1.2 * min(factors):
        got = ", ".join(f"{id}: x{f:.3g}" for id, f in zip(known_size, factors, strict=True))
        remedy = "leave out the one that is wrong"
        raise InputError(expected("known sizes that agree within 20 % on the scale", got=got, remedy=remedy))
    return float(np.exp(np.mean(np.log(factors))))
