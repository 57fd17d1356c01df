"""Scenes of splats as batches: targets place shapes on what is seen, batches are functions of the step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from few_objects import few_bank

from scenemaker.data.render.splats import SplatBatch, SplatConfig, SplatSource
from scenemaker.errors import InputError, PlacementError
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.types import PoseBatch
from scenemaker.training.data.augment import Augment
from scenemaker.training.data.augment_pictures import PictureAugment
from scenemaker.training.data.augment_shapes import ShapeAugment
from scenemaker.training.data.posed import LEAST_PX, pixel_counts
from scenemaker.training.data.splat_poses import SplatPoses

TINY = CONFIGS["tiny"]
SPLATS = SplatConfig(width=80, height=60, points=1024, observed=0, count=(1, 4), tilted=0.3, stacked=0.2)
MANY = TINY.model_copy(update={"geometry": TINY.geometry.model_copy(update={"points": 2048})})


def source(augment: Augment | None = None, **options: object) -> SplatPoses:
    return SplatPoses(few_bank(), SPLATS, MANY, augment or Augment(), **options)  # type: ignore[arg-type]


def placed(batch: PoseBatch) -> torch.Tensor:
    """(N, Q, 3) shapes in ``scene`` where the targets put them."""
    target = batch.target
    return target.s[:, None, None] * batch.inputs.geometry[..., :3] @ target.R.mT + target.t[:, None]


def clouds(batch: PoseBatch) -> list[torch.Tensor]:
    """Observed points (P, 3) of every object in ``scene``."""
    inputs = batch.inputs
    rows = zip(inputs.cloud, inputs.cloud_count, inputs.centre, inputs.radius, strict=True)
    return [cloud[:count] * radius + centre for cloud, count, centre, radius in rows]


def distances(batch: PoseBatch) -> torch.Tensor:
    """(T,) of all observed points to the planes of the nearest points of the placed shapes, in longest sides."""
    shapes, normals, out = placed(batch), batch.inputs.geometry[..., 3:] @ batch.target.R.mT, []
    for cloud, p, n, s in zip(clouds(batch), shapes, normals, batch.target.s, strict=True):
        at = torch.cdist(cloud, p).argmin(-1)
        out.append(((cloud - p[at]) * n[at]).sum(-1).abs() / s)
    return torch.cat(out)


def test_targets_place_shapes_on_the_masks() -> None:
    """Shapes placed in ``scene``, brought to ``cam`` and projected again fall on the labels and cover them."""
    made = source(Augment.none())
    posed = made.posed(3, 16)
    batch = posed.batch(MANY, torch.Generator().manual_seed(0))
    frame, scene = batch.inputs.frame, batch.inputs.layout.scene
    p_cam = frame.k[scene, None, None] * placed(batch) + frame.c[scene, None]
    p = torch.einsum("nij,nqj->nqi", posed.pictures.K[scene], p_cam / p_cam[..., 2:])[..., :2]
    pictures, ious = posed.pictures, []
    alone = (posed.visible_fraction == 1).nonzero()[:, 0].tolist()
    for i in alone:
        u, v = p[i].floor().long().unbind(-1)
        drawn = torch.zeros(60, 80, dtype=torch.bool)
        drawn[v.clamp(0, 59), u.clamp(0, 79)] = True
        drawn = torch.nn.functional.max_pool2d(drawn[None].float(), 3, 1, 1)[0] > 0  # closes gaps
        mask = pictures.labels[scene[i]] == pictures.layout.index[i] + 1
        mask_wide = torch.nn.functional.max_pool2d(mask[None].float(), 3, 1, 1)[0] > 0
        ious.append(float((drawn & mask_wide).sum() / (drawn | mask_wide).sum()))
    assert len(ious) > 10
    assert np.mean(ious) > 0.93
    assert min(ious) > 0.8


def test_observed_points_lie_on_the_placed_shapes() -> None:
    exact = distances(source(Augment.none()).batch(0, 16))
    assert exact.median() < 0.018
    assert exact.quantile(0.95) < 0.07


@pytest.mark.parametrize(
    ("pictures", "shapes", "median"),
    [
        ({"border": 0.8, "occluders": 0.8, "shuffle": True}, {}, 0.018),
        ({"relative": 1.0, "drop_up": 0.5}, {}, 0.018),
        ({"complete": 0.7, "cloud_noise": 0.0}, {}, 0.018),
        ({}, {"turn": 1.0}, 0.018),
        ({"clean": 0.0, "noise": (0.3, 1.0), "flying": 0.3}, {}, 0.03),
        ({}, {"exact": 0.0, "turn": 1.0, "stretch": 0.1, "warp": 0.03, "coarse": 0.3, "jitter": 0.005}, 0.03),
        ({}, {"exact": 0.0, "relief": 1.0}, 0.018),
    ],
)
def test_so_they_do_when_made_worse(pictures: dict, shapes: dict, median: float) -> None:
    augment = Augment(
        pictures=PictureAugment.none().model_copy(update=pictures),
        shapes=ShapeAugment.none().model_copy(update=shapes),
    )
    assert distances(source(augment).batch(1, 16)).median() < median


def test_everything_at_once_is_finite() -> None:
    batch = source().batch(5, 24)
    for name, value in vars(batch.inputs).items():
        if isinstance(value, torch.Tensor) and name != "picture_xyz":
            assert torch.isfinite(value.float()).all(), name
    for value in vars(batch.target).values():
        assert torch.isfinite(value).all()
    assert distances(batch).median() < 0.04
    R = batch.target.R
    assert torch.allclose(R @ R.mT, torch.eye(3).expand_as(R), atol=1e-4)


def test_every_batch_has_the_same_numbers_of_objects() -> None:
    made = source()
    layouts = [made.posed(step, 10).pictures.layout.counts for step in range(4)]
    assert all(sorted(counts) == [1, 1, 1, 2, 2, 2, 3, 3, 4, 4] for counts in layouts)
    assert len(set(layouts)) > 1


def test_batches_are_functions_of_the_step() -> None:
    made = source(seed=3)
    first = [made.batch(step, 8) for step in (0, 1)]
    again = source(seed=3).batch(1, 8)  # without the step before
    assert torch.equal(again.inputs.cloud, first[1].inputs.cloud)
    assert torch.equal(again.inputs.geometry, first[1].inputs.geometry)
    assert torch.equal(again.target.t, first[1].target.t)
    others = [first[0], source(seed=4).batch(1, 8), source(seed=3, rank=1).batch(1, 8)]
    assert all(not torch.equal(again.target.t, other.target.t) for other in others)


def test_every_object_is_seen() -> None:
    """Crowded small pictures, in which some would be hidden."""
    crowd = SplatConfig(width=48, height=36, points=512, observed=0, count=(4, 5), elevation_deg=(2.0, 8.0))
    made = SplatPoses(few_bank(), crowd, TINY, Augment.none())
    hidden = 0
    for step in range(4):
        posed = made.posed(step, 24)
        assert pixel_counts(posed.pictures.labels, posed.pictures.layout).min() >= LEAST_PX
        hidden += 24 - len({tuple(t) for t in posed.t[posed.pictures.layout.index == 0].tolist()})
    assert hidden > 0, "some scenes had to be replaced"
    with pytest.raises(PlacementError, match=r"expected objects that are seen; got 20 batches of 3 scenes"):
        SplatPoses(few_bank(), crowd.model_copy(update={"width": 8, "height": 8}), TINY, Augment.none()).batch(0, 3)


def test_what_is_held_out_never_appears() -> None:
    train, held = few_bank().split(["two_pack"])
    cone = held.points_obj[0, :, :3]
    made = SplatPoses(train, SPLATS, MANY, Augment.none())
    for step in range(3):
        geometry = made.posed(step, 12).pictures.geometry[..., :3]
        assert torch.cdist(geometry[:, :50], cone[None]).amin(-1).amax(1).min() > 0.05


def test_shapes_are_other_points_than_those_that_are_splatted() -> None:
    posed = SplatPoses(few_bank(), SPLATS, TINY, Augment.none()).posed(0, 8)  # 256 of the last 1024
    splatted = {tuple(p) for row in few_bank().points_obj[:, :1024] for p in row.tolist()}
    given = {tuple(p) for row in posed.pictures.geometry for p in row.tolist()}
    assert posed.pictures.geometry.shape[1] == 256
    assert not splatted & given


@pytest.mark.parametrize("points", [4096, 3072, 2560, 2048])
def test_a_larger_bank_keeps_given_and_splatted_points_apart(points: int) -> None:
    """2048 given and 1024 splatted; a bank of fewer than both has some that are both."""
    posed = SplatPoses(few_bank(points), SPLATS, MANY, Augment.none()).posed(0, 4)
    bank = few_bank(points).points_obj[:, :, :3]
    rows = {tuple(p): j for row in bank for j, p in enumerate(row.tolist())}
    given = [rows[tuple(p)] for p in posed.pictures.geometry[0, :, :3].tolist()]
    assert len(set(given)) == 2048
    assert sum(j < 1024 for j in given) == max(0, 3072 - points)
    others = [] if posed.spare is None else [rows[tuple(p)] for p in posed.spare[0, :, :3].tolist()]
    assert not set(given) & set(others)
    assert len(set(others)) == points - 2048


def test_pictures_of_several_widths() -> None:
    made = source(Augment.none(), widths=(80, 120, 200), ground=0.0)
    sizes = set()
    for step in range(3):
        posed, small = made.posed(step, 6), source(Augment.none(), ground=0.0).posed(step, 6)
        labels = posed.pictures.labels
        sizes.add(labels.shape[1:])
        assert torch.allclose(posed.t, small.t, atol=1e-5), "one scene"
        again = torch.nn.functional.interpolate(labels[:, None].float(), size=(60, 80), mode="nearest-exact")[:, 0]
        both = (again > 0) & (small.pictures.labels > 0)
        either = (again > 0) | (small.pictures.labels > 0)
        assert both.sum() / either.sum() > 0.88, "without gaps; masks of larger pixels reach farther"
        assert distances(posed.batch(MANY, torch.Generator().manual_seed(0))).median() < 0.018
    assert sizes == {(60, 80), (90, 120), (150, 200)}
    assert source(Augment.none()).posed(0, 2).pictures.labels.shape[1:] == (60, 80)


def test_ground_is_where_the_objects_stand() -> None:
    made = source(Augment.none(), ground=1.0)
    posed = made.posed(0, 12)
    pictures, placed_cam = posed.pictures, posed.placed
    for b in range(12):
        up = pictures.up[b]
        background = pictures.points_cam[b][pictures.labels[b] == 0]
        background = background[background.isfinite().all(-1)]
        lowest = (placed_cam[pictures.layout.scene == b] @ up).min()
        assert ((background @ up) - lowest).abs().max() < 0.02
    assert source(Augment.none(), ground=0.0).posed(0, 4).pictures.points_cam[..., 2].isnan().any()


def test_pictures_and_bank_must_fit() -> None:
    with pytest.raises(InputError, match="expected 4096 points per object; got 2048; make a larger bank"):
        SplatPoses(few_bank(), SPLATS.model_copy(update={"points": 4096}), TINY)


def splat_batch(**config: object) -> SplatBatch:
    base = {"points": 512, "observed": 0, "count": (4, 4)}
    return SplatSource(few_bank(), SplatConfig(**{**base, **config})).make(64, torch.Generator().manual_seed(0))


def test_centred_masks_end_where_the_object_does() -> None:
    """A sheet 62.2 pixels wide about (40, 36): the centres from 9.5 to 70.5 are inside; and depth of a slope."""
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, 64), torch.linspace(-0.5, 0.5, 64), indexing="ij")
    K = torch.tensor([[[62.2, 0, 40], [0, 62.2, 36], [0, 0, 1]]])
    made = SplatSource(few_bank(), SplatConfig(points=512, width=80, height=72, centred=True))
    sheet = torch.stack([x, y, torch.ones_like(x)], -1).reshape(1, 1, -1, 3)
    depth, labels, _ = made._splat(sheet, torch.ones(1, 1, dtype=torch.bool), K)
    rows, columns = torch.nonzero(labels[0] == 1).unbind(1)
    assert (int(columns.min()), int(columns.max())) == (9, 70)
    assert (int(rows.min()), int(rows.max())) == (5, 66)
    assert len(rows) == 62 * 62, "no gap"
    slope = sheet * torch.tensor([1.0, 1.0, 0.0]) + torch.stack([x * 0, y * 0, 2 + x], -1).reshape(1, 1, -1, 3)
    depth, labels, _ = made._splat(slope, torch.ones(1, 1, dtype=torch.bool), K)
    u = torch.arange(80) + 0.5
    true = (2 / (1 - (u - 40) / 62.2)).expand(72, 80)  # of the plane z = 2 + x along the ray of each pixel
    off = (depth[0] - true)[labels[0] == 1]
    assert off.abs().median() < 0.012
    assert off.abs().max() < 0.05


def test_stacked_objects_stand_on_the_one_before() -> None:
    made = splat_batch(stacked=1.0, upright=1.0)
    p = made.scale[..., None, None] * made.points_obj[..., :3] @ made.R_cam_obj.mT + made.t_cam_obj[:, :, None]
    height = (p @ made.up_cam[:, None, :, None])[..., 0]  # (B, n, P)
    low, high = height.amin(-1), height.amax(-1)
    assert (low[:, 1:] > low[:, :-1] + 0.01).all()
    assert (low[:, 1:] <= high[:, :-1] + 1e-4).all(), "no higher than its top"
    across = made.t_cam_obj - (made.t_cam_obj @ made.up_cam[..., None]) * made.up_cam[:, None]
    shift = (across[:, 1:] - across[:, :-1]).norm(dim=-1)
    assert (shift <= 0.31 * made.scale[:, :-1]).all()


def test_tilted_objects() -> None:
    made = splat_batch(upright=1.0, tilted=0.5, tilt_deg=20.0)
    angle = torch.rad2deg(torch.arccos((made.R_cam_obj[..., 1] * made.up_cam[:, None]).sum(-1).clamp(-1, 1)))
    assert 0.4 < (angle > 0.1).float().mean() < 0.6
    assert angle.max() < 20.1
    R = made.R_cam_obj
    assert torch.allclose(R @ R.mT, torch.eye(3).expand_as(R), atol=1e-5)


def test_counts_that_are_asked_for() -> None:
    splats = SplatSource(few_bank(), SplatConfig(points=512, count=(1, 3)))
    made = splats.make(4, torch.Generator().manual_seed(0), counts=[3, 1, 2, 3])
    assert made.present.sum(1).tolist() == [3, 1, 2, 3]
    with pytest.raises(InputError) as error:
        splats.make(2, torch.Generator(), counts=[1, 4])
    assert str(error.value) == ("expected 2 numbers of objects from 1 to 3; got [1, 4]; change them or the config")
