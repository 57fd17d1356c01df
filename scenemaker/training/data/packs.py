"""Packs: many rendered pictures with poses in one small file, to train with colour where no renderer and no mesh is.

In a file pictures are compressed (``pack_file``). When a pack is opened everything is unpacked into the memory of the
device: six bytes per pixel, 74 kB for 128 x 96, so that nothing is decoded in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.errors import InputError, expected  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.types import PoseBatch  # noqa: E402
from scenemaker.training.data.augment import Augment, batch_of  # noqa: E402
from scenemaker.training.data.bank import ObjectBank  # noqa: E402
from scenemaker.training.data.chance import Chance, in_epochs  # noqa: E402
from scenemaker.training.data.pack_file import NUMBERS, PICTURES, STEPS, PackReport, decoded, read_pack, write_pack  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402
from scenemaker.training.data.shots import Shots  # noqa: E402

__all__ = ["PackReport", "PosePack", "write_pack"]


class PosePack:
    """Batches from a pack: a pure function of the step; every epoch has an order of its own.

    Pictures with an object that the bank does not have are left out: so what is held out of the bank is never seen.

    Attributes:
        left_out: How many pictures were left out.
        shots: All pictures of the file, on the device; depth in steps.
    """

    def __init__(
        self,
        path: str | Path,
        bank: ObjectBank,
        config: PoseModelConfig | None = None,
        augment: Augment | None = None,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        """Unpacks it.

        Args:
            path: The file.
            bank: Objects; pictures of others are left out.
            config: Of the model.
            augment: What is made worse.
            seed: Of everything.
            device: Where pictures lie and batches are made.

        Raises:
            InputError: No such file, a damaged one, or no picture all of whose objects are in the bank.
        """
        self.bank, self.config, self.augment = bank.to(device), config or PoseModelConfig(), augment or Augment()
        self.seed, self.device = seed, torch.device(device)
        if not Path(path).is_file():
            raise InputError(expected("a pose pack", got=f"{path}: no such file", remedy="check the path"))
        facts, read = read_pack(Path(path))
        names = facts["names"]
        found = np.array([-1 if row is None else row for row in bank.rows(names)])[read["objects"]]  # (N,) of the bank
        self._first = np.cumsum(read["counts"]) - read["counts"]  # (B,) of the objects of each picture
        self._usable = np.flatnonzero(np.minimum.reduceat(found, self._first) >= 0)  # (U,) pictures
        self.left_out = len(self._first) - len(self._usable)
        if not len(self._usable):
            got = f"none of {len(self._first)}; its objects are {', '.join(names[:3])} ..."
            raise InputError(
                expected(f"pictures of {path} with objects of the bank", got=got, remedy="build the bank with these")
            )
        self._rows = torch.from_numpy(found).to(device)
        self._spans = torch.from_numpy(read["spans"]).to(device)  # (B, 2)
        unpacked = {name: decoded(read, name, str(path)) for name in PICTURES}
        self.shots = Shots(
            counts=read["counts"].tolist(),
            **{name: torch.from_numpy(read[name]).to(device) for name in NUMBERS},
            **{name: torch.from_numpy(unpacked[name]).to(device) for name in PICTURES},
        )

    def __len__(self) -> int:
        return len(self._usable)

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """What step ``step`` sees."""
        return batch_of(self.posed(step, scenes), self.augment, self.config, self.seed, step)

    def posed(self, step: int, scenes: int) -> Posed:
        """The pictures of a step, before anything is made worse."""
        numbers = range(step * scenes, (step + 1) * scenes)
        shots, rows = self._some([int(self._usable[in_epochs(n, len(self), self.seed)]) for n in numbers])
        chance = Chance(self.device, self.seed, step, "shapes")
        bank, Q = self.bank, self.bank.points_obj.shape[1]
        points = chance.order(Q)[: self.config.geometry.points]  # (Q',)
        geometry = bank.points_obj[rows[:, None], points]  # (N, Q', 6)
        return shots.posed(geometry, bank.symmetries[rows], bank.axis[rows], bank.pivot[rows])

    def _some(self, scenes: Sequence[int]) -> tuple[Shots, Tensor]:
        """The pictures of some scenes with depth, and rows (N,) of their objects in the bank."""
        all_ = self.shots
        counts = [all_.counts[i] for i in scenes]
        objects = np.concatenate([self._first[i] + np.arange(n) for i, n in zip(scenes, counts, strict=True)])
        at, each = torch.tensor(scenes, device=self.device), torch.from_numpy(objects).to(self.device)
        low, high = self._spans[at].unbind(1)  # (B,)
        steps = all_.depth[at].float()  # (B, H, W), 0 where unknown
        depth = low[:, None, None] + (steps - 1) / (STEPS - 1) * (high - low)[:, None, None]
        shots = Shots(
            rgb=all_.rgb[at],
            labels=all_.labels[at],
            depth=torch.where(steps > 0, depth, torch.nan),
            K=all_.K[at],
            up=all_.up[at],
            counts=counts,
            **{name: getattr(all_, name)[each] for name in ("R", "t", "s", "visible")},
        )
        return shots, self._rows[each]
