"""PoseDiT with the encoders of its conditions: all that a weights file holds."""

from __future__ import annotations

from dataclasses import replace

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.encoders.dino import DinoEncoder, image_encoder  # noqa: E402
from scenemaker.pose.dit.encoders.geometry import GeometryVAE  # noqa: E402
from scenemaker.pose.dit.encoders.points import PointEncoder  # noqa: E402
from scenemaker.pose.dit.model import PoseDiT  # noqa: E402
from scenemaker.pose.dit.types import CROP, PICTURE, Features, PoseInputs  # noqa: E402
from scenemaker.pose.dit.variables import Variables  # noqa: E402


class PoseModel(nn.Module):
    """Encoders, diffusion transformer and the statistics of what is diffused.

    Attributes:
        geometry: Of complete shapes.
        points: Of observed clouds, of objects and of scenes.
        image, scene_image: Of crops and of whole pictures; two of DINOv2 share it.
        dit: The transformer.
        variables: To and from what is diffused.
    """

    def __init__(self, config: PoseModelConfig) -> None:
        super().__init__()
        self.config = config
        self.geometry = GeometryVAE(config.geometry, decoder=False)
        self.points = PointEncoder(config.points, decoder=False)
        self.image = image_encoder(config.image, CROP, decoder=False)
        vit = self.image.vit if isinstance(self.image, DinoEncoder) else None
        self.scene_image = image_encoder(config.image, PICTURE, vit=vit, decoder=False)
        self.dit = PoseDiT(
            config.dit,
            geometry_channels=self.geometry.channels,
            cloud_channels=self.points.channels,
            image_channels=self.image.channels,
            geometry_tokens=config.geometry.tokens,
        )
        self.variables = Variables(anchored=config.dit.anchored)

    def features(self, inputs: PoseInputs, geometry: Tensor | None = None) -> Features:
        """What PoseDiT sees of the inputs; ``geometry`` (N, G, c_g) are latents of the shapes that are at hand."""
        return self.joined(self.encoded(inputs, geometry), inputs)

    def encoded(self, inputs: PoseInputs, geometry: Tensor | None = None) -> Features:
        """The part of ``features`` that stays the same while the encoders are frozen: what can be kept."""
        cloud = self.points(inputs.cloud, inputs.cloud_count)
        scene, owner = self.points.scene(inputs.scene_cloud, inputs.scene_owner)
        patch = self.config.image.patch
        return Features(
            layout=inputs.layout,
            geometry=self.geometry(inputs.geometry) if geometry is None else geometry,  # (N, G, c_g)
            crop=self.image.encode(inputs.crop),  # (N, L_i, c_i)
            cloud=cloud.tokens,  # (N, L_p, c_p)
            cloud_xyz=cloud.xyz,  # (N, L_p, 3)
            picture=self.scene_image.encode(inputs.picture),  # (B, L_i, c_i)
            picture_xyz=mean_of_known(inputs.picture_xyz, patch),  # (B, L_i, 3)
            picture_own=functional.avg_pool2d(inputs.picture_own[:, None], patch).flatten(1),  # (N, L_i)
            scene_cloud=scene.tokens,  # (B, L_q, c_p)
            scene_xyz=scene.xyz,  # (B, L_q, 3)
            scene_owner=owner,  # (B, L_q)
            centre=inputs.centre,
            radius=inputs.radius,
            evidence=inputs.evidence,
            up=inputs.up,
        )

    def joined(self, encoded: Features, inputs: PoseInputs) -> Features:
        """``features`` from that part: masks and depth join the tokens of DINOv2, by what is trained in any case."""
        crop = self.image.join(encoded.crop, inputs.crop)  # (N, L_i, c_i)
        picture = self.scene_image.join(encoded.picture, inputs.picture)  # (B, L_i, c_i)
        return replace(encoded, crop=crop, picture=picture)

    def encoder_parameters(self) -> dict[str, nn.Parameter]:
        """By name, each once, those that ``encoded`` depends on."""
        images = {"image": self.image, "scene": self.scene_image}
        images = {name: e.vit if isinstance(e, DinoEncoder) else e for name, e in images.items()}
        return dict(nn.ModuleDict({"geometry": self.geometry, "points": self.points, **images}).named_parameters())

    def freeze_encoders(self) -> None:
        """Leaves the encoders as they are. What joins masks and depth to DINOv2 is trained in any case."""
        for parameter in self.encoder_parameters().values():
            parameter.requires_grad_(False)

    def trained_parameters(self) -> list[nn.Parameter]:
        """All that is trained, each once."""
        return [p for p in self.parameters() if p.requires_grad]


def mean_of_known(maps: Tensor, patch: int) -> Tensor:
    """(B, L, c) mean of every patch's known pixels, row by row, 0 where none is.

    Args:
        maps: (B, c, S, S), NaN where unknown.
        patch: Side of a patch in pixels.
    """
    known = maps.isfinite().all(1, keepdim=True)  # (B, 1, S, S)
    share = functional.avg_pool2d(known.to(maps.dtype), patch)  # (B, 1, S/p, S/p)
    mean = functional.avg_pool2d(torch.where(known, maps, 0.0), patch)  # (B, c, S/p, S/p)
    mean = torch.where(share > 0, mean / share.clamp_min(1e-9), 0.0)  # (B, c, S/p, S/p)
    return mean.flatten(2).transpose(1, 2)  # (B, L, c)
