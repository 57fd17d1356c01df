"""Checks of every role: how a backend presents itself, that it repeats itself, and that it leaves its inputs alone."""

from __future__ import annotations

import inspect

from pydantic import BaseModel, ValidationError

from scenemaker.registry import ROLES, summary
from scenemaker.testing.conformance.subject import Subject, demand, make_checks, same_bytes


def check_described(subject: Subject) -> None:
    """Docstring whose first line says what it does."""
    line = subject.cls.__doc__ and summary(subject.cls)
    demand(line, "expected a docstring on the class; got none; its first line is what `scenemaker backends` prints")


def check_version(subject: Subject) -> None:
    """Version, raised whenever results change."""
    got = getattr(subject.cls, "version", None)
    demand(isinstance(got, str) and got, f'expected version = "1", say; got {got!r}; without it nothing is cached')


def check_licence(subject: Subject) -> None:
    """Licence of the code and weights it runs."""
    got = getattr(subject.cls, "licence", None)
    demand(isinstance(got, str) and got, f'expected licence = "Apache-2.0", say; got {got!r}')


def check_requires(subject: Subject) -> None:
    """Names of the modules it needs."""
    got = getattr(subject.cls, "requires", ())
    fine = isinstance(got, tuple) and all(isinstance(m, str) for m in got)
    demand(fine, f"expected requires as a tuple of module names; got {got!r}")


def check_config(subject: Subject) -> None:
    """Config frozen, closed to unknown options, and described."""
    config = getattr(subject.cls, "Config", None)
    if config is None:
        return
    demand(issubclass(config, BaseModel), f"expected Config as a pydantic model; got {config!r}")
    demand(
        config.model_config.get("frozen"), "expected a frozen Config; write class Config(BaseModel, frozen=True, ...)"
    )
    try:
        config(**{"no_such_option": 1})
    except ValidationError:
        pass
    else:
        demand(False, 'expected an unknown option to be refused; write class Config(BaseModel, extra="forbid", ...)')
    mute = [name for name, field in config.model_fields.items() if not field.description]
    demand(not mute, f"expected a description of every option; got none for {', '.join(mute)}")
    demand(isinstance(getattr(subject.backend, "config", None), config), "expected the config kept as self.config")


def check_verb(subject: Subject) -> None:
    """The verb of the role, which takes the role's arguments."""
    verb = getattr(subject.backend, ROLES[subject.role], None)
    demand(callable(verb), f"expected the method {ROLES[subject.role]}(); got none")
    args, kwargs = subject.inputs("landscape")
    try:
        inspect.signature(verb).bind(*args, **kwargs)  # type: ignore[arg-type]
    except TypeError as error:
        demand(False, f"expected the arguments of scenemaker.stages; got {inspect.signature(verb)}: {error}")  # type: ignore[arg-type]


def check_moves(subject: Subject) -> None:
    """A method ``to``, if any, takes device and dtype."""
    move = getattr(subject.backend, "to", None)
    if move is not None:
        move("cpu", "float32")


def check_deterministic(subject: Subject) -> None:
    """Equal inputs and seed give equal bytes."""
    first = subject.result()
    again = subject.call(subject.inputs("landscape"))
    demand(same_bytes(first, again), "expected the same bytes from a second call; got others")


def check_inputs_untouched(subject: Subject) -> None:
    """Inputs are not modified."""
    given, before = subject.inputs("landscape"), subject.inputs("landscape")
    subject.call(given)
    for k, (now, then) in enumerate(zip(given[0], before[0], strict=True)):
        demand(same_bytes(now, then), f"expected argument {k + 1} as it was; got it modified: copy before writing")


CHECKS = make_checks(
    check_described,
    check_version,
    check_licence,
    check_requires,
    check_config,
    check_verb,
    check_moves,
    check_deterministic,
    check_inputs_untouched,
)
