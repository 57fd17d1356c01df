"""The ray caster, against closed forms, trimesh and the projection of vertices. Pictures are never square."""

import numpy as np
import pytest
import trimesh

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov, pixel_rays, project, unproject
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster, render, surface_colours

CAMERA = Camera(K=K_from_fov(60, 64, 40), width=64, height=40)


def of(made: trimesh.Trimesh, **rest) -> Mesh:
    return Mesh(vertices=np.asarray(made.vertices), faces=np.asarray(made.faces), **rest)


def at(x: float, y: float, z: float, s: float = 1.0) -> np.ndarray:
    return transforms.similarity(np.eye(3), [x, y, z], s)


def test_depth_and_normals_of_a_sphere_follow_the_quadratic_formula():
    centre, radius = np.array([0.3, -0.2, 4.0]), 0.8
    seen = render([of(trimesh.creation.icosphere(5))], [at(*centre, radius)], CAMERA)
    d = CAMERA.rays_cam()
    a, b, c = (d * d).sum(-1), -2 * d @ centre, centre @ centre - radius**2
    disc = b * b - 4 * a * c
    inside = disc > 0.05  # clear of the facetted rim
    z = (-b - np.sqrt(np.maximum(disc, 0))) / (2 * a)
    np.testing.assert_allclose(seen.depth[inside], z[inside], atol=3e-3)
    assert (seen.index[inside] == 0).all()
    assert (seen.index[disc < 0] == -1).all()
    assert np.isnan(seen.depth[disc < 0]).all()
    normals = (unproject(CAMERA.K, seen.depth)[inside] - centre) / radius
    assert ((normals * seen.normals_cam[inside]).sum(-1) > 0.99).all()


def test_the_nearer_of_two_boxes_hides_the_other_and_keeps_its_id():
    cube = of(trimesh.creation.box((1, 1, 1)))
    seen = render([cube, cube], [at(0, 0, 6, 3), at(0.2, 0, 3)], CAMERA)
    front = np.abs(CAMERA.rays_cam() * 2.5 - [0.2, 0, 2.5])[..., :2].max(-1) < 0.49
    back = np.abs(CAMERA.rays_cam() * 4.5)[..., :2].max(-1) < 1.49
    assert (seen.index[front] == 1).all()
    np.testing.assert_allclose(seen.depth[front], 2.5, atol=1e-5)
    only_back = back & (seen.index != 1)
    assert only_back.sum() > 100
    assert (seen.index[only_back] == 0).all()
    np.testing.assert_allclose(seen.depth[only_back], 4.5, atol=1e-5)
    np.testing.assert_allclose(seen.normals_cam[front], np.broadcast_to([0, 0, -1], (front.sum(), 3)), atol=1e-6)


def test_hits_agree_with_trimesh_for_a_camera_that_stands_anywhere():
    knot = trimesh.creation.torus(0.7, 0.25)
    T_cam_world = transforms.rigid(transforms.axis_angle([1, 0.5, 0], 2.5), [0.1, 0.2, 3])
    camera = Camera(K=CAMERA.K, width=64, height=40, T_cam_world=T_cam_world)
    seen = render([of(knot)], [np.eye(4)], camera)
    rays = camera.rays_cam().reshape(-1, 3) @ T_cam_world[:3, :3]
    origins = np.broadcast_to(camera.centre_world, rays.shape)
    points, ray, _ = knot.ray.intersects_location(origins, rays, multiple_hits=True)
    z = np.full(len(rays), np.inf)
    np.minimum.at(z, ray, transforms.apply(T_cam_world, points)[:, 2])
    theirs = np.where(np.isfinite(z), z, np.nan).reshape(40, 64)
    both = np.isfinite(theirs) & np.isfinite(seen.depth)
    assert both.sum() > 300
    assert (np.isfinite(theirs) != np.isfinite(seen.depth)).sum() <= 2
    np.testing.assert_allclose(seen.depth[both], theirs[both], rtol=1e-4)


def test_a_rendered_mesh_overlays_its_projected_corners_to_the_pixel():
    cuboid = of(trimesh.creation.box((1, 0.6, 0.8)))
    S = transforms.similarity(transforms.axis_angle([0.3, 1, 0.1], 0.6), [0.2, 0.1, 3.0], 1.2)
    seen = render([cuboid], [S], CAMERA)
    uv = project(CAMERA.K, transforms.apply(S, cuboid.vertices))
    v, u = np.nonzero(seen.index == 0)
    centres = np.stack([u, v], 1) + 0.5
    lo, hi = uv.min(0), uv.max(0)
    assert (centres >= lo).all()
    assert (centres <= hi).all()
    assert (centres.min(0) - lo <= 1.0).all()  # the next pixel centre would already be inside
    assert (hi - centres.max(0) <= 1.0).all()


def test_corner_colours_are_mixed_by_the_weights_of_the_hit():
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    triangle = Mesh(vertices=[[-1, -1, 2], [1, -1, 2], [-1, 1, 2]], faces=[[0, 1, 2]], colors=colours, unlit=True)
    target = 0.5 * triangle.vertices[0] + 0.3 * triangle.vertices[1] + 0.2 * triangle.vertices[2]
    hits = RayCaster([triangle]).cast([0, 0, 0], [target / 2])
    np.testing.assert_allclose(hits.bary, [[0.3, 0.2]], atol=1e-6)
    np.testing.assert_allclose(hits.distance, [2], atol=1e-6)
    np.testing.assert_allclose(surface_colours(triangle, hits.face, hits.bary), [[128, 76, 51]], atol=1)


def test_a_texture_is_read_from_its_top_left():
    texture = np.zeros((2, 4, 3), np.uint8)
    texture[0, 0], texture[1, 3] = [255, 0, 0], [0, 0, 255]
    square = Mesh(
        vertices=[[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]],  # y is down: the first corner is top-left
        faces=[[0, 1, 2], [0, 2, 3]],
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        texture=texture,
        unlit=True,
    )
    rgb = render([square], [np.eye(4)], Camera(K=K_from_fov(90, 8, 6), width=8, height=6)).rgb
    v, u = np.nonzero((rgb == [255, 0, 0]).all(-1))
    assert set(u) == {0, 1}
    assert set(v) == {0, 1, 2}
    v, u = np.nonzero((rgb == [0, 0, 255]).all(-1))
    assert set(u) == {6, 7}
    assert set(v) == {3, 4, 5}


def test_lamps_darken_slanted_faces_but_not_unlit_ones():
    colours = np.full((8, 3), 200, np.uint8)
    slanted = transforms.similarity(transforms.axis_angle([0, 1, 0], np.pi / 4), [0, 0, 4], 1)
    cube = trimesh.creation.box((1, 1, 1))
    lit = render([of(cube, colors=colours)], [slanted], CAMERA)
    plain = render([of(cube, colors=colours, unlit=True)], [slanted], CAMERA)
    seen = lit.index == 0
    assert (plain.rgb[seen] == 200).all()
    assert lit.rgb[seen].max() < 180
    assert (lit.rgb[~seen] == 255).all()


def test_a_scene_without_meshes_is_background():
    seen = render([], [], CAMERA)
    assert (seen.index == -1).all()
    assert np.isnan(seen.depth).all()
    assert (seen.rgb == 255).all()
    assert seen.rgb.shape == (40, 64, 3)


def test_one_pose_per_mesh_is_asked_for():
    with pytest.raises(ValueError, match="argument"):
        RayCaster([of(trimesh.creation.box((1, 1, 1)))], [])


def test_rays_need_not_start_at_one_point():
    plate = of(trimesh.creation.box((4, 4, 0.2)))
    origins = np.array([[0, 0, -3.0], [1, 1, -2.0], [9, 9, -2.0]])
    hits = RayCaster([plate]).cast(origins, np.tile([0.0, 0, 2.0], (3, 1)))
    np.testing.assert_allclose(hits.distance, [1.45, 0.95, np.inf])  # in units of the direction's length
    np.testing.assert_array_equal(hits.index, [0, 0, -1])
    np.testing.assert_array_equal(hits.face[2:], [-1])


def test_rays_of_the_camera_are_the_pixel_rays():
    np.testing.assert_array_equal(CAMERA.rays_cam(), pixel_rays(CAMERA.K, 40, 64))
