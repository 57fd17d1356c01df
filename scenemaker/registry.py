"""Backends by entry point. Listing them imports nothing; our own register exactly like a third party's."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ValidationError

from scenemaker.config import BackendSpec, validation_text
from scenemaker.errors import BackendNotFoundError, BackendNotInstalledError, ConfigError, expected

ROLES: dict[str, str] = {
    "segmentation": "segment",
    "depth": "estimate",
    "deocclusion": "deocclude",
    "generation": "generate",
    "pose": "estimate_poses",
    "scene_generation": "generate_scene",
    "refinement": "refine",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Backend:
    """A backend ready to be called.

    Attributes:
        role: Its role, e.g. ``"depth"``.
        name: Its name in the registry, or its class name.
        call: The object that has the verb.
        fingerprint: All that identifies its results, or None when it cannot be told (then nothing is cached).
        licence: Of the code and weights it runs.
    """

    role: str
    name: str
    call: Any
    fingerprint: dict[str, Any] | None
    licence: str


@cache
def _entries(role: str) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=f"scenemaker.{role}"):
        found.setdefault(entry.name, {})[entry.value] = entry
    return {name: tuple(found[name].values()) for name in sorted(found)}


def names(role: str) -> list[str]:
    """Names of the backends installed for a role, sorted."""
    return list(_entries(_known_role(role)))


def package_of(role: str, name: str) -> str:
    """The distribution that brings a backend, e.g. ``"scenemaker 0.1.0"``."""
    dist = _entry(role, name).dist
    return f"{dist.name} {dist.version}" if dist else "unknown"


def load(role: str, name: str) -> type:
    """The class of a backend.

    Raises:
        BackendNotFoundError: No such name; the text lists those that exist.
        BackendNotInstalledError: Its module does not import, or packages it needs are missing.
    """
    entry = _entry(role, name)
    try:
        cls = entry.load()
    except Exception as error:
        raise BackendNotInstalledError(
            f"the {role} backend {name!r} ({entry.value}) does not import: {type(error).__name__}: {error}; "
            f"mend or remove the package {package_of(role, name)}, or choose another: {', '.join(names(role))}"
        ) from error
    missing = missing_modules(cls)
    if missing:
        raise BackendNotInstalledError(
            f"the {role} backend {name!r} needs {', '.join(missing)}; type: {install_line(cls)}"
        )
    return cls


def missing_modules(cls: type) -> list[str]:
    """Modules that a backend's class names in ``requires`` and that are not installed."""
    return [m for m in getattr(cls, "requires", ()) if find_spec(m) is None]


def install_line(cls: type) -> str:
    """What to type to get what a backend needs."""
    extra = getattr(cls, "extra", None)
    return f'pip install "scenemaker[{extra}]"' if extra else f"pip install {' '.join(missing_modules(cls))}"


def build(role: str, chosen: BackendSpec | str | type | object) -> Backend:
    """A backend from its name, spec, class, or a ready object.

    Raises:
        BackendNotFoundError, BackendNotInstalledError: As ``load``.
        ConfigError: Options that the backend does not know, or an object without the role's verb.
    """
    spec = BackendSpec(name=chosen) if isinstance(chosen, str) else chosen
    if isinstance(spec, BackendSpec):
        if spec.name is None:
            raise ConfigError(expected(f"a {role} backend", got="none", remedy=f"choose: {', '.join(names(role))}"))
        cls, options, name = load(role, spec.name), spec.options, spec.name
        return _describe(role, name, _instantiate(role, name, cls, options))
    name = spec.__name__ if isinstance(spec, type) else type(spec).__name__
    return _describe(role, name, _instantiate(role, name, spec, {}) if isinstance(spec, type) else spec)


def _instantiate(role: str, name: str, cls: type, options: dict[str, Any]) -> Any:
    config_cls = getattr(cls, "Config", None)
    if config_cls is None:
        if options:
            raise ConfigError(expected(f"no options for {role} {name!r}", got=sorted(options), remedy="remove them"))
        return cls()
    try:
        config = config_cls(**options)
    except ValidationError as error:
        raise ConfigError(f"{role} {name!r}: {validation_text(error, config_cls)}") from None
    return cls(config)


def _describe(role: str, name: str, call: Any) -> Backend:
    verb = ROLES[_known_role(role)]
    if not callable(getattr(call, verb, None)):
        raise ConfigError(
            expected(
                f"a {role} backend with the method {verb}()", got=type(call).__name__, remedy="see scenemaker.stages"
            )
        )
    config, version = getattr(call, "config", None), getattr(call, "version", None)
    identified = version is not None and (config is None or isinstance(config, BaseModel))
    fingerprint = {
        "class": f"{type(call).__module__}:{type(call).__qualname__}",
        "version": version,
        "config": config.model_dump(mode="json") if isinstance(config, BaseModel) else None,
        "weights": getattr(call, "weights_revision", None),
    }
    return Backend(
        role=role,
        name=name,
        call=call,
        fingerprint=fingerprint if identified else None,
        licence=getattr(call, "licence", "unknown"),
    )


def summary(cls: type) -> str:
    """First line of a backend's docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _entry(role: str, name: str) -> EntryPoint:
    found = _entries(_known_role(role)).get(name)
    if not found:
        listed = ", ".join(names(role)) or "none"
        raise BackendNotFoundError(
            expected(f"a {role} backend", got=repr(name), remedy=f"those installed are: {listed}")
        )
    if len(found) != 1:
        values = ", ".join(e.value for e in found)
        raise BackendNotFoundError(
            expected(
                f"one {role} backend named {name!r}", got=f"two ({values})", remedy="uninstall one of the packages"
            )
        )
    return found[0]


def _known_role(role: str) -> str:
    if role not in ROLES:
        raise BackendNotFoundError(expected("a role", got=repr(role), remedy=f"the roles are: {', '.join(ROLES)}"))
    return role
