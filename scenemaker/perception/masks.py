"""Segmentation by masks that the user has: files of the usual kinds, or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.errors import InputError, NoObjectsError, expected
from scenemaker.perception.coco import read_coco
from scenemaker.perception.labels import LabelMap, drop_specks, fit_to_photo, to_instances
from scenemaker.perception.mask_arrays import from_array, read_array_file, read_folder
from scenemaker.perception.mask_images import SUFFIXES, read_mask_image
from scenemaker.scene import Instances, Photo, Prompts

SUPPORTED = f"a picture ({', '.join(SUFFIXES)}), .npy, .npz, COCO .json, or a folder of binary masks"


class MaskFiles:
    """Reads your masks: a label image, a folder of binary masks, COCO JSON, or an array."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        min_area_px: int = Field(
            default=0, ge=0, description="Drop connected parts of a mask with fewer pixels; 0 keeps all."
        )

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def segment(self, photo: Photo, prompts: Prompts) -> Instances:
        """The given masks at the size of the photo, ids 1..n in the order of the file.

        Raises:
            InputError: The masks are missing or cannot be read.
            ShapeError: They have another aspect than the photo.
            NoObjectsError: They hold no object.
        """
        masks, photo_px = prompts.masks, (photo.width, photo.height)
        if masks is None:
            remedy = 'give masks, or use the segmentation backend "prompts" (boxes, points) or "auto"'
            raise NoObjectsError(expected("masks", got="none", remedy=remedy))
        if isinstance(masks, np.ndarray):
            source, read = "masks", from_array(masks, photo_px, "masks")
        else:
            source, read = f"masks {Path(masks).name!r}", _read_path(Path(masks), photo)
        read = fit_to_photo(read, photo_px, source)
        if self.config.min_area_px > 1:
            read = drop_specks(read, self.config.min_area_px)
        return to_instances(read, source)


def _read_path(path: Path, photo: Photo) -> LabelMap:
    photo_px, suffix = (photo.width, photo.height), path.suffix.lower()
    if path.is_dir():
        return read_folder(path, photo_px)
    if not path.exists():
        raise InputError(
            expected(f"a file or folder for masks {path.name!r}", got="nothing at that path", remedy="check the path")
        )
    if suffix in SUFFIXES:
        return read_mask_image(path, photo_px)
    if suffix in (".npy", ".npz"):
        return read_array_file(path, photo_px)
    if suffix == ".json":
        return read_coco(path, photo_px, photo.name)
    raise InputError(expected(SUPPORTED, got=f"masks {path.name!r}", remedy="convert the masks to one of these kinds"))
