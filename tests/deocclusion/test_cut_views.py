"""Crops show what the photo shows, know what cuts them, and go back where they came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occluded import HEIGHT, WIDTH, box_behind_post, picture

from scenemaker.deocclusion.views import cut_views, paste_amodal
from scenemaker.errors import NoObjectsError
from scenemaker.scene import Instance, Instances


def test_crop_pixels_are_the_photo_pixels_they_claim_to_be() -> None:
    photo, instances, point_map = picture(box_behind_post(), {1: 5, 2: 4})
    for view in cut_views(photo, instances, point_map):
        (x0, y0), (h, w) = view.origin_px, view.mask_modal.shape
        assert view.scale == 1.0
        for v, u in np.argwhere(view.mask_modal)[::37]:
            assert instances.labels[int(y0) + v, int(x0) + u] == view.id
            assert (view.rgba[v, u, :3] == photo.rgb[int(y0) + v, int(x0) + u]).all()
            assert (view.points_cam[v, u] == point_map.points_cam[int(y0) + v, int(x0) + u]).all()
        assert np.isnan(view.points_cam[~view.mask_modal]).all()
        assert view.mask_modal.sum() == (instances.labels == view.id).sum()
        assert not (view.mask_modal & view.mask_hidden).any()
        assert (h, w) == view.rgba.shape[:2]


def test_reduced_crop_keeps_the_area_and_its_own_camera() -> None:
    photo, instances, point_map = picture(box_behind_post(), {1: 5, 2: 4})
    view = cut_views(photo, instances, point_map, max_px=40)[0]
    assert max(view.mask_modal.shape) == 40
    area = (instances.labels == 1).sum()
    assert view.mask_modal.sum() / view.scale**2 == pytest.approx(area, rel=0.08)
    # the camera of the crop sees the observed points where the crop shows them
    v, u = np.argwhere(view.mask_modal)[137]
    p = view.points_cam[v, u].astype(np.float64)
    seen = (view.K @ p)[:2] / p[2]
    assert np.abs(seen - [u + 0.5, v + 0.5]).max() < 0.6


def test_the_nearer_object_cuts_the_farther_one_and_not_the_other_way() -> None:
    box, post = cut_views(*picture(box_behind_post(), {1: 5, 2: 4}))
    assert (box.cut_by, post.cut_by) == ((2,), ())
    assert box.cut_sides == post.cut_sides == ()
    beyond = np.arange(len(post.mask_hidden)) + post.origin_px[1] >= HEIGHT  # rows of the crop below the photo
    assert (post.mask_hidden == beyond[:, None]).all()
    (x0, y0), hidden = box.origin_px, box.mask_hidden
    assert hidden[int(50 - y0), int(77 - x0)]  # behind the post, between both halves
    assert not hidden[int(25 - y0), int(50 - x0)]  # plain background


def test_an_object_behind_two_layers_may_continue_behind_both() -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[20:80, 20:60] = 1
    labels[15:100, 60:90] = 2  # touches 1
    labels[15:100, 90:110] = 3  # touches 2 only
    views = cut_views(*picture(labels, {1: 6, 2: 5, 3: 4}), max_px=512)
    assert [v.cut_by for v in views] == [(2,), (3,), ()]
    (x0, y0), hidden = views[0].origin_px, views[0].mask_hidden
    assert hidden[50 - int(y0), 75 - int(x0)]
    assert int(x0) + hidden.shape[1] <= 90 + 24  # the room ends where its hider ends, or at 0.6 of its size
    # a crop that is wide enough shows both layers as hidden
    labels[15:100, 60:64], labels[15:100, 64:110] = 2, 3
    (x0, y0), hidden = (view := cut_views(*picture(labels, {1: 6, 2: 5, 3: 4}))[0]).origin_px, view.mask_hidden
    assert view.cut_by == (2,)
    assert hidden[50 - int(y0), 62 - int(x0)] and hidden[50 - int(y0), 66 - int(x0)]


def test_sides_of_the_photo_that_cut() -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[0:30, 0:40] = 1
    labels[60:HEIGHT, 100:WIDTH] = 2
    labels[50:70, 40:60] = 3
    views = cut_views(*picture(labels, {}))
    assert [v.cut_sides for v in views] == [("left", "top"), ("right", "bottom"), ()]
    one = views[0]
    assert one.origin_px[0] < 0 and one.origin_px[1] < 0
    assert one.mask_hidden[0, 0] and not one.mask_hidden[-1, -1]


def test_a_sliver_between_object_and_hider_may_be_filled() -> None:
    labels = box_behind_post()
    labels[30:100, 69] = 0  # the masks leave one column between them
    box = cut_views(*picture(labels, {1: 5, 2: 4}))[0]
    (x0, y0) = box.origin_px
    assert box.cut_by == (2,)
    assert box.mask_hidden[60 - int(y0), 69 - int(x0)]


def test_masks_come_back_where_they_were() -> None:
    photo, instances, point_map = picture(box_behind_post(), {1: 5, 2: 4})
    pasted = paste_amodal(cut_views(photo, instances, point_map), HEIGHT, WIDTH)
    for id, mask in pasted.items():
        assert (mask == (instances.labels == id)).all()


def test_tiny_masks_survive_a_reduced_crop() -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[5, 7] = labels[110, 160] = 1  # two pixels far apart
    labels[40, 50] = 2
    far, one = cut_views(*picture(labels, {}), max_px=16)
    assert far.mask_modal.any() and one.mask_modal.sum() == 1


def test_an_instance_without_pixels_is_named() -> None:
    photo, instances, point_map = picture(box_behind_post(), {})
    ghost = replace(instances, items=(*instances.items, Instance(id=7, name="ghost")))
    with pytest.raises(NoObjectsError) as error:
        cut_views(photo, ghost, point_map)
    assert str(error.value) == ("expected pixels of object 7 in the label image; got none; paint it or drop it")


def test_unknown_depth_and_ids_that_are_not_dense() -> None:
    labels = box_behind_post()
    labels[labels == 2] = 300
    photo, instances, point_map = picture(labels, {})
    nowhere = replace(point_map, points_cam=np.full_like(point_map.points_cam, np.nan))
    views = cut_views(photo, instances, nowhere)
    assert [v.id for v in views] == [1, 300]
    assert np.isnan(views[0].points_cam).all()


def test_three_hundred_objects_one_view_each() -> None:
    labels = np.zeros((200, 330), np.uint16)
    for k in range(300):
        y, x = divmod(k, 20)
        labels[y * 13 : y * 13 + 12, x * 16 : x * 16 + 15] = k + 1
    views = cut_views(*picture(labels, {}))
    assert [v.id for v in views] == list(range(1, 301))
    assert all(v.mask_modal.sum() == 12 * 15 for v in views)


def test_label_image_may_hold_pixels_of_no_instance() -> None:
    photo, instances, point_map = picture(box_behind_post(), {1: 5, 2: 4})
    only = Instances(labels=instances.labels, items=instances.items[:1])
    (box,) = cut_views(photo, only, point_map)
    assert box.cut_by == () and not box.mask_hidden[:50].any()
