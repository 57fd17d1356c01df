"""Turned shapes: a profile revolved about y, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.shapes.curve import circle
from scenemaker.data.objects.procedural.shapes.loft import loft
from scenemaker.geometry.cameras import F64

Wave = Callable[[F64, F64], F64]  # (angle, y) -> factor on the radius


def lathe(profile: ArrayLike, segments: int = 28, *, wave: Wave | None = None, twist_deg: float = 0.0) -> Part:
    """A profile (k, 2) of (radius, y) turned about y, outwards where y grows.

    Args:
        profile: From the bottom up; ends of radius 0 are tips, others get a flat end.
        segments: Around.
        wave: Changes the radius: flutes, ribs, lobes.
        twist_deg: Turn of the top against the bottom.
    """
    profile = np.asarray(profile, np.float64)
    start = (0.0, profile[0, 1], 0.0) if profile[0, 0] <= 0 else None
    end = (0.0, profile[-1, 1], 0.0) if profile[-1, 0] <= 0 else None
    body = profile[start is not None : len(profile) - (end is not None)]
    return loft(turned_rings(body, segments, wave, twist_deg), start=start, end=end)


def vessel(
    profile: ArrayLike, wall: float, segments: int = 28, *, wave: Wave | None = None, twist_deg: float = 0.0
) -> Part:
    """A hollow lathe: the profile (k, 2) from the middle of the bottom up to the rim, with a wall of that thickness."""
    outer = np.asarray(profile, np.float64)
    outer = outer[1:] if outer[0, 0] <= 0 else outer
    floor = outer[0, 1] + wall
    inner = outer[outer[:, 1] > floor + 0.5 * wall] - (wall, 0.0)
    inner = inner[inner[:, 0] > 0.05 * wall] if len(inner) else inner
    lip = np.array([[outer[-1, 0] - wall / 2, outer[-1, 1] + wall / 2]])
    bottom = np.array([[max(float(np.interp(floor, outer[:, 1], outer[:, 0])) - wall, wall / 4), floor]])
    whole = np.concatenate([outer, lip, inner[::-1], bottom])
    rings = turned_rings(whole, segments, wave, twist_deg)
    return loft(rings, start=(0.0, float(outer[0, 1]), 0.0), end=(0.0, floor, 0.0))


def tube(outline: ArrayLike, segments: int = 32, *, wave: Wave | None = None) -> Part:
    """A closed outline (k, 2) of (radius, y), counter-clockwise, turned once around y: lampshades, bands, tyres."""
    return loft(turned_rings(np.asarray(outline, np.float64), segments, wave), loop=True)


def ring(radius: float, thickness: float, segments: int = 28, section: ArrayLike | None = None) -> Part:
    """A torus lying flat about the origin, or a loop of another section (s, 2) of (outwards, up)."""
    cut = circle(10, thickness) if section is None else np.asarray(section, np.float64)
    profile = cut + np.array((radius, 0.0))
    t = -2 * np.pi * np.arange(segments) / segments
    rings = np.stack(
        [profile[None, :, 0] * np.sin(t)[:, None],
         np.broadcast_to(profile[:, 1], (segments, len(profile))),
         profile[None, :, 0] * np.cos(t)[:, None]], -1
    )  # fmt: skip
    return loft(rings, loop=True)


def wedge(profile: ArrayLike, from_deg: float, to_deg: float, steps: int = 24) -> Part:
    """A closed outline (s, 2) of (radius, y), counter-clockwise and star-shaped about its middle, turned by a part of
    a circle about y: a slice of cake, an arch."""
    outline = np.asarray(profile, np.float64)
    t = np.radians(np.linspace(to_deg, from_deg, steps))[:, None]
    r, y = outline[None, :, 0], outline[None, :, 1]
    return loft(np.stack([r * np.sin(t), np.broadcast_to(y, (steps, len(outline))), r * np.cos(t)], -1))


def superquadric(size: tuple[float, float, float], vertical: float = 1.0, around: float = 1.0, n: int = 20) -> Part:
    """An ellipsoid (both powers 1) to box (towards 0) to pinched star (above 2) of full sides, about the origin."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, n // 2 + 2)[1:-1, None]
    longitude = (2 * np.pi * np.arange(n + n % 2) / (n + n % 2))[None, :]

    def power(x: F64, e: float) -> F64:
        return np.sign(x) * np.abs(x) ** e

    r = power(np.cos(latitude), vertical)
    y = np.broadcast_to(power(np.sin(latitude), vertical), (latitude.shape[0], longitude.shape[1]))
    p = np.stack([r * power(np.sin(longitude), around), y, r * power(np.cos(longitude), around)], -1)
    half = np.asarray(size, np.float64) / 2
    return loft(p * half, start=(0.0, -half[1], 0.0), end=(0.0, half[1], 0.0))


def ball(
    size: tuple[float, float, float] | float, at: tuple[float, float, float] = (0.0, 0.0, 0.0), n: int = 16
) -> Part:
    """An ellipsoid of full sides about a point."""
    sides = (size, size, size) if isinstance(size, (int, float)) else size
    return superquadric(sides, n=n).move(*at)


def turned_rings(profile: F64, segments: int, wave: Wave | None = None, twist_deg: float = 0.0) -> F64:
    """(k, segments, 3) circles of a profile (k, 2) of (radius, y) about y."""
    t = np.broadcast_to(2 * np.pi * np.arange(segments) / segments, (len(profile), segments))
    r = np.repeat(profile[:, :1], segments, 1)
    y = np.repeat(profile[:, 1:], segments, 1)
    height = (y - y.min()) / max(float(np.ptp(y)), 1e-12)
    if wave is not None:
        r = r * wave(t, y)
    t = t + np.radians(twist_deg) * height
    return np.stack([r * np.sin(t), y, r * np.cos(t)], -1)
