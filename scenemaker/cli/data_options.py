"""What the ``scenemaker data`` commands share: options, the progress bar, and how a run is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import typer

if TYPE_CHECKING:
    from scenemaker.data.generate import Report

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the data.", show_default=False)]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="How many; those already there are kept.")]
Start = Annotated[int, typer.Option("--start", min=0, help="Number of the first.")]
Seed = Annotated[Optional[int], typer.Option("--seed", min=0, help="Of everything that is random.")]
Workers = Annotated[Optional[int], typer.Option("--workers", "-j", min=1, help="Processes; all if left out.")]
Shards = Annotated[
    Optional[int], typer.Option("--shards", min=1, help="Write webdataset shards (tar) of so many items each.")
]
Recipe = Annotated[Optional[Path], typer.Option("--recipe", help="TOML file of a recipe; options here override it.")]
Objects = Annotated[
    list[str],
    typer.Option("--objects", help="Folder of mesh files, or `procedural`; FOLDER=WEIGHT mixes several. Repeatable."),
]
Size = Annotated[Optional[str], typer.Option("--size", help="WIDTHxHEIGHT in pixels; several: 512x512,640x480.")]
Curate = Annotated[
    bool,
    typer.Option("--curate", help="Leave out what SceneMaker leaves out: transparent, dark, plain, no albedo map."),
]
Environments = Annotated[
    Optional[Path], typer.Option("--environments", help="Folder of equirectangular pictures to light scenes with.")
]
ColorSpace = Annotated[
    str, typer.Option("--color-space", help="Of vertex colours in GLB files: linear (the standard) or srgb.")
]


def weighted(text: str, key: str) -> dict[str, Any]:
    """``NAME`` or ``NAME=WEIGHT``."""
    name, _, weight = text.rpartition("=")
    if Path(text).exists():
        return {key: text}
    try:
        return {key: name, "weight": float(weight)} if name else {key: text}
    except ValueError:
        return {key: text}


def sources(objects: list[str], color_space: str, curate: bool = False) -> list[dict[str, Any]]:
    """What ``--objects`` says, as ``ObjectsFrom`` wants it; folders by their whole path.

    Raises:
        ConfigError: Options of folders without a folder.
    """
    from scenemaker.data.objects.curation import Curation
    from scenemaker.errors import ConfigError, expected

    rows = [weighted(text, "path") for text in objects]
    if (curate or color_space != "linear") and all(row["path"] == "procedural" for row in rows):
        got = "--curate" if curate else f"--color-space {color_space}"
        raise ConfigError(expected("a folder with it", got=f"{got} alone", remedy="add --objects FOLDER"))
    for row in rows:
        if row["path"] != "procedural":
            row |= {"path": str(Path(row["path"]).absolute()), "color_space": color_space_of(color_space)}
            row |= {"curation": Curation.paper().model_dump(mode="json")} if curate else {}
    return rows


def sizes(text: str) -> list[list[int]]:
    """``640x480,512x512``.

    Raises:
        ConfigError: Anything else.
    """
    from scenemaker.errors import ConfigError, expected

    try:
        sizes = [[int(n) for n in part.lower().split("x")] for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or any(len(s) != 2 or min(s) < 8 for s in sizes):
        raise ConfigError(expected("--size WIDTHxHEIGHT of at least 8 pixels", got=text, remedy="type 640x480, say"))
    return sizes


def color_space_of(text: str) -> Literal["linear", "srgb"]:
    """What ``--color-space`` says.

    Raises:
        ConfigError: Neither of the two.
    """
    from scenemaker.errors import ConfigError, expected

    if text not in ("linear", "srgb"):
        raise ConfigError(expected("--color-space linear or srgb", got=text, remedy="linear is the standard of glTF"))
    return text


def workers_of(given: int | None) -> int:
    from scenemaker.parallel import available_workers

    return available_workers() if given is None else given


def tell(report: Report, what: str, out: Path, as_json: bool) -> None:
    """How a run went; ends with exit code 3 when items are missing."""
    missing = bool(report.lost or report.failed)
    if as_json:
        row = {"out": str(out), "made": report.made, "found": report.found, "lost": list(report.lost)}
        row |= {"failed": report.failed, "skipped": len(report.skipped), "dropped_views": report.dropped_views}
        typer.echo(json.dumps({**row, "redrawn": dict(report.redrawn.most_common())}))
    else:
        typer.echo(f"{report.made} {what} made, {report.found} were there: {out}")
        if report.skipped:
            typer.echo(f"{len(report.skipped)} files cannot be used, listed in {out / 'skipped.json'}:")
            for reason, count in Counter(reason for _, reason in report.skipped).most_common(5):
                typer.echo(f"  {count:6d}  {reason}")
        if report.redrawn:
            typer.echo(f"{sum(report.redrawn.values())} draws were dropped and drawn again:")
            for reason, count in report.redrawn.most_common(5):
                typer.echo(f"  {count:6d}  {reason}")
        if report.dropped_views:
            typer.echo(f"{report.dropped_views} views were left out: an object was hidden in all that were tried")
        if report.failed:
            first, text = next(iter(report.failed.items()))
            typer.echo(
                f"{len(report.failed)} cannot be made, listed in {out / 'failed.json'}; {first}: {text}", err=True
            )
        if report.lost:
            typer.echo(f"lost to killed processes (out of memory?): {', '.join(map(str, report.lost[:20]))}", err=True)
            typer.echo("type the same command with fewer --workers to make them", err=True)
        if not missing:
            typer.echo(f"look at them: scenemaker data show {out}")
    if missing:
        raise typer.Exit(3)
