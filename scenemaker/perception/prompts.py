"""Segmentation from boxes and points, without weights."""

from __future__ import annotations

from pydantic import BaseModel, Field

from scenemaker.errors import InputError, NoObjectsError, expected
from scenemaker.perception.box_masks import mask_in_box
from scenemaker.perception.boxes import check_boxes, check_points, targets
from scenemaker.perception.labels import Tag, to_instances
from scenemaker.perception.mask_layers import Layer, paint
from scenemaker.perception.point_boxes import box_around
from scenemaker.scene import Instances, Photo, Prompts


class PromptedSegmenter:
    """Cuts out what you point at: one object per box, or per point outside of the boxes."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        working_px: int = Field(default=256, ge=32, le=1024, description="Longest side at which a box is cut out.")
        margin: float = Field(
            default=0.05, ge=0.01, le=1, description="Ring that shows the background, in longest sides of the box."
        )
        rounds: int = Field(default=2, ge=1, le=20, description="Rounds of colour model and graph cut per box.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def segment(self, photo: Photo, prompts: Prompts) -> Instances:
        """One object per box, in their order, then one per point that lies in no box.

        Object k is named ``object_<k>``, also when an earlier one lost all its pixels to smaller ones and has no id.

        Raises:
            NoObjectsError: There is neither a box nor a point.
            InputError: A box or point lies outside of the photo, or text was given.
        """
        if prompts.text:
            raise InputError(
                expected(
                    "boxes or points",
                    got=f"text {', '.join(map(repr, prompts.text))}",
                    remedy="this backend does not read text: give boxes, or use a segmentation backend that reads it",
                )
            )
        boxes, notices = check_boxes(prompts.boxes_px, photo.width, photo.height)
        points = check_points(prompts.points_px, photo.width, photo.height)
        wanted = targets(boxes, points)
        if not wanted:
            remedy = "give a box as x0,y0,x1,y1 in photo pixels, or leave the prompts out to have objects found"
            raise NoObjectsError(expected("boxes or points", got="none", remedy=remedy))
        options = self.config.model_dump()
        layers = []
        for k, target in enumerate(wanted, start=1):
            box = target.box_px or box_around(photo.rgb, target.points_px[0])
            found = mask_in_box(photo.rgb, box, target.points_px, **options)
            if found.notice:
                notices.append(f"object {k}: {found.notice}")
            layers.append(Layer(found.origin, found.mask, Tag(name=f"object_{k}", score=found.score)))
        return to_instances(paint(layers, (photo.height, photo.width), notices), "the boxes and points")
