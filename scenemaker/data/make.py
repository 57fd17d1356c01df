"""Scene n of a recipe: objects, layout, cameras, surroundings, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import Any

import numpy as np
from pydantic import ValidationError

from scenemaker.artefacts import safe_name
from scenemaker.cache import default_cache_dir
from scenemaker.data.objects.mixed import MixedObjects
from scenemaker.data.recipe import LAYOUTS, RENDERERS, LayoutShare, ObjectsFrom, SceneRecipe
from scenemaker.data.render.surroundings import draw_world
from scenemaker.data.types import Arrangement, DataObject, Layout, ObjectSource, Renderer, SceneSample, View, rng_for
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.data.visibility import BINS, bin_of, severe_views
from scenemaker.errors import ConfigError, InputError, PlacementError, expected
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import sample_surface
from scenemaker.scene import F32


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeScene:
    """One scene with all its views.

    Attributes:
        index: Its number.
        arrangement: Where its objects stand.
        samples: One per view.
        redrawn: Why earlier draws were dropped, one text each.
    """

    index: int
    arrangement: Arrangement
    samples: tuple[SceneSample, ...]
    redrawn: tuple[str, ...]


class SceneFactory:
    """Makes the scenes of a recipe: ``factory(n)`` is scene n, in any process, in any order."""

    def __init__(self, recipe: SceneRecipe) -> None:
        """Opens the sources of objects.

        Raises:
            InputError: A folder without a usable mesh.
            ConfigError: An unknown option of a layout or renderer.
            BackendNotInstalledError: A layout or renderer needs a package that is missing.
        """
        self.recipe = recipe
        self.objects = open_objects(recipe.objects)
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
                cameras = self._cameras(arrangement, index, rng("cameras"))
                world = draw_world(arrangement, rng("surroundings"), recipe.surroundings)
                views = [v for v in self.renderer.render(world, cameras) if self._wanted(v, index)]
                if views:
                    return self._made(index, arrangement, views, redrawn)
                redrawn.append("no view: an object is hidden in every one, or none is in the wanted bin")
            except (PlacementError, InputError) as error:
                redrawn.append(str(error))
        reasons = "; ".join(f"{redrawn.count(r)} x {r}" for r in dict.fromkeys(redrawn))
        got = f"scene {index} given up after {recipe.tries} draws: {reasons}"
        raise PlacementError(expected("objects that can be arranged", got=got, remedy="loosen the layout or the views"))

    def _objects(self, layout: Layout, rng: np.random.Generator) -> list[DataObject]:
        """As many objects as the layout wants."""
        count = int(rng.integers(layout.count[0], layout.count[1] + 1))
        return [self.objects.get(self.objects.draw(rng)) for _ in range(count)]

    def _cameras(self, arrangement: Arrangement, index: int, rng: np.random.Generator) -> Sequence[Camera]:
        if not self.recipe.bins:
            return self.viewpoints.draw(arrangement, rng)
        wanted = index % len(BINS)
        count = self.recipe.views.views
        views = severe_views(arrangement, self.viewpoints, rng, [wanted] * count, candidates=max(32, 10 * count))
        found = [camera for camera in views if camera is not None]
        if not found:
            low, high = BINS[wanted]
            what = f"a view with a visible fraction in [{low:g}, {high:g}]"
            raise PlacementError(expected(what, got="none among the candidates", remedy="objects are drawn again"))
        return found

    def _wanted(self, view: View, index: int) -> bool:
        """Whether something is seen, nothing fully hidden where the recipe says so, and the wanted bin is filled."""
        fractions = view.visible_fraction
        seen = fractions > 0
        if not (seen.all() if self.recipe.hidden == "drop" else seen.any()):
            return False
        return not self.recipe.bins or index % len(BINS) in {bin_of(float(f)) for f in fractions[seen]}

    def _made(self, index: int, arrangement: Arrangement, views: Sequence[View], redrawn: Sequence[str]) -> MadeScene:
        points = np.stack([surface_points(o, self.recipe.points) for o in arrangement.objects])
        samples = tuple(
            self._sample(index, number, arrangement, view, points, redrawn) for number, view in enumerate(views)
        )
        return MadeScene(index=index, arrangement=arrangement, samples=samples, redrawn=tuple(redrawn))

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
            },
        )


def surface_points(obj: DataObject, count: int) -> F32:
    """(count, 6) points and unit normals of the whole surface in ``obj``, evenly by area, in random order."""
    if not count:
        return np.zeros((0, 6), np.float32)
    points, face = sample_surface(obj.mesh, count)
    a, b, c = np.moveaxis(obj.mesh.triangles[face], 1, 0)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    order = np.random.default_rng(0).permutation(count)  # so that the first m are a sample as well
    return np.concatenate([points, normals], 1).astype(np.float32)[order]


def open_objects(configs: Sequence[ObjectsFrom]) -> ObjectSource:
    """The sources that the configs name, as one.

    Raises:
        InputError: A folder without a usable mesh, or an unknown family.
    """
    sources = [open_source(config) for config in configs]
    return sources[0] if len(sources) == 1 else MixedObjects(sources, [config.weight for config in configs])


def open_source(config: ObjectsFrom) -> ObjectSource:
    """The source that a config names.

    Raises:
        InputError: A folder without a usable mesh, or an unknown family.
    """
    if config.path == "procedural":
        from scenemaker.data.objects.procedural import ProceduralSource

        return ProceduralSource(config.families or None)
    from scenemaker.data.objects.folder import FolderSource

    return FolderSource(
        config.path, config.curation, color_space=config.color_space, cache_dir=default_cache_dir() / "scans"
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
