"""Ground truth of the renderers against closed forms and the house's ray caster."""

import numpy as np
import pytest
from render_worlds import GREY_SKY, box, camera_at, ground_of, sphere, world_of

from scenemaker.data.render.surfaces import corner_normals, surface_of
from scenemaker.data.render.truth import WorldCaster, ground_truth
from scenemaker.errors import FrameError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, unproject
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster


def clutter(n=6, seed=0):
    rng = np.random.default_rng(seed)
    S = []
    for _ in range(n):
        R = transforms.axis_angle(rng.standard_normal(3), rng.uniform(0, 3))
        S.append(transforms.similarity(R, rng.uniform([-0.7, 0.5, -0.7], [0.7, 1.9, 0.7]), rng.uniform(0.3, 0.9)))
    return [box(), sphere()] * (n // 2), S


def test_truth_equals_the_house_ray_caster():
    meshes, S = clutter()
    camera = camera_at([1.5, 2.5, 3.0], [0, 1, 0], 97, 61)
    truth = ground_truth(WorldCaster(world_of(meshes, S)), camera)
    want = RayCaster(meshes, S).render(camera)
    assert (truth.labels.astype(int) == want.index + 1).mean() > 0.9995
    same = (truth.labels.astype(int) == want.index + 1) & (want.index >= 0)
    assert len(np.unique(truth.labels)) >= 6  # one may be hidden
    np.testing.assert_allclose(truth.depth[same], want.depth[same], rtol=2e-5)
    agree = (truth.normals_cam[same] * want.normals_cam[same]).sum(-1) > 0.999
    assert agree.mean() > 0.995  # rays on an edge may take either face
    assert np.isnan(truth.depth[truth.labels == 0]).all() and np.isnan(truth.normals_cam[truth.labels == 0]).all()


def test_amodal_masks_are_those_of_each_object_alone_and_hold_the_visible_part():
    meshes, S = clutter()
    camera = camera_at([1.5, 2.5, 3.0], [0, 1, 0], 97, 61)
    truth = ground_truth(WorldCaster(world_of(meshes, S)), camera)
    for i, (mesh, pose) in enumerate(zip(meshes, S)):
        alone = RayCaster([mesh], [pose]).render(camera).index >= 0
        assert (truth.amodal[i] != alone).sum() <= 2
        assert not ((truth.labels == i + 1) & ~truth.amodal[i]).any()
    assert (truth.amodal.sum((1, 2)) > np.bincount(truth.labels.ravel(), minlength=7)[1:]).any()


def test_depth_and_normals_of_a_sphere_are_those_of_the_formula():
    camera = camera_at([0.2, 0.1, 3.0], [0, 0, 0], 80, 50)
    truth = ground_truth(WorldCaster(world_of([sphere(6)], [np.eye(4)])), camera)
    rays = camera.rays_cam()
    c = camera.T_cam_world[:3, 3]  # centre of the sphere in cam
    b, a = rays @ c, (rays**2).sum(-1)
    root = b**2 - a * (c @ c - 0.25)
    inner = root > 0.02 * root.max()
    depth = ((b - np.sqrt(np.maximum(root, 0))) / a)[inner]
    np.testing.assert_allclose(truth.depth[inner], depth, atol=1e-3)
    normal = (rays[inner] * depth[:, None] - c) / 0.5
    assert (truth.normals_cam[inner] * normal).sum(-1).min() > 0.995
    assert (truth.labels[root < -0.02 * root.max()] == 0).all()


@pytest.mark.parametrize("height", [1.7, -0.8])
def test_the_ground_is_the_plane_y_0_inside_its_radius(height):
    camera = camera_at([0.3, height, 2.0], [0, 0, 0], 90, 40, fov_x_deg=80)
    truth = ground_truth(WorldCaster(world_of([], [], ground=ground_of(radius=3.0))), camera)
    seen = np.isfinite(truth.depth)
    assert 0.2 < seen.mean() < 1
    points = transforms.apply(transforms.invert(camera.T_cam_world), unproject(camera.K, truth.depth))
    assert np.abs(points[seen][:, 1]).max() < 1e-5
    assert np.hypot(points[seen][:, 0], points[seen][:, 2]).max() <= 3.0 + 1e-5
    up = camera.T_cam_world[:3, 1] * np.sign(height)
    np.testing.assert_allclose(truth.normals_cam[seen], np.broadcast_to(up, (seen.sum(), 3)), atol=1e-6)
    rays = camera.rays_cam() @ camera.T_cam_world[:3, :3]
    with np.errstate(divide="ignore"):
        t = -height / rays[..., 1]
    hit = camera.centre_world + rays * t[..., None]
    np.testing.assert_array_equal(seen, (t > 0) & (np.hypot(hit[..., 0], hit[..., 2]) <= 3.0))
    assert (truth.labels == 0).all()


def test_a_flat_thing_that_lies_in_the_ground_is_seen():
    quad = Mesh(vertices=[[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]], faces=[[0, 2, 1], [0, 3, 2]])
    camera = camera_at([1.0, 2.0, 1.0], [0, 0, 0], 60, 40)
    truth = ground_truth(WorldCaster(world_of([quad], [np.eye(4)], ground=ground_of())), camera)
    np.testing.assert_array_equal(truth.labels == 1, truth.amodal[0])
    assert truth.amodal[0].sum() > 100


def test_an_object_that_reaches_behind_the_camera_keeps_all_its_pixels():
    room = Mesh(vertices=box().vertices * np.float32(4), faces=box().faces)  # the camera stands inside
    camera = camera_at([0.3, 0.2, 0.5], [1, 0.3, 0], 70, 50, fov_x_deg=100)
    above = transforms.similarity(np.eye(3), [0, 9, 0])
    truth = ground_truth(WorldCaster(world_of([room, sphere()], [np.eye(4), above])), camera)
    assert truth.amodal[0].all() and (truth.labels == 1).all() and np.isfinite(truth.depth).all()
    np.testing.assert_allclose(truth.depth, RayCaster([room]).render(camera).depth, rtol=1e-5)
    assert not truth.amodal[1].any()  # above the picture


def test_an_object_behind_the_camera_is_not_seen_and_not_in_the_frame():
    S = [transforms.similarity(np.eye(3), [0, 0, 5.0]), transforms.similarity(np.eye(3), [0, 0, -2.0])]
    truth = ground_truth(WorldCaster(world_of([box(), box()], S)), camera_at([0, 0, 2.0], [0, 0, 0], 64, 48))
    assert not truth.amodal[0].any() and truth.amodal[1].any()
    np.testing.assert_array_equal(truth.in_frame, [0, 1])


def test_in_frame_is_the_share_of_the_surface_inside_the_picture():
    camera = camera_at([0, 0, 3.0], [0, 0, 0], 60, 40)
    K = camera.K - [[0, 0, 30.0], [0, 0, 0], [0, 0, 0]]
    half = Camera(K=K, width=60, height=40, T_cam_world=camera.T_cam_world)
    share = ground_truth(WorldCaster(world_of([sphere(4)], [np.eye(4)])), half).in_frame[0]
    assert abs(share - 0.5) < 0.03


def test_scaled_per_axis_the_normals_still_stand_upright_on_the_surface():
    S = np.diag([1.5, 0.4, 0.8, 1.0])
    S[:3, 3] = 0.1, 0.5, 0
    camera = camera_at([1.5, 1.8, 2.0], [0, 0.4, 0], 71, 53)
    truth = ground_truth(WorldCaster(world_of([sphere(4)], [S])), camera)
    want = RayCaster([sphere(4)], [S]).render(camera)
    on = (truth.labels == 1) & (want.index == 0)
    assert np.median((truth.normals_cam[on] * want.normals_cam[on]).sum(-1)) > 0.99999


def test_views_of_one_caster_are_those_of_fresh_ones():
    meshes, S = clutter()
    world = world_of(meshes, S, ground=ground_of(), sky=GREY_SKY)
    cameras = [camera_at([x, 2.0, 3.0], [0, 1, 0], 40, 30) for x in (-1, 0, 1)]
    caster = WorldCaster(world)
    together = [ground_truth(caster, c) for c in cameras[::-1]][::-1]
    for camera, truth in zip(cameras, together):
        for name, value in vars(ground_truth(WorldCaster(world), camera)).items():
            np.testing.assert_array_equal(getattr(truth, name), value)


def test_an_object_without_size_is_refused():
    with pytest.raises(FrameError) as error:
        WorldCaster(world_of([box(), box()], [np.eye(4), np.diag([1.0, 0, 1, 1])]))
    assert str(error.value) == "expected S_world_obj that can be inverted; got object 1 of no size; check its scale"


def test_creases_stay_sharp_and_round_things_become_smooth():
    cube, ball = box(), sphere(4)
    flat = corner_normals(cube, surface_of(cube).face_normals)
    np.testing.assert_allclose(flat, np.repeat(surface_of(cube).face_normals[:, None], 3, 1), atol=1e-6)
    smooth = corner_normals(ball, surface_of(ball).face_normals)
    assert (smooth * ball.vertices[ball.faces]).sum(-1).min() > 0.5 * 0.999  # along the radius 0.5
    split = Mesh(vertices=ball.vertices[ball.faces].reshape(-1, 3), faces=np.arange(ball.faces.size).reshape(-1, 3))
    np.testing.assert_allclose(corner_normals(split, surface_of(split).face_normals), smooth, atol=1e-6)
    sharp = corner_normals(ball, surface_of(ball).face_normals, crease_deg=1)
    np.testing.assert_allclose(sharp, np.repeat(surface_of(ball).face_normals[:, None], 3, 1), atol=1e-6)


def test_a_surface_is_made_once_and_goes_with_its_mesh():
    import gc

    from scenemaker.data.render import surfaces

    mesh = box()
    assert surface_of(mesh) is surface_of(mesh)
    surface_of(mesh).normals_by_corner  # noqa: B018
    before = len(surfaces._kept)
    del mesh
    gc.collect()
    assert len(surfaces._kept) < before
