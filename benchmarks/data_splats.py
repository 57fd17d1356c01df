"""Point splats: scenes per second, growth with objects, points and pixels, and how far they are from the ray caster.

    python -m benchmarks.data_splats MESHES [--device cuda] [--threads 2]

MESHES is a folder of GLB files.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.render.splats import PointBank, SplatConfig, SplatSource
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.raycast import RayCaster
from scenemaker.geometry.transforms import similarity


def rate(bank: PointBank, config: SplatConfig, batch: int, seconds: float = 3.0) -> float:
    """Scenes per second, after one batch to warm up."""
    source, device = SplatSource(bank, config), bank.points_obj.device
    generator = torch.Generator(device).manual_seed(0)
    source.make(batch, generator)
    _wait(device)
    start, made = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        source.make(batch, generator)
        _wait(device)
        made += batch
    return made / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def agreement(
    bank: PointBank, source: FolderSource, config: SplatConfig, scenes: int
) -> tuple[list[float], np.ndarray]:
    """Mask IoU of every object with 60 pixels or more, and depth errors over the object's size, against Embree."""
    made = SplatSource(bank, config).make(scenes, torch.Generator(bank.points_obj.device).manual_seed(1)).to("cpu")
    ious: list[float] = []
    errors: list[np.ndarray] = []
    for s in range(scenes):
        n = int(made.present[s].sum())
        meshes = [source.get(bank.keys[int(k)]).mesh for k in made.object[s, :n]]
        R, t, scale = made.R_cam_obj[s].numpy(), made.t_cam_obj[s].numpy(), made.scale[s].numpy()
        caster = RayCaster(meshes, [similarity(R[i], t[i], scale[i]) for i in range(n)])
        drawn = caster.render(Camera(K=made.K[s].numpy(), width=config.width, height=config.height), shade=False)
        labels, depth = made.labels[s].numpy(), made.depth[s].numpy()
        for i in range(n):
            mine, true = labels == i + 1, drawn.index == i
            if true.sum() >= 60:
                ious.append(float((mine & true).sum() / (mine | true).sum()))
            both = mine & true
            errors.append(np.abs(depth - drawn.depth)[both] / scale[i])
    return ious, np.concatenate(errors)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", type=Path)
    parser.add_argument("--objects", type=int, default=200, help="in the bank")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    source = FolderSource(args.meshes, color_space="srgb", workers=2)
    keys = [source.keys[i] for i in np.linspace(0, len(source.keys) - 1, args.objects).astype(int)]
    bank = PointBank.of(source, keys, points=4096).to(args.device)
    base = SplatConfig()
    print(f"# python -m benchmarks.data_splats MESHES --device {args.device} --threads {args.threads}")
    print(f"{args.objects} objects in the bank, batches of {args.batch}, default: {base.model_dump()}")
    usual = rate(bank, base, args.batch)
    print(f"scenes per second, default: {usual:.0f}")
    for name, changes in (
        ("objects 1", {"count": (1, 1)}),
        ("objects 2", {"count": (2, 2)}),
        ("objects 5", {"count": (5, 5)}),
        ("objects 10", {"count": (10, 10)}),
        ("points 512", {"points": 512}),
        ("points 4096", {"points": 4096}),
        ("pixels 40x30", {"width": 40, "height": 30}),
        ("pixels 160x120", {"width": 160, "height": 120}),
    ):
        r = rate(bank, SplatConfig(**{**base.model_dump(), **changes}), args.batch, 2.0)
        print(f"  {name:<16}{r:8.0f} per second, time x {usual / r:.2f}")
    for points in (1024, 4096):
        ious, errors = agreement(bank, source, SplatConfig(points=points), 40)
        q = np.quantile(errors, (0.5, 0.9, 0.95))
        print(
            f"against Embree, {points} points: mask IoU mean {np.mean(ious):.3f}, 5 % {np.quantile(ious, 0.05):.3f} "
            f"({len(ious)} objects); depth error over object size median {q[0]:.4f}, 90 % {q[1]:.4f}, 95 % {q[2]:.4f}"
        )


if __name__ == "__main__":
    main()
