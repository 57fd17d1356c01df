"""Scenes out of tar archives, streamed: nothing is unpacked to disk and one archive is read once, from its start."""

from __future__ import annotations

import gzip
import logging
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

logger = logging.getLogger(__name__)
_PENDING = 8  # scenes held in memory until they are whole: ten megabytes or so for 20 views of 512x512
_LARGEST = 1 << 28  # bytes of one member; the largest picture has some hundred kilobytes
_MEMBER = re.compile(r"^(?P<scene>[^/]+/[^/]+?)(?:\.json|/(?P<file>[^/]+))$")
SCENE_JSON = "scene.json"  # stands for SCENE.json, which lies beside the folder SCENE
Files = dict[str, bytes]
Damage = Callable[[str, str], None]


def scenes_of(path: Path, whole: Callable[[Files], bool], damage: Damage) -> Iterator[tuple[str, Files]]:
    """(name, files) of every scene of an archive ``ARCHIVE/SCENE/FILE`` and ``ARCHIVE/SCENE.json``, as it gets whole.

    A scene that never gets whole is given as it is: when the archive ends, or when too many others wait. If that is
    because the scenes' JSON lies far from their folders, the archive is read once more for these alone.

    Args:
        path: ``.tar.gz`` or ``.tar``.
        whole: Says whether all files of a scene are there.
        damage: Called with an item and a reason for a refused member and for an archive that is cut off.
    """
    pending: dict[str, Files] = {}  # scenes of whose folder something was read
    jsons: dict[str, bytes] = {}
    done: set[str] = set()
    count, looked = 0, False
    members = _members(path, damage)
    while True:
        try:
            name, data = next(members)
        except StopIteration:
            break
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            damage(str(path), f"damaged after {count} whole scenes: {error or type(error).__name__}")
            break
        match = _MEMBER.match(name)
        if match is None or match["scene"] in done:
            continue
        scene = match["scene"]
        if match["file"] is None:
            jsons[scene] = data
        else:
            pending.setdefault(scene, {})[match["file"]] = data
        if len(pending) > _PENDING and not looked:
            logger.info("%s: its scene files lie apart, reading it once more for these", path)
            jsons, looked = {**_scene_jsons(path), **jsons}, True
        for waiting, files in pending.items():
            if waiting in jsons:
                files.setdefault(SCENE_JSON, jsons[waiting])
        ready = [s for s, files in pending.items() if whole(files)]
        count += len(ready)
        if len(pending) - len(ready) > _PENDING:
            ready.append(next(s for s in pending if s not in ready))
        for s in ready:
            done.add(s)
            yield s, pending.pop(s)
    for s in jsons:
        if s not in done:
            pending.setdefault(s, {SCENE_JSON: jsons[s]})
    yield from pending.items()


def _scene_jsons(path: Path) -> dict[str, bytes]:
    """The JSON of every scene, as far as the archive can be read."""
    found: dict[str, bytes] = {}
    try:
        for name, data in _members(path, lambda item, reason: None, wanted=lambda n: n.count("/") == 1):
            match = _MEMBER.match(name)
            if match and match["file"] is None:
                found[match["scene"]] = data
    except (OSError, EOFError, tarfile.TarError, zlib.error):
        logger.debug("%s is cut off", path)  # the main pass says so
    return found


def _members(
    path: Path, damage: Damage, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[str, bytes]]:
    """(name, data) of the plain files of an archive; raises when it is cut off."""
    packed = path.suffix == ".gz"
    if not packed:
        _check_end(path)
    with gzip.open(path) if packed else path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isdir():
                continue
            refusal = _refusal(member, name)
            if refusal:
                damage(f"{path}:{member.name}", refusal)
                continue
            if wanted(name):
                content = tar.extractfile(member)
                data = b"" if content is None else content.read()
                if len(data) != member.size:
                    raise EOFError("cut off within a file")
                yield name, data
        if any(any(chunk) for chunk in iter(lambda: stream.read(1 << 20), b"")):
            raise tarfile.ReadError("a damaged header within")  # tarfile takes it for the end


def _check_end(path: Path) -> None:
    """A tar ends with two empty blocks; one that was cut between two files would seem whole."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1024))
        if size < 1024 or any(file.read()):
            raise tarfile.ReadError("no end mark, it was cut off")


def _refusal(member: tarfile.TarInfo, name: str) -> str | None:
    """Why a member is not taken, or None."""
    if not member.isfile():
        return "refused: a link or device, not a file"
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name.split("/")[0]:
        return "refused: its name leads out of the archive"
    return f"refused: {member.size} bytes" if member.size > _LARGEST else None


def archives_in(root: Path) -> tuple[Path, ...]:
    """The archives of a folder, by name."""
    return tuple(sorted(p for p in root.iterdir() if p.is_file() and p.name.endswith((".tar.gz", ".tar"))))
