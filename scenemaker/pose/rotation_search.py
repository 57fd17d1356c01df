"""Rotation, scale and translation of a mesh by search: yaws about gravity, closed forms for the rest, then local steps.

For every yaw the silhouette gives scale and place in the picture, depth the distance, and a few rounds of trimmed
ICP on the surface seen from there correct all three. The best few by silhouette, depth and free space are then
improved by small moves, each kept only if the score rises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.registration import circle, fit_silhouette, icp, mask_support, split
from scenemaker.pose.known_rotation import at_depth, ground_ratio, start_depth
from scenemaker.pose.target import Agreement, Placement, Prober, Target, compare
from scenemaker.scene import Bool

DIRECTIONS = circle(32)
GROWTHS = (1.3, 1.7, 2.2)  # of objects that go on where they are hidden
LEAN_DEG = 25.0  # a lean of so much costs as much as covering nothing of the mask
# First steps of the local search: radians, or shares of the object's size. ``away`` moves along the line of sight,
# ``zoom`` does so with the picture unchanged.
STEPS = {
    "yaw": 0.12, "size": 0.05, "right": 0.04, "down": 0.04, "away": 0.05, "zoom": 0.05, "pitch": 0.08, "roll": 0.08,
}  # fmt: skip
PITCHES_DEG = (0.0, 20.0, 40.0, 60.0)  # of a camera whose tilt is unknown
SIDES = (
    np.eye(3),
    transforms.axis_angle([1, 0, 0], np.pi / 2),
    transforms.axis_angle([1, 0, 0], -np.pi / 2),
    transforms.axis_angle([0, 0, 1], np.pi / 2),
    transforms.axis_angle([0, 0, 1], -np.pi / 2),
    transforms.axis_angle([1, 0, 0], np.pi),
)

Found = tuple[Placement, Agreement]


def upright_rotations(up_cam: F64, n_yaws: int, side: F64 = SIDES[0]) -> list[F64]:
    """R_cam_obj with a side of the mesh (its y axis, unless turned before) along ``up_cam``, for evenly spread yaws."""
    R_cam_up = transforms.R_cam_world_from_up(up_cam)
    return [R_cam_up @ transforms.axis_angle([0, 1, 0], 2 * np.pi * i / n_yaws) @ side for i in range(n_yaws)]


def ups_to_try(up_cam: F64 | None) -> list[F64]:
    """The known direction against gravity, else those of a level camera pitched down more and more."""
    if up_cam is not None:
        return [up_cam]
    return [np.array([0.0, -np.cos(p), -np.sin(p)]) for p in np.radians(PITCHES_DEG)]


class PoseSearch:
    """Search for one object."""

    def __init__(
        self, mesh: Mesh, prober: Prober, coarse: Target, fine: Target, K: F64, outline: Bool, may_hide: Bool
    ) -> None:
        """Takes the evidence on two grids, coarse for the sweep, fine for the last steps, and in full the outline
        (h, w) with the pixels (h, w) where the object may go on unseen."""
        self.mesh, self.prober, self.coarse, self.fine = mesh, prober, coarse, fine
        self.hull = extreme_vertices(mesh.vertices)
        self.support, corners_px = mask_support(outline, K, DIRECTIONS)
        unsure = _touches(may_hide, corners_px)
        self.trust, self.cut = np.where(unsure, 0.05, 1.0), bool(unsure.any())
        self.points = thin_out(coarse.points_cam(), 400)

    def sweep(self, n_yaws: int, *, side: F64 = SIDES[0]) -> list[Found]:
        """One placement per yaw (and pitch, where gravity is unknown), best first."""
        found = [
            self._place(R, up) for up in ups_to_try(self.coarse.up_cam) for R in upright_rotations(up, n_yaws, side)
        ]
        return sorted(found, key=lambda f: -f[1].score)

    def refine(self, found: Found, *, rounds: int, fine: bool, tilt: bool) -> Found:
        """Small moves of every kind, each kept if the score rises, with steps that halve when none helps."""
        target = self.fine if fine else self.coarse
        place, best = max(
            (
                (p, self._judge(target, p))
                for p in (found[0], *self._by_icp(found[0], None if tilt else self._up(found[0])))
            ),
            key=lambda f: f[1].score,
        )
        kinds = [kind for kind in STEPS if tilt or kind not in ("pitch", "roll")]
        part = 0.25 if fine else 1.0
        return climb(lambda p: self._judge(target, p), (place, best), kinds, self._up, part=part, rounds=rounds)

    def _up(self, place: Placement) -> F64:
        return self.coarse.up_cam if self.coarse.up_cam is not None else place.R[:, 1]

    def _judge(self, target: Target, place: Placement) -> Agreement:
        found = with_ground(compare(target, self.prober.depth(target, place)), self.hull, place, target)
        if target.up_cam is None:
            return found
        # whichever side of the mesh is up, it should be so: a leaning object must be seen clearly
        lean_deg = float(np.degrees(np.arccos(min(1.0, np.abs(target.up_cam @ place.R).max()))))
        return replace(found, score=found.score - (lean_deg / LEAN_DEG) ** 2)

    def _place(self, R: F64, up_cam: F64) -> Found:
        """The best placement of one rotation: by silhouette, at several scales where parts are hidden, then ICP."""
        hull = self.hull @ R.T
        s, t = fit_silhouette(hull, self.support, DIRECTIONS, self.trust)
        starts = [(s, t)]
        if self.cut:
            starts += [fit_silhouette(hull, self.support, DIRECTIONS, self.trust, scale=s * k) for k in GROWTHS]
        found = []
        for s, t in starts:
            start = start_depth(self.mesh, Placement(R=R, s=s, t=t), self.coarse)
            place, _ = at_depth(self.prober, self.coarse, start)
            found += [(p, self._judge(self.coarse, p)) for p in (place, *self._by_icp(place, up_cam))]
        return max(found, key=lambda f: f[1].score)

    def _by_icp(self, place: Placement, axis: F64 | None) -> list[Placement]:
        return onto_points(self.prober, self.coarse, self.points, place, axis=axis)


def onto_points(
    prober: Prober,
    target: Target,
    points_cam: F64,
    place: Placement,
    *,
    axis: F64 | None = None,
    scale: bool = True,
    iterations: int = 8,
) -> list[Placement]:
    """The placement after trimmed ICP of the surface seen from there against observed points (n, 3).

    Empty where either is too few. Rotation about ``axis`` (3,) only, where one is given; scale only where it is free.
    """
    z = prober.depth(target, place)
    seen = np.isfinite(z)
    if len(points_cam) < 10 or np.count_nonzero(seen) < 10:
        return []
    surface = target.rays_cam[seen].astype(np.float64) * z[seen, None]
    model = transforms.apply(transforms.invert(place.S), thin_out(surface, 800))
    found = icp(model, points_cam, place.S, axis=axis, scale=scale, iterations=iterations, tolerance=1e-2)
    s, R, t = split(found.S)
    return [Placement(R=R, s=s, t=t)] if t[2] > 0 else []


def climb(
    judge: Callable[[Placement], Agreement],
    found: Found,
    kinds: Sequence[str],
    up_cam: Callable[[Placement], F64],
    *,
    part: float,
    rounds: int,
) -> Found:
    """Small moves of every kind, each kept if the score rises, with steps that halve when none helps.

    Args:
        judge: How well a placement agrees.
        found: Where to start.
        kinds: Of ``STEPS``.
        up_cam: Axis of yaw at a placement.
        part: Of the steps, at first.
        rounds: Over all kinds.
    """
    place, best = found
    for _ in range(rounds):
        helped = False
        for kind in kinds:
            for sign in (1, -1):
                moved = moved_by(place, kind, sign * part * STEPS[kind], up_cam(place))
                agrees = judge(moved)
                if agrees.score > best.score + 1e-4:
                    place, best, helped = moved, agrees, True
                    break
        if not helped:
            part /= 2
    return place, best


def moved_by(place: Placement, kind: str, d: float, up_cam: F64) -> Placement:
    """The placement after one small move; see ``STEPS``."""
    R, s, t = place.R, place.s, place.t
    away = d * s / float(np.linalg.norm(t))
    if kind == "size":
        return Placement(R=R, s=s * float(np.exp(d)), t=t)
    if kind in ("right", "down"):
        return Placement(R=R, s=s, t=t + np.eye(3)[0 if kind == "right" else 1] * d * s)
    if kind == "away":
        return Placement(R=R, s=s, t=t * (1 + away))
    if kind == "zoom":
        return place.scaled(float(np.exp(away)))
    level = transforms.unit(np.cross(up_cam, [0.0, 0.0, 1.0] if abs(up_cam[2]) < 0.9 else [0.0, 1.0, 0.0]))
    axis = {"yaw": up_cam, "pitch": level, "roll": np.cross(up_cam, level)}[kind]
    return Placement(R=transforms.axis_angle(axis, d) @ R, s=s, t=t)


def with_ground(found: Agreement, vertices: np.ndarray, place: Placement, target: Target) -> Agreement:
    """The agreement with its score lowered where the object floats over or sinks into a known ground."""
    if target.ground_cam is None:
        return found
    k = ground_ratio(vertices, place, target.ground_cam)
    gap = 1.0 if k is None else abs(k - 1) * float(np.linalg.norm(place.t)) / place.s
    return replace(found, score=found.score - 0.1 * min(1.0, gap / 0.1))


def extreme_vertices(vertices: np.ndarray, n: int = 400) -> F64:
    """The vertices that reach farthest in n directions: enough of the convex hull to tell a silhouette."""
    i = np.arange(n) + 0.5
    y, turn = 1 - 2 * i / n, np.pi * (1 + 5**0.5) * i  # Fibonacci sphere
    r = np.sqrt(1 - y * y)
    directions = np.stack([r * np.cos(turn), y, r * np.sin(turn)], 1).astype(np.float32)
    v = np.asarray(vertices, np.float32)
    far = [(v @ part.T).argmax(0) for part in np.array_split(directions, 1 + len(v) * n // 4_000_000)]
    return v[np.unique(np.concatenate(far))].astype(np.float64)


def thin_out(points: F64, n: int) -> F64:
    """At most n of the points, evenly spread over their order."""
    return points if len(points) <= n else points[np.linspace(0, len(points) - 1, n).astype(int)]


def _touches(hidden: Bool, corners_px: F64) -> Bool:
    """Whether hidden pixels lie within two pixels of each corner (k, 2): the mask does not end there by itself."""
    h, w = hidden.shape
    out = np.zeros(len(corners_px), bool)
    for i, (u, v) in enumerate(corners_px.astype(int)):
        out[i] = hidden[max(v - 2, 0) : min(v + 2, h), max(u - 2, 0) : min(u + 2, w)].any()
    return out
