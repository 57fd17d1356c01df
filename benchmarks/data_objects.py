"""Preparing objects: how many meshes are closed, how well winding numbers and ray parity agree, and what it costs.

    python -m benchmarks.data_objects FOLDER [--every 10] [--color-space srgb]

FOLDER holds mesh files, here ``assets/train`` of the shared data. For every n-th object it prints

- what the mesh is: watertight or not, share of its surface inside other parts, open sheets, turned over;
- on how many samples winding number and ray parity agree: part by part as the library does it, and as one would at
  first, with the plain winding number and the plain parity of the mesh as it came;
- processor time of ``prepare`` per object by number of faces, on one process, reading the file not included.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenemaker.data.objects.edges import weld
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.objects.parity import parity_inside
from scenemaker.data.objects.prepare import PrepareConfig, PreparedObject, prepare
from scenemaker.data.objects.winding import THRESHOLD, Solid, igl
from scenemaker.geometry.mesh import Mesh

BINS = (0, 200, 500, 1000, 2000, 5000, 10_000, 10**9)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One object."""

    found: PreparedObject
    faces: int
    ms: float
    plain_agreement: float
    inside_as_plain: float


def plain(mesh: Mesh, points: Any) -> tuple[Any, Any]:
    """Inside by the winding number and by the parity of a mesh as it came, its vertices welded."""
    surface = weld(mesh)
    whole = Solid(
        surface=surface,
        group=np.zeros(len(surface.faces), np.int64),
        closed=np.array([True]),
        sign=np.array([1]),
        turned=0.0,
        dropped=0.0,
    )
    wound = igl().fast_winding_number(surface.vertices, surface.faces, points) > THRESHOLD
    return wound, parity_inside(whole, points)


def measure(source: FolderSource, key: str) -> Row:
    """Prepares one object and compares."""
    obj = source.get(key)
    start = time.process_time()
    found = prepare(obj)
    ms = 1000 * (time.process_time() - start)
    clear = np.flatnonzero(np.abs(found.distance) > 2e-5)[:: len(found.distance) // PrepareConfig().agreement_points]
    wound, parity = plain(obj.mesh, found.points_obj[clear].astype(np.float64))
    return Row(
        found=found,
        faces=len(obj.mesh.faces),
        ms=ms,
        plain_agreement=float((wound == parity).mean()),
        inside_as_plain=float((wound == found.inside[clear]).mean()),
    )


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--color-space", choices=("linear", "srgb"), default="srgb")
    args = parser.parse_args()
    start = time.perf_counter()
    source = FolderSource(args.folder, color_space=args.color_space)
    seconds = time.perf_counter() - start
    looked_at = len(source) + len(source.skipped)
    print(f"opened {looked_at} files in {seconds:.1f} s ({1000 * seconds / looked_at:.1f} ms each):")
    print(f"  {len(source)} objects, skipped {dict(source.counts)}")
    prepare(source.get(source.keys[0]))  # loads the libraries
    rows = [measure(source, key) for key in source.keys[:: args.every]]

    def mean(value: Any) -> float:
        return float(np.mean([value(row) for row in rows]))

    print(f"\n{len(rows)} objects, every {args.every}th")
    print(
        f"  watertight                      {100 * mean(lambda r: r.found.closedness.watertight):6.1f} % of the objects"
    )
    print(f"  edges on two faces              {100 * mean(lambda r: r.found.closedness.manifold_share):6.1f} %")
    print(f"  surface inside other parts      {100 * mean(lambda r: r.found.buried):6.1f} %")
    print(f"  open sheets                     {100 * mean(lambda r: r.found.sheets):6.1f} % of the surface")
    print(f"  turned over                     {100 * mean(lambda r: r.found.turned):6.1f} % of the surface")
    print("\nwinding number and parity agree on")
    print(f"  part by part                    {100 * mean(lambda r: r.found.agreement):6.2f} % of the samples")
    print(f"  plain, of the mesh as it came   {100 * mean(lambda r: r.plain_agreement):6.2f} %")
    print(
        f"  (inside by the plain winding number is inside by ours on {100 * mean(lambda r: r.inside_as_plain):.2f} %)"
    )
    least = sorted(rows, key=lambda r: r.found.agreement)[:5]
    print("  least: " + ", ".join(f"{row.found.key} {100 * row.found.agreement:.1f} %" for row in least))
    perfect = np.mean([row.found.agreement > 0.999 for row in rows])
    print(f"  above 99.9 % for {100 * perfect:.0f} % of the objects")
    print("\n| faces | objects | ms per object (processor time) |\n|---|---|---|")
    for low, high in itertools.pairwise(BINS):
        some = [row.ms for row in rows if low <= row.faces < high]
        if some:
            print(f"| {low}-{high if high < 10**9 else ''} | {len(some)} | {np.mean(some):.0f} |")


if __name__ == "__main__":
    main()
