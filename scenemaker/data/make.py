"""Scene n of a recipe: objects, layout, cameras, surroundings, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from scenemaker.artefacts import safe_name
from scenemaker.cache import default_cache_dir
from scenemaker.data.objects.mixed import MixedObjects
from scenemaker.data.objects.surface import surface_points
from scenemaker.data.recipe import LAYOUTS, RENDERERS, LayoutShare, ObjectsFrom, SceneRecipe
from scenemaker.data.render.surroundings import draw_world
from scenemaker.data.types import (
    Arrangement,
    DataObject,
    Layout,
    ObjectSource,
    Renderer,
    SceneSample,
    View,
    World,
    rng_for,
)
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.data.visibility import drop_hidden, severe_views, visibility
from scenemaker.errors import ConfigError, InputError, PlacementError, expected
from scenemaker.evaluation.bins import BINS, bin_of
from scenemaker.geometry.cameras import Camera
from scenemaker.scene import F32, Bool

ROUNDS = 4  # of cameras that are tried for a scene


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeScene:
    """One scene with all its views.

    Attributes:
        index: Its number.
        arrangement: Where its objects stand.
        samples: One per view.
        redrawn: Why earlier draws were dropped, one text each.
        dropped_views: Views fewer than the recipe asks for: an object was hidden in every one that was tried.
    """

    index: int
    arrangement: Arrangement
    samples: tuple[SceneSample, ...]
    redrawn: tuple[str, ...]
    dropped_views: int


class SceneFactory:
    """Makes the scenes of a recipe: ``factory(n)`` is scene n, in any process, in any order."""

    def __init__(self, recipe: SceneRecipe, *, workers: int = 1) -> None:
        """Opens the sources of objects; ``workers`` processes look at folders that were not looked at before.

        Raises:
            InputError: A folder without a usable mesh.
            ConfigError: An unknown option of a layout or renderer.
            BackendNotInstalledError: A layout or renderer needs a package that is missing.
        """
        self.recipe = recipe
        self.sources = [open_source(config, workers) for config in recipe.objects]
        self.objects = mixed(self.sources, recipe.objects)
        self.layouts = [open_layout(share) for share in recipe.layouts]
        self.viewpoints = Viewpoints(recipe.views)
        self.renderer = open_renderer(recipe.renderer, recipe.renderer_options)

    def __call__(self, index: int) -> MadeScene:
        """Scene ``index``.

        Raises:
            PlacementError: No draw out of ``recipe.tries`` gave a scene; the text counts the reasons.
        """
        recipe, redrawn = self.recipe, []
        # chosen once, so that layouts which often fail are not rarer
        weights = np.array([share.weight for share in recipe.layouts])
        which = rng_for(recipe.seed, index, "which layout").choice(len(weights), p=weights / weights.sum())
        layout = self.layouts[int(which)]
        for attempt in range(recipe.tries):
            rng = partial(rng_for, recipe.seed, index * recipe.tries + attempt)
            try:
                arrangement = layout.arrange(self._objects(layout, rng("objects")), rng("layout"))
                world = draw_world(arrangement, rng("surroundings"), recipe.surroundings)
                views = self._views(arrangement, world, index, rng("cameras"))
                enough = recipe.views.views if recipe.bins else 1  # else the bins would not be filled alike
                if len(views) >= enough:
                    return self._made(index, arrangement, views, redrawn)
                redrawn.append("too few views: an object is hidden in them, or none is in the wanted bin")
            except (PlacementError, InputError) as error:
                redrawn.append(str(error))
        reasons = "; ".join(f"{redrawn.count(r)} x {r}" for r in dict.fromkeys(redrawn))
        got = f"scene {index} given up after {recipe.tries} draws: {reasons}"
        raise PlacementError(expected("objects that can be arranged", got=got, remedy="loosen the layout or the views"))

    def _objects(self, layout: Layout, rng: np.random.Generator) -> list[DataObject]:
        """As many objects as the layout wants."""
        count = int(rng.integers(layout.count[0], layout.count[1] + 1))
        return [self.objects.get(self.objects.draw(rng)) for _ in range(count)]

    def _views(self, arrangement: Arrangement, world: World, index: int, rng: np.random.Generator) -> list[View]:
        """As many views as the recipe asks for; in place of one that is left out others are tried."""
        wanted, views = self.recipe.views.views, list[View]()
        for _ in range(ROUNDS if self.recipe.bins or self.recipe.views.mode == "random" else 1):
            cameras = self._cameras(arrangement, index, wanted - len(views), rng)
            views += [view for view in self.renderer.render(world, cameras) if self._suits(view, index)]
            if len(views) >= wanted:
                break
        return views[:wanted]

    def _cameras(self, arrangement: Arrangement, index: int, count: int, rng: np.random.Generator) -> Sequence[Camera]:
        """Cameras that may suit: what they see was looked at in a small picture first."""
        if self.recipe.bins and index % len(BINS) < len(BINS) - 1:  # of the last one random views are full
            bins = [index % len(BINS)] * count
            found = severe_views(arrangement, self.viewpoints, rng, bins, candidates=max(32, 10 * count))
            return [camera for camera in found if camera is not None]
        cameras = self.viewpoints.draw(arrangement, rng)
        if self.recipe.hidden == "drop":
            meshes = [o.mesh for o in arrangement.objects]
            seen = visibility(meshes, arrangement.S_world_obj, cameras).visible_fraction
            cameras = [cameras[int(i)] for i in drop_hidden(seen)]
        return cameras if self.recipe.views.mode != "random" else cameras[:count]

    def _suits(self, view: View, index: int) -> bool:
        """Whether something is seen, nothing fully hidden where the recipe says so, and the wanted bin is filled."""
        seen = view.visible_fraction > 0
        if not (seen.all() if self.recipe.hidden == "drop" else seen.any()):
            return False
        return not self.recipe.bins or bool(_in_bin(view, index).any())

    def _made(self, index: int, arrangement: Arrangement, views: Sequence[View], redrawn: Sequence[str]) -> MadeScene:
        points = np.stack([surface_points(o.mesh, self.recipe.points) for o in arrangement.objects])
        samples = tuple(
            self._sample(index, number, arrangement, view, points, redrawn) for number, view in enumerate(views)
        )
        return MadeScene(
            index=index,
            arrangement=arrangement,
            samples=samples,
            redrawn=tuple(redrawn),
            dropped_views=max(self.recipe.views.views - len(samples), 0),
        )

    def _sample(
        self,
        index: int,
        number: int,
        arrangement: Arrangement,
        view: View,
        points_obj: F32,
        redrawn: Sequence[str],
    ) -> SceneSample:
        T = view.camera.T_cam_world
        R_cam_obj = T[:3, :3] @ arrangement.R_world_obj
        extents = np.stack([o.mesh.extents for o in arrangement.objects])
        elevation = float(np.degrees(np.arcsin(np.clip(-T[2, 1], -1, 1))))
        return SceneSample(
            key=f"{index:06d}_{number:02d}",
            source=self.recipe.name,
            camera=view.camera,
            rgb=view.rgb,
            labels=view.labels,
            depth=view.depth,
            names=tuple(safe_name(o.key.replace("/", "_")) for o in arrangement.objects),
            object_labels=tuple(o.label for o in arrangement.objects),
            R_cam_obj=R_cam_obj,
            t_cam_obj=arrangement.t_world_obj @ T[:3, :3].T + T[:3, 3],
            size=arrangement.scale[:, None] * extents,
            scale=arrangement.scale,
            points_obj=points_obj,
            up_cam=T[:3, 1].copy(),
            amodal=view.amodal,
            normals_cam=view.normals_cam if self.recipe.normals else None,
            visible_fraction=view.visible_fraction,
            depth_scale="relative",
            info={
                "layout": arrangement.layout,
                "support": list(arrangement.support),
                "in_frame": [round(float(f), 4) for f in view.in_frame],
                "elevation_deg": round(elevation, 3),
                "objects": [f"{o.source}:{o.key}" for o in arrangement.objects],
                "seed": self.recipe.seed,
                "index": index,
                "view": number,
                "redrawn": list(redrawn),
                **({"chosen": self._chosen(view, index, number)} if self.recipe.bins else {}),
            },
        )

    def _chosen(self, view: View, index: int, number: int) -> int:
        """The object of a view that counts for its bin: one per view, so that the bins are filled alike."""
        candidates = np.flatnonzero(_in_bin(view, index))
        return int(candidates[number % len(candidates)])


def _in_bin(view: View, index: int) -> Bool:
    """(n,) whether objects are seen and fall into the bin of scene ``index``."""
    wanted = index % len(BINS)
    return np.array([f > 0 and bin_of(float(f)) == wanted for f in view.visible_fraction])


def open_objects(configs: Sequence[ObjectsFrom]) -> ObjectSource:
    """The sources that the configs name, as one.

    Raises:
        InputError: A folder without a usable mesh, or an unknown family.
    """
    return mixed([open_source(config) for config in configs], configs)


def mixed(sources: Sequence[ObjectSource], configs: Sequence[ObjectsFrom]) -> ObjectSource:
    """Sources as one, by the weights of their configs."""
    return sources[0] if len(sources) == 1 else MixedObjects(sources, [config.weight for config in configs])


def open_source(config: ObjectsFrom, workers: int = 1) -> ObjectSource:
    """The source that a config names.

    Raises:
        InputError: A folder without a usable mesh, or an unknown family.
    """
    if config.path == "procedural":
        from scenemaker.data.objects.procedural import ProceduralSource

        return ProceduralSource(config.families or None)
    from scenemaker.data.objects.folder import FolderSource

    return FolderSource(
        config.path,
        config.curation,
        color_space=config.color_space,
        cache_dir=default_cache_dir() / "scans",
        name=Path(config.path).name,
        workers=workers,
    )


def open_layout(share: LayoutShare) -> Layout:
    """The layout of a share, with its options.

    Raises:
        ConfigError: An unknown option or value.
    """
    keep = {"cache_dir": default_cache_dir() / "parts"} if share.name == "physics" else {}  # of convex parts
    return _opened(LAYOUTS[share.name], share.options, f"the layout {share.name}", **keep)


def open_renderer(name: str, options: dict[str, Any]) -> Renderer:
    """The renderer of a name, with its options.

    Raises:
        ConfigError: An unknown option or value.
        BackendNotInstalledError: Blender is not installed.
    """
    return _opened(RENDERERS[name], options, f"the renderer {name}")


def _opened(where: tuple[str, str, str], options: dict[str, Any], what: str, **keep: Any) -> Any:
    """A layout or renderer with its options."""
    module = import_module(f"scenemaker.data.{where[0]}")
    kind, config = (attrgetter(name)(module) for name in where[1:])
    try:
        return kind(config(**options), **keep)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(p) for p in first["loc"])
        got = f"{name} = {first.get('input')!r}: {first['msg']}"
        remedy = f"its options are: {', '.join(config.model_fields)}"
        raise ConfigError(expected(f"valid options of {what}", got=got, remedy=remedy)) from None
