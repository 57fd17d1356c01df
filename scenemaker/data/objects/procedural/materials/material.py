"""One material: two colours and a pattern."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]  # sRGB in [0, 1]


@dataclass(frozen=True, kw_only=True)
class Material:
    """How a part looks.

    Attributes:
        rgb: Main colour.
        rgb2: Second colour, of the grain, the stripes, the joints.
        pattern: "plain", or a name in ``tiles.PATTERNS``.
        span: Length that one tile of the pattern covers, over the longest side of the object.
        uneven: How much pieces of one material differ in brightness: planks do, paint does not.
    """

    rgb: Colour
    rgb2: Colour
    pattern: str = "plain"
    span: float = 0.8
    uneven: float = 0.0


GREY = Material(rgb=(0.7, 0.7, 0.7), rgb2=(0.6, 0.6, 0.6))
