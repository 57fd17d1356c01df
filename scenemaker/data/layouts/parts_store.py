"""Convex parts of objects, made once per mesh content: kept in memory, and on disk for other processes."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np

from scenemaker.cache import Store, digest
from scenemaker.data.layouts.decomposition import VERSION, PartsConfig, convex_parts
from scenemaker.data.types import DataObject
from scenemaker.geometry.cameras import F64

STAGE = "convex-parts"
FILE = "parts.npz"
KEPT = 4096  # objects in memory, about 20 kB each


class PartsStore:
    """Gives the convex parts of objects."""

    def __init__(self, config: PartsConfig, cache_dir: Path | None = None) -> None:
        """A store in memory, and in a cache folder if one is given."""
        self.config = config
        self._disk = Store(cache_dir) if cache_dir else None
        self._memory: OrderedDict[str, tuple[F64, ...]] = OrderedDict()

    def get(self, item: DataObject) -> tuple[F64, ...]:
        """Corners (k, 3) of the convex parts of an object, in ``obj``.

        Raises:
            InputError: The mesh has none; the text names the object.
        """
        mesh = item.mesh
        key = digest([VERSION, self.config, mesh.vertices, mesh.faces])
        if key not in self._memory:
            self._memory[key] = self._load(key, item)
            if len(self._memory) > KEPT:
                self._memory.popitem(last=False)
        self._memory.move_to_end(key)
        return self._memory[key]

    def _load(self, key: str, item: DataObject) -> tuple[F64, ...]:
        if self._disk is None:
            return self._make(item)
        found = self._disk.get(STAGE, key)
        if found is None:
            parts = self._make(item)
            found = self._disk.put(STAGE, key, lambda folder: _save(folder / FILE, parts), dict)
        with np.load(found[0] / FILE) as file:
            return tuple(np.split(file["corners"], file["ends"][:-1]))

    def _make(self, item: DataObject) -> tuple[F64, ...]:
        return convex_parts(item.mesh, self.config, name=item.key)


def _save(path: Path, parts: tuple[F64, ...]) -> None:
    np.savez(path, corners=np.concatenate(parts), ends=np.cumsum([len(p) for p in parts]))


__all__ = ["PartsStore"]
