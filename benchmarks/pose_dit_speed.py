"""PoseDiT: seconds per scene, growth with objects and geometry tokens, what sharing conditions and samples saves.

    python -m benchmarks.pose_dit_speed [--config mini] [--device cuda --dtype bf16 --compile default] [--encoders]

Weights and features are random, of the right shapes: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from scenemaker.pose.dit.config import DiTConfig, PoseModelConfig, model_config
from scenemaker.pose.dit.model import PoseDiT
from scenemaker.pose.dit.pose_model import PoseModel
from scenemaker.pose.dit.sampler import noise_for, sample
from scenemaker.pose.dit.types import CROP, DIM, EVIDENCE, PICTURE, Features, Layout, PoseInputs, SceneFrame

OBJECTS = 5


def random_features(config: PoseModelConfig, counts: list[int]) -> Features:
    """Features of scenes of so many objects, of the shapes that the encoders of the config give."""
    n, b = sum(counts), len(counts)
    layout = Layout.of(counts)
    image, points, geometry = config.image, config.points, config.geometry
    return Features(
        layout=layout,
        geometry=torch.randn(n, geometry.tokens, geometry.latent),
        crop=torch.randn(n, image.tokens, image.width),
        cloud=torch.randn(n, points.tokens, points.width),
        cloud_xyz=torch.randn(n, points.tokens, 3),
        picture=torch.randn(b, image.tokens, image.width),
        picture_xyz=torch.randn(b, image.tokens, 3),
        picture_own=torch.rand(n, image.tokens),
        scene_cloud=torch.randn(b, points.scene_tokens, points.width),
        scene_xyz=torch.randn(b, points.scene_tokens, 3),
        scene_owner=_owners(counts, points.scene_tokens),
        centre=torch.randn(n, 3),
        radius=torch.ones(n),
        evidence=torch.randn(n, EVIDENCE),
        up=torch.nn.functional.normalize(torch.randn(b, 3), dim=-1),
    )


def random_inputs(config: PoseModelConfig, counts: list[int]) -> PoseInputs:
    """What the encoders read, for scenes of so many objects."""
    n, b, px = sum(counts), len(counts), config.image.px
    return PoseInputs(
        layout=Layout.of(counts),
        frame=SceneFrame(k=torch.ones(b), c=torch.zeros(b, 3)),
        cloud=torch.randn(n, config.points.points, 3),
        cloud_count=torch.full((n,), config.points.points),
        geometry=torch.randn(n, config.geometry.points, 6),
        crop=torch.rand(n, CROP, px, px),
        picture=torch.rand(b, PICTURE, px, px),
        picture_own=torch.rand(n, px, px),
        picture_xyz=torch.randn(b, 3, px, px),
        scene_cloud=torch.randn(b, config.points.scene_points, 3),
        scene_owner=_owners(counts, config.points.scene_points),
        centre=torch.randn(n, 3),
        radius=torch.ones(n),
        evidence=torch.randn(n, EVIDENCE),
        up=torch.nn.functional.normalize(torch.randn(b, 3), dim=-1),
    )


def _owners(counts: list[int], tokens: int) -> torch.Tensor:
    return torch.stack([sum(counts[:i]) + torch.arange(tokens) % n for i, n in enumerate(counts)])  # (B, M)


class Bench:
    """Times one model."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.config = model_config(args.config)
        self.device, self.steps, self.repeats = torch.device(args.device), args.steps, args.repeats
        self.dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
        self.mode = args.compile
        self.use(self.config.dit)

    def use(self, config: DiTConfig) -> None:
        """Times a model of this config from now on."""
        torch.manual_seed(0)
        self.plain = PoseDiT(
            config,
            geometry_channels=self.config.geometry.latent,
            cloud_channels=self.config.points.width,
            image_channels=self.config.image.width,
            geometry_tokens=self.config.geometry.tokens,
        ).to(self.device, self.dtype)
        compiled = None if self.mode == "none" else torch.compile(self.plain, mode=self.mode)
        self.dit: PoseDiT = compiled or self.plain  # pyright: ignore[reportAttributeAccessIssue]

    def seconds(self, call: Callable[[], object]) -> float:
        """Median over the repeats, after two calls to warm up."""
        found = []
        for i in range(self.repeats + 2):
            self._wait()
            start = time.perf_counter()
            call()
            self._wait()
            if i >= 2:
                found.append(time.perf_counter() - start)
        return statistics.median(found)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def features(self, counts: list[int]) -> Features:
        return random_features(self.config, counts).to(self.device)

    def sample(self, features: Features, samples: int = 1, *, cache: bool = True) -> float:
        """Seconds of sampling; noise is there already."""
        noise = noise_for(0, range(len(features.centre)), samples).to(self.device)
        return self.seconds(lambda: sample(self.dit, features, noise, steps=self.steps, cache=cache))

    @torch.no_grad()
    def forward(self, features: Features, levels: int) -> float:
        """Seconds of one look at all scenes, each at so many noise levels, as in training."""
        known = self.dit.conditions(features)
        x = torch.randn(len(features.centre), levels, DIM, device=self.device)  # (N, S, 10)
        t = torch.rand(len(features.up), levels, device=self.device)  # (B, S)
        return self.seconds(lambda: self.dit(x, t, known))

    def encoders(self, counts: list[int]) -> float:
        """Seconds of all encoders, in float32."""
        model = PoseModel(self.config).to(self.device).eval()
        inputs = random_inputs(self.config, counts).to(self.device)
        with torch.no_grad():
            return self.seconds(lambda: model.features(inputs))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--compile", choices=("none", "default", "max-autotune-no-cudagraphs"), default="none")
    parser.add_argument("--encoders", action="store_true", help="time them too")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--objects", type=int, nargs="*", default=[1, 2, 5, 10, 20, 40], help="for the growth")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    bench = Bench(args)
    parameters = sum(p.numel() for p in bench.plain.parameters()) / 1e6
    settings = f"--config {args.config} --device {args.device} --dtype {args.dtype} --compile {args.compile}"
    print(f"# python -m benchmarks.pose_dit_speed {settings} --steps {args.steps} --threads {args.threads}")
    print(f"{parameters:.1f} M parameters, {args.steps} Euler steps")

    one = bench.features([OBJECTS])
    cached = bench.sample(one)
    with torch.no_grad():
        conditions = bench.seconds(lambda: bench.dit.conditions(one))
    print("\n| five objects, one sample | seconds |\n|---|---:|")
    print(f"| sampling | {cached:.4f} |\n| of these, conditions | {conditions:.4f} |")
    if args.encoders:
        print(f"| encoders before it | {bench.encoders([OBJECTS]):.4f} |")

    print("\n| shared | seconds | instead of | ratio |\n|---|---:|---:|---:|")
    _row("conditions over the steps, against made at every step", cached, bench.sample(one, cache=False))
    scenes = [bench.features([n]) for n in (3, 5, 4, 5, 3, 5, 4, 5)]
    apart = sum(bench.sample(scene) for scene in scenes)
    together = bench.sample(bench.features([3, 5, 4, 5, 3, 5, 4, 5]))
    _row("8 scenes of 3 to 5 objects in one batch, against one by one", together, apart)
    _row("8 samples on shared conditions, against one by one", bench.sample(one, 8), 8 * cached)

    print("\n| objects | seconds | over one object | GPU memory in MiB |\n|---:|---:|---:|---:|")
    first = None
    for n in args.objects:
        features = bench.features([n])
        if bench.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        took = bench.sample(features)
        first = first or took
        peak = torch.cuda.max_memory_allocated() // 2**20 if bench.device.type == "cuda" else "-"
        print(f"| {n} | {took:.4f} | {took / first:.2f} | {peak} |")

    print("\n| geometry tokens | sampling, five objects | forward, 16 such at 8 noise levels |\n|---:|---:|---:|")
    many, given = bench.features([OBJECTS] * 16), bench.config.geometry.tokens
    for tokens in sorted({1, min(16, given), given}):
        bench.use(bench.config.dit.model_copy(update={"geometry_tokens": tokens}))
        print(f"| {tokens} | {bench.sample(one):.4f} | {bench.forward(many, 8):.4f} |")


def _row(name: str, shared: float, apart: float) -> None:
    print(f"| {name} | {shared:.4f} | {apart:.4f} | {apart / shared:.2f} |")


if __name__ == "__main__":
    main()
