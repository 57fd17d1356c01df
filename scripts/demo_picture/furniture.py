"""The things in the picture, each standing on y = 0 about the origin of its own frame, its front towards +z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo_picture import materials as m
from demo_picture.shapes import Surface, ball, grid, join, lathe, leaf, moved, pouf, rounded_box, tube, turn


@dataclass(frozen=True, eq=False)
class Part:
    """A surface of one material."""

    surface: Surface
    material: m.Material


def armchair() -> list[Part]:
    """An upholstered armchair on turned legs."""
    fabric, legs = m.cloth("#2f6f73"), m.wood("#a87444", "#6f4423", 1)
    base = moved(rounded_box((0.62, 0.15, 0.66), 0.04), (0, 0.255, 0.01))
    seat = moved(rounded_box((0.565, 0.16, 0.62), 0.06, puff=0.035), (0, 0.40, 0.045))
    back = moved(rounded_box((0.70, 0.62, 0.17), 0.07, puff=0.02), (0, 0.58, -0.315), turn("x", -11))
    cushion = moved(rounded_box((0.52, 0.36, 0.14), 0.06, puff=0.045), (0, 0.635, -0.21), turn("x", -13))
    arm = rounded_box((0.135, 0.40, 0.74), 0.058, puff=0.012)
    arms = [moved(arm, (x, 0.375, 0.01), turn("z", -tilt)) for x, tilt in ((-0.372, -3), (0.372, 3))]
    leg = lathe([(0, 0), (0.016, 0), (0.017, 0.004), (0.027, 0.19), (0, 0.19)], 32)
    feet = [
        moved(leg, (x, 0, z), turn("z", -6 * np.sign(x)) @ turn("x", 6 * np.sign(z)))
        for x in (-0.29, 0.29)
        for z in (-0.26, 0.27)
    ]
    return [Part(join(base, seat, back, *arms), fabric), Part(cushion, m.cloth("#c9824f")), Part(join(*feet), legs)]


def cabinet() -> list[Part]:
    """A bedside cabinet with two drawers."""
    along, upright = m.wood("#b98653", "#7d4f2a", 0), m.wood("#ad7a48", "#734826", 1)
    body = moved(rounded_box((0.50, 0.46, 0.40), 0.016), (0, 0.35, 0))
    top = moved(rounded_box((0.55, 0.035, 0.44), 0.014), (0, 0.595, 0))
    fronts = [moved(rounded_box((0.445, 0.195, 0.03), 0.010), (0, y, 0.20)) for y in (0.240, 0.455)]
    knob = lathe([(0, 0), (0.008, 0), (0.007, 0.014), (0.017, 0.022), (0.018, 0.03), (0.011, 0.037), (0, 0.038)], 40)
    knobs = [moved(knob, (0, y, 0.213), turn("x", 90)) for y in (0.240, 0.455)]
    leg = lathe([(0, 0), (0.014, 0), (0.024, 0.14), (0, 0.14)], 32)
    feet = [moved(leg, (x, 0, z)) for x in (-0.2, 0.2) for z in (-0.15, 0.15)]
    brass = m.plain("#c9a253", coat=0.9, roughness=0.15)
    return [
        Part(join(body, *feet), upright),
        Part(join(top, *fronts), along),
        Part(join(*knobs), brass),
    ]


def plant(seed: int) -> list[Part]:
    """A rubber plant in a glazed pot."""
    rng = np.random.default_rng(seed)
    outside = [(0, 0), (0.13, 0), (0.145, 0.01), (0.185, 0.16), (0.20, 0.33), (0.205, 0.36)]
    pot = lathe([*outside, (0.19, 0.36), (0.18, 0.31), (0, 0.31)], smooth=2)
    soil = lathe([(0.183, 0.318), (0.09, 0.327), (0, 0.33)], 48)
    stems, leaves = [], []
    for k in range(5):
        heading, lean = k * 2.4 + 0.3, 0.06 + 0.09 * k / 4
        height = 0.62 + 0.30 * rng.random() - 0.05 * k
        s = np.linspace(0, 1, 24)[:, None]
        out = np.array([np.cos(heading), 0, np.sin(heading)])
        path = np.array([0, 0.31, 0]) + out * (0.03 + lean * s**1.5 + 0.10 * lean * np.sin(5 * s)) + s * [0, height, 0]
        stems.append(tube(path, (0.011, 0.005)))
        for i, at in enumerate(np.linspace(0.30, 1.0, 8)):
            yaw = np.degrees(heading) + 137.5 * i + rng.uniform(-20, 20)
            lift = -28 - 30 * at + rng.uniform(-10, 10)
            blade = leaf(0.21 + 0.10 * rng.random(), 0.15 + 0.04 * rng.random(), 0.45 + 0.25 * rng.random())
            where = path[round(at * 23)]
            leaves.append(moved(blade, tuple(where), turn("y", yaw) @ turn("x", lift)))
    return [
        Part(pot, m.glaze("#ece6da", "#3e5f74", 0.13, 0.21)),
        Part(soil, m.plain("#3a2a1e", mottle=0.6)),
        Part(join(*stems), m.plain("#6a6b3c", mottle=0.3)),
        Part(join(*leaves), m.foliage()),
    ]


def knitted_pouf() -> list[Part]:
    """A knitted floor cushion."""
    return [Part(pouf(0.27, 0.34), m.cloth("#d9a441", thread_m=0.006))]


def beach_ball(radius: float) -> list[Part]:
    """A ball of coloured sectors, leaning."""
    sphere = m.stripes(["#f2ede2", "#c8452f", "#f2ede2", "#33658a"], 8)
    R = turn("z", -38) @ turn("x", 24)
    rolled = m.Material(lambda p: sphere.albedo((p - [0, radius, 0]) @ R), sphere.coat, sphere.roughness)
    return [Part(moved(ball(radius), (0, radius, 0), R), rolled)]


def room(width: float, depth: float, height: float, rug_radius: float) -> list[Part]:
    """Floor, back wall at z = 0, left wall at x = 0 with a window, skirting boards, rug and a framed picture."""

    def quad(corner: list[float], a: list[float], b: list[float]) -> Surface:
        c, a_, b_ = np.asarray(corner), np.asarray(a), np.asarray(b)
        return grid(lambda u, v: c + u[:, None] * a_ + v[:, None] * b_, 1, 1)

    wall = m.plain("#dcd3c4", mottle=0.05)
    low, high, near, far = 0.75, 2.45, 1.1, 3.0  # the window: heights, and distances from the corner
    left = join(
        quad([0, 0, 0], [0, 0, depth], [0, low, 0]),
        quad([0, high, 0], [0, 0, depth], [0, height - high, 0]),
        quad([0, low, 0], [0, 0, near], [0, high - low, 0]),
        quad([0, low, far], [0, 0, depth - far], [0, high - low, 0]),
    )
    middle_y, middle_z = (low + high) / 2, (near + far) / 2
    bar, rail = rounded_box((0.05, high - low, 0.045), 0.004, n=4), rounded_box((0.05, 0.045, far - near), 0.004, n=4)
    bars = [moved(bar, (0, middle_y, z)) for z in (near, middle_z, far)]
    rails = [moved(rail, (0, y, middle_z)) for y in (low, middle_y, high)]
    skirting = join(
        moved(rounded_box((width, 0.09, 0.018), 0.004, n=8), (width / 2, 0.045, 0.009)),
        moved(rounded_box((0.018, 0.09, depth), 0.004, n=8), (0.009, 0.045, depth / 2)),
    )
    frame = [moved(rounded_box((0.66, 0.03, 0.03), 0.005, n=6), (0, y, 0.015)) for y in (-0.24, 0.24)] + [
        moved(rounded_box((0.03, 0.51, 0.03), 0.005, n=6), (x, 0, 0.015)) for x in (-0.33, 0.33)
    ]
    place = (2.70, 1.36, 0.0)
    blues, sand, sun = m.srgb("#5d8296"), m.srgb("#e2cfae"), m.srgb("#d9824a")

    def painting(p: m.F64) -> m.F64:
        x, y = p[:, 0] - place[0], p[:, 1] - place[1]
        hills = y < 0.05 * np.sin(9 * x + 1) - 0.05
        dunes = y < 0.04 * np.sin(7 * x - 1) - 0.14
        out = np.broadcast_to(m.srgb("#f0e8da"), (len(p), 3)).copy()
        out[hills], out[dunes] = blues, sand
        out[(np.hypot(x - 0.1, y - 0.07) < 0.06) & ~hills] = sun
        out[(np.abs(x) > 0.25) | (np.abs(y) > 0.175)] = m.srgb("#f7f4ee")
        return out

    disc = lathe([(rug_radius, 0.001), (rug_radius, 0.007), (rug_radius - 0.006, 0.012), (0, 0.012)], 160)
    return [
        Part(quad([0, 0, 0], [0, 0, depth], [width, 0, 0]), m.oak_floor()),
        Part(join(quad([0, 0, 0], [width, 0, 0], [0, height, 0]), left), wall),
        Part(join(skirting, *bars, *rails), m.plain("#f1ede4")),
        Part(moved(disc, (2.35, 0, 1.55)), m.Material(lambda p: m.rug(rug_radius).albedo(p - [2.35, 0, 1.55]))),
        Part(moved(join(*frame), place), m.wood("#8a5a33", "#5b3719", 0)),
        Part(quad([place[0] - 0.33, place[1] - 0.24, 0.006], [0.66, 0, 0], [0, 0.48, 0]), m.Material(painting)),
    ]
