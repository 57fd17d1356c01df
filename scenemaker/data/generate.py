"""Data on disk: items made by several processes, resumable, the same whatever their number.

``ROOT/dataset.json`` holds the recipe and a digest of its object files; a run with another recipe or other files is
refused, one with the same makes what is missing. One run at a time works in a folder. Items that cannot be made and
mesh files that cannot be used are listed in ``failed.json`` and ``skipped.json`` beside it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from scenemaker.artefacts import read_json, write_json
from scenemaker.cache import digest, locked, output_errors
from scenemaker.data.make import SceneFactory
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.recipe import SceneRecipe
from scenemaker.data.render.surroundings import check_environments
from scenemaker.data.storage.folders import FolderWriter
from scenemaker.data.storage.shards import ShardWriter
from scenemaker.data.types import ObjectSource
from scenemaker.errors import ConfigError, OutputError, PlacementError, expected
from scenemaker.parallel import each

DATASET = "dataset.json"
Writer = FolderWriter | ShardWriter


class Outcome(NamedTuple):
    """How one item went.

    Attributes:
        redrawn: Why earlier draws of it were dropped, one text each.
        dropped_views: Views that were asked for and left out.
        failed: Why it could not be made, or None.
    """

    redrawn: tuple[str, ...] = ()
    dropped_views: int = 0
    failed: str | None = None


class Job(Protocol):
    """Makes and writes one item; goes to every worker once, so it must pickle and open what it needs lazily."""

    def __call__(self, index: int) -> Outcome:
        """Makes and writes item ``index``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did.

    Attributes:
        made: Items made now.
        found: Items that were there before.
        redrawn: How often draws were dropped, by reason.
        dropped_views: Views that were asked for and left out, for an object was hidden in them.
        failed: Why items could not be made, by index; also in ``failed.json``.
        lost: Items whose process was killed; the same command tries them again.
        skipped: (file, reason) of what the sources cannot use; also in ``skipped.json``.
    """

    made: int
    found: int
    redrawn: Counter[str] = field(default_factory=Counter)
    dropped_views: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    lost: tuple[int, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


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

    def __call__(self, index: int) -> Outcome:
        """Makes and writes scene ``index``."""
        factory, writer = self._tools
        try:
            made = factory(index)
        except PlacementError as error:
            return Outcome(failed=str(error))
        writer.write_scene(index, made.samples, [o.mesh for o in made.arrangement.objects])
        return Outcome(redrawn=made.redrawn, dropped_views=made.dropped_views)


def generate(
    job: Job,
    place: Place,
    recipe: Mapping[str, Any],
    count: int,
    *,
    start: int = 0,
    workers: int = 1,
    skipped: Sequence[tuple[str, str]] = (),
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
        skipped: (file, reason) of what the sources cannot use.
        progress: Called with (items there, items wanted).

    Raises:
        OutputError: The folder holds data of another recipe, is in use, cannot be written, or the disk is full.
    """
    if count < 1 or start < 0 or (place.per_shard is not None and place.per_shard < 1):
        got = f"count {count}, start {start}, per_shard {place.per_shard}"
        raise ConfigError(expected("a count and per_shard from 1, a start from 0", got=got, remedy="correct it"))
    _claim(place, dict(recipe))
    with locked(place.root):
        writer = place.writer()
        todo = [i for i in range(start, start + count) if not writer.has(i)]
        found = done = count - len(todo)
        redrawn, failed, lost, dropped = Counter[str](), dict[int, str](), list[int](), 0
        if progress is not None:
            progress(done, count)
        try:
            for n, outcome in each(job, todo, min(workers, len(todo))):
                if outcome is None:
                    lost.append(todo[n])
                    continue
                redrawn.update(outcome.redrawn)
                dropped += outcome.dropped_views
                if outcome.failed is not None:
                    failed[todo[n]] = outcome.failed
                    continue
                writer.collect(todo[n])
                done += 1
                if progress is not None:
                    progress(done, count)
        finally:
            writer.finish()
        failed = dict(sorted(failed.items()))
        _list(place.root / "failed.json", [{"index": i, "reason": text} for i, text in failed.items()])
        _list(place.root / "skipped.json", [{"file": file, "reason": text} for file, text in skipped])
    return Report(
        made=len(todo) - len(lost) - len(failed),
        found=found,
        redrawn=redrawn,
        dropped_views=dropped,
        failed=failed,
        lost=tuple(sorted(lost)),
        skipped=tuple(skipped),
    )


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
        OutputError: As ``generate``.
    """
    place = Place(Path(out), per_shard)
    factory = SceneFactory(recipe, workers=workers)  # what is wrong with the recipe is said before the folder is taken
    if recipe.surroundings.environments is not None:
        check_environments(recipe.surroundings.environments)
    sources = factory.sources
    job = SceneJob(recipe, place)
    content = {"kind": "scenes", "recipe": recipe.model_dump(mode="json"), **files_of(sources)}
    return generate(
        job, place, content, count, start=start, workers=workers, skipped=skips_of(sources), progress=progress
    )


def files_of(sources: Sequence[ObjectSource]) -> dict[str, Any]:
    """``files``: number and digest (names and sizes) of the mesh files that sources draw from; nothing of others."""
    listed = [[[key, s.file(key).stat().st_size] for key in s.keys] for s in sources if isinstance(s, FolderSource)]
    return {"files": {"count": sum(map(len, listed)), "digest": digest(listed)[:16]}} if listed else {}


def skips_of(sources: Sequence[ObjectSource]) -> list[tuple[str, str]]:
    """(file, reason) of every file that sources cannot use."""
    folders = [s for s in sources if isinstance(s, FolderSource)]
    return [(f"{s.folder}/{skip.file}", skip.reason) for s in folders for skip in s.skipped]


def _list(file: Path, rows: list[dict[str, Any]]) -> None:
    """Writes a list of what went wrong; an empty one leaves no file."""
    if rows:
        write_json(file, rows)
    else:
        file.unlink(missing_ok=True)


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
        foreign = [p.name for p in place.root.iterdir() if p.name != ".lock"] if place.root.is_dir() else []
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
