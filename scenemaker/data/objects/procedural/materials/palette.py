"""The materials of one object: natural, and in colours that go together."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, pick, spread
from scenemaker.data.objects.procedural.materials.colour import lighter, mix, oklch
from scenemaker.data.objects.procedural.materials.material import Colour, Material

_WOODS: tuple[Colour, ...] = (
    (0.80, 0.64, 0.45), (0.70, 0.50, 0.31), (0.55, 0.36, 0.22), (0.40, 0.25, 0.17), (0.47, 0.22, 0.14),
    (0.86, 0.75, 0.58), (0.62, 0.44, 0.25), (0.28, 0.19, 0.14), (0.60, 0.56, 0.50), (0.74, 0.55, 0.34),
)  # fmt: skip
_METALS: tuple[Colour, ...] = (
    (0.75, 0.76, 0.77), (0.58, 0.59, 0.61), (0.77, 0.62, 0.32), (0.70, 0.44, 0.31), (0.20, 0.20, 0.22),
    (0.66, 0.65, 0.62), (0.35, 0.36, 0.38), (0.83, 0.82, 0.79),
)  # fmt: skip
_STONES: tuple[Colour, ...] = (
    (0.58, 0.57, 0.55), (0.72, 0.66, 0.56), (0.42, 0.43, 0.45), (0.66, 0.56, 0.46), (0.50, 0.47, 0.42),
    (0.80, 0.78, 0.73), (0.55, 0.45, 0.40), (0.36, 0.37, 0.35),
)  # fmt: skip
_CLAYS: tuple[Colour, ...] = ((0.72, 0.42, 0.28), (0.64, 0.35, 0.24), (0.80, 0.55, 0.40), (0.55, 0.40, 0.32))
_HUES = (  # where the colours of things lie, more red, brown and blue than pink
    (15, 45), (25, 65), (35, 70), (60, 100), (80, 110), (120, 150), (135, 165), (180, 225), (235, 265), (240, 270),
    (225, 260), (290, 360),
)  # fmt: skip
_SCHEMES = ((0, 25, -25), (0, 180, 20), (0, 150, 210), (0, 0, 0), (0, 120, 240), (0, 60, -40), (0, 90, 180))


class Palette:
    """Draws materials for one object. Its colours keep one scheme of hues and one temper (muted to vivid)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        low, high = pick(rng, _HUES)
        hue, scheme = spread(rng, low, high), pick(rng, _SCHEMES)
        self._hues = [hue + h for h in scheme]
        self._chroma = pick(rng, (0.03, 0.05, 0.07, 0.09, 0.12, 0.15))
        self._light = spread(rng, 0.42, 0.8)
        self._used = 0

    def colour(self, *, light: float | None = None, chroma: float | None = None) -> Colour:
        """The next colour of the scheme."""
        rng = self._rng
        hue = self._hues[self._used % 3] + spread(rng, -8, 8)
        turn = (0.0, 0.16, -0.14)[self._used % 3]
        self._used += 1
        lightness = min(max((self._light if light is None else light) + turn * (light is None), 0.2), 0.95)
        c = (self._chroma if chroma is None else chroma) * spread(rng, 0.8, 1.1)
        return oklch(lightness, c * min(1.0, 1.6 * (1.06 - lightness) + 0.25), hue)

    def neutral(self) -> Colour:
        """White, cream, grey or nearly black."""
        light = pick(self._rng, (0.93, 0.88, 0.8, 0.6, 0.38, 0.26))
        return oklch(light, spread(self._rng, 0, 0.022), spread(self._rng, 50, 110))

    def wood(self) -> Material:
        """A wood with its grain."""
        base = lighter(pick(self._rng, _WOODS), spread(self._rng, 0.88, 1.12))
        dark = lighter(base, spread(self._rng, 0.62, 0.84))
        return Material(rgb=base, rgb2=dark, pattern="wood", span=spread(self._rng, 0.5, 1.1), uneven=0.07)

    def paint(self) -> Material:
        """A smooth coat: of the scheme, or white or grey."""
        rgb = self.neutral() if chance(self._rng, 0.25) else self.colour()
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.9), pattern=pick(self._rng, ("plain", "plain", "worn")))

    def finish(self) -> Material:
        """What furniture is made of: wood, or painted."""
        return self.wood() if chance(self._rng, 0.68) else self.paint()

    def metal(self) -> Material:
        """Steel, brass, copper, iron."""
        rgb = lighter(pick(self._rng, _METALS), spread(self._rng, 0.92, 1.06))
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.82), pattern=pick(self._rng, ("plain", "brushed")))

    def plastic(self) -> Material:
        """One even colour of the scheme."""
        rgb = self.neutral() if chance(self._rng, 0.2) else self.colour()
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.92))

    def accent(self, *, light: float | None = None) -> Material:
        """A lively plain colour of the scheme."""
        rgb = self.colour(light=light, chroma=max(self._chroma, 0.11))
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.9))

    def fabric(self) -> Material:
        """Cloth: plain weave, or with a pattern."""
        rgb = self.neutral() if chance(self._rng, 0.25) else self.colour()
        other = mix(rgb, self.neutral() if chance(self._rng, 0.5) else self.colour(), spread(self._rng, 0.5, 1.0))
        kinds = ("weave", "weave", "weave", "stripes", "checks", "dots", "tartan", "zigzag", "flowers", "noise")
        pattern = pick(self._rng, kinds)
        if pattern in ("weave", "noise"):
            other = lighter(rgb, 0.72)
        return Material(rgb=rgb, rgb2=other, pattern=pattern, span=spread(self._rng, 0.35, 0.8))

    def leather(self) -> Material:
        """Browns, black, and dyed."""
        choices = ((0.36, 0.22, 0.14), (0.50, 0.31, 0.19), (0.16, 0.15, 0.15), (0.62, 0.44, 0.30), self.colour())
        rgb = lighter(pick(self._rng, choices), spread(self._rng, 0.9, 1.1))
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.75), pattern="noise", span=0.4)

    def ceramic(self) -> Material:
        """Glazed: plain, banded, dotted, marbled, crackled, or raw clay."""
        kind = pick(
            self._rng, ("plain", "plain", "rings", "dots", "marble", "flowers", "clay", "drip", "zigzag", "speckle")
        )
        if kind == "clay":
            rgb = lighter(pick(self._rng, _CLAYS), spread(self._rng, 0.9, 1.1))
            return Material(rgb=rgb, rgb2=lighter(rgb, 0.8), pattern="noise")
        rgb = self.neutral() if chance(self._rng, 0.4) else self.colour()
        other = self.colour()
        if kind == "speckle":
            other = lighter(rgb, 0.55)
        return Material(rgb=rgb, rgb2=other, pattern=kind, span=spread(self._rng, 0.6, 1.0))

    def stone(self) -> Material:
        """Grey to sandy, speckled or veined."""
        rgb = lighter(pick(self._rng, _STONES), spread(self._rng, 0.85, 1.12))
        kind = pick(self._rng, ("speckle", "noise", "noise", "marble", "strata"))
        return Material(rgb=rgb, rgb2=lighter(rgb, spread(self._rng, 0.6, 0.85)), pattern=kind, uneven=0.03)

    def leaf(self) -> Material:
        """Greens, now and then autumn or dark red."""
        autumn = chance(self._rng, 0.1)
        hue = spread(self._rng, 30, 85) if autumn else spread(self._rng, 112, 146)
        light = spread(self._rng, 0.42, 0.68)
        rgb = oklch(light, spread(self._rng, 0.07, 0.13), hue)
        return Material(rgb=rgb, rgb2=oklch(light * 0.78, 0.09, hue + 8), pattern="noise", span=0.3, uneven=0.09)

    def petal(self) -> Material:
        """Flowers: lively and light."""
        hue = pick(self._rng, (5.0, 20.0, 60.0, 95.0, 300.0, 340.0, 350.0, 270.0))
        rgb = oklch(spread(self._rng, 0.62, 0.86), spread(self._rng, 0.12, 0.2), hue)
        if chance(self._rng, 0.2):
            rgb = (0.95, 0.94, 0.9)
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.8), uneven=0.05)

    def bark(self) -> Material:
        """Of trunks."""
        base = pick(self._rng, ((0.36, 0.27, 0.20), (0.45, 0.36, 0.28), (0.30, 0.24, 0.20), (0.75, 0.73, 0.68)))
        return Material(rgb=base, rgb2=lighter(base, 0.6), pattern="wood", span=0.6)

    def dark(self) -> Material:
        """Rubber, iron, ink."""
        rgb = oklch(spread(self._rng, 0.2, 0.32), 0.01, spread(self._rng, 0, 360))
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.8))

    def pale(self) -> Material:
        """White to cream."""
        rgb = oklch(spread(self._rng, 0.88, 0.97), spread(self._rng, 0.0, 0.03), spread(self._rng, 60, 110))
        return Material(rgb=rgb, rgb2=lighter(rgb, 0.9))


def plain(rgb: Colour) -> Material:
    """One even colour."""
    return Material(rgb=rgb, rgb2=lighter(rgb, 0.88))


def blend(rgb: Colour, rgb2: Colour, pattern: str = "noise", uneven: float = 0.0, span: float = 0.8) -> Material:
    """Two colours, mixed by the shade of the points or by a pattern."""
    return Material(rgb=rgb, rgb2=rgb2, pattern=pattern, uneven=uneven, span=span)
