"""Pairs with cast shadows: one light, one exposure, the others and their shadows gone, as much hidden as asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import trimesh

from scenemaker.data.framing import looking
from scenemaker.data.occlusion.cast_shadows import (
    ShadowPair,
    ShadowRecipe,
    alone,
    hiding_camera,
    make_shadow_pair,
    shadow_pair,
)
from scenemaker.data.render.fast import FastConfig, FastRenderer
from scenemaker.data.types import Arrangement, DataObject, Environment, Finish, Ground, Light, View, World
from scenemaker.errors import InputError, PlacementError
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster
from scenemaker.geometry.transforms import rigid, similarity

W, H = 96, 72


def thing(extents: tuple[float, float, float], key: str) -> DataObject:
    box = trimesh.creation.box(extents)
    mesh, _ = normalise(Mesh(vertices=np.asarray(box.vertices, np.float32), faces=np.asarray(box.faces, np.int32)))
    return DataObject(key=key, mesh=mesh, label=f"a {key}")


class Boxes:
    """A source of a cube and a wall."""

    name = "boxes"

    def __init__(self) -> None:
        self.things = {"cube": thing((1, 1, 1), "cube"), "wall": thing((1.0, 0.8, 0.15), "wall")}

    def draw(self, rng: np.random.Generator) -> str:
        return ("cube", "wall")[int(rng.integers(2))]

    def get(self, key: str) -> DataObject:
        return self.things[key]


def grey_of(mesh: Mesh) -> int:
    return round(60 + 100 * mesh.extents[2])


class Grey:
    """Renders every object in a grey of its own, without light, before white."""

    name = "grey"

    def render(self, world: World, cameras: Sequence[Camera]) -> list[View]:
        views = []
        for camera in cameras:
            caster = RayCaster(world.meshes, world.S_world_obj)
            r = caster.render(camera)
            greys = np.array([*(grey_of(m) for m in world.meshes), 255], np.uint8)  # index -1 is the last
            views.append(
                View(
                    camera=camera,
                    rgb=np.repeat(greys[r.index][..., None], 3, 2),
                    labels=(r.index + 1).astype(np.uint16),
                    depth=r.depth,
                    normals_cam=r.normals_cam,
                    amodal=np.stack([r.index == i for i in range(len(world.meshes))]),
                    in_frame=np.ones(len(world.meshes)),
                )
            )
        return views


def two_boxes(light: Sequence[float] = (0.0, 1.0, 0.0), *, bright_wall: bool = False) -> World:
    """A cube at the origin and a wall 0.9 before it (+z), on a grey ground under a dim sky and one sun."""
    source = Boxes()
    wall = source.get("wall").mesh
    if bright_wall:
        wall = Mesh(vertices=wall.vertices, faces=wall.faces, colors=np.full((len(wall.vertices), 3), 250, np.uint8))
    direction = np.asarray(light, np.float64)
    return World(
        meshes=(source.get("cube").mesh, wall),
        S_world_obj=np.stack([similarity(np.eye(3), [0, 0.5, 0]), similarity(np.eye(3), [0.3, 0.4, 0.9])]),
        finishes=(Finish(), Finish()),
        environment=Environment(radiance=np.full((8, 1, 3), 0.15, np.float32)),
        lights=(Light(direction_world=direction / np.linalg.norm(direction), irradiance=np.full(3, 2.5)),),
        ground=Ground(texture=np.full((4, 4, 3), 128, np.uint8), tile=1.0, radius=30.0),
    )


def camera_at(azimuth_deg: float, elevation_deg: float = 20.0, distance: float = 4.0) -> Camera:
    R = looking(elevation_deg, azimuth_deg)
    centre = np.array([0, 0.4, 0]) - distance * R[2]
    return Camera(K=K_from_fov(45, W, H), width=W, height=H, T_cam_world=rigid(R, -R @ centre))


def test_a_pair_shows_the_object_with_and_without_the_others() -> None:
    world, camera = two_boxes(), camera_at(10)
    for target in (0, 1):
        pair = shadow_pair(world, target, camera, Grey(), label="it", key="k")
        together = RayCaster(world.meshes, world.S_world_obj).render(camera).index
        single = RayCaster([world.meshes[target]], world.S_world_obj[target : target + 1]).render(camera).index
        assert np.array_equal(pair.mask_modal, together == target)
        assert np.array_equal(pair.mask_amodal, single == 0)
        assert (pair.target[pair.mask_amodal] == grey_of(world.meshes[target])).all()
        assert (pair.target[~pair.mask_amodal] == 255).all()
        assert (pair.image[pair.mask_modal] == grey_of(world.meshes[target])).all()
        assert pair.shaded == 0
        assert not (pair.mask_modal & ~pair.mask_amodal).any()
        assert pair.hidden == 1 - pair.mask_modal.sum() / pair.mask_amodal.sum()
        assert (pair.label, pair.key) == ("it", "k")
    assert shadow_pair(world, 0, camera, Grey()).hidden > 0.3
    assert shadow_pair(world, 1, camera, Grey()).hidden == 0


def test_the_shadow_of_the_others_goes() -> None:
    """The sun stands behind the wall (seen from the cube), the camera beside: the wall shades, hides nothing."""
    world, camera = two_boxes((0.2, 0.5, 1.0)), camera_at(75)
    pair = shadow_pair(world, 0, camera, FastRenderer(FastConfig(noise=0)))
    assert pair.hidden < 0.35
    assert pair.shaded > 0.1
    shaded = pair.mask_shaded
    assert not (shaded & ~pair.mask_modal).any()
    brighter = pair.target[shaded].astype(float).mean() - pair.image[shaded].mean()
    assert brighter > 10
    sideways = shadow_pair(two_boxes((1.0, 0.5, -1.0)), 0, camera, FastRenderer(FastConfig(noise=0)))
    assert sideways.shaded < 0.5 * pair.shaded  # the wall's shadow falls the other way


def test_both_pictures_are_exposed_alike() -> None:
    """A large bright wall would make an automatic exposure darker; far ground, which nothing shades, keeps its grey."""
    world, camera = two_boxes((0.0, 1.0, 0.1), bright_wall=True), camera_at(0, 30, 3.0)
    renderer = FastRenderer(FastConfig(noise=0, exposure_ev=0.5))
    pair = shadow_pair(world, 0, camera, renderer)
    far = np.zeros((H, W), bool)
    far[:8] = True
    assert np.abs(pair.image[far].astype(int) - pair.target[far]).max() <= 2
    own = renderer.render(alone(world, 0), [camera])[0].rgb  # by itself it would be exposed in another way
    assert np.abs(pair.image[far].astype(int) - own[far]).mean() > 3


def test_alone_keeps_all_else() -> None:
    world = two_boxes()
    one = alone(world, 1)
    assert one.meshes == (world.meshes[1],)
    assert np.array_equal(one.S_world_obj, world.S_world_obj[1:])
    assert one.finishes == (world.finishes[1],)
    assert (one.environment, one.lights, one.ground) == (world.environment, world.lights, world.ground)


def test_an_object_that_is_not_there() -> None:
    for target in (-1, 2):
        with pytest.raises(InputError) as error:
            shadow_pair(two_boxes(), target, camera_at(0), Grey())
        assert str(error.value) == f"expected an object in 0..1; got {target}; give its index"


@pytest.mark.parametrize("hidden", [(0.1, 0.3), (0.5, 0.7)])
def test_the_camera_hides_what_is_asked(hidden: tuple[float, float]) -> None:
    world = two_boxes()
    recipe = ShadowRecipe(width=W, height=H, hidden=hidden, cameras=100, elevation_deg=(8, 30))
    centres = []
    for seed in range(4):
        camera = hiding_camera(world, 0, recipe, np.random.default_rng(seed))
        pair = shadow_pair(world, 0, camera, Grey())
        assert hidden[0] - 0.03 <= pair.hidden <= hidden[1] + 0.03  # judged on a smaller picture
        edge = pair.mask_amodal.copy()
        edge[1:-1, 1:-1] = False
        assert not edge.any()  # all of it is in the picture
        rows, columns = np.flatnonzero(pair.mask_amodal.any(1)), np.flatnonzero(pair.mask_amodal.any(0))
        size = max(np.ptp(rows) / H, np.ptp(columns) / W)
        assert 0.37 < size < 0.78
        assert camera.centre_world[1] > 0
        centres.append(camera.centre_world)
    assert np.ptp(np.array(centres), 0).min() > 0.05


def test_what_cannot_be_hidden_is_told() -> None:
    recipe = ShadowRecipe(width=W, height=H, hidden=(0.98, 0.99), cameras=5)
    with pytest.raises(PlacementError) as error:
        hiding_camera(two_boxes(), 1, recipe, np.random.default_rng(0))
    text = str(error.value)
    assert text.startswith("expected a camera from which 98% to 99% are hidden; got ")
    assert text.endswith("% off at the nearest; draw another scene, or ask for a wider range")
    below = ShadowRecipe(width=W, height=H, hidden=(0.01, 0.99), elevation_deg=(-60, -50))
    with pytest.raises(
        PlacementError, match="expected a camera from which 1% to 99% are hidden; got none above the ground; draw"
    ):
        hiding_camera(two_boxes(), 0, below, np.random.default_rng(0))
    with pytest.raises(PlacementError, match="got an object alone"):
        hiding_camera(alone(two_boxes(), 0), 0, recipe, np.random.default_rng(0))


class Row:
    """Puts objects one behind the other on the ground."""

    name = "row"
    count = (2, 3)

    def arrange(self, objects: Sequence[DataObject], rng: np.random.Generator) -> Arrangement:
        n = len(objects)
        t = np.array([[0.2 * rng.uniform(-1, 1), o.mesh.extents[1] / 2, 1.2 * i] for i, o in enumerate(objects)])
        return Arrangement(
            objects=tuple(objects),
            R_world_obj=np.stack([np.eye(3)] * n),
            t_world_obj=t,
            scale=np.ones(n),
            support=(-1,) * n,
            layout="row",
        )


def equal(a: ShadowPair, b: ShadowPair) -> bool:
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("image", "target", "mask_modal", "mask_amodal"))


def test_pairs_depend_on_seed_and_index_alone() -> None:
    recipe = ShadowRecipe(width=W, height=H, hidden=(0.1, 0.8))
    make = lambda seed, index: make_shadow_pair(  # noqa: E731
        recipe, Boxes(), seed=seed, index=index, layout=Row(), renderer=Grey()
    )
    pairs = [make(1, i) for i in range(3)]
    assert equal(make(1, 2), pairs[2])
    assert not equal(make(2, 2), pairs[2])
    assert not equal(pairs[0], pairs[1])
    for pair in pairs:
        assert 0.05 < pair.hidden < 0.85
        assert pair.label == f"a {pair.key}"


def test_pairs_of_the_library() -> None:
    """With its own layout, renderer and surroundings, end to end, shaded as asked."""
    recipe = ShadowRecipe(width=48, height=36, objects=(2, 2), shaded=0.02)
    pair = make_shadow_pair(recipe, Boxes(), seed=0, index=0)
    assert pair.image.shape == (36, 48, 3)
    assert pair.shaded >= 0.02
    assert 0.05 < pair.hidden < 0.65


def test_recipes_that_cannot_be_met() -> None:
    with pytest.raises(InputError) as error:
        make_shadow_pair(ShadowRecipe(objects=(4, 6)), Boxes(), seed=0, index=0, layout=Row(), renderer=Grey())
    assert str(error.value) == (
        "expected two objects or more that layout row can arrange; got (4, 6) of (2, 3); change the recipe"
    )
    recipe = ShadowRecipe(width=W, height=H, hidden=(0.1, 0.8), shaded=0.9, tries=3)
    with pytest.raises(PlacementError) as error:
        make_shadow_pair(recipe, Boxes(), seed=0, index=5, layout=Row(), renderer=Grey())
    assert str(error.value).startswith("expected a scene for pair 5 among 3; got none (")
    assert str(error.value).endswith("); ask for wider ranges, or give other objects")
