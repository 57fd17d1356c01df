"""Whole scenes: per second with one and two workers, and memory over thousands of them.

    python -m benchmarks.data_scenes MESHES --scenes 10000

MESHES is a folder of GLB files. Scenes are made and thrown away; nothing is written.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from scenemaker.data.make import SceneFactory
from scenemaker.data.recipe import SceneRecipe
from scenemaker.parallel import each


class Make:
    """Makes a scene and keeps nothing; opens its tools in the process it works in."""

    def __init__(self, recipe: SceneRecipe) -> None:
        self.recipe = recipe

    def __call__(self, index: int) -> tuple[int, int, float]:
        """Views, draws that were dropped, and memory of the process in MiB."""
        if not hasattr(self, "factory"):
            self.factory = SceneFactory(self.recipe)
        made = self.factory(index)
        return len(made.samples), len(made.redrawn), resident_mib()


def resident_mib() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", help="a folder, or `procedural`")
    parser.add_argument("--scenes", type=int, default=10000)
    parser.add_argument("--size", type=int, nargs=2, default=(96, 72))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--layout", default="plane")
    args = parser.parse_args()
    recipe = SceneRecipe.model_validate(
        {
            "objects": [{"path": args.meshes, "color_space": "srgb"}],
            "layouts": [{"name": args.layout}],
            "views": {"views": 1, "sizes": [args.size]},
        }
    )
    print(f"# python -m benchmarks.data_scenes MESHES --scenes {args.scenes} --layout {args.layout}")
    print(f"one view of {args.size[0]}x{args.size[1]} per scene, {args.workers} workers")
    start, dropped, views = time.perf_counter(), 0, 0
    peaks: list[float] = []
    for done, (_, row) in enumerate(each(Make(recipe), range(args.scenes), args.workers), 1):
        if row is None:
            raise SystemExit("a worker was killed")
        views += row[0]
        dropped += row[1]
        peaks.append(row[2])
        if done % (args.scenes // 10) == 0:
            last = max(peaks[-args.scenes // 10 :])
            rate = done / (time.perf_counter() - start)
            print(f"{done:7d} scenes, {rate:6.1f} per second, largest worker {last:7.1f} MiB")
    print(f"{dropped} draws dropped over {args.scenes} scenes, {views} views")


if __name__ == "__main__":
    main()
