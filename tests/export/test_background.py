"""The floor and the backdrop: where they stand, and that the photo's camera sees the photo again."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import FLOOR_RGB, box, observe, placed, tilted_camera, two_boxes

from scenemaker.export.background import make_background, remove_objects
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.raycast import RayCaster


def seen_from_photo(s, meshes):
    camera = Camera(K=s.camera.K, width=s.camera.width, height=s.camera.height)
    return RayCaster(meshes).render(camera)


def patterned(s):
    """The scene with soft stripes on its floor, so that a shifted or turned texture shows."""
    x = np.arange(s.photo.width)[None, :, None]
    y = np.arange(s.photo.height)[:, None, None]
    wave = 40 * np.sin(x / 9) + 25 * np.sin(y / 7 + x / 23)
    rgb = np.where((s.instances.labels == 0)[..., None], s.photo.rgb + wave, s.photo.rgb)
    return replace(s, photo=replace(s.photo, rgb=rgb.clip(0, 255).astype(np.uint8)))


def test_nothing_for_none_and_no_floor_without_ground():
    s = two_boxes()
    assert make_background(s.photo, s.instances, s.point_map, "none") == []
    groundless = replace(s.point_map, ground_cam=None, up_cam=None)
    assert make_background(s.photo, s.instances, groundless, "ground") == []
    assert [n for n, _ in make_background(s.photo, s.instances, groundless, "full")] == ["backdrop"]


def test_the_floor_lies_on_the_plane_and_looks_up():
    s = two_boxes()
    ((name, floor),) = make_background(s.photo, s.instances, s.point_map, "ground")
    assert name == "ground" and floor.unlit and floor.texture is not None
    world = transforms.apply(np.linalg.inv(s.camera.T_cam_world), floor.vertices)
    assert np.abs(world[:, 1]).max() < 1e-5
    corner, right, back = world[floor.faces[0]]
    assert np.cross(right - corner, back - corner)[1] > 0
    # it carries all objects
    low, high = world.min(0), world.max(0)
    for item in s.objects:
        v = transforms.apply(np.linalg.inv(s.camera.T_cam_world) @ item.S_cam_obj, item.mesh.vertices)
        assert (v.min(0)[[0, 2]] > low[[0, 2]]).all() and (v.max(0)[[0, 2]] < high[[0, 2]]).all()


def test_the_photo_is_seen_again():
    s = patterned(two_boxes())
    full = dict(make_background(s.photo, s.instances, s.point_map, "full"))
    seen = seen_from_photo(s, list(full.values()))
    assert (seen.index >= 0).all()  # floor and card fill the view
    free = s.instances.labels == 0
    free[:, :12] = free[:, -12:] = free[:12] = free[-12:] = False  # the floor fades at the photo's rim
    inner = np.abs(seen.rgb.astype(int) - s.photo.rgb.astype(int)).mean(2)
    grown = np.ones_like(free)
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            grown &= np.roll(free, (dy, dx), (0, 1))
    assert np.percentile(inner[grown], 50) < 3
    assert np.percentile(inner[grown], 90) < 12
    mirrored = np.abs(seen.rgb[:, ::-1].astype(int) - s.photo.rgb.astype(int)).mean(2)
    assert np.median(mirrored[grown]) > 15  # the stripes would show a wrong side


def test_the_backdrop_stands_behind_everything():
    s = two_boxes()
    full = dict(make_background(s.photo, s.instances, s.point_map, "full"))
    assert list(full) == ["ground", "backdrop"]
    nearest = full["backdrop"].vertices[:, 2].min()
    assert nearest > full["ground"].vertices[:, 2].max() > np.nanmax(s.point_map.depth[s.instances.labels > 0])
    card = seen_from_photo(s, [full["backdrop"]])
    kept = remove_objects(s.photo.rgb, s.instances.labels > 0)
    assert np.abs(card.rgb.astype(int) - kept).max() <= 1  # exact to the pixel
    triangle = full["backdrop"].triangles[0]
    assert np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])[2] < 0  # it looks at the camera


def test_the_objects_are_gone():
    s = two_boxes()
    for _, mesh in make_background(s.photo, s.instances, s.point_map, "full"):
        far = np.abs(mesh.texture.astype(int) - FLOOR_RGB).max()
        assert far <= 10  # the floor has one colour, so all that remains has it; red and blue are 100 away


def test_a_mask_that_covers_everything_does_no_harm():
    camera = tilted_camera()
    s = observe([placed(1, box((9, 9, 0.1)), camera, (0, 1, -2), size=9)], camera)
    assert (s.instances.labels == 1).all()
    meshes = dict(make_background(s.photo, s.instances, s.point_map, "full"))
    assert set(meshes) == {"ground", "backdrop"}
    assert all(np.isfinite(m.vertices).all() for m in meshes.values())


def test_a_camera_below_the_ground_gets_no_floor():
    s = two_boxes()
    plane = s.point_map.ground_cam * [1, 1, 1, -1]
    assert make_background(s.photo, s.instances, replace(s.point_map, ground_cam=plane), "ground") == []


def test_remove_objects_keeps_the_rest():
    rgb = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    mask = np.zeros((50, 90), bool)
    assert remove_objects(rgb, mask) is rgb
    mask[20:30, 40:60] = True
    out = remove_objects(rgb, mask)
    far = np.ones_like(mask)
    far[15:35, 35:65] = False
    np.testing.assert_array_equal(out[far], rgb[far])
    assert not np.array_equal(out[mask], rgb[mask])


@pytest.mark.parametrize("kind", ["ground", "full"])
def test_equal_input_gives_equal_meshes(kind):
    first, second = (make_background(s.photo, s.instances, s.point_map, kind) for s in (two_boxes(), two_boxes()))
    for (_, a), (_, b) in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.texture, b.texture)
