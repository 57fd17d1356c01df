"""The kit bites: for every check a backend that does just this one thing wrong, and the text it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, Field

from scenemaker import registry
from scenemaker.scene import Instance, Instances, ObjectFailure, ObjectPose
from scenemaker.testing import (
    ConformanceError,
    Subject,
    TinyDeoccluder,
    TinyDepth,
    TinyGenerator,
    TinyModel,
    TinyPose,
    TinyRefiner,
    TinySceneGenerator,
    TinySegmenter,
    box_mesh,
    check_backend,
    checks,
)


class NoDoc(TinyGenerator):
    pass


NoDoc.__doc__ = None


class NoVersion(TinyGenerator):
    """Has no version."""

    version = None  # type: ignore[assignment]


class NoLicence(TinyGenerator):
    """Has no licence."""

    licence = ""


class LooseRequires(TinyGenerator):
    """Names its modules in one string."""

    requires = "torch"  # type: ignore[assignment]


class _Open(BaseModel, frozen=True):
    fail_ids: tuple[int, ...] = Field((), description="d")


class _Mute(BaseModel, frozen=True, extra="forbid"):
    fail_ids: tuple[int, ...] = ()


class _Thawed(BaseModel, extra="forbid"):
    fail_ids: tuple[int, ...] = Field((), description="d")


class OpenConfig(TinyPose):
    """Takes any option."""

    Config = _Open  # type: ignore[assignment]


class MuteConfig(TinyPose):
    """Does not describe its options."""

    Config = _Mute  # type: ignore[assignment]


class ThawedConfig(TinyPose):
    """Lets its config be changed."""

    Config = _Thawed  # type: ignore[assignment]


class NoSeed(TinyGenerator):
    """Takes no seed."""

    def generate(self, views):  # type: ignore[no-untyped-def,override]
        return super().generate(views, seed=0)


class OtherVerb:
    """Has another verb."""

    version, licence = "1", "MIT"

    def make(self) -> None:
        return None


class StuckModel(TinyModel):
    """Moves without a dtype."""

    def to(self, device):  # type: ignore[no-untyped-def,override]
        self.moves.append((device, ""))


class Restless(TinyGenerator):
    """Remembers its calls."""

    def generate(self, views, *, seed):  # type: ignore[no-untyped-def]
        return super().generate(views, seed=seed + self.calls)


class Scribbler(TinyGenerator):
    """Writes into its inputs."""

    def generate(self, views, *, seed):  # type: ignore[no-untyped-def]
        for view in views:
            view.rgba[0, 0] = 7
        return super().generate(views, seed=seed)


def altered(base: type, verb: str, change: Callable[..., Any]) -> type:
    """A backend whose results are changed by ``change(result, *args)``."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return change(getattr(base, verb)(self, *args, **kwargs), *args)

    return type(f"Altered{base.__name__}", (base,), {verb: method, "__doc__": "Alters what its base returns."})


def each(**fields: Callable[[Any], Any]) -> Callable[..., Any]:
    """Changes fields of every result that is not a failure."""

    def change(results: Any, *_: Any) -> Any:
        return [
            r if isinstance(r, ObjectFailure) else replace(r, **{k: f(getattr(r, k)) for k, f in fields.items()})
            for r in results
        ]

    return change


def one(**fields: Callable[[Any], Any]) -> Callable[..., Any]:
    """Changes fields of the one result."""
    return lambda r, *_: replace(r, **{k: f(getattr(r, k)) for k, f in fields.items()})


def all_fail(results: Any, views: Any, *_: Any) -> Any:
    blind = any(not v.mask_modal.any() for v in views)
    return [ObjectFailure(id=v.id, error="one of them is blind") for v in views] if blind else results


def repainted(rgba: Any) -> Any:
    out = rgba.copy()
    out[..., :3] = 255 - out[..., :3]
    return out


def swollen(rgba: Any) -> Any:
    out = rgba.copy()
    out[..., 3] = 255
    return out


def bent(pose: ObjectPose, R: Any) -> ObjectPose:
    new = replace(pose)
    object.__setattr__(new, "R_cam_obj", R)
    return new


def bad_labels(got: Instances, *_: Any) -> Instances:
    return Instances(labels=got.labels.T.copy(), items=got.items)


def ghost(got: Instances, *_: Any) -> Instances:
    return Instances(labels=got.labels, items=(*got.items, Instance(id=400, name="ghost")))


def only_three(got: Instances, *_: Any) -> Instances:
    few = got.items[:3]
    return Instances(labels=np.where(got.labels <= few[-1].id, got.labels, 0).astype(np.uint16), items=few)


FLIP = np.diag([1.0, 1.0, -1.0])
OPEN_BOX = replace(box_mesh((1, 1, 1), (9, 9, 9)), faces=box_mesh((1, 1, 1), (9, 9, 9)).faces[1:])
INSIDE_OUT = replace(OPEN_BOX, faces=box_mesh((1, 1, 1), (9, 9, 9)).faces[:, ::-1].copy())
G, D, P, S = TinyGenerator, TinyDeoccluder, TinyPose, TinySegmenter
BAD: list[tuple[str, Any, str, str]] = [
    ("generation", NoDoc, "described", "expected a docstring on the class"),
    ("generation", NoVersion, "version", 'expected version = "1", say; got None'),
    ("generation", NoLicence, "licence", "expected licence = \"Apache-2.0\", say; got ''"),
    ("generation", LooseRequires, "requires", "expected requires as a tuple of module names; got 'torch'"),
    ("pose", OpenConfig, "config", "expected an unknown option to be refused"),
    ("pose", MuteConfig, "config", "expected a description of every option; got none for fail_ids"),
    ("pose", ThawedConfig, "config", "expected a frozen Config"),
    ("generation", OtherVerb, "verb", "expected the method generate(); got none"),
    ("generation", NoSeed, "verb", "expected the arguments of scenemaker.stages; got (views)"),
    ("generation", StuckModel, "moves", "raised TypeError"),
    ("generation", Restless, "deterministic", "expected the same bytes from a second call; got others"),
    ("generation", Scribbler, "inputs_untouched", "expected argument 1 as it was; got it modified"),
    ("segmentation", altered(S, "segment", bad_labels), "labels", "expected labels of the photo's shape (128, 192)"),
    (
        "segmentation",
        altered(S, "segment", one(labels=np.int64)),
        "labels",
        "expected labels of dtype uint16; got int64",
    ),
    ("segmentation", altered(S, "segment", ghost), "ids", "expected an instance per label value"),
    (
        "segmentation",
        altered(S, "segment", one(items=lambda items: tuple(replace(i, score=2.0) for i in items))),
        "tags",
        "expected scores in [0, 1]; got [2.0",
    ),
    ("segmentation", altered(S, "segment", one(labels=lambda x: np.roll(x, 40, 1))), "follows_prompts", "got IoU 0.0"),
    ("segmentation", altered(S, "segment", only_three), "many_objects", "expected 12 objects; got 3"),
    ("depth", altered(TinyDepth, "estimate", one(points_cam=lambda p: p[:-1])), "point_map", "of shape (128, 192, 3)"),
    ("depth", altered(TinyDepth, "estimate", one(points_cam=lambda p: p * np.float32(-1))), "valid_points", "z > 0"),
    (
        "depth",
        altered(TinyDepth, "estimate", one(K=lambda K: np.add(K, [[0, 0, 4], [0, 0, 0], [0, 0, 0]]))),
        "rays",
        "4.00 px off",
    ),
    ("depth", altered(TinyDepth, "estimate", one(K=lambda K: K * [[2], [2], [1]])), "keeps_K", "as given; got"),
    (
        "depth",
        altered(TinyDepth, "estimate", one(up_cam=lambda up: -up)),
        "gravity",
        "expected the ground's normal to be up_cam",
    ),
    ("depth", altered(TinyDepth, "estimate", one(scale_kind=lambda _: "feet")), "scale_kind", "got 'feet'"),
    (
        "depth",
        altered(TinyDepth, "estimate", lambda r, photo, inst, _: r if len(inst) < 9 else None),
        "depth_many_objects",
        "got NoneType",
    ),
    ("deocclusion", altered(D, "deocclude", lambda r, *_: r[::-1]), "one_per_object", "in this order; got [3, 2, 1]"),
    ("deocclusion", altered(D, "deocclude", lambda r, *_: r[:8]), "many_objects", "one result per object"),
    ("deocclusion", altered(D, "deocclude", lambda r, *_: r or None), "no_objects", "expected an empty list; got None"),
    ("deocclusion", altered(D, "deocclude", all_fail), "bad_object_alone", "object 1: one of them is blind"),
    (
        "deocclusion",
        altered(D, "deocclude", each(scale=lambda s: s * 2)),
        "views_kept",
        "expected scale of object 1 as it was",
    ),
    ("deocclusion", altered(D, "deocclude", each(rgba=repainted)), "visible_pixels_kept", "got other colours"),
    (
        "deocclusion",
        altered(D, "deocclude", each(completed=lambda _: True)),
        "complete_views_untouched",
        "got it changed",
    ),
    ("deocclusion", altered(D, "deocclude", each(rgba=swollen)), "added_pixels_hidden", "to grow where it is hidden"),
    (
        "generation",
        altered(G, "generate", each(mesh=lambda m: m.transformed(np.diag([2, 2, 2, 1.0])))),
        "obj_frame",
        "longest side 1; got 2.0",
    ),
    ("generation", altered(G, "generate", each(mesh=lambda _: OPEN_BOX)), "closed", "got open edges"),
    ("generation", altered(G, "generate", each(mesh=lambda _: INSIDE_OUT)), "closed", "expected a positive volume"),
    (
        "generation",
        altered(G, "generate", each(R_cam_obj=lambda _: FLIP)),
        "known_rotation",
        "R_cam_obj of object 1 to be a rotation",
    ),
    (
        "pose",
        altered(P, "estimate_poses", lambda r, *_: [x if isinstance(x, ObjectFailure) else bent(x, FLIP) for x in r]),
        "poses",
        "to be a rotation",
    ),
    ("pose", altered(P, "estimate_poses", each(size=lambda s: s * 1.1)), "poses", "expected size = scale * extents"),
    (
        "pose",
        altered(P, "estimate_poses", each(t_cam_obj=lambda t: t * [-1, 1, 1])),
        "where_seen",
        "expected object 1 inside its box",
    ),
    (
        "scene_generation",
        altered(TinySceneGenerator, "generate_scene", lambda r, *_: r[1:]),
        "one_per_object",
        "got [2, 3]",
    ),
    (
        "scene_generation",
        altered(TinySceneGenerator, "generate_scene", each(mesh=lambda m: None)),
        "placed",
        "expected a Mesh; got NoneType",
    ),
    (
        "refinement",
        altered(TinyRefiner, "refine", one(objects=lambda o: dict(list(o.items())[1:]))),
        "same_objects",
        "expected ids [1, 2, 3]; got [2, 3]",
    ),
    (
        "refinement",
        altered(TinyRefiner, "refine", lambda r, scene: scene.objects.pop(1) and r),
        "inputs_untouched",
        "got it modified",
    ),
]


@pytest.mark.parametrize(
    ("role", "backend", "name", "text"), BAD, ids=[f"{b[0]}-{b[2]}-{n}" for n, b in enumerate(BAD)]
)
def test_the_kit_bites(role: str, backend: type, name: str, text: str) -> None:
    check = next(c for c in checks(role) if c.name == name)
    given = "masks" if role == "segmentation" else None
    with pytest.raises(ConformanceError) as error:
        check(Subject(role, backend, given=given))  # type: ignore[arg-type]
    assert text in str(error.value)
    assert str(error.value).startswith(f"{role} {backend.__name__}: {name} (")


SAME_CODE = {  # checks that are one function, seen to bite under another role
    "bad_object_alone": "deocclusion",
    "many_objects": "deocclusion",
    "no_objects": "deocclusion",
    "one_per_object": "deocclusion",
    "refined": "scene_generation",
}


def test_every_check_is_seen_to_bite() -> None:
    bitten = {(role, name) for role, _, name, _ in BAD} | {("scene_generation", "refined")}
    common = {c.name for c in checks("refinement")} & {c.name for c in checks("depth")}
    for role in registry.ROLES:
        for check in checks(role):
            roles = registry.ROLES if check.name in common else (role, SAME_CODE.get(check.name, role))
            assert any((r, check.name) in bitten for r in roles), f"{role}: {check.name}"


def test_all_faults_are_listed_at_once() -> None:
    with pytest.raises(ConformanceError) as error:
        check_backend("generation", type("Poor", (Restless,), {"version": None, "licence": None}))
    assert [line.split(": ")[1].split(" (")[0] for line in str(error.value).splitlines()] == [
        "described",
        "version",
        "licence",
        "deterministic",
    ]
