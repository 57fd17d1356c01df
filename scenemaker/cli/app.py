"""The app: assembles the commands, and turns errors into one line and an exit code.

Exit codes: 0 good, 1 failed, 2 wrong usage, 3 partial (some objects or photos were left out).
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated

import typer

from scenemaker.cli import backends, cache, data, doctor, evaluate, run, stages, train
from scenemaker.cli.state import STATE

app = typer.Typer(
    name="scenemaker",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One photo in, an editable 3D scene out.\n\n"
    "Try:  scenemaker demo -o out/   then   scenemaker run photo.jpg --masks masks.png -o out/",
)
run.register(app)
stages.register(app)
evaluate.register(app)
backends.register(app)
doctor.register(app)
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(cache.app, name="cache")


def _version(value: bool) -> None:
    if value:
        from scenemaker import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what comes from the cache, and more.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    STATE.debug = debug
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s: %(message)s")


def main() -> None:
    """Entry point of ``scenemaker``."""
    from scenemaker.errors import SceneMakerError

    try:
        app(prog_name="scenemaker")
    except SceneMakerError as error:
        fail(f"{error}")
    except SystemExit as end:
        if end.code == 130:  # click's answer to Ctrl-C
            fail("interrupted; finished stages are kept: type the same command to go on")
        raise
    except OSError as error:
        fail(f"{type(error).__name__}: {error}")
    except MemoryError:
        fail("out of memory; try a smaller picture or fewer objects")


def fail(message: str) -> None:
    """Ends with exit code 1 and one line on stderr (a JSON object with ``--json``)."""
    if STATE.debug:
        raise
    sys.stderr.write(json.dumps({"error": message}) + "\n" if STATE.json else f"error: {message}\n")
    sys.exit(1)
