"""One command per stage: each redoes its stage in a run folder, and ``run`` goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from scenemaker.cli import options as opt
from scenemaker.cli.state import STATE

Backend = Annotated[Optional[str], typer.Option("--backend", "-b", help="Who does it; see `scenemaker backends`.")]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)]
Options = Annotated[list[str], typer.Option("--set", help="option=value of this stage's backend; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (segment, depth, deocclude, generate, pose, compose):
        app.command(command.__name__)(command)


def segment(
    photo: Annotated[
        Path, typer.Argument(metavar="PHOTO|RUN", help="A photo (with -o), or a run folder.", show_default=False)
    ],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Run folder, for a photo.")] = None,
    backend: Backend = None,
    masks: opt.Masks = None,
    text: opt.Text = [],
    box: opt.Box = [],
    point: opt.Point = [],
    settings: Options = [],
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Finds the objects: writes RUN/stages/segmentation/labels.png (pixel value = object id; edit it as you like)."""
    from scenemaker.cli.runfile import RunFile, absolute, for_photo, numbers
    from scenemaker.errors import InputError, expected

    is_run = photo.is_dir()
    folder = photo if is_run else out
    if folder is None:
        raise InputError(expected("a run folder for the result", got="none", remedy=f"add -o out/{photo.stem}"))
    file = RunFile.read(folder) or RunFile()
    if not is_run:
        file = for_photo(file, photo, folder, overwrite=False)
    file = file.told(
        masks=absolute(masks), text=text, boxes=numbers(box, 4, "--box"), points=numbers(point, 2, "--point")
    )
    _redo(
        "segmentation",
        folder,
        backend,
        settings,
        cache_dir,
        as_json,
        file=file,
        photo=None if is_run else photo,
        start=is_run,
    )


def depth(
    folder: Folder,
    backend: Backend = None,
    depth: opt.Depth = None,
    intrinsics: opt.Intrinsics = None,
    settings: Options = [],
    device: opt.Device = None,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Finds depth, camera and ground: writes RUN/stages/depth/depth.npy and camera.json."""
    from scenemaker.cli.runfile import absolute

    _redo(
        "depth",
        folder,
        backend,
        settings,
        cache_dir,
        as_json,
        device=device,
        depth=absolute(depth),
        intrinsics=absolute(intrinsics),
    )


def deocclude(
    folder: Folder,
    backend: Backend = None,
    settings: Options = [],
    seed: opt.Seed = None,
    device: opt.Device = None,
    skip_failed: opt.SkipFailed = False,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Completes what is hidden: writes RUN/stages/deocclusion/ID.png, one RGBA picture per object."""
    _redo(
        "deocclusion", folder, backend, settings, cache_dir, as_json, seed=seed, device=device, skip_failed=skip_failed
    )


def generate(
    folder: Folder,
    backend: Backend = None,
    meshes: opt.Meshes = None,
    settings: Options = [],
    seed: opt.Seed = None,
    device: opt.Device = None,
    skip_failed: opt.SkipFailed = False,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Makes a mesh of every object: writes RUN/stages/generation/ID.glb."""
    from scenemaker.cli.runfile import absolute

    _redo(
        "generation",
        folder,
        backend,
        settings,
        cache_dir,
        as_json,
        seed=seed,
        device=device,
        skip_failed=skip_failed,
        meshes=absolute(meshes),
    )


def pose(
    folder: Folder,
    backend: Backend = None,
    settings: Options = [],
    seed: opt.Seed = None,
    device: opt.Device = None,
    skip_failed: opt.SkipFailed = False,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Places all objects: writes RUN/stages/pose/poses.json."""
    _redo("pose", folder, backend, settings, cache_dir, as_json, seed=seed, device=device, skip_failed=skip_failed)


def compose(
    folder: Folder,
    background: opt.Background = None,
    known_size: opt.KnownSize = [],
    skip_failed: opt.SkipFailed = False,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Puts the scene together: writes RUN/scene.glb, scene.json, objects/ and report.html."""
    from scenemaker.cli.runfile import sizes

    changes = {} if background is None else {"compose": {"background": background}}
    _redo(
        "compose",
        folder,
        None,
        [],
        cache_dir,
        as_json,
        skip_failed=skip_failed,
        changes=changes,
        known_size=sizes(known_size),
    )


def _redo(
    stage: str,
    folder: Path,
    backend: str | None,
    settings: list[str],
    cache_dir: Path | None,
    as_json: bool,
    *,
    file: Any = None,
    photo: Path | None = None,
    start: bool = True,
    seed: int | None = None,
    device: str | None = None,
    skip_failed: bool = False,
    changes: dict[str, Any] | None = None,
    **inputs: Any,
) -> None:
    from scenemaker.cli.execute import execute
    from scenemaker.cli.runfile import RunFile, collect_changes
    from scenemaker.errors import InputError, expected

    STATE.json = as_json
    file = file or RunFile.read(folder)
    if file is None or (photo is None and not (folder / "stages" / "photo").is_dir()):
        raise InputError(
            expected("a run folder", got=str(folder), remedy=f"start one: scenemaker segment PHOTO -o {folder}")
        )
    _, told = collect_changes(
        {stage: backend}, settings=[f"{stage}.{s}" for s in settings], config=None, seed=seed, device=device
    )
    file = file.told(**inputs).changed({**told, **(changes or {})})
    result = execute(
        file,
        folder,
        cache_dir=cache_dir,
        start=stage if start else None,
        stop=stage,
        skip_failed=skip_failed,
        photo=photo,
    )
    if result.failures:
        raise typer.Exit(3)
