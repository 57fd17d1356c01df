"""Pictures of the stages: colours mean what the captions say."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import two_boxes

from scenemaker.deocclusion.views import cut_views
from scenemaker.geometry.cameras import Camera, unproject
from scenemaker.geometry.raycast import RayCaster
from scenemaker.viewer import pictures as draw


def test_oklch_agrees_with_known_colours():
    # Ottosson's table: sRGB red is L 0.628, C 0.258, h 29.23; blue is L 0.452, C 0.313, h 264.05
    np.testing.assert_allclose(draw.srgb_from_oklch(0.62796, 0.25768, 29.234), [255, 0, 0], atol=1)
    np.testing.assert_allclose(draw.srgb_from_oklch(0.45201, 0.31321, 264.052), [0, 0, 255], atol=1)
    np.testing.assert_allclose(draw.srgb_from_oklch(0.5, 0, 0), [99, 99, 99], atol=1)


def test_neighbouring_ids_have_distant_colours():
    colours = np.array([draw.id_colour(i) for i in range(1, 9)], int)
    apart = np.abs(colours[:, None] - colours[None]).sum(-1)
    assert apart[~np.eye(8, dtype=bool)].min() > 40


def test_the_ramp_darkens_evenly():
    luma = draw.ramp() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luma) <= 1.0).all() and luma[0] > 200 and luma[-1] < 70


def test_masks_are_tinted_and_the_rest_is_left():
    s = two_boxes()
    out = draw.mask_overlay(s.photo.rgb, s.instances)
    assert out.shape == s.photo.rgb.shape
    far = s.instances.labels == 0
    for dy in range(-3, 4):
        for dx in range(-3, 4):
            far &= np.roll(s.instances.labels, (dy, dx), (0, 1)) == 0
    np.testing.assert_array_equal(out[far], s.photo.rgb[far])
    for id in (3, 7):
        mask = s.instances.mask(id)
        want = 0.55 * s.photo.rgb[mask][0] + 0.45 * np.array(draw.id_colour(id))
        assert np.abs(np.median(out[mask], axis=0) - want).max() <= 1


def test_large_photos_are_drawn_small():
    s = two_boxes()
    assert draw.mask_overlay(s.photo.rgb, s.instances, max_px=90).shape == (60, 90, 3)
    assert draw.depth_picture(s.point_map.depth, max_px=90).shape == (53, 80, 3)


def test_near_is_light_and_unknown_is_grey():
    depth = np.linspace(1, 9, 60, dtype=np.float32)[None].repeat(4, 0).copy()
    depth[0, 5], depth[1, 6], depth[2, 7] = np.nan, np.inf, -1
    out = draw.depth_picture(depth)
    assert out[3, 0].sum() > out[3, 30].sum() > out[3, -1].sum()
    for spot in ((0, 5), (1, 6), (2, 7)):
        assert tuple(out[spot]) == draw.INVALID
    assert (draw.depth_picture(np.full((3, 5), np.nan, np.float32)) == draw.INVALID).all()
    assert np.isfinite(draw.depth_picture(np.full((3, 5), 2, np.float32))).all()


@pytest.mark.parametrize(
    "slope, want",
    [((0, 0), (128, 128, 255)), ((1, 0), (38, 128, 218)), ((0, 1), (128, 218, 218)), ((0, -1), (128, 38, 218))],
)
def test_normal_colours(slope, want):
    # planes z = 5 + a x + b y: their normal towards the camera is (a, b, -1); right is red, up is green
    K = np.array([[4000, 0, 20], [0, 4000, 15], [0, 0, 1.0]])
    rays = unproject(K, np.ones((30, 40)))
    z = 5 / (1 - slope[0] * rays[..., 0] - slope[1] * rays[..., 1])
    points = (rays * z[..., None]).astype(np.float32)
    got = draw.normal_picture(points)
    towards = np.array([slope[0], -slope[1], 1]) / np.linalg.norm([*slope, 1])
    np.testing.assert_allclose(got[15, 20], (towards * 0.5 + 0.5) * 255, atol=2)
    assert abs(int(got[15, 20, 1]) - (255 - want[1] if slope[1] else want[1])) <= 2
    assert (draw.normal_picture(points * np.nan) == draw.INVALID).all()
    assert draw.normal_picture(points[:2]).shape == (2, 40, 3)


def rendering_of(s, keep):
    camera = Camera(K=s.camera.K, width=240, height=160)
    objects = [o for o in s.objects if o.id in keep]
    return RayCaster([o.mesh for o in objects], [o.S_cam_obj for o in objects]).render(camera)


def test_the_difference_is_black_where_the_scene_is_the_photo():
    s = two_boxes()
    out = draw.difference_picture(s.photo.rgb, s.instances.labels, rendering_of(s, {3, 7}))
    assert not out[s.instances.labels > 0].any() and (out[s.instances.labels == 0] == 24).all()
    out = draw.difference_picture(s.photo.rgb, s.instances.labels, rendering_of(s, {3}))
    assert (out[s.instances.labels == 7] == (235, 84, 72)).all()
    out = draw.difference_picture(
        s.photo.rgb, np.where(s.instances.labels == 7, 0, s.instances.labels), rendering_of(s, {3, 7})
    )
    assert (out[s.instances.labels == 7] == (84, 132, 240)).all()


def test_the_scene_over_the_photo():
    s = two_boxes()
    rendering = rendering_of(s, {7})
    out = draw.over_photo(s.photo.rgb, rendering)
    on = rendering.index >= 0
    assert (out[on] == rendering.rgb[on]).all() and out[~on].min() > 140


def test_views_are_drawn_over_their_surroundings():
    s = two_boxes()
    view = cut_views(s.photo, s.instances, s.point_map)[1]
    crop, whole = draw.crop_picture(view, (160, 240)), draw.completed_picture(view)
    assert crop.shape == whole.shape == (*view.rgba.shape[:2], 3)
    np.testing.assert_array_equal(crop[view.mask_modal], view.rgba[view.mask_modal][:, :3])
    np.testing.assert_array_equal(whole[view.mask_modal], view.rgba[view.mask_modal][:, :3])
    shifted = replace(view, origin_px=(-5.0, 150.0))  # as if cut by the left and the lower border
    beyond = (draw.crop_picture(shifted, (160, 240)) == 252).all(2)
    assert beyond[:, :5].all() and beyond[10:].all() and not beyond[:10, 5:].any()
    assert set(np.unique(whole[~view.mask_modal]).tolist()) == {228, 246}
    assert draw.added_share(view.mask_modal, view.mask_modal) == 0
    more = view.mask_modal | (np.arange(view.rgba.shape[1]) < 9)[None]
    assert draw.added_share(view.mask_modal, more) == pytest.approx((more & ~view.mask_modal).sum() / more.sum())


@pytest.mark.parametrize("shape", [(10, 40), (80, 20), (3, 3)])
def test_fit_box_keeps_the_aspect(shape):
    out = draw.fit_box(np.zeros((*shape, 3), np.uint8), 30, 20)
    assert out.shape == (20, 30, 3)
    on = out[..., 0] < 100
    h, w = int(on.any(1).sum()), int(on.any(0).sum())
    scale = min(30 / shape[1], 20 / shape[0])
    assert abs(h - shape[0] * scale) <= 1 and abs(w - shape[1] * scale) <= 1
