"""What the flags before the command say, for the code that ends the program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class State:
    debug: bool = False
    json: bool = False


STATE = State()
