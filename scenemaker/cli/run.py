"""``scenemaker run`` and ``scenemaker demo``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from scenemaker.cli import options as opt
from scenemaker.cli.state import STATE


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("run")(run)
    app.command("demo")(demo)


def run(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="One photo, or several.", show_default=False)
    ],
    out: opt.Out,
    masks: opt.Masks = None,
    text: opt.Text = [],
    box: opt.Box = [],
    point: opt.Point = [],
    depth: opt.Depth = None,
    intrinsics: opt.Intrinsics = None,
    meshes: opt.Meshes = None,
    known_size: opt.KnownSize = [],
    preset: opt.Preset = None,
    segmentation: opt.Segmentation = None,
    depth_backend: opt.DepthBackend = None,
    deocclusion: opt.Deocclusion = None,
    generation: opt.Generation = None,
    pose: opt.Pose = None,
    background: opt.Background = None,
    settings: opt.Set = [],
    config: opt.Config = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    start: opt.From = None,
    stop: opt.To = None,
    skip_failed: opt.SkipFailed = False,
    overwrite: opt.Overwrite = False,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Turns a photo into a 3D scene: scene.glb, objects/*.glb, scene.json, report.html.

    Run it again after a change: only what follows from the change is computed. Edit a mask by hand
    (OUT/stages/segmentation/labels.png) and run again: the edit is kept.
    """
    from scenemaker.cli.execute import execute, summary
    from scenemaker.cli.runfile import RunFile, collect_changes, numbers, sizes
    from scenemaker.errors import SceneMakerError

    STATE.json = as_json
    backends = {
        "segmentation": segmentation,
        "depth": depth_backend,
        "deocclusion": deocclusion,
        "generation": generation,
        "pose": pose,
    }
    named, changes = collect_changes(
        backends, settings=settings, config=config, background=background, seed=seed, device=device
    )
    given: dict[str, Any] = {
        "text": text,
        "boxes": numbers(box, 4, "--box"),
        "points": numbers(point, 2, "--point"),
        "depth": _absolute(depth),
        "intrinsics": _absolute(intrinsics),
        "meshes": _absolute(meshes),
        "known_size": sizes(known_size),
        "preset": preset or named,
    }
    several = len(photos) > 1
    folders = _folders(photos, out) if several else [out]
    lines, partial, errors = [], False, 0
    for photo, folder in zip(photos, folders, strict=True):
        began = time.perf_counter()
        try:
            old = _same_photo(RunFile.read(folder) or RunFile(), photo, folder, overwrite)
            file = old.told(**given, masks=_masks_for(masks, photo, several)).changed(changes)
            if not (several or as_json):
                result = execute(
                    file, folder, cache_dir=cache_dir, start=start, stop=stop, skip_failed=skip_failed, photo=photo
                )
            else:
                result = execute(
                    file,
                    folder,
                    cache_dir=cache_dir,
                    start=start,
                    stop=stop,
                    skip_failed=skip_failed,
                    photo=photo,
                    quiet=True,
                )
                lines.append(summary(result, folder, time.perf_counter() - began))
                if not as_json:
                    sys.stdout.write(f"{folder}\n")
            partial |= bool(result.failures)
        except SceneMakerError as error:
            if not several:
                raise
            errors += 1
            lines.append({"folder": str(folder), "error": str(error)})
            sys.stderr.write(f"error: {photo}: {error}\n")
    if as_json:
        sys.stdout.write(json.dumps(lines if several else lines[0]) + "\n")
    if errors == len(photos):
        raise typer.Exit(1)
    if errors or partial:
        raise typer.Exit(3)


def demo(
    out: opt.Out,
    background: opt.Background = None,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Makes a scene from the example picture that comes with the package."""
    from scenemaker.assets import demo_masks, demo_photo
    from scenemaker.cli.execute import execute
    from scenemaker.cli.runfile import RunFile, collect_changes

    STATE.json = as_json
    _, changes = collect_changes({}, settings=[], config=None, background=background)
    file = RunFile(photo=str(demo_photo()), masks=str(demo_masks())).changed(changes)
    execute(file, out, cache_dir=cache_dir, photo=demo_photo())


def _absolute(path: Path | str | None) -> str | None:
    """Paths as absolute, so that a run folder can be continued from anywhere; other text as it is."""
    if path is None:
        return None
    return str(Path(path).absolute()) if isinstance(path, Path) or Path(path).exists() else path


def _same_photo(file: Any, photo: Path, folder: Path, overwrite: bool) -> Any:
    """The run file for this photo.

    Raises:
        InputError: The folder holds the run of another photo.
    """
    from scenemaker.cache import digest
    from scenemaker.cli.runfile import RunFile
    from scenemaker.errors import InputError, expected

    if not photo.is_file():
        raise InputError(
            expected(
                "a photo", got=f"{photo}: {'a folder' if photo.is_dir() else 'not found'}", remedy="check the path"
            )
        )
    new = digest(photo)
    if file.photo_digest not in (None, new):
        if not overwrite:
            raise InputError(
                expected(
                    f"a folder for {photo.name}",
                    got=f"{folder}, a run of {Path(file.photo).name}",
                    remedy="choose another -o, or add --overwrite",
                )
            )
        file = RunFile()
    return file.model_copy(update={"photo": str(photo.absolute()), "photo_digest": new})


def _folders(photos: list[Path], out: Path) -> list[Path]:
    """OUT/STEM for each photo; equal stems get -2, -3."""
    used: dict[str, int] = {}
    folders = []
    for photo in photos:
        stem = photo.stem if photo.stem not in ("", ".", "..") else "photo"
        used[stem] = used.get(stem, 0) + 1
        folders.append(out / (stem if used[stem] == 1 else f"{stem}-{used[stem]}"))
    return folders


def _masks_for(masks: Path | None, photo: Path, several: bool) -> Optional[str]:
    """The masks of one photo; with several photos ``--masks`` is a folder with STEM or STEM_masks files or folders."""
    from scenemaker.errors import InputError, expected

    if masks is None or not several:
        return _absolute(masks)
    found = (
        [p for p in sorted(masks.glob("*")) if p.stem in (photo.stem, f"{photo.stem}_masks")] if masks.is_dir() else []
    )
    if len(found) != 1:
        want = f"one file named {photo.stem} or {photo.stem}_masks in {masks}"
        raise InputError(
            expected(want, got=len(found), remedy="with several photos give --masks a folder with one per photo")
        )
    return _absolute(found[0])
