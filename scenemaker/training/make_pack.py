"""A pose pack from rendered scenes, as ``scenemaker train pack`` makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from scenemaker.data.datasets import SceneFolders, SceneShards
from scenemaker.data.types import SceneSample
from scenemaker.training.data.packs import PackReport, write_pack


def make_pack(
    scenes: Sequence[Path],
    out: Path,
    *,
    size: tuple[int, int],
    count: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PackReport:
    """Writes views of scene folders and shards into one file.

    Args:
        scenes: Folders of scene folders, or of shards.
        out: The file.
        size: (width, height) of its pictures.
        count: At most so many views.
        progress: Called with the number of views read and of those wanted.

    Raises:
        InputError: A folder without scenes, or none that shows an object.
    """
    total = count or sum(len(SceneFolders(path)) for path in scenes if not _sharded(path))

    def views() -> Iterator[SceneSample]:
        opened = (view for path in scenes for view in views_of(path))
        for done, view in enumerate(islice(opened, count), 1):
            yield view
            if progress:
                progress(done, max(total, done))

    return write_pack(views(), out, size=size)


def _sharded(path: Path) -> bool:
    return any(path.glob("*.tar"))


def views_of(path: Path) -> Iterator[SceneSample]:
    """All views of scene folders under a folder, or of its shards.

    Raises:
        InputError: There is none.
    """
    if _sharded(path):
        yield from SceneShards(path)
        return
    folders = SceneFolders(path)
    yield from (folders[i] for i in range(len(folders)))
