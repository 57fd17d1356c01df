"""``estimate_poses``: any mesh placed from a picture, masks and depth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from scenemaker import estimate_poses
from scenemaker.errors import ConfigError, InputError, StageError
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import ObjectFailure, ObjectGeometry, ObjectPose
from scenemaker.testing import make_sample


def given(sample: Any) -> dict[str, Any]:
    """What a user of another project has of a sample."""
    return {
        "image": sample.photo.rgb,
        "masks": sample.instances.labels,
        "depth": sample.point_map.depth,
        "K": sample.point_map.K,
        "scale_kind": "metric",
        "backend": "fit",
    }


def test_a_users_own_mesh_lands_where_the_picture_shows_it() -> None:
    sample = make_sample(1)
    mesh, pose = sample.geometries[0].mesh, sample.poses[0]
    S_mine_obj = transforms.similarity(transforms.axis_angle([0, 1, 0], 0.0), [3.0, -2.0, 7.0], 40.0)  # centimetres
    mine = Mesh(vertices=transforms.apply(S_mine_obj, mesh.vertices).astype(np.float32), faces=mesh.faces)
    (found,) = estimate_poses(**given(sample), meshes=[mine])
    assert found.pose is not None and found.status == "ok"
    placed = transforms.apply(found.S_cam_mesh, mine.vertices)
    truth = transforms.apply(pose.S_cam_obj(mesh.extents), mesh.vertices)
    # a box looks the same turned by half: compare as sets of corners
    gap = np.linalg.norm(placed[:, None] - truth[None], axis=-1).min(1)
    assert gap.max() < 0.05 * pose.size.max()


def test_only_objects_with_a_mesh_are_placed_in_the_order_of_the_objects() -> None:
    sample = make_sample(3)
    meshes = {"object_3": sample.geometries[2].mesh, 1: sample.geometries[0].mesh}
    found = estimate_poses(**given(sample), meshes=meshes)
    assert [(f.id, f.name) for f in found] == [(1, "object_1"), (3, "object_3")]


class _Fails:
    """Places the first object, and takes clouds."""

    def __init__(self) -> None:
        self.clouds: Any = None

    def estimate_poses(
        self, photo: Any, instances: Any, point_map: Any, views: Any, geometries: Sequence[ObjectGeometry], *,
        seed: int, clouds: Any = None,
    ) -> list[ObjectPose | ObjectFailure]:  # fmt: skip
        self.clouds = clouds
        first, *rest = geometries
        pose = ObjectPose(id=first.id, R_cam_obj=np.eye(3), t_cam_obj=np.ones(3), size=first.mesh.extents, scale=1.0)
        return [pose, *(ObjectFailure(id=g.id, error="no") for g in rest)]


def test_a_failure_ends_it_or_is_skipped() -> None:
    sample = make_sample(2)
    ask = given(sample) | {"backend": _Fails(), "meshes": [g.mesh for g in sample.geometries]}
    with pytest.raises(StageError, match=re.escape('object 2: no; give on_object_error="skip" to leave it out')):
        estimate_poses(**ask)
    good, bad = estimate_poses(**ask, on_object_error="skip")
    assert (good.status, bad.status, bad.pose, bad.notices) == ("ok", "skipped", None, ("no",))


def test_clouds_go_to_backends_that_take_them() -> None:
    sample = make_sample(2)
    backend, cloud = _Fails(), np.random.default_rng(0).random((50, 3))
    ask = given(sample) | {"meshes": [g.mesh for g in sample.geometries], "on_object_error": "skip"}
    estimate_poses(**ask | {"backend": backend}, clouds={"object_2": cloud})
    assert list(backend.clouds) == [2] and np.allclose(backend.clouds[2], cloud)
    with pytest.raises(ConfigError, match='expected a backend that takes clouds; got fit; use backend="pose-dit"'):
        estimate_poses(**ask, clouds={2: cloud})
    with pytest.raises(InputError, match=re.escape("the objects are: 1 (object_1), 2 (object_2)")):
        estimate_poses(**ask | {"backend": backend}, clouds={7: cloud})
    with pytest.raises(InputError, match=re.escape("expected points (m, 3) of object 2; got no finite point")):
        estimate_poses(**ask | {"backend": backend}, clouds={2: np.full((4, 3), np.nan)})


def test_no_mesh_is_told() -> None:
    with pytest.raises(InputError, match="expected meshes; got none; give one per object"):
        estimate_poses(**given(make_sample(1)))


def test_numbers_that_could_mean_two_things_are_refused() -> None:
    sample = make_sample(2)
    labels = np.where(sample.instances.labels == 2, 5, sample.instances.labels)
    ask = given(sample) | {"masks": labels}
    mesh = sample.geometries[0].mesh
    with pytest.raises(
        InputError,
        match=re.escape("expected label values 1, 2, ... where objects are given by number; got 1, 5; renumber"),
    ):
        estimate_poses(**ask, meshes={1: mesh})
    first, second = estimate_poses(**ask, meshes=[mesh, sample.geometries[1].mesh])
    assert (first.id, second.id) == (1, 2)


def test_what_was_assumed_is_told_with_every_object() -> None:
    sample = make_sample(2)
    ask = given(sample) | {"K": None, "meshes": [g.mesh for g in sample.geometries]}
    found = estimate_poses(**ask)
    assert all(any("field of view" in notice for notice in item.notices) for item in found)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"seed": -1}, "expected a seed of 0 or more; got -1; give 0, say"),
        ({"scale_kind": "mm"}, 'expected scale_kind "metric" or "relative"; got \'mm\'; leave it out'),
    ],
)
def test_wrong_values_are_told(wrong: dict[str, Any], text: str) -> None:
    sample = make_sample(1)
    with pytest.raises(InputError, match=re.escape(text)):
        estimate_poses(**given(sample) | wrong, meshes=[sample.geometries[0].mesh])
