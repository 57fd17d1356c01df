"""Every number that ships is read again in the papers' texts, where those are at hand; the layout always."""

import json
import re
from pathlib import Path

import pytest

from scenemaker.errors import InputError
from scenemaker.evaluation.completions import COMPLETIONS
from scenemaker.evaluation.protocols import PROTOCOLS, protocol
from scenemaker.evaluation.published import FILE, read_tables, tables

pytestmark = pytest.mark.filterwarnings("error")
SHARED = Path(__file__).resolve().parents[3] / "shared"
PAPERS = SHARED / "papers"
BY_ID = {t.id: t for t in tables()}
Row = tuple[str, list[float | None]]


def printed(id: str) -> list[Row]:
    """The rows of a table as the file has them, per cent not converted."""
    raw = next(t for t in json.loads(FILE.read_text("utf-8")) if t["id"] == id)
    return [(r["method"], r["values"]) for r in raw["rows"]]


def lines_of(paper: str, caption: str, *, before: int = 0, after: int = 0) -> list[str]:
    """Lines around the caption of a table."""
    lines = (PAPERS / paper).read_text("utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(caption))
    return lines[at - before : at + after]


def rows_of(lines: list[str], columns: int) -> list[Row]:
    """Name and numbers of lines that end in as many numbers (or dashes) as the table has columns."""
    number = r"(?:-?\d*\.\d+|-)(?: s)?"
    out = []
    for line in lines:
        found = re.fullmatch(rf"(.*?)((?:\s+{number}){{{columns}}})", f" {line.strip()}")
        if found:
            values = re.findall(number, found[2])
            out.append((found[1].strip(), [None if v == "-" else float(v.removesuffix(" s")) for v in values]))
    return out


def numbers(rows: list[Row]) -> list[list[float | None]]:
    return [values for _, values in rows]


def same_names(ours: list[Row], theirs: list[Row], own: str) -> bool:
    """Whether every method is named as in the paper: without citation marks, "Ours" as the paper's own name."""
    plain = [re.sub(r"\s*\[.*?\]", "", name) for name, _ in theirs]
    pairs = zip([name for name, _ in ours], plain, strict=True)
    return all(a == (own if b.startswith("Ours") else b) for a, b in pairs)


class TestPapers:
    __test__ = PAPERS.is_dir()  # the papers' texts are not part of the repository

    @pytest.mark.parametrize(("number", "columns", "before"), [(1, 3, 5), (2, 3, 5), (4, 5, 10), (5, 5, 6)])
    def test_scenemaker(self, number, columns, before):
        found = rows_of(lines_of("scenemaker.txt", f"Table {number}:", before=before), columns)
        assert len(found) == before - 1 - (number in (1, 2))
        assert numbers(printed(f"scenemaker-{number}")) == numbers(found)

    def test_scenemaker_names(self):
        ours = printed("scenemaker-4")
        assert same_names(ours, rows_of(lines_of("scenemaker.txt", "Table 4:", before=10), 5), "SceneMaker")

    def test_scenemaker_table_3_in_two_parts(self):
        lines = lines_of("scenemaker.txt", "Table 3:", before=8)
        found = rows_of(lines, 10)
        assert len(found) == 4
        assert numbers(printed("scenemaker-3-front")) == [v[:5] for v in numbers(found)]
        assert numbers(printed("scenemaker-3-openset")) == [v[5:] for v in numbers(found)]

    def test_scenemaker_supplement_as_quoted(self):
        text = (PAPERS / "scenemaker-review.txt").read_text("utf-8")
        for method, values in printed("scenemaker-s-parts"):
            quoted = " ".join(f"{v:.4f}" for v in values)
            assert f"{method} {quoted}" in text
        sentence = next(line for line in text.splitlines() if line.startswith("The robustness tests"))
        (_, clean), (_, masks), (_, depth) = printed("scenemaker-s-robustness")
        order = [clean[0], masks[0], depth[0], clean[1], masks[1], depth[1]]
        assert [float(v) for v in re.findall(r"0\.\d{4}", sentence)] == order

    @pytest.mark.parametrize(("number", "after", "runtime"), [(1, 9, True), (2, 8, False), (3, 7, False)])
    def test_iscene(self, number, after, runtime):
        lines = lines_of("i-scene.txt", f"Table {number}.", after=after)
        found = rows_of(lines, 10 + runtime)
        assert len(found) == after - 4
        last = [v[10:] for v in numbers(found)]
        ours = [printed(f"iscene-{number}-{part}") for part in ("front", "ood")]
        assert numbers(ours[0]) == [v[:5] + r for v, r in zip(numbers(found), last, strict=True)]
        assert numbers(ours[1]) == [v[5:10] + r for v, r in zip(numbers(found), last, strict=True)]
        if number < 3:
            assert same_names(ours[0], found, "I-Scene")

    def test_hiscene_table_1(self):
        found = rows_of(lines_of("hiscene.txt", "Table 1.", after=9), 3)
        assert len(found) == 5
        assert numbers(printed("hiscene-1")) == [list(v) for v in zip(*numbers(found), strict=True)]

    def test_hiscene_table_2(self):
        found = rows_of(lines_of("hiscene.txt", "Table 2.", after=7), 2)
        assert len(found) == 4 and same_names(printed("hiscene-2-coco"), found, "HiScene")
        both = zip(printed("hiscene-2-coco"), printed("hiscene-2-bsds"), strict=True)
        assert [a[1] + b[1] for a, b in both] == numbers(found)

    def test_hiscene_table_3(self):
        found = rows_of(lines_of("hiscene.txt", "Table 3.", after=9), 4)
        assert len(found) == 4
        rows = numbers(printed("hiscene-3-coco")) + numbers(printed("hiscene-3-bsds"))
        assert rows == [list(v) for v in zip(*numbers(found), strict=True)]

    def test_sam3d_where_our_notes_have_it(self):
        notes = (SHARED / "reference" / "peers.md").read_text("utf-8")
        line = next(x for x in notes.splitlines() if x.startswith("SAM 3D numbers to beat"))
        shape = dict(printed("sam3d-2-shape"))["SAM 3D"] + dict(printed("sam3d-2-iso3d"))["SAM 3D"]
        assert [float(v) for v in re.findall(r"0\.\d{4}", line)] == shape
        _, rot, _, add = dict(printed("sam3d-3-sa3dao"))["SAM 3D"]
        _, rot_adt, _, add_adt = dict(printed("sam3d-3-adt"))["SAM 3D"]
        assert f"{add:.3f} (SA-3DAO) / {add_adt:.3f} (ADT)" in line and f"{rot:.1f} / {rot_adt:.1f} deg" in line


class TestSecondTranscription:
    """Tables whose papers are not at hand as text: copied a second time, from another transcription."""

    def test_sam3d_table_2(self):
        text = """Trellis 0.1475 0.1392 0.0902 0.2131 0.1473 0.3698
            HY3D-2.1 0.1399 0.1266 0.1126 0.2432 0.1293 0.3546
            HY3D-2.0 0.1574 0.1504 0.0866 0.2049 0.1484 0.3662
            Direct3D-S2 0.1513 0.1465 0.0962 0.2160 0.1405 0.3653
            TripoSG 0.1533 0.1445 0.0844 0.2057 0.1529 0.3687
            Hi3DGen 0.1629 0.1531 0.0937 0.2134 0.1419 0.3594
            SAM 3D 0.2344 0.2311 0.0400 0.1211 0.1488 0.3707"""
        rows = rows_of(text.splitlines(), 6)
        assert printed("sam3d-2-shape") == [(name, v[:4]) for name, v in rows]
        assert printed("sam3d-2-iso3d") == [(name, v[4:]) for name, v in rows]

    def test_sam3d_table_3(self):
        text = """Trellis + Megapose 0.2449 39.3866 0.5391 0.2831 0.2531 33.6114 0.4358 0.1971
            HY3D-2.0 + Megapose 0.2518 33.8307 0.7146 0.3647 0.3794 29.0066 0.1457 0.4211
            HY3D-2.0 + FoundationPose 0.2937 32.9444 0.3705 0.5396 0.3864 25.1435 0.1026 0.5992
            HY3D-2.1 + FoundationPose 0.2395 39.8357 0.4186 0.4177 0.2795 33.1197 0.2135 0.4129
            SAM 3D + FoundationPose 0.2837 32.9168 0.3848 0.5079 0.3661 18.9102 0.0930 0.6495
            MIDI - - - - 0.0336 44.2353 2.5278 0.0175
            SAM 3D 0.4254 20.7667 0.2661 0.7232 0.4970 15.2515 0.0765 0.7673"""
        rows = rows_of(text.splitlines(), 8)
        assert printed("sam3d-3-sa3dao") == [(name, v[:4]) for name, v in rows if name != "MIDI"]
        assert printed("sam3d-3-adt") == [(name, v[4:]) for name, v in rows]

    def test_midi_table_1_on_blendswap(self):
        text = """PanoRecon 0.427 19.11 0.713 13.06 0.119
            Total3D 0.258 37.93 0.168 38.14 0.328
            InstPIFu 0.129 50.28 0.167 38.42 0.340
            SSR 0.132 48.72 0.173 38.11 0.336
            DiffCAD 0.110 52.83 0.169 38.98 0.457
            Gen3DSR 0.107 60.17 0.148 40.76 0.449
            REPARO 0.115 62.39 0.151 42.84 0.410
            MIDI 0.077 78.21 0.090 62.94 0.663"""
        assert printed("midi-1-blendswap") == rows_of(text.splitlines(), 5)


class TestTheSameNumberInTwoPlaces:
    """What one paper quotes of another, and what one paper prints twice."""

    def test_midi_in_scenemaker(self):
        ours, quoted = BY_ID["midi-1-front"], BY_ID["scenemaker-4"]
        for a, b in (("cd_s", "cd_s"), ("f_s", "f_s"), ("cd_o", "cd_o"), ("f_o", "f_o"), ("iou_b", "iou_b_objects")):
            found = quoted.by_key(b)
            del found["SceneMaker"]
            assert ours.by_key(a) == found

    def test_scenemaker_with_all_parts(self):
        full = BY_ID["scenemaker-3-openset"].rows[-1].values
        assert BY_ID["scenemaker-s-parts"].rows[-1].values == full
        assert BY_ID["scenemaker-s-robustness"].rows[0].values == (full[0], full[4])

    @pytest.mark.parametrize("part", ["front", "ood"])
    def test_iscene_with_all_data_and_all_parts(self, part):
        best = BY_ID[f"iscene-1-{part}"].rows[-1].values[:5]
        assert BY_ID[f"iscene-2-{part}"].rows[-1].values == best
        assert BY_ID[f"iscene-3-{part}"].rows[-1].values == best
        assert BY_ID[f"iscene-3-{part}"].rows[1].values == BY_ID[f"iscene-2-{part}"].rows[0].values


class TestLayout:
    @pytest.mark.parametrize("table", tables(), ids=lambda t: t.id)
    def test_every_table_is_whole(self, table):
        texts = (table.title, table.source, table.table, table.test_set, table.caveat, table.read_from)
        assert all(t and t == t.strip() for t in texts)
        assert re.fullmatch(r"\d{4}\.\d{5}", table.arxiv)
        assert len({r.method for r in table.rows}) == len(table.rows) > 1
        assert all(len(r.values) == len(table.columns) for r in table.rows)
        keys = [c.key for c in table.columns if c.key]
        assert len(set(keys)) == len(keys)
        for i, column in enumerate(table.columns):
            known = [r.values[i] for r in table.rows if r.values[i] is not None]
            assert known, column.title
            if column.unit in ("fraction", "percent"):
                assert all(0 <= v <= 1 for v in known)
            if column.unit in ("distance", "s", "degrees"):
                assert all(v > 0 for v in known)

    @pytest.mark.parametrize("name", sorted({p for t in tables() for p in t.protocols}))
    def test_keys_are_those_of_our_measures(self, name):
        if name == "completions":  # beside the protocols
            measures = COMPLETIONS.measures
        else:
            assert name in PROTOCOLS
            measures = protocol(name).measures
        better = {m.key: m.better for m in measures}
        for table in tables(name):
            for column in table.columns:
                assert column.key is None or better[column.key] == column.better

    def test_tables_of_a_protocol(self):
        assert [t.id for t in tables("shape")] == ["scenemaker-2"]
        assert tables("midi@4096") == tables("midi") == tables("midi-published")
        assert tables("gen3dsr") == ()

    def test_per_cent_become_fractions(self):
        assert BY_ID["iscene-1-front"].by_key("f_s")["MIDI"] == 0.9008
        assert BY_ID["scenemaker-4"].by_key("f_s")["MIDI"] == BY_ID["midi-1-front"].by_key("f_s")["MIDI"] == 0.5019

    def test_a_column_by_our_key(self):
        table = BY_ID["iscene-1-front"]
        assert table.by_key("cd_o") == {"Gen3DSR": 0.0697, "SceneGen": 0.0353, "MIDI": 0.0877, "I-Scene": 0.0207}
        assert table.by_key("no such") == {}


class TestBadFiles:
    def raw(self) -> dict:
        return json.loads(FILE.read_text("utf-8"))[0]

    def error(self, tmp_path, data) -> str:
        path = tmp_path / "tables.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
        with pytest.raises(InputError) as error:
            read_tables(path)
        return str(error.value).replace(str(path), "FILE")

    def test_a_row_that_does_not_fit(self, tmp_path):
        data = self.raw()
        data["rows"][1]["values"].pop()
        text = self.error(tmp_path, [data])
        assert text.startswith("expected a list of published tables; got ValueError: zip()")
        assert text.endswith("in FILE; compare published.json")

    def test_unknown_units_and_directions(self, tmp_path):
        for key, value in (("unit", "parsec"), ("better", "none")):
            data = self.raw()
            data["columns"][0][key] = value
            assert value in self.error(tmp_path, [data])

    def test_missing_and_unknown_keys(self, tmp_path):
        data = self.raw()
        del data["rows"]
        assert "KeyError: 'rows'" in self.error(tmp_path, [data])
        assert "nonsense" in self.error(tmp_path, [self.raw() | {"nonsense": 1}])

    def test_the_same_id_twice(self, tmp_path):
        text = self.error(tmp_path, [self.raw(), self.raw()])
        assert text == "expected ids that are unique; got ['scenemaker-1'] twice in FILE; rename one"

    def test_no_json(self, tmp_path):
        assert "JSONDecodeError" in self.error(tmp_path, "[")
