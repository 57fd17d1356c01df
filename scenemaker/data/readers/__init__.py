"""Public data sets as they lie on disk, read as the samples of our own.

``SceneMakerOpenSet``  the open-set scenes that SceneMaker published: archives as they are, or unpacked
``MidiFront``          MIDI's renders of 3D-FRONT with the poses that SceneMaker worked out for them
``InstPifuFront``      InstPIFu's renders of 3D-FRONT
``FrontMix``           the two of 3D-FRONT, one scene per room

What each docstring says of a layout names where it was read; what could not be established is said there too. A
damaged item is left out, logged, and listed in ``skipped``: nothing is missing silently.
"""

from __future__ import annotations

from scenemaker.data.readers.front_mix import FrontMix
from scenemaker.data.readers.instpifu import InstPifuFront
from scenemaker.data.readers.midi import MidiFront
from scenemaker.data.readers.openset import SceneMakerOpenSet
from scenemaker.data.readers.scenes import Skip

__all__ = ["FrontMix", "InstPifuFront", "MidiFront", "SceneMakerOpenSet", "Skip"]
