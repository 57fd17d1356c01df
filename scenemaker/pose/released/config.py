"""What ``config.yaml`` beside published weights says, as far as it changes a result (see ``options``). No torch.

An option that is not known is an error where it stands in a model's section: it might change the result.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from scenemaker.errors import ConfigError, InputError, expected, needs
from scenemaker.pose.released.options import FIXED, FIXED_POINTS, FREE, READ

BlockMode = Literal["sep_both", "sep_both_rot", "sep_both_only_gca", "sep_only_gsa", "sep_mlp"]
PointKind = Literal["pcd-encoder", "shape2vectset-autoencoder"]


class DinoSizes(BaseModel, frozen=True, extra="forbid"):
    """DINOv2 with registers, in the names of its ``config.json``."""

    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    patch_size: int = 14
    image_size: int = Field(default=518, description="That its table of positions was made for.")
    num_register_tokens: int = 4


class ShapeSizes(BaseModel, frozen=True, extra="forbid"):
    """The shape VAE."""

    n_samples: int = 16384
    num_latents: int = Field(default=512, description="Half of the surface, half of the sharp edges.")
    embed_dim: int = 64
    width: int = 768
    heads: int = 12
    num_encoder_layers: int = 8
    num_decoder_layers: int = 16


class VecSetSizes(BaseModel, frozen=True, extra="forbid"):
    """The point encoder of the kind 3DShape2VecSet."""

    num_latents: int = 512
    embed_dim: int = 8
    width: int = 512
    heads: int = 8
    dim_head: int = 64
    num_decoder_layers: int = 24


class ReleasedConfig(BaseModel, frozen=True, extra="forbid"):
    """A released pose model; the defaults are its published training config."""

    block_mode: BlockMode = "sep_both"
    attn_mode: Literal["scene", "object"] = "scene"
    rope: bool = True
    cross_rope: bool = Field(default=True, description="Rotary positions in the cross-attentions.")
    width: int = 1024
    layers: int = 16
    heads: int = 16
    channels: int = Field(default=64, description="Of a token before and after the blocks.")
    context: int = Field(default=1024, description="Channels of a token of the context.")
    image_tokens: int = 257
    cloud_tokens: int = 1024
    shape: ShapeSizes = ShapeSizes()
    point_kind: PointKind = "pcd-encoder"
    vecset: VecSetSizes = VecSetSizes()
    dino: DinoSizes = DinoSizes()
    dino_px: int = 224
    picture_px: int = Field(default=512, description="Side of pictures and crops.")
    cloud_points: int = 1024
    max_objs: int = 5
    only_use_pitch: bool = False
    guidance_scale: float = 3.0
    steps: int = Field(default=50, ge=1)
    z_scale: float = 1.0
    weighting: str = Field(default="cosmap", description="Of noise levels in training.")
    freeze_points: bool = Field(default=False, description="The point encoder is not trained.")

    @property
    def mark(self) -> int:
        """Tokens of the context that belong to the object alone: crop and cloud."""
        return self.image_tokens + self.cloud_tokens


_DINO = "facebook/dinov2-with-registers-large"


def read_config(path: Path) -> ReleasedConfig:
    """The config in a ``config.yaml`` as it is published.

    Raises:
        InputError: No such file, or not YAML.
        ConfigError: An option whose value is not rebuilt here; the text names it.
    """
    needs("yaml", "models")
    import yaml

    if not path.is_file():
        remedy = "put the config.yaml that is published with the weights beside them"
        raise InputError(expected("the config of released weights", got=f"no file {path}", remedy=remedy))
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0]
        raise InputError(expected("YAML", got=f"{path.name}: {first}", remedy="fetch the file again")) from error
    if not isinstance(tree, dict):
        raise InputError(expected(f"sections in {path.name}", got=type(tree).__name__, remedy="fetch the file again"))
    return parse_config(tree)


def parse_config(tree: dict[str, Any]) -> ReleasedConfig:
    """The config in a tree of options; references such as ``${data.max_objs}`` are followed.

    Raises:
        ConfigError: As ``read_config``.
    """
    values: dict[str, Any] = {}
    for section, options in READ.items():
        for option, (name, default) in options.items():
            values[name] = _option(tree, section, option, default)
    kind = values["point_kind"]
    if kind not in FIXED_POINTS:
        _refuse("system.pcd_model_type", " or ".join(FIXED_POINTS), kind)
    if kind == "shape2vectset-autoencoder":
        for name, field in VecSetSizes.model_fields.items():
            values[f"vecset.{name}"] = _option(tree, "system.pcd_model", name, field.default)
    for section, options in {**FIXED, "system.pcd_model": FIXED_POINTS[kind]}.items():
        for option, (wanted, default) in options.items():
            got = _option(tree, section, option, default)
            if got != wanted:
                _refuse(f"{section}.{option}", wanted, got)
    _only_known(tree, values)
    values["dino"] = _dino(tree)
    # the other modes give all attentions the same switch
    mlp = values["block_mode"] == "sep_mlp"
    values["cross_rope"] = _option(tree, "system.denoiser_model", "use_cross_rope", False) if mlp else values["rope"]
    return _built(values, _option(tree, "data", "image_height", 768))


def _built(flat: dict[str, Any], height: Any) -> ReleasedConfig:
    """The config of names and values, checked for what must agree."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        head, _, tail = name.partition(".")
        if tail:
            nested.setdefault(head, {})[tail] = value
        else:
            nested[head] = value
    try:
        config = ReleasedConfig(**nested)
    except ValueError as error:
        first = " ".join(str(error).split("\n")[1:3]).partition(" [type=")[0]
        remedy = "these weights need a form of the model that is not rebuilt here"
        raise ConfigError(expected("options of a released pose model", got=first, remedy=remedy)) from None
    if config.attn_mode == "object" and config.block_mode != "sep_mlp":
        _refuse("system.denoiser_model.attn_mode", "scene", "object")
    if height != config.picture_px:
        _refuse("data.image_height", config.picture_px, height)
    tokens = (config.dino_px // config.dino.patch_size) ** 2 + 1
    if tokens != config.image_tokens:
        _refuse("system.denoiser_model.num_img_latents", tokens, config.image_tokens)
    clouds = config.cloud_points if config.point_kind == "pcd-encoder" else config.vecset.num_latents
    if clouds != config.cloud_tokens:
        _refuse("system.denoiser_model.num_pcd_latents", clouds, config.cloud_tokens)
    if config.shape.embed_dim != config.channels:
        _refuse("system.denoiser_model.input_channels", config.shape.embed_dim, config.channels)
    if config.dino.hidden_size != config.context:
        _refuse("system.denoiser_model.context_dim", config.dino.hidden_size, config.context)
    return config


def _dino(tree: dict[str, Any]) -> DinoSizes:
    """DINOv2's sizes; others than those of the published one stand in ``condition_model.kwargs``."""
    given = _option(tree, "system.condition_model", "kwargs", None) or {}
    if given:
        return DinoSizes(**given)
    name = _option(tree, "system.condition_model", "pretrained_dino_name_or_path", None)
    if name != _DINO:
        _refuse("system.condition_model.pretrained_dino_name_or_path", _DINO, name)
    return DinoSizes()


def _only_known(tree: dict[str, Any], values: dict[str, Any]) -> None:
    """No option of a model is passed over in silence, and no switch of the system that is on."""
    for section, free in FREE.items():
        known = READ.get(section, {}).keys() | FIXED.get(section, {}).keys() | set(free.split())
        if section == "system.pcd_model":
            known |= FIXED_POINTS[values["point_kind"]].keys() | VecSetSizes.model_fields.keys() | {"num_freqs"}
        for option in _section(tree, section).keys() - known - {"pretrained_model_name_or_path"}:
            _refuse(f"{section}.{option}", "no such option", _option(tree, section, option, None))
    known = READ["system"].keys() | FIXED["system"].keys()
    for option, value in _section(tree, "system").items():
        if option.startswith("use_") and option not in known and value:
            _refuse(f"system.{option}", "no such option", value)


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    for part in name.split("."):
        tree = tree.get(part) or {}
        if not isinstance(tree, dict):
            raise ConfigError(
                expected(f"a section {name} in config.yaml", got=repr(tree), remedy="fetch the file again")
            )
    return tree


def _option(tree: dict[str, Any], section: str, option: str, default: Any) -> Any:
    return _followed(tree, _section(tree, section).get(option, default), f"{section}.{option}")


def _followed(tree: dict[str, Any], value: Any, name: str, depth: int = 0) -> Any:
    """The value that ``${a.b.c}`` stands for."""
    found = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
    if found is None:
        return value
    section, _, option = found[1].rpartition(".")
    if depth > 8 or option not in _section(tree, section):
        _refuse(name, "a value", value)
    return _followed(tree, _section(tree, section)[option], name, depth + 1)


def _refuse(name: str, wanted: Any, got: Any) -> None:
    remedy = "these weights need a form of the model that is not rebuilt here"
    raise ConfigError(expected(f"{name}: {wanted} in config.yaml", got=got, remedy=remedy))
