"""Colours, tiles and the atlas: what is painted is what is seen."""

from __future__ import annotations

import numpy as np
import pytest

from scenemaker.data.objects.procedural.materials.colour import oklch
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.materials.tiles import PATTERNS, Tiles, noise
from scenemaker.data.objects.procedural.paint import coloured, painted
from scenemaker.data.objects.procedural.shapes import ball, box, lathe
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.geometry.raycast import surface_colours

RED, GREEN, BLUE = plain((0.8, 0.1, 0.1)), plain((0.1, 0.7, 0.2)), plain((0.1, 0.2, 0.9))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seen(mesh: Mesh, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) colours in [0, 1] and the face (n,) of points all over the surface."""
    _, face = sample_surface(mesh, n)
    bary = rng(1).dirichlet((1, 1, 1), n).astype(np.float32)
    return surface_colours(mesh, face.astype(np.int32), bary[:, 1:]) / 255, face


def test_oklch_gives_known_colours() -> None:
    np.testing.assert_allclose(oklch(1.0, 0.0, 0.0), (1, 1, 1), atol=1e-3)
    np.testing.assert_allclose(oklch(0.627955, 0.257683, 29.2339), (1, 0, 0), atol=2e-3)  # sRGB red
    np.testing.assert_allclose(oklch(0.452014, 0.313214, 264.052), (0, 0, 1), atol=2e-3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_repeat(pattern: str) -> None:
    x, y = (np.arange(48) + 0.5)[None, :] / 48, (np.arange(48) + 0.5)[:, None] / 48
    for seed in range(3):
        here = PATTERNS[pattern](rng(seed), x, y)
        np.testing.assert_allclose(PATTERNS[pattern](rng(seed), x + 1, y), here, atol=1e-9)
        if pattern not in ("rings", "drip"):  # these run once from the bottom to the top
            np.testing.assert_allclose(PATTERNS[pattern](rng(seed), x, y + 1), here, atol=1e-9)


def test_noise_repeats() -> None:
    field = noise(rng(), 96, 1.6)
    for axis in (0, 1):
        steps = np.abs(field - np.roll(field, 1, axis)).mean(1 - axis)  # the first is the step across the border
        assert steps[0] < 1.5 * steps[1:].mean()


@pytest.mark.parametrize("pattern", ["plain", *PATTERNS])
def test_tiles_stay_between_their_colours(pattern: str) -> None:
    material = Material(rgb=(0.2, 0.4, 0.6), rgb2=(0.4, 0.4, 0.3), pattern=pattern)
    tile = Tiles(rng(3), 64).draw(material) / 255
    assert tile.shape == (64, 64, 3)
    assert np.abs(tile[..., 1] - 0.4).max() < 0.01
    share = (tile[..., 0] - 0.2) / 0.2
    np.testing.assert_allclose(share, (0.6 - tile[..., 2]) / 0.3, atol=0.05)
    assert share.std() > 0.02
    assert -0.45 < share.min() < share.max() < 1.45


def test_noise_is_of_deviation_one_and_drawn_out() -> None:
    field = noise(rng(), 64, 1.0, 6.0)
    assert field.std() == pytest.approx(1)
    along, across = (np.abs(np.diff(field, axis=a)).mean() for a in (0, 1))
    assert along < 0.5 * across


def test_every_part_shows_its_own_tile() -> None:
    parts = [box((1, 1, 1)).of(RED), ball(0.7, (2, 0, 0)).of(GREEN), lathe([(0.3, 0), (0.2, 3)], 9).move(4).of(BLUE)]
    parts += [box((9, 0.1, 0.1), (0, -1, 0)).of(RED)]
    for seed in range(3):
        mesh = painted(parts, rng(seed))
        assert mesh.uv is not None
        assert 0 <= mesh.uv.min() <= mesh.uv.max() <= 1
        colours, face = seen(mesh)
        owner = np.searchsorted(np.cumsum([len(p.faces) for p in parts]), face, side="right")
        right = np.array([p.material.rgb for p in parts])[owner]
        assert np.abs(colours - right).max() < 0.12


def test_texture_is_neither_squeezed_nor_repeated() -> None:
    """A tile covers span times the longest side, the same both ways; what is longer shrinks whole."""
    dotted = blend((0, 0, 0), (1, 1, 1), "dots", span=0.5)
    for size, scale in (((1.0, 0.2, 0.4), 1 / 0.5), ((1.0, 0.5, 0.9), 1 / 0.5), ((4.0, 0.1, 3.0), 1 / 2.0)):
        part = box(size, bevel=0.001).of(dotted)
        mesh = painted([part], rng())
        assert mesh.uv is not None and mesh.texture is not None
        got = np.ptp(mesh.uv, 0) * mesh.texture.shape[0] / 192
        want = np.ptp(part.uv, 0) * scale
        np.testing.assert_allclose(got, want / max(1.0, want.max()), atol=1e-3)


def test_shade_goes_from_the_first_to_the_second_colour() -> None:
    part = ball(1.0)
    part = part.shaded(part.points[:, 1] + 0.5).of(blend((0.1, 0.2, 0.3), (0.9, 0.2, 0.3)))
    plain_mesh = coloured([part], rng())
    assert plain_mesh.colors is not None
    np.testing.assert_allclose(plain_mesh.colors[:, 0] / 255, 0.1 + 0.8 * (part.points[:, 1] + 0.5), atol=0.003)
    mesh = painted([part], rng())
    points, face = sample_surface(mesh, 3000)
    corner = np.linalg.inv(np.swapaxes(mesh.triangles[face], 1, 2)) @ points[:, :, None]  # barycentric, by solving
    colours = surface_colours(mesh, face.astype(np.int32), corner[:, 1:, 0].astype(np.float32)) / 255
    slope, middle = np.polyfit(points[:, 1], colours[:, 0], 1)  # the ramp is clouded, but on the whole straight
    assert 0.6 < slope < 0.85
    assert abs(middle - 0.5) < 0.03
    assert np.corrcoef(colours[:, 0], points[:, 1])[0, 1] > 0.85


def test_pieces_of_one_wood_differ_and_of_one_paint_do_not() -> None:
    for uneven, differ in ((0.1, True), (0.0, False)):
        of = Material(rgb=(0.5, 0.4, 0.3), rgb2=(0.4, 0.3, 0.2), uneven=uneven)
        mesh = coloured([box((1, 1, 1)).of(of), box((1, 1, 1), (2, 0, 0)).of(of)], rng())
        assert mesh.colors is not None
        assert (len(np.unique(mesh.colors, axis=0)) == 2) == differ


def test_palette_keeps_its_scheme_and_temper() -> None:
    materials = ("wood", "paint", "finish", "metal", "plastic", "accent", "fabric", "leather", "ceramic", "stone")
    more = ("leaf", "petal", "bark", "dark", "pale")
    patterns = set()
    for seed in range(40):
        look = Palette(rng(seed))
        for name in (*materials, *more):
            m = getattr(look, name)()
            assert 0 <= min(*m.rgb, *m.rgb2) <= max(*m.rgb, *m.rgb2) <= 1
            assert m.pattern == "plain" or m.pattern in PATTERNS
            patterns.add(m.pattern)
        assert max(look.dark().rgb) < 0.4 < 0.75 < min(look.pale().rgb)
    assert len(patterns) >= 12
    chroma = [np.ptp(Palette(rng(s)).colour()) for s in range(60)]
    assert np.percentile(chroma, 90) > 3 * np.percentile(chroma, 10)  # from muted to vivid
