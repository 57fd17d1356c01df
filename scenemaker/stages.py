"""The roles. One Protocol each, one verb each, nothing else.

A backend is any class with the verb of its role; it need not import this package. It may also have

- ``Config``: a frozen pydantic model with ``extra="forbid"``; the class is then built as ``Backend(config)``,
  else as ``Backend()``. Everything that changes its result is in there (or in ``version``).
- ``version: str``: raised whenever its results change; part of every cache key.
- ``licence: str``: of the code and weights it runs; goes into ``scene.json``.
- ``requires: tuple[str, ...]``: modules it needs; ``extra: str``: the extra of this package that installs them.
- ``to(device: str, dtype: str) -> None``: for backends that hold models; called before the verb and, under the
  policy ``offload``, with "cpu" after it.

Verbs that work on many objects take them all at once, in any number, and return one entry per object in the same
order: the result, or an ``ObjectFailure`` for that object alone. Random verbs take a ``seed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scenemaker.editable import Scene
from scenemaker.scene import (
    DepthPrompt,
    Instances,
    ObjectFailure,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PlacedObject,
    PointMap,
    Prompts,
)


class Segmenter(Protocol):
    """Finds the objects."""

    def segment(self, photo: Photo, prompts: Prompts) -> Instances:
        """Disjoint visible masks, one per object, of the size of the photo."""
        ...


class DepthEstimator(Protocol):
    """Finds where the pixels lie in space."""

    def estimate(self, photo: Photo, instances: Instances, prompt: DepthPrompt) -> PointMap:
        """A point map of the size of the photo in ``cam``; a given K (``prompt.K``, else ``photo.K``) is kept."""
        ...


class Deoccluder(Protocol):
    """Completes what is hidden."""

    def deocclude(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectView | ObjectFailure]:
        """Completed views of the same size and ids; the visible pixels are kept, complete views left untouched."""
        ...


class ObjectGenerator(Protocol):
    """Makes a solid from a picture."""

    def generate(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectGeometry | ObjectFailure]:
        """One mesh in ``obj`` per completed view."""
        ...


class PoseEstimator(Protocol):
    """Places all objects at once."""

    def estimate_poses(
        self,
        photo: Photo,
        instances: Instances,
        point_map: PointMap,
        views: Sequence[ObjectView],
        geometries: Sequence[ObjectGeometry],
        *,
        seed: int,
    ) -> list[ObjectPose | ObjectFailure]:
        """Rotation, translation and size of every geometry; ``views`` and ``geometries`` have equal order and ids."""
        ...


class SceneGenerator(Protocol):
    """Makes placed objects in one pass (I-Scene)."""

    def generate_scene(self, photo: Photo, instances: Instances, *, seed: int) -> list[PlacedObject | ObjectFailure]:
        """Placed objects, one per instance."""
        ...


class SceneRefiner(Protocol):
    """Improves a scene as a whole: contacts, penetration, ground."""

    def refine(self, scene: Scene) -> Scene:
        """The refined scene, with the same ids."""
        ...
