"""Which symmetries the evaluator finds in a folder of meshes, and how long it takes.

    python benchmarks/evaluation_symmetry.py --meshes DIR [--count 200] [--turned]

Prints one line per group: how many meshes have it, and the names of some; then seconds per mesh. ``--turned`` turns
each mesh at random first and counts those whose group is another one then: all of them lie near the tolerance.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from scenemaker.errors import InputError
from scenemaker.evaluation.measures.symmetry_search import symmetries_of
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.inputs.mesh_files import SUFFIXES, load_mesh


def turned(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The mesh at a random rotation."""
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return mesh.transformed(transforms.rigid(Q * np.sign(np.linalg.det(Q)), np.zeros(3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshes", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--turned", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    paths = sorted(p for p in options.meshes.rglob("*") if p.suffix.lower() in SUFFIXES)
    paths = [paths[i] for i in sorted(rng.permutation(len(paths))[: options.count])]
    groups: dict[str, list[str]] = defaultdict(list)
    seconds, changed = [], []
    for path in paths:
        try:
            mesh, _ = normalise(load_mesh(path, color_space="srgb"))
        except InputError as error:
            print(f"left out: {error}")
            continue
        started = time.perf_counter()
        name = symmetries_of(mesh).name
        seconds.append(time.perf_counter() - started)
        groups[name].append(path.stem)
        if options.turned:
            then = symmetries_of(turned(mesh, rng)).name
            changed += [f"{path.stem}: {name}, turned {then}"] if then != name else []
    for name, stems in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"{len(stems):5d}  {name:18s} {', '.join(stems[:6])}")
    mean, median, worst = np.mean(seconds), np.median(seconds), np.max(seconds)
    print(f"{len(seconds)} meshes, {mean:.3f} s each (median {median:.3f}, longest {worst:.3f})")
    if options.turned:
        print(f"{len(changed)} of {len(seconds)} change when turned: {'; '.join(changed)}")


if __name__ == "__main__":
    main()
