"""MIDI's renders of 3D-FRONT, with the poses and masks that SceneMaker worked out for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scenemaker.data.readers.assemble import (
    PixelCentre,
    Placed,
    T_cam_world_from_gl,
    camera,
    labels_of_masks,
    sample,
    thinned,
)
from scenemaker.data.readers.files import (
    as_rgb,
    check_folder,
    entry,
    inside,
    numbers,
    read_bytes,
    read_json,
    read_picture,
    resized,
)
from scenemaker.data.readers.front3d import Models, Proportions, Surface, read_mask
from scenemaker.data.readers.pickles import load_object_npy
from scenemaker.data.readers.scenes import SceneReader
from scenemaker.data.types import SceneSample
from scenemaker.errors import ConfigError, InputError, expected

Split = Literal["all", "train", "test"]
Renders = Literal["render", "rerender"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MidiRoom:
    """A room: its name HOUSE/ROOM, and the objects in it."""

    name: str
    objects: tuple[Placed, ...]


class MidiFront(SceneReader[MidiRoom]):
    """Rooms of 3D-FRONT, 11 views each, objects alone without walls ("render") or before a generated room ("rerender").

    Reference: published are ``midi_room_ids.json`` (a list of "HOUSE/ROOM"; the last 1,000 are the test set) and
    ``3D-FRONT-RENDER/HOUSE/ROOM/render_0000.webp, rerender_0000.webp, depth_0000.exr`` (github.com/VAST-AI-Research/
    MIDI-3D @ b6ec9f6: README, configs/test/3dfront.yaml). The poses are of a processing by SceneMaker that is not
    published, as its loader ``front3d_midi_dataset.py`` (github.com/IDEA-Research/SceneMaker @ 9e13f358) reads it:

    - ``3D-FRONT-RENDER-independent-norm/HOUSE/ROOM/scene_info.npy``: ``furniture``, each with ``model_id``,
      ``category``, ``transformation`` (4x4, rotation and centre, in a world with y up), ``scale`` (3, half the sides).
    - ``camera_0000/camera_info.npy``: ``camera_intrinsics`` (3x3, in pixels of the depth), ``camera_extrinsics`` (4x4
      camera to world, axes of OpenGL). ``camera_0000/mask_0000.png``: of object 0; no file, not seen.
    - The models' points: see ``front3d.Models``.

    Not established: the unit (the folder's name suggests that rooms are normalised, hence "relative"), whether the
    masks show the visible parts only (two that overlap by more than 1 % are refused), the pixel centre. Not repeated:
    the loader scales K by (W / rows + H / columns) / 2 of the depth, which is right for squares only.
    """

    source = "midi-3d-front"

    def __init__(
        self,
        root: str | Path,
        *,
        info: str | Path | None = None,
        images: str | Path | None = None,
        geometry: str | Path | None = None,
        renders: Renders = "render",
        split: Split = "all",
        test_rooms: int = 1000,
        views: int = 11,
        points: int | None = None,
        surface: Surface = "coarse",
        proportions: Proportions = "stretched",
        pixel_centre: PixelCentre = "auto",
    ) -> None:
        """Lists the rooms; opens none.

        Args:
            root: The folder with ``midi_room_ids.json``.
            info: The folder of poses and masks; ROOT/3D-FRONT-RENDER-independent-norm otherwise.
            images: The folder of pictures; ROOT/3D-FRONT-RENDER otherwise.
            geometry: The folder of models; ROOT/normalized_watertight/sampling_objects otherwise.
            renders: Which pictures; the paper's training takes either by chance.
            split: "test" is the last ``test_rooms`` of the list, "train" the others.
            test_rooms: See ``split``.
            views: Views to take of each room, from its first.
            points: Points per object, at most.
            surface, proportions: See ``front3d.Models``.
            pixel_centre: See ``assemble.camera``.

        Raises:
            InputError: No such folder or list, or no rooms in it.
            ConfigError: An unknown option.
        """
        if renders not in ("render", "rerender"):
            raise ConfigError(expected('renders "render" or "rerender"', got=repr(renders), remedy="choose one"))
        if split not in ("all", "train", "test") or test_rooms < 1:
            got = f"{split!r} with test_rooms={test_rooms}"
            raise ConfigError(expected('split "all", "train" or "test"', got=got, remedy="choose one"))
        root = check_folder(Path(root))
        listing = root / "midi_room_ids.json"
        rooms = read_json(listing)
        if not isinstance(rooms, list) or not all(isinstance(r, str) and r.count("/") == 1 for r in rooms):
            raise InputError(expected(f'a list of "HOUSE/ROOM" in {listing}', got="another", remedy="copy it again"))
        cut = {"all": slice(None), "train": slice(None, -test_rooms), "test": slice(-test_rooms, None)}[split]
        super().__init__(str(listing), rooms[cut], views)
        self.info = root / "3D-FRONT-RENDER-independent-norm" if info is None else Path(info)
        self.images = root / "3D-FRONT-RENDER" if images is None else Path(images)
        models = root / "normalized_watertight" / "sampling_objects" if geometry is None else Path(geometry)
        self.models = Models(models, surface, proportions)
        self.renders, self.points = renders, points
        self.pixel_centre: PixelCentre = pixel_centre

    def furniture(self, room: str) -> list[dict[str, Any]]:
        """What is in a room, as stored.

        Raises:
            InputError: The room's file is missing, damaged or refused.
        """
        path = inside(self.info, f"{room}/scene_info.npy")
        items = entry(load_object_npy(path), "furniture", str(path))
        if not isinstance(items, (list, tuple)) or not items or not all(isinstance(i, dict) for i in items):
            raise InputError(expected(f"furniture in {path}", got=repr(items)[:80], remedy="leave this room out"))
        return list(items)

    def _open(self, scene: str) -> MidiRoom:
        objects = []
        for k, item in enumerate(self.furniture(scene)):
            what = f"object {k} of {scene}"
            jid, category = str(entry(item, "model_id", what)), item.get("category")
            T = numbers(entry(item, "transformation", what), (4, 4), f"transformation of {what}")
            half = numbers(entry(item, "scale", what), (3,), f"scale of {what}")
            objects.append(self.models.placed(jid, 2 * half, T, None if category is None else str(category)))
        return MidiRoom(name=scene, objects=tuple(objects))

    def _view(self, opened: MidiRoom, view: int) -> SceneSample:
        from scenemaker.perception.depth_readers import read_depth

        what = f"view {view} of {opened.name}"
        folder = inside(self.info, f"{opened.name}/camera_{view:04d}")
        picture = inside(self.images, f"{opened.name}/{self.renders}_{view:04d}.webp")
        rgb = as_rgb(read_picture(read_bytes(picture), str(picture), ("WEBP",)), str(picture))
        h, w = rgb.shape[:2]
        raw = read_depth(inside(self.images, f"{opened.name}/depth_{view:04d}.exr"), 1.0).depth
        if raw is None:
            raise InputError(expected(f"depth of {what}", got="points", remedy="copy it again"))
        info = load_object_npy(folder / "camera_info.npy")
        K = numbers(entry(info, "camera_intrinsics", what), (3, 3), f"camera_intrinsics of {what}")
        T = numbers(entry(info, "camera_extrinsics", what), (4, 4), f"camera_extrinsics of {what}")
        cam = camera(
            K,
            T_cam_world_from_gl(T),
            K_px=(raw.shape[1], raw.shape[0]),
            size_px=(w, h),
            pixel_centre=self.pixel_centre,
        )
        masks = [read_mask(folder / f"mask_{k:04d}.png", h, w) for k in range(len(opened.objects))]
        depth = resized(raw, h, w)
        return sample(
            key=f"{opened.name.replace('/', '_')}_{view:04d}_{self.renders}",
            source=self.source,
            camera=cam,
            rgb=rgb,
            labels=labels_of_masks(masks, (h, w), what),
            depth=np.where(np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float32),
            objects=opened.objects,
            points_obj=thinned([o.points_obj for o in opened.objects], self.points),
            depth_scale="relative",
            info={"room": opened.name, "view": view, "renders": self.renders},
        )
