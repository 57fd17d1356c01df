"""``relief``: a solid from one view, without weights.

Front and back are depth maps along the rays of the view's own camera, so the visible side shows the photo from where
it was taken; the back follows from the silhouette, gravity and symmetry (``back``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import BaseModel, Field

from scenemaker.errors import InputError
from scenemaker.generation.back import far_side
from scenemaker.generation.front import read_front
from scenemaker.generation.solid import build
from scenemaker.geometry.cameras import F64
from scenemaker.scene import ObjectFailure, ObjectGeometry, ObjectView

log = logging.getLogger(__name__)


class ReliefGenerator:
    """A closed, textured solid from the silhouette and relief of each view; no weights."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()
    closed = True  # every mesh is watertight: the conformance kit checks it

    class Config(BaseModel, frozen=True, extra="forbid"):
        """What can be set."""

        thickness: float = Field(
            default=1.0, gt=0, le=10, description="Multiplies the inferred thickness of every object."
        )

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def generate(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectGeometry | ObjectFailure]:
        """One closed mesh in ``obj`` per view; ``seed`` changes nothing here."""
        out: list[ObjectGeometry | ObjectFailure] = []
        for view in views:
            try:
                out.append(self.generate_placed(view)[0])
            except InputError as error:
                log.warning("object %d: %s", view.id, error)
                out.append(ObjectFailure(id=view.id, error=str(error)))
        return out

    def generate_placed(self, view: ObjectView) -> tuple[ObjectGeometry, F64]:
        """The geometry of one view, and the similarity S_cam_obj (4, 4) that puts it back over its silhouette.

        Raises:
            InputError: A view without a single pixel of object.
        """
        front = read_front(view)
        z_back, notices = far_side(front, self.config.thickness)
        mesh, S_cam_obj = build(view, front, z_back)
        geometry = ObjectGeometry(id=view.id, mesh=mesh, R_cam_obj=front.R_cam_obj, notices=(*front.notices, *notices))
        return geometry, S_cam_obj
