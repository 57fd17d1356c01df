"""Imperfect shapes: they stand where they coincide best, normals go with them, and frames change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from few_objects import few_bank, nearest
from scipy.spatial.transform import Rotation

from scenemaker.pose.dit.pictures import PosePictures
from scenemaker.pose.dit.types import Layout
from scenemaker.training.data.augment_shapes import ShapeAugment, reframed, worse_shapes
from scenemaker.training.data.chance import Chance
from scenemaker.training.data.deform import clustered, stretched, warped, without_similarity
from scenemaker.training.data.missing import relief, without_parts
from scenemaker.training.data.posed import Posed

CORNER, BRICK, CONE, BALL = range(4)
F64 = torch.float64


def posed_of(rows: list[int], dtype: torch.dtype = torch.float32) -> Posed:
    """One picture (of no use) of some objects at random poses some way before the camera."""
    bank, chance, N = few_bank(), Chance("cpu", "poses", *rows), len(rows)
    pictures = PosePictures(
        layout=Layout.of([N]),
        points_cam=torch.zeros(1, 3, 5, 3),
        labels=torch.zeros(1, 3, 5, dtype=torch.int64),
        K=torch.eye(3)[None],
        up=torch.zeros(1, 3),
        geometry=bank.points_obj[rows].to(dtype),
    )
    return Posed(
        pictures=pictures,
        R=torch.from_numpy(Rotation.random(N, random_state=0).as_matrix()).to(dtype),
        t=(0.3 * chance.normal(N, 3) + torch.tensor([0.0, 0.0, 3.0])).to(dtype),
        s=chance.uniform(0.5, 1.5, N).to(dtype),
        symmetries=bank.symmetries[rows].to(dtype),
        axis=bank.axis[rows].to(dtype),
        pivot=bank.pivot[rows].to(dtype),
        visible_fraction=torch.ones(N),
    )


def test_another_frame_changes_no_placed_point() -> None:
    before = posed_of([CORNER, BRICK, CONE, BALL, CORNER], F64)
    Q = torch.from_numpy(Rotation.random(5, random_state=3).as_matrix())
    after = reframed(before, Q, torch.tensor([1.0, 1, 1.01, 1, 1.005]))
    assert (after.placed - before.placed).abs().max() < 1e-12
    normals = [p.pictures.geometry[..., 3:] @ p.R.mT for p in (before, after)]
    assert torch.allclose(*normals, atol=1e-12)
    p = after.pictures.geometry[..., :3]
    low, high = p.amin(1), p.amax(1)
    assert (low + high).abs().max() < 1e-12, "centred on its box"
    longest = (high - low).amax(-1)
    assert torch.allclose(longest, 1 / torch.tensor([1.0, 1, 1.01, 1, 1.005], dtype=F64))
    pivots = [(p.R @ (p.s[:, None] * p.pivot)[..., None])[..., 0] + p.t for p in (before, after)]
    assert torch.allclose(*pivots, atol=1e-6)  # a bank's numbers are float32
    axes = [(p.R @ p.axis[..., None])[..., 0] for p in (before, after)]
    assert torch.allclose(*axes, atol=1e-6)
    turned = [p.R[:, None] @ p.symmetries @ p.R[:, None].mT for p in (before, after)]  # about axes of `cam`
    assert torch.allclose(*turned, atol=1e-6)


def test_float32_is_exact_enough() -> None:
    before = posed_of([CORNER, BRICK, CONE, BALL])
    after = worse_shapes(before, ShapeAugment(exact=1, turn=1), Chance("cpu", 1))
    assert not torch.allclose(after.R, before.R, atol=0.1)
    assert (after.placed - before.placed).abs().max() < 2e-6


def test_nothing_asked_for_changes_nothing() -> None:
    before = posed_of([CORNER])
    assert worse_shapes(before, ShapeAugment.none(), Chance("cpu", 0)) is before


@pytest.mark.parametrize("kind", ["stretched", "warped"])
def test_normals_go_with_the_surface(kind: str) -> None:
    """Against the cross product of two short steps along the surface, moved by the same map."""
    bank, e = few_bank(), 1e-5
    p, n = bank.points_obj[[CORNER, BALL], :300].double().split(3, -1)
    helper = torch.eye(3, dtype=F64)[n.abs().argmin(-1)]
    a = torch.nn.functional.normalize(torch.linalg.cross(n, helper), dim=-1)
    b = torch.linalg.cross(n, a)
    geometry = torch.cat([torch.cat([x, n], -1) for x in (p, p + e * a, p + e * b)], 1)
    if kind == "stretched":
        moved = stretched(geometry, torch.tensor([[0.7, 1.2, 1.0], [1.5, 1.0, 0.6]], dtype=F64))
    else:
        moved = warped(geometry, torch.tensor([0.1, 0.05], dtype=F64), Chance("cpu", 5, dtype=F64))
    q, q_a, q_b = moved[..., :3].split(300, 1)
    true = torch.nn.functional.normalize(torch.linalg.cross(q_a - q, q_b - q), dim=-1)
    found = moved[:, :300, 3:]
    assert ((true * n).sum(-1) > 0).all()
    assert (true - found).abs().max() < 1e-3
    assert (true - n).norm(dim=-1).mean() > 0.03, "normals did change"


def test_warps_are_as_large_as_asked_and_smooth() -> None:
    geometry = few_bank().points_obj[[CORNER, BALL]]
    moved = warped(geometry, torch.tensor([0.03, 0.01]), Chance("cpu", 0))
    shift = (moved - geometry)[..., :3]
    assert torch.allclose(shift.square().sum(-1).mean(1).sqrt(), torch.tensor([0.03, 0.01]), rtol=1e-3)
    p = geometry[..., :3]
    near = torch.cdist(p, p) < 0.05
    apart = torch.cdist(shift, shift)
    assert apart[near].max() < 0.03, "neighbours move alike"


def test_similarities_are_undone() -> None:
    true = few_bank().points_obj[[CORNER, BRICK, CONE]].double()
    R = torch.from_numpy(Rotation.random(3, random_state=1).as_matrix())
    shift, scale = torch.randn(3, 1, 3, dtype=F64), torch.tensor([0.5, 3.0, 1.0])[:, None, None]
    moved = torch.cat([scale * true[..., :3] @ R.mT + shift, true[..., 3:] @ R.mT], -1)
    assert torch.allclose(without_similarity(moved, true[..., :3]), true, atol=1e-9)


def test_what_is_left_cannot_be_placed_better() -> None:
    """Any small similarity of the imperfect points lies farther from the true ones."""
    geometry = few_bank().points_obj[[CORNER, CONE]].double()
    true = geometry[..., :3]
    bent = warped(stretched(geometry, torch.tensor([[1.1, 0.92, 1.0]], dtype=F64).expand(2, 3)),
                  torch.tensor([0.03, 0.03]), Chance("cpu", 8, dtype=F64))  # fmt: skip
    best = without_similarity(bent, true)[..., :3]
    error = (best - true).square().sum((1, 2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        R = torch.from_numpy(Rotation.from_rotvec(0.01 * rng.normal(size=3)).as_matrix())
        other = (1 + 0.01 * rng.normal()) * best @ R.mT + torch.from_numpy(0.005 * rng.normal(size=3))
        assert ((other - true).square().sum((1, 2)) > error).all()


def test_imperfect_shapes_stand_where_the_true_ones_do() -> None:
    rows = [CORNER, BRICK, CONE, BALL] * 8
    before = posed_of(rows)
    config = ShapeAugment(exact=0, turn=1, relief=0, missing=0)
    after = worse_shapes(before, config, Chance("cpu", 2))
    off = (after.placed - before.placed).norm(dim=-1) / before.s[:, None]  # (N, Q) point by point
    assert off.mean() < 0.05
    assert off.mean() > 0.01, "they are imperfect"
    shift = (after.placed - before.placed).mean(1).norm(dim=-1) / before.s
    assert shift.max() < 0.01, "no bias"  # decimation and noise come after the fit


def test_decimation_makes_clusters() -> None:
    geometry = few_bank().points_obj[[CORNER, BALL, CONE]]
    moved = clustered(geometry, Chance("cpu", 0))
    assert (moved - geometry)[..., :3].norm(dim=-1).max() < 3**0.5 / 8, "no farther than the diagonal of a cell"
    assert torch.allclose(moved[..., 3:].norm(dim=-1), torch.ones(3, 2048), atol=1e-4)
    spacing = [torch.cdist(g[..., :3], g[..., :3]).kthvalue(2, dim=-1).values.mean() for g in (geometry, moved)]
    assert spacing[1] < 0.8 * spacing[0]


def test_parts_are_missing_as_drawn() -> None:
    geometry = few_bank().points_obj[[CORNER, BALL] * 20]
    left = without_parts(geometry, 0.4, Chance("cpu", 4))
    shares = []
    for g, found in zip(geometry, left, strict=True):
        known = {tuple(row) for row in g.tolist()}
        kept = {tuple(row) for row in found.tolist()}
        assert kept <= known, "no point is new"
        gone = torch.tensor(sorted(known - kept))[:, :3]
        rest = torch.tensor(sorted(kept))[:, :3]
        shares.append(len(gone) / len(g))
        if shares[-1] > 0.1:  # what is gone lies together: the nearest other point of most is gone as well
            apart = torch.cdist(gone, torch.cat([gone, rest])) + 9.0 * torch.eye(len(gone), len(gone) + len(rest))
            assert (apart.argmin(1) < len(gone)).float().mean() > 0.8
    # some kept points are not drawn again: the share is at most 0.4 and those
    assert 0.1 < np.mean(shares) < 0.45


def test_a_relief_is_the_seen_side_with_a_back() -> None:
    geometry = few_bank().points_obj[[CORNER, CONE, BALL]]
    view = torch.nn.functional.normalize(torch.tensor([[0.3, -0.5, 1.0], [1, -0.2, 0], [0, 0, 1]]), dim=-1)
    made = relief(geometry, view, Chance("cpu", 0))
    p, q = geometry[..., :3], made[..., :3]
    new = nearest(q, p) > 1e-3  # the back's
    assert 0.2 < new.float().mean() < 0.6
    depth = (q * view[:, None]).sum(-1)
    facing = (made[..., 3:] * view[:, None]).sum(-1)
    assert facing[BALL - 1][new[2]].min() > -1e-6, "the back looks away from the camera"
    assert depth[2][~new[2]].max() < 0.12, "of a ball only the near half stays"
    ball = (p[2] * view[2]).sum(-1)
    assert ball.max() > 0.49
    flat_q, flat_p = (x - (x * view[:, None]).sum(-1, keepdim=True) * view[:, None] for x in (q, p))
    before = (p * view[:, None]).sum(-1)[:, None] < depth[..., None] - 1e-4  # (3, Q, Q) old points nearer than new ones
    covered = ((torch.cdist(flat_q, flat_p) < 2e-3) & before).any(-1)
    assert covered[new].all(), "the back lies behind points of the front: the outline is the same"
    assert (depth[0][new[0]].amin() > depth[0].amin()).all()


def test_symmetries_stay_but_for_reliefs() -> None:
    before = posed_of([BRICK, CONE] * 30)
    after = worse_shapes(before, ShapeAugment(exact=0, relief=0.5), Chance("cpu", 6))
    lost = ((after.symmetries - torch.eye(3)).abs() < 1e-5).flatten(1).all(1) & (after.axis == 0).all(1)
    assert 0.3 < lost.float().mean() < 0.7
    same = after.R[:, None] @ after.symmetries @ after.R[:, None].mT
    true = before.R[:, None] @ before.symmetries @ before.R[:, None].mT
    assert torch.allclose(same[~lost], true[~lost], atol=1e-5)
    assert torch.allclose(after.axis[~lost].norm(dim=-1), before.axis[~lost].norm(dim=-1), atol=1e-5)


def test_equal_chance_gives_equal_shapes() -> None:
    before = posed_of([CORNER, BRICK, CONE, BALL] * 4)
    made = [worse_shapes(before, ShapeAugment(), Chance("cpu", seed)) for seed in (1, 1, 2)]
    for name in ("R", "t", "s", "pivot"):
        assert torch.equal(getattr(made[0], name), getattr(made[1], name))
    assert torch.equal(made[0].pictures.geometry, made[1].pictures.geometry)
    assert not torch.equal(made[0].pictures.geometry, made[2].pictures.geometry)
    assert torch.isfinite(made[0].pictures.geometry).all()
    assert torch.allclose(made[0].pictures.geometry[..., 3:].norm(dim=-1), torch.ones(16, 2048), atol=1e-3)
    with_less = worse_shapes(replace(before, s=2 * before.s), ShapeAugment(), Chance("cpu", 1))
    assert torch.allclose(with_less.s, 2 * made[0].s, rtol=1e-5), "shapes do not depend on how large they are placed"
