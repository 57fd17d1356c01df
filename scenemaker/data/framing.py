"""Puts a camera of given orientation and lens where points fill its picture as asked."""

from __future__ import annotations

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera

NEAR = 0.3  # a row of objects seen from its end would fill the picture only from within the first
STEPS = 60  # of Newton's method, which needs two or three


def looking(elevation_deg: float, azimuth_deg: float, roll_deg: float = 0.0) -> F64:
    """R_cam_world (3, 3) of a camera that looks from an elevation and an azimuth towards the scene.

    Convention: azimuth 0 stands at +z and 90 at +x; elevation 90 looks straight down, with -z up in the picture at
    azimuth 0; a positive roll turns the camera clockwise, so the picture counter-clockwise.
    """
    e, a, r = np.radians([elevation_deg, azimuth_deg, roll_deg])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    forward = -np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
    down = np.cross(forward, right)
    return np.stack([np.cos(r) * right + np.sin(r) * down, np.cos(r) * down - np.sin(r) * right, forward])


def elevation_deg(camera: Camera) -> float:
    """How far the optical axis looks down, in degrees in [-90, 90]."""
    return float(np.degrees(np.arcsin(np.clip(-camera.T_cam_world[2, 1], -1, 1))))


def azimuth_deg(camera: Camera) -> float:
    """From where about y the optical axis looks, in degrees in [0, 360): 0 from +z, 90 from +x."""
    return float(np.degrees(np.arctan2(-camera.T_cam_world[2, 0], -camera.T_cam_world[2, 2])) % 360)


def placed(K: F64, size: tuple[int, int], R_cam_world: F64, centre_world: F64) -> Camera:
    """The camera of an orientation at a place (3,), its picture (width, height) large."""
    T = transforms.rigid(R_cam_world, -R_cam_world @ centre_world)
    return Camera(K=K, width=size[0], height=size[1], T_cam_world=T)


def framed(
    points_world: F64, R_cam_world: F64, K: F64, size: tuple[int, int], *, fill: float, shift: tuple[float, float]
) -> Camera:
    """The camera in whose picture the box around the projected points (n, 3) has a given size and place.

    Convention: the box spans ``fill`` of the picture along one axis and at most as much along the other; less when the
    camera would come nearer to a point than ``NEAR`` of the longest side of what it sees. ``shift`` in
    [-1, 1] per axis (right, down) moves it off centre: at 1 it touches the border (or, larger than the picture, ends
    there). The principal point is the centre of the picture.
    """
    p = points_world @ R_cam_world.T  # axes of the camera, origin of the world
    x, z = p[:, :2], p[:, 2:]
    edge = np.array(size) / (2 * np.array([K[0, 0], K[1, 1]]))  # (2,) tangent at the border
    middle, span = np.array(shift) * np.abs(1 - fill) * edge, fill * edge
    # The rays at tangent b through the points reach furthest at x - b z: the camera is where the two lines meet.
    right, left = (x - (middle + span) * z).max(0), (x - (middle - span) * z).min(0)  # (2,)
    depth = min(float(((left - right) / (2 * span)).min()), float(z.min() - NEAR * np.ptp(p, axis=0).max()))
    centre = [
        _centred(x[:, k], z[:, 0] - depth, edge[k], shift[k], float(right[k] + (middle + span)[k] * depth))
        for k in (0, 1)
    ]
    return placed(K, size, R_cam_world, R_cam_world.T @ np.array([*centre, depth]))


def _centred(x: F64, away: F64, edge: float, shift: float, start: float) -> float:
    """Where along x (n,) a camera stands that sees points at depths (n,) off centre by ``shift`` of what is free.

    Newton's method between bounds: the error falls with c everywhere, but its slope jumps where another point becomes
    the outermost, so that a step may lead back to where it came from; then the bounds are halved.
    """
    low, high = float((x - edge * away).min()), float((x + edge * away).max())
    c = start
    for _ in range(STEPS):
        tangent = (x - c) / away
        i, j = int(tangent.argmin()), int(tangent.argmax())
        free = edge - (tangent[j] - tangent[i]) / 2
        wrong = float((tangent[i] + tangent[j]) / 2 - shift * abs(free))
        if abs(wrong) < 1e-12:
            break
        low, high = (c, high) if wrong > 0 else (low, c)
        s = shift * np.sign(free)
        c += wrong / float((1 - s) / (2 * away[i]) + (1 + s) / (2 * away[j]))
        if not low < c < high:
            c = (low + high) / 2
    return c
