"""The conformance kit: what every backend of a role must do, as checks that anyone can run on theirs.

Without pytest, all at once::

    from scenemaker.testing import check_backend
    check_backend("generation", MyGenerator)          # raises ConformanceError, which lists what is wrong

With pytest, one test per check::

    from scenemaker.testing import Subject, parametrise
    SUBJECT = Subject("generation", MyGenerator)

    @parametrise("generation")
    def test_conformance(check):
        check(SUBJECT)
"""

from __future__ import annotations

from typing import Any

from scenemaker.testing.conformance import common, geometry, perception, scenes
from scenemaker.testing.conformance.subject import Check, ConformanceError, Given, Subject

_BY_ROLE = {
    "segmentation": perception.SEGMENTATION,
    "depth": perception.DEPTH,
    "deocclusion": geometry.DEOCCLUSION,
    "generation": geometry.GENERATION,
    "pose": geometry.POSE,
    "scene_generation": scenes.SCENE_GENERATION,
    "refinement": scenes.REFINEMENT,
}


def checks(role: str) -> tuple[Check, ...]:
    """The checks of a role.

    Raises:
        BackendNotFoundError: No such role; the text lists those that exist.
    """
    from scenemaker.registry import names

    names(role)  # raises for an unknown role
    return (*common.CHECKS, *_BY_ROLE[role])


def check_backend(role: str, backend: Any, *, given: Given | None = None) -> list[str]:
    """Runs all checks of a role and returns their names.

    Args:
        role: E.g. ``"depth"``.
        backend: A class, a function without arguments that makes one, or a ready object.
        given: For a segmenter that follows prompts: which ones it is given.

    Raises:
        ConformanceError: Some checks failed; the text lists them all.
    """
    subject = Subject(role, backend, given=given)
    failed: list[str] = []
    for check in checks(role):
        try:
            check(subject)
        except ConformanceError as error:
            failed.append(str(error))
    if failed:
        raise ConformanceError("\n".join(failed))
    return [check.name for check in checks(role)]


def parametrise(role: str) -> Any:
    """A pytest mark that gives a test the argument ``check``, once per check of a role."""
    import pytest

    return pytest.mark.parametrize("check", [pytest.param(c, id=c.name) for c in checks(role)])


__all__ = ["Check", "ConformanceError", "Given", "Subject", "check_backend", "checks", "parametrise"]
