"""Samples as webdataset shards: tar files whose members are ``KEY.FILE``, e.g. ``000123_05.rgb.png``.

While a run is on, every finished scene is a piece in ``ROOT/.pieces``; when all scenes of a shard are there they are
joined. A killed run loses only the scenes it was making, and the bytes of a shard depend on its scenes alone.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scenemaker.cache import output_errors, sweep, temporary_prefix, write_atomic
from scenemaker.data.storage.codec import sample_files, sample_from_files
from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import Mesh

_BLOCK = 512
_NAME = re.compile(r"-(\d{6,})-(\d{6,})\.tar$")


def tar_members(files: Mapping[str, bytes]) -> bytes:
    """Tar headers and contents of files by member name, without the end mark: pieces of a tar can be joined."""
    out = io.BytesIO()
    for name, data in files.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        out.write(info.tobuf(tarfile.USTAR_FORMAT))
        out.write(data)
        out.write(b"\0" * (-len(data) % _BLOCK))
    return out.getvalue()


class ShardWriter:
    """Writes items (scenes, triplets, ...) as shards ``ROOT/NAME-FIRST-LAST.tar`` of ``per_shard`` items."""

    def __init__(self, root: Path, per_shard: int = 100, name: str = "scenes") -> None:
        self.root, self.per_shard, self.name = root, per_shard, name
        self.pieces = root / ".pieces"
        with output_errors(root):
            self.pieces.mkdir(parents=True, exist_ok=True)
            sweep(root)
            sweep(self.pieces)
            found = (_NAME.search(p.name) for p in root.glob(f"{name}-*.tar"))
            self._joined = {i for m in found if m for i in range(int(m[1]), int(m[2]) + 1)}
            for piece in self.pieces.glob("*.piece"):
                if int(piece.stem) in self._joined:  # a run was killed between joining it and removing it
                    piece.unlink(missing_ok=True)

    def has(self, index: int) -> bool:
        """Whether item ``index`` was written before."""
        return index in self._joined or self._piece(index).is_file()

    def write_scene(self, index: int, samples: Sequence[SceneSample], meshes: Sequence[Mesh]) -> None:
        """Keeps the views of one scene as a piece; meshes are left out.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        self.write_files(index, {f"{s.key}.{name}": data for s in samples for name, data in sample_files(s).items()})

    def write_files(self, index: int, files: Mapping[str, bytes]) -> None:
        """Keeps the files of one item, by member name, as a piece."""
        write_atomic(self._piece(index), tar_members(files))

    def finish(self) -> None:
        """Joins the pieces: those of a shard are contiguous and lie in one block of ``per_shard`` indices.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        ready = sorted(int(p.stem) for p in self.pieces.glob("*.piece"))
        run: list[int] = []
        for index in [*ready, None]:
            if run and (index is None or index != run[-1] + 1 or index % self.per_shard == 0):
                self._join(run)
                run = []
            if index is not None:
                run.append(index)
        with output_errors(self.pieces):
            if not any(self.pieces.iterdir()):
                self.pieces.rmdir()

    def collect(self, index: int) -> None:
        """Joins the shard of item ``index`` when it is complete: called as items come in, so that pieces stay few."""
        first = index - index % self.per_shard
        block = list(range(first, first + self.per_shard))
        if all(self._piece(i).is_file() for i in block):
            self._join(block)

    def _join(self, indices: Sequence[int]) -> None:
        target = self.root / f"{self.name}-{indices[0]:06d}-{indices[-1]:06d}.tar"
        temporary = self.root / f"{temporary_prefix()}{target.name}"
        with output_errors(target):
            try:
                with temporary.open("wb") as out:
                    for index in indices:
                        out.write(self._piece(index).read_bytes())
                    out.write(b"\0" * 2 * _BLOCK)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            self._joined.update(indices)
            for index in indices:
                self._piece(index).unlink(missing_ok=True)

    def _piece(self, index: int) -> Path:
        return self.pieces / f"{index:06d}.piece"


def shard_paths(source: Path | str | Iterable[Path | str]) -> list[Path]:
    """The shards of a folder, of one file, or of a list of these, in order.

    Raises:
        InputError: There is none.
    """
    sources = [Path(source)] if isinstance(source, str | Path) else [Path(s) for s in source]
    found = [q for p in sources for q in (sorted(p.glob("*.tar")) if p.is_dir() else [p])]
    missing = [p for p in found if not p.is_file()]
    if missing or not found:
        got = f"{missing[0]}: no such file" if missing else f"none in {', '.join(map(str, sources)) or 'nothing'}"
        remedy = "make some: scenemaker data scenes -o OUT --shards"
        raise InputError(expected("shards (*.tar)", got=got, remedy=remedy))
    return found


def read_items(shard: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, files by name) of every item of a shard, in order, one in memory at a time.

    Raises:
        InputError: A tar that is cut short or damaged; the text names it and tells how many items came before.
    """
    key, files, count = "", dict[str, bytes](), 0
    try:
        with tarfile.open(shard, "r|*") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                now, _, name = Path(member.name).name.partition(".")
                content = tar.extractfile(member)
                data = b"" if content is None else content.read()
                if len(data) != member.size:
                    raise tarfile.ReadError("unexpected end of data")
                if now != key and files:
                    yield key, files
                    files, count = {}, count + 1
                key = now
                files[name] = data
        # tarfile takes a tar that ends between two members for whole; ours end with two empty blocks
        if shard.suffix == ".tar" and not _has_end(shard):
            raise tarfile.ReadError("no end mark")
    except (tarfile.TarError, OSError, EOFError) as error:
        got = f"{shard}: {error} after {count} whole items"
        raise InputError(expected("a whole shard", got=got, remedy="copy or make it again")) from None
    if files:
        yield key, files


def _has_end(shard: Path) -> bool:
    with shard.open("rb") as file:
        file.seek(-min(2 * _BLOCK, shard.stat().st_size), io.SEEK_END)
        return not any(file.read())


def read_shard(shard: Path) -> Iterator[SceneSample]:
    """The samples of a shard, in order.

    Raises:
        InputError: A damaged shard or sample.
    """
    for key, files in read_items(shard):
        yield sample_from_files(files, f"{shard}:{key}")
