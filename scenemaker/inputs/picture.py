"""Picture files with Pillow: opened safely, decoded, turned upright, brought to 8-bit sRGB.

Only formats that hold photographs are tried (no EPS, which would start an interpreter), the size is checked before
anything is decoded, and the file is closed again before the function returns.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.inputs.colour import to_srgb
from scenemaker.inputs.exif import focal_px
from scenemaker.scene import U8

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)

MAX_DECODED_PIXELS = 120_000_000  # more is taken for a decompression bomb; today's 108-megapixel phones pass
_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # these need no further plug-in to be imported
_RARER = ("TIFF", "WEBP", "AVIF", "JPEG2000")
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_RAW_SUFFIXES = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"}
_DNG_VERSION = 50706
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB, upright; may be smaller than ``source_px`` (decoded at a fraction).
        source_px: (width, height) of the whole upright picture.
        focal: (fx, fy) from EXIF, in pixels of the picture as stored.
        orientation: From EXIF, already applied.
        K: (3, 3) in pixels of ``source_px``.
    """

    rgb: U8
    source_px: tuple[int, int] = (0, 0)
    focal: tuple[float, float] | None = None
    orientation: int = 1
    K: F64 | None = None
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.source_px == (0, 0):
            object.__setattr__(self, "source_px", (self.rgb.shape[1], self.rgb.shape[0]))


def open_picture(source: str | Path | bytes | bytearray | memoryview, max_pixels: int | None) -> Picture:
    """The picture in a file or in the bytes of one, decoded at a fraction when it is far above ``max_pixels``.

    Raises:
        InputError: No file, not a picture, damaged, or too large.
    """
    with _stream(source) as (stream, what):
        image = _opened(stream, what)
        with image:
            return picture_from_image(image, what, max_pixels, own=True)


def picture_from_image(image: Image, what: str, max_pixels: int | None, *, own: bool = False) -> Picture:
    """The picture of a PIL image.

    Args:
        image: Not changed, unless ``own``.
        what: How errors call it.
        max_pixels: Far larger ones are reduced by a whole factor first.
        own: The image is ours: a JPEG may be decoded at a fraction of its size.

    Raises:
        InputError: Damaged, too large, or of a mode that is no picture.
    """
    size = image.size
    _check_size(size, what)
    notices: list[str] = []
    factor = 1 if max_pixels is None else max(int((size[0] * size[1] / max_pixels) ** 0.5), 1)
    try:
        with _quiet():
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                notices.append(f"only the first of {image.n_frames} frames was used")  # type: ignore[attr-defined]
                if own:
                    image.seek(0)
            if own and factor > 1:
                image.draft(None, (size[0] // factor, size[1] // factor))
            image.load()
            orientation, focal, notice = _exif(image, size)
            notices += [notice] if notice else []
            rgb, colour_notices = to_srgb(image, factor if image.size == size else 1)
            notices += colour_notices
            if orientation in _TURNS:
                rgb = rgb.transpose(_TURNS[orientation])  # type: ignore[arg-type]
    except MemoryError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            expected("a whole picture", got=f"{what}: {error}", remedy="copy or download it again, or save it as PNG")
        ) from error
    upright = size if orientation < 5 else (size[1], size[0])
    array = np.array(rgb, np.uint8)  # a copy: arrays that share memory with PIL are read-only
    return Picture(rgb=array, source_px=upright, focal=focal, orientation=orientation, notices=tuple(notices))


@contextmanager
def _stream(source: str | Path | bytes | bytearray | memoryview) -> Iterator[tuple[BinaryIO, str]]:
    """The bytes of the source, and how errors call it."""
    if isinstance(source, bytes | bytearray | memoryview):
        if not len(source):
            raise InputError(expected("a picture", got="no bytes", remedy="give the bytes of an image file"))
        yield io.BytesIO(bytes(source)), f"{len(source)} bytes"
        return
    text = str(source)
    if re.match(r"https?://", text):
        raise InputError(expected("a picture file", got=text, remedy="download it and give its path"))
    path = Path(source)
    try:
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise InputError(expected("a picture file", got=f"{text}: no such file", remedy="check the path"))
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise InputError(expected("a picture file", got=f"{text}: {kind}", remedy="give the picture itself"))
    if path.stat().st_size == 0:
        raise InputError(expected("a picture file", got=f"{text}: an empty file", remedy="copy or download it again"))
    if path.suffix.lower() in _RAW_SUFFIXES:
        _refuse_raw(text)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(
            expected("a readable picture file", got=f"{text}: {error.strerror}", remedy="check its permissions")
        ) from None
    with stream:
        yield stream, text


def _opened(stream: BinaryIO, what: str) -> Image:
    import PIL.Image

    head = stream.read(64)
    stream.seek(0)
    if head[4:8] == b"ftyp" and _is_heic(head):
        return _heic(stream, what)
    remedy = "save it as JPEG or PNG"
    try:
        with _quiet():
            try:
                image = PIL.Image.open(stream, formats=_COMMON)
            except PIL.UnidentifiedImageError:
                stream.seek(0)
                image = PIL.Image.open(stream, formats=_RARER)
    except PIL.UnidentifiedImageError:
        raise InputError(expected("a picture", got=f"{what}: not an image that can be read", remedy=remedy)) from None
    except PIL.Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        _refuse_size(int(pixels[0]) if pixels else MAX_DECODED_PIXELS, what)
        raise
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError) as error:
        raise InputError(expected("a picture", got=f"{what}: {error}", remedy=remedy)) from error
    if image.format == "TIFF" and _DNG_VERSION in getattr(image, "tag_v2", {}):
        image.close()
        _refuse_raw(what)
    return image


def _is_heic(head: bytes) -> bool:
    """The ``ftyp`` box names a HEIF brand and none of AVIF's (a file of the common brand mif1 may be either)."""
    box = head[8 : int.from_bytes(head[:4], "big")]
    brands = {box[i : i + 4] for i in range(0, len(box), 4)}
    return bool(brands & _HEIC_BRANDS) and not brands & {b"avif", b"avis"}


def _heic(stream: BinaryIO, what: str) -> Image:
    try:
        import pillow_heif  # type: ignore[import-not-found]
    except ImportError:
        remedy = 'type: pip install "scenemaker[heic]", or save it as JPEG'
        got = f"{what}: HEIC, whose reader is not installed"
        raise InputError(expected("a picture that can be read here", got=got, remedy=remedy)) from None
    try:
        heif: Any = pillow_heif.open_heif(stream, convert_hdr_to_8bit=True)
        _check_size(heif.size, what)
        return heif.to_pillow()  # upright: the reader applies the rotation and resets the tag
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            expected("a whole picture", got=f"{what}: {error}", remedy="copy or download it again, or save it as JPEG")
        ) from error


def _exif(image: Image, size: tuple[int, int]) -> tuple[int, tuple[float, float] | None, str | None]:
    """Orientation, (fx, fy) in pixels as stored, and a notice. Broken EXIF is no reason to refuse a picture."""
    try:
        exif = image.getexif()
        orientation = exif.get(0x0112, 1)
        orientation = orientation if orientation in _TURNS else 1
        tags = dict(exif.get_ifd(0x8769))
    except Exception as error:  # Pillow raises what the bytes happen to trigger
        logger.info("EXIF not readable: %s", error)
        return 1, None, "its EXIF block is damaged and was not used"
    return orientation, *focal_px(tags, *size)


def _check_size(size: tuple[int, int], what: str) -> None:
    if size[0] * size[1] > MAX_DECODED_PIXELS:
        _refuse_size(size[0] * size[1], what)


def _refuse_size(pixels: int, what: str) -> None:
    raise InputError(
        expected(
            f"a picture of at most {MAX_DECODED_PIXELS / 1e6:.0f} megapixels",
            got=f"{what}: {pixels / 1e6:.0f} megapixels",
            remedy="make it smaller first",
        )
    )


def _refuse_raw(what: str) -> None:
    raise InputError(
        expected("a developed picture", got=f"{what}: a camera raw file", remedy="develop it to JPEG or PNG first")
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow's warnings go to the log; those about size are our own check."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for item in caught:
        logger.info("Pillow: %s", item.message)
