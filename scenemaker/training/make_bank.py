"""An object bank from mesh folders and procedural families, as ``scenemaker train bank`` makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scenemaker.data.make import mixed, open_source
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.recipe import ObjectsFrom
from scenemaker.training.data.bank import ObjectBank, build_bank, draw_keys

DRAWN = 1000  # objects, where nothing says how many and not all can be taken


def make_bank(
    sources: Sequence[dict[str, Any]],
    count: int | None,
    *,
    points: int,
    seed: int,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ObjectBank, dict[str, str]]:
    """The bank, and what is wrong with the objects that are left out, by key.

    Args:
        sources: Tables of ``ObjectsFrom``; none is all procedural families.
        count: Different objects that are drawn; None takes all of one folder, else ``DRAWN``.
        points: Surface points of each.
        seed: Of the drawing.
        workers: Processes.
        progress: Called with the number of objects done and of all.

    Raises:
        InputError: A folder without a usable mesh, or fewer objects than wanted.
    """
    configs = [ObjectsFrom.model_validate(row) for row in sources] or [ObjectsFrom()]
    source = mixed([open_source(config, workers) for config in configs], configs)
    if count is None and isinstance(source, FolderSource):
        keys = list(source.keys)
    else:
        keys = draw_keys(source, count or DRAWN, seed=seed)
    return build_bank(source, keys, points=points, workers=workers, progress=progress)
