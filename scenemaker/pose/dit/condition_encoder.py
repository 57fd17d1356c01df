"""Tokens of shapes, crops, clouds and pictures for PoseDiT, made once per scene.

A departure from figure 8 of SceneMaker (arXiv 2512.10957), where the rotation token attends to crop and cloud, and
meets the shape in self-attention alone, in one token: here all matched geometry tokens are among its keys. Rotation is
a matching of many parts of a shape with many of a picture, and one token for a whole shape is a bottleneck.
``DiTConfig.geometry_keys = False`` is the paper's form.
"""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.attention import Attention, RMSNorm  # noqa: E402
from scenemaker.pose.dit.blocks import Mlp  # noqa: E402
from scenemaker.pose.dit.conditions import Conditions, Context  # noqa: E402
from scenemaker.pose.dit.config import DiTConfig  # noqa: E402
from scenemaker.pose.dit.rotary import Rotary, Table  # noqa: E402
from scenemaker.pose.dit.types import EVIDENCE, Features, Layout  # noqa: E402

INDEX_STEP = 0.25  # from one number to the next, so that wavelengths reach from 1 to 32 objects


class MatchingLayer(nn.Module):
    """A plain transformer layer over all that is known of one object: where shape and picture are matched."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(config.width), RMSNorm(config.width)
        self.attention = Attention(config.width, config.heads, qk_norm=True)
        self.mlp = Mlp(config.width, int(config.mlp * config.width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, d) -> (N, L, d)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Pooling(nn.Module):
    """Fewer tokens: learned queries attend to those there are."""

    def __init__(self, config: DiTConfig, tokens: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(tokens, config.width))
        self.attention = Attention(config.width, config.heads, qk_norm=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, d) -> (N, tokens, d)."""
        return self.attention(self.queries.expand(len(x), -1, -1), self.attention.keys_values(x))


class ConditionEncoder(nn.Module):
    """Features of the encoders -> tokens of PoseDiT's width. What no switch of the config needs does not exist.

    Args:
        geometry_tokens: G of ``Features``; taken as more than ``config.geometry_tokens`` if not given.
    """

    def __init__(
        self,
        config: DiTConfig,
        *,
        geometry_channels: int,
        cloud_channels: int,
        image_channels: int,
        geometry_tokens: int | None = None,
    ) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.rotary = None if config.positions == "none" else Rotary(width // config.heads)
        self.evidence = _embed(EVIDENCE + 3, width)
        self.up = _embed(3, width) if config.use_up else None
        self.geometry = nn.Linear(geometry_channels, width) if config.use_geometry else None
        pooled = config.use_geometry and geometry_tokens != config.geometry_tokens
        self.pooling = Pooling(config, config.geometry_tokens) if pooled else None
        # crop and cloud are read by the rotation, or by the geometry tokens when they are matched
        has_local = config.local_cross or (config.use_geometry and config.matching > 0)
        self.cloud = nn.Linear(cloud_channels, width) if has_local else None
        self.crop = nn.Linear(image_channels, width) if has_local and config.use_image else None
        self.matching = nn.Sequential(*(MatchingLayer(config) for _ in range(config.matching if has_local else 0)))
        self.object_norm = RMSNorm(width)
        nulls = {"evidence": True, "geometry": config.use_geometry, "up": config.use_up, "local": config.local_cross}
        if config.global_cross:
            self.scene_cloud = nn.Linear(cloud_channels, width)
            self.owner = nn.Embedding(2, width)  # points of others, own points
            self.picture = nn.Linear(image_channels, width) if config.use_image else None
            self.own_mask = nn.Embedding(1, width) if config.use_image else None
            self.nowhere = nn.Embedding(1, width) if config.use_image else None
            self.scene_norm = RMSNorm(width)
            nulls["scene"] = True
        # what stands in place of conditions that are dropped, and of an `up` that is unknown
        self.null = nn.ParameterDict({k: nn.Parameter(torch.randn(width) * 0.02) for k, used in nulls.items() if used})

    def forward(self, features: Features, drop: Tensor) -> tuple[Conditions, Context | None, Context | None]:
        """Conditions still without keys and values, and the local and the global context they will be made of.

        Args:
            drop: (B,) bool, scenes of which nothing is known but how many objects they have.
        """
        layout = features.layout
        gone = drop[layout.scene]  # (N,)
        centre = torch.where(gone[:, None], 0.0, features.centre)  # (N, 3)
        numbers = torch.cat((features.evidence, features.centre), -1)  # (N, 12)
        unknown = drop | (features.up == 0).all(-1)  # (B,)
        geometry, local = self._of_objects(features, gone)  # (N, G', d), (N, M, d)
        conditions = Conditions(
            layout=layout,
            groups=layout.groups,
            evidence=self._unless(gone, "evidence", _project(self.evidence, numbers)),  # (N, d)
            up=None if self.up is None else self._unless(unknown, "up", _project(self.up, features.up)),  # (B, d)
            geometry=geometry,
            self_table=self._self_table(layout, centre),  # (N, 1, c / 2)
            cross_table=self._scene_table(centre[:, None]),  # (N, 1, c / 2)
        )
        return conditions, local, self._of_scenes(features, gone) if self.config.global_cross else None

    def _of_objects(self, features: Features, gone: Tensor) -> tuple[Tensor, Context | None]:
        """Geometry tokens (N, G', d), and what the rotation looks at (N, M, d), after shape and picture have met."""
        nothing = self.null["evidence"].new_zeros(len(gone), 0, self.config.width)  # (N, 0, d)
        geometry = nothing if self.geometry is None else _project(self.geometry, features.geometry)  # (N, G, d)
        cloud = nothing if self.cloud is None else _project(self.cloud, features.cloud)  # (N, L_p, d)
        crop = nothing if self.crop is None else _project(self.crop, features.crop)  # (N, L_i, d)
        tokens = self.object_norm(self.matching(torch.cat((geometry, cloud, crop), 1)))  # (N, G + L_p + L_i, d)
        geometry, others = tokens.tensor_split([geometry.shape[1]], 1)  # (N, G, d), (N, L_p + L_i, d)
        local = tokens if self.config.geometry_keys else others  # (N, M, d)
        if self.pooling is not None:
            geometry = self.pooling(geometry)  # (N, G', d)
        if self.config.use_geometry:
            geometry = self._unless(gone, "geometry", geometry)  # (N, G', d)
        if not self.config.local_cross:
            return geometry, None
        # in the object's own units; shape and crop stand in its middle, as the rotation token does
        shape_keys = local.shape[1] - others.shape[1]  # G or 0
        xyz = functional.pad(features.cloud_xyz, (0, 0, shape_keys, crop.shape[1]))  # (N, M, 3)
        table = None if self.rotary is None else self.rotary(xyz)  # (N, M, c / 2)
        return geometry, Context(self._unless(gone, "local", local), table)

    def _of_scenes(self, features: Features, gone: Tensor) -> Context:
        """Scene cloud and picture as each object sees them: what is its own is marked, (N, M', d)."""
        scene = features.layout.scene  # (N,)
        own = features.scene_owner[scene] == torch.arange(len(scene), device=scene.device)[:, None]  # (N, L_q)
        tokens = _project(self.scene_cloud, features.scene_cloud)[scene] + self.owner(own.long())  # (N, L_q, d)
        xyz = features.scene_xyz  # (B, L_q, 3)
        if self.picture is not None and self.own_mask is not None and self.nowhere is not None:
            share = features.picture_own[..., None].to(tokens.dtype)  # (N, L_i, 1)
            # a patch without a known point has xyz 0, which is a place too: it says so itself
            unknown = (features.picture_xyz == 0).all(-1, keepdim=True)  # (B, L_i, 1)
            picture = _project(self.picture, features.picture) + unknown * self.nowhere.weight  # (B, L_i, d)
            picture = picture[scene] + share * self.own_mask.weight  # (N, L_i, d)
            tokens = torch.cat((tokens, picture), 1)  # (N, L_q + L_i, d)
            xyz = torch.cat((xyz, features.picture_xyz), 1)  # (B, L_q + L_i, 3)
        return Context(self._unless(gone, "scene", self.scene_norm(tokens)), self._scene_table(xyz[scene]))

    def _unless(self, gone: Tensor, name: str, tokens: Tensor) -> Tensor:
        """Tokens (N, ..., d), the learned null where they are ``gone`` (N,)."""
        return torch.where(gone.view(-1, *[1] * (tokens.ndim - 1)), self.null[name].to(tokens.dtype), tokens)

    def _self_table(self, layout: Layout, centre: Tensor) -> Table | None:
        """Where each object stands for the others, (N, 1, c / 2)."""
        if self.config.positions == "index":
            centre = functional.pad(INDEX_STEP * layout.index[:, None], (0, 2))  # (N, 3)
        return None if self.rotary is None else self.rotary(centre[:, None])

    def _scene_table(self, xyz: Tensor) -> Table | None:
        """The table of places in ``scene``; the number of an object is no place, so by index there is none."""
        return self.rotary(xyz) if self.rotary is not None and self.config.positions == "centre" else None


def _embed(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width))


def _project(layer: nn.Module, x: Tensor) -> Tensor:
    """What the encoders give is float32 wherever positions need it; the layer's dtype may be another."""
    return layer(x.to(next(layer.parameters()).dtype))
