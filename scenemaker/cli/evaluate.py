"""``scenemaker evaluate`` and ``scenemaker robustness``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from scenemaker.cli import data_options as do
from scenemaker.cli import options as opt
from scenemaker.cli.bar import Bar
from scenemaker.cli.state import STATE

if TYPE_CHECKING:
    from scenemaker.evaluation.evaluate import Settings
    from scenemaker.evaluation.results import SceneResult
    from scenemaker.evaluation.tables import Comparison

WHAT, JUDGE, OUTPUT = "What is measured", "Pictures", "Output"
Protocols = Annotated[
    list[str],
    typer.Option(
        "--protocol",
        "-p",
        help="Left out: layout and midi; `all`; see --list. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
Match = Annotated[
    str, typer.Option("--match", help="How objects find each other: id, name, mask, geometry.", rich_help_panel=WHAT)
]
Align = Annotated[
    str,
    typer.Option(
        "--align",
        help="Freedom that brings a prediction into the ground truth's frame first: none, scale, rigid, similarity.",
        rich_help_panel=WHAT,
    ),
]
Points = Annotated[
    Optional[int],
    typer.Option("--points", min=16, help="Surface points, for quick looks; the tables say so.", rich_help_panel=WHAT),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Compute everything again.", rich_help_panel=OUTPUT)]
Out = Annotated[
    Optional[Path],
    typer.Option("--out", "-o", help="Folder for report.html, report.md, results.json.", rich_help_panel=OUTPUT),
]
Worst = Annotated[int, typer.Option("--worst", min=0, help="Scenes that the page draws.", rich_help_panel=OUTPUT)]
SortBy = Annotated[
    Optional[str], typer.Option("--sort-by", help="PROTOCOL:KEY that says what is worst.", rich_help_panel=OUTPUT)
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("evaluate")(evaluate)
    app.command("robustness")(robustness)


def _list_protocols(value: bool) -> None:
    """Prints every protocol with its columns."""
    if not value:
        return
    from scenemaker.evaluation.protocols import PROTOCOLS, protocol

    for name in PROTOCOLS:
        p = protocol(name)
        sys.stdout.write(f"{name}\n  {p.title}\n  source: {p.source}\n")
        for m in p.measures:
            sys.stdout.write(f"    {m.key:<18} {m.title:<18} {m.better} is better; {m.text}\n")
    raise typer.Exit


def evaluate(
    pred: Annotated[
        Path,
        typer.Argument(
            metavar="PRED",
            help="Scene folder, GLB with a node per object, folder of part GLBs, a tree of these, or of pictures.",
            show_default=False,
        ),
    ],
    gt: Annotated[
        Optional[Path],
        typer.Argument(metavar="GT", help="Ground truth, the same kinds. Left out: scores that need none."),
    ] = None,
    out: Out = None,
    protocols: Protocols = [],
    match: Match = "auto",
    align: Align = "auto",
    points: Points = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Leave out picture measures.", rich_help_panel=WHAT)
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the surface points.", rich_help_panel=WHAT)] = 0,
    lpips: Annotated[
        Optional[Path],
        typer.Option(
            "--lpips", help="Folder with AlexNet's and LPIPS' weights (alexnet*.pth, alex.pth).", rich_help_panel=JUDGE
        ),
    ] = None,
    clip: Annotated[
        Optional[Path],
        typer.Option("--clip", help="Folder of a CLIP model as transformers stores it.", rich_help_panel=JUDGE),
    ] = None,
    labels: Annotated[
        Optional[Path],
        typer.Option("--labels", help='JSON {"picture": "what it shows"}, for --clip.', rich_help_panel=JUDGE),
    ] = None,
    worst: Worst = 24,
    sort_by: SortBy = None,
    workers: do.Workers = None,
    fresh: Fresh = False,
    as_json: opt.Json = False,
    list_protocols: Annotated[
        bool,
        typer.Option("--list", callback=_list_protocols, is_eager=True, help="List protocols and their columns."),
    ] = False,
) -> None:
    """Measures predictions of any system against ground truth, by every published protocol.

    Try:  scenemaker evaluate out/predictions ../scenes -o out/evaluation   then open out/evaluation/report.html
    """
    from scenemaker.evaluation.evaluate import evaluate as run

    STATE.json = as_json
    settings = _settings(
        protocols, match=match, align=align, points=points, seed=seed, pictures=not no_pictures, lpips=lpips, clip=clip
    )
    if gt is not None and _are_pictures(pred, gt):
        _completions(pred, gt, out, settings, labels)
        return
    _check(labels=labels, gt=gt, protocols=protocols, sort_by=sort_by, settings=settings)
    with Bar("scenes", as_json) as step:
        done = run(pred, gt, out, settings, workers=do.workers_of(workers), fresh=fresh, progress=step)
    comparison = _comparison({"prediction": list(done.results)}, list(done.protocols), done.unmatched)
    _tell(comparison, out, worst, sort_by, settings)


def robustness(
    gt: Annotated[Path, typer.Argument(metavar="GT", help="Scene folders with ground truth.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for predictions and tables.", show_default=False)],
    perturb: Annotated[
        list[str],
        typer.Option(
            "--perturb",
            help="masks-eroded, masks-dilated, masks-broken, depth-scaled, depth-noisy, depth-holes, both; =LEVEL from "
            "1. Repeatable; all at levels 1 and 2 if left out.",
        ),
    ] = [],
    meshes: Annotated[bool, typer.Option("--meshes", help="Give the true meshes: only poses are predicted.")] = False,
    preset: opt.Preset = None,
    deocclusion: opt.Deocclusion = None,
    generation: opt.Generation = None,
    pose: opt.Pose = None,
    options: opt.Set = [],
    config: opt.Config = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    protocols: Protocols = [],
    points: Points = None,
    worst: Worst = 24,
    workers: do.Workers = None,
    fresh: Fresh = False,
    as_json: opt.Json = False,
) -> None:
    """Runs the pipeline on masks and depth made worse, and prints the same table for each.

    Try:  scenemaker robustness ../scenes -o out/robustness --meshes --perturb masks-eroded --perturb depth-noisy=2
    """
    from scenemaker.cli.runfile import collect_changes
    from scenemaker.config import build_config
    from scenemaker.evaluation.perturb import KINDS
    from scenemaker.pipelines.robustness import CLEAN, Case
    from scenemaker.pipelines.robustness import robustness as run

    STATE.json = as_json
    named, changes = collect_changes(
        {"deocclusion": deocclusion, "generation": generation, "pose": pose},
        settings=options,
        config=config,
        seed=seed,
        device=device,
    )
    made = build_config(preset or named or "instant", changes)
    cases = [Case()] + [Case.parse(text) for text in perturb if text != CLEAN]
    if not perturb:
        cases += [Case(kind, level) for kind in KINDS for level in (1, 2)]
    settings = _settings(protocols, match="id", points=points, seed=seed or 0)
    with Bar("runs", as_json) as step:
        found, failed = run(
            gt, out, cases, made, settings, meshes=meshes, workers=do.workers_of(workers), fresh=fresh, progress=step
        )
    first = next(iter(found.values()))
    notices = [f"{name}: {error}" for name, error in failed.items()]
    comparison = _comparison({k: list(v.results) for k, v in found.items()}, list(first.protocols), (), notices)
    _tell(comparison, out, worst, None, settings)


def _check(labels: Path | None, gt: Path | None, protocols: list[str], sort_by: str | None, settings: Settings) -> None:
    """Tells options that would do nothing before any work is done.

    Raises:
        ConfigError: There is one.
    """
    from scenemaker.errors import ConfigError, expected
    from scenemaker.evaluation.own_scores import PICTURES, SELFCHECK
    from scenemaker.evaluation.ranking import chosen_measure

    if labels is not None:
        raise ConfigError(expected("pictures with --labels", got="scenes", remedy="leave --labels out"))
    if gt is None and protocols:
        raise ConfigError(expected("a ground truth with --protocol", got="none", remedy="add GT after PRED"))
    chosen_measure([*settings.instances(), PICTURES, SELFCHECK], sort_by)


def _settings(protocols: list[str], **data: Any) -> Settings:
    from pydantic import ValidationError

    from scenemaker.errors import ConfigError, expected
    from scenemaker.evaluation.evaluate import Settings

    try:
        return Settings.model_validate(data | ({"protocols": tuple(protocols)} if protocols else {}))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        choices = str(first.get("ctx", {}).get("expected", ""))
        remedy = f"choose from {choices}" if choices else "see --help"
        raise ConfigError(expected(f"--{name} that exists", got=repr(first["input"]), remedy=remedy)) from None


def _are_pictures(pred: Path, gt: Path) -> bool:
    """Whether both are folders of pictures and neither holds a scene."""
    from scenemaker.evaluation.completions import pictures_in
    from scenemaker.evaluation.reading import scenes_in

    if not (pred.is_dir() and gt.is_dir()) or scenes_in(gt) or scenes_in(pred):
        return False
    return bool(pictures_in(pred)) and bool(pictures_in(gt))


def _completions(pred: Path, gt: Path, out: Path | None, settings: Settings, labels: Path | None) -> None:
    """Two folders of pictures."""
    from scenemaker.errors import ConfigError, expected
    from scenemaker.evaluation.completions import COMPLETIONS, evaluate_completions, read_labels
    from scenemaker.evaluation.evaluate import Settings as Defaults

    told = settings.model_copy(update={"lpips": None, "clip": None})
    if told != Defaults():
        changed = [name for name in Defaults.model_fields if getattr(told, name) != getattr(Defaults(), name)]
        remedy = "leave them out for pictures, or check the paths"
        raise ConfigError(
            expected("scenes with these options", got=f"pictures with {', '.join(changed)}", remedy=remedy)
        )
    names = None if labels is None else read_labels(labels)
    with Bar("pictures", STATE.json) as step:
        results, unmatched = evaluate_completions(pred, gt, settings.judges(), labels=names, progress=step)
    shown = tuple(m for m in COMPLETIONS.measures if any(_value(r, m.key) is not None for r in results))
    comparison = _comparison({"prediction": results}, [replace(COMPLETIONS, measures=shown)], unmatched)
    _tell(comparison, out, 0, None, settings)


def _value(result: SceneResult, key: str) -> float | None:
    scores = result.scores.get("completions")
    return None if scores is None else scores.scene.get(key)


def _comparison(rows: dict[str, Any], protocols: list[Any], unmatched: Any, notices: Any = ()) -> Comparison:
    from scenemaker.evaluation.tables import Comparison

    command = shlex.join(["scenemaker", *sys.argv[1:]])
    label = next(iter(rows))
    return Comparison(
        rows=rows, protocols=protocols, command=command, unmatched={label: list(unmatched)}, notices=list(notices)
    )


def _tell(comparison: Comparison, out: Path | None, worst: int, sort_by: str | None, settings: Settings) -> None:
    """Prints the tables, writes the files, and ends with exit code 3 when scenes are missing or failed."""
    from scenemaker.cache import output_errors, write_atomic
    from scenemaker.evaluation.output import markdown, to_json
    from scenemaker.evaluation.tables import text_tables
    from scenemaker.viewer.evaluation import draw_worst, write_evaluation_page

    if out is not None:
        with output_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            write_atomic(out / "results.json", to_json(comparison))
            write_atomic(out / "report.md", markdown(comparison))
            with Bar("pictures", STATE.json) as step:
                pictures = draw_worst(comparison, settings, shown=worst, sort_by=sort_by, progress=step)
            write_evaluation_page(out / "report.html", comparison, pictures, shown=worst, sort_by=sort_by)
    results = [r for found in comparison.rows.values() for r in found]
    if STATE.json:
        typer.echo(to_json(comparison))
    else:
        typer.echo(text_tables(comparison))
        for r in [r for r in results if r.error][:5]:
            typer.echo(f"{r.name}: {r.error}", err=True)
        if out is not None:
            typer.echo(f"report: {out / 'report.html'}, {out / 'report.md'}, {out / 'results.json'}")
    if any(r.state != "ok" for r in results):
        raise typer.Exit(3)
