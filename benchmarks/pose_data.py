"""What PoseDiT is trained on: how fast batches are made, where the time goes, and how large banks and packs are.

    python -m benchmarks.pose_data --bank bank.safetensors [--device cuda] [--threads 1] [--batch 64]
    python -m benchmarks.pose_data --meshes DIR --build 50      seconds per mesh of building a bank
    python -m benchmarks.pose_data --bank bank.safetensors --scenes DIR      bytes per scene of a pack

The bank is what ``scenemaker train bank`` writes; DIR is a folder of GLB files, or of scene folders.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scenemaker.data.datasets import SceneFolders
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.render.splats import SplatConfig
from scenemaker.pose.dit.config import model_config
from scenemaker.training.data.augment import Augment, augmented
from scenemaker.training.data.augment_pictures import worse_pictures
from scenemaker.training.data.augment_shapes import worse_shapes
from scenemaker.training.data.bank import ObjectBank, build_bank
from scenemaker.training.data.chance import Chance
from scenemaker.training.data.packs import PosePack, write_pack
from scenemaker.training.data.posed import Posed
from scenemaker.training.data.splat_poses import POSE_SPLATS, SplatPoses


def splat_rates(bank: ObjectBank, splats: SplatConfig, size: str, batch: int, device: str, steps: int) -> None:
    """Scenes and objects per second, and the share of each part of the work."""
    config, augment = model_config(size), Augment()
    source = SplatPoses(bank, splats, config, augment, device=device)
    spent: dict[str, float] = defaultdict(float)

    clock = time.process_time if device == "cpu" else time.perf_counter

    def timed(name: str, work: Callable[[], Posed]) -> Posed:
        start = clock()
        out = work()
        if device != "cpu":
            torch.cuda.synchronize()
        spent[name] += clock() - start
        return out

    source.batch(0, batch)
    objects = 0
    for step in range(1, steps + 1):
        chance = Chance(device, step)
        posed = timed("splats", lambda s=step: source.posed(s, batch))
        posed = timed("pictures", lambda p=posed, c=chance: worse_pictures(p, augment.pictures, c))
        posed = timed("shapes", lambda p=posed, c=chance: worse_shapes(p, augment.shapes, c))
        timed("inputs", lambda p=posed, s=step: (p.batch(config, torch.Generator().manual_seed(s)), p)[1])
        objects += len(posed.t)
    total = sum(spent.values())
    shares = ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in spent.items())
    what = (
        f"{splats.width} x {splats.height}, {splats.points} points, {splats.count[0]}-{splats.count[1]} objects, {size}"
    )
    print(f"{what}: {steps * batch / total:.0f} scenes/s, {objects / total:.0f} objects/s; {shares}")


def build(meshes: Path, count: int) -> None:
    """Seconds per mesh of building a bank in one process, and bytes per object."""
    source = FolderSource(meshes, color_space="srgb", name=meshes.name)
    keys = [source.keys[i] for i in np.linspace(0, len(source.keys) - 1, count).astype(int)]
    start = time.process_time()
    bank, failed = build_bank(source, keys)
    seconds = (time.process_time() - start) / count
    with tempfile.TemporaryDirectory() as folder:
        size = bank.save(Path(folder) / "bank").stat().st_size
    print(f"bank: {seconds:.2f} s (processor time) and {size / count / 1024:.1f} kB per mesh; {len(failed)} failed")
    rotations = ((bank.symmetries - torch.eye(3)).abs().amax((-1, -2)) > 1e-6).any(1)
    print(
        f"  {100 * rotations.float().mean():.0f} % have finite symmetries, {(bank.axis.abs().sum(1) > 0).sum()} an axis"
    )


def pack(scenes: Path, bank: ObjectBank, batch: int) -> None:
    """Bytes and seconds per scene of a pack."""
    data = SceneFolders(scenes)
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / "pack", time.process_time()
        report = write_pack((data[i] for i in range(len(data))), path)
        seconds = (time.process_time() - start) / len(data)
        print(f"pack: {report.bytes / report.scenes / 1024:.1f} kB and {1000 * seconds:.0f} ms per scene to write")
        print(f"  {report}")
        start = time.process_time()
        source = PosePack(path, bank)
        print(f"  {1000 * (time.process_time() - start) / report.scenes:.1f} ms per scene to open")
        start = time.process_time()
        for step in range(5):
            source.batch(step, batch)
        print(f"  {5 * batch / (time.process_time() - start):.0f} scenes/s (processor time)")


def placement_error(bank: ObjectBank) -> None:
    """What changes of frames cost in float32: how far placed points move, in longest sides."""
    exact = SplatPoses(bank, POSE_SPLATS, model_config("mini"), Augment.none()).posed(0, 64)
    turned = worse_shapes(exact, Augment().shapes.model_copy(update={"exact": 1.0, "turn": 1.0}), Chance("cpu", 0))
    off = (turned.placed - exact.placed).norm(dim=-1) / exact.s[:, None]
    print(f"another frame moves placed points by at most {off.max():.1e} of the longest side")
    worse = augmented(exact, Augment(), Chance("cpu", 1))
    print(
        f"all augmentations: {len(worse.t)} objects, {worse.pictures.labels.gt(0).float().mean():.2f} of pixels on them"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--meshes", type=Path)
    parser.add_argument("--build", type=int, default=50)
    parser.add_argument("--scenes", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.meshes:
        build(args.meshes, args.build)
    if not args.bank:
        return
    bank = ObjectBank.load(args.bank)
    print(f"{len(bank)} objects of {bank.points_obj.shape[1]} points, batches of {args.batch} scenes")
    print(f"{args.device}, {args.threads} threads; on a CPU in seconds of it, not of the clock")
    if args.scenes:
        pack(args.scenes, bank, args.batch)
        return
    placement_error(bank)
    small = POSE_SPLATS.model_copy(update={"width": 80, "height": 60, "points": 1024})
    large = POSE_SPLATS.model_copy(update={"width": 160, "height": 120, "points": 2048})
    many = POSE_SPLATS.model_copy(update={"count": (6, 12)})
    for splats in (POSE_SPLATS, small, large, many):
        splat_rates(bank, splats, "mini", args.batch, args.device, args.steps)
    splat_rates(bank, POSE_SPLATS, "tiny", args.batch, args.device, args.steps)


if __name__ == "__main__":
    main()
