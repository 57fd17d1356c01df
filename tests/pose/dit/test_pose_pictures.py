"""Pictures as inputs: against plain slow twins, and what a bad object does to the others (nothing)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from scenemaker.errors import InputError, ShapeError
from scenemaker.pose.dit.config import CONFIGS, PointsConfig, PoseModelConfig
from scenemaker.pose.dit.pictures import PosePictures, join_inputs, make_inputs
from scenemaker.pose.dit.pose_model import PoseModel
from scenemaker.pose.dit.sampler import noise_for, sample
from scenemaker.pose.dit.types import Layout, PoseInputs

H, W, F_PX = 30, 44, 40.0
TINY = CONFIGS["tiny"]
ALL = TINY.model_copy(update={"points": TINY.points.model_copy(update={"points": 2000})})  # keeps every point


def _pictures(counts: list[int], *, seed: int = 0, height: int = H, width: int = W) -> PosePictures:
    """Discs bulging at the camera, the later ones in front; no points beside them."""
    g = torch.Generator().manual_seed(seed)
    B, N = len(counts), sum(counts)
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    K = torch.tensor([[F_PX, 0, width / 2], [0, F_PX, height / 2], [0, 0, 1]])
    rays = torch.stack([(u - width / 2) / F_PX, (v - height / 2) / F_PX, torch.ones_like(u)], -1)
    labels, points = torch.zeros(B, height, width, dtype=torch.int64), torch.full((B, height, width, 3), torch.nan)
    for b, n in enumerate(counts):
        for i in range(n):
            at = (i + 0.5) / n * width, (0.3 + 0.4 * torch.rand(1, generator=g).item()) * height
            d2 = ((u - at[0]) ** 2 + (v - at[1]) ** 2) / (0.7 * width / (n + 1)) ** 2
            labels[b][d2 < 1] = i + 1
            points[b][d2 < 1] = (rays * (3 - 0.1 * i - 0.3 * (1 - d2).clamp_min(0).sqrt())[..., None])[d2 < 1]
    return PosePictures(
        layout=Layout.of(counts),
        points_cam=points,
        labels=labels,
        K=K.expand(B, 3, 3),
        up=torch.tensor([0.0, -1, 0]).expand(B, 3),
        geometry=torch.randn(N, TINY.geometry.points, 6, generator=g),
        rgb=torch.rand(B, 3, height, width, generator=g),
    )


def _make(pictures: PosePictures, config: PoseModelConfig = TINY, seed: int = 0) -> PoseInputs:
    return make_inputs(pictures, config, torch.Generator().manual_seed(seed))


def _edited(pictures: PosePictures, edit: Callable[[Tensor, Tensor], object]) -> PosePictures:
    """With points_cam (B, H, W, 3) and labels (B, H, W) changed in place of copies."""
    points, labels = pictures.points_cam.clone(), pictures.labels.clone()
    edit(points, labels)
    return replace(pictures, points_cam=points, labels=labels)


def _without_depth(pictures: PosePictures, label: int) -> PosePictures:
    return _edited(pictures, lambda points, labels: points.__setitem__(labels == label, torch.nan))


def _with_px(px: int) -> PoseModelConfig:
    return TINY.model_copy(update={"image": TINY.image.model_copy(update={"px": px})})


def _sorted(cloud: Tensor) -> Tensor:
    return cloud[cloud[:, 0].argsort()]


def _least_distances(points: Tensor, cloud: Tensor) -> Tensor:
    """From each of points (n, 3) to its nearest in a cloud (m, 3), exactly."""
    return (points[:, None].double() - cloud.double()).norm(dim=-1).amin(1)


def _finite(inputs: PoseInputs) -> bool:
    values = (getattr(inputs, f.name) for f in fields(inputs) if f.name not in ("layout", "frame", "picture_xyz"))
    return all(bool(value.isfinite().all()) for value in values)


def test_shapes_and_types_are_those_of_the_contract() -> None:
    inputs, S = _make(_pictures([2, 1, 3])), TINY.image.px
    shapes = {
        "cloud": (6, 64, 3),
        "cloud_count": (6,),
        "geometry": (6, 256, 6),
        "crop": (6, 6, S, S),
        "picture": (3, 5, S, S),
        "picture_own": (6, S, S),
        "picture_xyz": (3, 3, S, S),
        "scene_cloud": (3, 128, 3),
        "scene_owner": (3, 128),
        "centre": (6, 3),
        "radius": (6,),
        "evidence": (6, 9),
        "up": (3, 3),
    }
    for name, shape in shapes.items():
        value = getattr(inputs, name)
        assert tuple(value.shape) == shape, name
        assert value.dtype == (torch.int64 if name in ("cloud_count", "scene_owner") else torch.float32), name
    assert _finite(inputs)


def test_clouds_are_random_pixels_of_their_own_object_in_its_own_frame() -> None:
    pictures = _pictures([2, 3])
    inputs = _make(pictures)
    frame, of = inputs.frame, inputs.layout.scene
    for row in range(5):
        b, label = int(of[row]), int(inputs.layout.index[row]) + 1
        own = pictures.points_cam[b][pictures.labels[b] == label]
        assert inputs.cloud_count[row] == min(64, len(own))
        cloud = inputs.cloud[row, : inputs.cloud_count[row]]
        p_scene = cloud * inputs.radius[row] + inputs.centre[row]
        p_cam = p_scene * frame.k[b] + frame.c[b]
        assert _least_distances(p_cam, own).max() < 1e-5
        assert len(cloud.unique(dim=0)) == len(cloud)  # none twice
        low, high = (np.quantile(cloud.numpy(), q, axis=0) for q in (1 / 8, 7 / 8))
        np.testing.assert_allclose(low + high, 0, atol=1e-4)


def test_equal_seeds_give_equal_points_and_others_give_others() -> None:
    pictures = _pictures([2])
    assert torch.equal(_make(pictures, seed=1).cloud, _make(pictures, seed=1).cloud)
    assert not torch.equal(_make(pictures, seed=1).cloud, _make(pictures, seed=2).cloud)


def test_the_scene_cloud_shows_every_object_equally_often_as_far_as_it_has_points() -> None:
    pictures = _pictures([3])
    seen = (pictures.labels[0] == 2).nonzero()
    pictures = _edited(pictures, lambda p, of: p[0].__setitem__(tuple(seen[5:].T), torch.nan))
    inputs = _make(pictures)
    owner, count = inputs.scene_owner[0], torch.bincount(inputs.scene_owner[0])
    assert sorted(count.tolist()) == [5, 61, 62]  # of 128
    distance = (inputs.centre * inputs.frame.k + inputs.frame.c).norm(dim=-1)
    assert distance[count == 62] < distance[count == 61]  # the nearer one has one more
    assert (owner.diff() != 0).sum() == 2  # side by side
    p_scene = inputs.scene_cloud[0]
    for row in range(3):
        own = pictures.points_cam[0][pictures.labels[0] == row + 1]
        own = (own[own.isfinite().all(-1)] - inputs.frame.c) / inputs.frame.k
        assert _least_distances(p_scene[owner == row], own).max() < 1e-5
    few = _edited(pictures, lambda p, of: p.__setitem__(of != 2, torch.nan))
    few = replace(few, labels=(few.labels == 2).long(), layout=Layout.of([1]), geometry=few.geometry[:1])
    again = _make(few)
    assert len(again.scene_cloud[0].unique(dim=0)) == 5  # repeated, evenly
    assert np.ptp(np.unique(again.scene_cloud[0].numpy(), axis=0, return_counts=True)[1]) <= 1


# ---------------------------------------------------------------------------------------- crops and pictures


def _slow_crop(pictures: PosePictures, inputs: PoseInputs, row: int, S: int, fine: int) -> np.ndarray:
    """(6, S, S) by loops over places, for pictures without ``other``."""
    b, label = int(inputs.layout.scene[row]), int(inputs.layout.index[row]) + 1
    labels, points, rgb = (v[b].numpy() for v in (pictures.labels, pictures.points_cam, pictures.rgb))  # type: ignore[index]
    k, c = float(inputs.frame.k[b]), inputs.frame.c[b].numpy()
    z0, radius = float(inputs.centre[row, 2]) * k + c[2], float(inputs.radius[row]) * k
    ys, xs = np.nonzero(labels == label)
    x0, x1, y0, y1 = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    side = 1.2 * max(x1 - x0, y1 - y0)
    left, top = (x0 + x1) / 2 - side / 2, (y0 + y1) / 2 - side / 2
    out = np.zeros((6, S, S))
    for i in range(S):
        for j in range(S):
            colour, depth = [], []
            for a in range(fine):
                for d in range(fine):
                    u = int(np.floor(left + (j + (d + 0.5) / fine) * side / S))
                    v = int(np.floor(top + (i + (a + 0.5) / fine) * side / S))
                    if not (0 <= u < labels.shape[1] and 0 <= v < labels.shape[0]):
                        out[4, i, j] += 1 / fine**2
                        continue
                    z = points[v, u, 2]
                    if labels[v, u] == label:
                        out[3, i, j] += 1 / fine**2
                        colour.append(2 * rgb[:, v, u] - 1)
                        depth += [] if np.isnan(z) else [np.clip((z - z0) / radius, -2, 2)]
                    elif labels[v, u] and not z >= z0 + radius:
                        out[4, i, j] += 1 / fine**2
            out[:3, i, j] = np.mean(colour, 0) if colour else 0
            out[5, i, j] = np.mean(depth) if depth else 0
    return out


@pytest.mark.parametrize(("px", "fine"), [(16, 1), (8, 2)])
def test_crops_equal_a_plain_slow_twin(px: int, fine: int) -> None:
    pictures = _pictures([3, 2], seed=4)

    def edit(points: Tensor, labels: Tensor) -> None:
        points[:, ::3] = torch.nan  # rows without depth
        points[:, 16, 1:30:5, 2] = 30  # flying pixels

    pictures = _edited(pictures, edit)
    inputs = _make(pictures, _with_px(px))
    assert inputs.crop[:, 5].amax() == 2
    for row in range(5):
        np.testing.assert_allclose(inputs.crop[row], _slow_crop(pictures, inputs, row, px, fine), atol=2e-5)


def test_what_is_behind_hides_nothing_and_what_is_in_front_beside_or_unknown_may() -> None:
    def at_depth(points: Tensor, labels: Tensor, z: float) -> None:
        labels[0, :, W // 2 :] = 2
        points[0, :, W // 2 :] = torch.tensor([0.1, 0.1, z])

    def alone(pictures: PosePictures, other: Tensor | None) -> Tensor:
        labels = torch.where(pictures.labels == 2, 0, pictures.labels)
        one = replace(pictures, labels=labels, layout=Layout.of([1]), geometry=pictures.geometry[:1], other=other)
        return _make(one).crop[0]

    for z, hides in ((0.5, True), (3.0, True), (50.0, False), (torch.nan, True)):
        pictures = _edited(_pictures([2]), lambda points, labels, z=z: at_depth(points, labels, z))
        crop, free = _make(pictures).crop[0], alone(pictures, None)
        assert bool((crop[4] > free[4]).any()) == hides, z
        assert torch.equal(alone(pictures, pictures.labels == 2), crop)


def test_the_picture_is_padded_not_stretched_and_holds_shares() -> None:
    pictures = _pictures([3, 2])
    inputs, rows = _make(pictures, _with_px(22)), slice(4, 18)  # 2 x 2 pixels each; 7 rows of padding above and below
    assert not inputs.picture[:, :, :3].any()
    assert not inputs.picture[:, :, 19:].any()
    for b in range(2):
        padded = torch.zeros(W, W)
        padded[7:37] = (pictures.labels[b] > 0).float()
        share = padded.view(22, 2, 22, 2).mean((1, 3))
        torch.testing.assert_close(inputs.picture[b, 3], share)
        own = inputs.picture_own[inputs.layout.scene == b]
        torch.testing.assert_close(own.sum(0), share)
        padded[7:37] = (pictures.labels[b] == 2).float()
        torch.testing.assert_close(own[1], padded.view(22, 2, 22, 2).mean((1, 3)))
        rgb = torch.nn.functional.avg_pool2d(2 * pictures.rgb[b, :, 1:29] - 1, 2)  # type: ignore[index]
        torch.testing.assert_close(inputs.picture[b, :3, rows], rgb)
        p_scene = (pictures.points_cam[b] - inputs.frame.c[b]) / inputs.frame.k[b]
        mean = p_scene[1:29].view(14, 2, 22, 2, 3).nanmean((1, 3)).movedim(-1, 0)
        torch.testing.assert_close(inputs.picture_xyz[b, :, rows], mean, equal_nan=True, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(inputs.picture[b, 4], inputs.picture_xyz[b, 2].nan_to_num(nan=0))


def test_points_of_the_background_and_pictures_without_colour() -> None:
    pictures = _pictures([2])
    wall = _edited(pictures, lambda p, of: p.__setitem__(of == 0, torch.tensor([1.0, 2, 3])))
    a, b = _make(pictures), _make(wall)
    for name in ("cloud", "crop", "picture", "scene_cloud"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    grey = _make(replace(pictures, rgb=None))
    assert not grey.crop[:, :3].any()
    assert not grey.picture[:, :3].any()
    assert torch.equal(grey.crop[:, 3:], a.crop[:, 3:])


def test_evidence_tells_ray_radius_cut_sides_and_missing_depth() -> None:
    pictures = _pictures([3])

    def edit(points: Tensor, labels: Tensor) -> None:
        labels[0, [0, -1]], labels[0, :, [0, -1]] = 0, 0
        labels[0, 0, 10] = 1  # top
        labels[0, H - 1, 20], labels[0, 5, 20] = 2, 2  # bottom
        labels[0, 9, 0], labels[0, 9, W - 1] = 3, 3  # left and right
        points[labels == 2] = torch.nan

    inputs = _make(_edited(pictures, edit))
    assert inputs.evidence[:, 4:].tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 1, 1], [1, 0, 1, 0, 0]]
    centre_cam = inputs.centre * inputs.frame.k + inputs.frame.c
    torch.testing.assert_close(inputs.evidence[:, :3], centre_cam / centre_cam.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(inputs.evidence[:, 3], inputs.radius.log())


# ------------------------------------------------------------------------------------------------- many at once


def test_the_order_of_objects_changes_their_order_only() -> None:
    pictures, order = _pictures([3]), torch.tensor([2, 0, 1])
    place = torch.tensor([0, 2, 3, 1])  # old label -> new one
    turned = replace(pictures, labels=place[pictures.labels], geometry=pictures.geometry[order])
    a, b = _make(pictures), _make(turned)
    for name in ("cloud", "cloud_count", "geometry", "crop", "picture_own", "centre", "radius", "evidence"):
        assert torch.equal(getattr(a, name)[order], getattr(b, name)), name
    assert torch.equal(a.frame.k, b.frame.k)
    assert torch.equal(a.picture, b.picture)


MANY_POINTS = TINY.model_copy(  # as many as in `mini`, which keeps every other point of a scene for its patches
    update={"points": PointsConfig(width=32, layers=1, heads=2)}
)


def _permuted(pictures: PosePictures, order: Tensor) -> PosePictures:
    """One picture, with its objects in another order."""
    place = torch.cat([torch.zeros(1, dtype=torch.int64), order.argsort() + 1])  # old label -> new one
    clouds = None if pictures.clouds_cam is None else pictures.clouds_cam[order]
    return replace(pictures, labels=place[pictures.labels], geometry=pictures.geometry[order], clouds_cam=clouds)


def _with_clouds(pictures: PosePictures, points: int = 900) -> PosePictures:
    """Balls of points around the middles of the objects; of the second one only half are there."""
    g, N = torch.Generator().manual_seed(7), len(pictures.geometry)
    middle = torch.stack([pictures.points_cam[pictures.labels == i + 1].nanmean(0) for i in range(N)])
    clouds = middle[:, None] + 0.2 * torch.randn(N, points, 3, generator=g)
    clouds[1, torch.rand(points, generator=g) < 0.5] = torch.nan
    return replace(pictures, clouds_cam=clouds)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_every_object_has_its_share_of_the_scenes_tokens_and_order_does_not_matter(n: int, given: bool) -> None:
    """From pictures to sampled poses."""
    torch.manual_seed(0)
    model = PoseModel(MANY_POINTS).eval()
    for p in model.parameters():
        if not p.any():  # what starts at zero would hide what comes after it
            torch.nn.init.normal_(p, std=0.05)
    pictures, order = _pictures([n], height=90, width=160), torch.arange(n).roll(1)
    order[: n // 2] = order[: n // 2].flip(0)
    pictures = _with_clouds(pictures) if given else pictures

    def sampled(pictures: PosePictures, keys: list[int]) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            features = model.features(_make(pictures, MANY_POINTS))
            return features.scene_owner[0], sample(model.dit, features, noise_for(0, keys, 2), steps=4)

    owner, x = sampled(pictures, list(range(n)))
    tokens = torch.bincount(owner, minlength=n)
    assert tokens.min() >= 128 / n / 3, tokens
    owner_there, x_there = sampled(_permuted(pictures, order), order.tolist())
    assert torch.equal(order[owner_there], owner)
    torch.testing.assert_close(x_there, x[order], atol=1e-5, rtol=0)
    assert (x[0] - x[1]).abs().max() > 0.1


def test_scenes_joined_are_scenes_made_together() -> None:
    together = _pictures([2, 1, 3], seed=5)

    def part(b: slice, rows: slice, counts: list[int]) -> PosePictures:
        maps = {name: getattr(together, name)[b] for name in ("points_cam", "labels", "K", "up", "rgb")}
        return replace(together, layout=Layout.of(counts), geometry=together.geometry[rows], **maps)

    one = _make(together, ALL)
    joined = join_inputs(
        [_make(part(slice(0, 1), slice(0, 2), [2]), ALL), _make(part(slice(1, 3), slice(2, 6), [1, 3]), ALL)]
    )
    assert torch.equal(one.layout.scene, joined.layout.scene)
    for name in ("geometry", "picture_own", "cloud_count", "up", "picture_xyz", "crop", "picture", "centre", "radius"):
        torch.testing.assert_close(getattr(one, name), getattr(joined, name), equal_nan=True, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(one.frame.c, joined.frame.c)
    for row, count in enumerate(one.cloud_count.tolist()):
        torch.testing.assert_close(_sorted(one.cloud[row, :count]), _sorted(joined.cloud[row, :count]))
    assert torch.equal(joined.layout.scene[joined.scene_owner], torch.arange(3)[:, None].expand(3, 128))
    nearest = (joined.scene_cloud - joined.centre[joined.scene_owner]).norm(dim=-1) / joined.radius[joined.scene_owner]
    assert nearest.max() < 1.5  # each by its own object


@pytest.mark.parametrize("n", [1, 40])
def test_one_object_and_forty(n: int) -> None:
    inputs = _make(_pictures([n], height=90, width=320))
    assert _finite(inputs)
    assert inputs.layout.counts == (n,)
    assert (inputs.cloud_count >= 1).all()
    assert len(inputs.scene_owner.unique()) == n


# ------------------------------------------------------------------------------------------------- bad objects


def test_an_object_without_depth_leaves_the_others_as_if_it_were_no_object() -> None:
    pictures = _without_depth(_pictures([4]), 2)
    keep = torch.tensor([0, 2, 3])
    place = torch.tensor([0, 1, 0, 2, 3])
    without = replace(
        pictures,
        labels=place[pictures.labels],
        layout=Layout.of([3]),
        geometry=pictures.geometry[keep],
        other=pictures.labels == 2,
    )
    a, b = _make(pictures), _make(without)
    for name in ("cloud", "cloud_count", "crop", "picture_own", "centre", "radius", "evidence"):
        assert torch.equal(getattr(a, name)[keep], getattr(b, name)), name
    assert torch.equal(a.frame.k, b.frame.k)
    assert torch.equal(a.frame.c, b.frame.c)
    assert torch.equal(a.picture_xyz.nan_to_num(), b.picture_xyz.nan_to_num())
    assert _finite(a)


def test_an_object_without_depth_lies_on_its_rays_at_the_depth_of_the_others() -> None:
    pictures = _pictures([3])
    inputs = _make(_without_depth(pictures, 2))  # 64 of its pixels, from all over the mask
    truth = _make(pictures)
    cam = inputs.centre * inputs.frame.k + inputs.frame.c
    assert cam[1, 2].item() == pytest.approx(inputs.frame.c[0, 2].item(), rel=1e-5)
    torch.testing.assert_close(inputs.evidence[1, :3], truth.evidence[1, :3], atol=0.05, rtol=0)
    assert inputs.radius[1] == pytest.approx(truth.radius[1].item(), rel=0.5)
    assert not inputs.crop[1, 5].any()
    nothing = _make(_edited(pictures, lambda p, of: p.fill_(torch.nan)))
    assert _finite(nothing)
    torch.testing.assert_close((nothing.centre * nothing.frame.k + nothing.frame.c)[:, 2], torch.ones(3))
    assert nothing.evidence[:, 8].tolist() == [1, 1, 1]


def test_an_empty_mask_is_looked_for_in_the_middle() -> None:
    pictures = _pictures([3])
    inputs = _make(_edited(pictures, lambda p, of: of.__setitem__(of == 2, 0)))
    assert _finite(inputs)
    assert inputs.cloud_count[1] == 1
    torch.testing.assert_close(inputs.evidence[1, :3], torch.tensor([0.0, 0, 1]))
    assert inputs.evidence[1, 4:].tolist() == [0, 0, 0, 0, 1]
    assert not inputs.crop[1, [0, 1, 2, 3, 5]].any()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, -3.0, 0.0, 1e12])
def test_points_that_are_none_count_as_unknown(bad: float) -> None:
    pictures = _pictures([2])

    def edit(value: float) -> Callable[[Tensor, Tensor], object]:
        return lambda points, labels: points[0, ::2, :, 2].fill_(value)

    a, b = _make(_edited(pictures, edit(torch.nan))), _make(_edited(pictures, edit(bad)))
    for name in ("cloud", "cloud_count", "crop", "picture", "picture_xyz", "scene_cloud", "centre", "evidence"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=0, atol=0, equal_nan=True)


def test_three_points_are_enough_and_change_nothing_in_the_others() -> None:
    pictures = _pictures([3])
    three = (pictures.labels[0] == 2).nonzero()[::9][:3]

    def edit(points: Tensor, labels: Tensor) -> None:
        keep = points[0, three[:, 0], three[:, 1]].clone()
        points[labels == 2] = torch.nan
        points[0, three[:, 0], three[:, 1]] = keep

    a, b = _make(pictures), _make(_edited(pictures, edit))
    assert b.cloud_count.tolist()[1] == 3
    assert _finite(b)
    for name in ("cloud", "crop"):
        assert torch.equal(getattr(a, name)[[0, 2]], getattr(b, name)[[0, 2]]), name
    assert 0.5 < (b.frame.k / a.frame.k).item() < 2


def test_flying_pixels_are_left_out_and_move_little() -> None:
    pictures = _pictures([3])

    def edit(points: Tensor, labels: Tensor) -> None:
        rows = (labels[0] == 2).nonzero()[::13]
        points[0, rows[:, 0], rows[:, 1]] *= 1e4

    a, b = _make(pictures, ALL), _make(_edited(pictures, edit), ALL)
    assert 0.9 * a.cloud_count[1] < b.cloud_count[1] < a.cloud_count[1]
    assert b.cloud.abs().amax() < 10
    assert b.scene_cloud.abs().amax() < 10
    assert b.picture_xyz.nan_to_num().abs().amax() < 10
    assert ((a.frame.c - b.frame.c).norm() / a.frame.k).item() < 0.05
    assert (b.frame.k / a.frame.k).item() == pytest.approx(1, abs=0.05)


def test_an_object_at_the_end_of_the_world_keeps_all_numbers_finite() -> None:
    pictures = _edited(_pictures([4]), lambda p, of: p.__setitem__(of == 2, p[of == 2] * 1e8))
    inputs = _make(pictures)
    assert _finite(inputs)
    assert 0.3 < inputs.frame.k.item() < 3
    assert inputs.centre[[0, 2, 3]].abs().amax() < 5


# ----------------------------------------------------------------------------------------- clouds of other kinds


def test_given_clouds_replace_the_points_of_pixels() -> None:
    pictures = _pictures([3])
    clouds = torch.full((3, 500, 3), torch.nan)
    clouds[1, 100:400] = torch.tensor([5.0, 6, 7]) + torch.rand(300, 3, generator=torch.Generator().manual_seed(0))
    a, b = _make(pictures), _make(replace(pictures, clouds_cam=clouds))
    assert b.cloud_count.tolist() == [64, 64, 64]
    cam = b.centre * b.frame.k + b.frame.c
    torch.testing.assert_close(cam[1], torch.tensor([5.5, 6.5, 7.5]), atol=0.1, rtol=0)
    assert torch.equal(a.cloud[[0, 2]], b.cloud[[0, 2]])  # theirs are all NaN
    p_cam = b.cloud[1] * (b.radius[1] * b.frame.k) + cam[1]
    assert _least_distances(p_cam, clouds[1, 100:400]).max() < 1e-5
    assert b.evidence[:, 8].tolist() == [0, 0, 0]
    unseen = _make(replace(_without_depth(pictures, 2), clouds_cam=clouds))
    assert unseen.evidence[:, 8].tolist() == [0, 0, 0]


def test_given_clouds_do_not_hang_on_those_of_others() -> None:
    """Not on their order, and not on how many points the longest one has."""
    pictures = _with_clouds(_pictures([3]))
    clouds = pictures.clouds_cam
    assert clouds is not None
    a, order = _make(pictures), torch.tensor([2, 0, 1])
    b = _make(_permuted(pictures, order))
    assert a.cloud_count.tolist() == [64] * 3  # of 900 and about 450
    longer = torch.cat([clouds, torch.full_like(clouds, torch.nan)], 1)
    longer[2, 900:] = clouds[2] + 0.01
    c = _make(replace(pictures, clouds_cam=longer))
    for name in ("cloud", "centre", "radius"):
        assert torch.equal(getattr(a, name)[order], getattr(b, name)), name
    assert torch.equal(a.cloud[:2], c.cloud[:2])
    assert not torch.equal(a.cloud[2], c.cloud[2])
    assert not torch.equal(a.cloud, _make(pictures, seed=1).cloud)  # but they are drawn


def test_wrong_labels_and_shapes_are_told() -> None:
    pictures = _pictures([2, 1])
    wrong = _edited(pictures, lambda p, of: of[1, 0, 0].fill_(2))
    with pytest.raises(InputError) as error:
        _make(wrong)
    text = "expected labels of picture 1 in 0..1; got 2; number the objects 1..n in each picture"
    assert str(error.value) == text
    with pytest.raises(ShapeError) as error:
        replace(pictures, up=torch.zeros(3, 3))
    assert str(error.value) == "expected up of (2, 3); got (3, 3); see PosePictures"
    with pytest.raises(ShapeError) as error:
        replace(pictures, clouds_cam=torch.zeros(2, 7, 3))
    assert str(error.value) == "expected clouds_cam of (3, 7, 3); got (2, 7, 3); see PosePictures"
