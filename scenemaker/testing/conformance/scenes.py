"""Checks of scene generators and refiners."""

from __future__ import annotations

from scenemaker.editable import Scene
from scenemaker.scene import PlacedObject
from scenemaker.testing.conformance.geometry import check_obj_mesh, check_pose
from scenemaker.testing.conformance.subject import (
    BAD_ID,
    Subject,
    Variant,
    check_no_failures,
    check_results,
    demand,
    make_checks,
    sample_of,
)


def _placed(subject: Subject, variant: Variant = "landscape") -> list[PlacedObject]:
    return check_results(subject.result(variant), sample_of(variant).ids, PlacedObject, "PlacedObject")


def check_one_per_object(subject: Subject) -> None:
    """One object per instance, ids and order kept, of a wide and of a tall photo."""
    for variant in ("landscape", "portrait", "many"):
        _placed(subject, variant)
        check_no_failures(subject.result(variant))


def check_bad_object_alone(subject: Subject) -> None:
    """An object of which nothing is seen harms no other."""
    _placed(subject, "bad_object")
    check_no_failures([r for r in subject.result("bad_object") if r.id != BAD_ID])


def check_placed(subject: Subject) -> None:
    """Meshes in ``obj``, valid poses, size = scale * extents."""
    for variant in ("landscape", "many"):
        for o in _placed(subject, variant):
            _check_object(o)


SCENE_GENERATION = make_checks(check_one_per_object, check_bad_object_alone, check_placed)


def check_same_objects(subject: Subject) -> None:
    """The refined scene has the same ids, in the same order."""
    for variant in ("landscape", "many"):
        got, before = subject.result(variant), sample_of(variant).scene
        demand(isinstance(got, Scene), f"expected a Scene; got {type(got).__name__}")
        demand(
            list(got.objects) == list(before.objects), f"expected ids {list(before.objects)}; got {list(got.objects)}"
        )


def check_refined(subject: Subject) -> None:
    """Meshes in ``obj``, valid poses, size = scale * extents."""
    for o in subject.result().placed:
        _check_object(o)


def _check_object(o: PlacedObject) -> None:
    check_obj_mesh(o.mesh, o.id)
    if o.mesh is None or o.pose is None:
        demand(False, f"expected object {o.id} with mesh and pose; got {o.status}")
        return
    check_pose(o.pose, o.mesh)


REFINEMENT = make_checks(check_same_objects, check_refined)
