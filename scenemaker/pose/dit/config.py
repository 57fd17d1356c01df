"""Sizes and switches of PoseDiT and its encoders; ``mini`` and ``base`` are settings of the same classes. No torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from scenemaker.errors import ConfigError, expected


class GeometryConfig(BaseModel, frozen=True, extra="forbid"):
    """The point VAE that encodes a complete shape: farthest points are the centres of patches, patches are tokens."""

    width: int = Field(default=128, ge=8, description="Channels inside.")
    layers: int = Field(default=2, ge=0, description="Self-attention layers over the patches.")
    heads: int = Field(default=4, ge=1, description="Attention heads.")
    tokens: int = Field(default=32, ge=1, description="Latent tokens per shape: 1 as in the paper, 16, 32, 64.")
    latent: int = Field(default=64, ge=1, description="Channels of a latent token.")
    points: int = Field(
        default=2048, ge=16, description="Points and normals that a shape is sampled with, at most 20k."
    )
    kl_weight: float = Field(default=1e-3, ge=0, description="Of the divergence from a normal distribution.")


class PointsConfig(BaseModel, frozen=True, extra="forbid"):
    """The encoder of observed clouds, trained to reconstruct the complete shape from them."""

    width: int = Field(default=128, ge=8, description="Channels inside and of a token.")
    layers: int = Field(default=2, ge=0, description="Self-attention layers over the patches.")
    heads: int = Field(default=4, ge=1, description="Attention heads.")
    tokens: int = Field(default=64, ge=1, description="Tokens per object cloud.")
    scene_tokens: int = Field(default=128, ge=1, description="Tokens per scene cloud.")
    points: int = Field(default=512, ge=8, description="Observed points kept per object; fewer stay fewer.")
    scene_points: int = Field(default=2048, ge=8, description="Observed points kept per scene.")


class ImageConfig(BaseModel, frozen=True, extra="forbid"):
    """The encoder of crops and of the whole picture."""

    kind: Literal["small", "dinov2"] = Field(default="small", description="A small one trained here, or DINOv2 (timm).")
    model: str = Field(default="vit_base_patch14_reg4_dinov2", description="timm's name of the DINOv2 model.")
    width: int = Field(default=96, ge=8, description="Channels of a token; DINOv2 brings its own.")
    layers: int = Field(default=2, ge=0, description="Attention layers of the small encoder.")
    heads: int = Field(default=4, ge=1, description="Attention heads of the small encoder.")
    px: int = Field(default=64, ge=14, description="Side of a crop and of the picture, in pixels.")
    patch: int = Field(default=16, ge=1, description="Side of a patch in pixels; 14 for DINOv2.")

    @model_validator(mode="after")
    def _fits(self) -> ImageConfig:
        if self.px % self.patch:
            raise ConfigError(
                expected("px to be a multiple of patch", got=f"{self.px}, {self.patch}", remedy="mend it")
            )
        return self

    @property
    def tokens(self) -> int:
        """Tokens per picture."""
        return (self.px // self.patch) ** 2


class DiTConfig(BaseModel, frozen=True, extra="forbid"):
    """The diffusion transformer. Every attention can be switched off, as in the paper's table 5."""

    width: int = Field(default=192, ge=8, description="Channels of a token.")
    layers: int = Field(default=6, ge=1, description="Blocks.")
    heads: int = Field(default=6, ge=1, description="Attention heads.")
    mlp: float = Field(default=3.0, gt=0, description="Width of the feed-forward layer over the token's.")
    matching: int = Field(
        default=2, ge=0, description="Joint layers over geometry, cloud and crop of each object before the blocks."
    )
    global_self: bool = Field(default=True, description="Global self-attention: all tokens of all objects.")
    local_self: bool = Field(default=True, description="Local self-attention: the tokens of one object.")
    local_cross: bool = Field(
        default=True, description="Local cross-attention of the rotation; off: rotation joins the global one."
    )
    global_cross: bool = Field(default=True, description="Global cross-attention of translation and size.")
    positions: Literal["centre", "index", "none"] = Field(
        default="centre",
        description="Rotary position of an object: observed centre in `scene`, its number in the list, or none.",
    )
    geometry_tokens: int = Field(
        default=1,
        ge=1,
        description="Geometry tokens beside the pose tokens, 1 in the paper; pooled if the encoder gives more.",
    )
    geometry_keys: bool = Field(
        default=True,
        description="The rotation attends to all matched geometry tokens too; off: to crop and cloud, as in the paper.",
    )
    use_image: bool = Field(default=True, description="Crops and picture are conditions.")
    use_geometry: bool = Field(default=True, description="Complete shapes are conditions.")
    use_up: bool = Field(default=True, description="The direction against gravity is a condition where it is known.")
    anchored: bool = Field(
        default=True,
        description="Translation and size relative to centre and radius of the object's cloud, else in `scene`.",
    )

    @model_validator(mode="after")
    def _fits(self) -> DiTConfig:
        if self.width % self.heads or (self.width // self.heads) % 2:
            got = f"width {self.width}, heads {self.heads}"
            raise ConfigError(expected("width / heads to be an even number", got=got, remedy="change one of them"))
        return self


class PoseModelConfig(BaseModel, frozen=True, extra="forbid"):
    """PoseDiT with its encoders: what a weights file holds."""

    dit: DiTConfig = Field(default_factory=DiTConfig)
    geometry: GeometryConfig = Field(default_factory=GeometryConfig)
    points: PointsConfig = Field(default_factory=PointsConfig)
    image: ImageConfig = Field(default_factory=ImageConfig)

    @model_validator(mode="after")
    def _fits(self) -> PoseModelConfig:
        given, asked = self.geometry.tokens, self.dit.geometry_tokens
        if self.dit.use_geometry and asked > given:
            what, remedy = f"dit.geometry_tokens up to the encoder's {given}", "lower it, or raise geometry.tokens"
            raise ConfigError(expected(what, got=asked, remedy=remedy))
        return self


CONFIGS: dict[str, PoseModelConfig] = {
    # for tests: everything there, nothing large
    "tiny": PoseModelConfig(
        dit=DiTConfig(width=48, layers=2, heads=4, matching=1),
        geometry=GeometryConfig(width=32, layers=1, heads=2, tokens=4, latent=16, points=256),
        points=PointsConfig(width=32, layers=1, heads=2, tokens=8, scene_tokens=12, points=64, scene_points=128),
        image=ImageConfig(width=32, layers=1, heads=2, px=32, patch=8),
    ),
    "mini": PoseModelConfig(),
    "base": PoseModelConfig(
        dit=DiTConfig(width=1024, layers=16, heads=16, mlp=4, geometry_tokens=16),
        geometry=GeometryConfig(width=512, layers=6, heads=8, tokens=64, points=20480),
        points=PointsConfig(width=512, layers=6, heads=8, tokens=256, scene_tokens=512, points=2048, scene_points=8192),
        image=ImageConfig(kind="dinov2", width=768, px=224, patch=14),
    ),
}


def model_config(name: str) -> PoseModelConfig:
    """The config of that name.

    Raises:
        ConfigError: There is none; the text lists those that exist.
    """
    if name not in CONFIGS:
        raise ConfigError(expected("a config of PoseDiT", got=repr(name), remedy=f"choose: {', '.join(CONFIGS)}"))
    return CONFIGS[name]
