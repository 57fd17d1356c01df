"""Any mode Pillow knows -> 8-bit sRGB, by the picture's own ICC profile where it has one."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from scenemaker.errors import InputError, expected

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)
_PROFILE_MODE = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}


def to_srgb(image: Image, factor: int = 1) -> tuple[Image, list[str]]:
    """The picture as mode RGB in sRGB, and notices.

    Transparent parts are put on white. 16-bit grey is scaled by 1 / 257 over its full range, as PNG means it.

    Args:
        image: Loaded.
        factor: Makes it smaller by this whole number on the way, before anything costly.
    """
    icc = image.info.get("icc_profile")
    plain = _plain(image)
    if factor > 1:
        plain = plain.reduce(factor)
    alpha = plain.getchannel("A") if plain.mode in ("RGBA", "LA") else None
    colour = plain.convert(plain.mode[:-1]) if alpha is not None else plain
    notices: list[str] = []
    rgb = None
    if icc:
        rgb = _by_profile(colour, icc)
        if rgb is None:
            notices.append("its colour profile is damaged or does not fit and was not used")
    if rgb is None:
        rgb = colour.convert("RGB")
        if colour.mode == "CMYK":
            notices.append("CMYK without a profile: its colours are approximate")
    if alpha is not None and alpha.getextrema()[0] != 255:
        white = rgb.copy()
        white.paste((255, 255, 255), (0, 0, *rgb.size))
        white.paste(rgb, mask=alpha)
        rgb = white
        notices.append("transparent parts were put on white")
    return rgb, notices


def _plain(image: Image) -> Image:
    """In mode L, LA, RGB, RGBA, CMYK or LAB: palettes resolved, 1, 16 and 32 bit brought to 8."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        return _from_deep(image)
    if image.has_transparency_data and image.mode in ("1", "L", "RGB", "P", "PA"):
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("La", "RGBa"):
        return image.convert(image.mode.upper())
    return image.convert("RGB")  # P, RGBX, YCbCr, HSV


def _from_deep(image: Image) -> Image:
    import PIL.Image

    deep: Any = np.asarray(image)
    lo, hi = (float(deep.min()), float(deep.max())) if deep.size else (0.0, 0.0)
    full = 1.0 if image.mode == "F" else 65535.0
    if not (lo >= 0 and hi <= full):  # NaN fails too
        kind = "a floating-point picture in [0, 1]" if image.mode == "F" else "a picture of 16 bits at most"
        raise InputError(expected(kind, got=f"values from {lo:g} to {hi:g}", remedy="save it as 8-bit PNG"))
    return PIL.Image.fromarray(np.round(deep * (255.0 / full)).astype(np.uint8))


def _by_profile(image: Image, icc: bytes) -> Image | None:
    """The picture in sRGB by its profile; None when the profile cannot be used."""
    from PIL import ImageCms

    try:
        profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if "sRGB" in ImageCms.getProfileDescription(profile) and image.mode == "RGB":
            return image
        mode = _PROFILE_MODE.get(profile.profile.xcolor_space)
        if mode is None or (mode == "CMYK") != (image.mode == "CMYK"):
            return None
        source = image if image.mode == mode else image.convert(mode)
        out = ImageCms.profileToProfile(source, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        logger.info("ICC profile not used: %s", error)
        return None
    return out
