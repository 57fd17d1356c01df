"""InstPIFu's renders of 3D-FRONT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.readers.assemble import PixelCentre, Placed, camera, labels_of_masks, sample, thinned
from scenemaker.data.readers.files import (
    as_grey,
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
from scenemaker.data.readers.pickles import load_pickle
from scenemaker.data.readers.scenes import SceneReader
from scenemaker.data.types import SceneSample
from scenemaker.errors import ConfigError, InputError, ShapeError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.scene import U8

Part = Literal["all", "train", "test", "val"]
_PARTS = ("train", "test", "val")
_LABELS = ("table", "sofa", "cabinet", "night_stand", "chair", "bookshelf", "bed", "desk", "dresser")
_CV_FROM_INSTPIFU = np.diag([-1.0, -1.0, 1.0])  # its camera axes: x left, y up, z forward
_SAME_PLACE = 1e-3  # of the box: a box of desc.json is the object whose centre is as near as this


@dataclass(frozen=True, eq=False, kw_only=True)
class InstPifuTask:
    """One rendered view: its task's name, house, picture, camera and objects."""

    name: str
    house: str
    rgb: U8
    K: F64
    T_cam_world: F64
    objects: tuple[Placed, ...]


class InstPifuFront(SceneReader[InstPifuTask]):
    """Views of rooms of 3D-FRONT, one per scene, of furniture of nine kinds.

    Reference: what the files hold as github.com/GAP-LAB-CUHK-SZ/InstPIFu @ 70a5abd writes them
    (``data_preparation/prepare_detection_data.py``, ``dataset/front3d_recon_dataset.py``); which of them are used as
    github.com/IDEA-Research/SceneMaker @ 9e13f358 reads them (``craftsman/data/front3d_recon_dataset.py``):

    - ``prepare_data/PART/pkl_filenames.json`` (a list) and ``TASK.pkl``: ``rgb_img``, ``camera.wrd2cam_matrix`` (4x4,
      to axes x left, y up, z forward), ``boxes.tran_matrix`` (n, 4, 4: rotation and box centre, world with y up),
      ``boxes.jid``, ``boxes.size_cls``, ``sequence_id``, ``scene_id`` (the house).
    - ``3d-front-data-small/TASK/desc.json``: ``bbox_infos.camera.K``, and of every object the full sides of its box.
      The pickle has these as remainders to class means in another file; they are the same numbers, and boxes are
      matched to objects by their centres. ``depth.png``: 8 bits, z = (1 - png / 255) * 10; 0 and 10 are unknown.
    - ``render_mask/TASK/mask_0.png``: of object 0; no file, not seen (made by SceneMaker, not published).
    - The models' points: see ``front3d.Models``.

    K has negative entries in the file and is for pictures of 1296x968, twice the size of ``rgb_img``; InstPIFu takes
    its absolute values, which is done here. SceneMaker inverts it as it is and negates all three axes of the cloud;
    both agree, and keep the handedness, if the third column is the negative one. Not repeated: its mean
    (W / rows + H / columns) / 2 as the factor from depth to picture (4 % off here), and poses in a frame with the
    roll and pitch of the camera left out. Not established: the pixel centre, and whether depth is z.
    """

    source = "instpifu-3d-front"

    def __init__(
        self,
        root: str | Path,
        *,
        split: Part = "all",
        raw: str | Path | None = None,
        masks: str | Path | None = None,
        geometry: str | Path | None = None,
        K_size: tuple[int, int] = (1296, 968),
        points: int | None = None,
        surface: Surface = "coarse",
        proportions: Proportions = "stretched",
        pixel_centre: PixelCentre = "auto",
    ) -> None:
        """Lists the tasks; opens none.

        Args:
            root: The folder with ``prepare_data``.
            split: Which part; "all" is train, test, val in this order, as far as they are there.
            raw: The folder of ``desc.json`` and ``depth.png``; ROOT/3d-front-data-small otherwise.
            masks: The folder of masks; ROOT/render_mask otherwise.
            geometry: The folder of models; ROOT/normalized_watertight/sampling_objects otherwise.
            K_size: (width, height) of the pictures that K is for.
            points: Points per object, at most.
            surface, proportions: See ``front3d.Models``.
            pixel_centre: See ``assemble.camera``.

        Raises:
            InputError: No such folder, or no tasks in it.
            ConfigError: An unknown option.
        """
        if split not in ("all", *_PARTS):
            got = repr(split)
            raise ConfigError(expected('split "all", "train", "test" or "val"', got=got, remedy="choose one"))
        root = check_folder(Path(root))
        self.prepared = check_folder(root / "prepare_data")
        parts = [p for p in _PARTS if split in ("all", p) and (self.prepared / p).is_dir()]
        super().__init__(str(self.prepared), [task for p in parts for task in _tasks(self.prepared / p)], 1)
        self.raw = root / "3d-front-data-small" if raw is None else Path(raw)
        self.masks = root / "render_mask" if masks is None else Path(masks)
        models = root / "normalized_watertight" / "sampling_objects" if geometry is None else Path(geometry)
        self.models = Models(models, surface, proportions)
        self.K_size, self.points = K_size, points
        self.pixel_centre: PixelCentre = pixel_centre

    def furniture(self, scene: str) -> tuple[str, list[str]]:
        """The house of a task, and the models seen in it.

        Raises:
            InputError: Its pickle is missing, damaged or refused.
        """
        _, tree = self._pickle(scene)
        return str(entry(tree, "scene_id", scene)), [str(j) for j in _column(tree, "jid", scene)]

    def _pickle(self, scene: str) -> tuple[str, Any]:
        path = inside(self.prepared, f"{scene}.pkl")
        return str(path), load_pickle(path)

    def _open(self, scene: str) -> InstPifuTask:
        what, tree = self._pickle(scene)
        task = str(entry(tree, "sequence_id", what))
        rgb = as_rgb(np.asarray(entry(tree, "rgb_img", what)), what)
        wrd2cam = numbers(entry(entry(tree, "camera", what), "wrd2cam_matrix", what), (4, 4), f"camera of {what}")
        jids = _column(tree, "jid", what)
        kinds = numbers(_column(tree, "size_cls", what), (len(jids),), f"size_cls of {what}").astype(np.int64)
        poses = numbers(_column(tree, "tran_matrix", what), (len(jids), 4, 4), f"tran_matrix of {what}")
        if not len(jids):
            raise InputError(expected(f"objects in {what}", got="none", remedy="leave this task out"))
        desc = inside(self.raw, f"{task}/desc.json")
        boxes = entry(read_json(desc), "bbox_infos", str(desc))
        K = np.abs(numbers(entry(entry(boxes, "camera", str(desc)), "K", str(desc)), (3, 3), f"K of {desc}"))
        sizes = _sizes(entry(boxes, "object_infos", str(desc)), poses, str(desc))
        objects = tuple(
            self.models.placed(str(jid), size, T, _LABELS[kind] if 0 <= kind < len(_LABELS) else None)
            for jid, kind, size, T in zip(jids, kinds, sizes, poses, strict=True)
        )
        R = _CV_FROM_INSTPIFU @ transforms.check_R(wrd2cam[:3, :3], f"camera of {what}")
        return InstPifuTask(
            name=task,
            house=str(entry(tree, "scene_id", what)),
            rgb=rgb,
            K=K,
            T_cam_world=transforms.rigid(R, _CV_FROM_INSTPIFU @ wrd2cam[:3, 3]),
            objects=objects,
        )

    def _view(self, opened: InstPifuTask, view: int) -> SceneSample:
        h, w = opened.rgb.shape[:2]
        kw, kh = self.K_size
        if abs(w / h - kw / kh) > 0.01 * w / h:
            got = f"{w}x{h} in {opened.name}"
            raise ShapeError(expected(f"a picture with the sides of {kw}x{kh}", got=got, remedy="give K_size"))
        path = inside(self.raw, f"{opened.name}/depth.png")
        stored = as_grey(read_picture(read_bytes(path), str(path)), str(path))
        if stored.dtype != np.uint8:
            raise ShapeError(expected("8-bit depth", got=f"{path}: {stored.dtype}", remedy="copy it again"))
        depth = np.where((stored > 0) & (stored < 255), (1 - stored / 255.0) * 10, np.nan)
        masks = [read_mask(inside(self.masks, f"{opened.name}/mask_{k}.png"), h, w) for k in range(len(opened.objects))]
        return sample(
            key=opened.name,
            source=self.source,
            camera=camera(
                opened.K, opened.T_cam_world, K_px=self.K_size, size_px=(w, h), pixel_centre=self.pixel_centre
            ),
            rgb=opened.rgb,
            labels=labels_of_masks(masks, (h, w), opened.name),
            depth=resized(depth, h, w).astype(np.float32),
            objects=opened.objects,
            points_obj=thinned([o.points_obj for o in opened.objects], self.points),
            depth_scale="metric",
            info={"house": opened.house, "task": opened.name},
        )


def _tasks(folder: Path) -> list[str]:
    """``PART/TASK`` of the pickles that the list names (whole paths of another machine count by their last part)."""
    listing = folder / "pkl_filenames.json"
    names = read_json(listing) if listing.is_file() else sorted(p.name for p in folder.glob("*.pkl"))
    if not isinstance(names, list):
        raise InputError(expected(f"a list in {listing}", got=type(names).__name__, remedy="copy it again"))
    return [f"{folder.name}/{PurePosixPath(str(n).replace(chr(92), '/')).name.removesuffix('.pkl')}" for n in names]


def _column(tree: Any, key: str, what: str) -> NDArray[Any]:
    """One array of ``boxes``."""
    return np.atleast_1d(np.asarray(entry(entry(tree, "boxes", what), key, what)))


def _sizes(infos: Any, poses: F64, what: str) -> F64:
    """(n, 3) full sides of the box of every object, by the box centre nearest to it.

    Raises:
        InputError: An object without a box at its place.
    """
    if not isinstance(infos, list) or not infos:
        raise InputError(expected(f"object_infos in {what}", got=repr(infos)[:80], remedy="copy it again"))
    boxes = [entry(info, "bbox", what) for info in infos]
    centres = np.stack([numbers(entry(b, "center", what), (3,), f"bbox center in {what}") for b in boxes])
    sizes = np.stack([numbers(entry(b, "size", what), (3,), f"bbox size in {what}") for b in boxes])
    away = np.linalg.norm(poses[:, None, :3, 3] - centres[None], axis=2)  # (n, m)
    nearest = away.argmin(1)
    far = away[np.arange(len(poses)), nearest] > np.maximum(_SAME_PLACE * sizes[nearest].max(1), 1e-6)
    if far.any() or len(set(nearest.tolist())) < len(poses):
        got = f"object {int(np.argmax(far))} without one"
        raise InputError(expected(f"a box of {what} at the place of every object", got=got, remedy="leave it out"))
    return sizes[nearest]
