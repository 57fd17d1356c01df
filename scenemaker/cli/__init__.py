"""The command line: one file per command, heavy imports inside the commands so that ``--help`` is quick."""

from scenemaker.cli.app import main

__all__ = ["main"]
