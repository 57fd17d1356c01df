"""The recipe of the inputs against plain words: clouds, crops, frames; poses there and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from released_tiny import config_tree
from scipy.spatial.transform import Rotation

from scenemaker.errors import InputError
from scenemaker.geometry.mesh import sample_surface
from scenemaker.pose.dit.pictures import PosePictures
from scenemaker.pose.dit.types import Layout, Poses, SceneFrame
from scenemaker.pose.released import clouds, pictures
from scenemaker.pose.released.config import ReleasedConfig, parse_config
from scenemaker.pose.released.inputs import ReleasedInputs, decode, encode, levelling
from scenemaker.pose.released.recipe import PictureRecipe, SeenObject, SeenPicture, join, released_inputs
from scenemaker.testing import make_sample

AXES = np.diag([-1.0, -1.0, 1.0])


def config(**changes: Any) -> ReleasedConfig:
    return parse_config(config_tree(**changes))


def seen_of(sample: Any, ids: list[int], cfg: ReleasedConfig) -> list[SeenObject]:
    recipe = PictureRecipe(sample.photo.rgb, sample.point_map.points_cam, cfg)
    out = []
    for slot, id in enumerate(ids):
        mesh = next(g.mesh for g in sample.geometries if g.id == id)
        points = sample_surface(mesh, 50, seed=id)[0]
        surface = np.concatenate([points, np.ones((50, 3))], 1)
        out.append(recipe.object(sample.instances.mask(id), surface, slot=slot, rng=np.random.default_rng(id)))
    return out


def test_outliers_as_counted_by_hand() -> None:
    rng, removed = np.random.default_rng(0), 0
    for _ in range(60):  # small clouds with long tails: some points lie near the limit
        points = rng.standard_t(3, size=(18, 3))
        distance = np.sort([[math.dist(p, q) for q in points] for p in points], 1)
        mean = distance[:, :15].sum(1) / 15  # the point itself is one of them
        limit = mean.mean() + 2 * math.sqrt(((mean - mean.mean()) ** 2).sum() / 17)
        np.testing.assert_array_equal(clouds.without_outliers(points), points[mean < limit])
        removed += int((mean >= limit).sum())
    assert removed > 30


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((40, 3))])
def test_clouds_of_nothing(points: Any) -> None:
    assert len(clouds.without_outliers(points)) == 0


def test_cloud_is_normalised_by_its_reach_in_x_and_y() -> None:
    points = np.array([[1.0, 2, 3], [5, 3, 13], [2, 4, 5]])
    cloud, centre, reach = clouds.normalised(points)
    np.testing.assert_allclose(centre, [3, 3, 8])
    assert reach == 2.0
    np.testing.assert_allclose(cloud[1], np.array([2, 0, 5]) / 2 * 0.95)


def test_points_of_a_larger_picture_are_not_mixed_with_what_is_behind() -> None:
    points = np.full((4, 6, 3), 100.0)
    own = np.zeros((4, 6), bool)
    own[1:3, 1:4] = True
    points[own] = np.arange(18).reshape(6, 3) / 10
    large = clouds.resized_points(points, own, 24, 16)
    known = np.isfinite(large).all(-1)
    assert large.shape == (16, 24, 3) and large[known].max() < 1.7001
    assert known[4:12, 4:16].all() and not known[0].any()
    # in the middle between two own pixels, the mean of them
    np.testing.assert_allclose(large[5, 7:9].mean(0), (points[1, 1] + points[1, 2]) / 2, atol=1e-9)
    same = clouds.resized_points(points, own, 6, 4)
    assert np.isnan(same[~own]).all() and np.array_equal(same[own], points[own])


def test_crop_as_pillow_would_cut_it() -> None:
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (40, 70, 3), np.uint8)
    own = np.zeros((40, 70), bool)
    own[3:25, 50:69] = True  # the square reaches beyond the picture, above and at the right
    side = int(22 / 0.8)
    x0, y0 = (50 + 69) // 2 - side // 2, (3 + 25) // 2 - side // 2
    padded = Image.new("RGB", (side, side), (255, 255, 255))
    padded.paste(Image.fromarray(rgb), (-x0, -y0))
    mask = Image.new("L", (side, side), 0)
    mask.paste(Image.fromarray(own.astype(np.uint8) * 255), (-x0, -y0))
    small = np.asarray(padded.resize((64, 64), Image.Resampling.BICUBIC), float) / 255
    inside = np.asarray(mask.resize((64, 64), Image.Resampling.NEAREST), float)[..., None] / 255
    want = small * inside + (1 - inside)
    got = pictures.crop_on_white(rgb, own, 64).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert (got[-1, -1] == 1).all()


def test_erosion_takes_one_pixel_but_none_at_the_border() -> None:
    mask = np.zeros((8, 12), bool)
    mask[0:4, 2:9] = True
    want = np.zeros((8, 12), bool)
    want[0:3, 3:8] = True
    np.testing.assert_array_equal(pictures.eroded(mask), want)


@pytest.mark.parametrize(
    ("given", "want"),
    [((192, 128), (768, 512)), ((4000, 3000), (1024, 768)), ((2000, 400), (2560, 512)), ((600, 700), (600, 700))],
)
def test_working_size(given: tuple[int, int], want: tuple[int, int]) -> None:
    assert pictures.working_size(*given) == want


def test_squares_are_stretched() -> None:
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[:, 40:] = 255
    square = pictures.square_rgb(rgb, 16)
    assert square.shape == (3, 16, 16) and square[:, :, :7].max() == 0 and square[:, :, 9:].min() == 1
    own = np.zeros((40, 80), bool)
    own[:20] = True
    assert torch.equal(pictures.square_mask(own, 16), (torch.arange(16) < 8).float()[:, None].expand(16, 16))


def test_scene_is_normalised_by_what_is_visible() -> None:
    sample, cfg = make_sample(3), config()
    seen = seen_of(sample, [1, 2, 3], cfg)
    inputs = join([SeenPicture(square=torch.zeros(3, 64, 64), objects=tuple(seen), up=np.zeros(3))], cfg)
    k, c = float(inputs.frame.k[0]), inputs.frame.c[0].double().numpy()
    assert inputs.cloud.shape == inputs.scene_cloud.shape == (3, 24, 3)
    placed = inputs.scene_cloud.double()
    assert abs(float(placed.abs().max()) - 0.95) < 1e-5
    low, high = placed.flatten(0, 1).amin(0), placed.flatten(0, 1).amax(0)
    np.testing.assert_allclose((low + high).numpy(), 0, atol=1e-5)
    for i, o in enumerate(seen):  # quirks `shrunk-cloud`, `half-and-full`
        points_ref = inputs.cloud[i].double().numpy() * o.reach + o.centre
        np.testing.assert_allclose(k * placed[i].numpy() @ AXES + c, points_ref @ AXES, atol=1e-4)
        np.testing.assert_allclose(k * inputs.centre[i].double().numpy() @ AXES + c, o.centre @ AXES, atol=1e-4)
        assert abs(k * float(inputs.reach[i]) - o.reach) < 1e-4
        true = sample.point_map.points_cam[sample.instances.mask(i + 1)]
        assert abs(o.reach - np.ptp(true[:, :2], axis=0).max() / 2) < 0.08
        np.testing.assert_allclose(o.centre @ AXES, (true.min(0) + true.max(0)) / 2, atol=0.08)
    assert inputs.surface.abs().max() <= 2 * 0.5 + 1e-6 and inputs.surface[0, :, :3].abs().max() > 0.9


def test_farthest_points_and_repeats_of_small_clouds() -> None:
    cfg = config()
    few = SeenObject(
        slot=0, crop=torch.zeros(3, 64, 64), own=torch.zeros(64, 64), surface=torch.zeros(5, 6),
        cloud=np.random.default_rng(0).normal(size=(10, 3)), centre=np.zeros(3), reach=1.0,
    )  # fmt: skip
    inputs = join([SeenPicture(square=torch.zeros(3, 64, 64), objects=(few,), up=np.zeros(3))], cfg)
    rows = {tuple(p) for p in inputs.cloud[0].tolist()}
    assert len(rows) == 10
    assert torch.equal(inputs.cloud[0, :10], inputs.cloud[0, 10:20])


@pytest.mark.parametrize("levelled", [False, True])
def test_poses_there_and_back(levelled: bool) -> None:
    rng = np.random.default_rng(3)
    R = torch.from_numpy(Rotation.random(4, random_state=rng).as_matrix())
    poses = Poses(
        R=R,
        t=torch.from_numpy(rng.normal(size=(4, 3)) + np.array([0, 0, 5])),
        s=torch.tensor([0.5, 1.0, 1.5, 0.2]).double(),
    )
    layout = Layout.of([1, 3])
    up = torch.tensor([[0.1, -0.9, -0.3], [0.0, -1.0, 0.2]]).double() * levelled
    inputs = stub(
        layout, SceneFrame(k=torch.tensor([2.0, 3.0]), c=torch.tensor([[1.0, 2, 3], [0, 0, 4]])), levelling(up)
    )
    found = decode(encode(poses, inputs), inputs)
    for got, want in ((found.R, poses.R), (found.t, poses.t), (found.s, poses.s)):
        torch.testing.assert_close(got, want)


def test_what_the_ten_numbers_mean() -> None:
    """By hand, as the reference decodes them: rows, full edges, x and y negated."""
    inputs = stub(
        Layout.of([1]), SceneFrame(k=torch.tensor([2.0]), c=torch.tensor([[0.5, 0.6, 3.0]])), torch.eye(3)[None]
    )
    x = torch.tensor([[0.3, -2.0, 1.0, 0.5, 0.5, -3.0, 0.25, -0.5, 0.1, -0.4]], dtype=torch.float64)
    a, b = x[0, :3].numpy(), x[0, 3:6].numpy()
    first = a / np.linalg.norm(a)
    third = np.cross(first, b) / np.linalg.norm(np.cross(first, b))
    R_net = np.stack([first, np.cross(third, first), third])  # rows
    poses = decode(x, inputs)
    np.testing.assert_allclose(poses.R[0].numpy(), AXES @ R_net, atol=1e-12)
    np.testing.assert_allclose(poses.t[0].numpy(), 2 * AXES @ [0.25, -0.5, 0.1] + [0.5, 0.6, 3.0], atol=1e-6)
    assert abs(float(poses.s[0]) - 2 * 0.6) < 1e-12


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_levelling_turns_up_to_y_and_keeps_the_heading(up: tuple[float, float, float]) -> None:
    level = levelling(torch.tensor([up], dtype=torch.float64))[0].numpy()
    np.testing.assert_allclose(level @ level.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(level) > 0
    np.testing.assert_allclose(level @ AXES @ (np.array(up) / np.linalg.norm(up)), [0, 1, 0], atol=1e-9)
    forward = level @ [0, 0, 1]
    assert abs(forward[0]) < 1e-6 and forward[2] > -2e-6  # straight up or down there is none


def test_a_camera_that_looks_down() -> None:
    """Pitched by 20 degrees: the levelled rotation of a box that stands upright is upright."""
    angle = np.radians(20)
    up_cam = np.array([0, -np.cos(angle), -np.sin(angle)])
    level = levelling(torch.tensor(up_cam[None]))[0].numpy()
    pitch = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(level, pitch.T, atol=1e-9)
    assert torch.equal(levelling(torch.zeros(1, 3)), torch.eye(3)[None])


def test_levelled_by_config_only() -> None:
    sample = make_sample(2)
    for flag, asked, moved in ((False, None, False), (True, None, True), (False, True, True), (True, False, False)):
        cfg = config(data__only_use_pitch=flag)
        picture = SeenPicture(
            square=torch.zeros(3, 64, 64), objects=tuple(seen_of(sample, [1], cfg)), up=np.array([0, -0.9, -0.4])
        )
        level = join([picture], cfg, levelled=asked).level[0]
        assert bool((level - torch.eye(3)).abs().max() > 0.1) is moved


def test_unusable_objects_say_why() -> None:
    sample, cfg = make_sample(2), config()
    points = sample.point_map.points_cam.copy()
    points[sample.instances.mask(1)] = np.nan
    recipe = PictureRecipe(sample.photo.rgb, points, cfg)
    surface, rng = np.zeros((5, 6)), np.random.default_rng(0)
    remedy = "give its mask and depth, or use pose-dit"
    for mask in (sample.instances.mask(1), np.zeros((128, 192), bool)):
        with pytest.raises(InputError) as caught:
            recipe.object(mask, surface, slot=0, rng=rng)
        assert str(caught.value) == f"expected pixels with known depth; got none; {remedy}"
    tiny = np.zeros((128, 192), bool)
    v, u = np.argwhere(sample.instances.mask(2))[len(np.argwhere(sample.instances.mask(2))) // 2]
    tiny[v, u : u + 2] = True
    with pytest.raises(InputError) as caught:
        recipe.object(tiny, surface, slot=0, rng=rng)
    what = "expected at least 64 observed points in several places"
    assert str(caught.value).startswith(what) and str(caught.value).endswith("give denser depth, or use pose-dit")


def pictures_of(sample: Any, rgb: bool = True) -> PosePictures:
    n = len(sample.ids)
    geometry = np.stack([sample_surface(g.mesh, 60, seed=0)[0] for g in sample.geometries])
    return PosePictures(
        layout=Layout.of([n]),
        points_cam=torch.from_numpy(sample.point_map.points_cam)[None],
        labels=torch.from_numpy(sample.instances.labels.astype(np.int64))[None],
        K=torch.from_numpy(sample.point_map.K).float()[None],
        up=torch.from_numpy(np.asarray(sample.point_map.up_cam)).float()[None],
        geometry=torch.from_numpy(np.concatenate([geometry, np.ones_like(geometry)], -1)).float(),
        rgb=(torch.from_numpy(sample.photo.rgb).permute(2, 0, 1).float() / 255)[None] if rgb else None,
    )


def test_training_sees_what_use_sees() -> None:
    """Of a picture without stray points the two ways agree up to which points of large clouds were drawn."""
    sample, cfg = make_sample(3), config()
    got, rows = released_inputs(pictures_of(sample), cfg, torch.Generator().manual_seed(0), clean=True)
    want = join([SeenPicture(square=PictureRecipe(sample.photo.rgb, sample.point_map.points_cam, cfg).square(),
                             objects=tuple(seen_of(sample, [1, 2, 3], cfg)), up=np.zeros(3))], cfg)  # fmt: skip
    assert rows.tolist() == [0, 1, 2]
    for name in ("crop", "picture", "own"):
        assert torch.equal(getattr(got, name), getattr(want, name)), name
    torch.testing.assert_close(got.centre, want.centre, atol=0.03, rtol=0)
    torch.testing.assert_close(got.frame.k, want.frame.k, atol=0, rtol=0.03)
    torch.testing.assert_close(got.surface[..., :3], 2 * pictures_of(sample).geometry[..., :3])


def test_unusable_objects_leave_their_place_in_training() -> None:
    sample, cfg = make_sample(3), config()
    given = pictures_of(sample)
    given.points_cam[0][given.labels[0] == 2] = torch.nan
    inputs, rows = released_inputs(given, cfg, torch.Generator().manual_seed(0))
    assert rows.tolist() == inputs.slot.tolist() == [0, 2] and len(inputs) == 1
    given.points_cam[:] = torch.nan
    with pytest.raises(InputError, match="^expected a usable object; got none in all pictures; draw larger objects$"):
        released_inputs(given, cfg, torch.Generator())
    with pytest.raises(
        InputError, match="^expected pictures with colour for the released form; got none; take a source"
    ):
        released_inputs(pictures_of(sample, rgb=False), cfg, torch.Generator())


def test_given_clouds_replace_pixels() -> None:
    sample, cfg = make_sample(2), config()
    base = pictures_of(sample)
    given = torch.full((2, 100, 3), torch.nan)
    given[1, :80] = torch.rand(80, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([4.0, 5, 6])
    changed = PosePictures(**{**vars(base), "clouds_cam": given})
    plain, _ = released_inputs(base, cfg, torch.Generator().manual_seed(0))
    other, _ = released_inputs(changed, cfg, torch.Generator().manual_seed(0))
    assert torch.equal(plain.cloud[0], other.cloud[0])
    centre = other.frame.k * other.centre[1] * torch.tensor([-1.0, -1, 1]) + other.frame.c[0]
    torch.testing.assert_close(centre, torch.tensor([4.5, 5.5, 6.5]), atol=0.05, rtol=0)


def stub(layout: Layout, frame: SceneFrame, level: torch.Tensor) -> ReleasedInputs:
    empty = torch.zeros(0)
    return ReleasedInputs(
        layout=layout, slot=empty, surface=empty, crop=empty, picture=empty, own=empty, cloud=empty,
        scene_cloud=empty, centre=empty, reach=empty, frame=frame, level=level,
    )  # fmt: skip
