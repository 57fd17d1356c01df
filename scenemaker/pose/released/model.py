"""The released model in one piece, under the names of its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.sampler import noise_for  # noqa: E402
from scenemaker.pose.dit.types import DIM, Layout, _Movable  # noqa: E402
from scenemaker.pose.released.config import ReleasedConfig  # noqa: E402
from scenemaker.pose.released.denoiser import POSE, Context, Denoiser  # noqa: E402
from scenemaker.pose.released.images import DinoImages  # noqa: E402
from scenemaker.pose.released.inputs import ReleasedInputs  # noqa: E402
from scenemaker.pose.released.points import PointMlp, VecSetEncoder  # noqa: E402
from scenemaker.pose.released.pose_codec import PoseCodec  # noqa: E402
from scenemaker.pose.released.shape_vae import ShapeVae  # noqa: E402


@dataclass(frozen=True, eq=False, kw_only=True)
class Encoded(_Movable):
    """What the encoders make of ``ReleasedInputs``.

    Attributes:
        layout, slot: As there.
        shape: (N, G, e) tokens of the shapes.
        tokens: (N, M, c) the context.
    """

    layout: Layout
    slot: Tensor
    shape: Tensor
    tokens: Tensor


class ReleasedModel(nn.Module):
    """Encoders, pose codec and denoiser."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser_model = Denoiser(config)
        self.pose_model = PoseCodec(config.channels)
        self.pose_emb = nn.Linear(config.channels, config.context)
        if config.point_kind == "pcd-encoder":
            self.pcd_model: PointMlp | VecSetEncoder = PointMlp(config.context)
        else:
            self.pcd_model = VecSetEncoder(config.vecset)
            self.pcd_emb = nn.Linear(config.vecset.embed_dim, config.context)
        self.shape_model = ShapeVae(config.shape)
        self.condition = DinoImages(config.dino, config.dino_px)

    def frozen(self) -> list[nn.Module]:
        """What the reference does not train."""
        points = [self.pcd_model] if isinstance(self.pcd_model, VecSetEncoder) and self.config.freeze_points else []
        return [self.shape_model, self.condition, *points]

    def encode(self, inputs: ReleasedInputs, seed: int, keys: Sequence[str | int]) -> Encoded:
        """Shape tokens and context of N objects.

        Args:
            inputs: On the model's device; they stay in float32, what is made of them has the model's dtype.
            seed: Of the posteriors.
            keys: Of the N objects: what is drawn for one depends on seed and key alone.
        """
        scene, config, weight = inputs.layout.scene, self.config, self.pose_emb.weight
        with torch.no_grad():
            drawn = self._drawn(seed, keys, "shape", config.shape.num_latents // 2, config.shape.embed_dim)
            shape = self.shape_model(inputs.surface, drawn.to(weight)) * config.z_scale  # (N, G, e)
            whole = self.condition(inputs.picture)[scene]  # (N, I, c)
            own = self.condition(inputs.picture[scene] * inputs.own[:, None])  # (N, I, c)
            crop = self.condition(inputs.crop)  # (N, I, c)
        cloud = self._points(inputs.cloud, seed, keys, "cloud")  # (N, P, c)
        placed = self._points(inputs.scene_cloud, seed, keys, "scene")  # (N, P, c), quirk `own-cloud-only`
        centre, reach = inputs.centre.to(weight.dtype), (inputs.reach - 1).to(weight.dtype)  # (N, 3), (N, 1)
        visible = self.pose_emb(self.pose_model.encode_visible(centre, reach))  # (N, 2, c)
        tokens = torch.cat([crop, cloud, visible, whole, own, placed], 1)  # (N, M, c)
        return Encoded(layout=inputs.layout, slot=inputs.slot, shape=shape, tokens=tokens)

    def velocity(self, x: Tensor, t: Tensor, encoded: Encoded, context: Context) -> Tensor:
        """(N, 10) at x (N, 10) and t (B,), 1000 times the noise level; dtype of x kept."""
        tokens = torch.cat([self.pose_model.encode(x.to(encoded.shape.dtype)), encoded.shape], 1)  # (N, 3 + G, e)
        out = self.denoiser_model(tokens, t, encoded.layout, encoded.slot, context)  # (N, 3 + G, e)
        return self.pose_model.decode(out[:, :POSE]).to(x.dtype)

    def _points(self, cloud: Tensor, seed: int, keys: Sequence[str | int], part: str) -> Tensor:
        if isinstance(self.pcd_model, PointMlp):
            return self.pcd_model(cloud)  # (N, P, c)
        sizes = self.config.vecset
        drawn = self._drawn(seed, keys, part, sizes.num_latents, sizes.embed_dim)
        return self.pcd_emb(self.pcd_model(cloud, drawn.to(self.pcd_emb.weight)))  # (N, K, c)

    @staticmethod
    def _drawn(seed: int, keys: Sequence[str | int], part: str, tokens: int, channels: int) -> Tensor:
        """(N, tokens, channels) of normal noise, of a stream for each object and part."""
        rows = noise_for(seed, [f"{key}/{part}" for key in keys], -(-tokens * channels // DIM))  # (N, S, 10)
        return rows.flatten(1)[:, : tokens * channels].unflatten(1, (tokens, channels))
