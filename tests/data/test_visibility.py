"""Visible fractions against closed forms and a full-size picture, and the views that are chosen by them."""

from __future__ import annotations

import numpy as np
import pytest
from layout_shapes import box, table, things

from scenemaker.data.framing import elevation_deg
from scenemaker.data.layouts.plane import PlaneLayout
from scenemaker.data.types import Arrangement, DataObject, rng_for
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.data.visibility import (
    LEAST_DEG,
    drop_hidden,
    outline_box,
    severe_views,
    visibility,
)
from scenemaker.errors import InputError
from scenemaker.evaluation.bins import BINS, bin_of
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster

THINGS = things()
CAMERA = Camera(K=np.array([[400.0, 0, 200], [0, 400, 150], [0, 0, 1]]), width=400, height=300)  # at the origin
PLATE = Mesh(vertices=[[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], faces=[[0, 1, 2], [0, 2, 3]])


def at(x: float, y: float, z: float, scale: float = 1.0) -> np.ndarray:
    return transforms.similarity(np.eye(3), [x, y, z], scale)


def scene(index: int, n: int = 4, **options) -> Arrangement:
    rng = rng_for(5, index, "layout")
    solid = [t for t in THINGS if len(t.mesh.faces) > 5]
    layout = PlaneLayout(PlaneLayout.Config(**options))
    return layout.arrange([solid[i] for i in rng.integers(len(solid), size=n)], rng)


def measured(arrangement: Arrangement, cameras: list[Camera], resolution: int = 64):
    meshes = [o.mesh for o in arrangement.objects]
    return visibility(meshes, arrangement.S_world_obj, cameras, resolution=resolution)


def by_pictures(arrangement: Arrangement, camera: Camera) -> np.ndarray:
    """(n,) visible fractions from one picture of all and one of each, at full size."""
    meshes, S = [o.mesh for o in arrangement.objects], arrangement.S_world_obj
    together = RayCaster(meshes, S).render(camera, shade=False).index
    alone = [RayCaster([m], [s]).render(camera, shade=False).index == 0 for m, s in zip(meshes, S)]
    return np.array([(together == i).sum() / max(a.sum(), 1) for i, a in enumerate(alone)])


def test_a_plate_before_a_plate_by_hand():
    # the far plate spans 150..250 px, the near one of equal picture size 220..320: it covers the right 30 of 100
    S = np.stack([at(0, 0, 4), at(0.35, 0, 2, 0.5), at(0, 0, -9)])
    seen = visibility([PLATE] * 3, S, [CAMERA], resolution=400)
    np.testing.assert_allclose(seen.visible_fraction[0], [0.7, 1, 0], atol=0.011)
    assert seen.visible_px[0].tolist() == pytest.approx([7000, 10000, 0], abs=150)


def test_order_and_scale_do_not_matter():
    made = scene(0)
    camera = Viewpoints(Viewpoints.Config(views=1, sizes=((300, 200),))).draw(made, rng_for(0, 0, "v"))
    straight = measured(made, camera)
    back = visibility([o.mesh for o in made.objects][::-1], made.S_world_obj[::-1], camera)
    np.testing.assert_array_equal(straight.visible_px[0], back.visible_px[0, ::-1])
    np.testing.assert_array_equal(straight.visible_fraction[0], back.visible_fraction[0, ::-1])


def test_equals_full_pictures_at_full_size_and_nearly_so_when_small():
    errors = []
    for index in range(12):
        made = scene(index, spacing=(0, 0.1))
        cameras = Viewpoints(Viewpoints.Config(views=2, sizes=((210, 150), (120, 200)), roll_deg=5)).draw(
            made, rng_for(1, index, "v")
        )
        for v, camera in enumerate(cameras):
            truth = by_pictures(made, camera)
            full = measured(made, cameras, max(camera.width, camera.height)).visible_fraction[v]
            np.testing.assert_allclose(full, truth, atol=2e-3)
            errors.extend(measured(made, cameras).visible_fraction[v] - truth)
    assert np.abs(errors).mean() < 0.02 and abs(np.mean(errors)) < 0.01


def test_outside_of_the_picture_and_behind_the_camera():
    S = np.stack([at(50, 0, 4), at(0, 0, -4), at(0, 0, 4)])
    seen = visibility([PLATE] * 3, S, [CAMERA])
    assert seen.visible_fraction[0].tolist() == [0, 0, 1] and seen.in_frame[0].tolist() == [0, 0, 1]
    assert seen.visible_px[0, :2].tolist() == [0, 0]


def test_an_object_around_the_camera_hides_everything():
    seen = visibility([box(1, 1, 1), PLATE], np.stack([at(0, 0, 0, 2), at(0, 0, 4)]), [CAMERA])
    assert seen.visible_fraction[0].tolist() == [1, 0]


def test_in_frame_is_the_share_of_the_surface():
    # the picture ends at x = z / 2: a plate at z = 4 centred there is half inside, one 0.25 further a quarter
    S = np.stack([at(2, 0, 4), at(-2.25, 0, 4), at(0, 1.5, 4), at(-2, -1.5, 4)])
    seen = visibility([PLATE] * 4, S, [CAMERA])
    np.testing.assert_allclose(seen.in_frame[0], [0.5, 0.25, 0.5, 0.25], atol=0.04)
    assert (seen.visible_fraction[0] == 1).all()  # what is cut is not hidden


def test_every_ray_that_hits_is_in_the_outline_box():
    for index in range(10):
        made = scene(index)
        (camera,) = Viewpoints(Viewpoints.Config(views=1, sizes=((90, 64),))).draw(made, rng_for(2, index, "v"))
        for o, S in zip(made.objects, made.S_world_obj):
            hit = RayCaster([o.mesh], [S]).render(camera, shade=False).index == 0
            rows, columns = outline_box(o.mesh, S, camera)
            assert hit[rows, columns].sum() == hit.sum()
            assert hit[rows, columns].any(1).sum() >= (rows.stop - rows.start) - 2


def test_bins():
    assert BINS == ((0.0, 0.4), (0.4, 0.7), (0.7, 1.0))
    assert [bin_of(f) for f in (0, 0.399, 0.4, 0.699, 0.7, 1)] == [0, 0, 1, 1, 2, 2]
    for wrong in (-0.1, 1.01, float("nan")):
        with pytest.raises(InputError, match=r"expected a visible fraction in \[0, 1\]; got .*; check its masks"):
            bin_of(wrong)


def test_drop_hidden_keeps_views_in_which_all_are_seen():
    assert drop_hidden([[1, 0.2], [0, 1], [0.01, 1], [1, 0]]).tolist() == [0, 2]


def test_severe_views_are_what_was_asked():
    viewpoints = Viewpoints(Viewpoints.Config(sizes=((320, 200), (200, 260))))
    found = np.zeros(3)
    for index in range(12):
        made = scene(index)
        want = (0, 1, 2, 0)
        cameras = severe_views(made, viewpoints, rng_for(3, index, "severe"), want)
        assert len(cameras) == 4
        for wanted, camera in zip(want, cameras):
            if camera is None:
                continue
            found[wanted] += 1
            seen = measured(made, [camera])
            bins = [bin_of(f) for f, px in zip(seen.visible_fraction[0], seen.visible_px[0]) if px >= 12]
            assert wanted in bins
            assert camera.centre_world[1] >= 0.05 * made.size
            assert elevation_deg(camera) >= LEAST_DEG - 1e-6
        given = [c.T_cam_world.tobytes() for c in cameras if c is not None]
        assert len(set(given)) == len(given)
        again = severe_views(made, viewpoints, rng_for(3, index, "severe"), want)
        assert [None if c is None else c.T_cam_world.tobytes() for c in cameras] == [
            None if c is None else c.T_cam_world.tobytes() for c in again
        ]
    assert (found >= [18, 10, 11]).all()


def test_severe_views_hide_far_more_than_random_ones():
    viewpoints = Viewpoints(Viewpoints.Config(views=8, sizes=((320, 200),)))
    random, severe = [], []
    for index in range(10):
        made = scene(index)
        random.extend(measured(made, viewpoints.draw(made, rng_for(4, index, "v"))).visible_fraction.min(1) < 0.4)
        cameras = severe_views(made, viewpoints, rng_for(4, index, "s"), (0,) * 4)
        severe.extend(c is not None for c in cameras)
    assert np.mean(severe) > 0.7 > 0.4 > np.mean(random)


def test_no_severe_view_of_one_object_or_of_an_unknown_bin():
    one = PlaneLayout(PlaneLayout.Config(count=(1, 1))).arrange([THINGS[0]], rng_for(0, 0, "layout"))
    assert severe_views(one, Viewpoints(), rng_for(0, 0, "s"), (0, 2)) == [None, None]
    with pytest.raises(InputError) as error:
        severe_views(scene(0), Viewpoints(), rng_for(0, 0, "s"), (3,))
    assert str(error.value) == "expected bins in 0..2; got (3,); see BINS"


def test_severe_views_give_none_where_nothing_can_hide():
    flat = DataObject(key="sheet", mesh=normalise(box(1, 0.001, 1))[0])
    layout = PlaneLayout(PlaneLayout.Config(orientation={"upright": 1}, spacing=(0, 0)))
    made = layout.arrange([flat, DataObject(key="table", mesh=table())], rng_for(0, 1, "layout"))
    above = Viewpoints(Viewpoints.Config(clearance=5))  # so high that no candidate along the ground remains
    assert severe_views(made, above, rng_for(0, 0, "s"), (0, 1)) == [None, None]
