"""Convex parts contain the mesh, leave its hollows free, and are kept by content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from scenemaker.data.layouts import decomposition, parts_store
from scenemaker.data.layouts.decomposition import THIN, PartsConfig, convex_parts
from scenemaker.data.layouts.parts_store import PartsStore
from scenemaker.data.solid import Solid
from scenemaker.errors import InputError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface
from tests.data import physics_shapes as shapes

ALL = [shapes.cube, shapes.ball, shapes.table, shapes.bowl, shapes.sheet, shapes.needle]
QUICK = PartsConfig(pocket=0.06)


def outside(parts: tuple[F64, ...], points: F64) -> F64:
    """(n,) how far points are outside of the nearest part; negative inside."""
    planes = [ConvexHull(p).equations for p in parts]
    return np.min([(points @ e[:, :3].T + e[:, 3]).max(1) for e in planes], 0)


@pytest.mark.parametrize("shape", ALL)
@pytest.mark.parametrize("turned", [False, True])
def test_parts_contain_the_surface(shape: Callable[[], Mesh], turned: bool) -> None:
    mesh = shape()
    if turned:
        mesh = normalise(mesh.transformed(transforms.rigid(transforms.axis_angle([3, 1, 2], 1), [0, 0, 0])))[0]
    parts = convex_parts(mesh, QUICK)
    assert outside(parts, mesh.vertices.astype(np.float64)).max() < 2e-5
    assert outside(parts, sample_surface(mesh, 2000)[0]).max() < 2e-5


@pytest.mark.parametrize("shape", [shapes.cube, shapes.ball])
def test_a_convex_mesh_is_one_part(shape: Callable[[], Mesh]) -> None:
    parts = convex_parts(shape())
    assert len(parts) == 1
    assert ConvexHull(parts[0]).volume == pytest.approx(shape().volume(), rel=1e-3)


def test_a_table_is_its_top_and_legs() -> None:
    parts = convex_parts(shapes.table())
    assert len(parts) == 5
    total = sum(ConvexHull(p).volume for p in parts)
    assert total == pytest.approx(0.1 + 4 * 0.009, rel=0.05)
    assert outside(parts, np.array([[0.0, 0.3, 0.0], [0.0, -0.5, 0.0], [0.4, -0.4, 0.0]])).min() > 0.04


@pytest.mark.parametrize("shape", [shapes.table, shapes.bowl])
@pytest.mark.parametrize("pocket", [0.05, 0.1])
def test_no_hull_spans_a_deeper_pocket_than_allowed(shape: Callable[[], Mesh], pocket: float) -> None:
    solid = Solid(shape())
    for part in convex_parts(shape(), PartsConfig(pocket=pocket, most=64)):
        hull = ConvexHull(part)
        w = np.random.default_rng(1).dirichlet(np.ones(3), (len(hull.simplices), 50))
        points = np.einsum("fkc,fcd->fkd", w, part[hull.simplices]).reshape(-1, 3)
        points = points[~solid.inside(points)]
        assert solid.distance(points).max() < 1.15 * pocket  # it was measured at other points


def test_a_bowl_can_be_filled() -> None:
    parts = convex_parts(shapes.bowl(), QUICK)
    assert outside(parts, np.array([[0.0, -0.1, 0.0], [0.0, 0.2, 0.0], [0.2, 0.1, -0.1]])).min() > 0.05


def test_there_are_no_more_parts_than_asked_for() -> None:
    assert len(convex_parts(shapes.bowl(), PartsConfig(pocket=0.001, most=7))) <= 7


@pytest.mark.parametrize("shape", [shapes.sheet, shapes.needle])
def test_flat_parts_are_thickened(shape: Callable[[], Mesh]) -> None:
    (part,) = convex_parts(shape())
    spread = np.linalg.svd(part - part.mean(0), full_matrices=False)[2] @ part.T
    assert np.ptp(spread, axis=1).min() >= 0.9 * THIN
    assert outside((part,), np.zeros((1, 3))).max() < -0.45 * THIN


def test_equal_meshes_have_equal_parts() -> None:
    a, b = convex_parts(shapes.tray()), convex_parts(shapes.tray())
    assert [p.tobytes() for p in a] == [p.tobytes() for p in b]


def test_too_many_faces_name_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decomposition, "MAX_FACES", 10)
    with pytest.raises(InputError) as error:
        convex_parts(shapes.cube(), name="chair_7")
    remedy = "simplify it; 50,000 keep the look of an object in a scene"
    assert str(error.value) == f"expected a mesh of at most 10 faces; got chair_7: 12; {remedy}"


def test_a_million_faces_are_refused_at_once() -> None:
    mesh = Mesh(vertices=shapes.cube().vertices, faces=np.tile(shapes.cube().faces, (90_000, 1)))
    with pytest.raises(InputError, match="^expected a mesh of at most 500000 faces; got big: 1080000; simplify it"):
        convex_parts(mesh, name="big")


def test_a_mesh_without_area_names_the_object() -> None:
    line = Mesh(vertices=np.array([[0, 0, 0], [1, 0, 0], [0.5, 0, 0]]), faces=np.array([[0, 1, 2]]))
    with pytest.raises(InputError) as error:
        convex_parts(line, name="line_3")
    assert str(error.value) == "line_3: expected a mesh with an area; got only degenerate faces; check the file"


def test_parts_are_made_once_per_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(mesh: Mesh, config: PartsConfig, *, name: str) -> tuple[F64, ...]:
        made.append(name)
        return convex_parts(mesh, config, name=name)

    monkeypatch.setattr(parts_store, "convex_parts", counted)
    first, second = shapes.objects(shapes.table(), shapes.table())
    store = PartsStore(PartsConfig(), tmp_path)
    a, b = store.get(first), store.get(second)
    again = PartsStore(PartsConfig(), tmp_path).get(first)
    alone = PartsStore(PartsConfig()).get(first)
    assert made == ["thing_0", "thing_0"]  # once for the disk, once for the store without one
    for other in (b, again, alone):
        assert [p.tobytes() for p in other] == [p.tobytes() for p in a]
    PartsStore(PartsConfig(pocket=0.1), tmp_path).get(first)
    PartsStore(PartsConfig(), tmp_path).get(shapes.objects(shapes.cube())[0])
    assert len(made) == 4  # other options and other content are other parts
