"""Triplets and clips on disk: the recipes of such data sets, and the job that makes item n."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from scenemaker.cache import digest
from scenemaker.data.generate import Outcome, Place, Report, Writer, files_of, generate, skips_of
from scenemaker.data.make import open_objects, open_source
from scenemaker.data.occlusion.cast_shadows import ShadowRecipe, make_shadow_pair
from scenemaker.data.occlusion.clips import ClipRecipe, clip_of, clip_of_pair
from scenemaker.data.occlusion.files import clip_files, shadow_files, triplet_files
from scenemaker.data.occlusion.images import ImageTargets
from scenemaker.data.occlusion.rendered import RenderedTargets, TargetViews
from scenemaker.data.occlusion.targets import TargetSource
from scenemaker.data.occlusion.triplets import TripletRecipe, make_triplet
from scenemaker.data.recipe import ObjectsFrom
from scenemaker.data.render.surroundings import SurroundingsConfig
from scenemaker.data.types import ObjectSource
from scenemaker.errors import PlacementError

Kind = Literal["triplets", "clips"]


class OcclusionRecipe(BaseModel, frozen=True, extra="forbid"):
    """How triplets or clips are made. Item n depends on this and on n alone."""

    seed: int = Field(default=0, ge=0, description="Of everything that is random.")
    objects: tuple[ObjectsFrom, ...] = Field(default=(ObjectsFrom(),), min_length=1, description="What is rendered.")
    images: Path | None = Field(default=None, description="Folder of pictures to use as targets, instead of objects.")
    views: TargetViews = Field(default_factory=TargetViews, description="From where objects are seen.")
    surroundings: SurroundingsConfig = Field(default_factory=SurroundingsConfig, description="Ground, light, sky.")
    triplet: TripletRecipe = Field(default_factory=TripletRecipe, description="Patterns, severity, sizes, prompt.")
    clip: ClipRecipe = Field(default_factory=ClipRecipe, description="Frames of clips.")
    shadows: ShadowRecipe | None = Field(
        default=None, description="Pairs instead of triplets: an object behind others that shade it, and it alone."
    )


class OcclusionJob:
    """Makes and writes triplet or clip n of a recipe."""

    def __init__(self, kind: Kind, recipe: OcclusionRecipe, place: Place, images: ImageTargets | None = None) -> None:
        self.kind: Kind = kind
        self.recipe, self.place, self.images = recipe, place, images

    def __reduce__(self) -> tuple[type[OcclusionJob], tuple[Kind, OcclusionRecipe, Place, ImageTargets | None]]:
        return OcclusionJob, (self.kind, self.recipe, self.place, self.images)

    @cached_property
    def _objects(self) -> ObjectSource:
        return open_objects(self.recipe.objects)

    @cached_property
    def _targets(self) -> TargetSource:
        if self.images is not None:
            return self.images
        return RenderedTargets(self._objects, views=self.recipe.views, surroundings=self.recipe.surroundings)

    @cached_property
    def _writer(self) -> Writer:
        return self.place.writer()

    def __call__(self, index: int) -> Outcome:
        """Makes and writes item ``index``."""
        try:
            files = self._made(index)
        except PlacementError as error:
            return Outcome(failed=str(error))
        if self.place.per_shard is not None:
            files = {f"{index:06d}.{name}": data for name, data in files.items()}
        self._writer.write_files(index, files)
        return Outcome()

    def _made(self, index: int) -> dict[str, bytes]:
        r = self.recipe
        if r.shadows is not None:
            pair = make_shadow_pair(r.shadows, self._objects, seed=r.seed, index=index, surroundings=r.surroundings)
            return clip_files(clip_of_pair(pair, r.clip)) if self.kind == "clips" else shadow_files(pair)
        triplet = make_triplet(r.triplet, self._targets, seed=r.seed, index=index)
        return clip_files(clip_of(triplet, r.clip)) if self.kind == "clips" else triplet_files(triplet)


def generate_occlusion(
    kind: Kind,
    recipe: OcclusionRecipe,
    out: str | Path,
    count: int,
    *,
    start: int = 0,
    per_shard: int | None = None,
    workers: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Makes triplets or clips as folders, or as shards of ``per_shard`` items; see ``generate``.

    Raises:
        InputError: A source has nothing usable.
        OutputError, PlacementError: As ``generate``.
    """
    place = Place(Path(out), per_shard, kind)
    images = None if recipe.images is None else ImageTargets(recipe.images)
    sources = [] if images is not None else [open_source(config, workers=workers) for config in recipe.objects]
    skipped = skips_of(sources) if images is None else list(images.skipped)
    content = {"kind": kind, "recipe": recipe.model_dump(mode="json"), **files_of(sources)}
    if images is not None:
        content["files"] = {"count": len(images.files), "digest": digest(list(images.files))[:16]}
    job = OcclusionJob(kind, recipe, place, images)
    return generate(job, place, content, count, start=start, workers=workers, skipped=skipped, progress=progress)
