"""The options that several commands share, each spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

INPUT, CHOOSE, RUN = "Inputs", "Backends and options", "Run"

Masks = Annotated[
    Optional[Path],
    typer.Option(
        "--masks",
        help="Label image, folder of masks, COCO JSON or NPY. Left out: objects are found.",
        rich_help_panel=INPUT,
    ),
]
Text = Annotated[list[str], typer.Option("--text", help="What to look for; may be repeated.", rich_help_panel=INPUT)]
Box = Annotated[list[str], typer.Option("--box", help="x0,y0,x1,y1 in pixels; once per object.", rich_help_panel=INPUT)]
Point = Annotated[list[str], typer.Option("--point", help="x,y in pixels; once per object.", rich_help_panel=INPUT)]
Depth = Annotated[
    Optional[Path],
    typer.Option("--depth", help="Own depth: 16-bit PNG in mm, NPY, NPZ or EXR.", rich_help_panel=INPUT),
]
Intrinsics = Annotated[
    Optional[str],
    typer.Option("--intrinsics", help='Own K: a file, "fx,fy,cx,cy" or "fov=60" (degrees).', rich_help_panel=INPUT),
]
Meshes = Annotated[
    Optional[Path],
    typer.Option(
        "--meshes", help="Folder of own meshes, named by object id or name; they are only posed.", rich_help_panel=INPUT
    ),
]
KnownSize = Annotated[
    list[str],
    typer.Option(
        "--known-size", help="ID=METRES, the longest side of an object: makes the scene metric.", rich_help_panel=INPUT
    ),
]
Preset = Annotated[
    Optional[str], typer.Option("--preset", help="Set of backends; see `scenemaker backends`.", rich_help_panel=CHOOSE)
]
Segmentation = Annotated[
    Optional[str], typer.Option("--segmentation", help="Backend that finds the objects.", rich_help_panel=CHOOSE)
]
DepthBackend = Annotated[
    Optional[str], typer.Option("--depth-backend", help="Backend that finds depth and camera.", rich_help_panel=CHOOSE)
]
Deocclusion = Annotated[
    Optional[str], typer.Option("--deocclusion", help="Backend that completes hidden parts.", rich_help_panel=CHOOSE)
]
Generation = Annotated[
    Optional[str], typer.Option("--generation", help="Backend that makes the meshes.", rich_help_panel=CHOOSE)
]
Pose = Annotated[Optional[str], typer.Option("--pose", help="Backend that places the meshes.", rich_help_panel=CHOOSE)]
Background = Annotated[
    Optional[str],
    typer.Option("--background", help="none, ground, or full (ground and backdrop).", rich_help_panel=CHOOSE),
]
Set = Annotated[
    list[str],
    typer.Option("--set", help="stage.option=value, e.g. depth.fov_deg=50; may be repeated.", rich_help_panel=CHOOSE),
]
Config = Annotated[
    Optional[Path], typer.Option("--config", help="TOML file: fields, and one table per stage.", rich_help_panel=CHOOSE)
]
Seed = Annotated[Optional[int], typer.Option("--seed", help="Of every random stage.", rich_help_panel=RUN)]
Device = Annotated[Optional[str], typer.Option("--device", help="cpu, cuda or cuda:1.", rich_help_panel=RUN)]
From = Annotated[
    Optional[str],
    typer.Option(
        "--from", help="Redo from this stage; earlier ones are taken from OUT as they are.", rich_help_panel=RUN
    ),
]
To = Annotated[Optional[str], typer.Option("--to", help="Stop after this stage.", rich_help_panel=RUN)]
SkipFailed = Annotated[
    bool,
    typer.Option("--skip-failed", help="Leave failed objects out and list them (exit code 3).", rich_help_panel=RUN),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Forget what OUT was told before; it may hold another photo's run.", rich_help_panel=RUN
    ),
]
CacheDir = Annotated[
    Optional[Path],
    typer.Option(
        "--cache-dir", help="Where artefacts are kept. Default: $XDG_CACHE_HOME/scenemaker.", rich_help_panel=RUN
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.", rich_help_panel=RUN)]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="Run folder; with several photos OUT/STEM.", rich_help_panel=RUN)
]
