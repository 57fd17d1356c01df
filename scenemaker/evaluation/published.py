"""The numbers that papers print, to stand beside one's own; the data are in ``published.json``.

What may be compared: two rows of one table. A row of a table and a row of one's own only when protocol, test set and
masks are the same; ``caveat`` tells what is known to differ. Never compare one method's numbers between two tables:
MIDI's scene Chamfer distance on 3D-FRONT is printed as 0.080 by MIDI, 0.1672 by SceneMaker and 0.0175 by I-Scene, by
three scripts on three subsets.

Only numbers that could be read in a text of the paper, or in a source that quotes it, are here; ``read_from`` tells
which. The tables in the papers of SceneGen, PartCrafter and Gen3DSR are not: no text of them was at hand, and their
repositories print none. Their methods stand in other papers' tables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from scenemaker.errors import InputError, expected
from scenemaker.evaluation.types import Better

Unit = Literal["fraction", "percent", "distance", "degrees", "score", "dB", "s"]
FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True, kw_only=True)
class PublishedColumn:
    """A measure.

    Attributes:
        key: Of our measure that means the same, or None.
        title: As printed.
        better: Which way is better.
        unit: "percent" is printed in per cent and kept here as a fraction, as all our measures are.
    """

    key: str | None
    title: str
    better: Better
    unit: Unit


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """A method and its value in every column; None where the table has none."""

    method: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """One table of a paper, or the part of it that is about one test set.

    Attributes:
        id: Unique.
        title: What it is about.
        source: Whose.
        arxiv: Number of the paper.
        table: Where in it.
        test_set: Measured on.
        protocols: Names of ours that measure alike: first the nearest. Empty when none does.
        caveat: What is known to differ.
        read_from: Where the numbers were read.
        columns: Measures.
        rows: Methods, in order.
    """

    id: str
    title: str
    source: str
    arxiv: str
    table: str
    test_set: str
    protocols: tuple[str, ...]
    caveat: str
    read_from: str
    columns: tuple[PublishedColumn, ...]
    rows: tuple[PublishedRow, ...]

    def by_key(self, key: str) -> dict[str, float]:
        """Value of every method that has one in the column of one of our measures; empty without such a column."""
        at = [i for i, c in enumerate(self.columns) if c.key == key]
        return {r.method: v for r in self.rows for i in at if (v := r.values[i]) is not None}


def tables(protocol: str | None = None) -> tuple[PublishedTable, ...]:
    """The tables of all papers, or of those that measure like a protocol; its settings ("midi@4096") do not matter."""
    found = read_tables(FILE)
    return found if protocol is None else tuple(t for t in found if protocol.split("@")[0] in t.protocols)


def read_tables(path: str | Path) -> tuple[PublishedTable, ...]:
    """The tables of a file laid out as ``published.json``.

    Raises:
        InputError: The file is not laid out so, or a row does not fit its columns.
    """
    try:
        found = tuple(_table(raw) for raw in json.loads(Path(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        got = f"{type(error).__name__}: {error} in {path}"
        raise InputError(expected("a list of published tables", got=got, remedy="compare published.json")) from error
    ids = [t.id for t in found]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise InputError(expected("ids that are unique", got=f"{twice} twice in {path}", remedy="rename one"))
    return found


def _table(raw: dict[str, Any]) -> PublishedTable:
    columns = tuple(PublishedColumn(**c) for c in raw["columns"])
    for c in columns:
        if c.better not in get_args(Better) or c.unit not in get_args(Unit):
            raise ValueError(f"better {c.better!r}, unit {c.unit!r} of column {c.title!r} of {raw['id']!r}")
    rows = tuple(PublishedRow(method=r["method"], values=_values(r["values"], columns)) for r in raw["rows"])
    return PublishedTable(**{**raw, "protocols": tuple(raw["protocols"]), "columns": columns, "rows": rows})


def _values(raw: list[float | None], columns: tuple[PublishedColumn, ...]) -> tuple[float | None, ...]:
    pairs = zip(raw, columns, strict=True)
    return tuple(None if v is None else round(v / 100, 6) if c.unit == "percent" else float(v) for v, c in pairs)
