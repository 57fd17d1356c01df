"""One page that shows every stage of every object side by side: ``report.html``, with nothing outside of it.

Pictures are embedded, styles are inline, there are no scripts; a content security policy forbids the browser to
load anything. Every text that comes from the user is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Protocol

import numpy as np

from scenemaker.cache import write_atomic
from scenemaker.evaluation.selfcheck import SceneScores, photo_camera, scene_caster
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import U8, Instances, ObjectView, Photo, PlacedObject, PointMap, by_id
from scenemaker.viewer import pictures as draw
from scenemaker.viewer.cards import Figure, figure_html, object_html, stages_html, tiles_html
from scenemaker.viewer.views import ABOVE_DEG, YAW_DEG, object_views, render_views

SCENE_PX = 512  # longer side of the scene's pictures
PHOTO_PX = 960
FEW = 24  # up to so many objects are shown in full size; with more the pictures shrink, to keep the page light


class StageRow(Protocol):
    """What the page tells of a stage; ``pipelines.steps.StageInfo`` is one."""

    @property
    def stage(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def computed_seconds(self) -> float: ...
    @property
    def peak_mib(self) -> float: ...
    @property
    def licence(self) -> str: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportData:
    """What the page shows.

    Attributes:
        title: Of the page, e.g. the photo's name.
        photo, instances, point_map: Of the first stages.
        cut: Views as cut from the photo.
        completed: Views after de-occlusion.
        objects: Placed and skipped objects.
        scores: Of ``evaluation.selfcheck``.
        background: Meshes in ``cam`` by name.
        stages: One row per stage.
        notices: What the user should know.
        facts: Further lines for the footer, e.g. {"preset": "instant", "seed": "0"}.
    """

    title: str
    photo: Photo
    instances: Instances
    point_map: PointMap
    cut: Sequence[ObjectView]
    completed: Sequence[ObjectView]
    objects: Sequence[PlacedObject]
    scores: SceneScores
    background: Mapping[str, Mesh] = field(default_factory=dict)
    stages: Sequence[StageRow] = ()
    notices: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def write_report(path: str | Path, data: ReportData, figures: Sequence[Figure] | None = None) -> None:
    """Writes the page, atomically.

    Args:
        path: Of the file.
        data: What it shows.
        figures: Of ``scene_figures(data)``, where they were drawn before; none draws them.

    Raises:
        OutputError: The file cannot be written.
    """
    write_atomic(Path(path), report_html(data, scene_figures(data) if figures is None else figures))


def write_pictures(folder: str | Path, figures: Sequence[Figure]) -> None:
    """Writes the scene's pictures as ``KEY.png``.

    Raises:
        OutputError: The folder cannot be written.
    """
    import cv2

    for figure in figures:
        _, png = cv2.imencode(".png", cv2.cvtColor(figure.rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 2])
        write_atomic(Path(folder) / f"{figure.key}.png", png.tobytes())


def scene_figures(data: ReportData) -> list[Figure]:
    """The pictures of the whole scene: masks, depth, normals, the scene over the photo, difference, other views."""
    import cv2

    photo, instances, point_map = data.photo, data.instances, data.point_map
    placed = [o for o in data.objects if o.mesh is not None and o.pose is not None]
    camera = photo_camera(photo, point_map, SCENE_PX)
    size = camera.width, camera.height
    rendering = scene_caster(placed).render(camera)
    rgb = np.asarray(cv2.resize(photo.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = cv2.resize(instances.labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
    text = "near is light, far is dark"
    out = [
        Figure("masks", "Masks", f"{len(instances)} objects by id", draw.mask_overlay(photo.rgb, instances)),
        Figure("depth", "Depth", text, draw.depth_picture(point_map.depth, max_px=SCENE_PX)),
        Figure("normals", "Normals", "of the point map", draw.normal_picture(point_map.points_cam, max_px=SCENE_PX)),
        Figure("scene", "Scene", "rendered back over the photo", draw.over_photo(rgb, rendering)),
        Figure(
            "difference",
            "Difference",
            "to the photo; red: mask not covered, blue: beyond the masks",
            draw.difference_picture(rgb, labels, rendering),
        ),
    ]
    where = {
        "left": f"from the left ({YAW_DEG:.0f}°)",
        "right": f"from the right ({YAW_DEG:.0f}°)",
        "above": f"from above ({ABOVE_DEG:.0f}°)",
    }
    views = render_views(data.objects, point_map, background=data.background)
    out += [Figure(f"view_{k}", "Scene", where[k], v.rgb) for k, v in views.items()]
    out += [Figure(f"shape_{k}", "Shape", where[k], v.clay) for k, v in views.items()]
    return out


def report_html(data: ReportData, figures: Sequence[Figure]) -> str:
    """The page as text."""
    template = Template((files("scenemaker.viewer") / "report_template.html").read_text("utf-8"))
    notices = "".join(f"<li>{escape(n)}</li>" for n in data.notices)
    photo = Figure(
        "photo", "Photo", f"{data.photo.width} × {data.photo.height}", draw.resized(data.photo.rgb, PHOTO_PX)
    )
    facts = {**data.facts, "made by": "scenemaker"}

    def cards(shown: Sequence[Figure]) -> str:
        return "".join(figure_html(f, jpeg_uri(f.rgb), "card") for f in shown)

    return template.substitute(
        css=(files("scenemaker.viewer") / "page.css").read_text("utf-8"),
        title=escape(data.title),
        summary=escape(_summary(data)),
        notices=f'<div class="notices" role="note"><b>Please note</b><ul>{notices}</ul></div>' if notices else "",
        photo=figure_html(photo, jpeg_uri(photo.rgb), "card tall"),
        tiles=tiles_html(data.scores),
        stages=stages_html(data.stages),
        pictures=cards([f for f in figures if not _is_view(f)]),
        views=cards([f for f in figures if _is_view(f)]) or "No object could be placed.",
        objects="".join(_objects_html(data)),
        footer=" · ".join(f"{escape(k)}: {escape(v)}" for k, v in facts.items()),
    )


def _is_view(figure: Figure) -> bool:
    return figure.key.startswith(("view_", "shape_"))


def _summary(data: ReportData) -> str:
    point_map, skipped = data.point_map, len(data.scores.skipped)
    count = len(data.instances)
    parts = [
        f"{count} object{'' if count == 1 else 's'}" + (f", {skipped} skipped" if skipped else ""),
        f"{data.photo.width} × {data.photo.height} pixels",
        "metric scale" if point_map.scale_kind == "metric" else "relative scale",
        "gravity known" if point_map.up_cam is not None else "gravity unknown",
        "ground known" if point_map.ground_cam is not None else "ground unknown",
    ]
    return " · ".join(parts)


def _objects_html(data: ReportData) -> list[str]:
    cut, completed, objects = by_id(data.cut), by_id(data.completed), by_id(data.objects)
    scores = {s.id: s for s in data.scores.objects}
    shrink = min(1.0, (FEW / max(len(data.instances), 1)) ** 0.5)
    view_px, turn_px = max(72, round(288 * shrink)), max(48, round(144 * shrink))
    unit = " m" if data.point_map.scale_kind == "metric" else ""
    out = []
    for item in data.instances:
        placed, before, after = objects.get(item.id), cut.get(item.id), completed.get(item.id)
        uris: dict[str, str] = {}
        if before is not None:
            crop = draw.crop_picture(before, (data.photo.height, data.photo.width))
            uris["crop"] = jpeg_uri(draw.fit_box(crop, view_px, view_px))
        if after is not None:
            uris["completed"] = jpeg_uri(draw.fit_box(draw.completed_picture(after), view_px, view_px))
        turns = object_views(placed, data.point_map, size_px=turn_px) if placed is not None else {}
        if turns:
            rows = [
                np.concatenate([v.rgb for v in turns.values()], 1),
                np.concatenate([v.clay for v in turns.values()], 1),
            ]
            uris["turns"] = jpeg_uri(np.concatenate(rows, 0))
        out.append(object_html(item, placed, before, after, scores.get(item.id), uris, unit))
    return out


def jpeg_uri(rgb: U8, quality: int = 84) -> str:
    """The picture as a ``data:`` address."""
    import cv2

    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


__all__ = ["Figure", "ReportData", "StageRow", "report_html", "scene_figures", "write_pictures", "write_report"]
