"""Objects as training needs them: surface points with normals, and symmetries; compact on disk, on one device in use.

A file holds points in 16-bit steps of 2e-5 (half the shortest step of a picture is a hundred times that) and normals in
8 bits (off by 0.3 degrees): nine bytes per point, 17 MB for 932 objects of 2048.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import needs

needs("torch", "train")
needs("safetensors", "train")
import torch  # noqa: E402
from safetensors import SafetensorError, safe_open  # noqa: E402
from safetensors.torch import save  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.cache import write_atomic  # noqa: E402
from scenemaker.data.objects.prepare import STEP, to_grid  # noqa: E402
from scenemaker.data.objects.surface import surface_points  # noqa: E402
from scenemaker.data.render.splats import PointBank  # noqa: E402
from scenemaker.data.types import ObjectSource  # noqa: E402
from scenemaker.errors import InputError, SceneMakerError, expected  # noqa: E402
from scenemaker.evaluation.measures.symmetry import Symmetries  # noqa: E402
from scenemaker.evaluation.measures.symmetry_search import symmetries_of  # noqa: E402
from scenemaker.geometry.cameras import F64  # noqa: E402
from scenemaker.geometry.mesh import Mesh  # noqa: E402
from scenemaker.parallel import each  # noqa: E402
from scenemaker.training.data.symmetries import padded  # noqa: E402

KIND = "scenemaker object bank 1"  # what the metadata of a file says
NORMAL = 1 / 127  # step of a normal


class ObjectBank(PointBank):
    """M objects with Q points each.

    Attributes:
        points_obj: (M, Q, 6) points and unit normals in ``obj``; the first m of a row are a sample as well.
        keys: Of the objects: "source:key", as in ``SceneSample.info["objects"]``.
        symmetries: (M, G, 3, 3) rotations of ``obj``, the identity first and filled up with it.
        axis: (M, 3) of a solid of revolution, else zeros (for balls see ``symmetries``).
        pivot: (M, 3) centroid of the surface in ``obj``.
    """

    def __init__(self, points_obj: Tensor, keys: Sequence[str], symmetries: Tensor, axis: Tensor, pivot: Tensor):
        """Takes tensors of equal length."""
        super().__init__(points_obj, keys)
        self.symmetries, self.axis, self.pivot = symmetries, axis, pivot
        M = len(points_obj)
        lengths = {"keys": len(keys), "symmetries": len(symmetries), "axis": len(axis), "pivot": len(pivot)}
        if set(lengths.values()) != {M}:
            raise InputError(expected(f"rows of {M} objects", got=lengths, remedy="give one row per object"))

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: str | torch.device) -> ObjectBank:
        """The bank on another device."""
        fields = (self.symmetries, self.axis, self.pivot)
        return ObjectBank(self.points_obj.to(device), self.keys, *(f.to(device) for f in fields))

    def select(self, rows: Sequence[int]) -> ObjectBank:
        """The bank of some of the objects.

        Raises:
            InputError: None is chosen.
        """
        at = torch.tensor(list(rows), dtype=torch.int64, device=self.points_obj.device)
        keys = [self.keys[i] for i in rows]
        return ObjectBank(self.points_obj[at], keys, self.symmetries[at], self.axis[at], self.pivot[at])

    def split(self, packs: Sequence[str] = (), *, share: float = 0.0) -> tuple[ObjectBank, ObjectBank]:
        """The objects to train on and those that are held out for validation; a key alone decides which.

        Args:
            packs: Of files named PACK__OBJECT, those to hold out.
            share: Of the objects of no pack (procedural ones), how many to hold out: by a hash of their key.

        Raises:
            InputError: A pack that does not occur, or nothing left on one of the sides.
        """
        have = {pack_of(key) for key in self.keys} - {None}
        if unknown := sorted(set(packs) - have):
            remedy = f"choose from {', '.join(sorted(filter(None, have)))}"
            raise InputError(expected("packs of the bank", got=", ".join(unknown), remedy=remedy))
        held = [is_held_out(key, packs, share) for key in self.keys]
        if all(held) or not any(held):
            got = f"{sum(held)} of {len(self)} held out"
            raise InputError(expected("objects on both sides", got=got, remedy="name other packs, or another share"))
        rows = range(len(self))
        return self.select([i for i in rows if not held[i]]), self.select([i for i in rows if held[i]])

    def rows(self, names: Sequence[str]) -> list[int | None]:
        """Rows of objects by "source:key"; by the key alone where the source has another name and one object fits."""
        whole = {key: i for i, key in enumerate(self.keys)}
        bare: dict[str, int | None] = {}
        for i, key in enumerate(self.keys):
            own = key.partition(":")[2]
            bare[own] = None if own in bare else i
        return [whole.get(name, bare.get(name.partition(":")[2])) for name in names]

    def save(self, path: str | Path) -> Path:
        """Writes the bank into one file, whole or not at all.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        at_home = self.to("cpu")
        counts = [_distinct(R) for R in at_home.symmetries]
        tensors = {
            "points": torch.from_numpy(to_grid(at_home.points_obj[..., :3].numpy())),  # (M, Q, 3) int16
            "normals": (at_home.points_obj[..., 3:] / NORMAL).round().to(torch.int8),  # (M, Q, 3)
            "symmetries": torch.cat([R[:n] for R, n in zip(at_home.symmetries, counts, strict=True)]),  # (all, 3, 3)
            "counts": torch.tensor(counts),  # (M,)
            "axis": at_home.axis,
            "pivot": at_home.pivot,
        }
        write_atomic(Path(path), save(tensors, {"facts": json.dumps({"kind": KIND, "keys": self.keys})}))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> ObjectBank:
        """Reads ``save``.

        Raises:
            InputError: No such file, a damaged one, or none of these.
        """
        if not Path(path).is_file():
            raise InputError(expected("an object bank", got=f"{path}: no such file", remedy="check the path"))
        try:
            with safe_open(str(path), "pt") as file:
                facts = json.loads((file.metadata() or {}).get("facts", "{}"))  # one entry: their order is random
                if facts.get("kind") != KIND:
                    got = f"{path}: {facts.get('kind', 'another file')}"
                    raise InputError(expected("an object bank", got=got, remedy="build it again"))
                read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            points, normals = read["points"].float() * STEP, read["normals"].float()
            rows = read["symmetries"].split(read["counts"].tolist())
            symmetries = torch.eye(3).repeat(len(rows), max(map(len, rows)), 1, 1)  # (M, G, 3, 3)
            for row, R in zip(symmetries, rows, strict=True):
                row[: len(R)] = R
            normals = torch.nn.functional.normalize(normals, dim=-1)
            return cls(torch.cat([points, normals], -1), facts["keys"], symmetries, read["axis"], read["pivot"])
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
            if isinstance(error, InputError):
                raise
            got = f"{path}: {error}"
            raise InputError(expected("an object bank", got=got, remedy="build it again")) from None


def join_banks(banks: Sequence[ObjectBank]) -> ObjectBank:
    """All objects of several banks.

    Raises:
        InputError: None, or banks of other numbers of points.
    """
    points = sorted({b.points_obj.shape[1] for b in banks})
    if len(points) != 1:
        raise InputError(expected("banks of one number of points", got=points, remedy="build them alike"))
    G = max(b.symmetries.shape[1] for b in banks)
    one = torch.eye(3, device=banks[0].symmetries.device)
    filled = [
        torch.cat([b.symmetries, one.expand(len(b), G - b.symmetries.shape[1], 3, 3)], 1) for b in banks
    ]  # (M_k, G, 3, 3)
    return ObjectBank(
        torch.cat([b.points_obj for b in banks]),
        [key for b in banks for key in b.keys],
        torch.cat(filled),
        torch.cat([b.axis for b in banks]),
        torch.cat([b.pivot for b in banks]),
    )


def pack_of(key: str) -> str | None:
    """The pack of an object whose file is named PACK__OBJECT; None of others.

    >>> pack_of("train:nature_pack__Tree_1"), pack_of("procedural:table/42")
    ('nature_pack', None)
    """
    pack, two, _ = key.partition(":")[2].rpartition("/")[2].partition("__")
    return pack if two else None


def is_held_out(key: str, packs: Sequence[str], share: float) -> bool:
    """Whether ``ObjectBank.split`` holds an object out; the same in every bank."""
    pack = pack_of(key)
    return pack in packs if pack is not None else zlib.crc32(key.encode()) < share * 2**32


def _distinct(R: Tensor) -> int:
    """How many of the first rotations (G, 3, 3) are no filling."""
    other = (R - torch.eye(3)).abs().amax((1, 2)) > 1e-6
    return 1 + int(other.nonzero().max()) if other.any() else 1


@dataclass(frozen=True, eq=False)
class _Row:
    key: str
    points: NDArray[np.float32]
    symmetries: Symmetries
    pivot: F64


def build_bank(
    source: ObjectSource,
    keys: Sequence[str],
    *,
    points: int = 2048,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ObjectBank, dict[str, str]]:
    """The bank of some objects of a source, and what is wrong with those that are left out, by key.

    Args:
        source: The objects.
        keys: Which; ``draw_keys`` gives random ones.
        points: Surface points of each.
        workers: Processes; nothing depends on their number.
        progress: Called with the number of objects done and of all.

    Raises:
        InputError: None can be used.
    """
    rows: dict[int, _Row] = {}
    failed: dict[str, str] = {}
    for done, (i, found) in enumerate(each(partial(_row, source, points), keys, workers), 1):
        if isinstance(found, _Row):
            rows[i] = found
        else:
            failed[keys[i]] = found or "the process that looked at it died (out of memory?)"
        if progress:
            progress(done, len(keys))
    if not rows:
        got = "; ".join(f"{key}: {text}" for key, text in list(failed.items())[:3]) or "no key"
        raise InputError(expected("at least one usable object", got=got, remedy="check the meshes"))
    found = [rows[i] for i in sorted(rows)]
    symmetries, axis = padded([r.symmetries for r in found])
    bank = ObjectBank(
        torch.from_numpy(np.stack([r.points for r in found])),
        [r.key for r in found],
        symmetries,
        axis,
        torch.tensor(np.stack([r.pivot for r in found]), dtype=torch.float32),
    )
    return bank, dict(sorted(failed.items()))


def _row(source: ObjectSource, points: int, key: str) -> _Row | str:
    """What the bank keeps of an object, or what is wrong with it."""
    try:
        obj = source.get(key)
        return _Row(
            key=f"{obj.source}:{obj.key}",
            points=surface_points(obj.mesh, points),
            symmetries=symmetries_of(obj.mesh),
            pivot=_centroid(obj.mesh),
        )
    except SceneMakerError as error:
        return str(error)


def _centroid(mesh: Mesh) -> F64:
    """(3,) of the surface, every part of equal area alike."""
    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.average((a + b + c) / 3, axis=0, weights=area)


def draw_keys(source: ObjectSource, count: int, *, seed: int = 0) -> list[str]:
    """Keys of so many different random objects of a source.

    Raises:
        InputError: It has not so many.
    """
    rng, keys = np.random.default_rng(seed), dict[str, None]()
    for _ in range(20 * count):
        keys[source.draw(rng)] = None
        if len(keys) == count:
            return list(keys)
    raise InputError(
        expected(f"{count} different objects", got=f"{len(keys)} in 20 times as many draws", remedy="ask for fewer")
    )
