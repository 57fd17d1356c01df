"""What the physics layout promises: on the ground, in contact, apart, repeatable; or an error that says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenemaker.data.layouts.boxes import hull_points
from scenemaker.data.layouts.decomposition import PartsConfig
from scenemaker.data.layouts.mujoco_world import RigidWorld
from scenemaker.data.layouts.parts_store import PartsStore
from scenemaker.data.layouts.physics import PhysicsLayout
from scenemaker.data.penetration import gaps, ground_penetration, scene_penetration
from scenemaker.data.types import GROUND, Arrangement, DataObject, rng_for
from scenemaker.errors import InputError, PlacementError
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import normalise
from scenemaker.inputs.mesh_files import load_mesh
from tests.data import physics_shapes as shapes

SHARED = Path(__file__).resolve().parents[3] / "shared" / "assets" / "val"
SHARED_PARTS = PartsStore(PartsConfig())  # made once for all tests
MODES = ["rest", "pile", "mixed"]


def things() -> list[DataObject]:
    return shapes.objects(shapes.table(), shapes.cube(), shapes.slab(), shapes.tray(), shapes.ball())


def layout(mode: str, **options: object) -> PhysicsLayout:
    made = PhysicsLayout(PhysicsLayout.Config.model_validate({"mode": mode, **options}))
    made.parts = SHARED_PARTS
    return made


def check(a: Arrangement) -> None:
    """The promises, from the outside."""
    depth = scene_penetration(a) / np.minimum(a.scale[:, None], a.scale)
    assert depth.max() <= 0.01
    assert ground_penetration(a).max() < 1e-9
    assert (gaps(a) <= 0.01 * a.scale).all()
    low, high = a.boxes_world[:, 0].min(0), a.boxes_world[:, 1].max(0)
    assert (low + high)[[0, 2]] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(a.R_world_obj @ a.R_world_obj.swapaxes(1, 2) - np.eye(3), 0, atol=1e-9)
    assert any(s == GROUND for s in a.support)
    assert all(s != i and -1 <= s < len(a) for i, s in enumerate(a.support))


@pytest.mark.parametrize("mode", MODES)
def test_scenes_keep_the_promises(mode: str) -> None:
    made = layout(mode)
    for k in range(2):
        a = made.arrange(things(), rng_for(5, k, "layout"))
        check(a)
        assert a.layout == f"physics {mode}"
        assert a.tries >= 1
        assert ((a.scale >= 0.35) & (a.scale <= 1.2)).all()


def test_scenes_of_the_wild_keep_them_too() -> None:
    files = sorted(SHARED.glob("*.glb"), key=lambda f: (f.stat().st_size, f.name))[20:80:30] if SHARED.is_dir() else []
    wild = [DataObject(key=f.stem, mesh=normalise(load_mesh(f, color_space="srgb"))[0]) for f in files]
    check(layout("mixed").arrange([*wild, *things()], rng_for(1, 1, "layout")))


@pytest.mark.parametrize("mode", MODES)
def test_equal_state_gives_equal_bytes(mode: str) -> None:
    a, b = (layout(mode).arrange(things()[:4], rng_for(2, 9, "layout")) for _ in range(2))
    assert a.R_world_obj.tobytes() == b.R_world_obj.tobytes()
    assert a.t_world_obj.tobytes() == b.t_world_obj.tobytes()
    assert (a.scale.tobytes(), a.support, a.tries) == (b.scale.tobytes(), b.support, b.tries)
    other = layout(mode).arrange(things()[:4], rng_for(2, 10, "layout"))
    assert other.t_world_obj.tobytes() != a.t_world_obj.tobytes()


def test_a_used_layout_gives_the_same_as_a_fresh_one() -> None:
    used = layout("pile")
    used.arrange(things()[:3], rng_for(0, 0, "layout"))
    a, b = (one.arrange(things()[:3], rng_for(0, 1, "layout")) for one in (used, layout("pile")))
    assert a.t_world_obj.tobytes() == b.t_world_obj.tobytes()


def test_at_rest_is_on_the_ground_side_by_side() -> None:
    cubes = shapes.objects(*[shapes.cube()] * 4)
    upright = {"upright": 1.0, "tilted": 0.0, "tumbled": 0.0}
    a = layout("rest", orientation=upright, drop=(0.01, 0.02)).arrange(cubes, rng_for(3, 3, "layout"))
    assert a.support == (GROUND,) * 4
    np.testing.assert_allclose(a.t_world_obj[:, 1], a.scale / 2, atol=2e-3)
    np.testing.assert_allclose(a.R_world_obj[:, 1, 1], 1, atol=1e-4)


def test_piles_heap_up_where_rest_does_not() -> None:
    cubes = shapes.objects(*[shapes.slab()] * 6)
    share = {}
    for mode in ("rest", "pile", "mixed"):
        runs = [layout(mode).arrange(cubes, rng_for(4, k, "layout")) for k in range(4)]
        share[mode] = np.mean([s >= 0 for a in runs for s in a.support])
    assert share["pile"] > 0.25
    assert share["mixed"] > 0.25
    assert share["rest"] < 0.1


def test_a_tolerance_that_cannot_be_met_says_what_came() -> None:
    with pytest.raises(PlacementError) as error:
        layout("rest", gap=1e-12, throws=2).arrange(things()[:2], rng_for(0, 0, "layout"))
    start = "thing_0, thing_1 in physics after 2 throws: expected a gap of at most 1e-12; got 0.00"
    assert str(error.value).startswith(start)
    assert str(error.value).endswith("; draw other objects, or allow more")


def test_penetration_beyond_its_tolerance_is_refused() -> None:
    with pytest.raises(PlacementError, match="expected a penetration of at most 1e-09; got "):
        layout("pile", penetration=1e-9, gap=1.0, throws=1).arrange(things(), rng_for(1, 0, "layout"))


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_let_go_inside_of_what_lies_there(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, let_go = shapes.objects(*[shapes.slab(), shapes.cube()] * 3), []
    hulls = [hull_points(o.mesh) for o in made]
    release, worlds = RigidWorld.release, []

    def watched(world: RigidWorld, i: int, R_world_obj: F64, t_world_obj: F64) -> None:
        if world not in worlds:
            let_go.clear()
            worlds.append(world)
        R, t = world.poses()
        R[i], t[i] = R_world_obj, t_world_obj
        corners = [world.scale[j] * hulls[j] @ R[j].T + t[j] for j in (*let_go, i)]
        low, high = np.array([c.min(0) for c in corners]), np.array([c.max(0) for c in corners])
        assert ((low[:-1] >= high[-1]) | (high[:-1] <= low[-1])).any(1).all()
        assert low[-1, 1] > 0
        let_go.append(i)
        release(world, i, R_world_obj, t_world_obj)

    monkeypatch.setattr(RigidWorld, "release", watched)
    layout(mode).arrange(made, rng_for(6, 0, "layout"))
    assert sorted(let_go) == [0, 1, 2, 3, 4, 5]


def test_a_scene_that_runs_apart_is_refused() -> None:
    with pytest.raises(PlacementError, match="expected a spread of at most 0.3; got "):
        layout("rest", spread=0.3, throws=1).arrange(things()[:3], rng_for(0, 0, "layout"))


def test_throws_that_do_not_settle_are_counted() -> None:
    with pytest.raises(PlacementError, match="^thing_0, thing_1 in physics after 2 throws: expected objects at rest"):
        layout("rest", engine={"seconds": 0.1}, throws=2).arrange(things()[:2], rng_for(0, 0, "layout"))


def test_too_few_or_too_many_objects_are_refused() -> None:
    with pytest.raises(InputError) as error:
        layout("rest").arrange(things()[:1], rng_for(0, 0, "layout"))
    text = "expected 2 to 8 objects for the layout physics; got 1; give as many, or set its count"
    assert str(error.value) == text


def test_flat_and_thin_objects_settle() -> None:
    a = layout("mixed").arrange(shapes.objects(shapes.sheet(), shapes.needle(), shapes.cube()), rng_for(8, 0, "layout"))
    check(a)
