"""The report page: everything is in it, nothing is outside of it, and no text of a user becomes markup."""

import base64
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from synthetic_scene import observe, two_boxes

from scenemaker.deocclusion.views import cut_views
from scenemaker.evaluation.selfcheck import check_scene
from scenemaker.scene import Instance
from scenemaker.viewer.cards import grade, number
from scenemaker.viewer.report import ReportData, report_html, scene_figures, write_pictures, write_report

EVIL = '<script>alert("x")</script> & \'"><img src=x onerror=alert(1)>'


@dataclass(frozen=True)
class Row:
    stage: str = "generation"
    backend: str = "relief"
    origin: str = "computed"
    seconds: float = 1.234
    computed_seconds: float = 4.567
    peak_mib: float = 321.4
    licence: str = "Apache-2.0"


def data_of(s, objects=None, **changes) -> ReportData:
    objects = s.objects if objects is None else objects
    cut = cut_views(s.photo, s.instances, s.point_map)
    fields = {
        "title": "a photo",
        "photo": s.photo,
        "instances": s.instances,
        "point_map": s.point_map,
        "cut": cut,
        "completed": cut,
        "objects": objects,
        "scores": check_scene(objects, s.photo, s.instances, s.point_map),
        "stages": [Row(stage="depth", backend="file", origin="cache", seconds=0.5, peak_mib=100), Row()],
    }
    return ReportData(**(fields | changes))


class Page(HTMLParser):
    """All tags with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [a for t, a in self.tags if t == tag]


def page_of(data: ReportData) -> Page:
    return Page(report_html(data, scene_figures(data)))


def test_every_picture_is_inside_and_has_a_text():
    page = page_of(data_of(two_boxes()))
    pictures = page.all("img")
    assert len(pictures) == 1 + 5 + 6 + 2 * 3  # photo, stages, views; per object crop, completed, mesh
    for picture in pictures:
        assert len(picture["alt"]) > 5
        head, data = picture["src"].split(",")
        assert head == "data:image/jpeg;base64"
        assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR) is not None


def test_nothing_is_loaded_and_nothing_runs():
    text = report_html(data := data_of(two_boxes()), scene_figures(data))
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {t for t, _ in page.tags}
    assert not re.search(r"https?://|@import|url\(|javascript:|file:", text)
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_texts_of_the_user_never_become_markup():
    s = two_boxes()
    plain = page_of(data_of(s))
    items = tuple(Instance(id=i.id, name=EVIL, label=EVIL) for i in s.instances)
    s.instances = replace(s.instances, items=items)
    objects = [replace(o, name=EVIL, label=EVIL, notices=(EVIL,)) for o in s.objects]
    rows = [Row(stage=EVIL, backend=EVIL, origin=EVIL, licence=EVIL)] * 2
    evil = page_of(data_of(s, objects, title=EVIL, notices=(EVIL,), facts={EVIL: EVIL}, stages=rows))
    assert [t for t, _ in evil.tags if t not in ("ul", "li", "b", "div", "span")] == [
        t for t, _ in plain.tags if t not in ("ul", "li", "b", "div", "span")
    ]
    assert evil.text.count('<script>alert("x")</script>') >= 10  # shown as text


def test_numbers_and_stages_are_shown():
    s = two_boxes()
    text = page_of(data_of(s, facts={"preset": "instant"}, notices=("field of view assumed",))).text
    for want in (
        "Mask IoU 1.000", "Coverage 100.0%", "Floating 0.0%", "Please note field of view assumed", "240 × 160",
        "generation relief Apache-2.0 computed 1.23 s 321 MiB", "together 1.73 s 321 MiB",
        "depth file Apache-2.0 cache (4.57 s) 0.50 s",
        "stands on ground",
        "preset: instant", "metric scale", "size 1 × 0.8 × 0.6 m", "8 vertices, 12 faces",
    ):  # fmt: skip
        assert want in text, want
    assert not re.search(r"-0(\.0+)?(?![\d.])", text)  # no minus zero


def test_failed_objects_are_seen():
    s = two_boxes()
    why = "generation: expected an object; got nothing; redo its mask"
    gone = replace(s.objects[1], mesh=None, pose=None, status="skipped", notices=(why,))
    flagged = replace(s.objects[0], status="flagged", notices=("its silhouette fits badly",))
    page = page_of(data_of(s, [flagged, gone]))
    assert "2 objects, 1 skipped" in page.text and why in page.text and "its silhouette fits badly" in page.text
    assert len(page.all("img")) == 1 + 5 + 6 + 3 + 2
    nothing = page_of(data_of(s, []))
    assert "No object could be placed." in nothing.text and "Mask IoU 0.000" in nothing.text


def test_without_gravity_and_views_the_page_still_stands():
    s = two_boxes()
    s.point_map = replace(s.point_map, up_cam=None, ground_cam=None, scale_kind="relative")
    page = page_of(data_of(s, cut=[], completed=[], stages=[]))
    assert "relative scale · gravity unknown · ground unknown" in page.text and "Floating –" in page.text


def test_equal_data_gives_an_equal_page(tmp_path):
    for name in ("a", "b"):
        write_report(tmp_path / f"{name}.html", data_of(two_boxes()))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_pictures_are_written_as_png(tmp_path):
    figures = scene_figures(data_of(two_boxes()))
    write_pictures(tmp_path / "pictures", figures)
    assert sorted(p.stem for p in (tmp_path / "pictures").iterdir()) == sorted(f.key for f in figures)
    for figure in figures:
        back = cv2.imread(str(tmp_path / "pictures" / f"{figure.key}.png"))[..., ::-1]
        np.testing.assert_array_equal(back, figure.rgb)


def test_many_objects_keep_the_page_light():
    s = two_boxes()
    data = data_of(s)
    few = max(map(len, report_html(data, []).split("<article")[1:]))
    copies = [replace(s.objects[0], id=i, pose=replace(s.objects[0].pose, id=i)) for i in range(1, 61)]
    items = tuple(Instance(id=o.id, name=o.name) for o in copies)
    crowd = observe(copies[:1], s.camera)
    crowd.instances = replace(crowd.instances, items=items)
    view = data.cut[0]
    views = [replace(view, id=o.id) for o in copies]
    scores = check_scene(copies[:1], crowd.photo, crowd.instances, crowd.point_map)
    many = data_of(two_boxes(), instances=crowd.instances, objects=copies, cut=views, completed=views, scores=scores)
    assert max(map(len, report_html(many, []).split("<article")[1:])) < 0.7 * few


@pytest.mark.parametrize("value, css", [(0.95, "good"), (0.9, "good"), (0.8, "fair"), (0.5, "bad"), (None, "")])
def test_grades_where_more_is_better(value, css):
    assert grade(value, 0.9, 0.7) == css


@pytest.mark.parametrize("value, css", [(0.01, "good"), (0.05, "fair"), (0.2, "bad")])
def test_grades_where_less_is_better(value, css):
    assert grade(value, 0.02, 0.1) == css


def test_numbers_rounded_to_zero_have_no_sign():
    assert [number(v, "{:.1%}") for v in (-1e-9, -0.02, None)] == ["0.0%", "-2.0%", "–"]
