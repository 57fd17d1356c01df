"""The families of objects: name -> function that draws one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, scaled

Family = Callable[[np.random.Generator, Palette], list[Part]]
FAMILIES: dict[str, Family] = {}


def family(name: str, *, stretch: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Callable[[Family], Family]:
    """Registers a family.

    Args:
        name: The plain word for the object.
        stretch: How far its proportions may vary on top of what it draws, along x, y and z: 0.2 is a factor between
            1 / 1.2 and 1.2. Only along axes where nothing round would show it.
    """

    def register(draw: Family) -> Family:
        def drawn(rng: np.random.Generator, look: Palette) -> list[Part]:
            x, y, z = ((1 + s) ** rng.uniform(-1, 1) for s in stretch)
            return scaled(draw(rng, look), x, y, z)

        FAMILIES[name] = drawn if any(stretch) else draw
        return draw

    return register
