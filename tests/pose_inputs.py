"""Random ``PoseInputs`` and ``PoseBatch`` that obey what ``types.py`` says of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from scenemaker.pose.dit.config import PoseModelConfig
from scenemaker.pose.dit.types import CROP, EVIDENCE, PICTURE, Layout, PoseBatch, PoseInputs, Poses, SceneFrame


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def box_points(extents: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """(N, Q, 6) points and normals on boxes of (N, 3) extents."""
    N = len(extents)
    xyz = torch.rand(N, number, 3, generator=generator) - 0.5
    face = torch.randint(3, (N, number), generator=generator)
    sign = torch.randint(2, (N, number), generator=generator) * 2.0 - 1
    normal = torch.nn.functional.one_hot(face, 3) * sign[..., None]
    return torch.cat([torch.where(normal != 0, normal / 2, xyz) * extents[:, None], normal], -1)


def pose_inputs(config: PoseModelConfig, counts=(2, 1, 3), seed: int = 0) -> PoseInputs:
    """Scenes of so many objects; clouds are ragged, pictures not all known."""
    g = seeded(seed)
    layout = Layout.of(list(counts))
    N, B, S = len(layout.scene), len(counts), config.image.px
    P, M, Q = config.points.points, config.points.scene_points, config.geometry.points
    first = torch.tensor([sum(counts[:b]) for b in range(B)])
    owner = first[:, None] + (torch.rand(B, M, generator=g) * torch.tensor(counts)[:, None]).long()
    xyz = torch.randn(B, 3, S, S, generator=g)
    return PoseInputs(
        layout=layout,
        frame=SceneFrame(k=torch.ones(B), c=torch.zeros(B, 3)),
        cloud=torch.randn(N, P, 3, generator=g) / 2,
        cloud_count=torch.randint(1, P + 1, (N,), generator=g),
        geometry=box_points(0.3 + 0.7 * torch.rand(N, 3, generator=g), Q, g),
        crop=torch.rand(N, CROP, S, S, generator=g) * 2 - 1,
        picture=torch.rand(B, PICTURE, S, S, generator=g) * 2 - 1,
        picture_own=torch.rand(N, S, S, generator=g),
        picture_xyz=torch.where(torch.rand(B, 1, S, S, generator=g) < 0.3, torch.nan, xyz),
        scene_cloud=torch.randn(B, M, 3, generator=g) / 2,
        scene_owner=owner,
        centre=torch.randn(N, 3, generator=g) / 2,
        radius=0.2 + torch.rand(N, generator=g),
        evidence=torch.randn(N, EVIDENCE, generator=g),
        up=normalize(torch.randn(B, 3, generator=g), dim=-1),
    )


def box_scenes(config: PoseModelConfig, counts=(2, 1, 3), seed: int = 0) -> PoseBatch:
    """Scenes of placed boxes, of each of which the half that faces the camera is observed."""
    g = seeded(seed)
    inputs = pose_inputs(config, counts, seed)
    N, P, M = len(inputs.layout.scene), config.points.points, config.points.scene_points
    geometry = box_points(0.3 + 0.7 * torch.rand(N, 3, generator=g), config.geometry.points, g)
    R = torch.linalg.qr(torch.randn(N, 3, 3, generator=g))[0]
    R = R * torch.linalg.det(R)[:, None, None]
    s, t = 0.3 + torch.rand(N, generator=g), torch.randn(N, 3, generator=g) / 2
    placed = s[:, None, None] * geometry[..., :3] @ R.mT + t[:, None]  # (N, Q, 3) in scene
    towards = (geometry[..., 3:] @ R.mT)[..., 2] < 0
    seen = [p[w] for p, w in zip(placed, towards, strict=True)]
    centre = torch.stack([p.mean(0) for p in seen])
    radius = torch.stack([(p - c).norm(dim=-1).mean() for p, c in zip(seen, centre, strict=True)])
    count = torch.tensor([min(P, len(p)) for p in seen])
    cloud = torch.full((N, P, 3), torch.nan)
    for i, p in enumerate(seen):
        cloud[i, : count[i]] = (p[: count[i]] - centre[i]) / radius[i]
    owner = inputs.scene_owner
    first = torch.stack([p[torch.arange(M) % len(p)] for p in seen])  # (N, M, 3)
    scene_cloud = first[owner, torch.arange(M)]  # (B, M, 3)
    made = {f: getattr(inputs, f) for f in ("layout", "frame", "crop", "picture", "picture_own", "picture_xyz", "up")}
    return PoseBatch(
        inputs=PoseInputs(
            **made,
            cloud=cloud,
            cloud_count=count,
            geometry=geometry,
            scene_cloud=scene_cloud,
            scene_owner=owner,
            centre=centre,
            radius=radius,
            evidence=inputs.evidence,
        ),
        target=Poses(R=R, t=t, s=s),
        symmetries=torch.eye(3).expand(N, 1, 3, 3),
        axis=torch.zeros(N, 3),
        pivot=torch.zeros(N, 3),
        visible_fraction=torch.ones(N),
    )
