"""For tests of pipelines and backends: made scenes, tiny backends for every role, and the conformance kit.

>>> from scenemaker.testing import TinyGenerator, check_backend
>>> "one_per_object" in check_backend("generation", TinyGenerator)
True
"""

from scenemaker.testing.conformance import Check, ConformanceError, Subject, check_backend, checks, parametrise
from scenemaker.testing.samples import Sample, box_mesh, make_sample, sphere_mesh
from scenemaker.testing.tiny import (
    TinyDeoccluder,
    TinyDepth,
    TinyGenerator,
    TinyModel,
    TinyPose,
    TinyRefiner,
    TinySceneGenerator,
    TinySegmenter,
)

__all__ = [
    "Check",
    "ConformanceError",
    "Sample",
    "Subject",
    "TinyDeoccluder",
    "TinyDepth",
    "TinyGenerator",
    "TinyModel",
    "TinyPose",
    "TinyRefiner",
    "TinySceneGenerator",
    "TinySegmenter",
    "box_mesh",
    "check_backend",
    "checks",
    "make_sample",
    "parametrise",
    "sphere_mesh",
]
