"""The published ways to measure, one file each.

``protocol(name)`` makes one; ``PROTOCOLS`` says where each lives, so that nothing is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from scenemaker.errors import ConfigError, expected
from scenemaker.evaluation.types import EvalProtocol

PROTOCOLS = {
    "layout": "layout:Layout",
    "shape": "shape:Shape",
    "midi": "midi:Midi",
    "midi-fast": "midi:MidiFast",
    "midi-published": "midi:MidiPublished",
    "scenemaker": "scenemaker:SceneMakerTables",
    "scenemaker-published": "scenemaker:SceneMakerPublished",
    "scenemaker-validation": "scenemaker:SceneMakerValidation",
    "iscene": "iscene:IScene",
    "scenegen": "scenegen:SceneGen",
    "gen3dsr": "gen3dsr:Gen3dsr",
    "partcrafter": "partcrafter:PartCrafter",
    "sam3d": "sam3d:Sam3d",
}


def protocol(name: str, **settings: Any) -> EvalProtocol:
    """The protocol of a name, with its own settings where it has any (``points``, ``seed``).

    Raises:
        ConfigError: No protocol of that name.
    """
    if name not in PROTOCOLS:
        raise ConfigError(expected("a protocol", got=repr(name), remedy=f"choose from: {', '.join(PROTOCOLS)}"))
    module, _, cls = PROTOCOLS[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), cls)(**settings)
