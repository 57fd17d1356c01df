"""The user's own meshes for the objects of a photo: the library only poses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.inputs.mesh_files import SUFFIXES, mesh_from_trimesh, read_mesh
from scenemaker.scene import ObjectGeometry


def load_meshes(source: Any, ids_by_name: Mapping[str, int]) -> dict[int, ObjectGeometry]:
    """The given meshes in ``obj``, by object id.

    Args:
        source: A folder whose files are called by object id or name (``1.glb``, ``chair.obj``); a dict from id or
            name to a path, a ``trimesh.Trimesh`` or a ``Mesh``; a list of these in the order of the ids, with None
            for an object without one; or one of these alone, when there is one object.
        ids_by_name: The objects of the photo.

    Raises:
        InputError: A mesh that cannot be read, or that belongs to no object; the text lists the objects.
    """
    if isinstance(source, str | Path) and Path(source).is_dir():
        source = _in_folder(Path(source), ids_by_name)
    if isinstance(source, Mapping):
        pairs: Iterable[tuple[Any, Any]] = source.items()
    elif isinstance(source, Sequence) and not isinstance(source, str):
        ids = sorted(ids_by_name.values())
        if len(source) != len(ids):
            remedy = "give None for an object without a mesh"
            raise InputError(expected(f"{len(ids)} meshes, one per object", got=len(source), remedy=remedy))
        pairs = zip(ids, source)
    elif len(ids_by_name) == 1:
        pairs = [(next(iter(ids_by_name.values())), source)]
    else:
        raise InputError(
            expected(
                "meshes as a folder, a dict by object or a list in their order",
                got=str(source) if isinstance(source, str | Path) else type(source).__name__,
                remedy=f"there are {len(ids_by_name)} objects: {_objects(ids_by_name)}",
            )
        )
    out: dict[int, ObjectGeometry] = {}
    for key, item in pairs:
        if item is None:
            continue
        id = _id_of(key, ids_by_name)
        if id in out:
            raise InputError(
                expected(f"one mesh for object {id}", got=f"a second one, {key!r}", remedy="leave one out")
            )
        out[id] = _geometry(id, item)
    return dict(sorted(out.items()))


def _in_folder(folder: Path, ids_by_name: Mapping[str, int]) -> dict[int, Path]:
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES)
    if not files:
        got = f"none in {folder}"
        raise InputError(
            expected(f"mesh files ({', '.join(SUFFIXES)})", got=got, remedy="call them by object id or name")
        )
    out: dict[int, Path] = {}
    for path in files:
        number, _, name = path.stem.partition("_")
        of_a_run = number.isdecimal() and ids_by_name.get(name) == int(number)  # 3_chair.glb
        id = int(number) if of_a_run else _id_of(path.stem, ids_by_name, f"the file {path.name}")
        if id in out:
            got = f"{out[id].name} and {path.name}"
            raise InputError(expected(f"one mesh for object {id}", got=got, remedy="leave one out"))
        out[id] = path
    return out


def _id_of(key: Any, ids_by_name: Mapping[str, int], what: str | None = None) -> int:
    if isinstance(key, str) and key in ids_by_name:
        return ids_by_name[key]
    if not isinstance(key, bool) and str(key).isdecimal() and int(key) in ids_by_name.values():
        return int(key)
    got = what or repr(key)
    raise InputError(expected("a mesh for one of the objects", got=got, remedy=f"they are: {_objects(ids_by_name)}"))


def _objects(ids_by_name: Mapping[str, int]) -> str:
    """``1 (chair), 2 (table)``, by id."""
    shown = [f"{id} ({name})" for name, id in sorted(ids_by_name.items(), key=lambda item: item[1])]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "") or "none"


def as_mesh(item: Any) -> Mesh:
    """A mesh file, a ``trimesh.Trimesh`` or ``trimesh.Scene``, or a ``Mesh``, as a ``Mesh`` in its own frame.

    Raises:
        InputError: None of these, or a mesh that cannot be used.
    """
    return _read(item, "the given mesh")[0]


def _read(item: Any, what: str) -> tuple[Mesh, tuple[str, ...]]:
    if isinstance(item, Mesh):
        return item, ()
    if isinstance(item, str | Path):
        return read_mesh(Path(item))
    if (hasattr(item, "vertices") and hasattr(item, "faces")) or hasattr(item, "graph"):  # trimesh, not imported yet
        return mesh_from_trimesh(item, what)
    got = f"{type(item).__name__} as {what}"
    raise InputError(expected("a path, a trimesh.Trimesh or a Mesh", got=got, remedy="give one of these"))


def _geometry(id: int, item: Any) -> ObjectGeometry:
    mesh, notices = _read(item, f"the mesh of object {id}")
    mesh_obj, S_obj_mesh = normalise(mesh)
    return ObjectGeometry(id=id, mesh=mesh_obj, S_obj_mesh=S_obj_mesh, notices=notices)
