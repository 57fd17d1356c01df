"""How fast the procedural objects are made, and that they are no copies of each other.

    python -m benchmarks.data_procedural                         500 draws
    python -m benchmarks.data_procedural --peer MESHES           beside as many random meshes of a folder of GLB files
    python -m benchmarks.data_procedural --draws 200 --points 512 --check 0

Nearest neighbour: for every object the smallest Chamfer distance to any other one of the set, and to any other one of
its family, of POINTS surface points in ``obj`` (longest side 1). Chamfer is the mean distance to the other cloud,
averaged over both ways; the smallest counts of four turns about y by 90 degrees. The floor is what two samplings of
one and the same object give: a distance near it would be a copy.

Between all objects the candidates are preselected: distance fields on a grid of 32^3 and 512 points give an estimate
for every pair and turn, and the 12 lowest of each object are computed exactly (within a family all pairs are). A copy
has an estimate near zero and cannot be missed; --check N compares with the search over all pairs for N objects.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.made_scenes import load_meshes
from scenemaker.data.objects.procedural import ProceduralSource
from scenemaker.geometry.mesh import Mesh, sample_surface

GRID, COARSE, CANDIDATES = 32, 512, 12
TURNS = [np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], float) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]


class Clouds:
    """Point clouds of a set of objects, and distances between them."""

    def __init__(self, meshes: Sequence[Mesh], points: int, seed: int) -> None:
        self.points = [sample_surface(m, points, seed=seed + i)[0] for i, m in enumerate(meshes)]
        self.trees = [cKDTree(p) for p in self.points]

    def __len__(self) -> int:
        return len(self.points)

    def chamfer(self, i: int, j: int, turn: int) -> float:
        """Object i, turned, against object j."""
        there = self.trees[j].query(self.points[i] @ TURNS[turn].T)[0].mean()
        back = self.trees[i].query(self.points[j] @ TURNS[turn])[0].mean()
        return float(there + back) / 2

    def nearest_of(self, i: int, others: Sequence[int]) -> float:
        """Distance to the nearest of some objects; infinite if there are none."""
        return min((self.chamfer(i, j, k) for j in others if j != i for k in range(4)), default=np.inf)

    def estimates(self) -> np.ndarray:
        """(n, n, 4) distances by looking coarse points up in distance fields; the diagonal is infinite."""
        n = len(self)
        axis = (np.arange(GRID) + 0.5) / GRID - 0.5
        grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        fields = np.stack([tree.query(grid)[0].astype(np.float32) for tree in self.trees])
        one_way = np.empty((n, n, 4), np.float32)
        for i, points in enumerate(self.points):
            some = points[:: max(len(points) // COARSE, 1)]
            for k, R in enumerate(TURNS):
                cell = np.clip(((some @ R.T + 0.5) * GRID).astype(int), 0, GRID - 1)
                one_way[i, :, k] = fields[:, np.ravel_multi_index(tuple(cell.T), (GRID,) * 3)].mean(1)
        both = (one_way + one_way.transpose(1, 0, 2)[:, :, [0, 3, 2, 1]]) / 2
        both[np.arange(n), np.arange(n)] = np.inf
        return both

    def nearest(self) -> np.ndarray:
        """(n,) distance of every object to the nearest other one."""
        best = np.empty(len(self))
        for i, row in enumerate(self.estimates()):
            order = np.argsort(row, axis=None)[:CANDIDATES]
            best[i] = min(self.chamfer(i, int(c) // 4, int(c) % 4) for c in order)
        return best


def told(name: str, values: np.ndarray) -> None:
    """One line: smallest, 5th percentile, median."""
    values = values[np.isfinite(values)]
    low, five, middle = values.min(), np.percentile(values, 5), np.median(values)
    print(f"{name:52s} {len(values):5d}   {low:.4f}   {five:.4f}   {middle:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--points", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer", type=Path, help="folder of GLB files to measure in the same way")
    parser.add_argument("--check", type=int, default=3, help="objects to search over all pairs too")
    args = parser.parse_args()

    source, rng = ProceduralSource(), np.random.default_rng(args.seed)
    keys = [source.draw(rng) for _ in range(args.draws)]
    for family in source.families:
        source.get(f"{family}/0")  # fills the caches of templates, as the first objects of a run do
    meshes, times, members = [], [], defaultdict(list)
    for i, key in enumerate(keys):
        start = time.process_time()
        meshes.append(source.get(key).mesh)
        times.append(1e3 * (time.process_time() - start))
        members[key.rpartition("/")[0]].append(i)

    ms, faces = np.array(times), np.array([len(m.faces) for m in meshes])
    print(f"{'family':14s} draws   ms mean  worst    faces least   mean   most")
    for family in sorted(members):
        on = members[family]
        print(
            f"{family:14s} {len(on):5d} {ms[on].mean():9.1f} {ms[on].max():6.1f} "
            f"{faces[on].min():14d} {faces[on].mean():6.0f} {faces[on].max():6d}"
        )
    print(
        f"{len(members)} of {len(source.families)} families, {args.draws} draws: CPU time {ms.mean():.1f} ms mean, "
        f"{np.median(ms):.1f} median, {np.percentile(ms, 99):.1f} at 99 %, {ms.max():.1f} worst; "
        f"{faces.min()} - {faces.max()} faces, mean {faces.mean():.0f}; "
        f"{sum(m.texture is not None for m in meshes) / len(meshes):.0%} textured"
    )

    print(f"\n{f'nearest neighbour, Chamfer of {args.points} points':52s}     n   min      5 %      median")
    clouds = Clouds(meshes, args.points, args.seed)
    nearest = clouds.nearest()
    told("procedural, any other object", nearest)
    home = {i: on for on in members.values() for i in on}
    within = np.array([clouds.nearest_of(i, home[i]) for i in range(len(clouds))])
    told("procedural, within the family", within)
    again = Clouds(meshes, args.points, args.seed + 10**6)
    floor = [
        (a.query(q)[0].mean() + b.query(p)[0].mean()) / 2
        for a, b, p, q in zip(clouds.trees, again.trees, clouds.points, again.points, strict=True)
    ]
    told("floor: one object, two samplings", np.array(floor))
    told("ratio: nearest of the family over its own floor", within / np.array(floor))
    if args.peer:
        whole = load_meshes(args.peer)
        chosen = rng.choice(len(whole), min(args.draws, len(whole)), replace=False)
        told(f"peer: {args.peer.name}, any other object", Clouds([whole[i] for i in chosen], args.points, 0).nearest())
    if args.check:
        some = rng.choice(len(clouds), min(args.check, len(clouds)), replace=False)
        gap = [nearest[i] - clouds.nearest_of(int(i), range(len(clouds))) for i in some]
        print(f"preselection against all pairs, {len(some)} objects: largest excess {max(gap):.1e}")


if __name__ == "__main__":
    main()
