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
    from scenemaker.cli.execute import execute, summary, tell
    from scenemaker.cli.runfile import RunFile, absolute, collect_changes, for_photo, numbers, sizes
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
        "depth": absolute(depth),
        "intrinsics": absolute(intrinsics),
        "meshes": absolute(meshes),
        "known_size": sizes(known_size),
        "preset": preset or named,
    }
    several = len(photos) > 1
    folders = _folders(photos, out) if several else [out]
    lines, partial, errors = [], False, 0
    for photo, folder in zip(photos, folders, strict=True):
        began = time.perf_counter()
        try:
            old = for_photo(RunFile.read(folder) or RunFile(), photo, folder, overwrite)
            file = old.told(**given, masks=_masks_for(masks, photo, several)).changed(changes)
            result = execute(
                file,
                folder,
                cache_dir=cache_dir,
                start=start,
                stop=stop,
                skip_failed=skip_failed,
                photo=photo,
                quiet=several or as_json,
            )
            lines.append(summary(result, folder, time.perf_counter() - began))
            if several and not as_json:
                sys.stdout.write(f"{folder}\n")
                tell(result)
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
    out: opt.Out = Path("out/demo"),
    background: opt.Background = None,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Makes a scene from the example picture that comes with the package."""
    from scenemaker.assets import demo_masks, demo_photo
    from scenemaker.cli.execute import execute
    from scenemaker.cli.runfile import RunFile, collect_changes, for_photo

    STATE.json = as_json
    _, changes = collect_changes({}, settings=[], config=None, background=background)
    file = for_photo(RunFile.read(out) or RunFile(), demo_photo(), out, overwrite=False)
    file = file.told(masks=str(demo_masks())).changed(changes)
    execute(file, out, cache_dir=cache_dir, photo=demo_photo())


def _folders(photos: list[Path], out: Path) -> list[Path]:
    """OUT/STEM for each photo; equal stems get -2, -3."""
    names: list[str] = []
    for photo in photos:
        stem = photo.stem if photo.stem not in ("", ".", "..") else "photo"
        free = (n for n in (stem, *(f"{stem}-{k}" for k in range(2, len(photos) + 2))) if n not in names)
        names.append(next(free))
    return [out / name for name in names]


def _masks_for(masks: Path | None, photo: Path, several: bool) -> Optional[str]:
    """The masks of one photo; with several photos ``--masks`` is a folder with STEM or STEM_masks files or folders."""
    from scenemaker.cli.runfile import absolute
    from scenemaker.errors import InputError, expected

    if masks is None or not several:
        return absolute(masks)
    found = (
        [p for p in sorted(masks.glob("*")) if p.stem in (photo.stem, f"{photo.stem}_masks")] if masks.is_dir() else []
    )
    if len(found) != 1:
        want = f"one file named {photo.stem} or {photo.stem}_masks in {masks}"
        raise InputError(
            expected(want, got=len(found), remedy="with several photos give --masks a folder with one per photo")
        )
    return absolute(found[0])
