"""Worse pictures: as much worse as asked for, and still pictures of the same poses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from few_objects import few_bank, nearest
from scipy.spatial import cKDTree

from scenemaker.data.render.splats import SplatConfig
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.masks import owners
from scenemaker.training.data.augment import Augment
from scenemaker.training.data.augment_clouds import complete, flying, holed, noisy, rescaled
from scenemaker.training.data.augment_masks import cropped, occluded, resized
from scenemaker.training.data.augment_pictures import PictureAugment, shuffled, worse_pictures
from scenemaker.training.data.chance import Chance
from scenemaker.training.data.posed import LEAST_PX, Posed, neighbours, pixel_counts, rays
from scenemaker.training.data.splat_poses import SplatPoses

SPLATS = SplatConfig(width=80, height=60, points=1024, observed=0, count=(1, 4))


@cache
def exact(ground: float = 0.5) -> Posed:
    """24 scenes of 1 to 4 objects, in colour."""
    source = SplatPoses(few_bank(), SPLATS, CONFIGS["mini"], Augment.none(), ground=ground)
    posed = source.posed(0, 24)
    rgb = torch.rand(24, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    return replace(posed, pictures=replace(posed.pictures, rgb=rgb))


def counts(posed: Posed) -> torch.Tensor:
    return pixel_counts(posed.pictures.labels, posed.pictures.layout)


def level(value: float) -> torch.Tensor:
    return torch.full((24,), value)


def test_the_pictures_are_right_before_anything_is_made_worse() -> None:
    posed = exact()
    off = distance_to_shape(posed)
    assert off.median() < 0.02
    assert counts(posed).min() >= LEAST_PX


def distance_to_shape(posed: Posed) -> torch.Tensor:
    """(T,) how far the points of all objects' pixels are from their placed shapes, in longest sides."""
    pictures = posed.pictures
    row, placed, out = owners(pictures.labels, pictures.layout), posed.placed, []
    for i in range(len(posed.t)):
        seen = pictures.points_cam[row == i]
        seen = seen[seen.isfinite().all(-1)]
        out.append(nearest(seen, placed[i]) / posed.s[i])
    return torch.cat(out)


def test_windows_cut_and_cameras_go_with_them() -> None:
    before = exact()
    after = cropped(before, 1.0, 0.5, Chance("cpu", 0))
    pictures = after.pictures
    zoom = before.pictures.K[:, 0, 0] / pictures.K[:, 0, 0]
    assert torch.allclose(zoom, before.pictures.K[:, 1, 1] / pictures.K[:, 1, 1])
    changed = zoom < 1
    assert changed.float().mean() > 0.6, "few windows are refused"
    assert zoom.min() >= 0.5
    points = pictures.points_cam
    p = torch.einsum("bij,bhwj->bhwi", pictures.K, points / points[..., 2:])[..., :2]
    v, u = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    off = (p - torch.stack([u, v], -1)).abs().amax(-1)  # (B, H, W) pixels of the window
    assert (off.nan_to_num(nan=0) <= (0.5 / zoom + 1e-3)[:, None, None]).all(), "half a pixel of the picture"
    same = pictures.points_cam[~changed].nan_to_num(nan=-1) == before.pictures.points_cam[~changed].nan_to_num(nan=-1)
    assert same.all()
    assert distance_to_shape(after).median() < 0.02
    touches = torch.stack([pictures.labels[:, [0, -1]].amax((1, 2)), pictures.labels[:, :, [0, -1]].amax((1, 2))]).amax(
        0
    )
    assert (touches[changed] > 0).float().mean() > 0.6, "the border cuts objects"
    kept = counts(after) / (counts(before) / zoom[pictures.layout.scene] ** 2)
    assert kept.min() >= 0.2
    assert counts(after).min() >= LEAST_PX


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_things_hide_as_much_as_asked(share: float) -> None:
    before = exact()
    after = occluded(before, 1.0, (share, share), Chance("cpu", 0))
    was, now = counts(before), counts(after)
    wanted = torch.minimum((share * was).long(), was - LEAST_PX)
    assert torch.equal(was - now, wanted)
    assert torch.allclose(after.visible_fraction, before.visible_fraction * now / was)
    gone = (before.pictures.labels > 0) & (after.pictures.labels == 0)
    other = after.pictures.other
    assert other is not None
    assert torch.equal(other, gone)
    unchanged = before.pictures.labels == after.pictures.labels
    assert torch.equal(unchanged, ~gone)
    ratio = (after.pictures.points_cam / before.pictures.points_cam)[gone]
    known = ratio[ratio.isfinite().all(-1)]
    assert 0.25 < len(known) / len(ratio) < 0.75
    assert known.min() > 0.599
    assert known.max() < 0.951
    assert torch.allclose(known[:, :1].expand(-1, 3), known, atol=1e-5), "along the ray"
    rgb, rgb_before = after.pictures.rgb, before.pictures.rgb
    assert rgb is not None
    assert rgb_before is not None
    changed = (rgb != rgb_before).any(1)
    assert torch.equal(changed, gone)


def test_hiding_things_are_in_one_piece() -> None:
    """Most pixels that are hidden lie next to others that are."""
    before = exact()
    after = occluded(before, 1.0, (0.5, 0.5), Chance("cpu", 1))
    gone = (before.pictures.labels > 0) & (after.pictures.labels == 0)
    labels = before.pictures.labels
    pairs = zip(neighbours(gone, corners=False), neighbours(labels, corners=False), strict=True)
    inside = torch.stack([hidden & (label == labels) for hidden, label in pairs]).sum(0)  # (B, H, W)
    assert (inside[gone] >= 2).float().mean() > 0.85


def plain_step(labels: np.ndarray, grow: dict[int, bool]) -> np.ndarray:
    """One step of 4-neighbours, pixel by pixel."""
    out = labels.copy()
    H, W = labels.shape
    for v in range(H):
        for u in range(W):
            around = [
                labels[b, a] for b, a in ((v - 1, u), (v + 1, u), (v, u - 1), (v, u + 1)) if 0 <= b < H and 0 <= a < W
            ]
            mine = labels[v, u]
            if mine and not grow[mine] and any(n != mine for n in around):
                out[v, u] = 0
            if not mine:
                out[v, u] = max([n for n in around if n and grow[n]], default=0)
    return out


class Fixed(Chance):
    """Draws that are set: every mask is resized by whole steps, the first of each scene grows, the others shrink."""

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.full(shape, 0.5)

    def yes(self, share: float, *shape: int) -> torch.Tensor:
        return exact().pictures.layout.index == 0


def test_masks_are_resized_as_a_plain_loop_does() -> None:
    posed = exact()
    side = torch.stack([_side(posed, i) for i in range(len(posed.t))])
    one = 1.0 / (0.01 * side.max())  # amounts of at most a pixel: 0.5 is added, so that half a pixel is one step
    after = resized(posed, level(float(one)), Fixed("cpu", 0))
    steps = (0.01 * one * side + 0.5).floor()
    before = posed.pictures.labels.numpy()
    index, scene = posed.pictures.layout.index, posed.pictures.layout.scene
    checked = 0
    for b in range(24):
        mine = scene == b
        if not (steps[mine] == 1).all():
            continue
        wanted = plain_step(before[b], {int(i) + 1: int(i) == 0 for i in index[mine]})
        if min(np.bincount(wanted.ravel(), minlength=int(mine.sum()) + 1)[1:]) >= LEAST_PX:
            assert np.array_equal(after.pictures.labels[b].numpy(), wanted)
            checked += 1
    assert checked > 5


def _side(posed: Posed, i: int) -> torch.Tensor:
    _, v, u = (owners(posed.pictures.labels, posed.pictures.layout) == i).nonzero().unbind(1)
    return torch.maximum(v.max() - v.min(), u.max() - u.min()) + 1


def test_masks_change_by_a_share_of_their_size() -> None:
    posed = exact()
    side = torch.stack([_side(posed, i) for i in range(len(posed.t))]).float()
    ratios = []
    for seed in range(8):
        after = resized(posed, level(3.0), Chance("cpu", seed))
        now = torch.stack([_side(after, i) for i in range(len(posed.t))]).float()
        ratios.append((now - side).abs() / side)
        label = after.pictures.labels
        assert ((label == posed.pictures.labels) | (label == 0) | (posed.pictures.labels == 0)).all()
        assert counts(after).min() >= LEAST_PX
    assert 0.03 < torch.stack(ratios).mean() < 0.08  # 3 % on either side of the box
    assert torch.equal(resized(posed, level(0.0), Chance("cpu", 0)).pictures.labels, posed.pictures.labels)


def test_noise_is_as_large_as_asked_and_along_rays() -> None:
    posed = exact()
    after = noisy(posed, level(2.0), Chance("cpu", 0))
    ratio = after.pictures.points_cam / posed.pictures.points_cam
    known = ratio.isfinite().all(-1)
    assert torch.allclose(ratio[known], ratio[known][:, :1].expand(-1, 3), atol=1e-4)
    factor = ratio[..., 2].masked_fill(~known, torch.nan)
    assert abs(float(factor[known].mean()) - 1) < 2e-3
    assert 0.0205 < factor[known].std() < 0.024  # sqrt(0.02^2 + 0.01^2)
    smooth = factor.unfold(1, 4, 4).unfold(2, 4, 4).nanmean((-1, -2))  # noise of pixels falls to a quarter
    assert 0.007 < smooth[smooth.isfinite()].std() < 0.014


@pytest.mark.parametrize("value", [0.0, 1.0, 3.0])
def test_holes(value: float) -> None:
    posed = exact()
    full = replace(posed, pictures=replace(posed.pictures, points_cam=torch.ones_like(posed.pictures.points_cam)))
    after = holed(full, level(value), Chance("cpu", 0))
    lost = after.pictures.points_cam.isnan()
    assert torch.equal(lost.any(-1), lost.all(-1))
    share = lost[..., 0].float().mean((1, 2))
    assert torch.allclose(share, torch.full((24,), 0.05 * value), atol=1e-3)
    if value:
        alone = lost[..., 0] & ~torch.stack(neighbours(lost[..., 0], corners=False)).any(0)
        assert alone.float().sum() < 0.02 * lost[..., 0].float().sum(), "in patches"


def test_flying_pixels_are_at_edges_and_between_depths() -> None:
    posed = exact()
    after = flying(posed, level(0.5), Chance("cpu", 0))
    z, now = posed.pictures.points_cam[..., 2], after.pictures.points_cam[..., 2]
    moved = (now != z) & ~(now.isnan() & z.isnan())
    labels = posed.pictures.labels
    edge = torch.stack([n != labels for n in neighbours(labels, corners=False)]).any(0) & (labels > 0)
    assert not (moved & ~edge).any()
    assert 0.4 < moved.float().sum() / edge.float().sum() < 0.6
    assert (now[moved] > z[moved]).all()
    behind = torch.stack(neighbours(z, corners=True)).nan_to_num(nan=0).amax(0)
    assert (now[moved] <= torch.maximum(behind, 1.1 * z)[moved] * 1.0001).all()


def test_complete_clouds_cover_the_objects() -> None:
    posed = exact()
    after = complete(posed, 1.0, 0.0, 0.0, Chance("cpu", 0))
    clouds = after.pictures.clouds_cam
    assert clouds is not None
    assert clouds.isfinite().all()
    spread = nearest(posed.placed, clouds) / posed.s[:, None]
    assert spread.max() < 0.15
    assert spread.mean() < 0.02
    noisy_clouds = complete(posed, 1.0, 0.0, 0.05, Chance("cpu", 0)).pictures.clouds_cam
    assert noisy_clouds is not None
    noise = ((noisy_clouds - clouds) / posed.s[:, None, None]).std((1, 2))
    assert noise.max() < 0.055
    assert 0.015 < noise.mean() < 0.035


def test_complete_clouds_are_points_that_are_not_given() -> None:
    """Where the bank has others: not one is in both, and none is left behind for shapes that are turned later."""

    geometry = CONFIGS["tiny"].geometry.model_copy(update={"points": 2048})
    config = CONFIGS["tiny"].model_copy(update={"geometry": geometry})

    def clouds(points: int) -> tuple[Posed, torch.Tensor]:
        posed = SplatPoses(few_bank(points), SPLATS, config, Augment.none(), ground=0.0).posed(0, 8)
        after = complete(posed, 1.0, 0.0, 0.0, Chance("cpu", 0)).pictures.clouds_cam
        assert after is not None
        return posed, after

    for points, both in ((4096, False), (2048, True)):
        posed, cloud = clouds(points)
        assert cloud.shape[1] == 2048
        pairs = zip(posed.placed.numpy(), cloud.numpy(), strict=True)
        off = np.stack([cKDTree(shape).query(points)[0] for shape, points in pairs]) / posed.s[:, None].numpy()
        assert off.max() < 0.15, "on the same surface"
        assert (off < 1e-5).mean() == 1 if both else (off < 1e-5).mean() < 1e-3
    assert worse_pictures(posed, PictureAugment.none(), Chance("cpu", 0)).spare is None


def test_clouds_of_views_are_parts_of_the_surface() -> None:
    posed = exact()
    after = complete(posed, 0.5, 1.0, 0.0, Chance("cpu", 3))
    clouds = after.pictures.clouds_cam
    assert clouds is not None
    known = clouds.isfinite().all(-1)
    given = known.any(1)
    scene = posed.pictures.layout.scene
    per_scene = [set(given[scene == b].tolist()) for b in range(24)]
    assert all(len(s) == 1 for s in per_scene), "all objects of a scene or none"
    assert 0.25 < np.mean([True in s for s in per_scene]) < 0.75
    share = known[given].float().mean(1)
    assert 0.5 < share.mean() < 0.95
    for i in given.nonzero()[:, 0].tolist():  # what the camera sees is there
        facing = (posed.pictures.geometry[i, :, 3:] @ posed.R[i].T) @ posed.t[i] < -0.05 * posed.t[i].norm()
        assert nearest(posed.placed[i][facing], clouds[i][known[i]]).max() < 0.15 * posed.s[i]


def test_another_unit_changes_nothing_that_the_model_sees() -> None:
    config = CONFIGS["tiny"]
    posed = complete(exact(), 0.5, 0.5, 0.01, Chance("cpu", 0))
    after = rescaled(posed, 1.0, Chance("cpu", 0))
    factor = after.s / posed.s
    assert factor.min() < 0.6
    assert factor.max() > 1.7
    a, b = (p.batch(config, torch.Generator().manual_seed(1)) for p in (posed, after))
    assert torch.allclose(a.target.t, b.target.t, atol=1e-4)
    assert torch.allclose(a.target.s, b.target.s, rtol=1e-4)
    assert torch.allclose(a.inputs.cloud, b.inputs.cloud, atol=1e-4)
    assert torch.allclose(a.inputs.crop, b.inputs.crop, atol=1e-4)


def test_random_order_changes_the_order_only() -> None:
    posed = complete(exact(), 1.0, 0.0, 0.0, Chance("cpu", 0))
    after = shuffled(posed, Chance("cpu", 0))
    assert not torch.equal(after.t, posed.t)
    row_before, row = (owners(p.pictures.labels, p.pictures.layout) for p in (posed, after))
    seen = row >= 0
    assert torch.equal(row_before >= 0, seen)
    old, new = row_before[seen], row[seen]
    for name in ("R", "t", "s", "symmetries", "axis", "pivot", "visible_fraction"):
        assert torch.equal(getattr(posed, name)[old], getattr(after, name)[new]), name
    assert torch.equal(posed.pictures.geometry[old[::50]], after.pictures.geometry[new[::50]])
    clouds, clouds_after = posed.pictures.clouds_cam, after.pictures.clouds_cam
    assert clouds is not None
    assert clouds_after is not None
    assert torch.equal(clouds[old[::50]], clouds_after[new[::50]])


def test_up_is_dropped_or_a_little_wrong() -> None:
    posed = exact()
    config = PictureAugment.none().model_copy(update={"drop_up": 0.5, "clean": 0.0, "noise": (1.0, 1.0), "flying": 0.0})
    up = torch.cat([worse_pictures(posed, config, Chance("cpu", i)).pictures.up for i in range(10)])
    length = up.norm(dim=-1)
    assert ((length - 1).abs() < 1e-5).logical_or(length == 0).all()
    assert 0.35 < (length == 0).float().mean() < 0.65
    cosine = (up * posed.pictures.up.repeat(10, 1)).sum(-1)[length > 0]
    angle = torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
    assert 1.5 < angle.mean() < 4
    blind = replace(posed, pictures=replace(posed.pictures, up=torch.zeros(24, 3)))
    assert (worse_pictures(blind, config, Chance("cpu", 0)).pictures.up == 0).all(), "unknown stays unknown"


def test_colour_is_dropped_or_changed() -> None:
    posed = exact()
    config = PictureAugment.none().model_copy(update={"colour": 0.25, "drop_colour": 0.4})
    rgb = worse_pictures(posed, config, Chance("cpu", 0)).pictures.rgb
    assert rgb is not None
    grey = (rgb == 0.5).flatten(1).all(1)
    assert 0.1 < grey.float().mean() < 0.7
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    means = rgb[~grey].mean((2, 3))
    assert means.std() > 0.03


def test_all_of_it_keeps_poses_and_pictures_together() -> None:
    posed = exact()
    config = PictureAugment(complete=0.0, relative=0.7, noise=(0.2, 0.5))
    for seed in range(3):
        after = worse_pictures(posed, config, Chance("cpu", seed))
        assert counts(after).min() >= LEAST_PX
        assert distance_to_shape(after).median() < 0.05
        ray = rays(after.pictures.K, 60, 80)
        points = after.pictures.points_cam
        known = points.isfinite().all(-1)
        cosine = torch.nn.functional.cosine_similarity(ray, points, dim=-1)[known]
        assert cosine.min() > np.cos(np.radians(1.5)), "points lie on the rays of their pixels"


def test_nothing_asked_for_changes_nothing() -> None:
    posed = exact()
    after = worse_pictures(posed, PictureAugment.none(), Chance("cpu", 0))
    for name in ("labels", "K", "up", "rgb"):
        assert torch.allclose(getattr(after.pictures, name), getattr(posed.pictures, name), atol=1e-6), name
    assert torch.equal(after.pictures.points_cam.nan_to_num(), posed.pictures.points_cam.nan_to_num())


def test_equal_chance_gives_equal_pictures() -> None:
    made = [worse_pictures(exact(), PictureAugment(), Chance("cpu", seed)) for seed in (1, 1, 2)]
    for name in ("labels", "points_cam", "K", "up", "rgb", "clouds_cam"):
        a, b, c = (getattr(m.pictures, name).float().nan_to_num(nan=-1) for m in made)
        assert torch.equal(a, b), name
        assert not torch.equal(a, c), name
