"""Point splats: geometry against closed forms and the ray caster."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenemaker.data.render.splats import PointBank, SplatBatch, SplatConfig, SplatSource
from scenemaker.data.types import DataObject
from scenemaker.errors import InputError
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import normalise
from scenemaker.geometry.raycast import RayCaster
from scenemaker.geometry.transforms import similarity
from scenemaker.testing.samples import box_mesh, sphere_mesh

MESHES = {
    "ball": normalise(sphere_mesh((1, 1, 1), (200, 60, 60), n=32))[0],
    "brick": normalise(box_mesh((1.0, 0.4, 0.6), (60, 60, 200)))[0],
    "egg": normalise(sphere_mesh((0.6, 1.0, 0.7), (60, 200, 60), n=32))[0],
}


class Few:
    """A source of three objects."""

    name = "few"

    def draw(self, rng: np.random.Generator) -> str:
        return sorted(MESHES)[int(rng.integers(3))]

    def get(self, key: str) -> DataObject:
        return DataObject(key=key, mesh=MESHES[key])


def make(batch: int = 24, seed: int = 0, **config: object) -> tuple[SplatSource, SplatBatch]:
    bank = PointBank.of(Few(), sorted(MESHES), points=2048)
    source = SplatSource(bank, SplatConfig(**{"points": 2048, **config}))  # type: ignore[arg-type]
    return source, source.make(batch, torch.Generator().manual_seed(seed))


def clouds(b: SplatBatch) -> torch.Tensor:
    """(B, n, P, 3) complete points in ``cam``."""
    p = b.scale[..., None, None] * b.points_obj[..., :3]
    return p @ b.R_cam_obj.transpose(-1, -2) + b.t_cam_obj[:, :, None]


def test_agrees_with_the_ray_caster() -> None:
    source, b = make(12, width=72, height=54, count=(2, 4))
    names, ious, errors = source.bank.keys, [], []
    for s in range(12):
        n = int(b.present[s].sum())
        meshes = [MESHES[names[int(k)]] for k in b.object[s, :n]]
        poses = [similarity(b.R_cam_obj[s, i], b.t_cam_obj[s, i], float(b.scale[s, i])) for i in range(n)]
        drawn = RayCaster(meshes, poses).render(Camera(K=b.K[s].numpy(), width=72, height=54))
        labels, depth = b.labels[s].numpy(), b.depth[s].numpy()
        for i in range(n):
            mine, true = labels == i + 1, drawn.index == i
            if true.sum() > 60:
                ious.append((mine & true).sum() / (mine | true).sum())
        both = (labels == drawn.index + 1) & (labels > 0)
        errors.append(np.abs(depth - drawn.depth)[both] / float(b.scale[s, :n].max()))
    assert np.mean(ious) > 0.85  # a pixel that any point falls into is covered: outlines are half a pixel wide
    assert np.median(np.concatenate(errors)) < 0.015
    assert np.quantile(np.concatenate(errors), 0.9) < 0.06


def test_gaps_between_points_are_closed_and_outlines_are_not_widened() -> None:
    """A sheet of points two pixels apart before a wall of points: whole, and its rim where the points end."""
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, 32), torch.linspace(-0.5, 0.5, 32), indexing="ij")
    sheet = torch.stack([x, y, torch.full_like(x, 0.05)], -1).reshape(-1, 3)
    wall = torch.stack([x, y, torch.full_like(x, -0.45)], -1).reshape(-1, 3)
    p = torch.cat([sheet, wall])
    source = SplatSource(
        PointBank(torch.cat([p, torch.zeros_like(p)], -1)[None]), SplatConfig(points=2048, width=80, height=72)
    )
    K = torch.tensor([[[62.2, 0, 40], [0, 62.2, 36], [0, 0, 1]]])
    p_cam = (p * torch.tensor([1.0, 1.0, -1.0]) + torch.tensor([0.0, 0.0, 1.05]))[None, None]  # the sheet at 1.0
    depth, labels, _ = source._splat(p_cam, torch.ones(1, 1, dtype=torch.bool), K)
    rows, columns = torch.nonzero(labels[0] == 1).unbind(1)
    assert (int(columns.min()), int(columns.max())) == (8, 71)  # 40 +- 31.1
    assert (int(rows.min()), int(rows.max())) == (4, 67)
    assert len(rows) == 64 * 64, "no gap"
    assert torch.allclose(depth[labels == 1], torch.ones(64 * 64)), "no point of the wall behind shows through"


def test_objects_stand_on_one_plane_apart_and_in_the_picture() -> None:
    _, b = make(64, seed=3, count=(2, 5), spacing=1.1)
    p = clouds(b)
    height = (p * b.up_cam[:, None, None]).sum(-1).amin(-1)  # (B, n) of the lowest point along gravity
    for s in range(64):
        n = int(b.present[s].sum())
        assert torch.allclose(height[s, :n], height[s, :1].expand(n), atol=1e-4)
        up = b.up_cam[s]
        flat = p[s, :n] - (p[s, :n] @ up)[..., None] * up
        centre = b.t_cam_obj[s, :n] - (b.t_cam_obj[s, :n] @ up)[:, None] * up
        radius = (flat - centre[:, None]).norm(dim=-1).amax(-1)
        apart = torch.cdist(centre, centre) - 1.1 * (radius[:, None] + radius[None])
        assert apart[~torch.eye(n, dtype=torch.bool)].min() > -1e-4
        u = (b.K[s] @ (p[s, :n] / p[s, :n, :, 2:]).reshape(-1, 3).T)[:2]
        assert u.min() > -1e-3
        assert u[0].max() < 80 + 1e-3
        assert u[1].max() < 60 + 1e-3


def test_rotations_are_rotations_and_some_are_upright() -> None:
    _, b = make(200, count=(3, 3), upright=0.5)
    R = b.R_cam_obj
    assert torch.allclose(R @ R.transpose(-1, -2), torch.eye(3).expand_as(R), atol=1e-5)
    assert torch.allclose(torch.linalg.det(R), torch.ones(200, 3), atol=1e-5)
    upright = ((R[..., 1] * b.up_cam[:, None]).sum(-1) > 1 - 1e-5).float().mean()
    assert 0.43 < upright < 0.57


def test_elevation_is_that_of_the_config() -> None:
    _, b = make(300, count=(1, 1), elevation_deg=(20.0, 40.0))
    elevation = torch.rad2deg(torch.asin(-b.up_cam[:, 2]))
    assert elevation.min() >= 20 - 1e-3
    assert elevation.max() <= 40 + 1e-3
    assert elevation.max() - elevation.min() > 17


def test_observed_points_are_of_their_object() -> None:
    _, b = make(8, count=(2, 3), observed=64)
    p = clouds(b)
    for s, i in torch.nonzero(b.present & (b.visible_fraction > 0)).tolist():
        seen = b.observed_cam[s, i]
        assert seen.isfinite().all()
        u = torch.floor(b.K[s, 0, 0] * seen[:, 0] / seen[:, 2] + b.K[s, 0, 2] - 1e-4).long()
        v = torch.floor(b.K[s, 1, 1] * seen[:, 1] / seen[:, 2] + b.K[s, 1, 2] - 1e-4).long()
        assert (b.labels[s, v, u] == i + 1).all()
        pixel = float(seen[:, 2].mean() / b.K[s, 0, 0])
        assert torch.cdist(seen, p[s, i]).amin(1).max() < 3 * pixel + 0.02
    hidden = ~b.present
    assert b.observed_cam[hidden].isnan().all()


def test_visible_fraction() -> None:
    _, alone = make(16, count=(1, 1))
    assert torch.equal(alone.visible_fraction, torch.ones(16, 1))
    _, crowd = make(64, count=(5, 5), elevation_deg=(5.0, 10.0))
    assert crowd.visible_fraction.min() < 0.5
    assert ((crowd.visible_fraction >= 0) & (crowd.visible_fraction <= 1)).all()
    _, few = make(64, count=(1, 5))
    assert (few.visible_fraction[~few.present] == 0).all()


def test_equal_seeds_give_equal_batches() -> None:
    (_, a), (_, b), (_, c) = make(seed=5), make(seed=5), make(seed=6)
    assert torch.equal(a.depth.nan_to_num(), b.depth.nan_to_num())
    assert torch.equal(a.observed_cam.nan_to_num(), b.observed_cam.nan_to_num())
    assert not torch.equal(a.t_cam_obj, c.t_cam_obj)


def test_too_few_points() -> None:
    with pytest.raises(InputError) as error:
        SplatSource(PointBank(torch.zeros(3, 100, 6)))
    assert str(error.value) == "expected 1024 points per object; got 100; make a larger bank"
    with pytest.raises(InputError, match=r"got \(0, 100, 6\)"):
        PointBank(torch.zeros(0, 100, 6))
