"""The backend `relief` against solids whose shape is known."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from scenemaker.generation.back import FLAT_NOTICE, far_side
from scenemaker.generation.front import fill, read_front
from scenemaker.generation.inflate import inflate
from scenemaker.generation.relief import ReliefGenerator
from scenemaker.generation.solid import pad_colours
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov, pixel_rays
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import ObjectFailure, ObjectGeometry, ObjectView
from tests.synthetic_scene import box

W, H = 170, 130
UP = np.array([0, -np.cos(0.5), -np.sin(0.5)])  # the camera looks down by 0.5 rad


def view_of(mask, z=2.0, *, rgb=None, up=UP, ground=None, id=1, scale=1.0) -> ObjectView:
    """A view with the given mask (H, W) and depth (H, W) or number."""
    h, w = mask.shape
    K = K_from_fov(45, w, h)
    K[:2, 2] += (40, -25)  # an object beside the optical axis
    points = pixel_rays(K, h, w) * np.broadcast_to(z, mask.shape)[..., None]
    rgb = np.full((h, w, 3), 120, np.uint8) if rgb is None else rgb
    return ObjectView(
        id=id,
        rgba=np.dstack([rgb, mask * np.uint8(255)]),
        mask_modal=mask,
        mask_hidden=np.zeros_like(mask),
        origin_px=(0.0, 0.0),
        scale=scale,
        K_photo=K,
        points_cam=np.where(mask[..., None], points, np.nan).astype(np.float32),
        up_cam=up,
        ground_cam=ground,
    )


def view_of_box(extents, yaw=0.6, distance=3.0) -> tuple[ObjectView, np.ndarray]:
    """A box standing on the ground, seen from above, and its S_cam_obj."""
    R = transforms.R_cam_world_from_up(UP) @ transforms.axis_angle([0, 1, 0], yaw)
    S = transforms.similarity(R, np.array([0.2, 0.1, distance]))
    camera = Camera(K=K_from_fov(45, W, H), width=W, height=H)
    seen = RayCaster([box(extents)], [S]).render(camera)
    mask = seen.index >= 0
    view = replace(
        view_of(mask, np.where(mask, seen.depth, 1), rgb=seen.rgb),
        K_photo=camera.K,
        points_cam=(camera.rays_cam() * seen.depth[..., None]).astype(np.float32),
        ground_cam=np.array([*UP, -(UP @ S[:3, 3] - extents[1] / 2)]),
    )
    return view, S


def disc(r=45, x=90.3, y=61.7):
    v, u = np.mgrid[:H, :W] + 0.5
    return np.hypot(u - x, v - y) < r


def chair():
    mask = np.zeros((H, W), bool)
    mask[15:60, 50:110] = True
    mask[60:120, 50:53] = mask[60:120, 107:110] = True
    mask[60:105, 70:72] = True
    return mask


def comb():
    mask = np.zeros((H, W), bool)
    mask[20:110, 10:160:9] = True
    return mask


def assert_valid(geometry):
    assert isinstance(geometry, ObjectGeometry), geometry
    mesh = geometry.mesh
    assert mesh.is_closed() and mesh.volume() > 0
    np.testing.assert_allclose(mesh.bounds.sum(0), 0, atol=1e-6)
    assert mesh.extents.max() == pytest.approx(1, abs=1e-6)
    assert mesh.unlit and mesh.texture is not None
    assert mesh.uv.min() >= 0 and mesh.uv.max() <= 1
    transforms.check_R(geometry.R_cam_obj)


def rerender(view):
    geometry, S_cam_obj = ReliefGenerator().generate_placed(view)
    assert_valid(geometry)
    return RayCaster([geometry.mesh], [S_cam_obj]).render(view.camera)


@pytest.mark.parametrize("mask", [disc(), chair(), comb(), disc() & ~disc(15)], ids=["disc", "chair", "comb", "ring"])
def test_covers_its_mask_from_the_input_camera(mask):
    covered = rerender(view_of(mask)).index >= 0
    assert (covered & mask).sum() / (covered | mask).sum() > 0.97


def test_large_mask_on_a_coarse_grid_keeps_thin_parts_and_its_outline():
    mask = np.kron(disc(50), np.ones((5, 5))).astype(bool)
    mask[300:304, 700:820] = True  # a pole four pixels thick
    view = view_of(mask)
    assert read_front(view).step_px > 2
    covered = rerender(view).index >= 0
    assert (covered & mask).sum() / (covered | mask).sum() > 0.985
    assert covered[300:304, 705:815].mean() > 0.7


def test_visible_side_shows_the_photo_and_no_background():
    rng = np.random.default_rng(0)
    mask = disc()
    photo = np.full((H, W, 3), (0, 255, 0), np.uint8)  # a green background
    photo[mask] = (rng.integers(0, 120, (H, W, 1)) * (1, 0, 1)).astype(np.uint8)[mask]
    view = view_of(mask, rgb=photo)
    assert ReliefGenerator().generate([view], seed=0)[0].mesh.texture[..., 1].max() == 0  # none left to bleed in
    shown = rerender(view)
    on = shown.index >= 0
    assert shown.rgb[on][:, 1].max() == 0  # not even at the rim
    error = np.abs(shown.rgb.astype(int) - photo)[on & disc(43)]
    assert error.mean() < 2


def test_front_lies_where_the_points_are():
    v, u = np.mgrid[:H, :W]
    z = 2 + 0.003 * u + 0.1 * np.sin(v / 25)
    mask = disc()
    depth = rerender(view_of(mask, z)).depth
    inner = disc(42)
    assert np.isfinite(depth[inner]).mean() > 0.999  # next to no pinholes, though rays go through vertices
    assert np.nanquantile(np.abs(depth - z)[inner], 0.99) < 0.002


def test_frame_is_upright_and_faces_the_camera():
    view = view_of(disc())
    R = ReliefGenerator().generate_placed(view)[0].R_cam_obj
    np.testing.assert_allclose(R[:, 1], UP, atol=1e-12)
    centre = np.nanmean(view.points_cam, (0, 1))
    level = -centre + (centre @ UP) * UP
    np.testing.assert_allclose(R[:, 2], level / np.linalg.norm(level), atol=0.02)
    unknown = ReliefGenerator().generate_placed(replace(view, up_cam=None))[0].R_cam_obj
    np.testing.assert_allclose(unknown[:, 1], [0, -1, 0])
    down = ReliefGenerator().generate_placed(replace(view_of(disc(x=45, y=90)), up_cam=np.array([0, 0, -1.0])))[0]
    np.testing.assert_allclose(down.R_cam_obj[:, 1], [0, 0, -1])


@pytest.mark.parametrize("extents", [(1.0, 0.7, 0.6), (0.5, 0.9, 0.5), (0.9, 0.3, 0.7)])
def test_a_box_seen_from_above_is_filled(extents):
    view, _ = view_of_box(extents)
    geometry, S_cam_obj = ReliefGenerator().generate_placed(view)
    volume = geometry.mesh.volume() * np.linalg.det(S_cam_obj[:3, :3])
    assert volume == pytest.approx(np.prod(extents), rel=0.08)
    lowest = (geometry.mesh.transformed(S_cam_obj).vertices @ UP).min()
    assert lowest > -view.ground_cam[3] - 0.03  # not through the ground


def test_a_half_ball_becomes_a_ball():
    v, u = np.mgrid[:H, :W] + 0.5
    mask, r = disc(), 45.0
    view = view_of(mask, 50.0, up=None)  # nearly orthographic
    pixel = 50.0 / view.K[0, 0]
    z = 50.0 - pixel * np.sqrt(np.maximum(r**2 - (u - 90.3) ** 2 - (v - 61.7) ** 2, 0))
    view = view_of(mask, z, up=None)
    geometry, S_cam_obj = ReliefGenerator().generate_placed(view)
    volume = geometry.mesh.volume() * np.linalg.det(S_cam_obj[:3, :3])
    assert volume == pytest.approx(4 / 3 * np.pi * (r * pixel) ** 3, rel=0.35)


def test_a_panel_stays_flat_and_a_wide_thing_does_not():
    mask = np.zeros((H, W), bool)
    mask[20:110, 40:130] = True
    panel = ReliefGenerator().generate([view_of(mask, up=None)], seed=0)[0]
    assert panel.notices == (FLAT_NOTICE,)
    front = read_front(view_of(mask, up=None))
    thickness = (far_side(front)[0] - front.z)[front.inside] / front.size
    assert 0.01 < np.median(thickness) < 0.12
    u = np.arange(W)[None]
    bowed = view_of(mask, 2 - 0.5 * np.cos((u - 85) / 45 * 1.5), up=None)
    solid = ReliefGenerator().generate([bowed], seed=0)[0]
    assert solid.notices == ()
    assert solid.mesh.extents[2] / solid.mesh.extents[0] > 0.3


def test_thickness_is_positive_everywhere_and_can_be_set():
    view, _ = view_of_box((1.0, 0.7, 0.6))
    front = read_front(view)
    thin, thick = (far_side(front, gain)[0] - front.z for gain in (0.5, 1.0))
    assert (thin[front.inside] >= 0).all()
    assert (thin <= thick + 1e-12).all() and thin[front.inside].mean() < 0.8 * thick[front.inside].mean()
    volumes = [
        ReliefGenerator(ReliefGenerator.Config(thickness=t)).generate([view], seed=0)[0].mesh.volume()
        for t in (0.5, 1.0)
    ]
    assert volumes[0] < volumes[1]
    with pytest.raises(ValidationError, match="greater than 0"):
        ReliefGenerator.Config(thickness=0)


def test_flying_points_leave_no_spikes():
    mask = disc()
    z = np.full((H, W), 2.0)
    rng = np.random.default_rng(1)
    z[rng.random((H, W)) < 0.02] = 1e4
    z[mask & ~disc(44)] = 30.0  # the rim took the background's depth
    z[60:64, 80:84] = np.nan
    clean, dirty = (ReliefGenerator().generate_placed(view_of(mask, depth))[1] for depth in (2.0, z))
    assert dirty[:3, 3] == pytest.approx(clean[:3, 3], abs=0.05)
    assert np.cbrt(np.linalg.det(dirty[:3, :3])) == pytest.approx(np.cbrt(np.linalg.det(clean[:3, :3])), rel=0.05)


def test_completed_part_continues_the_plane_of_the_visible_one():
    rays = pixel_rays(view_of(disc()).K, H, W)
    plane = np.array([0.1, 0.3, 0.45])
    mask = np.zeros((H, W), bool)
    mask[30:110, 20:150] = True
    view = view_of(mask, 1 / (rays @ plane))
    modal = mask.copy()
    modal[:, 95:] = False
    hidden = replace(view, mask_modal=modal, points_cam=np.where(modal[..., None], view.points_cam, np.nan))
    a, b = read_front(view), read_front(hidden)
    np.testing.assert_allclose(b.z[a.inside], a.z[a.inside], rtol=0.01)


BAD = {
    "one pixel": (np.arange(H * W).reshape(H, W) == 70 * W + 33, 2.0),
    "thin line": (np.arange(H)[:, None] == np.full(W, 64), 2.0),
    "diagonal": (np.eye(H, W, dtype=bool), 2.0),
    "everything": (np.ones((H, W), bool), 2.0),
    "no depth": (disc(), np.nan),
    "negative depth": (disc(), -1.0),
    "infinite depth": (disc(), np.inf),
    "horizon": (disc(), np.geomspace(1, 1e6, W)[None]),
    "noise": (disc(), np.random.default_rng(0).lognormal(0, 3, (H, W))),
    "tiny": (disc(), 1e-6),
    "huge": (disc(), 1e6),
}


@pytest.mark.parametrize("up", [UP, None], ids=["up", "no up"])
@pytest.mark.parametrize("name", BAD)
def test_hard_input_still_gives_a_closed_solid(name, up):
    mask, z = BAD[name]
    ground = None if up is None else np.array([*UP, 1.0])
    geometry = ReliefGenerator().generate([view_of(mask, z, up=up, ground=ground)], seed=0)[0]
    assert_valid(geometry)
    if not np.isfinite(z).any() or np.max(z) < 0:
        assert geometry.notices == ("no depth was observed on it: placed at distance 1, facing the camera",)
        assert geometry.mesh.extents[2] > 0.2  # inflated


@pytest.mark.parametrize("up", [np.array([np.nan, 0, 0]), np.zeros(3)])
def test_unusable_gravity_counts_as_unknown(up):
    geometry = ReliefGenerator().generate([view_of(disc(), up=up)], seed=0)[0]
    np.testing.assert_allclose(geometry.R_cam_obj[:, 1], [0, -1, 0])


def test_an_empty_view_fails_alone():
    views = [view_of(disc(), id=4), view_of(np.zeros((H, W), bool), id=7), view_of(chair(), id=9)]
    out = ReliefGenerator().generate(views, seed=0)
    assert [g.id for g in out] == [4, 7, 9]
    assert isinstance(out[1], ObjectFailure)
    assert out[1].error == "expected a view with object pixels; got an empty mask; remove object 7 or redraw it"
    assert_valid(out[0])
    assert_valid(out[2])


def test_same_input_same_bytes():
    a, b = (ReliefGenerator().generate([view_of_box((1, 0.7, 0.6))[0]], seed=s)[0].mesh for s in (0, 1))
    for name in ("vertices", "faces", "uv", "texture"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes()


def test_inflate_makes_a_ball_of_a_disc():
    v, u = np.mgrid[:90, :120]
    away = np.hypot(u - 60, v - 45)
    thickness = inflate(away <= 40)
    truth = 2 * np.sqrt(np.maximum(40.0**2 - away**2, 0))
    assert np.abs(thickness - truth)[away < 38].max() < 0.15 * 80
    assert (thickness[away > 40] == 0).all() and (thickness[away <= 40] > 0).all()


def test_fill_keeps_what_is_known_and_is_smooth_elsewhere():
    known = np.zeros((21, 34), bool)
    known[:, :5] = known[:, -5:] = True
    values = np.where(np.arange(34) < 17, 1.0, 3.0) * np.ones((21, 1))
    out = fill(values, known)
    np.testing.assert_array_equal(out[known], values[known])
    assert out.min() >= 1 and out.max() <= 3
    assert np.abs(np.diff(out, axis=1)).max() < 1


def test_pad_colours_keeps_thin_parts():
    mask = np.zeros((9, 14), bool)
    mask[4, 2:12] = True
    rgb = np.zeros((9, 14, 3), np.uint8)
    rgb[4] = (9, 8, 7)
    np.testing.assert_array_equal(pad_colours(rgb, mask), np.broadcast_to(np.array([9, 8, 7], np.uint8), rgb.shape))
