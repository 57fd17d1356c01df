"""What is in a data set: a contact sheet to look at, and its statistics."""

from __future__ import annotations

import json
import math
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.artefacts import read_json
from scenemaker.data.storage.codec import png_array
from scenemaker.errors import InputError, expected
from scenemaker.evaluation.bins import BINS, bin_of
from scenemaker.scene import U8

TILE_PX, SHEET_PX, PAPER = 200, 1800, 214
OUTLINE = (255, 90, 0)
KINDS = ("scene.json", "triplet.json", "clip.json", "shadow.json")


def is_shards(root: Path) -> bool:
    """Whether a place holds shards rather than folders."""
    return root.suffix == ".tar" or (root.is_dir() and any(root.glob("*.tar")))


def infos(root: Path, name: str = "scene.json") -> Iterator[dict[str, Any]]:
    """One JSON file (``KINDS``) of every item below a folder, or in its shards; pictures are passed over.

    Raises:
        InputError: A file or shard is damaged.
    """
    if not is_shards(root):
        yield from (read_json(folder / name) for folder in _folders(root, (name,)))
        return
    for shard in _shards(root):
        for files in _members(shard, f".{name}"):
            yield json.loads(files[name])


def _folders(root: Path, names: Sequence[str]) -> list[Path]:
    """The folders at or below ``root`` that hold one of these files, in order; hidden ones are left out."""
    found = sorted({p.parent for name in names for p in root.glob(f"**/{name}")})
    return [f for f in found if not any(part.startswith(".") for part in f.relative_to(root).parts)]


def _shards(root: Path) -> list[Path]:
    return [root] if root.suffix == ".tar" else sorted(root.glob("*.tar"))


def _members(shard: Path, suffix: str, count: int | None = None) -> Iterator[dict[str, bytes]]:
    """Files by name, of one kind, of every item of a shard or of ``count`` spread evenly; others are passed over.

    Raises:
        InputError: A damaged shard.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            items: dict[str, list[tarfile.TarInfo]] = {}
            for member in tar:
                if member.name.endswith(suffix):
                    items.setdefault(member.name.partition(".")[0], []).append(member)
            keys = list(items)
            for i in _spread(len(keys), len(keys) if count is None else count):
                contents = [(m.name.partition(".")[2], tar.extractfile(m)) for m in items[keys[i]]]
                yield {name: content.read() for name, content in contents if content is not None}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(expected("a whole shard", got=f"{shard}: {error}", remedy="make it again")) from None


def statistics_of(root: Path) -> dict[str, Any]:
    """The statistics of whatever a place holds.

    Raises:
        InputError: A file or shard is damaged.
    """
    try:
        scenes = statistics(infos(root))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        got = f"one below {root} without {error}" if isinstance(error, KeyError) else f"{root}: {error}"
        raise InputError(expected("whole scene.json files", got=got, remedy="make the data again")) from None
    if scenes["views"]:
        return scenes
    return triplet_statistics(info for name in KINDS[1:] for info in infos(root, name))


def statistics(infos: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Counts and quantiles over the views of a data set.

    Returns:
        ``scenes``, ``views``, ``objects`` (placed, once per view); ``objects_per_view`` {number: views}; ``layouts``
        {name: views}; ``bins`` {bin of visible fraction: objects that are seen}, ``chosen_bins`` the same of chosen
        ones; quantiles (5 %, 50 %, 95 %) of ``visible_fraction``,
        ``elevation_deg``, ``size_over_distance`` (longest side over distance from the camera) and ``picture_share``
        (visible pixels over those of the picture); ``sizes_px`` {"WxH": views}; ``redrawn`` {reason: draws}.
    """
    scenes: set[Any] = set()
    redrawn: dict[Any, Sequence[str]] = {}
    per_view, layouts, sizes = Counter[int](), Counter[str](), Counter[str]()
    bins, chosen_bins = Counter[int](), Counter[int]()
    values: dict[str, list[float]] = {
        n: [] for n in ("visible_fraction", "elevation_deg", "size_over_distance", "picture_share")
    }
    views = 0
    for info in infos:
        data, pixels = info.get("data", {}), info["width"] * info["height"]
        views += 1
        scene = data.get("index", views)
        scenes.add(scene)
        redrawn[scene] = data.get("redrawn", ())
        placed = [o for o in info["objects"] if o["t_cam_obj"] is not None]
        per_view[len(placed)] += 1
        layouts[data.get("layout", "unknown")] += 1
        if "chosen" in data:
            chosen_bins[bin_of(data["visible_fraction"][data["chosen"]])] += 1
        sizes[f"{info['width']}x{info['height']}"] += 1
        fractions = data.get("visible_fraction") or [
            o["visible"] / o["amodal"] if o.get("amodal") else None for o in placed
        ]
        known = [float(f) for f in fractions if f is not None]
        values["visible_fraction"] += known
        bins.update(bin_of(f) for f in known if f > 0)  # hidden ones count nowhere
        if info.get("up_cam") is not None:
            values["elevation_deg"].append(math.degrees(math.asin(max(-1.0, min(1.0, -info["up_cam"][2])))))
        for o in placed:
            distance = math.dist(o["t_cam_obj"], (0, 0, 0))
            values["size_over_distance"].append(max(o["size"]) / max(distance, 1e-9))
            if "visible" in o:
                values["picture_share"].append(o["visible"] / pixels)
    return {
        "scenes": len(scenes),
        "views": views,
        "objects": sum(k * v for k, v in per_view.items()),
        "objects_per_view": {str(k): per_view[k] for k in sorted(per_view)},
        "layouts": {k: layouts[k] for k in sorted(layouts)},
        "bins": {f"{low:g}-{high:g}": bins[i] for i, (low, high) in enumerate(BINS)},
        "chosen_bins": {f"{low:g}-{high:g}": chosen_bins[i] for i, (low, high) in enumerate(BINS) if chosen_bins},
        **{name: _quantiles(v) for name, v in values.items()},
        "sizes_px": {k: sizes[k] for k in sorted(sizes)},
        "redrawn": dict(Counter(r for reasons in redrawn.values() for r in reasons).most_common()),
    }


def triplet_statistics(infos: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """``items``; ``patterns`` {name: items}; quantiles (5 %, 50 %, 95 %) of ``severity``; ``labels`` {label: items}."""
    patterns, labels, severity, items = Counter[str](), Counter[str](), [], 0
    for info in infos:
        items += 1
        patterns.update([info["pattern"]] if "pattern" in info else [])
        labels[info.get("label") or "unknown"] += 1
        severity += [float(info["severity"])] if "severity" in info else []
    return {
        "items": items,
        "patterns": {k: patterns[k] for k in sorted(patterns)},
        "severity": _quantiles(severity),
        "labels": dict(labels.most_common(12)),
    }


def _quantiles(values: Sequence[float]) -> list[float] | None:
    """5 %, 50 % and 95 %; None of nothing."""
    return [round(float(q), 4) for q in np.quantile(values, (0.05, 0.5, 0.95))] if values else None


def as_text(stats: dict[str, Any]) -> str:
    """The statistics as lines for a terminal, with bars."""
    if "items" in stats:
        lines = [f"{stats['items']} items"]
    else:
        lines = [f"{stats['scenes']} scenes, {stats['views']} views, {stats['objects']} objects"]
    for name in ("objects_per_view", "layouts", "bins", "chosen_bins", "sizes_px", "patterns", "labels"):
        rows = stats.get(name, {})
        total = max(sum(rows.values()), 1)
        lines += [f"\n{name.replace('_', ' ')}"] if rows else []
        for key, count in rows.items():
            lines.append(f"  {key:>14} {count:7d} {100 * count / total:5.1f} % {'#' * round(40 * count / total)}")
    names = ("visible_fraction", "elevation_deg", "size_over_distance", "picture_share", "severity")
    known = [name for name in names if stats.get(name) is not None]
    lines += ["\n                         5 %     median       95 %"] if known else []
    lines += ["  " + name.ljust(18) + "".join(f"{v:11.3f}" for v in stats[name]) for name in known]
    if stats.get("redrawn"):
        lines.append("\ndraws that were dropped")
        lines += [f"  {count:7d}  {reason}" for reason, count in stats["redrawn"].items()]
    return "\n".join(lines)


def pictures(root: Path, count: int) -> list[U8]:
    """Up to ``count`` pictures, spread evenly over a data set of scenes, triplets or clips.

    Scenes show the outlines of their visible masks; triplets and clips their pictures side by side.

    Raises:
        InputError: Nothing to show, or damaged files.
    """
    if is_shards(root):
        shards = _shards(root)
        chosen = [shards[i] for i in _spread(len(shards), count)]
        share = -(-count // len(chosen))
        found = [_picture(files, str(shard)) for shard in chosen for files in _members(shard, ".png", share)][:count]
        if not found:
            raise InputError(expected("shards with pictures", got=str(root), remedy="make some with these commands"))
        return found
    folders = _folders(root, KINDS)
    if not folders:
        got = str(root) if root.exists() else f"{root}: no such folder"
        raise InputError(expected("a data set", got=got, remedy="make one: scenemaker data scenes -o OUT"))
    return [
        _picture({p.name: p.read_bytes() for p in folders[i].glob("*.png")}, str(folders[i]))
        for i in _spread(len(folders), count)
    ]


def contact_sheet(tiles: Sequence[U8], columns: int | None = None) -> U8:
    """(H, W, 3) uint8: pictures in rows on grey, each fitted into a box of the area of ``TILE_PX`` squared.

    The box has the shape of the middle one of the pictures; as many columns as fit ``SHEET_PX`` if none are given.
    """
    import cv2

    aspect = float(np.median([t.shape[1] / t.shape[0] for t in tiles]))
    box_w, box_h = round(TILE_PX * math.sqrt(aspect)), round(TILE_PX / math.sqrt(aspect))
    columns = max(min(columns or SHEET_PX // box_w, len(tiles)), 1)
    gap = 4
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (box_h + gap) + gap, columns * (box_w + gap) + gap, 3), PAPER, np.uint8)
    for i, tile in enumerate(tiles):
        zoom = min(box_w / tile.shape[1], box_h / tile.shape[0])
        w, h = max(round(tile.shape[1] * zoom), 1), max(round(tile.shape[0] * zoom), 1)
        small = cv2.resize(tile, (w, h), interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_NEAREST)
        y = gap + i // columns * (box_h + gap) + (box_h - h) // 2
        x = gap + i % columns * (box_w + gap) + (box_w - w) // 2
        sheet[y : y + h, x : x + w] = small
    return sheet


def _spread(n: int, count: int) -> list[int]:
    """Up to ``count`` indices, evenly over range(n)."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(int)).tolist()


def _picture(files: dict[str, bytes], where: str) -> U8:
    """What shows an item."""
    try:
        if "labels.png" in files:
            rgb, labels = png_array(files["rgb.png"])[..., :3].copy(), png_array(files["labels.png"])
            rgb[_outline(labels)] = OUTLINE
            return rgb
        names = [n for n in sorted(files) if n.endswith(".png") and not n.startswith("mask")]
        return np.concatenate([png_array(files[n])[..., :3] for n in names], 1)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(expected("whole pictures", got=f"{where}: {error}", remedy="make the data again")) from None


def _outline(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W) bool, the last pixels of each mask before another one or the background."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge & (labels > 0)
