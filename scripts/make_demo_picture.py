"""Draws the example picture of `scenemaker demo` and its masks, with nothing but this repository.

python scripts/make_demo_picture.py                  1200x800, 64 rays per pixel: about 5 minutes on two cores
python scripts/make_demo_picture.py --strata 2 --width 600 --out preview/
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from demo_picture import furniture
from demo_picture.materials import srgb
from demo_picture.shapes import turn
from demo_picture.tracer import Light, Placed, Tracer
from PIL import Image

from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.transforms import rigid

ASSETS = Path(__file__).resolve().parents[1] / "scenemaker" / "assets"
FOCAL_35MM = 40
EXIF_IFD, EXIF_FOCAL_35MM = 0x8769, 0xA405
PALETTE = [0, 0, 0, 230, 25, 75, 60, 180, 75, 255, 225, 25, 0, 130, 200, 245, 130, 48]


def placed_parts() -> list[Placed]:
    """The room and its five objects, as (parts, yaw in degrees, x, z), labelled from 1."""
    things = [
        (furniture.armchair(), 24.0, 2.02, 1.12),
        (furniture.knitted_pouf(), 0.0, 2.44, 1.64),
        (furniture.cabinet(), -22.0, 3.32, 0.62),
        (furniture.plant(5), 0.0, 1.02, 0.72),
        (furniture.beach_ball(0.15), 0.0, 1.42, 2.02),
    ]
    out = [Placed(part, np.eye(3), np.zeros(3), 0) for part in furniture.room(7.0, 7.0, 4.5, 1.42)]
    for label, (parts, yaw, x, z) in enumerate(things, start=1):
        lift = 0.012 if np.hypot(x - 2.35, z - 1.55) < 1.3 else 0.0  # on the rug
        out += [Placed(part, turn("y", yaw), np.array([x, lift, z]), label) for part in parts]
    return out


def daylight() -> Light:
    """Late sun through the window of the left wall, a lamp behind the camera, and the sky."""
    towards = np.array([-1.0, 0.82, 0.42])
    return Light(
        sun_towards=towards / np.linalg.norm(towards),
        sun_spread=0.012,
        sun=3.6 * srgb("#ffdcae"),
        lamp_at=np.array([3.6, 2.7, 4.6]),
        lamp_radius=0.5,
        lamp=8.0 * srgb("#fff1dc"),
        sky=1.0 * srgb("#dfe9f5"),
        ambient=0.30 * srgb("#efe6d8"),
    )


def camera(width: int) -> Camera:
    """3:2, eye height, looking slightly down into the corner."""
    height = round(width / 1.5)
    f_px = FOCAL_35MM * np.hypot(width, height) / np.hypot(36, 24)
    K = np.array([[f_px, 0, width / 2], [0, f_px, height / 2], [0, 0, 1]])
    eye, at = np.array([2.42, 1.55, 4.75]), np.array([2.22, 0.62, 1.2])
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    R_cam_world = np.stack([right, np.cross(forward, right), forward])
    return Camera(K=K, width=width, height=height, T_cam_world=rigid(R_cam_world, -R_cam_world @ eye))


def developed(radiance: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 sRGB: exposure, Reinhard's curve with white at 3.2, a little contrast, the sRGB curve."""
    x = 1.25 * radiance
    x = x * (1 + x / 3.2**2) / (1 + x)
    x = x.clip(0, 1)
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    encoded = 0.7 * encoded + 0.3 * encoded**2 * (3 - 2 * encoded)
    return (encoded * 255).round().astype(np.uint8)


def save(folder: Path, radiance: np.ndarray, labels: np.ndarray) -> None:
    """Writes ``demo.jpg``, with its focal length so that the camera is known, and ``demo_masks.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    masks = Image.fromarray(labels.astype(np.uint8)).convert("P")
    masks.putpalette(PALETTE)
    masks.save(folder / "demo_masks.png", optimize=True)
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[EXIF_FOCAL_35MM] = FOCAL_35MM
    Image.fromarray(developed(radiance)).save(folder / "demo.jpg", quality=90, optimize=True, exif=exif)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--strata", type=int, default=8, help="rays per pixel = strata^2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ASSETS)
    told = parser.parse_args()
    view, tracer = camera(told.width), Tracer(placed_parts(), daylight())
    save(told.out, tracer.picture(view, told.strata, told.seed), tracer.label_image(view))


if __name__ == "__main__":
    main()
