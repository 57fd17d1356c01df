"""``scenemaker train``: PoseDiT and its encoders, on scenes made from any meshes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from scenemaker.cli import data_options as do
from scenemaker.cli import options as opt
from scenemaker.cli.bar import Bar
from scenemaker.cli.state import STATE

if TYPE_CHECKING:
    from scenemaker.training.config import Kind
    from scenemaker.training.loop import Report

app = typer.Typer(
    no_args_is_help=True,
    help="Train PoseDiT and its encoders on scenes made from any meshes.\n\n"
    "Try:  scenemaker train bank -o out/bank.safetensors -n 200   then   "
    "scenemaker train pose -o out/pose --bank out/bank.safetensors --minutes 10",
)

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of this training; the same goes on.", show_default=False)
]
Bank = Annotated[Optional[Path], typer.Option("--bank", help="Object bank; see `scenemaker train bank`.")]
Scenes = Annotated[
    list[Path],
    typer.Option(
        "--scenes", help="Scenes with colour: folders, or recipes (TOML) to make them; pack shards first. Repeatable."
    ),
]
Packs = Annotated[list[Path], typer.Option("--pack", help="Pose packs; see `scenemaker train pack`. Repeatable.")]
Size = Annotated[str, typer.Option("--config", help="Size of the model: tiny, mini or base.")]
Set = Annotated[
    list[str],
    typer.Option(
        "--set",
        help="SECTION.OPTION=VALUE, of dit, geometry, points, image (the model), data, splats, augment or train. "
        "Repeatable.",
    ),
]
Steps = Annotated[Optional[int], typer.Option("--steps", min=1, help="Budget in steps.")]
Minutes = Annotated[Optional[float], typer.Option("--minutes", min=0.01, help="Budget in minutes, over all runs.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Scenes per step and process.")]
Held = Annotated[list[str], typer.Option("--hold-out", help="Pack of meshes (PACK__NAME) to validate on. Repeatable.")]
From = Annotated[Optional[Path], typer.Option("--from", help="Weights to start from.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:1.")]
Precision = Annotated[str, typer.Option("--precision", help="fp32, or bf16 for the forward pass.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of data, weights and noise.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print cost and memory, measured on a few steps; write nothing.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start anew; a training in the folder is moved into its old-1, old-2, ...")
]


@app.command()
def bank(
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the bank.", show_default=False)],
    objects: do.Objects = [],
    count: Annotated[
        Optional[int], typer.Option("--count", "-n", min=1, help="Objects that are drawn; of a folder alone: all.")
    ] = None,
    scenes: Annotated[
        list[Path], typer.Option("--scenes", help="All objects of these scenes or shards instead. Repeatable.")
    ] = [],
    points: Annotated[int, typer.Option("--points", min=64, help="Surface points per object.")] = 4096,
    color_space: do.ColorSpace = "linear",
    seed: Seed = 0,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Keeps surface points and symmetries of many objects in one file: all that splat scenes are made of.

    Try:  scenemaker train bank -o out/bank.safetensors --objects meshes/ --objects procedural -n 500
    """
    STATE.json = as_json
    from scenemaker.training.make_bank import make_bank

    with Bar("objects", as_json) as step:
        made, failed = make_bank(
            do.sources(objects, color_space),
            count,
            points=points,
            seed=seed,
            workers=do.workers_of(workers),
            scenes=scenes,
            progress=step,
        )
    made.save(out)
    if as_json:
        typer.echo(json.dumps({"out": str(out), "objects": len(made), "failed": failed}))
        return
    typer.echo(f"{len(made)} objects of {points} points: {out} ({out.stat().st_size / 2**20:.1f} MiB)")
    for key, reason in failed.items():
        typer.echo(f"  left out {key}: {reason}")


@app.command()
def pack(
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the pack.", show_default=False)],
    scenes: Annotated[list[Path], typer.Option("--scenes", help="Scene folders or shards. Repeatable.")],
    size: do.Size = "128x96",
    count: Annotated[Optional[int], typer.Option("--count", "-n", min=1, help="At most so many views.")] = None,
    as_json: opt.Json = False,
) -> None:
    """Packs rendered scenes (pictures, depth, poses) into one file, to train with colour where no renderer is.

    Try:  scenemaker data scenes -o out/scenes -n 20   then
    scenemaker train pack -o out/pack.safetensors --scenes out/scenes
    """
    STATE.json = as_json
    from dataclasses import asdict

    from scenemaker.training.make_pack import make_pack

    width, height = do.sizes(size or "128x96")[0]
    with Bar("views", as_json) as step:
        report = make_pack(scenes, out, size=(width, height), count=count, progress=step)
    if as_json:
        typer.echo(json.dumps({"out": str(out), **asdict(report)}))
        return
    left = f", {report.left_out} left out (no object to be seen)" if report.left_out else ""
    typer.echo(f"{report.scenes} views, {report.objects} objects{left}: {out} ({report.bytes / 2**20:.1f} MiB)")


@app.command()
def geometry(
    out: Out,
    bank: Bank = None,
    steps: Steps = None,
    minutes: Minutes = None,
    size: Size = "mini",
    batch: Batch = 32,
    hold_out: Held = [],
    start: From = None,
    settings: Set = [],
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "fp32",
    dry_run: DryRun = False,
    fresh: Fresh = False,
    as_json: opt.Json = False,
) -> None:
    """Trains the encoder of complete shapes (a point VAE) on reconstructing them.

    Try:  scenemaker train geometry -o out/geometry --bank out/bank.safetensors --minutes 5
    """
    _train("geometry", locals())


@app.command()
def points(
    out: Out,
    bank: Bank = None,
    scenes: Scenes = [],
    packs: Packs = [],
    steps: Steps = None,
    minutes: Minutes = None,
    size: Size = "mini",
    batch: Batch = 32,
    hold_out: Held = [],
    start: From = None,
    settings: Set = [],
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "fp32",
    dry_run: DryRun = False,
    fresh: Fresh = False,
    as_json: opt.Json = False,
) -> None:
    """Trains the encoder of observed clouds on reconstructing the complete shape from a part of it.

    Try:  scenemaker train points -o out/points --bank out/bank.safetensors --minutes 5
    """
    _train("points", locals())


@app.command()
def image(
    out: Out,
    bank: Bank = None,
    scenes: Scenes = [],
    steps: Steps = None,
    minutes: Minutes = None,
    size: Size = "mini",
    batch: Batch = 32,
    hold_out: Held = [],
    start: From = None,
    settings: Set = [],
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "fp32",
    dry_run: DryRun = False,
    fresh: Fresh = False,
    as_json: opt.Json = False,
) -> None:
    """Trains the small encoder of crops and pictures on normals and canonical coordinates.

    With the bank of the scenes' objects, those that are held out are never trained on, and the validation is on them;
    without, every tenth scene is held out, maybe of the same objects.

    Try:  scenemaker data scenes -o out/scenes -n 50   then
    scenemaker train image -o out/image --scenes out/scenes --minutes 5
    """
    _train("image", locals())


@app.command()
def pose(
    out: Out,
    bank: Bank = None,
    scenes: Scenes = [],
    packs: Packs = [],
    steps: Steps = None,
    minutes: Minutes = None,
    size: Size = "mini",
    batch: Batch = 32,
    levels: Annotated[int, typer.Option("--levels", min=1, help="Noise levels per scene and step.")] = 8,
    encoders: Annotated[str, typer.Option("--encoders", help="joint trains them too, frozen leaves them.")] = "joint",
    adopt: Annotated[
        list[Path], typer.Option("--encoder", help="Weights of a trained encoder to put into the model. Repeatable.")
    ] = [],
    dino: Annotated[Optional[Path], typer.Option("--dino", help="Weights of DINOv2 (timm's), for `base`.")] = None,
    hold_out: Held = [],
    start: From = None,
    released: Annotated[
        Optional[Path], typer.Option("--released", help="Fine-tune this checkpoint of the official release instead.")
    ] = None,
    settings: Set = [],
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "fp32",
    dry_run: DryRun = False,
    fresh: Fresh = False,
    as_json: opt.Json = False,
) -> None:
    """Trains PoseDiT: rotation, translation and size of all objects of a scene at once.

    Try:  scenemaker train pose -o out/pose --bank out/bank.safetensors --minutes 10   then
    scenemaker run photo.jpg --masks masks.png --set pose.weights=out/pose/weights/pose.safetensors -o out/run
    """
    told = locals()
    start = told.pop("released")
    if start is not None:
        _train("released", told | {"start": start})
    else:
        _train("pose", told)


def _train(kind: Kind, told: dict[str, Any]) -> None:
    """What all trainings share: the config, a dry run or the run with its bar, and how it is told."""
    as_json = STATE.json = told["as_json"]
    from scenemaker.training.config import build_training
    from scenemaker.training.facts import facts_of
    from scenemaker.training.loop import Progress, can_resume, train
    from scenemaker.training.plan import plan
    from scenemaker.training.setup import build_task

    options = {
        name: told[name] for name in ("steps", "minutes", "seed", "device", "precision") if told[name] is not None
    }
    data = {"bank": told.get("bank"), "scenes": told.get("scenes", []), "packs": told.get("packs", [])}
    data["held_packs"] = told.get("hold_out", [])
    rest = {n: told[n] for n in ("batch", "levels", "encoders", "adopt", "dino", "start") if told.get(n) is not None}
    config = build_training(
        kind, {**rest, "data": data, "train": options}, size=told["size"], settings=told["settings"]
    )
    resume = not told["fresh"]
    task = build_task(config, resumes=resume and can_resume(told["out"]))
    if told["dry_run"]:
        cost = plan(task, config.train)
        typer.echo(json.dumps(cost.as_json()) if as_json else str(cost))
        return
    with Bar("% of the budget", as_json) as bar:

        def step(now: Progress) -> None:
            bar(int(100 * now.share), 100)

        report = train(task, config.train, told["out"], facts=facts_of(config), progress=step, resume=resume)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "stopped": report.stopped,
                    "steps": report.steps,
                    "samples": report.samples,
                    "seconds": report.seconds,
                    "losses": dict(report.losses),
                    "files": [str(f) for f in report.files],
                }
            )
        )
    else:
        _tell(report)
    if report.stopped == "interrupted":
        raise typer.Exit(3)


def _tell(report: Report) -> None:
    """How a training went."""
    typer.echo(
        f"{report.stopped} after {report.steps} steps, {report.samples} samples, {report.seconds / 60:.1f} minutes"
    )
    if report.best is not None:
        measures = ", ".join(f"{name} {value:.3g}" for name, value in report.best[1].items())
        typer.echo(f"best validation, at step {report.best[0]}: {measures}")
    for file in report.files:
        typer.echo(f"  {file}")
