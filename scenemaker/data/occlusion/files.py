"""Triplets, clips and shadow pairs as files and back: the same bytes in a folder and in a shard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.data.occlusion.cast_shadows import ShadowPair
from scenemaker.data.occlusion.clips import Clip
from scenemaker.data.occlusion.triplets import Triplet
from scenemaker.data.storage.codec import png_array, png_bytes
from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import Camera
from scenemaker.scene import U8, Bool

Files = Mapping[str, bytes]


def triplet_files(triplet: Triplet) -> dict[str, bytes]:
    """``image.png``, ``target.png``, the masks ``mask_*.png`` (0 or 255), ``triplet.json``."""
    return {
        "image.png": png_bytes(triplet.image),
        "target.png": png_bytes(triplet.target),
        "mask_modal.png": _mask(triplet.mask_modal),
        "mask_amodal.png": _mask(triplet.mask_amodal),
        "mask_hidden.png": _mask(triplet.mask_hidden),
        "triplet.json": _json(
            {
                "prompt": triplet.prompt,
                "pattern": triplet.pattern,
                "severity": triplet.severity,
                "label": triplet.label,
                "key": triplet.key,
            }
        ),
    }


def load_triplet(source: Files | str | Path) -> Triplet:
    """Reads ``triplet_files`` back, from bytes by name or from a folder.

    Raises:
        InputError: A file is missing or damaged; the text names it.
    """
    read = _Reader(source)
    info = read.json("triplet.json", ("prompt", "pattern", "severity", "label", "key"))
    return Triplet(
        image=read.picture("image.png"),
        target=read.picture("target.png"),
        mask_modal=read.mask("mask_modal.png"),
        mask_amodal=read.mask("mask_amodal.png"),
        mask_hidden=read.mask("mask_hidden.png"),
        **info,
    )


def clip_files(clip: Clip) -> dict[str, bytes]:
    """``frame_000.png`` and so on, ``mask_modal.png``, ``mask_amodal.png``, ``clip.json``."""
    return {
        **{f"frame_{i:03d}.png": png_bytes(frame) for i, frame in enumerate(clip.frames)},
        "mask_modal.png": _mask(clip.mask_modal),
        "mask_amodal.png": _mask(clip.mask_amodal),
        "clip.json": _json({"frames": len(clip.frames), "label": clip.label, "key": clip.key}),
    }


def load_clip(source: Files | str | Path) -> Clip:
    """Reads ``clip_files`` back, from bytes by name or from a folder.

    Raises:
        InputError: A file is missing or damaged; the text names it.
    """
    read = _Reader(source)
    info = read.json("clip.json", ("frames", "label", "key"))
    return Clip(
        frames=np.stack([read.picture(f"frame_{i:03d}.png") for i in range(info.pop("frames"))]),
        mask_modal=read.mask("mask_modal.png"),
        mask_amodal=read.mask("mask_amodal.png"),
        **info,
    )


def shadow_files(pair: ShadowPair) -> dict[str, bytes]:
    """``image.png``, ``target.png``, ``mask_modal.png``, ``mask_amodal.png``, ``shadow.json``."""
    return {
        "image.png": png_bytes(pair.image),
        "target.png": png_bytes(pair.target),
        "mask_modal.png": _mask(pair.mask_modal),
        "mask_amodal.png": _mask(pair.mask_amodal),
        "shadow.json": _json(
            {
                "hidden": pair.hidden,
                "shaded": pair.shaded,
                "K": pair.camera.K.tolist(),
                "T_cam_world": pair.camera.T_cam_world.tolist(),
                "label": pair.label,
                "key": pair.key,
            }
        ),
    }


def load_shadow_pair(source: Files | str | Path) -> ShadowPair:
    """Reads ``shadow_files`` back, from bytes by name or from a folder.

    Raises:
        InputError: A file is missing or damaged; the text names it.
    """
    read = _Reader(source)
    info = read.json("shadow.json", ("K", "T_cam_world", "label", "key"))
    image = read.picture("image.png")
    K, T = (np.array(info.pop(name), np.float64) for name in ("K", "T_cam_world"))
    return ShadowPair(
        image=image,
        target=read.picture("target.png"),
        mask_modal=read.mask("mask_modal.png"),
        mask_amodal=read.mask("mask_amodal.png"),
        camera=Camera(K=K, width=image.shape[1], height=image.shape[0], T_cam_world=T),
        **info,
    )


def _mask(mask: Bool) -> bytes:
    return png_bytes(mask.astype(np.uint8) * 255)


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


class _Reader:
    """Reads files of one sample; every picture must have the size of the first."""

    def __init__(self, source: Files | str | Path) -> None:
        self.source = Path(source) if isinstance(source, str) else source
        self.shape: tuple[int, int] | None = None

    def picture(self, name: str) -> U8:
        """(H, W, 3)."""
        return self._image(name, 3)

    def mask(self, name: str) -> Bool:
        """(H, W)."""
        return self._image(name, 2) >= 128

    def json(self, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
        """The values of these keys."""
        text = self._bytes(name)
        try:
            data = json.loads(text)
            return {key: data[key] for key in keys}
        except KeyError as error:
            raise self._damaged(name, f"no {error}") from None
        except (ValueError, TypeError) as error:
            raise self._damaged(name, str(error)) from None

    def _image(self, name: str, dimensions: int) -> U8:
        data = self._bytes(name)
        try:
            image = png_array(data) if data else None
        except ValueError as error:
            raise self._damaged(name, str(error)) from None
        if image is None or image.ndim != dimensions or image.dtype != np.uint8:
            got = "an empty file" if image is None else f"{image.dtype} {image.shape}"
            raise self._damaged(name, got)
        self.shape = self.shape or (image.shape[0], image.shape[1])
        if image.shape[:2] != self.shape:
            raise self._damaged(name, f"{image.shape[:2]} beside {self.shape}")
        return np.ascontiguousarray(image)

    def _bytes(self, name: str) -> bytes:
        try:
            return self.source[name] if isinstance(self.source, Mapping) else (self.source / name).read_bytes()
        except (KeyError, OSError):
            where = "the sample" if isinstance(self.source, Mapping) else str(self.source)
            raise InputError(expected(f"{name} in {where}", got="no such file", remedy="make it again")) from None

    def _damaged(self, name: str, got: str) -> InputError:
        where = name if isinstance(self.source, Mapping) else str(self.source / name)
        return InputError(expected(f"a whole {where}", got=got, remedy="make it again"))
