"""Surroundings drawn by chance: in proportion, repeatable, and what the options ask for."""

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from render_worlds import box

from scenemaker.data.render import skies
from scenemaker.data.render.environments import (
    OctMap,
    Surround,
    equirect_directions,
    oct_directions,
    octahedral,
    seen,
    solid_angles,
)
from scenemaker.data.render.grounds import KINDS, SIDE, ground_texture
from scenemaker.data.render.surroundings import SurroundingsConfig, draw_world, environment_files
from scenemaker.data.types import GROUND, NOTHING, Arrangement, DataObject, Environment, World
from scenemaker.errors import ConfigError, InputError
from scenemaker.geometry import transforms


def arrangement(size=2.0, support=GROUND, n=2):
    objects = tuple(DataObject(key=str(i), mesh=box()) for i in range(n))
    t = np.array([[i * size * (n > 1) * (n - 1) / (n - 1 or 1) * 0.5, size / 4, 0] for i in range(n)])
    return Arrangement(
        objects=objects,
        R_world_obj=np.stack([np.eye(3)] * n),
        t_world_obj=t,
        scale=np.full(n, size / 2),
        support=(support,) * n,
        layout="own",
    )


PLAIN = {"grounds": ("plain",), "skies": ("gradient",)}  # quickly drawn


def worlds(count, config=None, **options):
    return [draw_world(arrangement(**options), np.random.default_rng(i), config) for i in range(count)]


def same(a, b):
    np.testing.assert_array_equal(a.environment.radiance, b.environment.radiance)
    assert a.finishes == b.finishes and (a.ground is None) == (b.ground is None)
    if a.ground is not None:
        np.testing.assert_array_equal(a.ground.texture, b.ground.texture)
        assert (a.ground.tile, a.ground.radius, a.ground.finish) == (b.ground.tile, b.ground.radius, b.ground.finish)
    assert [vars(x).keys() for x in a.lights] == [vars(x).keys() for x in b.lights]
    for x, y in zip(a.lights, b.lights, strict=True):
        np.testing.assert_array_equal(x.irradiance, y.irradiance)
        np.testing.assert_array_equal(x.direction_world, y.direction_world)


def test_equal_generators_give_equal_worlds_and_others_differ():
    first, again = worlds(8), worlds(8)
    for a, b in zip(first, again, strict=True):
        same(a, b)
    assert len({w.environment.radiance.tobytes() for w in first}) == 8


def test_everything_grows_with_the_scene():
    for small, large in zip(worlds(12, size=2.0), worlds(12, size=200.0), strict=True):
        assert large.ground.tile == pytest.approx(100 * small.ground.tile)
        assert large.ground.radius == pytest.approx(100 * small.ground.radius)
        for a, b in zip(small.lights, large.lights, strict=True):
            np.testing.assert_allclose(a.irradiance, b.irradiance)
            assert (a.distance is None) == (b.distance is None)
            if a.distance is not None:
                assert b.distance == pytest.approx(100 * a.distance) and b.size == pytest.approx(100 * a.size)
            else:
                assert a.size == b.size


def test_area_lamps_are_those_of_hiscene():
    config = SurroundingsConfig(lamps="area", **PLAIN)
    for world in worlds(40, config, size=2.0):  # its lengths are of scenes of side 2
        (lamp,) = world.lights
        assert 4 <= lamp.distance <= 6 and 0.8 <= lamp.size <= 1.2
        elevation = np.degrees(np.arcsin(lamp.direction_world[1]))
        assert 40 <= elevation <= 89.9 and np.linalg.norm(lamp.direction_world) == pytest.approx(1)
        assert (lamp.irradiance > 0).all()


def test_four_suns_stand_a_quarter_turn_apart_and_none_shines_from_below_the_ground():
    for world in worlds(20, SurroundingsConfig(lamps="suns", ground="never", **PLAIN)):
        d = np.stack([x.direction_world for x in world.lights])
        quarter = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        np.testing.assert_allclose(d[1:], d[:-1] @ quarter.T, atol=1e-12)
        strengths = np.array([x.irradiance.sum() for x in world.lights])
        np.testing.assert_allclose(strengths / strengths[0], [1, 0.6, 0.6, 0.6])
        assert all(x.distance is None and 0.1 <= x.size <= 0.5 for x in world.lights)
    for world in worlds(20, SurroundingsConfig(lamps="suns", **PLAIN)):
        assert 1 <= len(world.lights) < 4 and min(x.direction_world[1] for x in world.lights) > 0


def test_lamps_are_not_far_from_the_sky_in_strength_and_may_be_left_out():
    assert all(not w.lights for w in worlds(10, SurroundingsConfig(lamps="none", **PLAIN)))
    drawn = worlds(80, SurroundingsConfig(**PLAIN))
    kinds = {(len(w.lights), bool(w.lights) and w.lights[0].distance is None) for w in drawn}
    assert {(0, False), (1, True), (1, False)} <= kinds


def test_floating_objects_have_no_ground_unless_asked():
    assert all(w.ground is None for w in worlds(5, support=NOTHING))
    assert all(w.ground is not None for w in worlds(5, support=GROUND))
    assert all(w.ground is not None for w in worlds(5, SurroundingsConfig(ground="always"), support=NOTHING))
    assert all(w.ground is None for w in worlds(5, SurroundingsConfig(ground="never")))


def test_finishes_follow_the_share_of_shiny_objects():
    dull = [f for w in worlds(20, SurroundingsConfig(shiny_share=0, **PLAIN)) for f in w.finishes]
    shiny = [f for w in worlds(20, SurroundingsConfig(shiny_share=1, **PLAIN)) for f in w.finishes]
    assert all(f.metallic == 0 and f.roughness >= 0.45 for f in dull)
    assert all(f.roughness <= 0.45 for f in shiny) and {f.metallic for f in shiny} == {0.0, 1.0}


@pytest.mark.parametrize("kind", KINDS)
def test_grounds_repeat_without_a_seam_and_vary(kind):
    texture = ground_texture(kind, np.random.default_rng(3))
    assert texture.shape == (SIDE, SIDE, 3) and texture.dtype == np.uint8
    np.testing.assert_array_equal(texture, ground_texture(kind, np.random.default_rng(3)))
    assert np.abs(texture.astype(int) - ground_texture(kind, np.random.default_rng(4))).mean() > 3
    light = texture.astype(float)
    for axis in (0, 1):  # steps across the seam are no larger than the largest inside
        moved = np.abs(np.roll(light, -1, axis) - light).mean((1 - axis, 2))
        assert moved[-1] <= 1.35 * moved[:-1].max() + 0.5
    saturation = 1 - light.min(2) / np.maximum(light.max(2), 1)
    assert np.median(saturation) < 0.75


@pytest.mark.parametrize("kind", skies.DRAWN)
def test_drawn_skies_are_light_without_a_seam(kind):
    for seed in range(3):
        sky = skies.DRAWN[kind](np.random.default_rng(seed))
        assert sky.dtype == np.float32 and sky.ndim == 3 and sky.shape[2] == 3
        assert np.isfinite(sky).all() and sky.min() >= 0 and sky.mean() > 0.05
        if sky.shape[1] > 1 and kind != "room":  # a room's windows may cross it
            step = np.abs(sky[:, 0] - sky[:, -1]).mean()
            assert step <= 3 * np.abs(np.diff(sky, axis=1)).mean() + 0.02


def test_equirectangular_directions_and_what_is_seen_there_agree():
    d = equirect_directions(20, 40)
    np.testing.assert_allclose(d[0, 20], [0.0061556, 0.9969173, -0.0782172], atol=1e-6)  # up, just right of -z
    assert d[10, 30, 0] > 0.99 and d[10, 10, 0] < -0.99  # +x three quarters across
    picture = np.random.default_rng(0).uniform(0, 1, (20, 40, 3)).astype(np.float32)
    np.testing.assert_allclose(seen(picture, d.reshape(-1, 3) * 3).reshape(20, 40, 3), picture, atol=2e-4)
    theta = (np.arange(20, dtype=np.float32) + 0.5) / 20 * np.float32(np.pi)
    seam = np.stack([0 * theta, np.cos(theta), np.sin(theta)], 1)  # +z: between the last column and the first
    np.testing.assert_allclose(seen(picture, seam), (picture[:, 0] + picture[:, -1]) / 2, atol=2e-4)
    assert solid_angles(20, 40).sum() == pytest.approx(4 * np.pi, rel=1e-6)
    column = np.random.default_rng(0).uniform(0, 1, (20, 1, 3)).astype(np.float32)
    np.testing.assert_allclose(seen(column, d[:, 7]), column[:, 0], atol=2e-4)


def test_octahedral_maps_find_their_own_cells():
    d = oct_directions(8).reshape(10, 10, 3)[1:-1, 1:-1].reshape(-1, 3)
    values = np.random.default_rng(1).uniform(0, 1, (10, 10, 3)).astype(np.float32)
    inner = values[1:-1, 1:-1].reshape(-1, 3)
    columns = np.ascontiguousarray(d.T)
    np.testing.assert_allclose(OctMap(cells=values).smooth(columns), inner, atol=1e-4)
    np.testing.assert_allclose(OctMap(cells=values).coarse(columns), inner)
    x, z = octahedral(np.ascontiguousarray(oct_directions(8).T))
    border = oct_directions(8).reshape(10, 10, 3)[0, 1:-1]  # the border repeats a cell across the edge
    assert (np.abs(x) < 1).all() and (np.abs(z) < 1).all()
    assert (d @ border.T).max(0).min() > 0.9999


def test_light_from_all_around_adds_up():
    up = np.array([[0.0], [1.0], [0.0]], np.float32)
    white = Environment(radiance=np.ones((8, 1, 3), np.float32))
    nothing = World(meshes=(), S_world_obj=np.zeros((0, 4, 4)), finishes=(), environment=white)
    around = Surround(nothing, np.zeros(3, np.float32))
    assert around.irradiance.smooth(up)[0] == pytest.approx(np.full(3, np.pi), rel=1e-5)
    for roughness in (0.0, 0.2, 0.5, 1.0):
        assert around.reflection(roughness).smooth(up)[0] == pytest.approx(np.ones(3), rel=1e-4)
    half = np.zeros((32, 64, 3), np.float32)
    half[:16] = 1.0
    level = World(meshes=(), S_world_obj=np.zeros((0, 4, 4)), finishes=(), environment=Environment(radiance=half))
    side = np.array([[1.0], [0.0], [0.0]], np.float32)
    lit = Surround(level, np.zeros(3, np.float32)).irradiance
    assert lit.smooth(up)[0, 0] == pytest.approx(np.pi, rel=0.01)
    assert lit.smooth(side)[0, 0] == pytest.approx(np.pi / 2, rel=0.02)
    assert lit.smooth(-up)[0, 0] == pytest.approx(0, abs=0.02)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "deeper").mkdir()
    cv2.imwrite(str(tmp_path / "deeper" / "a.png"), rng.integers(60, 200, (40, 80, 3), dtype=np.uint8))
    hdr = np.full((40, 80, 3), 0.5, np.float32)
    hdr[8, 60] = 4000.0, 5000.0, 6000.0  # BGR: the sun
    cv2.imwrite(str(tmp_path / "b.hdr"), hdr)
    return tmp_path


def test_pictures_of_a_folder_are_used_turned_about_and_their_sun_becomes_a_lamp(folder):
    assert [p.name for p in environment_files(folder)] == ["b.hdr", "a.png"]
    drawn = worlds(12, SurroundingsConfig(environments=folder, lamps="none"))
    suns = [w for w in drawn if w.lights]
    assert 0 < len(suns) < 12 and len({w.environment.radiance.tobytes() for w in drawn}) > 8
    for world in suns:
        (sun,) = world.lights
        assert sun.direction_world[1] == pytest.approx(np.cos(8.5 / 40 * np.pi), abs=1e-3)
        area = solid_angles(40, 80)[8, 0]
        np.testing.assert_allclose(sun.irradiance, np.array([6000, 5000, 4000]) * area, rtol=0.02)
        assert world.environment.radiance.max() < 40


def test_the_cut_sun_and_what_is_left_are_the_light_there_was():
    sky = np.random.default_rng(0).uniform(0.2, 0.4, (40, 80, 3)).astype(np.float32)
    sky[10, 20:22] = 900, 800, 700
    cut, direction, irradiance = skies.without_sun(sky)
    area = solid_angles(40, 80)[..., None]
    np.testing.assert_allclose((cut * area).sum((0, 1)) + irradiance, (sky * area).sum((0, 1)), rtol=1e-4)
    want = transforms.unit(equirect_directions(40, 80)[10, 20:22].sum(0))
    np.testing.assert_allclose(direction, want, atol=1e-4)
    plain, none, _ = skies.without_sun(sky.clip(0, 1))
    assert none is None and plain.max() <= 1
    sky[10, 60:62] = 900, 800, 700  # two suns are lamps of a room: they stay
    assert skies.without_sun(sky)[1] is None


def test_srgb_pictures_become_linear_light(folder):
    grey = np.full((10, 20, 3), 188, np.uint8)
    cv2.imwrite(str(folder / "grey.png"), grey)
    assert skies.read_environment(folder / "grey.png") == pytest.approx(0.5029, abs=1e-3)
    cv2.imwrite(str(folder / "deep.png"), grey.astype(np.uint16) * 257)
    assert skies.read_environment(folder / "deep.png") == pytest.approx(0.5029, abs=1e-3)
    cv2.imwrite(str(folder / "flat.png"), grey[..., 0])
    assert skies.read_environment(folder / "flat.png").shape == (10, 20, 3)


def test_exr_pictures_are_read(tmp_path):
    import OpenEXR

    pixels = np.random.default_rng(0).uniform(0, 3, (6, 12, 3)).astype(np.float32)
    channels = {name: np.ascontiguousarray(pixels[..., k]) for k, name in enumerate("RGB")}
    OpenEXR.File({}, channels).write(str(tmp_path / "sky.exr"))
    np.testing.assert_allclose(skies.read_environment(tmp_path / "sky.exr"), pixels, rtol=1e-3)


def test_bad_pictures_and_folders_are_named(tmp_path):
    with pytest.raises(ConfigError) as error:
        worlds(1, SurroundingsConfig(environments=tmp_path / "none"))
    want = f"got {tmp_path / 'none'}: no such folder; put equirectangular pictures there, or leave environments out"
    assert str(error.value) == f"expected a folder with .hdr, .exr, .png, .jpg, .jpeg; {want}"
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError) as broken:
        worlds(1, SurroundingsConfig(environments=tmp_path))
    got = f"{tmp_path / 'broken.png'}, which cannot be read"
    assert str(broken.value) == f"expected an equirectangular picture; got {got}; save it again"
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((4, 8, 3), np.uint8))
    with pytest.raises(InputError, match="which is black; leave it out"):
        skies.read_environment(tmp_path / "black.png")


def test_unknown_kinds_are_refused_with_the_known_ones():
    with pytest.raises(ValidationError, match="expected grounds of plain, mottled.*got 'lava'; correct it"):
        SurroundingsConfig(grounds=("plain", "lava"))
    with pytest.raises(ValidationError, match="expected skies of gradient, .*got 'space'"):
        SurroundingsConfig(skies=("space",))
    only = worlds(6, SurroundingsConfig(grounds=("planks",), skies=("gradient",)))
    assert all(w.environment.radiance.shape[1] == 1 for w in only)
