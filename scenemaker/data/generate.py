"""Data on disk: items made by several processes, resumable, the same whatever their number.

``ROOT/dataset.json`` holds the recipe. A run into a folder that holds another recipe's data is refused; one with the
same recipe makes what is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from scenemaker.artefacts import read_json, write_json
from scenemaker.cache import output_errors
from scenemaker.data.make import SceneFactory, open_objects
from scenemaker.data.parallel import each
from scenemaker.data.recipe import SceneRecipe
from scenemaker.data.storage.folders import FolderWriter
from scenemaker.data.storage.shards import ShardWriter
from scenemaker.errors import OutputError, expected

DATASET = "dataset.json"
Writer = FolderWriter | ShardWriter


class Job(Protocol):
    """Makes and writes one item; goes to every worker once, so it must pickle and open what it needs lazily."""

    def __call__(self, index: int) -> list[str]:
        """Makes and writes item ``index``; returns why earlier draws of it were dropped."""
        ...


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did.

    Attributes:
        made: Items made now.
        found: Items that were there before.
        redrawn: How often draws were dropped, by reason.
        lost: Items whose process was killed; the same command tries them again.
    """

    made: int
    found: int
    redrawn: Counter[str] = field(default_factory=Counter)
    lost: tuple[int, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where items go: a folder each, or shards of so many."""

    root: Path
    per_shard: int | None = None
    name: str = "scenes"

    def writer(self) -> Writer:
        """A writer into it.

        Raises:
            OutputError: The folder cannot be written.
        """
        if self.per_shard is None:
            return FolderWriter(self.root)
        return ShardWriter(self.root, self.per_shard, self.name)


class SceneJob:
    """Makes and writes scene n of a recipe."""

    def __init__(self, recipe: SceneRecipe, place: Place) -> None:
        self.recipe, self.place = recipe, place

    def __reduce__(self) -> tuple[type[SceneJob], tuple[SceneRecipe, Place]]:
        return SceneJob, (self.recipe, self.place)

    @cached_property
    def _tools(self) -> tuple[SceneFactory, Writer]:
        return SceneFactory(self.recipe), self.place.writer()

    def __call__(self, index: int) -> list[str]:
        """Makes and writes scene ``index``; returns why earlier draws of it were dropped."""
        factory, writer = self._tools
        made = factory(index)
        writer.write_scene(index, made.samples, [o.mesh for o in made.arrangement.objects])
        return list(made.redrawn)


def generate(
    job: Job,
    place: Place,
    recipe: Mapping[str, Any],
    count: int,
    *,
    start: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Makes items ``start`` to ``start + count - 1`` that are not there yet.

    Args:
        job: Makes and writes one item.
        place: Where they go.
        recipe: What decides their bytes; kept in ``dataset.json`` and compared with what is there.
        count: How many.
        start: The first.
        workers: Processes.
        progress: Called with (items there, items wanted).

    Raises:
        OutputError: The folder holds data of another recipe, cannot be written, or the disk is full.
        PlacementError: An item cannot be made; those before it are kept.
    """
    _claim(place, dict(recipe))
    writer = place.writer()
    todo = [i for i in range(start, start + count) if not writer.has(i)]
    redrawn: Counter[str] = Counter()
    lost: list[int] = []
    done = count - len(todo)
    if progress is not None:
        progress(done, count)
    for n, reasons in each(job, todo, min(workers, len(todo))):
        if reasons is None:
            lost.append(todo[n])
            continue
        redrawn.update(reasons)
        writer.collect(todo[n])
        done += 1
        if progress is not None:
            progress(done, count)
    writer.finish()
    return Report(made=len(todo) - len(lost), found=count - len(todo), redrawn=redrawn, lost=tuple(sorted(lost)))


def generate_scenes(
    recipe: SceneRecipe,
    out: str | Path,
    count: int,
    *,
    start: int = 0,
    per_shard: int | None = None,
    workers: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Makes scenes as scene folders, or as shards of ``per_shard`` scenes; see ``generate``.

    Raises:
        InputError: A source of objects has nothing usable.
        OutputError, PlacementError: As ``generate``.
    """
    place = Place(Path(out), per_shard)
    open_objects(recipe.objects)  # what is wrong with them is said before any worker starts
    job = SceneJob(recipe, place)
    content = {"kind": "scenes", "recipe": recipe.model_dump(mode="json")}
    return generate(job, place, content, count, start=start, workers=workers, progress=progress)


def _claim(place: Place, recipe: dict[str, Any]) -> None:
    """Writes ``dataset.json``, or checks that the one that is there says the same."""
    file = place.root / DATASET
    wanted = {**json.loads(json.dumps(recipe)), "per_shard": place.per_shard}
    if file.is_file():
        there = {k: v for k, v in read_json(file).items() if k != "version"}
        if there != wanted:
            got = f"another in {file} ({_difference(there, wanted)})"
            raise OutputError(expected("a folder of this recipe", got=got, remedy="choose another -o"))
        return
    with output_errors(place.root):
        foreign = [p.name for p in place.root.iterdir()] if place.root.is_dir() else []
        if foreign:
            got = f"{place.root} with {', '.join(sorted(foreign)[:3])} of another origin"
            raise OutputError(expected("a new or empty folder", got=got, remedy="choose another -o"))
        place.root.mkdir(parents=True, exist_ok=True)
        write_json(file, {"version": 1, **wanted})


def _difference(a: Any, b: Any, path: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if a.get(key) != b.get(key):
                return _difference(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    return f"{path} is {json.dumps(a)[:60]} there, {json.dumps(b)[:60]} now"
