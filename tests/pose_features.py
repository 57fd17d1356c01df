"""Random features of scenes, and a PoseDiT in which nothing is zero: what the tests of ``pose.dit`` share."""

from dataclasses import replace

import torch

from scenemaker.pose.dit.config import CONFIGS, DiTConfig
from scenemaker.pose.dit.model import PoseDiT
from scenemaker.pose.dit.types import EVIDENCE, Features, Layout

TINY = CONFIGS["tiny"].dit
GEOMETRY_TOKENS = 4
CHANNELS = {"geometry_channels": 7, "cloud_channels": 6, "image_channels": 5}
SIZES = {**CHANNELS, "geometry_tokens": GEOMETRY_TOKENS}  # what a PoseDiT is told of the features
OF_SCENES = ("picture", "picture_xyz", "scene_cloud", "scene_xyz", "scene_owner", "up")


def random_features(counts, seed=0, *, geometry=GEOMETRY_TOKENS, crop=3, cloud=5, picture=6, scene_cloud=8) -> Features:
    """Features of scenes of so many objects, with so many tokens of each kind."""
    generator = torch.Generator().manual_seed(seed)
    layout = Layout.of(counts)
    n, b = sum(counts), len(counts)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    first = torch.tensor([sum(counts[:i]) for i in range(b)])  # (B,)
    picks = torch.rand(b, scene_cloud, generator=generator)  # (B, L_q)
    return Features(
        layout=layout,
        geometry=normal(n, geometry, CHANNELS["geometry_channels"]),
        crop=normal(n, crop, CHANNELS["image_channels"]),
        cloud=normal(n, cloud, CHANNELS["cloud_channels"]),
        cloud_xyz=normal(n, cloud, 3),
        picture=normal(b, picture, CHANNELS["image_channels"]),
        picture_xyz=normal(b, picture, 3),
        picture_own=torch.rand(n, picture, generator=generator),
        scene_cloud=normal(b, scene_cloud, CHANNELS["cloud_channels"]),
        scene_xyz=normal(b, scene_cloud, 3),
        scene_owner=first[:, None] + (picks * torch.tensor(counts)[:, None]).long(),
        centre=normal(n, 3),
        radius=torch.rand(n, generator=generator) + 0.1,
        evidence=normal(n, EVIDENCE),
        up=torch.nn.functional.normalize(normal(b, 3), dim=-1),
    )


def random_dit(config: DiTConfig = TINY, seed: int = 0) -> PoseDiT:
    """A model in which no gate is closed."""
    dit = PoseDiT(config, **SIZES)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in dit.named_parameters():
            matrix = parameter.ndim == 2 and "table" not in name
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * parameter.shape[-1] ** -0.5 if matrix else parameter + 0.4 * noise)
    return dit


def reordered(features: Features, order: torch.Tensor) -> Features:
    """The objects in another order (N,) of rows, every one still in its scene."""
    new_row = order.argsort()  # (N,) of every old row
    rows = {k: v[order] for k, v in vars(features).items() if isinstance(v, torch.Tensor) and k not in OF_SCENES}
    return replace(features, **rows, scene_owner=new_row[features.scene_owner])


def one_scene(features: Features, b: int) -> Features:
    """Scene ``b`` alone."""
    rows = (features.layout.scene == b).nonzero()[:, 0]  # (n,)
    tensors = {k: v for k, v in vars(features).items() if isinstance(v, torch.Tensor)}
    cut = {k: v[b : b + 1] if k in OF_SCENES else v[rows] for k, v in tensors.items()}
    return replace(features, **cut | {"layout": Layout.of([len(rows)]), "scene_owner": cut["scene_owner"] - rows[0]})
