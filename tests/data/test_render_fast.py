"""The fast renderer's light against closed forms, before tone mapping; pictures against what one sees in them."""

import numpy as np
import pytest
from pydantic import ValidationError
from render_worlds import BLACK_SKY, GREY_SKY, box, camera_at, ground_of, sphere, world_of

from scenemaker.data.render.fast import FastConfig, FastRenderer
from scenemaker.data.render.filters import Guide, cells, smooth
from scenemaker.data.render.textures import look_up, pyramid
from scenemaker.data.render.tone import auto_exposure, develop, to_srgb, tone_mapped
from scenemaker.data.types import Finish, Ground, Light
from scenemaker.geometry import transforms
from scenemaker.geometry.colour import linear_from_srgb
from scenemaker.geometry.mesh import Mesh

UP = np.array([0.0, 1.0, 0.0])
FACING = camera_at([0, 3.0, 0.0], [0, 0, 0], 40, 30)  # straight down


def sun(direction=(0.0, 1.0, 0.0), irradiance=(3.0, 2.0, 1.0), size=1e-4):
    return Light(direction_world=transforms.unit(direction), irradiance=np.array(irradiance), size=size)


def gloss(roughness, cos_light, cos_view, cos_half, view_half, front):
    """GGX of glTF 2.0 appendix B, written as there: F V D."""
    a2 = roughness**4
    D = a2 / (np.pi * (cos_half**2 * (a2 - 1) + 1) ** 2)
    V = 0.5 / (cos_light * np.sqrt(cos_view**2 * (1 - a2) + a2) + cos_view * np.sqrt(cos_light**2 * (1 - a2) + a2))
    F = front + (1 - front) * (1 - view_half) ** 5
    return F, F * V * D


@pytest.mark.parametrize("roughness", [0.4, 1.0])
@pytest.mark.parametrize("tilt_deg", [0.0, 50.0])
def test_a_plane_under_one_sun_reflects_albedo_times_irradiance_over_pi(roughness, tilt_deg):
    tilt = np.radians(tilt_deg)
    light = sun((np.sin(tilt), np.cos(tilt), 0))
    world = world_of([], [], ground=ground_of(colour=(255, 188, 99), roughness=roughness), lights=[light])
    centre = FastRenderer().radiance(world, camera_at([0, 3.0, 0.0], [0, 0, 0], 41, 31))[15, 20]
    half = tilt / 2
    F, lobe = gloss(roughness, np.cos(tilt), 1.0, np.cos(half), np.cos(half), 0.04)
    albedo = linear_from_srgb(np.array([255, 188, 99]) / 255)
    want = ((1 - F) * albedo / np.pi + lobe) * light.irradiance * np.cos(tilt)
    np.testing.assert_allclose(centre, want, rtol=2e-4)


def test_an_area_lamp_gives_its_irradiance_at_the_origin_and_less_beside():
    lamp = Light(direction_world=UP, irradiance=np.array([2.0, 2.0, 2.0]), distance=2.0, size=0.3)
    world = world_of([], [], ground=ground_of(colour=(255, 255, 255)), lights=[lamp])
    camera = camera_at([0, 5.0, 0.0], [0, 0, 0], 61, 31)
    light = FastRenderer().radiance(world, camera)[15, :, 0]
    x = camera.rays_cam()[15, :, 0] * 5
    squared = x**2 + 4  # to the lamp; both cosines are 2 / distance
    arrives = 2.0 * 4 / squared * 4 / squared
    F, lobe = gloss(1.0, 1.0, 1.0, 1.0, 1.0, 0.04)
    assert light[30] == pytest.approx(2.0 * ((1 - F) / np.pi + lobe), rel=1e-3)
    np.testing.assert_allclose(light / light[30], arrives / arrives[30], rtol=5e-3)
    assert arrives.min() < 0.6 * arrives.max()


def test_a_white_sky_lights_a_white_matt_thing_as_bright_as_itself():
    world = world_of([sphere(3, (255, 255, 255))], [np.eye(4)], sky=GREY_SKY)
    light = FastRenderer().radiance(world, camera_at([0, 0.4, 3.0], [0, 0, 0], 50, 40))
    truth = FastRenderer().render(world, [camera_at([0, 0.4, 3.0], [0, 0, 0], 50, 40)])[0]
    on, off = truth.labels == 1, truth.labels == 0
    np.testing.assert_allclose(light[off], 0.5, rtol=1e-5)
    assert np.abs(light[on].mean() / 0.5 - 1) < 0.06 and np.abs(light[on] / 0.5 - 1).max() < 0.2


def test_the_shadow_of_a_box_lies_where_the_sun_puts_it_and_the_sky_reaches_in():
    direction = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    S = transforms.similarity(np.eye(3), [0, 0.5, 0])
    camera = camera_at([0.2, 6.0, 2.0], [0, 0, 0], 90, 60)
    view = FastRenderer()
    world = world_of([box()], [S], ground=ground_of(), lights=[sun(direction)])
    light = view.radiance(world, camera)[..., 1]
    truth = view.render(world, [camera])[0]
    rays = camera.rays_cam() @ camera.T_cam_world[:3, :3]
    p = camera.centre_world + rays * truth.depth[..., None].astype(float)
    ground = truth.labels == 0
    shaded = (p[..., 0] > -1.46) & (p[..., 0] < -0.54) & (np.abs(p[..., 2]) < 0.46) & ground  # x in [-1.5, -0.5]
    open_ = ground & ~((p[..., 0] > -1.54) & (p[..., 0] < 0.6) & (np.abs(p[..., 2]) < 0.54))
    assert shaded.sum() > 60 and open_.sum() > 1000
    bright = np.median(light[open_])
    assert light[shaded].max() < 0.12 * bright
    assert np.abs(light[open_] / bright - 1).max() < 0.1
    under_sky = view.radiance(world_of([box()], [S], ground=ground_of(), lights=[sun(direction)], sky=GREY_SKY), camera)
    assert under_sky[..., 1][shaded].min() > 0.1 * bright


def test_a_wide_lamp_has_a_wide_half_shade_that_grows_away_from_the_edge():
    wall = Mesh(vertices=[[0, 0, -2], [0, 0, 2], [0, 1, 2], [0, 1, -2]], faces=[[0, 1, 2], [0, 2, 3]])
    world = world_of([wall], [np.eye(4)], ground=ground_of(), lights=[sun((1, 1, 0), size=0.4)])
    camera = camera_at([-1.0, 8.0, 0.0], [-1, 0, 0], 81, 41, fov_x_deg=30)
    for quality in ("fast", "good"):
        light = FastRenderer(FastConfig(quality=quality)).radiance(world, camera)[20, :, 0]
        x = (camera.centre_world + (camera.rays_cam() @ camera.T_cam_world[:3, :3])[20] * 8)[:, 0]  # straight down
        share = light / light[x < -2].mean()
        low, high = -np.tan(np.radians(45) + 0.2), -np.tan(np.radians(45) - 0.2)  # rim and core of the half shade
        assert share[x < low - 0.05].min() > 0.98 and share[(x > high + 0.05) & (x < -0.1)].max() < 0.02
        middle = np.interp(-1.0, x, share)
        assert 0.35 < middle < 0.65
        half = (x > low) & (x < high)
        assert np.polyfit(x[half], share[half], 1)[0] < 0 and (np.diff(share[half]) < 0.12).all()


def test_things_shade_the_ground_they_stand_on_from_the_sky():
    S = transforms.similarity(np.eye(3), [0, 0.5, 0])
    camera = camera_at([0.0, 3.0, 4.0], [0, 0.3, 0], 300, 200, fov_x_deg=70)
    light = FastRenderer().radiance(world_of([box()], [S], ground=ground_of(), sky=GREY_SKY), camera)[..., 1]
    rays = camera.rays_cam() @ camera.T_cam_world[:3, :3]
    z = camera.centre_world[2] - rays[..., 2] * 3.0 / rays[..., 1]
    column = 150
    near = light[:, column][np.abs(z[:, column] - 0.56) < 0.04].mean()
    far = light[:, column][np.abs(z[:, column] - 2.2) < 0.1].mean()
    assert 0.5 * far < near < 0.7 * far  # at the foot of a wall half of the sky is hidden


def test_no_surface_shades_itself():
    light = sun((0.6, 1, 0.5), (1, 1, 1))
    ball = sphere(3, (255, 255, 255))
    camera = camera_at([0.5, 1.2, 0.9], [0, 0, 0], 160, 120, fov_x_deg=45)
    view = FastRenderer().radiance(world_of([ball], [np.eye(4)], lights=[light]), camera)[..., 0]
    truth = FastRenderer().render(world_of([ball], [np.eye(4)]), [camera])[0]
    rays = camera.rays_cam() @ camera.T_cam_world[:3, :3]
    p = camera.centre_world + rays * truth.depth[..., None].astype(float)
    cosine = (p / np.linalg.norm(p, axis=-1, keepdims=True)) @ light.direction_world
    on = (truth.labels == 1) & (cosine > 0.15)
    ratio = view[on] * np.pi / cosine[on]
    assert on.sum() > 3000 and ratio.min() > 0.85 and ratio.max() < 1.15


def test_faces_turned_and_far_from_the_origin_do_not_shade_themselves():
    R = transforms.axis_angle([1, 2, 0.5], 0.9)
    S = transforms.similarity(R, [3.1, 1.7, -2.3], 0.8)
    camera = camera_at([5.0, 3.5, 0.5], [3.1, 1.7, -2.3], 160, 120)
    light = sun(camera.centre_world - [3.1, 1.7, -2.3], (1, 1, 1))
    world = world_of([box()], [S], lights=[light])
    view, normals = (
        FastRenderer().radiance(world, camera)[..., 0],
        FastRenderer().render(world, [camera])[0].normals_cam,
    )
    n = normals @ camera.T_cam_world[:3, :3]
    on = np.isfinite(n[..., 0])
    for face in np.unique(n[on].round(4), axis=0):
        same = on & (np.abs(n - face).max(-1) < 1e-3)
        if same.sum() > 50:
            cosine = face @ light.direction_world
            assert view[same].min() > 0.9 * 0.2159 * cosine / np.pi and np.ptp(view[same]) < 0.1 * view[same].max()


def test_facets_of_a_round_thing_are_not_dark_where_its_smooth_surface_is_lit():
    light, ball = sun((1.0, 0.6, 0.2), (1, 1, 1)), sphere(1, (255, 255, 255))
    camera = camera_at([0.4, 0.3, 2.2], [0, 0, 0], 120, 90, fov_x_deg=35)
    world = world_of([ball], [np.eye(4)], lights=[light])
    view, truth = FastRenderer().radiance(world, camera)[..., 0], FastRenderer().render(world, [camera])[0]
    rays = camera.rays_cam() @ camera.T_cam_world[:3, :3]
    p = camera.centre_world + rays * truth.depth[..., None].astype(float)
    cosine = (p / np.linalg.norm(p, axis=-1, keepdims=True)) @ light.direction_world
    on = (truth.labels == 1) & (cosine > 0.08)
    assert on.sum() > 1000 and (view[on] * np.pi > 0.4 * cosine[on]).all()


def test_textures_are_mixed_between_the_centres_of_their_pixels():
    texture = np.array([[[0, 0, 0], [1, 1, 1]]], np.float32)
    u = np.array([0.0, 0.25, 0.5, 0.625, 0.75, 1.0], np.float32)
    uv, fine = np.stack([u, np.full(6, 0.5, np.float32)]), np.zeros(6, np.float32)
    once = look_up(pyramid(texture), uv, fine, repeat=False)[:, 0]
    np.testing.assert_allclose(once, [0, 0, 0.5, 0.75, 1, 1], atol=1e-3)
    again = look_up(pyramid(texture), uv, fine, repeat=True)[:, 0]
    np.testing.assert_allclose(again, [0.5, 0, 0.5, 0.75, 1, 0.5], atol=1e-3)
    coarse = look_up(pyramid(texture), uv, np.full(6, 2.0, np.float32), repeat=False)[:, 0]
    np.testing.assert_allclose(coarse, 0.5)


def test_shared_samples_cancel_exactly_on_a_flat_surface_and_stop_at_its_border():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :56]
    field = rng.uniform(0, 1, 64)[cells(rows, columns)].astype(np.float32)[None]
    assert sorted(cells(rows[:8, :8], columns[:8, :8]).ravel()) == list(range(64))
    flat = {"normal": np.broadcast_to(np.array([0, 1, 0], "f4")[:, None, None], (3, 40, 56)), "tolerance": 0.1}
    one = Guide(index=np.zeros((40, 56), np.int32), offset=np.zeros((40, 56), np.float32), **flat)
    wide = smooth(field, one, wide=True)[0]
    np.testing.assert_allclose(wide[6:-6, 6:-6], field[0, :8, :8].mean(), rtol=1e-5)
    left = columns < 20
    for two in (
        Guide(index=left.astype(np.int32), offset=np.zeros((40, 56), np.float32), **flat),
        Guide(index=np.zeros((40, 56), np.int32), offset=left.astype(np.float32), **flat),
    ):
        np.testing.assert_allclose(smooth(left.astype(np.float32)[None], two, wide=True)[0], left)


def test_a_texture_starts_at_its_top_left():
    texture = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    texture = texture.repeat(32, 0).repeat(32, 1)
    quad = Mesh(
        vertices=[[-0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, -0.5, 0], [-0.5, -0.5, 0]],
        faces=[[0, 3, 2], [0, 2, 1]],
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        texture=texture,
    )
    world = world_of([quad], [np.eye(4)], sky=GREY_SKY)
    rgb = FastRenderer().render(world, [camera_at([0, 0, 1.6], [0, 0, 0], 60, 40)])[0].rgb.astype(int)
    top_left, top_right, low_left, low_right = rgb[12, 22], rgb[12, 38], rgb[28, 22], rgb[28, 38]
    assert top_left.argmax() == 0 and top_right.argmax() == 1 and low_left.argmax() == 2
    assert np.ptp(low_right) < 12 and low_right.min() > 180


def test_the_ground_repeats_its_texture_from_the_origin():
    texture = np.full((2, 2, 3), 20, np.uint8)
    texture[0, 1] = 255, 0, 0  # column 1, row 0: x in [0.5, 1) tiles, z in [0, 0.5)
    texture = texture.repeat(64, 0).repeat(64, 1)
    ground = Ground(texture=texture, tile=2.0, radius=50.0, finish=Finish(roughness=1))
    camera = camera_at([0, 4.0, 0.0], [0, 0, 0], 80, 60)
    red = FastRenderer().radiance(world_of([], [], ground=ground, lights=[sun(irradiance=(1, 1, 1))]), camera)[..., 0]
    rays = camera.rays_cam() @ camera.T_cam_world[:3, :3]
    p = camera.centre_world - rays * (4.0 / rays[..., 1:2])
    x, z = p[..., 0] / 2 % 1, p[..., 2] / 2 % 1
    inside = (x > 0.55) & (x < 0.95) & (z > 0.05) & (z < 0.45)
    outside = (x < 0.45) & (x > 0.05) | (z > 0.55) & (z < 0.95)
    assert red[inside].min() > 0.25 and red[outside].max() < 0.05


def test_a_far_ground_is_the_mean_of_its_texture():
    checks = np.kron([[0, 255], [255, 0]], np.ones((2, 2)))[..., None].repeat(3, 2).astype(np.uint8)
    ground = Ground(texture=checks, tile=0.02, radius=500.0, finish=Finish(roughness=1))
    camera = camera_at([0, 4.0, 0.0], [0, 2.0, -8.0], 60, 40)
    light = FastRenderer().radiance(world_of([], [], ground=ground, lights=[sun(irradiance=(1, 1, 1))]), camera)
    seen = light[30:, :, 0] * np.pi
    assert np.abs(seen - 0.5).max() < 0.06


def test_a_mirror_shows_the_sky_where_it_turns_the_eye():
    sky = np.full((64, 128, 3), 0.2, np.float32)
    sky[:, 64:] = 2.0  # columns of positive azimuth: +x
    quad = Mesh(vertices=[[-2, 0, -2], [2, 0, -2], [2, 0, 2], [-2, 0, 2]], faces=[[0, 2, 1], [0, 3, 2]])
    quad = Mesh(vertices=quad.vertices, faces=quad.faces, colors=np.full((4, 3), 255, np.uint8))
    world = world_of([quad], [np.eye(4)], sky=sky, finish=Finish(roughness=0.1, metallic=1.0))
    towards_x = FastRenderer().radiance(world, camera_at([-3, 2.0, 0], [0, 0, 0], 30, 20))[10, 15, 0]
    away = FastRenderer().radiance(world, camera_at([3, 2.0, 0], [0, 0, 0], 30, 20))[10, 15, 0]
    assert 1.7 < towards_x < 2.1 and 0.15 < away < 0.3


def test_the_sky_is_seen_where_the_contract_says():
    sky = np.zeros((64, 128, 3), np.float32)
    d = transforms.unit([0.4, 0.3, -0.8])
    row, column = 64 * np.arccos(d[1]) / np.pi, 128 * (np.arctan2(d[0], -d[2]) / (2 * np.pi) + 0.5)
    sky[int(row), int(column)] = 1.0
    camera = camera_at([5, 1, 2], np.add([5, 1, 2], d), 61, 41, fov_x_deg=20)
    light = FastRenderer().radiance(world_of([], [], sky=sky), camera)[..., 0]
    at = np.unravel_index(light.argmax(), light.shape)
    centre = transforms.unit([np.sin(a := (int(column) + 0.5) / 128 * 2 * np.pi - np.pi), 0, -np.cos(a)]) * np.sin(
        t := (int(row) + 0.5) / 64 * np.pi
    ) + [0, np.cos(t), 0]
    p = camera.T_cam_world[:3, :3] @ centre
    u, v = camera.K[0, 0] * p[0] / p[2] + camera.K[0, 2], camera.K[1, 1] * p[1] / p[2] + camera.K[1, 2]
    assert abs(at[1] + 0.5 - u) < 1 and abs(at[0] + 0.5 - v) < 1


def test_edges_are_smooth_and_the_truth_is_not():
    R = transforms.axis_angle([0, 0, 1], 0.3)
    world = world_of([box((0, 0, 0))], [transforms.similarity(R, [0, 0, 0])], sky=GREY_SKY)
    camera = camera_at([0, 0, 4.0], [0, 0, 0], 80, 60)
    view = FastRenderer(FastConfig(noise=0)).render(world, [camera])[0]
    inside, outside = view.rgb[view.labels == 1].mean(), view.rgb[view.labels == 0].mean()
    between = (view.rgb[..., 0] > inside + 25) & (view.rgb[..., 0] < outside - 25)
    assert between.sum() > 40
    ys, xs = np.nonzero(between)
    labels = np.pad(view.labels, 1, mode="edge")
    for y, x in zip(ys, xs):
        assert len(np.unique(labels[y : y + 3, x : x + 3])) == 2


def test_equal_worlds_give_equal_bytes_in_any_order_of_views():
    rng = np.random.default_rng(1)
    meshes = [box(), sphere()]
    S = [transforms.similarity(np.eye(3), [x, 0.5, 0]) for x in (-0.7, 0.7)]
    sky = rng.uniform(0, 1, (16, 32, 3))
    lamp = Light(direction_world=UP, irradiance=np.ones(3), distance=3.0, size=0.5)
    world = world_of(meshes, S, ground=ground_of(), sky=sky, lights=[sun((1, 1, 0.3)), lamp])
    cameras = [camera_at([x, 2.0, 3.0], [0, 0.4, 0], 60, 40) for x in (-1, 0, 1)]
    views = FastRenderer().render(world, cameras)
    again = [FastRenderer().render(world, [c])[0] for c in cameras[::-1]][::-1]
    for a, b in zip(views, again):
        for name in ("rgb", "labels", "depth", "normals_cam", "amodal", "in_frame"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert a.rgb.shape == (40, 60, 3) and a.rgb.dtype == np.uint8 and a.visible_fraction.max() <= 1


def test_the_picture_of_nothing_is_the_sky():
    view = FastRenderer(FastConfig(noise=0)).render(world_of([], [], sky=GREY_SKY), [FACING])[0]
    assert view.amodal.shape == (0, 30, 40) and np.isnan(view.depth).all() and np.ptp(view.rgb) <= 1
    black = FastRenderer().render(world_of([box()], [np.eye(4)], sky=BLACK_SKY), [FACING])[0]
    assert black.rgb.max() < 12  # only noise


def test_options_change_the_picture_as_they_say_and_not_the_truth():
    world = world_of([box()], [np.eye(4)], sky=GREY_SKY, lights=[sun((1, 2, 1))])
    camera = camera_at([1, 2.0, 3.0], [0, 0, 0], 64, 48)
    plain = FastRenderer(FastConfig(noise=0)).render(world, [camera])[0]
    for options in ({"exposure_ev": 1.0}, {"blur_px": 2.0}, {"noise": 5.0}, {"jpeg_quality": 20}):
        other = FastRenderer(FastConfig(**{"noise": 0.0, **options})).render(world, [camera])[0]
        np.testing.assert_array_equal(other.depth, plain.depth)
        difference = other.rgb.astype(int) - plain.rgb
        if "exposure_ev" in options:
            assert difference.mean() > 15
        if "blur_px" in options:
            steps = [np.abs(np.diff(view.rgb.astype(int), axis=1)).max() for view in (other, plain)]
            assert steps[0] < 0.7 * steps[1]
        if "noise" in options:
            assert 4 < difference[plain.labels == 0].std() < 6
        if "jpeg_quality" in options:
            assert 0.2 < np.abs(difference).mean() < 10
    with pytest.raises(ValidationError):
        FastConfig(quality="best")  # type: ignore[arg-type]


def test_tone_mapping_keeps_the_dark_part_and_never_burns_out():
    x = np.linspace(0, 0.6, 50, dtype=np.float32)
    np.testing.assert_allclose(tone_mapped(x), x, atol=1e-7)
    bright = tone_mapped(np.array([0.6, 0.61, 1, 2, 10, 1e6], np.float32))
    assert (np.diff(bright) > 0).all() and bright[-1] <= 1
    assert (bright[1] - bright[0]) == pytest.approx(0.01, rel=0.05)  # no kink


def test_srgb_is_exact_on_the_mean_and_smooth_ramps_have_no_bands():
    ramp = np.broadcast_to(np.linspace(0.2, 0.22, 256, dtype=np.float32)[None, :, None], (128, 256, 3))
    out = to_srgb(ramp).astype(float)
    want = 255 * (1.055 * ramp[0, :, 0] ** (1 / 2.4) - 0.055)
    assert np.abs(out.mean((0, 2)).reshape(32, 8).mean(1) - want.reshape(32, 8).mean(1)).max() < 0.15
    black, white = np.zeros((70, 5, 3), np.float32), np.ones((70, 5, 3), np.float32)
    assert to_srgb(black).max() == 0 and to_srgb(white).min() == 255


def test_exposure_follows_the_light_and_ignores_its_unit():
    light = np.random.default_rng(0).uniform(0.2, 1, (30, 40, 3)).astype(np.float32)
    assert auto_exposure(light * 50) == pytest.approx(auto_exposure(light) / 50, rel=1e-4)
    assert auto_exposure(np.zeros((3, 4, 3), np.float32)) == 1.0
    holes = light.copy()
    holes[:5] = np.nan
    assert np.isfinite(auto_exposure(holes))
    np.testing.assert_array_equal(develop(light * 7), develop(light))


def test_a_box_in_a_world_of_its_own_size_looks_the_same():
    pictures = []
    for k in (1.0, 100.0, 0.01):
        S = transforms.similarity(np.eye(3), [0, 0.5 * k, 0], k)
        lamp = Light(direction_world=transforms.unit([1, 2, 0.5]), irradiance=np.ones(3), distance=4 * k, size=0.5 * k)
        ground = ground_of(radius=20 * k)
        world = world_of([box()], [S], ground=ground, sky=GREY_SKY, lights=[lamp])
        camera = camera_at(np.array([1, 2.0, 3.0]) * k, np.array([0, 0.3, 0]) * k, 64, 48)
        pictures.append(FastRenderer(FastConfig(noise=0)).render(world, [camera])[0].rgb.astype(int))
    for other in pictures[1:]:
        assert np.abs(other - pictures[0]).mean() < 0.4 and (np.abs(other - pictures[0]) > 12).mean() < 0.01
