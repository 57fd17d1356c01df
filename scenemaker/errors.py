"""Every error a user can meet, in one tree.

::

    SceneMakerError
    ├── InputError (ValueError)         a photo, mask, depth, mesh or number that cannot be used
    │   ├── ShapeError                  an array of the wrong shape or dtype
    │   ├── FrameError                  a pose, camera or rotation that is not one
    │   └── NoObjectsError              nothing to build a scene from
    ├── ConfigError (ValueError)        an unknown option, preset or value
    ├── BackendNotFoundError            no backend of that name; lists those that exist
    ├── BackendNotInstalledError        the backend exists, its packages do not; gives the line to type
    ├── DeviceError                     a device that is not there
    ├── StageError                      a stage failed; names the stage, the backend and the object
    ├── PlacementError                  objects that cannot be arranged as asked
    ├── TrainingError                   a training that leads nowhere: its loss stays NaN or infinite
    ├── CacheError                      an artefact that cannot be keyed, read or written
    └── OutputError (OSError)           a folder or file that cannot be written (permissions, full disk)

A message says what was expected, what came and what to do: ``expected(...)`` writes it in that order.
"""

from __future__ import annotations


class SceneMakerError(Exception):
    """Base of all errors raised on purpose."""


class InputError(SceneMakerError, ValueError):
    """An input that cannot be used."""


class ShapeError(InputError):
    """An array of the wrong shape or dtype."""


class FrameError(InputError):
    """A pose, camera or rotation that is not one."""


class NoObjectsError(InputError):
    """Nothing to build a scene from."""


class ConfigError(SceneMakerError, ValueError):
    """An unknown option, preset or value."""


class BackendNotFoundError(SceneMakerError, LookupError):
    """No backend of that name."""


class BackendNotInstalledError(SceneMakerError, ImportError):
    """The backend exists, what it needs does not."""


class DeviceError(SceneMakerError, RuntimeError):
    """A device that is not there."""


class PlacementError(SceneMakerError, RuntimeError):
    """Objects that cannot be arranged as asked."""


class TrainingError(SceneMakerError, RuntimeError):
    """A training that leads nowhere: its loss stays NaN or infinite."""


class CacheError(SceneMakerError, RuntimeError):
    """An artefact that cannot be keyed, read or written."""


class StageError(SceneMakerError, RuntimeError):
    """A stage failed.

    Attributes:
        stage: Name of the stage, e.g. ``"generation"``.
        backend: Name of the backend that failed.
        object_id: The object it failed on, or ``None`` when the whole stage failed.
    """

    def __init__(self, message: str, *, stage: str, backend: str, object_id: int | None = None) -> None:
        super().__init__(message)
        self.stage, self.backend, self.object_id = stage, backend, object_id


class OutputError(SceneMakerError, OSError):
    """A folder or file that cannot be written."""


def needs(package: str, extra: str) -> None:
    """Checks that an optional package can be imported.

    Raises:
        BackendNotInstalledError: It cannot; the text gives the line to type.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        remedy = f'type: pip install "scenemaker[{extra}]"'
        raise BackendNotInstalledError(expected(f"the package {package}", got="it is not installed", remedy=remedy))


def expected(what: str, *, got: object, remedy: str) -> str:
    """One line of error text: what was expected, what came, what to do.

    >>> expected("a mask of 640x480", got="512x512", remedy="resize it")
    'expected a mask of 640x480; got 512x512; resize it'
    """
    return f"expected {what}; got {got}; {remedy}"
