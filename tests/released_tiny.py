"""A released checkpoint of toy size: config and random weights in the published layout."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor
from torchvision_here import importable

importable()

from scenemaker.pose.released.checkpoint import build  # noqa: E402
from scenemaker.pose.released.config import ReleasedConfig, parse_config  # noqa: E402
from scenemaker.pose.released.model import ReleasedModel  # noqa: E402
from scenemaker.pose.released.names import published_shapes  # noqa: E402

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56}


def config_tree(**changes: Any) -> dict[str, Any]:
    """Options as ``config.yaml`` holds them; changes are given as ``system__denoiser_model__width=32``."""
    tree: dict[str, Any] = {
        "name": "image-to-pose-diffusion/tiny",
        "tag": "${rmspace:${system.shape_model_type}+lr${system.optimizer.args.lr},_}",
        "data": {
            **{"max_objs": 3, "min_pcd": 24, "n_samples": 128, "only_use_pitch": False, "use_mix_coord": True},
            **{"image_width": 64, "image_height": 64, "with_sharp_data": True, "translation_mode": "pcd2_aug_pi"},
        },
        "system": {
            **{"guidance_scale": 3.0, "num_inference_steps": 4, "z_scale_factor": 1.0, "eta": 0.0},
            **{"use_scene_img": True, "use_scene_mask": False, "use_scene_mask_img": True, "use_scene_pcd": True},
            **{"use_caption": False, "weighting_scheme": "cosmap", "pretrain_pcd": "pcd-encoder", "lambda_rot": 1},
            "optimizer": {"args": {"lr": 1e-4}},
            "max_objs": "${data.max_objs}",
            "shape_model_type": "michelangelo-autoencoder",
            "shape_model": {
                **{"n_samples": "${data.n_samples}", "with_sharp_data": "${data.with_sharp_data}"},
                **{"use_downsample": True, "num_latents": 12, "embed_dim": 8, "point_feats": 3, "out_dim": 1},
                **{"num_freqs": 8, "include_pi": False, "heads": 2, "width": 24, "num_encoder_layers": 2},
                **{"num_decoder_layers": 1, "use_ln_post": True, "init_scale": 0.25, "qkv_bias": False},
                "pretrained_model_name_or_path": "ckpts/vae.ckpt",
            },
            "pose_model_type": "pose-ae",
            "pose_model": {
                **{"in_dim": 6, "out_dim": "${system.pose_model.in_dim}", "embed_type": "fourier", "num_tokens": 3},
                **{"embed_dim": "${system.shape_model.embed_dim}", "enable_ln_affine": True, "include_pi": False},
            },
            "pcd_model_type": "pcd-encoder",
            "pcd_model": {
                **{"embed_type": "fourier", "num_freqs": 8, "include_pi": False, "num_latents": "${data.min_pcd}"},
                "out_dim": "${system.denoiser_model.context_dim}",
            },
            "condition_model_type": "dinov2-embedder",
            "condition_model": {
                **{"pretrained_dino_name_or_path": "a tiny one", "image_size_dino": 28, "kwargs": SIZES},
                "zero_uncond_embeds": True,
            },
            "denoiser_model_type": "dit-pose-denoiser",
            "denoiser_model": {
                **{"input_channels": "${system.shape_model.embed_dim}", "width": 32, "layers": 2, "curr_heads": 2},
                **{"context_dim": 16, "condition_type": "dinov2", "use_rope": True, "use_pe": False, "init_scale": 1.0},
                **{"num_pose_latents": "${system.pose_model.num_tokens}", "num_img_latents": 5, "proj_mode": "sep"},
                **{"num_pcd_latents": "${system.pcd_model.num_latents}", "attn_mode": "scene"},
                **{"block_mode": "sep_both", "use_caption": "${system.use_caption}"},
            },
            "denoise_scheduler": {"num_train_timesteps": 1000, "shift": 1.0},
        },
    }
    for name, value in changes.items():
        *path, last = name.split("__")
        section = tree
        for part in path:
            section = section[part]
        section[last] = copy.deepcopy(value)
    return tree


def vecset_tree(**changes: Any) -> dict[str, Any]:
    """The same with the other point encoder."""
    sizes = {"num_latents": 7, "embed_dim": 4, "width": 12, "heads": 2, "dim_head": 5, "num_decoder_layers": 2}
    vecset = {"pcd_model_type": "shape2vectset-autoencoder", "pcd_model": {**sizes, "use_fps": True}}
    return config_tree(**{f"system__{k}": v for k, v in vecset.items()}, **changes)


def random_state(config: ReleasedConfig, seed: int = 0) -> dict[str, Tensor]:
    """Random weights by published name; norms and gates far from their start, so that each one matters."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in published_shapes(config).items():
        value = torch.randn(shape, generator=generator)
        if name.endswith("basis"):
            value = torch.pi * torch.block_diag(*[2.0 ** torch.arange(8)[None]] * 3)
        elif len(shape) == 1:
            value = 0.3 * value + (0 if name.endswith("bias") else 1)
        elif "table" not in name:
            value = value * (shape[-1] ** -0.5)
        state[name] = value
    return state


def tiny_model(tree: dict[str, Any] | None = None, seed: int = 0) -> ReleasedModel:
    """A model of random weights, in float64."""
    config = parse_config(tree or config_tree())
    return build(config, random_state(config, seed)).double().eval()


def write_checkpoint(
    folder: Path, tree: dict[str, Any] | None = None, kind: str = "safetensors", seed: int = 0
) -> Path:
    """A checkpoint folder; kinds: "safetensors", "bin", "ckpt" (wrapped, with prefixes)."""
    tree = tree or config_tree()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(tree))
    state = random_state(parse_config(tree), seed)
    if kind == "safetensors":
        save_file(state, folder / "model.safetensors")
    elif kind == "bin":
        torch.save(state, folder / "model.bin")
    else:
        wrapped = {f"_forward_module.{k}": v for k, v in state.items()}
        torch.save({"state_dict": wrapped, "epoch": 3}, folder / "model.ckpt")
    return folder
