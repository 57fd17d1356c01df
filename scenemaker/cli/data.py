"""``scenemaker data``: make data to train and validate on, and look at it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from scenemaker.cli import data_options as do
from scenemaker.cli import occlusion
from scenemaker.cli import options as opt
from scenemaker.cli.bar import Bar
from scenemaker.cli.state import STATE

app = typer.Typer(no_args_is_help=True, help="Make scenes, triplets and clips to train on, and look at them.")


@app.command()
def scenes(
    out: do.Out,
    count: do.Count = 100,
    objects: do.Objects = [],
    layout: Annotated[
        list[str], typer.Option("--layout", help="plane, discs, floating or physics; NAME=WEIGHT mixes. Repeatable.")
    ] = [],
    views: Annotated[Optional[int], typer.Option("--views", min=1, help="Views per scene.")] = None,
    size: do.Size = None,
    renderer: Annotated[
        Optional[str], typer.Option("--renderer", help="fast, or cycles (see `scenemaker data blender`).")
    ] = None,
    bins: Annotated[
        bool,
        typer.Option("--bins", help="For validation: the chosen object of each view fills [0, .4), [.4, .7), [.7, 1]."),
    ] = False,
    points: Annotated[Optional[int], typer.Option("--points", min=0, help="Surface points kept per object.")] = None,
    color_space: do.ColorSpace = "linear",
    curate: do.Curate = False,
    environments: do.Environments = None,
    recipe: do.Recipe = None,
    seed: do.Seed = None,
    shards: do.Shards = None,
    start: do.Start = 0,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Makes scenes with full ground truth: OUT/000123/05 is view 5 of scene 123, a scene folder.

    Try:  scenemaker data scenes -o out/scenes -n 20 --views 2 --size 256x256   then   scenemaker data show out/scenes
    """
    STATE.json = as_json
    from scenemaker.data.generate import generate_scenes
    from scenemaker.data.recipe import SceneRecipe, build_recipe

    data = {} if recipe is None else SceneRecipe.read(recipe).model_dump(mode="json")
    told = do.sources(objects, color_space, curate)
    if told:
        data["objects"] = told
    if environments is not None:
        data["surroundings"] = data.get("surroundings", {}) | {"environments": str(environments.absolute())}
    if layout:
        data["layouts"] = [do.weighted(name, "name") for name in layout]
    shown: dict[str, Any] = {"views": views, "sizes": None if size is None else do.sizes(size)}
    if any(v is not None for v in shown.values()):
        data["views"] = data.get("views", {}) | {k: v for k, v in shown.items() if v is not None}
    given = {"seed": seed, "renderer": renderer, "points": points, "bins": bins or None}
    data |= {k: v for k, v in given.items() if v is not None}
    made = build_recipe(SceneRecipe, data)
    with Bar("scenes", as_json) as step:
        report = generate_scenes(
            made, out, count, start=start, per_shard=shards, workers=do.workers_of(workers), progress=step
        )
    do.tell(report, "scenes", out, as_json)


occlusion.register(app)


@app.command()
def objects(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Mesh files: GLB, GLTF, OBJ, PLY, STL.", show_default=False)
    ],
    out: do.Out,
    color_space: do.ColorSpace = "linear",
    curate: do.Curate = False,
    max_faces: Annotated[Optional[int], typer.Option("--max-faces", min=1, help="Leave out larger meshes.")] = None,
    seed: do.Seed = None,
    workers: do.Workers = None,
    as_json: opt.Json = False,
) -> None:
    """Prepares a folder of meshes: surface and sharp-edge points, occupancy, signed distances, and a report.

    OUT/objects.json has a row per object (closedness, agreement of winding number and ray parity) and per skipped file.
    """
    STATE.json = as_json
    from scenemaker.cache import default_cache_dir
    from scenemaker.data.objects.curation import Curation
    from scenemaker.data.objects.folder import FolderSource
    from scenemaker.data.objects.prepared import prepare_folder

    curation = Curation.paper() if curate else Curation()
    if max_faces is not None:
        curation = curation.model_copy(update={"max_faces": max_faces})
    with Bar("files", as_json) as step:
        colours = do.color_space_of(color_space)
        source = FolderSource(
            folder,
            curation,
            color_space=colours,
            cache_dir=default_cache_dir() / "scans",
            workers=do.workers_of(workers),
            progress=step,
        )
    with Bar("objects", as_json) as step:
        report = prepare_folder(source, out, workers=do.workers_of(workers), progress=step, seed=seed or 0)
    if as_json:
        typer.echo(json.dumps({"out": str(out), **report.summary()}))
    else:
        typer.echo(report.markdown())
        typer.echo(f"report: {out / 'objects.json'}, {out / 'objects.md'}")


@app.command()
def show(
    root: Annotated[Path, typer.Argument(metavar="DATA", help="What a data command wrote.", show_default=False)],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Of the contact sheet; DATA/sheet.png if left out.")
    ] = None,
    tiles: Annotated[int, typer.Option("--tiles", "-n", min=1, help="Pictures on the contact sheet.")] = 48,
    as_json: opt.Json = False,
) -> None:
    """Draws a contact sheet of a data set and prints its statistics."""
    STATE.json = as_json
    from scenemaker.artefacts import write_png
    from scenemaker.cache import output_errors
    from scenemaker.data.show import as_text, contact_sheet, pictures, statistics_of

    sheet = contact_sheet(pictures(root, tiles))
    path = out or (root.parent if root.suffix == ".tar" else root) / "sheet.png"
    with output_errors(path):
        write_png(path, sheet)
    stats = statistics_of(root)
    if as_json:
        typer.echo(json.dumps({"sheet": str(path), **stats}))
    else:
        typer.echo(as_text(stats))
        typer.echo(f"\ncontact sheet: {path}")


@app.command()
def blender(
    python: Annotated[
        Optional[str], typer.Option("--python", help="Python to make it with; found if left out.")
    ] = None,
) -> None:
    """Makes the environment of its own in which Blender renders (about 1 GB), for `--renderer cycles`."""
    from scenemaker.data.render.blender import install_blender

    where = install_blender(python, progress=lambda text: sys.stderr.write(f"  {text}\n"))
    typer.echo(f"Blender: {where}")
