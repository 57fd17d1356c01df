"""A run folder is used by one run at a time, and nothing that is not ours is overwritten in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scenemaker.cache import locked
from scenemaker.errors import InputError, OutputError, expected

RUN_FILE = "run.json"
NAMES = (
    *("rgb.png", "labels.png", "depth.npy", "amodal.npz", "scene.json", "scene.glb", "report.html"),
    *("objects", "background", "pictures", "stages", RUN_FILE),
)


@contextmanager
def claim(folder: Path, given: Sequence[object] = ()) -> Iterator[None]:
    """The time in which a run writes into a folder.

    Args:
        folder: Of the run.
        given: The user's inputs; none may be a file that the run would write.

    Raises:
        InputError: An input would be overwritten.
        OutputError: The folder holds files of somebody else, is used by another run, or cannot be written.
    """
    check_inputs(folder, given)
    check_ours(folder, marks=(RUN_FILE, "stages"))
    with locked(folder):
        yield


def check_inputs(folder: Path, given: Sequence[object]) -> None:
    """Raises InputError when a given path is one that a run into ``folder`` writes."""
    for item in given:
        if isinstance(item, (str, Path)) and Path(item).exists():
            path = Path(item).resolve()
            if path.parent == folder.resolve() and path.name in NAMES:
                raise InputError(
                    expected(
                        f"inputs that the run does not write over in {folder}",
                        got=path.name,
                        remedy="choose another -o",
                    )
                )


def check_ours(folder: Path, marks: Sequence[str]) -> None:
    """Raises OutputError when a folder without any of the marks holds names that would be written."""
    if not folder.is_dir() or any((folder / mark).exists() for mark in marks):
        return
    foreign = [name for name in NAMES if (folder / name).exists()]
    if foreign:
        got = f"{folder} with {', '.join(foreign)} that no run of ours wrote"
        raise OutputError(expected("a new folder, or that of a run", got=got, remedy="choose another -o"))
