"""The file of a pack: colour as JPEG, labels and depth as PNG, shapes as names of objects in a bank, one safetensors.

Depth has 4095 steps between its least and greatest value in a picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import needs

needs("torch", "train")
needs("safetensors", "train")
from safetensors import SafetensorError, safe_open  # noqa: E402
from safetensors.numpy import save  # noqa: E402

from scenemaker.cache import write_atomic  # noqa: E402
from scenemaker.data.types import SceneSample  # noqa: E402
from scenemaker.errors import InputError, expected  # noqa: E402
from scenemaker.scene import F32  # noqa: E402
from scenemaker.training.data.shots import Shot, shot_of  # noqa: E402

KIND = "scenemaker pose pack 1"
STEPS = 4095  # of depth between its ends; more would be noise that PNG cannot compress
PICTURES = ("rgb", "labels", "depth")
NUMBERS = ("K", "up", "R", "t", "s", "visible")


@dataclass(frozen=True, kw_only=True)
class PackReport:
    """What was written: scenes, objects in them, samples left out (no object to be seen), and bytes of the file."""

    scenes: int
    objects: int
    left_out: int
    bytes: int


def write_pack(
    samples: Iterable[SceneSample], path: str | Path, *, size: tuple[int, int] = (128, 96), quality: int = 90
) -> PackReport:
    """Writes samples into one file, whole or not at all; they are read one by one.

    Args:
        samples: Of any source.
        path: The file.
        size: (width, height) of the pictures.
        quality: Of JPEG.

    Raises:
        InputError: No sample shows an object.
        OutputError: The folder cannot be written or the disk is full.
    """
    files: dict[str, list[bytes]] = {name: [] for name in PICTURES}
    numbers: dict[str, list[NDArray[Any]]] = {name: [] for name in NUMBERS}
    spans, names, counts, left_out = list[F32](), list[str](), list[int](), 0
    for sample in samples:
        shot = shot_of(sample, *size)
        if shot is None:
            left_out += 1
            continue
        steps, span = _depth_steps(shot)
        files["rgb"].append(_encoded(".jpg", shot.rgb[..., ::-1], quality))
        files["labels"].append(_encoded(".png", shot.labels))
        files["depth"].append(_encoded(".png", steps))
        spans.append(span)
        for name in NUMBERS:
            numbers[name].append(getattr(shot, name))
        names += shot.names
        counts.append(len(shot.names))
    if not counts:
        raise InputError(expected("samples that show an object", got=f"{left_out} without", remedy="check the data"))
    tensors = {name: np.frombuffer(b"".join(parts), np.uint8) for name, parts in files.items()}
    tensors |= {f"{name}_ends": np.cumsum([len(part) for part in parts]) for name, parts in files.items()}
    per_scene = ("K", "up")
    tensors |= {k: (np.stack if k in per_scene else np.concatenate)(rows) for k, rows in numbers.items()}
    tensors |= {"spans": np.stack(spans), "counts": np.array(counts)}
    distinct = sorted(set(names))
    number = {name: i for i, name in enumerate(distinct)}
    tensors["objects"] = np.array([number[name] for name in names], np.int32)
    data = save(tensors, {"facts": json.dumps({"kind": KIND, "size": size, "names": distinct})})
    write_atomic(Path(path), data)
    return PackReport(scenes=len(counts), objects=len(names), left_out=left_out, bytes=len(data))


def _depth_steps(shot: Shot) -> tuple[NDArray[np.uint16], F32]:
    """Depth in steps 1..STEPS, 0 where unknown, and its ends (2,); what is farther than all objects is cut off there.

    The farthest object decides, for a ground that goes on to the horizon would take all steps.
    """
    on_objects = shot.depth[(shot.labels > 0) & np.isfinite(shot.depth)]
    known = np.isfinite(shot.depth)
    if not len(on_objects):
        return np.zeros(shot.depth.shape, np.uint16), np.zeros(2, np.float32)
    low, far = float(np.nanmin(shot.depth)), float(on_objects.max())
    high = far + 0.5 * (far - low) + 1e-6
    known &= shot.depth <= high
    share = (np.where(known, shot.depth, low) - low) / (high - low)
    return np.where(known, 1 + np.round(share * (STEPS - 1)), 0).astype(np.uint16), np.array([low, high], np.float32)


def _encoded(suffix: str, picture: NDArray[Any], quality: int = 90) -> bytes:
    import cv2

    flags = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    return cv2.imencode(suffix, picture, flags)[1].tobytes()


def decoded(read: dict[str, NDArray[Any]], name: str, path: str) -> NDArray[Any]:
    """(B, H, W) or (B, H, W, 3) of all pictures."""
    import cv2

    ends = read[f"{name}_ends"]
    pictures = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        picture = cv2.imdecode(read[name][start:end], cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise InputError(expected("a pose pack", got=f"{path}: a damaged picture", remedy="write it again"))
        pictures.append(picture[..., ::-1] if name == "rgb" else picture)
    stacked = np.stack(pictures)
    return stacked.astype(np.int16) if name == "depth" else stacked


def read_pack(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with safe_open(str(path), "np") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))  # one entry: their order is random
            if facts.get("kind") != KIND:
                got = f"{path}: {facts.get('kind', 'another file')}"
                raise InputError(expected("a pose pack", got=got, remedy="write it again"))
            return facts, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise InputError(expected("a pose pack", got=f"{path}: {error}", remedy="write it again")) from None
