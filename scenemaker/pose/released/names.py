"""Names and shapes of all weights of a released checkpoint, made by our own classes: what loading is strict about.

``manifest.json`` holds those of the two published forms; ``manifest_text`` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import groupby

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import nn  # noqa: E402

from scenemaker.pose.dit.attention import RMSNorm  # noqa: E402
from scenemaker.pose.released.config import ReleasedConfig  # noqa: E402
from scenemaker.pose.released.images import hugging_face_shapes  # noqa: E402
from scenemaker.pose.released.layers import CrossLayer, Stack  # noqa: E402
from scenemaker.pose.released.model import ReleasedModel  # noqa: E402
from scenemaker.pose.released.points import FeedForward, HeadedAttention, Normed  # noqa: E402

IMAGES = "condition.dino_model."
Shapes = dict[str, tuple[int, ...]]


def published_shapes(config: ReleasedConfig) -> Shapes:
    """Shape by published name of every weight in a checkpoint of that config, sorted by name."""
    with torch.device("meta"):
        model = ReleasedModel(config)
    own = {name: shape for name, shape in _shapes(model).items() if not name.startswith("condition.")}
    dino = {IMAGES + name: shape for name, shape in hugging_face_shapes(config.dino).items()}
    return dict(sorted({**own, **dino, **left_out(config)}.items()))


def left_out(config: ReleasedConfig) -> Shapes:
    """Those that no pose needs. They must be in a checkpoint, with these shapes, and are not loaded.

    The decoder of the shape VAE (``shape_model.{post_kl, transformer, decoder}``); a projection for CLIP that no config
    uses (``denoiser_model.clip_embed``); DINOv2's mask token; of the point encoder 3DShape2VecSet the decoder
    (``pcd_model.{layers, decoder_cross_attn, proj, to_outputs}``).
    """
    shape, vecset, width = config.shape, config.vecset, config.vecset.width
    with torch.device("meta"):
        parts: dict[str, nn.Module] = {
            "denoiser_model.clip_embed": nn.Sequential(
                RMSNorm(config.context), nn.Linear(config.context, config.width)
            ),
            "shape_model.post_kl": nn.Linear(shape.embed_dim, shape.width),
            "shape_model.transformer": Stack(shape.width, shape.heads, shape.num_decoder_layers),
            "shape_model.decoder.query_proj": nn.Linear(51, shape.width),
            "shape_model.decoder.cross_attn_decoder": CrossLayer(shape.width, shape.heads),
            "shape_model.decoder.ln_post": nn.LayerNorm(shape.width),
            "shape_model.decoder.output_proj": nn.Linear(shape.width, 1),
        }
        if config.point_kind == "shape2vectset-autoencoder":
            for i in range(vecset.num_decoder_layers):
                attention = HeadedAttention(width, vecset.heads, vecset.dim_head)
                parts[f"pcd_model.layers.{i}.0"] = Normed(width, attention)
                parts[f"pcd_model.layers.{i}.1"] = Normed(width, FeedForward(width))
            attention = HeadedAttention(width, 1, width)
            parts["pcd_model.decoder_cross_attn"] = Normed(width, attention, context=True)
            parts["pcd_model.proj"] = nn.Linear(vecset.embed_dim, width)
            parts["pcd_model.to_outputs"] = nn.Linear(width, 1)
    out = {f"{name}.{inner}": shape for name, part in parts.items() for inner, shape in _shapes(part).items()}
    return {**out, IMAGES + "embeddings.mask_token": (1, config.dino.hidden_size)}


def manifest_text() -> str:
    """The text of ``manifest.json``: {form: {pattern: shape}}; ``{0-15}`` stands for each number from 0 to 15."""
    configs = ReleasedConfig(), ReleasedConfig(point_kind="shape2vectset-autoencoder", cloud_tokens=512)
    forms = {config.point_kind: compact(published_shapes(config)) for config in configs}
    lines = [
        f' "{kind}": {{\n' + ",\n".join(f'  "{n}": {json.dumps(s)}' for n, s in names.items()) + "\n }"
        for kind, names in forms.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def compact(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, list[int]]:
    """The same with ``{first-last}`` for the number of a layer in a row of equal ones."""
    numbered: dict[tuple[str, str, tuple[int, ...]], list[int]] = {}
    out: dict[str, list[int]] = {}
    for name, shape in shapes.items():
        found = re.fullmatch(r"(.*\.(?:blocks|layers|resblocks|layer)\.)(\d+)(\..*)", name)
        if found is None:
            out[name] = list(shape)
        else:
            numbered.setdefault((found[1], found[3], shape), []).append(int(found[2]))
    for (before, after, shape), numbers in numbered.items():
        for _, run in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
            row = [n for _, n in run]
            out[f"{before}{{{row[0]}-{row[-1]}}}{after}"] = list(shape)
    return dict(sorted(out.items()))


def expand(patterns: Mapping[str, list[int]]) -> Shapes:
    """The names that ``compact`` was given."""
    out: Shapes = {}
    for pattern, shape in patterns.items():
        found = re.fullmatch(r"(.*)\{(\d+)-(\d+)\}(.*)", pattern)
        if found is None:
            out[pattern] = tuple(shape)
        else:
            numbers = range(int(found[2]), int(found[3]) + 1)
            out |= {f"{found[1]}{n}{found[4]}": tuple(shape) for n in numbers}
    return dict(sorted(out.items()))


def _shapes(module: nn.Module) -> Shapes:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}
