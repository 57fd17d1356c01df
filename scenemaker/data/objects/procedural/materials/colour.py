"""Colours by lightness, chroma and hue, as the eye orders them."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.materials.material import Colour
from scenemaker.geometry.colour import srgb_from_linear


def oklch(lightness: float, chroma: float, hue_deg: float) -> Colour:
    """sRGB in [0, 1] of an OKLCH colour; what a screen cannot show is clipped.

    Reference: B. Ottosson, "A perceptual color space for image processing", 2020.
    """
    a, b = chroma * np.cos(np.radians(hue_deg)), chroma * np.sin(np.radians(hue_deg))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    r, g, b = srgb_from_linear(np.array(linear)).tolist()
    return r, g, b


def lighter(rgb: Colour, factor: float) -> Colour:
    """The colour times a factor, clipped."""
    r, g, b = (min(max(c * factor, 0.0), 1.0) for c in rgb)
    return r, g, b


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Between two colours: 0 is the first."""
    r, g, b_ = (x + (y - x) * share for x, y in zip(a, b))
    return r, g, b_
