"""Cycles itself against the ground truth, closed forms and the fast renderer's light. Needs Blender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from cycles_worlds import ball, box, camera_at, placed, small_world

from scenemaker.data.render.cycles import CyclesConfig, CyclesRenderer
from scenemaker.data.render.environments import equirect_directions, seen
from scenemaker.data.render.fast import FastRenderer
from scenemaker.data.render.truth import WorldCaster, ground_truth
from scenemaker.data.types import Environment, Finish, Ground, Light, World
from scenemaker.errors import StageError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, project
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.blender

CAMERAS = {
    "square pixels": camera_at((1.5, 1.2, 2.0), width=150, height=100, fx=160, fy=160),
    "wide pixels, off centre": camera_at(
        (1.5, 1.2, 2.0), width=150, height=100, fx=220, fy=140, centre_px=(31.3, 77.2)
    ),
    "tall pixels, off centre": camera_at((-1.0, 1.9, 1.0), width=90, height=140, fx=110, fy=190, centre_px=(60, 20.5)),
    "centre outside": camera_at(
        (0.3, 0.6, 2.5), (-0.94, -0.4, 0), width=120, height=80, fx=150, fy=150, centre_px=(-15, 95)
    ),
}


@pytest.fixture(scope="module")
def cycles() -> Iterator[CyclesRenderer]:
    with CyclesRenderer(CyclesConfig(samples=64)) as made:
        yield made


def lit_by(radiance: float = 0.0, **rest: object) -> World:
    """An empty world under even light."""
    sky = np.full((4, 1, 3), radiance, np.float32)
    nothing = {"meshes": (), "S_world_obj": np.zeros((0, 4, 4)), "finishes": ()}
    return World(**{**nothing, "environment": Environment(radiance=sky), **rest})  # type: ignore[arg-type]


def grey_ground(value: int = 255) -> Ground:
    return Ground(texture=np.full((2, 2, 3), value, np.uint8), tile=1.0, radius=5.0, finish=Finish(roughness=1.0))


@pytest.mark.parametrize("ground", [True, False])
@pytest.mark.parametrize("name", CAMERAS)
def test_cycles_sees_the_same_to_the_pixel(cycles: CyclesRenderer, name: str, ground: bool) -> None:
    world, camera = small_world(ground=ground), CAMERAS[name]
    found, truth = cycles.passes(world, [camera])[0], ground_truth(WorldCaster(world), camera)
    assert {0, 1, 2} == set(np.unique(truth.labels))
    assert (found.labels == truth.labels).mean() > 0.999
    assert (np.isnan(found.depth) == np.isnan(truth.depth)).mean() > 0.999
    off = np.abs(found.depth - truth.depth)
    assert np.nanquantile(off / truth.depth, 0.999) < 1e-4  # grazing rays at the horizon are the worst
    # the check would see a twentieth of a pixel
    K = camera.K.copy()
    K[0, 2] += 0.05
    moved = cycles.passes(world, [replace(camera, K=K)])[0]
    assert np.nanmean(np.abs(moved.depth - truth.depth)) > 5 * np.nanmean(off)


@pytest.mark.parametrize("height", [1.5, -1.5])
def test_cycles_face_in_the_ground_is_the_objects(cycles: CyclesRenderer, height: float) -> None:
    flat = np.array([[-0.7, 0, -0.5], [0.7, 0, -0.5], [0.7, 0, 0.5], [-0.7, 0, 0.5]])
    plate = Mesh(vertices=flat, faces=np.array([[0, 2, 1], [0, 3, 2]]))
    world = replace(small_world(), meshes=(plate,), S_world_obj=np.eye(4)[None], finishes=(Finish(),))
    camera = camera_at((0.9, height, 1.6), (0, 0, 0), width=120, height=80, fx=110, fy=110)
    truth = ground_truth(WorldCaster(world), camera)
    assert 0.05 < (truth.labels == 1).mean() < 0.9
    assert (cycles.passes(world, [camera])[0].labels == truth.labels).mean() > 0.999


def test_cycles_pictures_lie_on_the_truth_too(cycles: CyclesRenderer) -> None:
    """Bright objects before black: each pixel's share of light is its covered share, by 16 rays of the house."""
    world = replace(lit_by(), meshes=(ball(),), S_world_obj=placed(np.eye(3), (0, 0.3, 0), 0.9)[None])
    world = replace(
        world, finishes=(Finish(roughness=1.0),), environment=Environment(radiance=np.ones((2, 1, 3), "f4"))
    )
    white = replace(world.meshes[0], colors=np.zeros_like(world.meshes[0].vertices, dtype=np.uint8))
    camera = CAMERAS["wide pixels, off centre"]
    dark = cycles.radiance(replace(world, meshes=(white,)), [camera])[0][..., 1]
    fine = ground_truth(WorldCaster(world), camera.resized(camera.width * 4, camera.height * 4)).labels > 0
    covered = fine.reshape(camera.height, 4, camera.width, 4).mean((1, 3))
    inside = dark[covered == 1].mean()
    assert inside < 0.2
    share = (1 - dark) / (1 - inside)
    edge = (covered > 0) & (covered < 1)
    assert edge.sum() > 50
    assert np.abs(share - covered)[edge].mean() < 0.07
    assert abs((share - covered)[edge].mean()) < 0.02
    beside = cv2.dilate(edge.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & (covered == 0)
    assert share[beside].mean() < 0.01  # a pixel is its square: nothing of the next one's


def test_cycles_texture_stands_upright_and_is_not_mirrored(cycles: CyclesRenderer) -> None:
    """A quad whose texture has four colours: top left red, top right green, bottom left blue, bottom right white."""
    corners = np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0.0]])
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    texture = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8).repeat(8, 0).repeat(8, 1)
    quad = Mesh(vertices=corners, faces=np.array([[0, 2, 1], [0, 3, 2]]), uv=uv, texture=texture)
    world = replace(lit_by(1.0), meshes=(quad,), S_world_obj=np.eye(4)[None], finishes=(Finish(roughness=1.0),))
    camera = camera_at((0, 0, 4), (0, 0, 0), width=90, height=60, fx=80, fy=80)
    picture = cycles.radiance(world, [camera])[0]
    for p, colour in (
        ((-0.5, 0.5), (1, 0, 0)),
        ((0.5, 0.5), (0, 1, 0)),
        ((-0.5, -0.5), (0, 0, 1)),
        ((0.5, -0.5), (1, 1, 1)),
    ):
        u, v = project(camera.K, transforms.apply(camera.T_cam_world, (*p, 0.0))).astype(int)
        assert np.allclose(picture[v, u], colour, atol=0.08), p


def test_cycles_ground_tiles_lie_where_they_should(cycles: CyclesRenderer) -> None:
    rng = np.random.default_rng(3)
    texture = (255 * rng.integers(0, 2, (3, 4, 3))).astype(np.uint8).repeat(20, 0).repeat(20, 1)
    ground = Ground(texture=texture, tile=1.6, radius=3.0, finish=Finish(roughness=1.0))
    camera = camera_at((0.6, 2.5, 1.9), (0.1, 0, 0.2), width=120, height=80, fx=90, fy=90)
    picture = cycles.radiance(lit_by(1.0, ground=ground), [camera])[0]
    depth = ground_truth(WorldCaster(lit_by(ground=ground)), camera).depth
    p_cam = camera.rays_cam() * depth[..., None]
    x, _, z = np.moveaxis((p_cam - camera.T_cam_world[:3, 3]) @ camera.T_cam_world[:3, :3], -1, 0)
    h, w = texture.shape[:2]
    seen_here = np.isfinite(x)
    column, row = (w * np.nan_to_num(x) / 1.6) % w, (h * np.nan_to_num(z) / 1.6) % h
    inner = seen_here & (np.abs(column % 20 - 10) < 6) & (np.abs(row % 20 - 10) < 6)  # away from colour edges
    white = texture[row.astype(int), column.astype(int)] > 127
    assert inner.sum() > 1000
    assert np.array_equal((picture > 0.5)[inner], white[inner])


def test_cycles_environment_is_seen_where_it_is(cycles: CyclesRenderer) -> None:
    d = equirect_directions(48, 96)
    waves = np.stack([np.sin(4 * d[..., 0] * d[..., 1]), d[..., 2] ** 2, d[..., 0] * d[..., 2]], -1)
    radiance = (0.6 + 0.3 * d @ np.array([[0.9, 0.1, 0.2], [-0.3, 0.8, 0.1], [0.2, -0.4, 0.8]]) + 0.2 * waves).astype(
        "f4"
    )
    world = replace(lit_by(), environment=Environment(radiance=radiance))
    for camera in CAMERAS.values():
        directions = (camera.rays_cam().reshape(-1, 3) @ camera.T_cam_world[:3, :3]).astype(np.float32)
        picture = cycles.radiance(world, [camera])[0]
        assert np.allclose(picture.reshape(-1, 3), seen(radiance, directions), atol=2e-3)


@pytest.mark.parametrize(("distance", "size"), [(None, 0.01), (None, 0.5), (4.0, 0.1), (2.0, 2.0)])
def test_cycles_lamps_give_their_irradiance(cycles: CyclesRenderer, distance: float | None, size: float) -> None:
    """White matt ground that faces the lamp has radiance E / pi at the origin, by the lamp's definition."""
    irradiance = np.array([3.0, 2.0, 1.0])
    lamp = Light(direction_world=np.array([0.0, 1, 0]), irradiance=irradiance, distance=distance, size=size)
    camera = camera_at((0, 3, 3), (0, 0, 0), width=31, height=21, fx=400, fy=400)
    picture = cycles.radiance(lit_by(lights=(lamp,), ground=grey_ground()), [camera])[0]
    assert np.allclose(picture.mean((0, 1)), irradiance / np.pi, rtol=0.03)


def test_cycles_shadow_falls_away_from_the_lamp(cycles: CyclesRenderer) -> None:
    """The centre of a ball's shadow lies on the line from the lamp through the ball."""
    towards = transforms.unit((0.6, 0.7, 0.2))
    lamp = Light(direction_world=towards, irradiance=np.full(3, 3.0), distance=None, size=0.005)
    world = lit_by(lights=(lamp,), ground=grey_ground(), meshes=(ball(),), finishes=(Finish(),))
    world = replace(world, S_world_obj=placed(np.eye(3), (0, 1.0, 0), 0.4)[None])
    camera = camera_at((0, 4, 2.5), (-0.4, 0.3, 0), width=150, height=110, fx=150, fy=150)
    picture = cycles.radiance(world, [camera])[0].mean(-1)
    truth = ground_truth(WorldCaster(world), camera)
    dark = (picture < 0.2) & (truth.labels == 0) & np.isfinite(truth.depth)
    p_cam = (camera.rays_cam() * truth.depth[..., None])[dark]
    p_world = (p_cam - camera.T_cam_world[:3, 3]) @ camera.T_cam_world[:3, :3]
    assert len(p_world) > 50
    assert np.allclose(p_world.mean(0), np.array([0, 1.0, 0]) - towards / towards[1], atol=0.02)


def test_cycles_and_fast_give_the_same_light(cycles: CyclesRenderer) -> None:
    world, camera = small_world(), CAMERAS["square pixels"]
    theirs, ours = cycles.radiance(world, [camera])[0], FastRenderer().radiance(world, camera)
    labels = ground_truth(WorldCaster(world), camera).labels
    for i in range(3):
        assert theirs[labels == i].mean(0) == pytest.approx(ours[labels == i].mean(0), rel=0.15), i


def test_cycles_views_are_repeatable_and_do_not_depend_on_threads() -> None:
    world, cameras = small_world(), list(CAMERAS.values())[:2]
    first, second = [], []
    for views, threads in ((first, 0), (second, 1)):
        with CyclesRenderer(CyclesConfig(samples=4, threads=threads)) as made:
            views += made.render(world, cameras)
    for one, two in zip(first, second, strict=True):
        assert np.array_equal(one.rgb, two.rgb)


def test_cycles_noise_differs_between_views_and_less_is_left_by_denoising() -> None:
    world, camera = small_world(), CAMERAS["square pixels"]
    spread = []
    for denoise in (False, True):
        with CyclesRenderer(CyclesConfig(samples=8, denoise=denoise)) as few:
            one, two = few.radiance(world, [camera, camera])
        spread.append(np.abs(one - two).mean())
    assert 0 < spread[1] < 0.5 * spread[0]


def test_cycles_camera_that_blender_cannot_hold_is_told_and_the_next_works(cycles: CyclesRenderer) -> None:
    narrow = Camera(K=np.array([[90000, 0, 30], [0, 90000, 20], [0, 0, 1.0]]), width=60, height=40)
    with pytest.raises(StageError) as caught:
        cycles.radiance(small_world(), [narrow])
    assert str(caught.value).startswith(
        "expected a picture from Blender; got ValueError: Blender cannot take sensor_width = 0.0333333 (it keeps 1); "
        "choose another camera; see what it said\n"
    )
    assert np.isfinite(cycles.radiance(small_world(), [CAMERAS["square pixels"]])[0]).all()


def test_cycles_box_without_texture_is_the_grey_of_the_house(cycles: CyclesRenderer) -> None:
    world = lit_by(1.0, meshes=(box((1, 1, 1)),), S_world_obj=np.eye(4)[None], finishes=(Finish(roughness=1.0),))
    picture = cycles.radiance(world, [camera_at((0, 0, 3), (0, 0, 0), fx=300, fy=300)])[0]
    assert picture.mean() == pytest.approx(0.515, abs=0.06)  # 190 as linear light, and a little that it mirrors
