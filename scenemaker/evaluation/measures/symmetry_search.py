"""The rotational symmetries of an object, found from its geometry.

Definition: g is a symmetry of the surface P if the mean distance of g P to P, less the resampling floor, is at most
0.005 of the longest side of its box. The floor is the mean distance of P to an independent sample of the same surface;
g turns about the point that suits best, for a pose makes up for that by its translation. Texture is ignored.

The library's design gave 0.01. Measured, that is too loose: it calls 56 % of the validation meshes symmetric, among
them tanks from front to back and fish upside down (0.006 to 0.009); at 0.005 it is 39 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.cache import digest
from scenemaker.evaluation.measures.distance_grid import DistanceGrid
from scenemaker.evaluation.measures.fitting import NEARLY, Move, register
from scenemaker.evaluation.measures.symmetry import MAX_ORDER, SAME_DEG, Symmetries, angles_deg, closed, turns
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface

TOLERANCE = 0.005  # of the longest side: the definition
POINTS, DENSE = 1024, 65536  # the points that are turned, and those they are compared with
ICP_POINTS, ICP_DENSE, ICP_STEPS, ICP_FAR = 384, 8192, 8, 0.03  # far: the handle of a mug
ROUGH_POINTS, ROUGH_CELLS, ROUGH_AXES = 128, 48, 500  # of the first search; its axes are within 5 degrees of any
STANDS_OUT = 0.002  # of the longest side: rough distances of other points differ by less
ROUGH_LIMIT = 0.03  # a symmetry stays below this on the grid
TRIES = {2: 16, 3: 10, 5: 6, 7: 3, 11: 3, 13: 3}  # axes to look at by prime order, somewhat more than a group needs;
# one of these divides every order up to MAX_ORDER but 17, 19 and 23
CLEAN_DEG, CLEAN_COST = 5.0, 0.001  # an axis of the box within so much is taken if it fits worse by no more than that
EQUAL = 0.02  # sides of a box that differ by less are equal
NEAR_DEG = 12.0  # axes nearer than this lead the registration to one place

_found: dict[str, Symmetries] = {}


def symmetries_of(mesh: Mesh) -> Symmetries:
    """The symmetries of a mesh, in its frame; searched for once per shape in a process.

    Five hundred axes are tried roughly on a grid of distances; what is promising is registered to the shape and then
    measured by the definition. Where *every* turn about an axis is within the tolerance, the shape is one of
    revolution. A single turn must also stand out, i.e. fit better than turns by a little less and more: a square plate
    turned by 30 degrees is within the tolerance, and yet its group is D4. A finite group is taken whole, every element
    measured, or not at all.

    Raises:
        InputError: A mesh without a face of some area.
    """
    key = digest([mesh.vertices, mesh.faces])
    if key not in _found:
        _found[key] = _search(Shape(mesh))
    return _found[key]


class Shape:
    """Points on a mesh, longest side 1 and centred, and how far they lie from it when turned."""

    def __init__(self, mesh: Mesh) -> None:
        from scipy.spatial import KDTree

        size = float(mesh.extents.max())
        dense, face = sample_surface(mesh, DENSE, seed=1)
        dense = dense / size
        points = sample_surface(mesh, POINTS, seed=2)[0] / size
        mean = dense.mean(0)
        dense, points = _shuffled(dense - mean), _shuffled(points - mean)  # so that the first few are everywhere
        self.points, self.tree = points, KDTree(dense)
        self.floor = float(np.mean(self.tree.query(points)[0]))
        a, b, c = np.moveaxis(mesh.triangles[_shuffled(face)[:ICP_DENSE]], 1, 0)
        normals = transforms.unit(np.cross(b - a, c - a) / size**2)
        self.icp = dense[:ICP_DENSE], normals, KDTree(dense[:ICP_DENSE])
        self.icp_floor = self.floor * np.sqrt(DENSE / ICP_DENSE)
        self.grid = DistanceGrid(dense, 1.001 * float(np.linalg.norm(dense, axis=1).max()), ROUGH_CELLS)
        self.box_axes = _box_axes(mesh.extents / size)

    def rough_distance(self, R: F64, centre: F64 | float = 0.0, *, points: int = ROUGH_POINTS) -> F64:
        """(...) mean distance of the points turned about a centre by each R (..., 3, 3), to half a cell of the grid."""
        turned = (self.points[:points] - centre) @ R.swapaxes(-1, -2) + centre
        return self.grid(turned).mean(-1)

    def distance(self, R: F64, centre: F64) -> float:
        """Mean distance of the points turned about a centre (3,) to the shape, less the floor; rough where large."""
        rough = float(self.rough_distance(R, centre))
        if rough > ROUGH_LIMIT:
            return rough
        turned = (self.points - centre) @ R.T + centre
        return float(np.mean(self.tree.query(turned, eps=NEARLY)[0])) - self.floor

    def stand_out(self, axes: F64, steps: F64, centre: F64) -> NDArray[np.bool_]:
        """(k,) whether turns about axes (k, 3) by steps (k,) fit better than by a quarter less and a quarter more."""
        R = turns(axes[:, None], steps[:, None] * np.array([1, 0.75, 1.25]))  # (k, 3, 3, 3)
        at, less, more = self.rough_distance(R, centre, points=POINTS).T
        return at + STANDS_OUT < np.minimum(less, more)

    def clean(self, axis: F64, angles: ArrayLike, centre: F64) -> F64:
        """(3,) the axis of the box near a found one (3,), where turns by these angles fit about as well; else that.

        Makers put symmetries along the axes of the frame; a registered axis is off by the noise of the points, and by
        what is not symmetric.
        """
        cosines = self.box_axes @ axis
        best = int(np.abs(cosines).argmax())
        if abs(cosines[best]) < np.cos(np.radians(CLEAN_DEG)):
            return axis
        box_axis = self.box_axes[best] * np.sign(cosines[best])
        found, clean = (np.array([self.distance(R, centre) for R in turns(a, angles)]) for a in (axis, box_axis))
        return box_axis if (clean <= np.minimum(found + CLEAN_COST, TOLERANCE)).all() else axis

    def fits(self, R: F64, centre: F64) -> bool:
        """Whether all of R (k, 3, 3) are symmetries by the definition."""
        return all(self.distance(r, centre) <= TOLERANCE for r in R)

    def registered(self, R: F64) -> Move:
        """R (3, 3) and t (3,) that bring the shape onto itself best, from a first guess of R."""
        return register(self.points[:ICP_POINTS], *self.icp, R, steps=ICP_STEPS, floor=self.icp_floor, far=ICP_FAR)


def _search(shape: Shape) -> Symmetries:
    axes = _directions()
    rough = np.stack([shape.rough_distance(turns(axes, 2 * np.pi / p)) for p in TRIES])  # (primes, axes)
    if rough.max() <= ROUGH_LIMIT and shape.fits(turns(axes[3::20], np.arange(25) + 0.5), np.zeros(3)):
        return Symmetries(rotations=np.eye(3)[None], ball=True)
    for k in _lowest(axes, rough.max(0), limit=_off_axis(2), tries=4):
        whole = _revolution(shape, axes[k])
        if whole is not None:
            return whole
    return _finite(shape, axes, rough)


def _revolution(shape: Shape, near: F64) -> Symmetries | None:
    """The symmetries of a solid of revolution, if the shape is one about an axis near the one given."""
    moves = [shape.registered(turns(near, 2 * np.pi / n)) for n in (2, 3, 5)]
    turned = [_rotvec(R) for R, _ in moves if angles_deg(R, np.eye(3)) > 30]  # the others slid back
    if not turned:
        return None
    axis = transforms.unit(sum(transforms.unit(v) * np.sign(v @ near) for v in turned))
    every = np.arange(1, 14) * np.pi / 13  # no gear of MAX_ORDER teeth or fewer keeps step with these
    axis = shape.clean(axis, every, _centre(moves))
    if not shape.fits(turns(axis, every), _centre(moves)):
        return None
    R, t = shape.registered(turns(transforms.unit(np.cross(axis, np.eye(3)[np.abs(axis).argmin()])), np.pi))
    across = transforms.unit(np.cross(axis, np.cross(_rotvec(R), axis)))
    flips = turns(axis, np.arange(6) * np.pi / 3) @ turns(across, np.pi)
    both_ends = shape.fits(flips, _centre([*moves, (R, t)]))
    return Symmetries(rotations=np.stack([np.eye(3), flips[0]][: 1 + both_ends]), axis=axis)


def _finite(shape: Shape, axes: F64, rough: F64) -> Symmetries:
    group, moves, seen = np.eye(3)[None], list[Move](), np.zeros((0, 3))
    for (prime, tries), distances in zip(TRIES.items(), rough, strict=True):
        for k in _lowest(axes, distances, limit=_off_axis(prime), tries=tries):
            turn = turns(axes[k], 2 * np.pi / prime)
            near = angles_deg(group, turn)
            known = near.min() < NEAR_DEG
            found = moves if known else [*moves, shape.registered(turn)]
            vector = _rotvec(group[near.argmin()] if known else found[-1][0])
            if abs(np.linalg.norm(vector) - 2 * np.pi / prime) > 0.1:
                continue  # slid to another turn
            centre = _centre(found)
            axis = shape.clean(transforms.unit(vector), [2 * np.pi / prime], centre)
            if (np.abs(seen @ group @ axis) > np.cos(np.radians(NEAR_DEG / 2))).any():
                continue  # the group takes axes to axes of the same order
            orders = np.arange(MAX_ORDER - MAX_ORDER % prime, 0, -prime)
            for order in orders[shape.stand_out(np.tile(axis, (len(orders), 1)), 2 * np.pi / orders, centre)]:
                larger = _with(shape, group, turns(axis, 2 * np.pi / order), centre)
                if larger is not None:
                    group, moves, seen = larger, found, np.concatenate([seen, axis[None]])
                    break
    return Symmetries(rotations=group)


def _with(shape: Shape, group: F64, turn: F64, centre: F64) -> F64 | None:
    """(G, 3, 3) the group with one more turn, if all of it are symmetries that stand out."""
    if angles_deg(group, turn).min() < SAME_DEG:
        return group
    if shape.distance(turn, centre) > TOLERANCE:
        return None
    larger = closed(np.concatenate([group, turn[None]]))
    if larger is None or not shape.fits(larger[1:], centre):
        return None
    vectors = np.stack([_rotvec(R) for R in larger[1:]])
    steps, axes = np.linalg.norm(vectors, axis=1), transforms.unit(vectors)
    smaller = steps[:, None] < steps[None] - 0.05
    first = ~(smaller & (np.abs(axes @ axes.T) > np.cos(0.05))).any(0)  # the smallest turn about each axis
    return larger if shape.stand_out(axes[first], steps[first], centre).all() else None


def _off_axis(prime: int) -> float:
    """What a symmetry stays below on the grid when its axis is 5 degrees off: the larger the turn, the farther off."""
    return 0.015 + 0.035 * float(np.sin(np.pi / prime))


def _lowest(axes: F64, distances: F64, *, limit: float, tries: int) -> Iterator[int]:
    """Axes of the lowest distances, from the lowest up, each well apart from those before."""
    taken = np.zeros((0, 3))
    for k in np.argsort(distances, kind="stable"):
        if distances[k] > limit or len(taken) == tries:
            return
        if not len(taken) or np.abs(taken @ axes[k]).max() < np.cos(np.radians(NEAR_DEG)):
            taken = np.concatenate([taken, axes[k : k + 1]])
            yield int(k)


def _directions() -> F64:
    """(n, 3) the axes of the frame, which is where makers put symmetries, and unit vectors over half the sphere."""
    k = np.arange(ROUGH_AXES) + 0.5
    z, phi = 1 - k / ROUGH_AXES, np.pi * (1 + np.sqrt(5)) * k  # Fibonacci's spiral
    r = np.sqrt(1 - z**2)
    return np.concatenate([np.eye(3), np.stack([r * np.cos(phi), r * np.sin(phi), z], 1)])


def _box_axes(sides: F64) -> F64:
    """(k, 3) axes of the turns by a half or a third that leave a box of such sides (3,) as it is."""
    cube = np.array([v for v in product((-1, 0, 1), repeat=3) if v > (0, 0, 0)], np.float64)
    axes = transforms.unit(cube)
    R = turns(axes, np.where(np.abs(cube).sum(1) == 3, 2 * np.pi / 3, np.pi))
    return axes[(np.abs(np.abs(R) @ sides - sides) < EQUAL).all(1)]


def _centre(moves: list[Move]) -> F64:
    """(3,) the point that x -> R x + t leave where it is; of all of them the nearest to the origin."""
    A, b = np.concatenate([np.eye(3) - R for R, _ in moves]), np.concatenate([t for _, t in moves])
    return np.asarray(np.linalg.lstsq(A, b, rcond=0.05)[0], np.float64)


def _shuffled(points: NDArray[Any]) -> NDArray[Any]:
    return points[np.random.default_rng(0).permutation(len(points))]


def _rotvec(R: F64) -> F64:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(R).as_rotvec()
