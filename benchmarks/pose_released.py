"""The released form on random weights: seconds and memory per scene, growth with objects, what keeping keys saves.

    python -m benchmarks.pose_released [--device cuda --dtype bfloat16 --compile] [--layers 16 --width 1024]

Weights and inputs are random, of the published shapes: speed does not depend on them. On a CPU take --layers 1.
The reference makes keys and values of the context anew at every step, twice (with and without conditions): "anew".
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from scenemaker.pose.dit.types import Layout, SceneFrame
from scenemaker.pose.released.config import ReleasedConfig
from scenemaker.pose.released.inputs import ReleasedInputs
from scenemaker.pose.released.model import Encoded, ReleasedModel
from scenemaker.pose.released.sampler import sample


def random_inputs(config: ReleasedConfig, n: int) -> ReleasedInputs:
    """One scene of n objects."""
    px, points = config.picture_px, config.cloud_points
    return ReleasedInputs(
        layout=Layout.of([n]),
        slot=torch.arange(n),
        surface=torch.randn(n, config.shape.n_samples, 6),
        crop=torch.rand(n, 3, px, px),
        picture=torch.rand(1, 3, px, px),
        own=torch.ones(n, px, px),
        cloud=torch.randn(n, points, 3),
        scene_cloud=torch.randn(n, points, 3),
        centre=torch.randn(n, 3),
        reach=torch.rand(n, 1),
        frame=SceneFrame(k=torch.ones(1), c=torch.zeros(1, 3)),
        level=torch.eye(3)[None],
    )


def random_encoded(config: ReleasedConfig, n: int) -> Encoded:
    """What the encoders would make of it."""
    tokens = config.mark + 2 + 2 * config.image_tokens + config.cloud_tokens
    return Encoded(
        layout=Layout.of([n]),
        slot=torch.arange(n),
        shape=torch.randn(n, config.shape.num_latents // 2, config.channels),
        tokens=torch.randn(n, tokens, config.context),
    )


def seconds(run: Callable[[], object], device: str, repeat: int) -> float:
    """Of the best of some runs, after one to warm up."""
    run()
    best = float("inf")
    for _ in range(repeat):
        _wait(device)
        start = time.perf_counter()
        run()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 2, 5, 10])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile the denoiser.")
    parser.add_argument("--encoders", action="store_true", help="Time the encoders too.")
    args = parser.parse_args()
    torch.manual_seed(0)
    config = ReleasedConfig(layers=args.layers, width=args.width, heads=args.width // 64)
    with torch.device(args.device):
        model = ReleasedModel(config).to(getattr(torch, args.dtype)).eval().requires_grad_(False)
    if args.compile:
        model.denoiser_model.compile()
    size = sum(p.numel() for p in model.denoiser_model.parameters())
    print(f"denoiser {size / 1e6:.1f} M parameters, {args.steps} steps with guidance, {args.dtype} on {args.device}")
    print("| objects | sampling | anew / kept | encoders | peak GiB |\n|---|---|---|---|---|")
    for n in args.objects:
        encoded = random_encoded(config, n).to(args.device, getattr(torch, args.dtype))

        def run(cache: bool, encoded: Encoded = encoded, n: int = n) -> object:
            return sample(model, encoded, torch.randn(n, 10), steps=args.steps, cache=cache)

        if args.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        kept = seconds(lambda run=run: run(True), args.device, args.repeat)
        peak = torch.cuda.max_memory_allocated() / 2**30 if args.device != "cpu" else float("nan")
        anew = seconds(lambda run=run: run(False), args.device, 1)
        looked = float("nan")
        if args.encoders:
            inputs = random_inputs(config, n).to(args.device)
            looked = seconds(lambda i=inputs, n=n: model.encode(i, 0, range(n)), args.device, 1)
        print(f"| {n} | {kept:.3f} s | {anew / kept:.2f} | {looked:.3f} s | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
