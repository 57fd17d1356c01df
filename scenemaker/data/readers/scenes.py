"""What all readers share: scenes of several views, given by number or in order, damaged ones left out and listed."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected

logger = logging.getLogger(__name__)
Opened = TypeVar("Opened")


@dataclass(frozen=True)
class Skip:
    """An item that was left out.

    Attributes:
        item: Which: a scene, a view of it (``SCENE/VIEW``), or a file.
        reason: Why.
    """

    item: str
    reason: str


class SkipList:
    """What a reader left out, each item once, in the order it was met."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, item: str, reason: str) -> None:
        """Lists an item and logs it."""
        if item not in self._reasons:
            logger.warning("left out %s: %s", item, reason)
        self._reasons.setdefault(item, reason)

    @property
    def skipped(self) -> tuple[Skip, ...]:
        """The items left out so far by this process."""
        return tuple(Skip(item, reason) for item, reason in self._reasons.items())

    def nothing_left(self, what: str) -> InputError:
        """The error of a pass that gave no sample at all."""
        lost = self.skipped
        first = "; ".join(f"{s.item}: {s.reason}" for s in lost[:3])
        got = f"none ({len(lost)} left out: {first})"
        return InputError(expected(f"a scene that can be read in {what}", got=got, remedy="copy the data set again"))


class SceneReader(SkipList, ABC, Generic[Opened]):
    """Scenes that lie on disk and can be opened by name.

    Attributes:
        source: Name of the data set.
        where: Its folder, for messages.
        scenes: Names of the scenes, in their order.
        views: Views taken of each scene, at most.
    """

    source: str

    def __init__(self, where: str, scenes: Sequence[str], views: int) -> None:
        super().__init__()
        if not scenes:
            raise InputError(expected("a list of scenes", got=f"none in {where}", remedy="check the folder"))
        if views < 1:
            raise InputError(expected("at least one view per scene", got=views, remedy="give views=1 or more"))
        self.where, self.scenes, self.views = where, tuple(scenes), views
        self._last: tuple[str, Opened] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a worker process: all but the open scene."""
        return {**self.__dict__, "_last": None}

    @abstractmethod
    def _open(self, scene: str) -> Opened:
        """What the views of a scene share; InputError when it is damaged."""

    @abstractmethod
    def _view(self, opened: Opened, view: int) -> SceneSample:
        """One view; InputError when it is damaged."""

    def _count(self, opened: Opened) -> int:
        """Views to take of an open scene."""
        return self.views

    def __len__(self) -> int:
        """Samples if nothing is damaged."""
        return len(self.scenes) * self.views

    def __getitem__(self, index: int) -> SceneSample:
        """Sample ``index``: view ``index % views`` of scene ``index // views``.

        Raises:
            InputError: It is damaged; the text names the file.
            IndexError: There is no such sample.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(expected(f"a number below {len(self)}", got=index, remedy="see len()"))
        scene, view = divmod(index % len(self), self.views)
        return self._view(self._opened(self.scenes[scene]), view)

    def __iter__(self) -> Iterator[SceneSample]:
        return self.iterate()

    def iterate(self, worker: int = 0, workers: int = 1) -> Iterator[SceneSample]:
        """Every sample that can be read, of each ``workers``-th scene from the ``worker``-th on.

        Raises:
            InputError: There were scenes, and none could be read.
        """
        given = 0
        mine = self.scenes[worker::workers]
        for scene in mine:
            for sample in self.samples_of(scene):
                given += 1
                yield sample
        if mine and not given and workers == 1:  # one of several may have drawn the damaged ones
            raise self.nothing_left(self.where)

    def samples_of(self, scene: str) -> Iterator[SceneSample]:
        """The views of one scene; what is damaged is listed in ``skipped``."""
        try:
            opened = self._opened(scene)
        except InputError as error:
            self.add(scene, str(error))
            return
        for view in range(self._count(opened)):
            try:
                sample = self._view(opened, view)
            except InputError as error:
                self.add(f"{scene}/{view}", str(error))
                continue
            yield sample

    def _opened(self, scene: str) -> Opened:
        if self._last is None or self._last[0] != scene:
            self._last = None
            self._last = scene, self._open(scene)
        return self._last[1]
