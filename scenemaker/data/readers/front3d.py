"""What both data sets of 3D-FRONT share: the models' points."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from scenemaker.data.readers.assemble import Placed, placed
from scenemaker.data.readers.files import as_grey, inside, read_bytes, read_picture, read_surface, resized
from scenemaker.errors import ConfigError, InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.scene import Bool

Proportions = Literal["stretched", "kept"]
Surface = Literal["coarse", "sharp"]
_FILLS = 0.05  # how far the sides of a cloud may be from 2 to count as stretched to [-1, 1]^3


class Models:
    """The points of 3D-FUTURE's models: ``JID/normalized_watertight.npz``.

    Reference: github.com/IDEA-Research/SceneMaker @ 9e13f358, ``craftsman/data/front3d_recon_dataset.py``: keys
    ``fps_coarse_surface`` and ``fps_sharp_surface``, (P, 6) or (P, 1, 6), multiplied per axis by size / max(size) and
    then by max(size) / 2. That is half the size per axis, so the clouds must fill [-1, 1]^3 ("stretched"), which is
    checked; the files are not published. The loader leaves the normals as they are; here they go with the stretch.
    """

    def __init__(self, folder: Path, surface: Surface = "coarse", proportions: Proportions = "stretched") -> None:
        """Remembers where.

        Args:
            folder: Holds a folder per model.
            surface: Evenly spread points, or those of sharp edges.
            proportions: Whether the files hold models stretched to a cube or with their proportions kept.

        Raises:
            ConfigError: An unknown option.
        """
        if surface not in ("coarse", "sharp"):
            raise ConfigError(expected('surface "coarse" or "sharp"', got=repr(surface), remedy="choose one"))
        if proportions not in ("stretched", "kept"):
            raise ConfigError(expected('proportions "stretched" or "kept"', got=repr(proportions), remedy="choose one"))
        self.folder, self.surface, self.proportions = folder, surface, proportions

    def placed(self, jid: str, size: F64, T_world_obj: F64, label: str | None) -> Placed:
        """A model that fills a box of full sides ``size`` (3,) along its axes.

        Raises:
            InputError: No such file, a damaged one, or one of other proportions than it should have.
            FrameError: The pose is none.
        """
        path = inside(self.folder, f"{jid}/normalized_watertight.npz")
        cloud = read_surface(path, (f"fps_{self.surface}_surface",))
        stretched = self.proportions == "stretched"
        sides = np.ptp(cloud[:, :3], axis=0)
        thick = size > 0.05 * size.max()  # of a flat model the thin side tells nothing
        if stretched and self.surface == "coarse" and (np.abs(sides[thick] - 2) > 2 * _FILLS).any():
            got = f"{path} with sides {np.round(sides, 3).tolist()}"
            remedy = 'give proportions="kept" if the files keep them'
            raise InputError(expected("a model stretched to [-1, 1]^3", got=got, remedy=remedy))
        half = size / 2 if stretched else np.full(3, size.max() / 2)
        return placed(cloud, half, T_world_obj[:3, :3], T_world_obj[:3, 3], name=jid, label=label, exact=stretched)


def read_mask(path: Path, height: int, width: int) -> Bool | None:
    """(height, width) pixels of a mask file of 0 and 255; None without the file: the object is not seen.

    Raises:
        InputError: The file is damaged.
    """
    if not path.is_file():
        return None
    pixels: Any = as_grey(read_picture(read_bytes(path), str(path)), str(path))
    return resized(pixels, height, width) > (127 if pixels.max() > 1 else 0)
