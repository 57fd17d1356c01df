"""The page of an evaluation: self-contained, whole, and no text from outside becomes markup."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from synthetic_scene import box, two_boxes

from scenemaker.editable import Scene
from scenemaker.errors import ConfigError
from scenemaker.evaluation.evaluate import Settings
from scenemaker.evaluation.results import ObjectRow, SceneResult
from scenemaker.evaluation.tables import Comparison
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, Measure, ScenePair, Scores
from scenemaker.geometry import transforms
from scenemaker.viewer.charts import BARS, histogram_svg
from scenemaker.viewer.evaluation import draw_worst, evaluation_html, worst_scenes, write_evaluation_page
from scenemaker.viewer.pairs import LOST, draw_pair, draw_truth
from scenemaker.viewer.pictures import id_colour

EVIL = '<script>alert("x")</script> & \'"><img src=x onerror=alert(1)> $title'
DIST = Measure(key="dist", title="Dist", level="object", better="lower", text="distance")
CD = Measure(key="cd", title="CD", level="scene", better="lower", text="of the scene")
TOY = SimpleNamespace(name="toy", title="Toy", source="a book", measures=(DIST, CD))
VOID = {"meta", "img", "br", "path", "rect"}  # the svg shapes close themselves


class Page(HTMLParser):
    """All tags with their attributes and all text; every end tag must close the tag that is open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [a for t, a in self.tags if t == tag]


def row(id: int, partner: str | None = "p", visible: float | None = 1.0, **rest) -> ObjectRow:
    return ObjectRow(
        **({"id": id, "name": f"o{id}", "partner": partner, "visible_fraction": visible, "status": "ok"} | rest)
    )


def result(name: str, dist: float, **rest) -> SceneResult:
    scores = {"toy": Scores(scene={"cd": dist}, objects=({"dist": dist}, None), notes=("a clamp",))}
    objects = (row(3, "cup"), row(7, None, 0.25, status="missing"))
    fields = {"name": name, "gt": "g", "pred": "p", "state": "ok", "scores": scores, "objects": objects}
    return SceneResult(
        **(fields | {"extra": ("stray",), "alignment": "similarity", "notices": ("axes turned",)} | rest)
    )


GONE = SceneResult(name="gone", gt="g", pred=None, state="missing", objects=(row(3, None),))
BROKEN = SceneResult(name="broken", gt="g", pred="p", state="failed", error="no nodes in it")
SPOILT = SceneResult(name="spoilt", gt="g", pred="p", state="unusable", error="a face without vertices")


def page_of(results, pictures=None, **rest) -> Page:
    comparison = Comparison(rows={"ours": results}, protocols=[TOY], command="evaluate a b")
    return Page(evaluation_html(comparison, pictures, **rest))


def two_box_pair(*, photo: bool = True, partners=(0, 1), shift=(0.0, 0.0, -0.8)) -> ScenePair:
    """The prediction is the ground truth, shifted in depth."""
    s = two_boxes()
    T_world_cam = transforms.invert(s.camera.T_cam_world)
    objects = tuple(EvalObject(id=o.id, name=o.name, mesh=o.mesh, S_frame_obj=o.S_cam_obj) for o in s.objects)
    scene = Scene(
        rgb=s.photo.rgb, labels=s.instances.labels, depth=s.point_map.depth, camera=s.camera,
        objects={o.id: o for o in s.objects},
    ) if photo else None  # fmt: skip
    gt = EvalScene(name="boxes", path=Path("gt"), objects=objects, T_world_frame=T_world_cam, scene=scene)
    S = transforms.rigid(np.eye(3), shift) @ T_world_cam
    pred = EvalScene(name="boxes", path=Path("pred"), objects=objects, T_world_frame=T_world_cam)
    alignment = Alignment(S_world_pred=S, kind="none", text="one frame already")
    return ScenePair(name="boxes", gt=gt, pred=pred, partners=partners, alignment=alignment)


def test_nothing_is_loaded_and_one_script_runs():
    text = evaluation_html(Comparison(rows={"ours": [result("a", 0.5)]}, protocols=[TOY]))
    page = Page(text)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {t for t, _ in page.tags}
    assert not re.search(r"https?://|@import|url\(|javascript:|file:", text)
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{known}'"


def test_every_scene_is_listed_and_missing_ones_are_marked():
    page = page_of([result("good", 0.2), result("bad", 0.9), GONE, BROKEN], shown=3)
    for want in (
        "Scenes 2 of 4 1 missing, 1 failed",
        "Objects found 2 of 5 3 missing, 2 extra, those of 1 scene unknown",
        "Dist ↓ (toy) 0.5500 mean of 2 of 5 objects (1 scene unknown); median 0.5500",
        "3 of 4 scenes: unusable, failed and missing ones first, then by Dist ↓ of Toy",
        "broken failed ? ? 0 – – no nodes in it",
        "gone missing 1 1 0 – –",
        "bad ok 2 1 1 0.9000 0.9000",
        "good ok 2 1 1 0.2000 0.2000",
        "Dist ↓ 2 objects (1 scene unknown) 1 1 0.2000 0.9000 median 0.5500 3 3 missing",
        "CD ↓ 2 scenes 1 1 0.2000 0.9000 median 0.5500 2 2 missing",
        "o7 missing 25 % –", "o3 cup 100 % 0.9000",
        "extra stray", "alignment similarity", "axes turned", "toy: a clamp", "evaluate a b",
    ):  # fmt: skip
        assert want in page.text, want
    lost = [a for a in page.all("tr") if a.get("class") == "lost"]
    assert len(lost) == 2 + 2  # gone and broken in the list; o3 of gone and o7 of bad in their cards
    cards = [a["id"] for a in page.all("article")]
    assert cards == ["scene-0", "scene-1", "scene-2"]
    links = {a["href"][1:] for a in page.all("a")}
    assert {*cards} <= links <= {a["id"] for _, a in page.tags if "id" in a}


def test_an_unusable_ground_truth_comes_first_and_is_in_no_number():
    page, without = page_of([result("good", 0.2), GONE, SPOILT], shown=2), page_of([result("good", 0.2), GONE], shown=2)
    for want in (
        "Scenes 1 of 3 1 missing, 0 failed, 1 unusable ground truth",
        "3 scenes (1 ok, 1 missing, 0 failed, 1 unusable ground truth); 3 objects, 2 missing, 1 extra",
        "spoilt unusable objects unknown a face without vertices",
        "spoilt unusable ? ? 0 – – a face without vertices",
    ):
        assert want in page.text, want
    assert page.text.index("spoilt unusable ? ?") < page.text.index("gone missing 1 1")
    tile = "Dist ↓ (toy) 0.2000 mean of 1 of 3 objects; median 0.2000"
    assert tile in page.text and tile in without.text


def test_notes_of_a_protocol_are_told_below_its_table():
    page = page_of([result("a", 0.5), result("b", 0.5), result("c", 0.5, scores={}, notices=("toy: no points",))])
    assert "notes: 2 × [a clamp]; errors: 1 × [no points]" in page.text


def test_pages_share_one_style_and_take_it_in():
    folder = files("scenemaker.viewer")
    shared = (folder / "page.css").read_text("utf-8")
    text = evaluation_html(Comparison(rows={"ours": [result("a", 0.5)]}, protocols=[TOY]))
    (style,) = re.findall(r"<style>\n(.*?)</style>", text, re.S)
    assert style.startswith(shared) and "$" not in style
    rules = {line.strip() for line in shared.splitlines() if "{" in line and "}" in line}
    for name in ("report_template.html", "evaluation_template.html"):
        assert not rules & {line.strip() for line in (folder / name).read_text("utf-8").splitlines()}


def test_failed_scenes_leave_room_for_others():
    failed = [replace(BROKEN, name=f"x{i}") for i in range(6)]
    scenes = [*failed, *(result(f"s{i}", i / 10) for i in range(9))]
    comparison = Comparison(rows={"ours": scenes}, protocols=[TOY])
    assert [r.name for r in worst_scenes(comparison, 4)] == ["x0", "x1", "s8", "s7"]
    assert [r.name for r in worst_scenes(replace(comparison, rows={"ours": scenes[:7]}), 4)] == ["x0", "x1", "x2", "s0"]
    assert len(worst_scenes(comparison, 100)) == 15
    with pytest.raises(ConfigError):
        evaluation_html(comparison, sort_by="nothing")


def test_texts_from_outside_never_become_markup():
    plain = page_of([result("a", 0.5), BROKEN])
    bad = row(3, EVIL, name=EVIL, notices=(EVIL,))
    evil_scene = result(EVIL, 0.5, objects=(bad, row(7, None)), extra=(EVIL,), alignment=EVIL, notices=(EVIL,))
    measures = tuple(replace(m, title=EVIL, text=EVIL) for m in TOY.measures)
    protocol = SimpleNamespace(name="toy", title=EVIL, source=EVIL, measures=measures)
    comparison = Comparison(
        rows={EVIL: [evil_scene, replace(BROKEN, name=EVIL + "2", error=EVIL)]},
        protocols=[protocol], title=EVIL, command=EVIL, notices=[EVIL], unmatched={EVIL: [EVIL]},
    )  # fmt: skip
    evil = Page(evaluation_html(comparison))
    free = ("ul", "li", "b", "div", "title", "text")
    assert [t for t, _ in evil.tags if t not in free] == [t for t, _ in plain.tags if t not in free]
    assert evil.text.count('<script>alert("x")</script>') >= 20
    assert not [a for _, attrs in evil.tags for a in attrs if a.startswith("on")]


def test_several_evaluations_share_the_tables():
    rows = {"clean": [result("a", 0.2)], "noisy": [result("a", 0.4), result("b", 0.6)]}
    page = Page(evaluation_html(Comparison(rows=rows, protocols=[TOY])))
    assert "2 evaluations; scenes, pictures and distributions are those of clean" in page.text
    assert "clean mean 0.2000 (1 of 2) 0.2000 noisy mean 0.5000 (2 of 4) 0.5000" in page.text
    assert "1 of 1 scene: unusable" in page.text and len(page.all("article")) == 1


def test_pictures_are_inside_and_have_a_text():
    figures = draw_pair(two_box_pair(partners=(0, None)), max_px=96)
    page = page_of([result("boxes", 0.5), result("dull", 0.1)], {"boxes": figures})
    pictures = page.all("img")
    assert len(pictures) == len(figures) == 8 and "No pictures." in page.text
    for picture, figure in zip(pictures, figures, strict=True):
        head, data = picture["src"].split(",")
        shown = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert head == "data:image/jpeg;base64" and shown.shape == figure.rgb.shape and len(picture["alt"]) > 5


def test_thousands_of_scenes_stay_light(tmp_path):
    comparison = Comparison(rows={"ours": [result(f"scene {i}", i / 1000) for i in range(1000)]}, protocols=[TOY])
    write_evaluation_page(tmp_path / "page.html", comparison, shown=2)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert len(text) < 400_000 and all(f">scene {i}<" in text for i in range(1000))
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_an_empty_evaluation_still_has_a_page():
    assert "Scenes 0 of 0" in Page(evaluation_html(Comparison(rows={"ours": []}, protocols=[TOY]))).text
    alone = SceneResult(name="x", gt="", pred="p", state="failed", error="bad file")
    page = Page(evaluation_html(Comparison(rows={"ours": [alone]}, protocols=())))
    assert "x failed ? ? 0" in page.text and "bad file" in page.text


def masks_of(rgb, colour, tolerance=70):
    """Pixels of a hue: the colour up to its brightness."""
    c = rgb.astype(float) / np.maximum(rgb.max(-1, keepdims=True), 1)
    return (np.abs(c - np.array(colour) / max(colour)).max(-1) < tolerance / 255) & (
        np.ptp(rgb.astype(int), axis=-1) > 40
    )


def centre(mask):
    return np.argwhere(mask).mean(0)


def test_pairs_show_errors_of_depth_from_above():
    pair = two_box_pair()
    figures = {f.key: f.rgb for f in draw_pair(pair)}
    assert list(figures) == ["photo", "gt", "pred", "overlay", "left_gt", "left_pred", "above_gt", "above_pred"]
    assert figures["photo"].shape == figures["gt"].shape == figures["pred"].shape == (160, 240, 3)  # never enlarged
    assert np.abs(figures["gt"].astype(int) - figures["pred"]).mean() > 1
    red = id_colour(3)
    a, b = (masks_of(figures[k], red) for k in ("above_gt", "above_pred"))
    assert a.sum() > 500 and b.sum() > 500
    assert centre(a)[0] - centre(b)[0] > 10  # 0.8 farther away is higher up in the picture, by far
    same = {f.key: f.rgb for f in draw_pair(two_box_pair(shift=(0, 0, 0)))}
    np.testing.assert_array_equal(same["gt"], same["pred"])
    assert abs(centre(masks_of(same["above_gt"], red))[0] - centre(masks_of(same["above_pred"], red))[0]) < 3


def test_the_ground_truth_rendered_lies_on_the_photo():
    pair = two_box_pair()
    assert pair.gt.scene is not None
    figures = {f.key: f.rgb for f in draw_pair(pair)}
    on = pair.gt.scene.labels > 0
    assert np.abs(figures["gt"].astype(int) - figures["photo"])[on].mean() < 1  # unlit boxes: the same colours
    assert (figures["gt"][~on] == 250).all()
    ground = figures["overlay"][-10:, :10].astype(int)  # of the photo, paled
    assert ((ground > figures["photo"][-10:, :10]) & (ground < 245)).all()
    np.testing.assert_array_equal(figures["above_gt"][-10:, :10], figures["above_pred"][-10:, :10])
    assert set(np.unique(figures["above_gt"][-10:, :10])) <= {*range(225, 246)}  # the floor's checkerboard


def test_missing_objects_are_outlined_in_red_and_extra_ones_are_grey():
    pair = two_box_pair(partners=(0, None), shift=(0, 0, 0))
    figures = {f.key: f for f in draw_pair(pair)}
    for key in ("overlay", "left_pred", "above_pred"):
        assert (figures[key].rgb == LOST).all(-1).sum() > 20
        assert figures[key].text.endswith("ground truth outlined, missing objects in red")
    found = {f.key: f for f in draw_pair(two_box_pair(shift=(0, 0, 0)))}
    assert not any((f.rgb == LOST).all(-1).any() for f in found.values())
    blue = id_colour(7)
    assert masks_of(found["above_pred"].rgb, blue).sum() > 300 > masks_of(figures["above_pred"].rgb, blue).sum()
    assert masks_of(figures["above_gt"].rgb, blue).sum() > 300
    shown = figures["above_pred"].rgb.astype(int)
    assert ((np.ptp(shown, axis=-1) == 0) & (shown[..., 0] < 170)).sum() > 300  # the floor is lighter


def test_a_scene_without_a_prediction_or_without_a_photo():
    pair = two_box_pair(photo=False)
    figures = draw_pair(pair, max_px=120)
    assert figures[0].key == "gt_ids" and all(f.rgb.shape == (90, 120, 3) for f in figures)
    assert masks_of(figures[0].rgb, id_colour(3)).sum() > 100
    alone = {f.key: f for f in draw_truth(pair.gt, max_px=120)}
    assert alone["pred"].text == "nothing" and (alone["pred"].rgb == 250).all()
    assert (alone["overlay"].rgb == LOST).all(-1).any()


def test_a_prediction_far_away_does_not_shrink_the_ground_truth():
    near, far = ({f.key: f.rgb for f in draw_pair(two_box_pair(shift=s))} for s in ((0.0, 0.0, 0.0), (500.0, 0.0, 0.0)))
    np.testing.assert_array_equal(near["left_gt"], far["left_gt"])


def test_equal_pairs_give_equal_pictures():
    for a, b in zip(draw_pair(two_box_pair()), draw_pair(two_box_pair()), strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)


def test_a_photo_that_looks_straight_down():
    pair = two_box_pair()
    assert pair.gt.scene is not None
    R_cam_world = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    camera = replace(pair.gt.scene.camera, T_cam_world=transforms.rigid(R_cam_world, [0, -3.5, 5.0]))
    looking_down = replace(pair.gt, scene=replace(pair.gt.scene, camera=camera))
    figures = draw_pair(replace(pair, gt=looking_down), max_px=96)
    assert len(figures) == 8 and masks_of(figures[4].rgb, id_colour(3)).any()


def saved(folder: Path, objects=None) -> str:
    s = two_boxes()
    scene = Scene(
        rgb=s.photo.rgb, labels=s.instances.labels, depth=s.point_map.depth, camera=s.camera, scale_kind="metric",
        objects={o.id: o for o in (s.objects if objects is None else objects)},
    )  # fmt: skip
    return str(scene.save(folder))


def test_the_worst_scenes_are_drawn_from_their_files(tmp_path, caplog):
    gt, pred = saved(tmp_path / "gt"), saved(tmp_path / "pred")
    lost = str(tmp_path / "nowhere")
    scenes = [
        result("a", 0.5, gt=gt, pred=pred),
        replace(GONE, gt=gt),
        replace(BROKEN, gt=lost),
    ]
    comparison = Comparison(rows={"ours": scenes}, protocols=[TOY])
    calls = []
    pictures = draw_worst(comparison, Settings(), shown=4, progress=lambda *done: calls.append(done))
    assert {k: len(v) for k, v in pictures.items()} == {"broken": 0, "gone": 8, "a": 8}
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert pictures["gone"][2].text == "nothing" and pictures["a"][2].text == "rendered after alignment"
    np.testing.assert_array_equal(pictures["a"][1].rgb, pictures["a"][2].rgb)
    failed = replace(comparison, rows={"ours": [replace(scenes[0], state="failed")]})
    assert draw_worst(failed, Settings())["a"][2].text == "nothing"
    assert caplog.messages[0].startswith("broken: no pictures: InputError: expected ")
    alone = SceneResult(name="x", gt="", pred=pred, state="ok", selfcheck={"penetration": 0.0})
    assert draw_worst(Comparison(rows={"ours": [alone]}, protocols=()), Settings()) == {"x": []}
    spoilt = replace(comparison, rows={"ours": [replace(SPOILT, gt=lost)]})
    assert draw_worst(spoilt, Settings()) == {"spoilt": []}
    assert len(caplog.messages) == 1  # that there is no ground truth is no fault, or was told
    assert draw_worst(comparison, Settings(), shown=0) == {}


def test_without_pictures_there_is_no_section_of_worst_scenes():
    page = page_of([result("a", 0.5)], shown=0)
    assert "Worst scenes" not in page.text and "#worst" not in [a["href"] for a in page.all("a")]
    assert "a ok 2 1 1 0.5000" in page.text


def bars(svg: str, css: str) -> list[float]:
    return [float(h) for h in re.findall(rf'<rect class="{css}"[^>]*height="([\d.]+)"', svg)]


def counts(svg: str) -> list[int]:
    return [int(n) for n in re.findall(r"<title>(\d+)</title>", svg)]


def test_histograms():
    values = [0.0] * 3 + [0.5] * 6 + [1.0]
    svg = histogram_svg(values, 0.5, digits=2, missing=12, unknown=4, title="a & b")
    assert counts(svg) == [3, 6, 1, 12, 4]
    heights = bars(svg, "bar")
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2) and bars(svg, "lost")[0] == max(bars(svg, r"\w+"))
    for want in ('aria-label="a &amp; b"', ">median 0.50<", ">0.00<", ">1.00<", ">12<", ">missing<", ">not known<"):
        assert want in svg
    assert "≥" not in svg
    Page(svg)


def test_histograms_of_long_tails_and_of_nothing():
    rng = np.random.default_rng(0)
    values = [*rng.uniform(0, 1, 199).tolist(), 1000.0]
    svg = histogram_svg(values, 0.5, digits=1)
    assert sum(counts(svg)) == 200 and ">≥ 1.0<" in svg and len(bars(svg, "bar")) == BARS
    assert counts(histogram_svg([0.3] * 5, 0.3, digits=2)) == [5]
    alone = histogram_svg([-1e-9], -1e-9, digits=2)
    assert counts(alone) == [1] and re.findall(r">([^<]+)</text>", alone) == ["0.00", "median 0.00"]
    assert counts(histogram_svg([], None, digits=2, missing=3)) == [3]
    beyond = histogram_svg([1.0, 2.0], 180.0, digits=0)  # a median that missing objects have moved
    assert ">median 180<" in beyond and 'class="median" d="M294.0' in beyond


def test_no_mesh_with_a_texture_is_needed():
    plain = replace(box(), colors=None)
    objects = (EvalObject(id=1, name="box", mesh=plain, S_frame_obj=np.eye(4)),)
    gt = EvalScene(name="b", path=Path("b"), objects=objects)
    assert len(draw_truth(gt, max_px=64)) == 8
