"""Objects out of nothing: parametric families, drawn by number."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Sequence

import numpy as np

from scenemaker.data.objects.procedural.families import FAMILIES
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.paint import coloured, painted
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.types import DataObject
from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import normalise

NUMBERS = 1_000_000  # of each family
TEXTURED = 0.65  # share of objects with a texture


class ProceduralSource:
    """Draws furniture, vessels, tools, plants and more from numbers; needs no file.

    An object is known by its key "family/number", and depends on nothing else but whether textures are on.

    >>> source = ProceduralSource(["table", "chair"])
    >>> source.get("table/482913").label
    'table'
    """

    name = "procedural"

    def __init__(self, families: Sequence[str] | None = None, *, textures: bool = True) -> None:
        """Chooses families.

        Args:
            families: Names of those to draw from, all alike; None is all. See ``family_names``.
            textures: About two objects in three get a texture, the others vertex colours; off gives vertex colours
                to all.

        Raises:
            InputError: An unknown family, or none at all.
        """
        self.families = family_names() if families is None else tuple(_known(f) for f in families)
        if not self.families:
            raise InputError(expected("at least one family", got="none", remedy="leave `families` out for all"))
        self.textures = textures

    def draw(self, rng: np.random.Generator) -> str:
        """The key of a random object, as "table/482913"."""
        family = self.families[int(rng.integers(len(self.families)))]
        return f"{family}/{int(rng.integers(NUMBERS))}"

    def get(self, key: str) -> DataObject:
        """The object of a key, the same on every machine; of any family, drawn from or not.

        Raises:
            InputError: Not a key, or an unknown family.
        """
        family, number = _split(key)
        rng = np.random.default_rng([zlib.crc32(family.encode()), number])
        parts = parts_of(family, rng)
        colours = np.random.default_rng([zlib.crc32(family.encode()), number, 1])
        textured = colours.random() < TEXTURED
        mesh = painted(parts, colours) if textured and self.textures else coloured(parts, colours)
        return DataObject(key=key, mesh=normalise(mesh)[0], label=family, source=self.name)


def family_names() -> tuple[str, ...]:
    """All families, in the order of the alphabet."""
    return tuple(sorted(FAMILIES))


def parts_of(family: str, rng: np.random.Generator) -> list[Part]:
    """The closed parts of a random object of a family, before they are painted and joined."""
    return FAMILIES[_known(family)](rng, Palette(rng))


def _known(family: str) -> str:
    if family in FAMILIES:
        return family
    near = difflib.get_close_matches(str(family), FAMILIES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        expected(
            "a family of procedural objects", got=repr(family), remedy=f"{hint}give one of {', '.join(family_names())}"
        )
    )


def _split(key: str) -> tuple[str, int]:
    family, _, number = key.rpartition("/")
    if not family or not (number.isascii() and number.isdigit()):
        raise InputError(expected("a key like table/482913", got=repr(key), remedy="give family/number"))
    return _known(family), int(number)
