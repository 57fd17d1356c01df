"""``scenemaker data triplets`` and ``clips``: what a de-occluder is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import typer

from scenemaker.cli import data_options as do
from scenemaker.cli import options as opt

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
OneSize = Annotated[Optional[str], typer.Option("--size", help="WIDTHxHEIGHT in pixels.")]


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
    size: OneSize = None,
    prompt: Annotated[
        Optional[str], typer.Option("--prompt", help="Text of every triplet; {label} becomes what the object is.")
    ] = None,
    color_space: do.ColorSpace = "linear",
    seed: do.Seed = None,
    shards: do.Shards = None,
    start: do.Start = 0,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Makes (masked image, prompt, target) triplets: OUT/000123/image.png, target.png, mask_*.png, triplet.json.

    Try:  scenemaker data triplets -o out/triplets -n 24 --severity 0.3,0.6   then   scenemaker data show out/triplets
    """
    triplet = _triplet(severity, pattern, size, prompt)
    _make(
        "triplets",
        out,
        count,
        objects,
        color_space,
        images,
        {"triplet": triplet},
        seed,
        shards,
        start,
        workers,
        as_json,
    )


def clips(
    out: do.Out,
    count: do.Count = 100,
    objects: do.Objects = [],
    images: Images = None,
    frames: Annotated[int, typer.Option("--frames", min=2, help="Frames of the transition.")] = 8,
    shadows: Annotated[
        bool, typer.Option("--shadows", help="From an object behind others that shade it, to the object alone.")
    ] = False,
    severity: Severity = None,
    pattern: Pattern = [],
    size: OneSize = None,
    color_space: do.ColorSpace = "linear",
    seed: do.Seed = None,
    shards: do.Shards = None,
    start: do.Start = 0,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Makes occlusion-to-visible clips: OUT/000123/frame_000.png (hidden in part) to frame_00N.png (whole).

    Try:  scenemaker data clips -o out/clips -n 12 --shadows --size 320x240   then   scenemaker data show out/clips
    """
    from scenemaker.errors import ConfigError, expected

    if shadows and (images is not None or pattern):
        got = "--images" if images is not None else "--pattern"
        raise ConfigError(expected("rendered objects with --shadows", got=got, remedy="leave one of the two out"))
    values: dict[str, Any] = {"triplet": _triplet(severity, pattern, size, None), "clip": {"frames": frames}}
    if shadows:
        shape = {k: v for k, v in values["triplet"].items() if k in ("width", "height")}
        values["shadows"] = shape | ({} if severity is None else {"hidden": _pair(severity)})
    _make("clips", out, count, objects, color_space, images, values, seed, shards, start, workers, as_json)


def _make(
    kind: Literal["triplets", "clips"],
    out: Path,
    count: int,
    objects: list[str],
    color_space: str,
    images: Path | None,
    values: dict[str, Any],
    seed: int | None,
    shards: int | None,
    start: int,
    workers: int | None,
    as_json: bool,
) -> None:
    from scenemaker.data.occlusion.jobs import OcclusionRecipe, generate_occlusion
    from scenemaker.data.recipe import build_recipe

    given = {"images": None if images is None else images.absolute(), "seed": seed}
    values |= {k: v for k, v in given.items() if v is not None}
    if objects:
        values["objects"] = do.sources(objects, color_space)
    recipe = build_recipe(OcclusionRecipe, values)
    with do.Bar(kind, as_json) as step:
        report = generate_occlusion(
            kind,
            recipe,
            out,
            count,
            start=start,
            per_shard=shards,
            workers=do.workers_of(workers),
            progress=step,
        )
    do.tell(report, kind, out, as_json)


def _triplet(severity: str | None, pattern: list[str], size: str | None, prompt: str | None) -> dict[str, Any]:
    """The fields of ``TripletRecipe`` that were told."""
    rows = [do.weighted(text, "name") for text in pattern]
    told: dict[str, Any] = {
        "severity": None if severity is None else _pair(severity),
        "patterns": {row["name"]: row.get("weight", 1.0) for row in rows} or None,
        "prompt": prompt,
    }
    if size is not None:
        told["width"], told["height"] = do.sizes(size)[0]
    return {k: v for k, v in told.items() if v is not None}


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
