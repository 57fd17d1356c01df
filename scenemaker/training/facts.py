"""What shapes a training, as plain data that is kept with its weights; and what weights say of what they have seen."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenemaker.errors import ConfigError, InputError, expected, needs

needs("torch", "train")

from scenemaker.pose.dit.weights import read_facts  # noqa: E402
from scenemaker.training.config import DataConfig, TrainingConfig  # noqa: E402
from scenemaker.training.data.bank import is_held_out  # noqa: E402
from scenemaker.training.sources import packs_to_hold, split_bank  # noqa: E402

logger = logging.getLogger(__name__)
CHUNK = 1 << 22  # bytes


def facts_of(config: TrainingConfig) -> dict[str, Any]:
    """What shapes the result: the config, a digest of every file in place of its path, what is held out, the device.

    The device counts because data are the same on one kind of device alone.
    """
    facts = config.model_dump(mode="json", exclude={"train", "data", "start", "adopt", "dino"})
    facts["data"] = config.data.model_dump(mode="json", exclude={"bank", "packs", "scenes"})
    facts["device"] = config.train.device.partition(":")[0]
    facts["files"] = _files(config)
    if config.data.bank is not None:
        facts["held_out"] = {"packs": list(packs_to_hold(config.data)), "share": config.data.held_share}
    return facts


def check_unseen(paths: Sequence[Path], data: DataConfig) -> None:
    """Makes sure that weights which are taken over were not trained on what is held out here.

    Where their files do not tell, the log says so.

    Raises:
        ConfigError: They were; the text names some of these objects.
        InputError: A file cannot be read.
    """
    if not paths or data.bank is None:
        return
    bank, (_, held) = digest(data.bank), split_bank(data)
    for path in paths:
        then = read_facts(path)["facts"].get("facts", {})
        if "held_out" not in then:
            logger.warning("%s does not say which objects it has seen: held-out ones may be among them", path)
            continue
        rule = then["held_out"]
        seen = [key for key in held.keys if not is_held_out(key, rule["packs"], rule["share"])]
        if seen and then["files"].get("bank") != bank:
            logger.warning("%s saw another bank: held-out objects may be in it, such as %s", path, seen[0])
        elif seen:
            got = f"{path}, trained on {len(seen)} of {len(held)} of these ({', '.join(seen[:3])})"
            same = f"packs {', '.join(rule['packs']) or 'none'} and data.held_share={rule['share']}"
            remedy = f"hold out what it did not see ({same}), or train it again"
            raise ConfigError(expected("weights that have not seen what is held out", got=got, remedy=remedy))


def digest(path: Path) -> str:
    """Eight digits of a file, or of the files of a folder, that change with their content.

    Raises:
        InputError: It cannot be read.
    """
    try:
        if path.is_dir():
            return _text(*[(p.name, _checksum(p)) for p in sorted(path.iterdir()) if p.is_file()])
        return f"{_checksum(path):08x}"
    except OSError as error:
        what, got = "a readable file", f"{path}: {error.strerror}"
        raise InputError(expected(what, got=got, remedy="check the path")) from None


def listing_digest(folder: Path) -> str:
    """Eight digits that change with the names and sizes of the files under a folder, of which there may be many."""
    files = sorted(p for p in folder.glob("**/*") if p.is_file())
    return _text(*[(p.relative_to(folder).as_posix(), p.stat().st_size) for p in files])


def _files(config: TrainingConfig) -> dict[str, Any]:
    """Digests by what files are for; folders of scenes may be large, of these only names and sizes count."""
    data = config.data
    one = {"bank": data.bank, "start": config.start, "dino": config.dino}
    many = {"packs": data.packs, "adopt": config.adopt}
    return {
        **{name: digest(path) for name, path in one.items() if path is not None},
        **{name: [digest(path) for path in paths] for name, paths in many.items()},
        "scenes": [listing_digest(path) if path.is_dir() else digest(path) for path in data.scenes],
    }


def _checksum(file: Path) -> int:
    value = 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return value


def _text(*what: object) -> str:
    return f"{zlib.crc32(repr(what).encode()):08x}"
