"""``scenemaker data triplets`` and ``clips``: what a de-occluder is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import typer

from scenemaker.cli import data_options as do
from scenemaker.cli import options as opt
from scenemaker.cli.bar import Bar
from scenemaker.cli.state import STATE

Images = Annotated[
    Optional[Path],
    typer.Option("--images", help="Folder of own pictures of one object each, as targets instead of rendered ones."),
]
Severity = Annotated[
    Optional[str], typer.Option("--severity", help="LOW,HIGH: share of the object that is removed, in (0, 1].")
]
Pattern = Annotated[
    list[str], typer.Option("--pattern", help="cutout, corner or brush; NAME=WEIGHT mixes. Repeatable.")
]
Shadows = Annotated[
    bool, typer.Option("--shadows", help="Pairs: an object behind others that shade it, and the object alone.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(triplets)
    app.command()(clips)


def triplets(
    out: do.Out,
    count: do.Count = 100,
    objects: do.Objects = [],
    images: Images = None,
    severity: Severity = None,
    pattern: Pattern = [],
    size: do.Size = None,
    prompt: Annotated[
        Optional[str], typer.Option("--prompt", help="Text of every triplet; {label} becomes what the object is.")
    ] = None,
    shadows: Shadows = False,
    color_space: do.ColorSpace = "linear",
    recipe: do.Recipe = None,
    seed: do.Seed = None,
    shards: do.Shards = None,
    start: do.Start = 0,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Makes (masked image, prompt, target) triplets: OUT/000123/image.png, target.png, mask_*.png, triplet.json.

    Try:  scenemaker data triplets -o out/triplets -n 24 --severity 0.3,0.6   then   scenemaker data show out/triplets
    """
    STATE.json = as_json
    told = _told(images, objects, color_space, severity, pattern, size, shadows=shadows, seed=seed)
    if prompt is not None:
        told["triplet"]["prompt"] = prompt
    _make("triplets", recipe, told, out, count, start=start, shards=shards, workers=workers, as_json=as_json)


def clips(
    out: do.Out,
    count: do.Count = 100,
    objects: do.Objects = [],
    images: Images = None,
    frames: Annotated[
        Optional[int], typer.Option("--frames", min=2, help="Frames of the transition, after the one that is given.")
    ] = None,
    shadows: Shadows = False,
    severity: Severity = None,
    pattern: Pattern = [],
    size: do.Size = None,
    color_space: do.ColorSpace = "linear",
    recipe: do.Recipe = None,
    seed: do.Seed = None,
    shards: do.Shards = None,
    start: do.Start = 0,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Makes occlusion-to-visible clips: OUT/000123/frame_000.png (hidden in part) to frame_00N.png (whole).

    Try:  scenemaker data clips -o out/clips -n 12 --shadows --size 320x240   then   scenemaker data show out/clips
    """
    STATE.json = as_json
    told = _told(images, objects, color_space, severity, pattern, size, shadows=shadows, seed=seed)
    if frames is not None:
        told["clip"] = {"frames": frames}
    _make("clips", recipe, told, out, count, start=start, shards=shards, workers=workers, as_json=as_json)


def _told(
    images: Path | None,
    objects: list[str],
    color_space: str,
    severity: str | None,
    pattern: list[str],
    size: str | None,
    *,
    shadows: bool,
    seed: int | None,
) -> dict[str, Any]:
    """The fields of ``OcclusionRecipe`` that were told, those of ``triplet`` and ``shadows`` nested.

    Raises:
        ConfigError: Options that exclude each other.
    """
    from scenemaker.errors import ConfigError, expected

    for clash, what, other in (
        (shadows and images is not None, "rendered objects with --shadows", "--images"),
        (shadows and pattern, "rendered objects with --shadows", "--pattern"),
        (images is not None and objects, "one kind of target", "--images and --objects"),
    ):
        if clash:
            raise ConfigError(expected(what, got=other, remedy="leave one of the two out"))
    rows = [do.weighted(text, "name") for text in pattern]
    sizes = None if size is None else do.sizes(size)
    triplet = {
        "severity": None if severity is None else _pair(severity),
        "patterns": {row["name"]: row.get("weight", 1.0) for row in rows} or None,
        "sizes": sizes,
    }
    told: dict[str, Any] = {"triplet": {k: v for k, v in triplet.items() if v is not None}}
    if shadows:
        if sizes is not None and len(sizes) > 1:
            raise ConfigError(expected("one --size with --shadows", got=size, remedy="give one WIDTHxHEIGHT"))
        shape = {} if sizes is None else {"width": sizes[0][0], "height": sizes[0][1]}
        told["shadows"] = shape | ({} if severity is None else {"hidden": _pair(severity)})
    given = {"images": None if images is None else str(images.absolute()), "seed": seed}
    told |= {k: v for k, v in given.items() if v is not None}
    sources = do.sources(objects, color_space)
    return told | ({"objects": sources} if sources else {})


def _make(
    kind: Literal["triplets", "clips"],
    file: Path | None,
    told: dict[str, Any],
    out: Path,
    count: int,
    *,
    start: int,
    shards: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Makes the items of a recipe file, or of the defaults, with what was told on top."""
    from scenemaker.data.occlusion.jobs import OcclusionRecipe, generate_occlusion
    from scenemaker.data.recipe import build_recipe, read_toml

    data = {} if file is None else read_toml(file)
    for name, value in told.items():
        data[name] = {**data.get(name, {}), **value} if isinstance(value, dict) else value
    recipe = build_recipe(OcclusionRecipe, data)
    with Bar(kind, as_json) as step:
        report = generate_occlusion(
            kind, recipe, out, count, start=start, per_shard=shards, workers=do.workers_of(workers), progress=step
        )
    do.tell(report, kind, out, as_json)


def _pair(text: str) -> list[float]:
    """``LOW,HIGH``, or one number for both.

    Raises:
        ConfigError: Anything else.
    """
    from scenemaker.errors import ConfigError, expected

    try:
        numbers = [float(n) for n in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ConfigError(expected("--severity LOW,HIGH", got=text, remedy="type 0.3,0.6, say"))
    return [numbers[0], numbers[-1]]
