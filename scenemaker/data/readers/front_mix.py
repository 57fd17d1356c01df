"""The two data sets of 3D-FRONT together: one scene per room, with the views that either has of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from scenemaker.data.readers.instpifu import InstPifuFront
from scenemaker.data.readers.midi import MidiFront, Split
from scenemaker.data.readers.scenes import Skip, SkipList
from scenemaker.data.types import SceneSample
from scenemaker.errors import ConfigError, InputError, expected

logger = logging.getLogger(__name__)
Rooms = Literal["any", "both"]


class FrontMix(SkipList):
    """Rooms of 3D-FRONT with MIDI's views first and InstPIFu's after them.

    Reference: SceneMaker, section 3.3.2: "We align their render results according to room IDs, resulting in 20K
    scenes", of which 1,000 are for testing. Not established: which rooms, whether they are those of either data set
    or of both, and how a view of InstPIFu, which names its house only, was given to a room; the published loader
    (github.com/IDEA-Research/SceneMaker @ 9e13f358, ``front3d_mixed_datasets.py``) puts one data set after the other.

    Here a view belongs to the room of its house whose furniture holds most of the models seen, and a view that fits
    none or several equally is a room of its own. The test set is the end of the rooms in alphabetical order, and
    reaches as far as whole houses need: no house is in both sets.

    Attributes:
        rooms: "HOUSE/ROOM" in alphabetical order; "HOUSE/~TASK" for a view of no known room.
    """

    source = "3d-front-mix"

    def __init__(
        self,
        midi: MidiFront,
        instpifu: InstPifuFront,
        *,
        split: Split = "all",
        test_rooms: int = 1000,
        rooms: Rooms = "any",
        room_of: Mapping[str, str] | None = None,
    ) -> None:
        """Assigns the views; reads every pickle of InstPIFu once unless ``room_of`` tells.

        Args:
            midi, instpifu: The data sets, with all their parts.
            split: "test" is at least the last ``test_rooms`` rooms, "train" the others.
            test_rooms: See ``split``.
            rooms: "any" takes every room, "both" those that both data sets have.
            room_of: "HOUSE/ROOM" of each task "PART/TASK", as ``room_of_tasks`` gives it: keep that in a file.

        Raises:
            InputError: No room is left.
            ConfigError: An unknown option.
        """
        super().__init__()
        if split not in ("all", "train", "test") or rooms not in ("any", "both") or test_rooms < 1:
            got = f"split={split!r}, rooms={rooms!r}, test_rooms={test_rooms}"
            remedy = 'choose split "all", "train" or "test", rooms "any" or "both"'
            raise ConfigError(expected("options of the mix", got=got, remedy=remedy))
        self.midi, self.instpifu = midi, instpifu
        assigned = room_of_tasks(midi, instpifu, self) if room_of is None else dict(room_of)
        known = set(midi.scenes)
        self._tasks: dict[str, list[str]] = {}
        for task in instpifu.scenes:
            if task in assigned:
                self._tasks.setdefault(assigned[task], []).append(task)
            elif room_of is not None:
                self.add(task, "room_of does not tell its room")
        both = rooms == "both"
        all_rooms = sorted(known & set(self._tasks) if both else known | set(self._tasks))
        if not all_rooms:
            raise InputError(
                expected("rooms in both data sets", got="none", remedy="check that they are of one origin")
            )
        cut = max(0, len(all_rooms) - test_rooms)
        while cut and _house(all_rooms[cut - 1]) == _house(all_rooms[cut]):
            cut -= 1
        part = {"all": slice(None), "train": slice(None, cut), "test": slice(cut, None)}[split]
        self.rooms = tuple(all_rooms[part])
        if not self.rooms:
            got = f"none of {len(all_rooms)} with test_rooms={test_rooms}"
            raise InputError(expected(f"rooms in the {split} set", got=got, remedy="give fewer test_rooms"))
        self._midi_number = {room: i for i, room in enumerate(midi.scenes)}
        self._task_number = {task: i for i, task in enumerate(instpifu.scenes)}
        self._ends = np.cumsum([self._midi_views(room) + len(self._tasks.get(room, ())) for room in self.rooms])

    @property
    def skipped(self) -> tuple[Skip, ...]:
        """The items left out so far by this process, of the mix and of both data sets."""
        return (*super().skipped, *self.midi.skipped, *self.instpifu.skipped)

    def __len__(self) -> int:
        """Samples if nothing is damaged."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> SceneSample:
        """Sample ``index``, room after room.

        Raises:
            InputError: It is damaged; the text names the file.
            IndexError: There is no such sample.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(expected(f"a number below {len(self)}", got=index, remedy="see len()"))
        index %= len(self)
        k = int(np.searchsorted(self._ends, index, side="right"))
        room = self.rooms[k]
        left = index - (int(self._ends[k - 1]) if k else 0)
        if left < self._midi_views(room):
            return self.midi[self._midi_number[room] * self.midi.views + left]
        return self.instpifu[self._task_number[self._tasks[room][left - self._midi_views(room)]]]

    def _midi_views(self, room: str) -> int:
        return self.midi.views if room in self._midi_number else 0

    def __iter__(self) -> Iterator[SceneSample]:
        return self.iterate()

    def iterate(self, worker: int = 0, workers: int = 1) -> Iterator[SceneSample]:
        """Every sample that can be read, of each ``workers``-th room from the ``worker``-th on.

        Raises:
            InputError: There were rooms, and none could be read.
        """
        given = 0
        mine = self.rooms[worker::workers]
        for room in mine:
            for sample in self.samples_of(room):
                given += 1
                yield sample
        if mine and not given and workers == 1:  # one of several may have drawn the damaged ones
            raise self.nothing_left("the mix")

    def samples_of(self, room: str) -> Iterator[SceneSample]:
        """The views of one room; what is damaged is listed in ``skipped``."""
        if room in self._midi_number:
            yield from self.midi.samples_of(room)
        for task in self._tasks.get(room, ()):
            yield from self.instpifu.samples_of(task)


def _house(room: str) -> str:
    return room.partition("/")[0]


def room_of_tasks(midi: MidiFront, instpifu: InstPifuFront, skips: SkipList | None = None) -> dict[str, str]:
    """The room "HOUSE/ROOM" of every task "PART/TASK" of InstPIFu, by the models seen; see ``FrontMix``.

    Args:
        midi, instpifu: The data sets.
        skips: Takes the tasks whose pickle cannot be read; those of ``instpifu`` otherwise.
    """
    skips = instpifu if skips is None else skips
    rooms: dict[str, list[str]] = {}
    for room in midi.scenes:
        rooms.setdefault(_house(room), []).append(room)
    models: dict[str, set[str]] = {}

    def in_room(room: str) -> set[str]:
        if room not in models:
            try:
                models[room] = {str(item.get("model_id")) for item in midi.furniture(room)}
            except InputError as error:
                midi.add(room, str(error))
                models[room] = set()
        return models[room]

    found: dict[str, str] = {}
    for task in instpifu.scenes:
        try:
            house, seen = instpifu.furniture(task)
        except InputError as error:
            skips.add(task, str(error))
            continue
        shared = {room: len(set(seen) & in_room(room)) for room in rooms.get(house, ())}
        most = max(shared.values(), default=0)
        best = [room for room, count in shared.items() if count == most]
        found[task] = best[0] if most and len(best) == 1 else f"{house}/~{task.rpartition('/')[2]}"
    logger.info("%d of %d views stand in a known room", sum("/~" not in r for r in found.values()), len(found))
    return found
