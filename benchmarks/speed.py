"""How long does a whole new process take, and how much memory?

    python benchmarks/speed.py [--photo PHOTO --masks MASKS] [--runs 5]

Without a photo the example picture is used, enlarged to 1024x1024, with its masks. Prints the median and the range of
wall seconds and the highest peak memory of `scenemaker run` with an empty cache, of the same again from the cache (into
a new folder and into the old one), of `scenemaker --help`, and of stage after stage as the run itself measured it;
then how the run grows with objects and with pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from scenemaker.assets import demo_masks, demo_photo

SCENEMAKER = [sys.executable, "-c", "from scenemaker.cli import main; main()"]


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall seconds and peak MiB of one process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status != 0 and process.stderr is not None:
        raise RuntimeError(process.stderr.read().decode())
    return seconds, usage.ru_maxrss / 1024


def row(name: str, runs: int, once: Callable[[], tuple[float, float]]) -> None:
    """One line of the table."""
    measured = [once() for _ in range(runs)]
    seconds = [m[0] for m in measured]
    low, high, peak = min(seconds), max(seconds), max(m[1] for m in measured)
    print(f"| {name} | {statistics.median(seconds):.2f} | {low:.2f}-{high:.2f} | {peak:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        environment = {**os.environ, "XDG_CACHE_HOME": str(work / "cache")}
        photo, masks = args.photo, args.masks
        if photo is None:
            photo, masks = work / "demo.png", work / "demo_masks.png"
            Image.open(demo_photo()).convert("RGB").resize((1024, 1024), Image.Resampling.LANCZOS).save(photo)
            Image.open(demo_masks()).resize((1024, 1024), Image.Resampling.NEAREST).save(masks)
        with Image.open(photo) as image:
            print(
                f"{photo.name}: {image.width}x{image.height}; {os.cpu_count()} cores, Python {sys.version.split()[0]}\n"
            )
        out = work / "out"
        command = [*SCENEMAKER, "run", str(photo), "--masks", str(masks), "-o"]

        def fresh() -> tuple[float, float]:
            for folder in (work / "cache", out):
                shutil.rmtree(folder, ignore_errors=True)
            return timed([*command, str(out)], environment)

        def cached() -> tuple[float, float]:
            shutil.rmtree(work / "again", ignore_errors=True)
            return timed([*command, str(work / "again")], environment)

        print("| whole process | median s | range s | peak MiB |\n|---|---|---|---|")
        row("run, empty cache", args.runs, fresh)
        row("run, from the cache, new folder", args.runs, cached)
        row("run, from the cache, same folder", args.runs, lambda: timed([*command, str(out)], environment))
        row("--help", args.runs, lambda: timed([*SCENEMAKER, "--help"], environment))

        print("\n| stage | backend | s | peak MiB |\n|---|---|---|---|")
        for s in json.loads((out / "scene.json").read_text())["run"]["stages"]:
            print(f"| {s['stage']} | {s['backend']} | {s['computed_seconds']:.2f} | {s['peak_mib']:.0f} |")
        growth(work, environment)
        print(f"\nthis process peaked at {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def growth(work: Path, environment: dict[str, str]) -> None:
    """Seconds of a run against objects (tiles of one picture) and pixels."""
    print("\n| objects | pixels | s | peak MiB |\n|---|---|---|---|")
    for objects, side in [(1, 512), (5, 512), (20, 512), (80, 512), (300, 512), (5, 1024), (5, 2048)]:
        rng = np.random.default_rng(0)
        n = int(np.ceil(np.sqrt(objects)))
        cell = side // n
        v, u = np.mgrid[:side, :side]
        tile = (v // cell) * n + u // cell + 1
        radius = np.hypot(v % cell - cell / 2, u % cell - cell / 2)
        labels = np.where((radius < 0.4 * cell) & (tile <= objects), tile, 0).astype(np.uint16)
        colours = rng.integers(40, 220, (objects + 1, 3), dtype=np.uint8)
        Image.fromarray(colours[labels]).save(work / "grid.png")
        Image.fromarray(labels).save(work / "grid_masks.png")
        for folder in ("cache", "grid"):
            shutil.rmtree(work / folder, ignore_errors=True)
        told = ["run", str(work / "grid.png"), "--masks", str(work / "grid_masks.png"), "-o", str(work / "grid")]
        seconds, peak = timed([*SCENEMAKER, *told], environment)
        print(f"| {objects} | {side}x{side} | {seconds:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
