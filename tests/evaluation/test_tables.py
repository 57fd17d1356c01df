"""Nothing is dropped from a table without being counted: hand-worked means, counts, order, Markdown and JSON."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pytest import approx
from synthetic_scene import box

from scenemaker.errors import ConfigError
from scenemaker.evaluation import published, tables
from scenemaker.evaluation.captions import alignment_text, counts_text, notes_texts
from scenemaker.evaluation.measure_text import definition, number
from scenemaker.evaluation.output import markdown, table_markdown, to_json
from scenemaker.evaluation.own_scores import PICTURES, SELFCHECK, own_columns, scores_of
from scenemaker.evaluation.published_tables import published_tables
from scenemaker.evaluation.ranking import chosen_measure, worst_first
from scenemaker.evaluation.results import ObjectRow, SceneResult
from scenemaker.evaluation.summary import Value, entries_of, is_lost, scene_value, summarise
from scenemaker.evaluation.tables import Comparison, result_tables, text_tables
from scenemaker.evaluation.types import EvalObject, EvalScene, Measure, Scores
from scenemaker.evaluation.unsupervised import score_scene
from scenemaker.geometry import transforms

DIST = Measure(key="dist", title="Dist", level="object", better="lower", text="distance over size")
IOU = Measure(key="iou", title="IoU", level="object", better="higher", text="overlap.", missing=0.0, digits=3)
HIT = Measure(key="hit", title="Hit", level="object", better="higher", text="share", missing=0.0, pool="objects")
CD = Measure(key="cd", title="CD", level="scene", better="lower", text="of the scene")
F = Measure(key="f", title="F", level="scene", better="higher", text="of the scene", missing=0.0, digits=1)
TOY = SimpleNamespace(name="toy", title="Toy", source="a book, eq. 1", measures=(DIST, IOU, HIT, CD, F))


def row(id: int, partner: str | None = "p", visible: float | None = 1.0, status: str = "ok") -> ObjectRow:
    return ObjectRow(id=id, name=f"o{id}", partner=partner, visible_fraction=visible, status=status)


def scored(dist, iou, hit):
    return {"dist": dist, "iou": iou, "hit": hit}


def result(name: str, objects, found, scene, **rest) -> SceneResult:
    scores = {"toy": Scores(scene=scene, objects=tuple(found))}
    fields = {"name": name, "gt": f"gt/{name}", "pred": f"pred/{name}", "state": "ok", "scores": scores}
    return SceneResult(**(fields | {"objects": tuple(objects)} | rest))


A = result(
    "a",
    [row(1, visible=0.2), row(2, visible=0.5), row(3, None, 0.9, "missing")],
    [scored(0.1, 0.5, 1.0), scored(0.3, None, 0.0), None],
    {"cd": 2.0, "f": 0.8},
    extra=("stray",),
    alignment="similarity, scale 1.07",
)
B = result(
    "b", [row(4, visible=None)], [scored(0.6, 0.9, 1.0)], {"cd": 4.0, "f": 0.6}, alignment="similarity, scale 0.9"
)
GONE = SceneResult(name="gone", gt="gt/gone", pred=None, state="missing", objects=(row(5, None, 0.1), row(6, None)))
BROKEN = SceneResult(
    name="broken", gt="gt/broken", pred="p", state="failed", error="unreadable", objects=(row(7, None),)
)
DIED = SceneResult(name="died", gt="gt/died", pred="p", state="failed", error="its process died")
SPOILT = SceneResult(name="spoilt", gt="gt/spoilt", pred="p", state="unusable", error="no nodes in it")
KNOWN = [A, B, GONE, BROKEN]
ALL = [*KNOWN, DIED]


def test_hand_worked_summary():
    s = summarise(ALL, TOY)
    c = s.counts
    assert (c.scenes, c.ok, c.missing, c.failed, c.unusable, c.unscored, c.unknown) == (5, 2, 1, 2, 0, 0, 1)
    assert (c.objects, c.lost, c.extra) == (7, 4, 1)
    # mean over scenes of the means in each; what is missing has no distance
    assert s.values["dist"] == Value(mean=approx((0.2 + 0.6) / 2), median=0.3, count=3, worst=0, total=7, unknown=1)
    # a: (0.5 + 0) / 2, the untold one left out; b: 0.9; gone, broken and died: 0
    iou = Value(mean=approx((0.25 + 0.9) / 5), median=0.0, count=6, worst=4, total=7, unknown=1, blamed=1)
    assert s.values["iou"] == iou
    # over all objects alike: 1, 0, 1 and four missing ones; how many died has nobody knows
    assert s.values["hit"] == Value(mean=approx(2 / 7), median=0.0, count=7, worst=4, total=7, unknown=1)
    assert s.values["cd"] == Value(mean=3.0, median=3.0, count=2, worst=0, total=5)
    assert s.values["f"] == Value(mean=approx(1.4 / 5), median=0.0, count=5, worst=3, total=5)


def test_by_visible_fraction():
    low, middle, high, unknown = (summarise(ALL, TOY, v) for v in (0, 1, 2, "unknown"))
    assert [s.counts.objects for s in (low, middle, high, unknown)] == [2, 1, 3, 1]
    assert [s.counts.lost for s in (low, middle, high, unknown)] == [1, 0, 3, 0]
    assert set(low.values) == {"dist", "iou", "hit"}  # a scene has no visible fraction
    assert low.values["iou"] == Value(mean=0.25, median=0.25, count=2, worst=1, total=2, unknown=1)
    assert middle.values["iou"] == Value(mean=None, median=None, count=0, worst=0, total=1, unknown=1)
    assert high.values["dist"] == Value(mean=None, median=None, count=0, worst=0, total=3, unknown=1)
    assert unknown.values["dist"].mean == 0.6
    whole = summarise(ALL, TOY)
    for key in ("dist", "iou", "hit"):  # the bins part the objects
        assert sum(s.values[key].total for s in (low, middle, high, unknown)) == whole.values[key].total
        assert sum(s.values[key].count for s in (low, middle, high, unknown)) == whole.values[key].count


def test_a_scene_that_a_protocol_could_not_measure_counts_as_missing():
    s = summarise([A, replace(B, scores={})], TOY)
    assert (s.counts.ok, s.counts.unscored, s.counts.lost) == (2, 1, 1)
    assert s.values["f"] == Value(mean=approx(0.4), median=approx(0.4), count=2, worst=1, total=2)
    assert s.values["iou"].worst == 2 and s.values["cd"].count == 1
    assert "2 scenes (2 ok, 0 missing, 0 failed); 1 of them not measured" in counts_text(s.counts)


ERROR = SceneResult(name="e", gt="gt/e", pred="p", state="failed", error="x", objects=(row(8, None), row(9, None)))


@pytest.mark.parametrize("measure", [DIST, IOU, HIT, CD, F])
@pytest.mark.parametrize("bad", [GONE, DIED, ERROR])
def test_no_failure_improves_a_number_silently(measure, bad):
    """Every number gets worse, or the table tells beside it that something is left out."""
    only = SimpleNamespace(name="toy", title="Toy", source="", measures=(measure,))
    results = [B, bad]
    (whole, *_) = result_tables(Comparison(rows={"ours": results, "clean": [B]}, protocols=[only]), only)
    before, after = summarise([B], only).values[measure.key], summarise(results, only).values[measure.key]
    for name, line in zip(("mean", "median"), (whole.rows[0], whole.rows[2]), strict=True):
        assert [line[0].text, line[1].text] == ["ours", name]
        a, b = getattr(before, name), getattr(after, name)
        assert (b < a) == (measure.missing is not None and "†" not in line[2].text)
        assert b < a or re.search(r"†| \(\d of \d\)", line[2].text), line
    (whole, *_) = result_tables(Comparison(rows={"ours": results}, protocols=[only]), only)
    told = whole.rows[2][2].text
    assert re.search(r"1 of [23]$|\d as 0\)|1 scene as 0$|†$", told), told


def test_a_scene_of_unknown_objects_is_told_beside_every_number_that_lacks_it():
    whole, bins = result_tables(Comparison(rows={"ours": [B, DIED]}, protocols=[TOY]), TOY)
    assert [[c.text for c in r[1:]] for r in whole.rows] == [
        ["mean", "0.6000†", "0.450", "1.0000†", "4.0000", "0.3"],
        ["median", "0.6000†", "0.900†", "1.0000†", "4.0000", "0.3"],
        ["values", "1 of 1†", "1 of 1, 1 scene as 0", "1 of 1†", "1 of 2", "2 of 2 (1 as 0)"],
    ]
    assert [c.text for c in bins.rows[3][4:]] == [f"{v}†" for v in ("0.6000", "0.900", "1.0000")]
    assert "0 missing, 0 extra; † lacks 1 scene of unknown objects; alignment" in whole.caption


def test_an_unusable_ground_truth_is_counted_and_blames_nobody():
    with_it, without = (summarise(r, TOY) for r in ([*ALL, SPOILT], ALL))
    assert with_it.values == without.values
    assert (with_it.counts.scenes, with_it.counts.unusable, with_it.counts.unknown) == (6, 1, 1)
    told = "6 scenes (2 ok, 1 missing, 2 failed, 1 unusable ground truth); 7 objects"
    assert counts_text(with_it.counts).startswith(told)
    assert [scene_value(SPOILT, TOY, m) for m in TOY.measures] == [None] * 5
    assert [entries_of(SPOILT, TOY, m) for m in TOY.measures] == [[]] * 5
    assert [r.name for r in worst_first([A, DIED, GONE, SPOILT], TOY, IOU)] == ["spoilt", "died", "gone", "a"]
    (own,) = own_columns([SPOILT, replace(A, images={"mask_iou": 0.5})])
    assert summarise([SPOILT, replace(A, images={"mask_iou": 0.5})], own).values["mask_iou"].mean == 0.5
    comparison = Comparison(rows={"ours": [SPOILT]}, protocols=[TOY])
    for text in (markdown(comparison), text_tables(comparison)):
        assert "1 scene (0 ok, 0 missing, 0 failed, 1 unusable ground truth)" in text


def test_nan_and_infinity_are_not_known():
    odd = result("odd", [row(1), row(2)], [scored(math.nan, 0.5, 1.0), scored(math.inf, 0.5, 1.0)], {"cd": math.nan})
    s = summarise([odd], TOY)
    assert s.values["dist"] == Value(mean=None, median=None, count=0, worst=0, total=2)
    assert s.values["cd"].count == 0 and s.values["f"] == Value(mean=None, median=None, count=0, worst=0, total=1)
    assert number(math.nan, CD) == number(None, CD) == "–"


def test_lost_objects():
    assert [is_lost(A, o) for o in A.objects] == [False, False, True]
    assert is_lost(A, row(1, "p", status="failed")) and not is_lost(A, row(1, "p", status="flagged"))
    assert is_lost(GONE, row(1, "p"))
    alone = SceneResult(name="x", gt="", pred="p", state="ok", objects=(row(1, None), row(2, None, status="skipped")))
    assert [is_lost(alone, o) for o in alone.objects] == [False, True]  # without ground truth there are no partners


def test_entries_and_scene_values():
    assert [(e.value, e.lost) for e in entries_of(A, TOY, IOU)] == [(0.5, False), (None, False), (0.0, True)]
    assert scene_value(A, TOY, IOU) == 0.25 and scene_value(A, TOY, DIST) == approx(0.2)
    assert scene_value(DIED, TOY, IOU) == 0.0 and scene_value(DIED, TOY, DIST) is None
    assert scene_value(GONE, TOY, F) == 0.0 and scene_value(GONE, TOY, CD) is None
    with pytest.raises(ValueError):  # a protocol must tell of every object
        entries_of(replace(B, objects=(*B.objects, row(9))), TOY, IOU)


def test_worst_scenes_come_first():
    good = result("good", [row(1)], [scored(0.2, 0.8, 1.0)], {"cd": 1.0, "f": 1.0})
    untold = result("untold", [row(1)], [scored(None, None, None)], {"cd": None, "f": None})
    scenes = [good, B, untold, A, GONE, BROKEN, DIED]
    # a: 0.1, 0.3 and a missing one, which counts as the worst of all, 0.6: mean 0.33
    assert [r.name for r in worst_first(scenes, TOY, DIST)] == ["broken", "died", "gone", "untold", "b", "a", "good"]
    assert [r.name for r in worst_first(scenes, TOY, IOU)][4:] == ["a", "good", "b"]
    assert [r.name for r in worst_first(reversed(scenes), TOY, F)][4:] == ["b", "a", "good"]
    lost_all = result("lost", [row(1, None)], [None], {"cd": 1.0, "f": 1.0})
    assert worst_first([good, B, lost_all, A], TOY, DIST)[0].name == "b"  # 0.6 too: by name
    assert worst_first([good, lost_all, A], TOY, DIST)[0].name == "lost"


def test_the_measure_to_sort_by():
    scenes_only = SimpleNamespace(name="s", title="S", source="", measures=(CD, F))
    assert chosen_measure([scenes_only, TOY]) == (TOY, DIST)
    assert chosen_measure([scenes_only]) == (scenes_only, CD)
    assert chosen_measure([scenes_only, TOY], "f") == (scenes_only, F)
    assert chosen_measure([scenes_only, TOY], "toy:f") == (TOY, F)
    thin = SimpleNamespace(name="s@512", title="S", source="", measures=(CD, F))
    assert chosen_measure([thin, TOY], "s:f") == chosen_measure([thin, TOY], "s@512:f") == (thin, F)
    with pytest.raises(ConfigError) as error:
        chosen_measure([scenes_only], "nothing")
    assert str(error.value) == "expected a measure of these protocols; got 'nothing'; choose from: s:cd, s:f"


def test_own_scores_are_those_that_some_scene_has():
    assert own_columns(ALL) == []
    pictures = replace(A, images={"psnr": 20.0, "ssim": None, "mask_iou": 0.5, "amodal_iou": None, "depth_error": 0.1})
    (own,) = own_columns([pictures, B, GONE])
    assert own.name == PICTURES.name and [m.key for m in own.measures] == ["psnr", "mask_iou", "depth_error"]
    s = summarise([pictures, B, GONE], own)
    assert s.values["psnr"] == Value(mean=20.0, median=20.0, count=1, worst=0, total=3)
    # no pictures of b are a gap, no prediction is a failure
    assert s.values["mask_iou"] == Value(mean=0.25, median=0.25, count=2, worst=1, total=3)


def test_pictures_judged_by_networks_have_columns():
    (own,) = own_columns([replace(A, images={"lpips": 0.2, "clip_image": 0.9})])
    assert [(m.key, m.better) for m in own.measures] == [("lpips", "lower"), ("clip_image", "higher")]


def test_contacts_have_columns():
    """All that ``score_scene`` tells of a bare file."""
    centres = [(0.0, 0.5, 0.0), (0.5, 0.5, 0.0), (9.0, 3.5, 0.0)]
    items = [
        EvalObject(id=i, name=f"o{i}", mesh=box(), S_frame_obj=transforms.rigid(np.eye(3), at))
        for i, at in enumerate(centres, start=1)
    ]
    found = score_scene(EvalScene(name="s", path=Path("s"), objects=tuple(items)))
    (own,) = own_columns([replace(B, selfcheck=found)])
    assert [m.key for m in own.measures] == [
        *("supported", "floating", "floating_distance", "penetration", "penetration_volume")
    ]
    values = {k: v.mean for k, v in summarise([replace(B, selfcheck=found)], own).values.items()}
    # a cube on the ground, one half inside of it, one at height 3
    assert values["supported"] == approx(2 / 3) and values["floating_distance"] == approx(3.0)
    assert values["penetration"] == approx(0.5, abs=0.05)
    assert values["penetration_volume"] == approx(0.5, abs=0.05)


def test_support_is_told_where_the_ground_is_known():
    def share(*objects):
        keys = ("support", "floating_distance")
        selfcheck = {"objects": [dict(zip(keys, o, strict=True)) for o in objects]}
        scores = scores_of(replace(A, selfcheck=selfcheck), SELFCHECK)
        assert scores is not None
        return scores.scene["supported"]

    skipped, loose, held = (None, None), (None, 0.5), ("ground", 0.0)
    assert share(held, loose, skipped) == 0.5 and share((3, 0.4), held) == 1.0 and share(loose) == 0.0
    assert share((2, None), skipped) is None and share() is None


def test_own_scores_that_always_failed_are_shown():
    failed = [replace(r, notices=("pictures: ValueError: no lamp",)) for r in (A, B)]
    (own,) = own_columns([*failed, GONE])
    assert own == PICTURES
    text = markdown(Comparison(rows={"ours": [*failed, GONE]}, protocols=[TOY]))
    assert "2 of them not measured" in text and "errors: 2 × \\[ValueError: no lamp\\]" in text


def test_without_ground_truth():
    alone = SceneResult(name="x", gt="", pred="p", state="ok", objects=(row(1, None),), selfcheck={"penetration": 0.25})
    (own,) = own_columns([alone])
    assert own.name == SELFCHECK.name and [m.key for m in own.measures] == ["penetration"]
    assert summarise([alone], own).values["penetration"].mean == 0.25
    assert summarise([alone, A], TOY).counts.scenes == 1
    failed = SceneResult(name="y", gt="", pred="p", state="failed", error="bad")
    comparison = Comparison(rows={"ours": [failed]}, protocols=())
    assert comparison.columns == [SELFCHECK]
    assert "1 scene (0 ok, 0 missing, 1 failed)" in markdown(comparison)


def compared() -> Comparison:
    worse = replace(A, scores={"toy": Scores(scene={"cd": 5.0, "f": 0.8}, objects=A.scores["toy"].objects)})
    return Comparison(rows={"ours": KNOWN, "noisy": [worse]}, protocols=[TOY], command="evaluate a b")


def test_cells_of_a_table():
    whole, bins = result_tables(Comparison(rows={"ours": KNOWN}, protocols=[TOY], command="evaluate a b"), TOY)
    assert whole.head == ("", "", "Dist ↓", "IoU ↑", "Hit ↑", "CD ↓", "F ↑")
    assert [[c.text for c in r] for r in whole.rows] == [
        ["ours", "mean", "0.4000", "0.287", "0.2857", "3.0000", "0.3"],
        ["ours", "median", "0.3000", "0.000", "0.0000", "3.0000", "0.3"],
        ["ours", "values", "3 of 7", "6 of 7 (4 as 0)", "7 of 7 (4 as 0)", "2 of 4", "4 of 4 (2 as 0)"],
    ]
    assert not any(c.best for t in (whole, bins) for r in t.rows for c in r)  # nothing to compare with
    assert [[c.text for c in r] for r in bins.rows] == [
        ["ours", "0–40 %", "2", "1", "0.1000 (1 of 2)", "0.250", "0.5000"],
        ["ours", "40–70 %", "1", "0", "0.3000", "–", "0.0000"],
        ["ours", "70–100 %", "3", "3", "–", "0.000", "0.0000"],
        ["ours", "unknown", "1", "0", "0.6000", "0.900", "1.0000"],
    ]
    for table in (whole, bins):
        assert table.caption == (
            "Protocol toy (a book, eq. 1) · 4 scenes (2 ok, 1 missing, 1 failed); 7 objects, 4 missing, 1 extra; "
            "alignment: 2 × [similarity, scale #] · made by: evaluate a b"
        )


def test_the_best_of_several_is_marked():
    whole, bins = result_tables(compared(), TOY)
    assert [r[0].text for r in whole.rows] == ["ours", "noisy"] * 3
    text = {(r[0].text, r[1].text): [c.text + ("!" if c.best else "") for c in r[2:]] for r in whole.rows}
    assert text["ours", "mean"] == ["0.4000 (3 of 7)", "0.287 (6 of 7)!", "0.2857", "3.0000 (2 of 4)!", "0.3"]
    assert text["noisy", "mean"] == ["0.2000 (2 of 3)!", "0.250 (2 of 3)", "0.3333!", "5.0000", "0.8!"]
    assert not any("!" in c for c in text["ours", "values"])
    assert "ours: 4 scenes" in whole.caption and "noisy: 1 scene (1 ok" in whole.caption
    low = [r for r in bins.rows if r[1].text == "0–40 %"]
    assert [c.best for c in low[0][4:]] == [True, False, False] and [c.best for c in low[1][4:]] == [True, True, True]


def test_definitions_tell_what_missing_objects_do():
    assert definition(DIST) == "distance over size; a missing object is left out; mean over scenes."
    assert definition(HIT) == "share; a missing object counts as 0; mean over all objects."
    assert definition(F) == "of the scene; a missing scene counts as 0."


def test_numbers():
    assert [number(v, IOU) for v in (0.12349, -1e-9, 12.0)] == ["0.123", "0.000", "12.000"]


def test_ways_of_alignment():
    texts = ["rigid, 1e-3 m", "rigid, 2.5 m", "none", "", "b", "c", "d"]
    results = [replace(A, alignment=t) for t in texts]
    assert alignment_text(results) == "2 × [rigid, # m], 1 × [none], 1 × [b], 1 × [c], 1 × others"
    assert alignment_text([GONE]) == "none"


def noted(*notes: str) -> SceneResult:
    return replace(B, scores={"toy": replace(B.scores["toy"], notes=notes)})


def test_notes_and_errors_of_a_protocol_are_told():
    unmeasured = replace(B, scores={}, notices=("axes turned", "toy: expected 3 points; got 2"))
    other = replace(B, scores={}, notices=("toy: expected 3 points; got 1",))
    results = [noted("2 of 3 by registration", "not in metres"), noted("1 of 4 by registration"), unmeasured, other]
    text = "notes: 2 × [# of # by registration], 1 × [not in metres]; errors: 2 × [expected # points; got #]"
    comparison = Comparison(rows={"ours": results}, protocols=[TOY])
    assert all(text in t.caption for t in result_tables(comparison, TOY))
    assert text_tables(comparison).count(text) == 1
    assert text.split("; ")[0].replace("[", "\\[").replace("]", "\\]") in markdown(comparison)
    assert notes_texts([noted("scale 1.07"), noted("scale 1.07")], TOY)["notes"] == "2 × [scale 1.07]"  # as it is
    many = notes_texts([noted(*"abcdefg")], TOY)["notes"]
    assert many == "1 × [a], 1 × [b], 1 × [c], 1 × [d], 1 × [e], 2 × others"
    assert notes_texts([A, GONE], TOY) == {"notes": "", "errors": ""}
    own = replace(B, notices=("toy: was measured all the same",))  # a notice of the scene, not a failure
    assert notes_texts([own], TOY)["errors"] == ""


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_markdown():
    text = markdown(replace(compared(), notices=["half | the points"], unmatched={"ours": ("stray",), "noisy": ()}))
    assert text.startswith("# Evaluation\n\n- half \\| the points\n\nPredictions without ground truth (ours): stray\n")
    assert "## Toy (`toy`)" in text and "**0.2000 (2 of 3)**" in text
    assert "- **Hit ↑**: share; a missing object counts as 0; mean over all objects." in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1  # every row has all cells


def test_text_for_a_terminal():
    lines = text_tables(compared()).splitlines()
    assert lines[0] == "Toy" and lines[8] == "Toy, by visible fraction (means)"
    assert re.split(r"  +", lines[2]) == [
        *("ours", "mean", "0.4000 (3 of 7)", "0.287 (6 of 7)*", "0.2857", "3.0000 (2 of 4)*", "0.3")
    ]
    assert len({len(line) for line in lines[1:8]}) == 1  # numbers end in one line
    assert lines[-1].startswith("Protocol toy (a book, eq. 1) · ours: 4 scenes")
    assert len(lines) == 1 + 1 + 6 + 1 + 1 + 8 + 1  # one caption for both tables, without the command


def test_text_for_a_terminal_is_short_where_there_is_little_to_tell():
    whole = replace(B, scores={"toy": Scores(scene={"cd": 4.0, "f": 0.6}, objects=(scored(0.6, 0.9, 1.0),))})
    text = text_tables(Comparison(rows={"ours": [whole]}, protocols=[TOY], command="evaluate a b"))
    assert [line.split() for line in text.splitlines()[:4]] == [
        ["Toy"],
        ["Dist", "↓", "IoU", "↑", "Hit", "↑", "CD", "↓", "F", "↑"],
        ["mean", "0.6000", "0.900", "1.0000", "4.0000", "0.6"],
        ["median", "0.6000", "0.900", "1.0000", "4.0000", "0.6"],
    ]
    assert text.splitlines()[4].startswith("Protocol toy") and len(text.splitlines()) == 5
    with_bins = text_tables(Comparison(rows={"ours": [whole, GONE]}, protocols=[TOY]))
    assert "values" in with_bins and "by visible fraction" in with_bins  # of 10 % and of 100 %, and one unknown
    several = text_tables(Comparison(rows={"ours": [whole], "noisy": [whole, BROKEN]}, protocols=[TOY]))
    assert re.findall(r"^(\w+) +values", several, re.M) == ["noisy"]
    unknown = text_tables(Comparison(rows={"ours": [whole, DIED]}, protocols=[TOY]))
    assert "0.6000†" in unknown and "1 of 1†" in unknown and "† lacks 1 scene" in unknown


def test_summaries_are_computed_once(monkeypatch):
    calls = []
    monkeypatch.setattr(tables, "summarise", lambda r, c, v=None: (calls.append((c.name, v)), summarise(r, c, v))[1])
    comparison = compared()
    text_tables(comparison), markdown(comparison), to_json(comparison)
    assert sorted(map(str, calls)) == sorted(2 * [str(("toy", v)) for v in (None, 0, 1, 2, "unknown")])
    assert comparison.summaries(TOY)["noisy"] == summarise(comparison.rows["noisy"], TOY)


def test_columns_without_a_measure_are_left_out():
    empty = SimpleNamespace(name="none", title="", source="", measures=())
    assert Comparison(rows={"ours": [A]}, protocols=[empty, TOY]).columns == [TOY]
    assert Comparison(rows={"ours": [A]}, protocols=[empty]).columns == [SELFCHECK]


def test_markdown_shows_foreign_text_as_it_is():
    evil = "a|b `x` *y* <script> [z](u)\nnew _line_ \\"
    table = result_tables(Comparison(rows={evil: [A]}, protocols=[TOY]), TOY)[0]
    text = table_markdown(table)
    shown = r"a\|b \`x\` \*y\* &lt;script> \[z\](u) new \_line\_ \\"
    assert all(line.startswith(f"| {shown} |") for line in lines_of(text)[2:])


def test_json_is_whole_and_knows_no_nan():
    odd = result("odd", [row(1)], [scored(math.nan, 0.5, math.inf)], {"cd": math.nan, "f": None})
    comparison = Comparison(rows={"ours": [*ALL, odd]}, protocols=[TOY], unmatched={"ours": ["stray"]}, command="c")

    def no_constant(name):
        raise AssertionError(name)

    data = json.loads(to_json(comparison), parse_constant=no_constant)
    (toy,) = data["protocols"]
    assert toy["source"] == "a book, eq. 1" and [m["key"] for m in toy["measures"]] == ["dist", "iou", "hit", "cd", "f"]
    ours = data["evaluations"]["ours"]
    assert ours["unmatched"] == ["stray"] and data["command"] == "c"
    assert [s["visible"] for s in ours["summaries"]["toy"]] == [None, 0, 1, 2, "unknown"]
    assert ours["summaries"]["toy"][0]["values"]["cd"] == {
        "mean": 3.0,
        "median": 3.0,
        "count": 2,
        "worst": 0,
        "total": 6,
        "unknown": 0,
        "blamed": 0,
    }
    assert ours["scenes"][-1]["scores"]["toy"]["objects"] == [{"dist": None, "iou": 0.5, "hit": None}]
    assert [SceneResult.from_dict(s) for s in ours["scenes"][:-1]] == ALL


def test_published_numbers_stand_under_the_nearest_protocol():
    names = [SimpleNamespace(name=n, title=n, source="", measures=(CD,)) for n in ("midi@1024", "midi-published")]
    both = published_tables(Comparison(rows={"ours": []}, protocols=names))
    wanted = [t for t in published.tables() if "midi" in t.protocols]
    assert sum(map(len, both.values())) == len(
        [t for t in published.tables() if {"midi", "midi-published"} & {*t.protocols}]
    )
    for t in wanted:
        at = "midi-published" if t.protocols.index("midi") else "midi@1024"
        assert any(t.source in shown.caption and t.caveat in shown.caption for shown in both[at])
    alone = published_tables(Comparison(rows={"ours": []}, protocols=names[:1]))
    assert len(alone["midi@1024"]) == len(wanted)
    assert published_tables(Comparison(rows={"ours": []}, protocols=[TOY])) == {}


def test_published_numbers_are_shown_as_printed():
    table = next(t for t in published.tables() if any(c.unit == "percent" for c in t.columns))
    protocol = SimpleNamespace(name=table.protocols[0], title="", source="", measures=(CD,))
    comparison = Comparison(rows={"ours": []}, protocols=[protocol])
    shown = next(
        t for t in published_tables(comparison)[protocol.name] if table.title in t.title and table.test_set in t.caption
    )
    i, column = next((i, c) for i, c in enumerate(table.columns) if c.unit == "percent")
    assert shown.head[i + 1] == f"{column.title} (%) {'↑' if column.better == 'higher' else '↓'}"
    values = [r.values[i] for r in table.rows]
    assert [float(r[i + 1].text) for r in shown.rows if r[i + 1].text != "–"] == [
        approx(100 * v, abs=1e-9) for v in values if v is not None
    ]
    best = max(v for v in values if v is not None)
    assert [r[i + 1].best for r in shown.rows] == [v == best for v in values]
    assert f"### {shown.title}" in markdown(comparison)
