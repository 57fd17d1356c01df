"""How fast are de-occlusion triplets made, and do they hide what is asked?

    python -m benchmarks.data_triplets MESHES [--color-space srgb] [--count 30] [--width 512] [--height 384]

MESHES is a folder of mesh files. Prints, on one process: seconds per target and per silhouette of rendered objects;
patterns and whole triplets per second when targets are at hand (what a folder of pictures costs beyond reading it) and
when they are rendered; asked against obtained share for each pattern, the least visible piece, and how many drawings
had to be thrown away; then clips and pairs with cast shadows per second, and how much these hide and shade.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.occlusion.brush import brush
from scenemaker.data.occlusion.cast_shadows import ShadowRecipe, make_shadow_pair
from scenemaker.data.occlusion.clips import ClipRecipe, clip_of
from scenemaker.data.occlusion.corner import corner
from scenemaker.data.occlusion.cutout import cutout
from scenemaker.data.occlusion.rendered import RenderedTargets
from scenemaker.data.occlusion.severity import largest_piece_px, removed_share
from scenemaker.data.occlusion.targets import Target, resized
from scenemaker.data.occlusion.triplets import TripletRecipe, make_triplet
from scenemaker.errors import PlacementError
from scenemaker.scene import Bool

PATTERNS = ("cutout", "corner", "brush")
SEVERITIES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)


class AtHand:
    """Targets and silhouettes drawn before."""

    name = "at hand"

    def __init__(self, targets: list[Target], silhouettes: list[Bool]) -> None:
        self.targets, self.silhouettes = targets, silhouettes

    def draw(self, rng: np.random.Generator, px: int) -> Target:
        target = self.targets[int(rng.integers(len(self.targets)))]
        h, w = target.rgba.shape[:2]
        scale = min(1.0, px / max(h, w))
        rgba = resized(target.rgba, max(1, round(w * scale)), max(1, round(h * scale)))
        return Target(rgba=rgba, key=target.key, label=target.label)

    def silhouette(self, rng: np.random.Generator) -> Bool:
        return self.silhouettes[int(rng.integers(len(self.silhouettes)))]


def seconds(count: int, make: Callable[[int], object]) -> float:
    """Mean of ``count`` calls."""
    began = time.perf_counter()
    for index in range(count):
        make(index)
    return (time.perf_counter() - began) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("--color-space", choices=("linear", "srgb"), default="linear")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=384)
    args = parser.parse_args()
    rendered = RenderedTargets(FolderSource(args.meshes, color_space=args.color_space))
    size = {"width": args.width, "height": args.height}

    targets, silhouettes = [], []
    px = round(0.9 * max(args.width, args.height))
    target_s = seconds(args.count, lambda i: targets.append(rendered.draw(np.random.default_rng([1, i]), px)))
    outline_s = seconds(args.count, lambda i: silhouettes.append(rendered.silhouette(np.random.default_rng([2, i]))))
    print(f"{args.width}x{args.height}, {args.count} of each, one process")
    print(f"a rendered target of {px} px: {target_s:.3f} s; a silhouette: {outline_s:.3f} s\n")
    at_hand = AtHand(targets, silhouettes)

    print("| pattern | triplets/s, targets at hand | triplets/s, rendered |\n|---|---|---|")
    for pattern in PATTERNS:
        recipe = TripletRecipe.model_validate({"patterns": {pattern: 1}, **size})
        near = seconds(args.count, lambda i, r=recipe: make_triplet(r, at_hand, seed=0, index=i))
        far = seconds(args.count, lambda i, r=recipe: make_triplet(r, rendered, seed=0, index=i))
        print(f"| {pattern} | {1 / near:.1f} | {1 / far:.1f} |")

    print("\n| pattern | asked | mean of drawings | largest error | off by more than 3 % | no drawing | triplets off |")
    print("|---|---|---|---|---|---|---|")
    for pattern in PATTERNS:
        for severity in SEVERITIES:
            print(_row(pattern, severity, at_hand, args.count, size))

    triplets = [make_triplet(TripletRecipe(**size), at_hand, seed=3, index=i) for i in range(4)]
    clip_s = seconds(args.count, lambda i: clip_of(triplets[i % 4], ClipRecipe()))
    pairs = []
    recipe = ShadowRecipe(**size)
    pair_s = seconds(
        max(args.count // 3, 1), lambda i: pairs.append(make_shadow_pair(recipe, rendered.source, seed=0, index=i))
    )
    hidden, shaded = [p.hidden for p in pairs], [p.shaded for p in pairs]
    print(f"\nclips of 8 + 1 frames per second: {1 / clip_s:.1f}; pairs with cast shadows: {1 / pair_s:.2f}")
    print(f"pairs hide {min(hidden):.0%} to {max(hidden):.0%} and shade {np.median(shaded):.0%} (median) of the rest")


def _row(pattern: str, severity: float, at_hand: AtHand, count: int, size: dict[str, int]) -> str:
    """One line: single drawings on the objects, and triplets."""
    shares, none = [], 0
    for index, target in enumerate(at_hand.targets):
        rng = np.random.default_rng([3, index])
        amodal = np.pad(target.rgba[..., 3] >= 128, 40)
        try:
            if pattern == "cutout":
                removed = cutout(amodal, rng, severity, at_hand.silhouette(rng))
            else:
                removed = (corner if pattern == "corner" else brush)(amodal, rng, severity)
            shares.append(removed_share(amodal, removed))
        except PlacementError:  # a silhouette too thin
            none += 1
    error = np.abs(np.array(shares) - severity)
    recipe = TripletRecipe.model_validate({"patterns": {pattern: 1}, "severity": (severity, severity), **size})
    made = [make_triplet(recipe, at_hand, seed=2, index=i) for i in range(count)]
    least = min(largest_piece_px(t.mask_modal) for t in made)
    off = max(abs(t.severity - severity) for t in made)
    return (
        f"| {pattern} | {severity:.2f} | {np.mean(shares):.3f} | {error.max():.3f} | {(error > 0.03).sum()} of "
        f"{len(shares)} | {none} | {off:.3f}, least piece {least} px |"
    )


if __name__ == "__main__":
    main()
