"""Pairs with cast shadows: an object on the ground behind others, and the same object alone.

In the first picture the others hide part of it and shade it and the ground around it; in the second they are gone, and
their shadows with them. A model that learns from such pairs takes away both.

Reference: HiScene, 3.3 and B.1 (objects at rest on the ground, random lamps). How much is hidden is not told
there; here the camera is chosen so that it is as much as asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.framing import framed, looking
from scenemaker.data.layouts.options import PositiveSpan, Span
from scenemaker.data.render.surroundings import SurroundingsConfig, draw_world
from scenemaker.data.types import Layout, ObjectSource, Renderer, World, rng_for
from scenemaker.data.visibility import visibility
from scenemaker.errors import InputError, PlacementError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.scene import U8, Bool

SHADE_LEVELS = 8  # a pixel that differs by more in some channel is shaded


class ShadowRecipe(BaseModel, frozen=True, extra="forbid"):
    """How pairs with cast shadows are made."""

    width: int = Field(default=512, ge=16, le=4096, description="Of the pictures, in pixels.")
    height: int = Field(default=512, ge=16, le=4096, description="Of the pictures, in pixels.")
    objects: tuple[int, int] = Field(
        default=(2, 4), description="Least and greatest number of objects, as far as the layout allows."
    )
    hidden: PositiveSpan = Field(
        default=(0.1, 0.6), description="Least and greatest share of the object that the others hide."
    )
    shaded: float = Field(
        default=0.0, ge=0, lt=1, description="Share of what is seen of the object that their shadows change at least."
    )
    elevation_deg: Span = Field(default=(5.0, 40.0), description="How far the camera looks down.")
    fov_deg: PositiveSpan = Field(default=(30.0, 60.0), description="Field of view across the picture.")
    fill: PositiveSpan = Field(default=(0.4, 0.75), description="Size of the object over that of the picture.")
    cameras: int = Field(default=24, ge=1, description="Cameras that are tried per object.")
    tries: int = Field(default=20, ge=1, description="Scenes that are tried per pair.")


@dataclass(frozen=True, eq=False, kw_only=True)
class ShadowPair:
    """One object with and without what hides and shades it.

    Attributes:
        image: (H, W, 3) uint8 sRGB with the others.
        target: (H, W, 3) uint8 sRGB, the object alone on the ground.
        mask_modal: (H, W) bool, what is seen of it in ``image``.
        mask_amodal: (H, W) bool, all of it, as in ``target``.
        camera: Of both.
        label: What it is, when known.
        key: Of the object in its source.
    """

    image: U8
    target: U8
    mask_modal: Bool
    mask_amodal: Bool
    camera: Camera
    label: str | None = None
    key: str = ""

    @property
    def hidden(self) -> float:
        """Share of the object's pixels that the others hide."""
        return 1 - float(self.mask_modal.sum() / max(self.mask_amodal.sum(), 1))

    @property
    def mask_shaded(self) -> Bool:
        """(H, W) what is seen of the object and has another colour without the others, on the mean of 3x3 pixels."""
        import cv2

        seen = self.mask_modal[..., None].astype(np.float32)
        change = cv2.blur((self.image.astype(np.float32) - self.target) * seen, (3, 3))
        change = np.abs(change).max(2) / np.maximum(cv2.blur(seen, (3, 3)), 1e-6)  # the renderer's noise goes
        return self.mask_modal & (change > SHADE_LEVELS)

    @property
    def shaded(self) -> float:
        """Share of what is seen that the others shade."""
        return float(self.mask_shaded.sum() / max(self.mask_modal.sum(), 1))


def shadow_pair(
    world: World, target: int, camera: Camera, renderer: Renderer, *, label: str | None = None, key: str = ""
) -> ShadowPair:
    """The pair of one object: all of the world, then this object alone under the same light.

    Args:
        world: With the others.
        target: Index of the object.
        camera: Of both pictures.
        renderer: Takes them, the second exposed as the first.
        label, key: Of the object.

    Raises:
        InputError: No such object.
    """
    if not 0 <= target < len(world.meshes):
        raise InputError(expected(f"an object in 0..{len(world.meshes) - 1}", got=target, remedy="give its index"))
    with_others = renderer.render(world, [camera])[0]
    without = renderer.render(replace(alone(world, target), exposure=with_others.exposure), [camera])[0]
    return ShadowPair(
        image=with_others.rgb,
        target=without.rgb,
        mask_modal=with_others.labels == target + 1,
        mask_amodal=without.labels == 1,
        camera=camera,
        label=label,
        key=key,
    )


def alone(world: World, i: int) -> World:
    """The same world with one object only."""
    return replace(
        world, meshes=(world.meshes[i],), S_world_obj=world.S_world_obj[i : i + 1], finishes=(world.finishes[i],)
    )


def hiding_camera(world: World, target: int, recipe: ShadowRecipe, rng: np.random.Generator) -> Camera:
    """A camera with all of an object in its picture, and as much of it hidden by others as the recipe asks for.

    Raises:
        PlacementError: None of the cameras that were tried.
    """
    centres = world.S_world_obj[:, :3, 3]
    others = [i for i in range(len(centres)) if i != target]
    points = transforms.apply(world.S_world_obj[target], world.meshes[target].vertices)
    nearest = np.inf
    for _ in range(recipe.cameras if others else 0):
        towards = centres[others[int(rng.integers(len(others)))]] - centres[target]
        azimuth_deg = np.degrees(np.arctan2(towards[0], towards[2])) + rng.normal(0, 20)  # the other stands before it
        camera = framed(
            points,
            looking(rng.uniform(*recipe.elevation_deg), azimuth_deg),
            K_from_fov(rng.uniform(*recipe.fov_deg), recipe.width, recipe.height),
            (recipe.width, recipe.height),
            fill=rng.uniform(*recipe.fill),
            shift=tuple(rng.uniform(-0.5, 0.5, 2).tolist()),
        )
        if camera.centre_world[1] <= 0:
            continue
        found = visibility(world.meshes, world.S_world_obj, [camera])
        hidden = 1 - float(found.visible_fraction[0, target])
        if recipe.hidden[0] <= hidden <= recipe.hidden[1]:
            return camera
        nearest = min(nearest, max(recipe.hidden[0] - hidden, hidden - recipe.hidden[1]))
    low, high = recipe.hidden
    reason = f"{nearest:.0%} off at the nearest" if np.isfinite(nearest) else "none above the ground"
    got = reason if others else "an object alone"
    remedy = "draw another scene, or ask for a wider range"
    raise PlacementError(expected(f"a camera from which {low:.0%} to {high:.0%} are hidden", got=got, remedy=remedy))


def make_shadow_pair(
    recipe: ShadowRecipe,
    objects: ObjectSource,
    *,
    seed: int,
    index: int,
    layout: Layout | None = None,
    renderer: Renderer | None = None,
    surroundings: SurroundingsConfig | None = None,
) -> ShadowPair:
    """Pair ``index`` of a seed: the same whatever was made before.

    Args:
        recipe: What to make.
        objects: Source of objects.
        seed, index: Of the pair.
        layout: Arranges them; on a plane when none is given.
        renderer: Takes the pictures; the fast one when none is given.
        surroundings: The ground and the light.

    Raises:
        PlacementError: No scene that was tried has an object hidden and shaded as asked.
    """
    if layout is None:
        from scenemaker.data.layouts.plane import PlaneLayout

        layout = PlaneLayout(PlaneLayout.Config(spacing=(0.0, 0.2)))
    if renderer is None:
        from scenemaker.data.render.fast import FastRenderer

        renderer = FastRenderer()
    least, most = max(recipe.objects[0], layout.count[0], 2), min(recipe.objects[1], layout.count[1])
    if most < least:
        what = f"two objects or more that layout {layout.name} can arrange"
        raise InputError(expected(what, got=f"{recipe.objects} of {layout.count}", remedy="change the recipe"))
    failed = ""
    for attempt in range(recipe.tries):
        rng = rng_for(seed, index * recipe.tries + attempt, "shadow pair")
        try:
            drawn = [objects.get(objects.draw(rng)) for _ in range(int(rng.integers(least, most + 1)))]
            world = draw_world(layout.arrange(drawn, rng), rng, surroundings)
            target = int(rng.integers(len(drawn)))
            camera = hiding_camera(world, target, recipe, rng)
        except PlacementError as error:
            failed = str(error)
            continue
        thing = drawn[target]
        pair = shadow_pair(world, target, camera, renderer, label=thing.label, key=thing.key)
        if pair.shaded >= recipe.shaded and pair.mask_modal.any():
            return pair
        failed = f"{pair.shaded:.0%} shaded"
    what = f"a scene for pair {index} among {recipe.tries}"
    raise PlacementError(expected(what, got=f"none ({failed})", remedy="ask for wider ranges, or give other objects"))
