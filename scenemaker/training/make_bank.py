"""An object bank from mesh folders and procedural families, as ``scenemaker train bank`` makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.data.make import mixed, open_source
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.recipe import ObjectsFrom
from scenemaker.data.types import DataObject, ObjectSource
from scenemaker.errors import InputError, expected
from scenemaker.training.data.bank import ObjectBank, build_bank, draw_keys
from scenemaker.training.make_pack import views_of

DRAWN = 1000  # objects, where nothing says how many and not all can be taken


def make_bank(
    sources: Sequence[dict[str, Any]],
    count: int | None,
    *,
    points: int,
    seed: int,
    workers: int,
    scenes: Sequence[Path] = (),
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ObjectBank, dict[str, str]]:
    """The bank, and what is wrong with the objects that are left out, by key.

    Args:
        sources: Tables of ``ObjectsFrom``; none is all procedural families.
        count: Different objects that are drawn; None takes all of one folder, else ``DRAWN``.
        points: Surface points of each.
        seed: Of the drawing.
        workers: Processes.
        scenes: Folders of scenes or shards: all objects in them instead of drawn ones; ``sources`` say where from.
        progress: Called with the number of objects done and of all.

    Raises:
        InputError: A folder without a usable mesh, or fewer objects than wanted.
    """
    configs = [ObjectsFrom.model_validate(row) for row in sources] or [ObjectsFrom()]
    if scenes:
        named = NamedObjects([open_source(config, workers) for config in configs])
        names = {name for path in scenes for sample in views_of(path) for name in sample.info.get("objects", ())}
        if not names:
            remedy = "make them with `scenemaker data scenes`"
            raise InputError(expected("scenes that name their objects", got="none that does", remedy=remedy))
        return build_bank(named, sorted(names), points=points, workers=workers, progress=progress)
    source = mixed([open_source(config, workers) for config in configs], configs)
    if count is None and isinstance(source, FolderSource):
        keys = list(source.keys)
    else:
        keys = draw_keys(source, count or DRAWN, seed=seed)
    return build_bank(source, keys, points=points, workers=workers, progress=progress)


class NamedObjects:
    """Objects of several sources under the names that scenes call them by, "source:key"."""

    name = "named"

    def __init__(self, sources: Sequence[ObjectSource]) -> None:
        self.sources = {source.name: source for source in sources}

    def draw(self, rng: np.random.Generator) -> str:
        """The name of a random object of a random source."""
        source = list(self.sources.values())[int(rng.integers(len(self.sources)))]
        return f"{source.name}:{source.draw(rng)}"

    def get(self, key: str) -> DataObject:
        """The object of a name.

        Raises:
            InputError: Of another source, or none of its objects.
        """
        name, _, own = key.partition(":")
        if name not in self.sources:
            remedy = f"add --objects with the folder called {name}"
            raise InputError(expected(f"an object of {', '.join(self.sources)}", got=repr(key), remedy=remedy))
        return self.sources[name].get(own)
