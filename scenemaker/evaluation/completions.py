"""De-occlusion results: folders of completed pictures beside folders of true ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from scenemaker.artefacts import read_json
from scenemaker.errors import InputError, SceneMakerError, ShapeError, expected
from scenemaker.evaluation.images import mask_iou, psnr, ssim
from scenemaker.evaluation.judges import Judges
from scenemaker.evaluation.own_scores import OwnScores
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.types import Measure, Scores
from scenemaker.evaluation.unsupervised import PSNR_MAX
from scenemaker.scene import U8

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
COMPLETIONS = OwnScores(
    name="completions",
    title="Completed pictures",
    source="SceneMaker, arXiv 2512.10957, section 3.2.2, table 1; amodal masks: HiScene, arXiv 2504.13072, section 4",
    measures=(
        Measure(
            key="psnr", title="PSNR", level="scene", better="higher", text="dB, on white; 100 when equal", digits=2
        ),
        Measure(key="ssim", title="SSIM", level="scene", better="higher", missing=0.0, text="on white"),
        Measure(key="lpips", title="LPIPS", level="scene", better="lower", text="AlexNet, v0.1, on white"),
        Measure(key="clip_text", title="CLIP", level="scene", better="higher", text="cosine of picture and label"),
        Measure(key="clip_image", title="CLIP-I", level="scene", better="higher", text="cosine of both pictures"),
        Measure(
            key="amodal_iou",
            title="Amodal mIoU",
            level="scene",
            better="higher",
            missing=0.0,
            text="IoU of the opacities above one half, where both pictures have one",
        ),
    ),
)


def pictures_in(root: Path) -> dict[str, Path]:
    """Pictures below a folder by relative name without suffix, in order.

    Raises:
        InputError: Two pictures of one name.
    """
    out: dict[str, Path] = {}
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in out:
            got = f"{out[name].name} and {path.name}"
            raise InputError(expected("one picture of each name", got=got, remedy="move one of them away"))
        out[name] = path
    return out


def read_labels(path: Path) -> dict[str, str]:
    """``{"name": "what it shows"}`` of a JSON file.

    Raises:
        InputError: Something else is in it.
    """
    data = read_json(path)
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        raise InputError(expected('{"name": "label", ...}', got=f"{path}", remedy="write one label per picture"))
    return data


def evaluate_completions(
    pred: str | Path,
    gt: str | Path,
    judges: Judges | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[SceneResult], list[str]]:
    """Compares completed pictures with the true ones of the same names.

    A picture with opacity is put on white, as SceneMaker's are. One that is missing, unreadable or of another size is
    a counted row.

    Args:
        pred: Folder of completed pictures.
        gt: Folder of true ones.
        judges: Trained networks.
        labels: What each picture shows, by name, for CLIP.
        progress: Called with (done, total).

    Returns:
        One result per true picture, and the names of predictions without one.

    Raises:
        InputError: No true picture, or no name in common.
    """
    found, true = pictures_in(Path(pred)), pictures_in(Path(gt))
    if not true:
        raise InputError(expected("pictures", got=f"none in {gt}", remedy="check the path"))
    if not set(found) & set(true):
        got = f"{', '.join(list(found)[:3]) or 'none'} against {', '.join(list(true)[:3])}"
        raise InputError(
            expected("pictures of equal names", got=got, remedy="name each prediction as its ground truth")
        )
    results = []
    for done, (name, path) in enumerate(true.items(), start=1):
        results.append(_compare(name, found.get(name), path, judges or Judges(), (labels or {}).get(name)))
        if progress is not None:
            progress(done, len(true))
    return results, [name for name in found if name not in true]


def _compare(name: str, pred: Path | None, gt: Path, judges: Judges, label: str | None) -> SceneResult:
    start = time.perf_counter()
    result = SceneResult(name=name, gt=str(gt), pred=None if pred is None else str(pred), state="missing")
    if pred is None:
        return result
    try:
        scores = Scores(scene=_scores(_rgba(pred), _rgba(gt), judges, label), objects=())
    except SceneMakerError as error:
        return replace(result, state="failed", error=str(error))
    seconds = round(time.perf_counter() - start, 3)
    return replace(result, state="ok", scores={COMPLETIONS.name: scores}, seconds=seconds)


def _scores(pred: U8, gt: U8, judges: Judges, label: str | None) -> dict[str, float | None]:
    if pred.shape[:2] != gt.shape[:2]:
        size, want = (f"{x.shape[1]}x{x.shape[0]}" for x in (pred, gt))
        raise ShapeError(expected(f"a picture of {want}", got=size, remedy="resize the prediction"))
    a, b = _on_white(pred), _on_white(gt)
    clear = [bool((x[..., 3] < 255).any()) for x in (pred, gt)]
    return {
        "psnr": min(psnr(a, b), PSNR_MAX),
        "ssim": ssim(a, b),
        "lpips": None if judges.lpips is None else judges.lpips(a, b),
        "clip_text": None if judges.clip is None or label is None else judges.clip.cosine(a, label),
        "clip_image": None if judges.clip is None else judges.clip.cosine(a, b),
        "amodal_iou": mask_iou(pred[..., 3] > 127, gt[..., 3] > 127) if all(clear) else None,
    }


def _on_white(rgba: U8) -> U8:
    opacity = rgba[..., 3:].astype(np.float32) / 255
    return (rgba[..., :3] * opacity + 255 * (1 - opacity)).round().astype(np.uint8)


def _rgba(path: Path) -> U8:
    """(h, w, 4) uint8.

    Raises:
        InputError: No picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGBA"))
    except (OSError, ValueError) as error:
        raise InputError(expected("a picture", got=f"{path.name}: {error}", remedy="write it again")) from None
