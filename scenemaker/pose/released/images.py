"""DINOv2 with registers as released weights hold it: Hugging Face's names of transformers 4, run by timm's model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.encoders.dino import MEAN, STD, import_timm  # noqa: E402
from scenemaker.pose.released.config import DinoSizes  # noqa: E402

MODEL = "vit_large_patch14_reg4_dinov2"

_WHOLE = {
    "embeddings.register_tokens": "reg_token",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}
_LAYER = {  # Hugging Face's name in a layer -> timm's
    **{f"{n}.{p}": f"{n}.{p}" for n in ("norm1", "norm2", "mlp.fc1", "mlp.fc2") for p in ("weight", "bias")},
    **{f"attention.output.dense.{p}": f"attn.proj.{p}" for p in ("weight", "bias")},
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}


def timm_names(state: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """timm's weights from Hugging Face's: q, k and v in one matrix, the first position added to the class token."""
    position = state["embeddings.position_embeddings"]  # (1, 1 + L, d)
    out = {theirs: state[name] for name, theirs in _WHOLE.items()}
    out["cls_token"] = state["embeddings.cls_token"] + position[:, :1]  # (1, 1, d)
    out["pos_embed"] = position[:, 1:]  # (1, L, d)
    for i in range(layers):
        here, there = f"encoder.layer.{i}.", f"blocks.{i}."
        out |= {there + theirs: state[here + name] for name, theirs in _LAYER.items()}
        for p in ("weight", "bias"):
            qkv = [state[f"{here}attention.attention.{n}.{p}"] for n in ("query", "key", "value")]
            out[f"{there}attn.qkv.{p}"] = torch.cat(qkv)  # (3 d, d) or (3 d,)
    return out


def hugging_face_shapes(sizes: DinoSizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of Hugging Face's weights; the mask token is among them, and of no use here."""
    d, patch, side = sizes.hidden_size, sizes.patch_size, sizes.image_size // sizes.patch_size
    out: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, d),
        "embeddings.mask_token": (1, d),
        "embeddings.register_tokens": (1, sizes.num_register_tokens, d),
        "embeddings.position_embeddings": (1, 1 + side * side, d),
        "embeddings.patch_embeddings.projection.weight": (d, 3, patch, patch),
        "embeddings.patch_embeddings.projection.bias": (d,),
        "layernorm.weight": (d,),
        "layernorm.bias": (d,),
    }
    linear = {"attention.output.dense": (d, d), "mlp.fc1": (4 * d, d), "mlp.fc2": (d, 4 * d)}
    linear |= {f"attention.attention.{n}": (d, d) for n in ("query", "key", "value")}
    for i in range(sizes.num_hidden_layers):
        here = f"encoder.layer.{i}."
        for name, shape in linear.items():
            out |= {f"{here}{name}.weight": shape, f"{here}{name}.bias": shape[:1]}
        out |= {f"{here}{n}.{p}": (d,) for n in ("norm1", "norm2") for p in ("weight", "bias")}
        out |= {f"{here}layer_scale{k}.lambda1": (d,) for k in (1, 2)}
    return out


class DinoImages(nn.Module):
    """Class and patch tokens of pictures; the registers are dropped. Never trained."""

    def __init__(self, sizes: DinoSizes, px: int) -> None:
        super().__init__()
        timm = import_timm()
        self.px, self.registers = px, sizes.num_register_tokens
        self.dino_model: Any = timm.create_model(
            MODEL,
            pretrained=False,
            num_classes=0,
            dynamic_img_size=True,
            embed_dim=sizes.hidden_size,
            depth=sizes.num_hidden_layers,
            num_heads=sizes.num_attention_heads,
            patch_size=sizes.patch_size,
            img_size=sizes.image_size,
            reg_tokens=sizes.num_register_tokens,
        )

    @torch.no_grad()
    def forward(self, picture: Tensor) -> Tensor:
        """(N, 1 + L, d) of pictures (N, 3, S, S), RGB in [0, 1]."""
        weight = self.dino_model.cls_token
        small = functional.interpolate(picture, (self.px, self.px), mode="bicubic", antialias=True)  # (N, 3, px, px)
        mean, std = (torch.tensor(v, device=small.device).view(3, 1, 1) for v in (MEAN, STD))
        tokens = self.dino_model.forward_features(((small - mean) / std).to(weight.dtype))  # (N, 1 + 4 + L, d)
        return torch.cat([tokens[:, :1], tokens[:, 1 + self.registers :]], 1)  # (N, 1 + L, d)
