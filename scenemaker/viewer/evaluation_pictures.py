"""Which scenes of an evaluation are shown in full, and their pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scenemaker.evaluation.pairing import make_pair
from scenemaker.evaluation.ranking import chosen_measure, worst_first
from scenemaker.evaluation.reading import read_scene
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.tables import Comparison
from scenemaker.viewer.cards import Figure
from scenemaker.viewer.pairs import draw_pair, draw_truth

if TYPE_CHECKING:
    from scenemaker.evaluation.evaluate import Settings

logger = logging.getLogger(__name__)
SHOWN = 24  # scenes with pictures


def worst_scenes(comparison: Comparison, shown: int = SHOWN, sort_by: str | None = None) -> list[SceneResult]:
    """The scenes that the page shows in full, the worst first.

    Unusable, failed and missing scenes come first, but where there are others they take half of the places at most:
    the list of all scenes has them all.

    Args:
        comparison: What is evaluated; the scenes are those of its first row.
        shown: How many.
        sort_by: "PROTOCOL:KEY" of the measure to sort by; none takes the first measure of objects.

    Raises:
        ConfigError: No such measure.
    """
    ordered = worst_first(comparison.first, *chosen_measure(comparison.columns, sort_by))
    gone = [r for r in ordered if r.state != "ok"]
    there = ordered[len(gone) :]
    places = max(shown - len(there), shown // 2)
    return (gone[:places] + there)[:shown]


def draw_worst(
    comparison: Comparison,
    settings: Settings,
    *,
    shown: int = SHOWN,
    sort_by: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[Figure]]:
    """The pictures of ``worst_scenes``, by name; both sides are read again from their files.

    Without a usable prediction the ground truth is drawn alone. A scene without a usable ground truth has no pictures.

    Args:
        comparison: What is evaluated.
        settings: Of the evaluation: how objects were matched and frames aligned.
        shown: How many scenes.
        sort_by: See ``worst_scenes``.
        progress: Called with (done, total).
    """
    chosen = worst_scenes(comparison, shown, sort_by)
    out = {}
    for done, result in enumerate(chosen, start=1):
        try:
            figures = _draw(result, settings) if result.gt and result.state != "unusable" else []
        except Exception as error:  # a picture that fails must not cost the page
            logger.warning("%s: no pictures: %s: %s", result.name, type(error).__name__, error)
            figures = []
        out[result.name] = figures
        if progress is not None:
            progress(done, len(chosen))
    return out


def _draw(result: SceneResult, settings: Settings) -> list[Figure]:
    gt = read_scene(Path(result.gt), result.name)
    if result.state != "ok" or result.pred is None:
        return draw_truth(gt)
    pred = read_scene(Path(result.pred), result.name)
    pair = make_pair(gt, pred, match=settings.match, align=settings.align, seed=settings.seed, name=result.name)
    return draw_pair(pair)
