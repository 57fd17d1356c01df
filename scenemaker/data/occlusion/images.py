"""Targets from a folder of the user's pictures: each shows one complete object on nothing, or on a plain background."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.occlusion.targets import Target, cut_out, resized, trimmed
from scenemaker.errors import InputError, expected
from scenemaker.inputs.picture import open_picture
from scenemaker.scene import U8, Bool

logger = logging.getLogger(__name__)
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}
LEAST_PX = 32  # longer side of an object
PLAIN = 0.97  # share of the border that must have the background's colour
SILHOUETTE_PX = 256


class ImageTargets:
    """The pictures under a folder.

    A picture with transparent parts is used as it is. Of any other the background is found: it is plain when 97 % of
    the border has one colour (within ``tolerance`` in every channel), and what of that colour hangs together with the
    border is taken away; at the rim it is taken out of the colours. Holes that do not reach the border stay filled.
    The label is the folder that a picture lies in ("chair/0001.png"), or the name of a picture beside the others
    without its number ("chair_01.png").

    Attributes:
        name: Of the source.
        files: Usable pictures, relative to the folder, in order.
        skipped: (file, reason) of the others.
    """

    name = "images"

    def __init__(self, folder: str | Path, *, tolerance: int = 12) -> None:
        """Reads every picture once, so that no unusable one is met later.

        Args:
            folder: Searched with its sub-folders.
            tolerance: Of the background's colour, in levels of 255.

        Raises:
            InputError: No such folder, or no usable picture in it.
        """
        self.folder, self.tolerance = Path(folder), tolerance
        files: list[str] = []
        skipped: list[tuple[str, str]] = []
        for path in _pictures(self.folder):
            name = path.relative_to(self.folder).as_posix()
            try:
                self._read(name)
                files.append(name)
            except InputError as error:
                skipped.append((name, str(error)))
        self.files, self.skipped = tuple(files), tuple(skipped)
        if skipped:
            logger.warning("%d of %d pictures skipped: %s", len(skipped), len(files) + len(skipped), skipped[0][1])
        if not files:
            got = f"{len(skipped)} that are not: {skipped[0][1]}" if skipped else f"none in {self.folder}"
            remedy = "give pictures of one object each, with alpha or on a plain background"
            raise InputError(expected("pictures that are usable as targets", got=got, remedy=remedy))

    def draw(self, rng: np.random.Generator, px: int) -> Target:
        """A random picture, made smaller where its longer side is above ``px``."""
        name = self.files[int(rng.integers(len(self.files)))]
        rgba = self._read(name)
        h, w = rgba.shape[:2]
        scale = min(1.0, px / max(h, w))
        rgba = resized(rgba, max(1, round(w * scale)), max(1, round(h * scale)))
        return Target(rgba=rgba, key=name, label=label_of(name))

    def silhouette(self, rng: np.random.Generator) -> Bool:
        """The outline of a random picture's object."""
        return self.draw(rng, SILHOUETTE_PX).rgba[..., 3] >= 128

    def _read(self, name: str) -> U8:
        """(h, w, 4) the object, trimmed."""
        path = self.folder / name
        rgb, alpha = open_picture(path, None).rgb, _alpha(path)
        rgba = _without_background(rgb, self.tolerance, name) if alpha is None else _straight(rgb, alpha)
        rgba = trimmed(rgba)
        h, w = rgba.shape[:2]
        if not (rgba[..., 3] >= 128).any() or max(h, w) < LEAST_PX:
            got = f"{name}: {'nothing' if not rgba[..., 3].any() else f'one of {w}x{h} px'}"
            raise InputError(expected(f"an object of at least {LEAST_PX} px", got=got, remedy="give a larger picture"))
        return rgba


def label_of(name: str) -> str | None:
    """What a picture shows, by its folder or its name.

    >>> label_of("dining_table/0001.png"), label_of("chair_02.png"), label_of("0003.png")
    ('dining table', 'chair', None)
    """
    path = Path(name)
    text = path.parent.name or re.sub(r"[\W_]*\d*$", "", path.stem)
    return re.sub(r"[\W_]+", " ", text).strip() or None


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(expected("a folder of pictures", got=f"{folder}: no such folder", remedy="check the path"))
    inside = (p for p in folder.rglob("*") if not any(q.startswith(".") for q in p.relative_to(folder).parts))
    return sorted(p for p in inside if p.suffix.lower() in SUFFIXES and p.is_file())


def _alpha(path: Path) -> U8 | None:
    """(H, W) alpha of an upright picture that ``open_picture`` could read, or None when it is opaque."""
    import PIL.Image
    import PIL.ImageOps

    with PIL.Image.open(path) as image:
        if not image.has_transparency_data:
            return None
        upright = PIL.ImageOps.exif_transpose(image)
        alpha = np.array(upright.convert("RGBA").getchannel("A"))
    return None if alpha.min() == 255 else alpha


def _straight(on_white: U8, alpha: U8) -> U8:
    """RGBA of a picture that was put on white."""
    a = alpha[..., None].astype(np.float32) / 255
    rgb = 255 - (255 - on_white.astype(np.float32)) / np.maximum(a, 1 / 255)
    return np.concatenate([np.rint(rgb).clip(0, 255).astype(np.uint8), alpha[..., None]], 2)


def _without_background(rgb: U8, tolerance: int, name: str) -> U8:
    """RGBA of a picture whose border has one colour.

    Raises:
        InputError: The border is not plain.
    """
    import cv2

    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    colour = np.median(border, 0)
    like = (np.abs(rgb.astype(np.int16) - colour) <= tolerance).all(2)
    share = float((np.abs(border - colour) <= tolerance).all(1).mean())
    if share < PLAIN:
        got = f"{name}: {share:.0%} of its border has one colour"
        remedy = "cut the object out, or give a picture on a plain background"
        raise InputError(expected("transparent parts or a plain background", got=got, remedy=remedy))
    pieces = cv2.connectedComponents(like.astype(np.uint8), connectivity=4)[1]
    outside = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    background = np.isin(pieces, outside[outside > 0])
    return _outlined(rgb, ~background, colour, 3 * tolerance)


def _outlined(rgb: U8, solid: Bool, colour: NDArray[np.float64], least: float) -> U8:
    """RGBA of an object before one colour: pixels of the rim mix both, and their alpha tells how much of which.

    Args:
        rgb: (H, W, 3).
        solid: (H, W) pixels that are not the background's.
        colour: (3,) of the background.
        least: Levels by which object and background must differ for that; elsewhere alpha is 0 or 255.
    """
    import cv2

    inner = cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    out = cut_out(rgb, solid, solid.astype(np.float32))
    step = out[..., :3] - colour  # from the background to the object
    length2 = (step * step).sum(2)
    rim = solid & ~inner & (length2 >= least**2)
    alpha = ((rgb - colour) * step).sum(2) / np.maximum(length2, 1)
    out[rim, 3] = np.rint(alpha[rim].clip(0, 1) * 255)
    return out
