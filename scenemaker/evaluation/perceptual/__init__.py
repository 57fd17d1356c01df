"""Picture distances by networks, where their weights are at hand: LPIPS and the CLIP score. Nothing is downloaded.

torch, and for CLIP transformers, are imported when weights are loaded.
"""

from scenemaker.evaluation.perceptual.clip import ClipScore
from scenemaker.evaluation.perceptual.lpips import Lpips

__all__ = ["ClipScore", "Lpips"]
