"""The building blocks: closed, outward, of the volume that geometry says, without a seam."""

from __future__ import annotations

import numpy as np
import pytest

from scenemaker.data.objects.procedural.part import Part, four_fold, mirrored, turned
from scenemaker.data.objects.procedural.shapes import (
    arc,
    ball,
    beam,
    blade,
    box,
    circle,
    cushion,
    holed_plate,
    lathe,
    loft,
    plate,
    prism,
    rectangle,
    ring,
    rod,
    smooth,
    star,
    stone,
    superellipse,
    superquadric,
    sweep,
    tube,
    vessel,
    wedge,
)


def polygon_area(outline: np.ndarray) -> float:
    """Signed, by the shoelace formula."""
    x, y = np.asarray(outline).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


HELIX = np.stack([np.cos(np.linspace(0, 9, 40)), np.linspace(0, 2, 40), np.sin(np.linspace(0, 9, 40))], 1)
PARTS = {
    "box": box((2.0, 0.3, 1.0), (1, 2, 3), bevel=0.05),
    "tapered box": box((0.5, 1.0, 0.4), top=(0.4, 1.0, 0.7)),
    "cushion": cushion((1.0, 0.3, 0.7), puff=0.4),
    "cushion without swelling": cushion((1.0, 0.3, 0.7), radius=0.1, steps=3),
    "lathe with tips": lathe([(0, -1), (0.5, -0.4), (0.3, 0.6), (0, 1)], 17),
    "lathe with flat ends": lathe([(0.5, 0), (0.3, 1)], 6),
    "wavy lathe": lathe([(0.5, 0), (0.6, 0.5), (0.4, 1)], 40, wave=lambda t, y: 1 + 0.1 * np.cos(5 * t), twist_deg=60),
    "vessel": vessel([(0, 0), (0.3, 0), (0.5, 0.4), (0.45, 0.9)], 0.05),
    "tube": tube([(0.4, 0), (0.5, 0), (0.5, 1), (0.4, 1)], 12),
    "ring": ring(0.5, 0.1),
    "wedge": wedge([(0.1, 0), (0.5, 0), (0.5, 0.2), (0.1, 0.2)], 20, 130),
    "superquadric": superquadric((1, 2, 3), 0.3, 1.7),
    "ball": ball(1.0),
    "plate": plate(star(5, 1.0, 0.5), 0.2),
    "clockwise plate": plate(circle(9)[::-1], 0.2),
    "prism": prism(superellipse(20, 1, 2), 0.3),
    "holed plate": holed_plate(circle(24), circle(24, 0.4), 0.2),
    "sweep": sweep(arc(1.0, 10, 250, 20), np.linspace(0.1, 0.2, 20), rounded=True),
    "sweep every way": sweep(HELIX, 0.1),
    "sweep up": sweep(arc(1.0, 0, 90, 9), 1.0, section=rectangle(0.2, 0.1, 0.02), up=(0, 0, 1)),
    "loop": sweep(arc(1.0, 0, 342, 20), 0.1, loop=True, up=(0, 0, 1)),
    "rod": rod((1, 2, 3), (1.5, 1, 2.4), 0.1, 0.2),
    "beam": beam((0, 0, 0), (0.3, 0.4, 2), 0.1, 0.2),
    "upright beam": beam((0, 0, 0), (0, 1, 0), 0.1, 0.2),
    "blade": blade(smooth([(0, 0, 0), (0.5, 0.3, 0), (1, 0.1, 0)], 8), np.linspace(0.3, 0.01, 8), 0.02, fold=0.3),
    "stone": stone(rng(), rough=0.2, cuts=6),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_part_is_closed_looks_outwards_and_wastes_nothing(name: str) -> None:
    part = PARTS[name]
    mesh = part.mesh()
    assert mesh.is_closed()
    assert mesh.volume() > 0
    assert sorted(set(part.at.tolist())) == list(range(len(part.points)))
    assert sorted(set(part.faces.ravel().tolist())) == list(range(len(part.at)))
    assert part.uv.shape == (len(part.at), 2)
    assert np.isfinite(part.uv).all()


def test_bevelled_box_has_the_volume_of_its_cuts() -> None:
    x, y, z, c = 2.0, 0.5, 1.0, 0.1
    mesh = box((x, y, z), (5, 6, 7), bevel=c).mesh()
    expected = x * y * z - 2 * c**2 * (x + y + z) + 16 / 3 * c**3  # twelve prisms off the edges, a corner off each end
    assert mesh.volume() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(mesh.bounds, [[4, 6, 6.5], [6, 6.5, 7.5]], atol=1e-6)
    assert len(mesh.faces) == 44


def test_tapered_box_ends_as_told() -> None:
    points = box((1.0, 2.0, 0.6), bevel=0.0, top=(0.5, 1.0, 0.25)).points
    top = points[points[:, 1] > 1.99]
    np.testing.assert_allclose(np.ptp(top, 0)[[0, 2]], [0.5, 0.15], atol=1e-9)


def test_round_shapes_have_the_volume_of_their_polygons() -> None:
    n, r, h = 24, 0.7, 1.3
    area = n / 2 * r**2 * np.sin(2 * np.pi / n)
    assert lathe([(r, 0), (r, h)], n).mesh().volume() == pytest.approx(area * h, rel=1e-5)
    assert lathe([(0, 0), (r, 0), (0, h)], n).mesh().volume() == pytest.approx(area * h / 3, rel=1e-5)
    straight = sweep([(0, 0, 0), (0, 0, 0.5), (0, 0, h)], r, section=circle(n)).mesh()
    assert straight.volume() == pytest.approx(area * h, rel=1e-5)
    section = polygon_area(circle(10, 0.1))
    many = 400
    chords = many / np.pi * np.sin(np.pi / many) * np.cos(np.pi / many)  # a ring of straight pieces, by Pappus
    assert ring(0.5, 0.1, many).mesh().volume() == pytest.approx(2 * np.pi * 0.5 * section * chords, rel=1e-3)
    assert stone(rng(), detail=4, rough=0.0).mesh().volume() == pytest.approx(4 / 3 * np.pi, rel=0.01)
    assert superquadric((1, 2, 3), n=80).mesh().volume() == pytest.approx(np.pi, rel=0.01)


def test_plates_have_the_area_of_their_outline() -> None:
    outline, h = star(5, 1.0, 0.5), 0.2
    flat = plate(outline, h, bevel=1e-6).mesh()
    assert flat.volume() == pytest.approx(polygon_area(outline) * h, rel=1e-4)
    np.testing.assert_allclose(flat.bounds[:, 1], [0, h], atol=1e-7)
    ring_area = polygon_area(circle(30)) - polygon_area(circle(30, 0.4))
    assert holed_plate(circle(30), circle(30, 0.4), h).mesh().volume() == pytest.approx(ring_area * h, rel=0.03)
    upright = prism([(0, 0), (3, 0), (0, 1)], h, bevel=1e-6).points  # (x, y) stay where they are
    np.testing.assert_allclose(upright[:, :2].max(0), [3, 1], atol=1e-5)
    np.testing.assert_allclose(np.abs(upright[:, 2]).max(), h / 2, atol=1e-9)


def test_quarter_of_a_disc() -> None:
    outline = [(0.001, 0), (1, 0), (1, 0.3), (0.001, 0.3)]
    slice_ = wedge(outline, 0, 90, 60).mesh()
    assert slice_.volume() == pytest.approx(np.pi / 4 * 0.3, rel=1e-3)
    assert slice_.bounds[0].min() > -1e-6  # from z towards x, as a right-handed turn about y goes


def test_vessel_is_hollow() -> None:
    wall = 0.05
    cup = vessel([(0, 0), (0.5, 0), (0.5, 0.5), (0.5, 1)], wall, 64).mesh()
    full = np.pi * 0.25
    assert cup.volume() == pytest.approx(full - np.pi * 0.45**2 * 0.95, rel=0.06)
    assert not (np.hypot(*cup.vertices[:, [0, 2]].T)[cup.vertices[:, 1] > 0.2] < 0.4).any()


def test_sweep_keeps_to_its_path_and_section() -> None:
    path = arc(2.0, 0, 90, 12)
    section = rectangle(0.4, 0.1, 0.01)
    points = sweep(path, 1.0, section=section, up=(0, 0, 1)).points[: 12 * 8].reshape(12, 8, 3)
    np.testing.assert_allclose(points.mean(1), path, atol=1e-9)
    np.testing.assert_allclose(np.ptp(points[..., 2], 1), 0.1, atol=1e-9)  # the second axis of the section is up
    along = np.stack([-path[:, 1], path[:, 0], 0 * path[:, 0]], 1)[1:-1] / 2
    assert np.abs(((points[1:-1] - path[1:-1, None]) * along[:, None]).sum(-1)).max() < 1e-9


def test_rounded_ends_reach_one_radius_further() -> None:
    x = sweep([(0, 0, 0), (0.5, 0, 0), (1, 0, 0)], 0.2, rounded=True).points[:, 0]
    np.testing.assert_allclose([x.min(), x.max()], [-0.2, 1.2], atol=1e-9)


def test_loft_texture_has_no_seam_around_and_runs_along() -> None:
    part = lathe([(0.5, 0), (0.5, 1), (0.5, 2)], 12)
    side = part.faces[: 2 * 12 * 2]
    for point in range(36):
        on = [v for v in np.unique(side) if part.at[v] == point]
        assert len({tuple(np.round(part.uv[v], 9)) for v in on}) == 1
    on_side = np.unique(side)
    np.testing.assert_allclose(part.uv[on_side, 1], part.points[part.at[on_side], 1], atol=1e-9)
    around = 12 * 2 * 0.5 * np.sin(np.pi / 12)
    np.testing.assert_allclose(np.ptp(part.uv[on_side, 0]), around / 2, atol=1e-9)  # there and back


def test_box_texture_runs_along_the_grain() -> None:
    part = box((0.2, 3.0, 0.5))
    u, v = np.ptp(part.uv, 0)
    assert v == pytest.approx(3.0, rel=0.02)
    assert u == pytest.approx(0.5, rel=0.02)


def test_moving_keeps_parts_shut_and_outward() -> None:
    part = lathe([(0.5, 0), (0.3, 1)], 8)
    volume = part.mesh().volume()
    moved = part.move(1, 2, 3).turn("x", 30).turn("z", -80, (1, 1, 1)).scale(2, 3, -1).mesh()
    assert moved.is_closed()
    assert moved.volume() == pytest.approx(6 * volume, rel=1e-5)
    assert all(p.mesh().volume() > 0 for p in four_fold(part.move(1, 0, 1)))
    left = mirrored([part.move(2)])[1].mesh()
    assert left.bounds[1, 0] < -1
    assert left.volume() == pytest.approx(volume, rel=1e-5)


@pytest.mark.parametrize(("axis", "goes_to"), [("x", (0, -3, 2)), ("y", (3, 2, -1)), ("z", (-2, 1, 3))])
def test_turns_are_right_handed(axis: str, goes_to: tuple[float, ...]) -> None:
    none = np.zeros((1, 3), np.int32)
    part = Part(points=np.array([[1.0, 2.0, 3.0]]), at=none[0, :1], uv=np.zeros((1, 2)), faces=none)
    got = turned([part], axis, 90)[0].points[0]
    expected = np.array(goes_to, float)
    expected["xyz".index(axis)] = (1, 2, 3)["xyz".index(axis)]
    np.testing.assert_allclose(got, expected, atol=1e-12)
    np.testing.assert_allclose(part.turn(axis, 33, (1, 2, 3)).points[0], [1, 2, 3], atol=1e-12)


def test_smooth_goes_through_its_points() -> None:
    knots = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    np.testing.assert_allclose(smooth(knots, 21)[[0, 10, 20]], knots, atol=1e-12)


def test_loft_closes_with_tips_where_told() -> None:
    flat = np.c_[circle(6), np.zeros(6)]
    pyramid = loft(flat[None] * [[[1.0, 1, 1]], [[0.9, 0.9, 1]]] + [[[0.0, 0, 0]], [[0, 0, 0.1]]], end=(0, 0, 2)).mesh()
    np.testing.assert_allclose(pyramid.bounds[:, 2], [0, 2], atol=1e-7)
    assert pyramid.is_closed()
    assert pyramid.volume() > 0


def test_cuts_make_a_stone_flat_where_they_pass() -> None:
    ball_of = stone(rng(1), rough=0.0).mesh()
    cut = stone(rng(1), rough=0.0, cuts=1)
    flat = np.flatnonzero(np.abs(cut.points - stone(rng(1), rough=0.0).points).max(1) > 1e-6)
    assert 20 < len(flat) < 0.4 * len(cut.points)
    _, thin, _ = np.linalg.svd(cut.points[flat] - cut.points[flat].mean(0), full_matrices=False)
    assert thin[2] < 0.05 * thin[1]
    assert cut.mesh().volume() < 0.99 * ball_of.volume()
