"""All that is made worse in training, so that what real photos and generated shapes lack is nothing new."""

from __future__ import annotations

from pydantic import BaseModel, Field

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402

from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.types import PoseBatch  # noqa: E402
from scenemaker.training.data.augment_pictures import PictureAugment, worse_pictures  # noqa: E402
from scenemaker.training.data.augment_shapes import ShapeAugment, worse_shapes  # noqa: E402
from scenemaker.training.data.chance import Chance, seed_of  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402


class Augment(BaseModel, frozen=True, extra="forbid"):
    """How much of it; the defaults follow the shared recipe."""

    pictures: PictureAugment = Field(default_factory=PictureAugment, description="Masks, depth, clouds, colour.")
    shapes: ShapeAugment = Field(default_factory=ShapeAugment, description="Complete shapes.")

    @classmethod
    def none(cls) -> Augment:
        """Exact pictures and shapes, in the order and frame in which they were made."""
        return cls(pictures=PictureAugment.none(), shapes=ShapeAugment.none())

    @classmethod
    def in_use(cls) -> Augment:
        """What photos and meshes of users are like at least, to validate on: a mesh may be turned anyhow, masks and
        depth have noise of level 1, in half of the scenes ``up`` is not known. Nothing more is hidden or cut."""
        noise = {"clean": 0.0, "noise": (1.0, 1.0), "drop_up": 0.5}
        return cls(
            pictures=PictureAugment.none().model_copy(update=noise),
            shapes=ShapeAugment.none().model_copy(update={"turn": 1.0}),
        )


def augmented(posed: Posed, config: Augment, chance: Chance) -> Posed:
    """Scenes made worse, poses still place their shapes. Pictures come first: clouds are of the true shapes."""
    with torch.no_grad():
        return worse_shapes(worse_pictures(posed, config.pictures, chance), config.shapes, chance)


def batch_of(posed: Posed, augment: Augment, config: PoseModelConfig, *what: int) -> PoseBatch:
    """Scenes made worse and ready for the encoders; numbers (seed, step) decide all draws."""
    posed = augmented(posed, augment, Chance(posed.t.device, *what, "augment"))
    return posed.batch(config, torch.Generator().manual_seed(seed_of(*what, "inputs")))
