"""Light from all around, drawn by chance: skies, studios, rooms; or read from the user's equirectangular pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.data.render.environments import equirect_directions, solid_angles
from scenemaker.data.render.textures import linear_table
from scenemaker.errors import BackendNotInstalledError, InputError, expected
from scenemaker.scene import F32

ROWS = 128  # of a drawn environment
SUFFIXES = (".hdr", ".exr", ".png", ".jpg", ".jpeg")
MAX_ROWS = 1024  # a larger picture is made smaller: pixels finer than a view's are not seen
_Random = np.random.Generator


def tint(rng: _Random, strength: float = 1.0) -> F32:
    """(3,) colour of light between a lamp's warm white and a cool sky, of mean 1."""
    warm, cool = np.array([1.25, 1.0, 0.75]), np.array([0.88, 1.0, 1.12])
    t = rng.normal(0, 0.45) * strength
    out = 1 + np.clip(t, 0, 1.2) * (warm - 1) + np.clip(-t, 0, 1.2) * (cool - 1)
    return (out / out.mean()).astype(np.float32)


def gradient(rng: _Random) -> F32:
    """(256, 1, 3) a backdrop that only changes with height."""
    hue = tint(rng, 1.5)
    top, middle, bottom = rng.uniform(0.35, 1.3), rng.uniform(0.5, 1.2), rng.uniform(0.25, 1.0)
    height = np.cos((np.arange(256) + 0.5) / 256 * np.pi)
    value = np.interp(height, [-1, 0, 1], [bottom, middle, top])
    coloured = rng.random() < 0.4
    other = _vivid(rng) if coloured else tint(rng, 1.5)
    mix = (height[:, None] + 1) / 2
    return (value[:, None] * (other * mix + hue * (1 - mix)))[:, None].astype(np.float32)


def studio(rng: _Random) -> F32:
    """(128, 256, 3) a dim room with a few large bright panels."""
    d = equirect_directions(ROWS, 2 * ROWS)
    backdrop = rng.uniform(0.3, 0.9) * (tint(rng) if rng.random() < 0.7 else _vivid(rng))
    out = backdrop * (0.85 + 0.3 * d[..., 1:2])
    for _ in range(int(rng.integers(2, 5))):
        azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(15, 80))
        centre = direction(azimuth, elevation)
        right = np.cross([0.0, 1.0, 0.0], centre)
        right /= np.linalg.norm(right)
        up = np.cross(centre, right)
        depth = d @ centre
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = d @ right / depth, d @ up / depth
        half_w, half_h, soft = rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.7), rng.uniform(0.03, 0.12)
        edge = np.minimum((half_w - np.abs(x)) / soft, (half_h - np.abs(y)) / soft)
        panel = np.where(depth > 0.05, np.clip(edge, 0, 1), 0)
        out = out + (panel * rng.uniform(2, 9))[..., None] * tint(rng)
    return out.astype(np.float32)


def sky(rng: _Random) -> F32:
    """(128, 256, 3) open sky with haze and clouds above a hazy land; its sun is a ``Light``."""
    d = equirect_directions(ROWS, 2 * ROWS)
    height = d[..., 1]
    zenith = np.array([0.22, 0.42, 0.85]) * rng.uniform(0.6, 1.1)
    haze = np.array([0.85, 0.92, 1.0]) * rng.uniform(0.7, 1.1)
    if rng.random() < 0.25:  # a low sun
        haze = np.array([1.1, 0.75, 0.5]) * rng.uniform(0.7, 1.1)
    mix = np.exp(-np.maximum(height, 0) * rng.uniform(2.5, 6))[..., None]
    out = zenith * (1 - mix) + haze * mix
    cover = rng.choice([0.0, rng.uniform(0.2, 0.6), 1.0], p=[0.3, 0.5, 0.2])
    if cover:
        plane = d[..., [0, 2]] / np.maximum(height, 0.06)[..., None] * rng.uniform(0.5, 1.2)
        cloud = _fractal(rng, plane[..., 0], plane[..., 1])
        share = np.clip((cloud - np.quantile(cloud[: ROWS // 2], 1 - 0.9 * cover)) * 2, 0, 0.9)
        share *= np.clip(height * 6, 0, 1)
        white = np.array([1.0, 1.0, 1.02]) * rng.uniform(0.8, 1.4) * (1 - 0.25 * np.clip(cloud - 1, 0, 1))[..., None]
        out += share[..., None] * (white - out)
    land = np.array([0.3, 0.28, 0.24]) * rng.uniform(0.4, 1.2) + 0.15 * haze
    below = np.clip(-height * 25, 0, 1)[..., None]
    return (out + below * (land * np.exp(0.4 * np.minimum(height, 0))[..., None] - out)).astype(np.float32)


def room(rng: _Random) -> F32:
    """(128, 256, 3) inside of a room: painted walls, windows or lamps, each shaded towards its corners."""
    d = equirect_directions(ROWS, 2 * ROWS).astype(np.float64)
    turn = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    d = np.stack([c * d[..., 0] - s * d[..., 2], d[..., 1], s * d[..., 0] + c * d[..., 2]], -1)
    half = np.array([rng.uniform(1.5, 4), 1.0, rng.uniform(1.5, 4)]) * 1.3
    eye = np.array([rng.uniform(-0.5, 0.5) * half[0], rng.uniform(-0.6, 0.0), rng.uniform(-0.5, 0.5) * half[2]])
    wall_at = (np.copysign(half, d) - eye) / np.where(np.abs(d) < 1e-9, 1e-9, d)
    face = wall_at.argmin(-1)
    place = eye + d * wall_at.min(-1)[..., None]
    sign = np.take_along_axis(np.sign(d), face[..., None], -1)[..., 0] > 0
    wall = tint(rng) * rng.uniform(0.45, 0.9) * (np.ones(3) if rng.random() < 0.6 else _vivid(rng, 0.35))
    paint = {(1, True): tint(rng) * 0.9, (1, False): np.array([0.5, 0.38, 0.27]) * rng.uniform(0.5, 1.2)}
    out = np.empty((*face.shape, 3))
    out[:] = wall
    for (axis, positive), value in paint.items():
        out[(face == axis) & (sign == positive)] = value
    relative = np.abs(place / half)
    out *= (1 - 0.25 * np.sort(relative, -1)[..., 1] ** 4)[..., None]  # darker where two walls meet
    for axis in (0, 2):
        for positive in (False, True):
            if rng.random() < 0.45:
                along, width = rng.uniform(-0.4, 0.4) * half[2 - axis], rng.uniform(0.2, 0.45) * half[2 - axis]
                inside = (face == axis) & (sign == positive) & (np.abs(place[..., 2 - axis] - along) < width)
                inside &= (place[..., 1] > -0.2) & (place[..., 1] < 0.9)
                bar = np.abs(place[..., 2 - axis] - along) < 0.04
                light = rng.uniform(3, 10) * np.array([0.9, 1.0, 1.1])
                out[inside & ~bar] = light
    lamp = (face == 1) & sign & (np.hypot(place[..., 0], place[..., 2]) < rng.uniform(0.3, 0.8))
    out[lamp] = rng.uniform(4, 14) * tint(rng)
    return np.asarray(cv2.GaussianBlur(out.astype(np.float32), (0, 0), 1.0), np.float32)


def blurred(rng: _Random) -> F32:
    """(64, 128, 3) what a lens leaves of a place out of focus: soft patches, some of them lamps."""
    d = equirect_directions(64, 128)
    out = np.broadcast_to(rng.uniform(0.2, 0.5) * tint(rng, 1.5), d.shape).astype(np.float32)
    for _ in range(int(rng.integers(12, 30))):
        centre = rng.standard_normal(3)
        cosine = d @ (centre / np.linalg.norm(centre)).astype(np.float32)
        width = np.radians(rng.uniform(8, 40))
        patch = np.exp((cosine - 1) / np.float32(width**2))[..., None]
        bright = rng.uniform(2, 8) if rng.random() < 0.15 and centre[1] > 0 else rng.uniform(0.1, 1.2)
        out = out + patch * (bright * (_vivid(rng) if rng.random() < 0.4 else tint(rng, 1.5)) - out)
    return out.astype(np.float32)


DRAWN = {"gradient": gradient, "studio": studio, "sky": sky, "room": room, "blurred": blurred}


def read_environment(path: Path) -> F32:
    """(h, w, 3) float32 linear light of an equirectangular picture: Radiance HDR, OpenEXR, PNG or JPEG (sRGB).

    Raises:
        InputError: Not such a picture; the text names the file.
        BackendNotInstalledError: EXR without its reader.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in SUFFIXES:
        got = str(path) if path.is_file() else f"{path}: no such file"
        raise InputError(expected(f"a picture of {', '.join(SUFFIXES)}", got=got, remedy="check the path"))
    pixels = _exr(path) if suffix == ".exr" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.size == 0:
        got = f"{path}, which cannot be read"
        raise InputError(expected("an equirectangular picture", got=got, remedy="save it again"))
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, 2)
    rgb = np.asarray(pixels)[..., :3] if suffix == ".exr" else np.asarray(pixels)[..., 2::-1]
    if rgb.dtype.kind == "u":
        linear = linear_table()[(rgb // (256 if rgb.dtype == np.uint16 else 1)).astype(np.uint8)]
    else:
        linear = rgb.astype(np.float32)
    if not np.isfinite(linear).all() or linear.min() < 0:
        linear = np.clip(np.nan_to_num(linear, nan=0.0, posinf=65504.0, neginf=0.0), 0, None)
    if linear.max() <= 0:
        raise InputError(expected("an environment with light", got=f"{path}, which is black", remedy="leave it out"))
    if len(linear) > MAX_ROWS:
        size = (round(linear.shape[1] * MAX_ROWS / len(linear)), MAX_ROWS)
        linear = cv2.resize(linear, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(linear, np.float32)


def without_sun(radiance: F32, *, brightest: float = 30.0) -> tuple[F32, NDArray[np.float64] | None, F32]:
    """The environment with its sun cut off, and (direction, irradiance) of the sun as a lamp, None without one.

    What exceeds ``brightest`` times the median is taken out, so that shadows of a sun are sharp with few rays and
    equal in every renderer; the light that arrives stays the same.
    """
    luminance = radiance @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    h, w = luminance.shape
    limit = brightest * max(float(np.median(luminance)), 1e-6)
    kept = np.minimum(1, limit / np.maximum(luminance, 1e-12))[..., None].astype(np.float32)
    taken = radiance * (1 - kept)
    power = taken * solid_angles(h, w)[..., None]
    total = power.sum((0, 1), dtype=np.float64)
    centre = (power.sum(2)[..., None] * equirect_directions(h, w)).sum((0, 1), dtype=np.float64)
    spread = np.linalg.norm(centre) / max(float(power.sum(dtype=np.float64)), 1e-20)
    if total.sum() <= 0 or spread < 0.9:  # nothing, or several: lamps of a room
        return radiance, None, np.zeros(3, np.float32)
    return radiance * kept, centre / np.linalg.norm(centre), total.astype(np.float32)


def direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """(3,) unit vector of two angles in radians; azimuth 0 is +z."""
    return np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], np.float64
    )


def _vivid(rng: _Random, saturation: float = 0.6) -> F32:
    import colorsys

    rgb = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, saturation), 1.0))
    return (rgb / rgb.mean()).astype(np.float32)


def _fractal(rng: _Random, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float32]:
    """Smooth noise about 0 at any places, of five octaves."""
    grid = rng.standard_normal((64, 64), np.float32)
    wrapped = np.pad(grid, ((0, 1), (0, 1)), mode="wrap")
    total = np.zeros(x.shape, np.float32)
    for octave in range(5):
        px, py = (x * 2**octave % 64).astype(np.float32), (y * 2**octave % 64).astype(np.float32)
        total += cv2.remap(wrapped, px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * 0.55**octave
    return total


def _exr(path: Path) -> F32:
    try:
        import OpenEXR  # type: ignore[import-not-found]
    except ImportError as error:
        remedy = 'type: pip install "scenemaker[exr]", or save it as HDR'
        got = f"{path} without it"
        raise BackendNotInstalledError(expected("the reader of EXR files", got=got, remedy=remedy)) from error
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: np.asarray(c.pixels, np.float32) for name, c in file.channels().items()}
    except RuntimeError as error:
        got = f"{path}: {error}"
        raise InputError(expected("a whole EXR file", got=got, remedy="save it again")) from error
    if not {"R", "G", "B"} <= channels.keys():
        got = f"{path} with {', '.join(sorted(channels))}"
        raise InputError(expected("an EXR file with R, G and B", got=got, remedy="save it with colours"))
    return np.stack([channels[c] for c in "RGB"], -1)
