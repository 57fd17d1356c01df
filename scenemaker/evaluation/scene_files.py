"""Finds the scenes below a folder, and those of two folders that belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from scenemaker.errors import InputError, expected
from scenemaker.evaluation.glb_scene import SUFFIXES

WHOLE = ("object", "scene", "full_scene", "scene_pred", "merged", "background")  # files beside parts that are none
_PART = re.compile(r"(part|object|obj|instance|mesh|piece)[ _-]?\d+", re.IGNORECASE)


def scenes_in(root: str | Path) -> dict[str, Path]:
    """Scenes by name, sorted: ``root`` itself, or what lies below it, named by the way there ("room/0001").

    A scene is a folder with ``scene.json`` (a run, a data set's), a folder with one GLB per object (``part_00.glb``,
    ``object_1.glb``; or any GLB beside a ``full_scene.glb`` or ``background.*``), or a GLB or glTF file. Nothing is
    looked for inside a scene, inside a run that did not finish, or in hidden folders.

    Raises:
        InputError: No such folder, or two scenes of one name.
    """
    root = Path(root)
    if not root.exists():
        raise InputError(expected("a scene or a folder of scenes", got=f"{root}: not there", remedy="check the path"))
    if is_scene(root):
        return {root.resolve().name if root.is_dir() else root.stem: root}
    found: dict[str, Path] = {}
    for path in _walk(root, {root.resolve()}):
        name = (
            path.relative_to(root).with_suffix("").as_posix() if path.is_file() else path.relative_to(root).as_posix()
        )
        if name in found:
            remedy = "move one away"
            raise InputError(expected("one scene per name", got=f"{found[name]} and {path}", remedy=remedy))
        found[name] = path
    return dict(sorted(found.items()))


def pair_scenes(pred_root: str | Path, gt_root: str | Path) -> tuple[list[tuple[str, Path, Path | None]], list[str]]:
    """(name, ground truth, prediction or None) of every ground-truth scene, and the names of other predictions.

    Scenes of one name belong together, and the single ones of both sides. A scene that lies alone in its folder may
    also be called by the folder: ``0001/output.glb`` is found for ``0001``.

    Raises:
        InputError: No scenes, or no name in common.
    """
    gt = scenes_in(gt_root)
    one_gt = list(gt.values()) == [Path(gt_root)]
    pred = {Path(pred_root).name: Path(pred_root)} if one_gt and meshes_in(Path(pred_root)) else scenes_in(pred_root)
    for found, root, what in ((gt, gt_root, "ground truth"), (pred, pred_root, "prediction")):
        if not found:
            got = f"none in {root}"
            raise InputError(expected(f"scene folders or GLB files as {what}", got=got, remedy="check the path"))
    if len(gt) == len(pred) == 1:
        name = next(iter(gt))
        return [(name, gt[name], next(iter(pred.values())))], []
    partner = {name: name for name in gt if name in pred}
    by_name = {n: name for name, names in _names(pred).items() for n in names}
    for name, names in _names(gt).items():
        free = [by_name[n] for n in names if n in by_name and by_name[n] not in partner.values()]
        if free:
            partner.setdefault(name, free[0])
    if not partner:
        got = f"predictions {_some(pred)} for ground truth {_some(gt)}"
        remedy = "call each prediction as its ground truth (0001/ or 0001.glb for 0001)"
        raise InputError(expected("names in common", got=got, remedy=remedy))
    taken = set(partner.values())
    pairs = [(name, path, pred[partner[name]] if name in partner else None) for name, path in gt.items()]
    return pairs, [name for name in pred if name not in taken]


def is_scene(path: Path) -> bool:
    """Whether a path is one scene: see ``scenes_in``."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return (path / "scene.json").is_file() or _is_parts(path)


def meshes_in(folder: Path) -> list[Path]:
    """GLB and glTF files in a folder that is no scene folder, numbers in their order: ``part_2`` before ``part_10``."""
    if not folder.is_dir() or (folder / "scene.json").is_file():
        return []
    files = [p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES]
    return sorted(files, key=lambda p: [(int(d), "") if d.isdigit() else (-1, d) for d in re.split(r"(\d+)", p.name)])


def _is_parts(folder: Path) -> bool:
    files = meshes_in(folder)
    if not any(p.stem.lower() not in WHOLE for p in files):
        return False
    beside = any(p.is_file() and p.stem.lower() in WHOLE for p in folder.iterdir())
    return beside or any(_PART.fullmatch(p.stem) for p in files)


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if is_scene(path):
            yield path
        elif path.is_dir() and not (path / "run.json").is_file():  # a run without scene.json did not finish
            real = path.resolve()
            if real not in seen:  # a link may lead back up
                seen.add(real)
                yield from _walk(path, seen)


def _names(scenes: dict[str, Path]) -> dict[str, list[str]]:
    """For every scene its name, then the folders in which it is alone, the nearest first."""
    below: dict[str, int] = {}
    for name in scenes:
        for folder in PurePosixPath(name).parents:
            below[str(folder)] = below.get(str(folder), 0) + 1
    alone = {f for f, n in below.items() if n == 1}
    return {name: [name, *(str(f) for f in PurePosixPath(name).parents if str(f) in alone)] for name in scenes}


def _some(scenes: dict[str, Path]) -> str:
    names = list(scenes)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
