"""Every family: whole, of its size, repeatable, varied; and the errors a user can meet."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from scenemaker.data.objects.procedural import ProceduralSource, family_names
from scenemaker.data.objects.procedural.families import FAMILIES
from scenemaker.data.objects.procedural.source import parts_of
from scenemaker.errors import InputError
from scenemaker.geometry.mesh import Mesh, sample_surface

SOME = ("table/1", "plant/2", "house/3", "rock/4", "vase/5")


def digest(mesh: Mesh) -> str:
    """Of all bytes of a mesh."""
    arrays = (mesh.vertices, mesh.faces, mesh.uv, mesh.texture, mesh.colors)
    return hashlib.sha256(b"|".join(b"-" if a is None else a.tobytes() for a in arrays)).hexdigest()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_family_is_made_of_closed_outward_parts(family: str) -> None:
    for number in (0, 1):
        parts = parts_of(family, np.random.default_rng([7, number]))
        faces = sum(len(p.faces) for p in parts)
        assert 80 <= faces <= 9000
        for part in parts:
            mesh = part.mesh()
            assert mesh.is_closed()
            assert mesh.volume() > 0
            assert len(set(part.at.tolist())) == len(part.points)
            assert part.shade is None or part.shade.shape == (len(part.points),)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_object_is_canonical_and_painted(family: str) -> None:
    source = ProceduralSource()
    for number in (11, 12):
        thing = source.get(f"{family}/{number}")
        assert (thing.key, thing.label, thing.source) == (f"{family}/{number}", family, "procedural")
        low, high = thing.mesh.bounds
        np.testing.assert_allclose(low, -high, atol=1e-6)
        assert thing.mesh.extents.max() == pytest.approx(1, abs=1e-6)
        mesh = thing.mesh
        assert (mesh.colors is None) == (mesh.texture is not None) == (mesh.uv is not None)


def test_there_are_many_families_in_order() -> None:
    names = family_names()
    assert len(names) >= 60
    assert list(names) == sorted(names)
    assert ProceduralSource().families == names


def test_equal_keys_give_equal_bytes_whatever_came_before() -> None:
    forth = [digest(ProceduralSource().get(k).mesh) for k in SOME]
    source = ProceduralSource(["chair"])
    back = [digest(source.get(k).mesh) for k in reversed(SOME)]
    assert forth == back[::-1]
    assert len(set(forth)) == len(SOME)


def test_equal_keys_give_equal_bytes_in_another_process(tmp_path: Path) -> None:
    code = f"""
import json, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_procedural_source import ProceduralSource, digest
print(json.dumps([digest(ProceduralSource().get(k).mesh) for k in {SOME!r}]))
"""
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [digest(ProceduralSource().get(k).mesh) for k in SOME]


def test_textures_change_the_coat_and_not_the_shape() -> None:
    on, off = ProceduralSource(), ProceduralSource(textures=False)
    textured = 0
    for number in range(30):
        key = f"{family_names()[2 * number]}/{number}"
        a, b = on.get(key).mesh, off.get(key).mesh
        assert b.texture is None and b.colors is not None
        np.testing.assert_array_equal(a.triangles, b.triangles)
        textured += a.texture is not None
        if a.texture is not None:
            assert a.texture.dtype == np.uint8
            assert max(a.texture.shape) <= 800
    assert 12 <= textured <= 26  # about two in three


def test_draw_gives_keys_of_the_families_asked_for() -> None:
    source = ProceduralSource(["vase", "chess piece"])
    rng = np.random.default_rng(3)
    keys = [source.draw(rng) for _ in range(200)]
    counts = [sum(k.startswith(f) for k in keys) for f in ("vase/", "chess piece/")]
    assert sum(counts) == 200
    assert min(counts) > 70
    assert len(set(keys)) > 195
    assert source.get(keys[0]).key == keys[0]
    assert [source.draw(np.random.default_rng(5)) for _ in range(2)] == [source.draw(np.random.default_rng(5))] * 2


def test_no_two_draws_of_a_family_are_alike() -> None:
    """Apart in shape by more than two samplings of one and the same object are."""
    source = ProceduralSource(textures=False)
    for family in ("chair", "vase", "lamp", "animal", "rock", "car"):
        meshes = [source.get(f"{family}/{n}").mesh for n in range(8)]
        clouds = [sample_surface(m, 2500, seed=n)[0] for n, m in enumerate(meshes)]
        trees = [cKDTree(c) for c in clouds]
        floors = [t.query(sample_surface(m, 2500, seed=99)[0])[0].mean() for t, m in zip(trees, meshes)]
        ratios = [
            (trees[i].query(clouds[j])[0].mean() + trees[j].query(clouds[i])[0].mean()) / 2 / max(floors[i], floors[j])
            for i in range(8)
            for j in range(i)
        ]
        assert min(ratios) > 1.1
        assert np.median(ratios) > 2


def test_families_change_in_what_they_are_made_of() -> None:
    kinds = {}
    for family in FAMILIES:
        made = (parts_of(family, np.random.default_rng([3, n])) for n in range(6))
        kinds[family] = len({tuple(len(p.faces) for p in parts) for parts in made})
    assert min(kinds.values()) >= 2
    assert np.mean(list(kinds.values())) > 4


def test_things_stand_upright() -> None:
    """y is up: what has a foot is heavier below, and what is tall is tall in y."""
    source = ProceduralSource(textures=False)
    for family in ("bookcase", "tower", "bottle", "figure"):
        for n in range(4):
            x, y, z = source.get(f"{family}/{n}").mesh.extents
            assert y > 0.8 * max(x, z) or family == "bookcase"
    for n in range(6):
        points, _ = sample_surface(source.get(f"table/{n}").mesh, 4000)
        top = points[points[:, 1] > points[:, 1].max() - 0.15 * np.ptp(points[:, 1])]
        assert np.ptp(top[:, 0]) > 0.97 * np.ptp(points[:, 0]) - 0.35
        assert len(top) > 0.25 * len(points)


@pytest.mark.parametrize(
    ("asked", "hint"), [("chiar", "did you mean 'chair'? "), ("zzz", ""), ("Table", "did you mean 'table'? ")]
)
def test_unknown_family_says_which_there_are(asked: str, hint: str) -> None:
    known = ", ".join(family_names())
    text = f"expected a family of procedural objects; got {asked!r}; {hint}give one of {known}"
    with pytest.raises(InputError) as error:
        ProceduralSource(["table", asked])
    assert str(error.value) == text
    with pytest.raises(InputError) as error:
        ProceduralSource().get(f"{asked}/3")
    assert str(error.value) == text


@pytest.mark.parametrize("key", ["table", "table/", "/3", "table/-1", "table/x", "table/3.0", "", "table/٣"])
def test_what_is_not_a_key_says_what_is(key: str) -> None:
    with pytest.raises(InputError) as error:
        ProceduralSource().get(key)
    assert str(error.value) == f"expected a key like table/482913; got {key!r}; give family/number"


def test_no_families_is_an_error() -> None:
    with pytest.raises(InputError) as error:
        ProceduralSource([])
    assert str(error.value) == "expected at least one family; got none; leave `families` out for all"
