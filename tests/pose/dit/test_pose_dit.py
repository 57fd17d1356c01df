"""PoseDiT: what depends on what, and what does not. Nothing is at its initial value but where that is the point."""

from dataclasses import replace

import pytest
import torch
from pose_features import GEOMETRY_TOKENS, SIZES, TINY, one_scene, random_dit, random_features, reordered
from pydantic import ValidationError

from scenemaker.pose.dit.config import CONFIGS, DiTConfig, GeometryConfig, PoseModelConfig
from scenemaker.pose.dit.model import PoseDiT
from scenemaker.pose.dit.pose_model import PoseModel
from scenemaker.pose.dit.types import VARIABLES
from scenemaker.pose.dit.weights import save_model

COUNTS = (3, 1, 5, 3)
OF_OBJECTS = ("geometry", "crop", "cloud", "cloud_xyz", "picture_own", "centre", "evidence")
SCENE_TENSORS = ("picture", "picture_xyz", "scene_cloud", "scene_xyz")


def tiny(**options) -> DiTConfig:
    return TINY.model_copy(update=options)


def noise(n, samples=2, seed=5):
    return torch.randn(n, samples, 10, generator=torch.Generator().manual_seed(seed))


def times(b, samples=2, seed=6):
    return torch.rand(b, samples, generator=torch.Generator().manual_seed(seed))


def velocity(dit, features, x, t, drop=None):
    return dit(x, t, dit.conditions(features, drop))


def with_gradients(features):
    """The same features, and their tensors, of which gradients are asked."""
    names = (*OF_OBJECTS, *SCENE_TENSORS, "up")
    tensors = {name: getattr(features, name).clone().requires_grad_() for name in names}
    return replace(features, **tensors), tensors


def gradients(dit, features, which):
    """Gradients of the outputs ``which(v)`` (a sum) with respect to each tensor of the features."""
    features, tensors = with_gradients(features)
    v = velocity(dit, features, noise(len(features.centre)), times(len(features.up)))
    found = torch.autograd.grad(which(v), list(tensors.values()), allow_unused=True)
    zeros = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    return {name: zeros[name] if g is None else g for name, g in zip(tensors, found, strict=True)}


# order, company, numbers -------------------------------------------------------------------------------------------


def permuted_error(dit):
    """How far the result of objects in another order is from the result in another order."""
    features, x, t = random_features(COUNTS), noise(12), times(4)
    order = torch.tensor([2, 0, 1, 3, 8, 5, 4, 7, 6, 10, 11, 9])
    v = velocity(dit, features, x, t)
    return (velocity(dit, reordered(features, order), x[order], t) - v[order]).abs().max() / v.abs().max()


@pytest.mark.parametrize("positions", ["centre", "none"])
def test_another_order_of_objects_is_another_order_of_the_result(positions):
    assert permuted_error(random_dit(tiny(positions=positions))) < 1e-5


def test_numbered_objects_depend_on_their_order():
    assert permuted_error(random_dit(tiny(positions="index"))) > 1e-2


def test_numbered_objects_that_are_alone_do_not_depend_on_what_stands_before_them():
    dit, features = random_dit(tiny(positions="index")), random_features([2, 3])
    x, t = noise(5), times(2)
    assert torch.allclose(
        velocity(dit, features, x, t)[2:], velocity(dit, one_scene(features, 1), x[2:], t[1:]), atol=1e-5
    )


def test_a_scene_in_company_is_the_scene_alone():
    """In one batch with larger and smaller scenes, and with one of the same size."""
    dit, features, x, t = random_dit(), random_features(COUNTS), noise(12), times(4)
    v = velocity(dit, features, x, t)
    for b in range(4):
        rows = features.layout.scene == b
        alone = velocity(dit, one_scene(features, b), x[rows], t[b : b + 1])
        assert torch.allclose(v[rows], alone, atol=1e-5)


def test_samples_share_conditions_and_nothing_else():
    dit, features, x, t = random_dit(), random_features(COUNTS), noise(12, 3), times(4, 3)
    together = velocity(dit, features, x, t)
    for s in range(3):
        assert torch.allclose(together[:, [s]], velocity(dit, features, x[:, [s]], t[:, [s]]), atol=1e-5)


@pytest.mark.parametrize("counts", [[1], [40], [1, 40, 2]], ids=str)
def test_one_object_and_forty(counts):
    features = random_features(counts)
    v = velocity(random_dit(), features, noise(sum(counts)), times(len(counts)))
    assert v.shape == (sum(counts), 2, 10)
    assert v.isfinite().all() and v.std() > 0.1


def test_centres_count_only_by_their_differences_in_self_attention():
    """Objects and scene moved together: self- and cross-attention see nothing of it (the evidence does)."""
    dit, features, x, t = random_dit(), random_features([3, 2]), noise(5), times(2)
    with torch.no_grad():
        dit.known.evidence[0].weight[:, -3:] = 0  # the centre as a number
    shift = torch.tensor([0.7, -0.4, 0.9])
    moved = {name: getattr(features, name) + shift for name in ("centre", "picture_xyz", "scene_xyz")}
    v = velocity(dit, features, x, t)
    assert torch.allclose(velocity(dit, replace(features, **moved), x, t), v, atol=1e-5)
    assert (velocity(dit, replace(features, centre=moved["centre"]), x, t) - v).abs().max() > 1e-2


# who sees whom -----------------------------------------------------------------------------------------------------


def rotation_of(i):
    return lambda v: v[i, :, VARIABLES["rotation"]].square().sum()


def places_of(i):
    return lambda v: v[i, :, 6:].square().sum()


GEOMETRY = [
    {"geometry_tokens": tokens, "geometry_keys": keys} for tokens in (1, GEOMETRY_TOKENS) for keys in (True, False)
]


@pytest.mark.parametrize("geometry", GEOMETRY, ids=str)
def test_local_attention_has_no_gradient_across_objects(geometry):
    """Rotation without any global attention: of its own object alone, and of nothing of the scene."""
    dit = random_dit(tiny(global_self=False, local_self=True, global_cross=False, **geometry))
    found = gradients(dit, random_features([3, 2]), rotation_of(1))
    for name in OF_OBJECTS:
        others = found[name][[0, 2, 3, 4]]
        assert (others == 0).all(), name
    for name in ("geometry", "crop", "cloud", "cloud_xyz", "evidence"):
        assert (found[name][1] != 0).any(), name


@pytest.mark.parametrize("geometry", GEOMETRY, ids=str)
def test_rotation_sees_nothing_of_the_scene_without_self_attention(geometry):
    """Global cross-attention is on: only its reach into the rotation token is cut."""
    dit = random_dit(tiny(global_self=False, local_self=False, **geometry))
    found = gradients(dit, random_features([3, 2]), rotation_of(1))
    assert all((found[name] == 0).all() for name in SCENE_TENSORS)
    assert all((found[name][[0, 2, 3, 4]] == 0).all() for name in OF_OBJECTS)
    assert all((found[name][1] != 0).any() for name in ("crop", "cloud", "cloud_xyz", "evidence"))


@pytest.mark.parametrize("geometry", GEOMETRY, ids=str)
@pytest.mark.parametrize("switches", [{"global_self": False}, {"local_self": False}, {}], ids=str)
def test_rotation_sees_the_scene_with_self_attention(switches, geometry):
    found = gradients(random_dit(tiny(**switches, **geometry)), random_features([3, 2]), rotation_of(1))
    assert all((found[name][0] != 0).any() for name in SCENE_TENSORS)
    assert all((found[name][1] == 0).all() for name in SCENE_TENSORS)  # the other scene
    across = (found["crop"][[0, 2]] != 0).any()
    assert across == switches.get("global_self", True)
    assert all((found[name][[3, 4]] == 0).all() for name in OF_OBJECTS)


@pytest.mark.parametrize("geometry", GEOMETRY, ids=str)
def test_translation_and_size_see_the_scene_and_not_the_crop(geometry):
    """With self-attention off: picture and scene cloud, own mask; crop, cloud and shape are the rotation's alone."""
    dit = random_dit(tiny(global_self=False, local_self=False, **geometry))
    for part in ("translation", "size"):
        found = gradients(dit, random_features([3, 2]), lambda v, part=part: v[1, :, VARIABLES[part]].square().sum())
        assert all((found[name][0] != 0).any() for name in SCENE_TENSORS), part
        assert (found["picture_own"][1] != 0).any()
        assert (found["centre"][1] != 0).any()
        assert all((found[name] == 0).all() for name in ("crop", "cloud", "cloud_xyz", "geometry"))


def test_without_local_cross_attention_rotation_joins_the_global_one():
    """4.4, "w/o LCA": no crop and no cloud; the scene instead, even where self-attention is off."""
    dit = random_dit(tiny(global_self=False, local_self=False, local_cross=False))
    found = gradients(dit, random_features([3, 2]), rotation_of(1))
    assert all((found[name][0] != 0).any() for name in SCENE_TENSORS)
    assert all((found[name] == 0).all() for name in ("crop", "cloud", "cloud_xyz"))


@pytest.mark.parametrize("local_cross", [True, False])
def test_geometry_tokens_attend_to_nothing_known(local_cross):
    """Cross-attention is that of the pose tokens."""
    dit = random_dit(tiny(global_self=False, local_self=False, local_cross=local_cross, matching=0))
    seen = []
    dit.blocks[-1].register_forward_hook(lambda _, args, out: seen.append(out))
    for features in (one := random_features([3]), replace(one, crop=one.crop + 1, scene_cloud=one.scene_cloud + 1)):
        velocity(dit, features, noise(3), times(1))
    before, after = seen  # (3, S, 3 + G, d) each
    assert torch.equal(before[:, :, 3:], after[:, :, 3:])
    assert ((before - after)[:, :, :3].abs().amax((0, 1, 3)) > 1e-3).all()


def test_what_is_an_objects_own_is_marked():
    dit, features, x, t = random_dit(), random_features([3]), noise(3), times(1)
    v = velocity(dit, features, x, t)
    for changed in (
        replace(features, scene_owner=(features.scene_owner + 1) % 3),
        replace(features, picture_own=1 - features.picture_own),
    ):
        assert (velocity(dit, changed, x, t) - v)[..., 6:].abs().max() > 1e-3


def test_a_patch_without_a_known_point_is_not_at_the_origin():
    """`picture_xyz` is 0 there; the token says so itself."""
    dit, features, x, t = random_dit(), random_features([2, 3]), noise(5), times(2)

    def at(place):
        xyz = features.picture_xyz.clone()
        xyz[0, 1] = torch.tensor(place)
        return velocity(dit, replace(features, picture_xyz=xyz), x, t)

    nowhere, origin, beside = at([0.0, 0.0, 0.0]), at([1e-6, 0.0, 0.0]), at([0.0, 2e-6, 0.0])
    assert torch.allclose(origin, beside, atol=1e-5)  # one coordinate that is 0 is a place
    assert (nowhere - origin)[:2].abs().max() > 1e-3
    assert torch.allclose(nowhere[2:], origin[2:], atol=1e-5)
    with torch.no_grad():
        dit.known.nowhere.weight.zero_()
    assert torch.allclose(at([0.0, 0.0, 0.0]), origin, atol=1e-5)


# geometry tokens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [1, 3, GEOMETRY_TOKENS])
def test_geometry_tokens_beside_the_pose_tokens(tokens):
    """Fewer than the encoder gives are pooled out of all of them; as many enter as they are."""
    dit, features = random_dit(tiny(geometry_tokens=tokens)), random_features([2, 3])
    features_, tensors = with_gradients(features)
    made = dit.conditions(features_).geometry  # (5, G, d)
    assert made.shape == (5, tokens, TINY.width)
    (by_shape,) = torch.autograd.grad(made[1, 0].square().sum(), [tensors["geometry"]])
    assert (by_shape[1] != 0).any(-1).all() and (by_shape[[0, 2, 3, 4]] == 0).all()

    order = torch.tensor([2, 0, 3, 1])
    again = dit.conditions(replace(features, geometry=features.geometry[:, order])).geometry
    assert torch.allclose(again, made if tokens < GEOMETRY_TOKENS else made[:, order], atol=1e-5)
    apart = (made[:, :, None] - made[:, None]).norm(dim=-1) + torch.eye(tokens)  # (5, G, G)
    assert apart.min() > 0.1


def test_pooled_without_being_told_how_many_there_are():
    sizes = {name: size for name, size in SIZES.items() if name != "geometry_tokens"}
    for given in (1, 16):
        made = PoseDiT(tiny(geometry_tokens=3), **sizes).conditions(random_features([2], geometry=given)).geometry
        assert made.shape == (2, 3, TINY.width)


@pytest.mark.parametrize(
    ("options", "pooled"),
    [({}, True), ({"geometry_tokens": GEOMETRY_TOKENS}, False), ({"use_geometry": False}, False)],
    ids=str,
)
def test_nothing_pools_where_nothing_is_pooled(options, pooled):
    dit = random_dit(tiny(**options))
    velocity(dit, random_features([3, 2]), noise(5), times(2)).square().sum().backward()
    found = {name: p.grad for name, p in dit.named_parameters() if "pooling" in name}
    assert bool(found) == pooled
    assert all((g != 0).any() for g in found.values())


@pytest.mark.parametrize("tokens", [1, GEOMETRY_TOKENS])
@pytest.mark.parametrize("keys", [True, False])
def test_rotation_looks_at_the_shape_itself(keys, tokens):
    """Without matching and self-attention: by its keys alone, and only by the tokens before they are pooled."""
    config = tiny(matching=0, global_self=False, local_self=False, geometry_keys=keys, geometry_tokens=tokens)
    found = gradients(random_dit(config), random_features([3, 2]), rotation_of(1))["geometry"]
    assert (found[1] != 0).any(-1).all() == keys and (found[1] != 0).any() == keys
    assert (found[[0, 2, 3, 4]] == 0).all()


@pytest.mark.parametrize("keys", [True, False])
def test_what_the_rotation_looks_at_has_places_and_no_order(keys):
    """Shape, cloud and crop side by side: every cloud token keeps its own place, the others have none."""
    dit, features = random_dit(tiny(geometry_keys=keys)), random_features([3, 2])
    x, t = noise(5), times(2)
    v = velocity(dit, features, x, t)
    shape, cloud, crop = torch.tensor([3, 0, 1, 2]), torch.tensor([4, 2, 0, 1, 3]), torch.tensor([1, 2, 0])
    moved = {
        "geometry": features.geometry[:, shape],
        "cloud": features.cloud[:, cloud],
        "cloud_xyz": features.cloud_xyz[:, cloud],
        "crop": features.crop[:, crop],
    }
    assert torch.allclose(velocity(dit, replace(features, **moved), x, t), v, atol=1e-5)
    assert (velocity(dit, replace(features, cloud=moved["cloud"]), x, t) - v).abs().max() > 1e-3


def test_keys_and_values_are_made_once_per_scene():
    """As many as there are tokens, however many samples ask; none where nobody asks."""
    features = random_features([2, 3], geometry=4, crop=3, cloud=5)
    for options, count in (({}, 12), ({"geometry_keys": False}, 8), ({"use_geometry": False}, 8)):
        known = random_dit(tiny(**options)).conditions(features)
        assert [kv.k.shape[:2] for kv in known.local] == [(5, count)] * TINY.layers
    assert set(random_dit(tiny(local_cross=False)).conditions(features).local) == {None}


def test_more_geometry_tokens_than_the_encoder_gives():
    text = "expected dit.geometry_tokens up to the encoder's 32; got 33; lower it, or raise geometry.tokens"
    with pytest.raises(ValidationError, match=text):
        PoseModelConfig(dit=DiTConfig(geometry_tokens=33))
    PoseModelConfig(dit=DiTConfig(geometry_tokens=32))
    PoseModelConfig(dit=DiTConfig(geometry_tokens=16, use_geometry=False), geometry=GeometryConfig(tokens=1))


def test_mini_in_bf16_fits_16_mib(tmp_path):
    save_model(PoseModel(CONFIGS["mini"]), tmp_path / "mini.safetensors", {}, dtype=torch.bfloat16)
    assert (tmp_path / "mini.safetensors").stat().st_size <= 16 * 2**20 - 2**16  # and facts


# switches ----------------------------------------------------------------------------------------------------------

GONE = {
    "global_self": "global_self",
    "local_self": "local_self",
    "local_cross": "local_cross",
    "global_cross": "global_cross",
    "use_up": "known.up",
    "use_geometry": "known.geometry",
    "use_image": "known.picture",
}


@pytest.mark.parametrize("switch", GONE)
def test_what_is_switched_off_has_no_parameters_and_all_others_are_used(switch):
    config = tiny(**{switch: False})
    full, dit = (dict(random_dit(c).named_parameters()) for c in (TINY, config))
    assert any(GONE[switch] in name for name in full)
    assert not any(GONE[switch] in name for name in dit)
    model = random_dit(config)
    features = replace(random_features([3, 2]), up=torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    drop = torch.tensor([False, True])
    velocity(model, features, noise(5), times(2), drop).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("options", "blind"),
    [
        ({"use_image": False}, ("crop", "picture", "picture_xyz", "picture_own")),
        ({"use_geometry": False}, ("geometry",)),
        ({"use_up": False}, ("up",)),
        ({"global_cross": False}, ("picture", "picture_xyz", "picture_own", "scene_cloud", "scene_xyz")),
        ({"local_cross": False, "matching": 0}, ("crop", "cloud", "cloud_xyz")),
        ({"positions": "none"}, ("cloud_xyz", "scene_xyz", "picture_xyz")),
        ({"positions": "index"}, ("scene_xyz", "picture_xyz")),
    ],
    ids=str,
)
def test_what_is_switched_off_has_no_effect(options, blind):
    features = random_features([3, 2])

    def total(v):
        return v.square().sum()

    full, found = gradients(random_dit(), features, total), gradients(random_dit(tiny(**options)), features, total)
    for name in full:
        assert (full[name] != 0).any(), name
        assert (found[name] == 0).all() == (name in blind), name


def test_matching_lets_shape_cloud_and_crop_meet():
    """Only through it does the geometry token know the crop when rotation is all that reads crops."""
    features = random_features([2, 1])
    for matching, geometry in ((1, 1), (0, 1), (1, GEOMETRY_TOKENS), (0, GEOMETRY_TOKENS)):
        features_, tensors = with_gradients(features)
        dit = random_dit(tiny(matching=matching, geometry_tokens=geometry))
        tokens = dit.conditions(features_).geometry  # (3, G, d)
        by_crop, by_cloud, by_shape = torch.autograd.grad(
            tokens[1].square().sum(), [tensors[k] for k in ("crop", "cloud", "geometry")], allow_unused=True
        )
        assert (by_shape[1] != 0).any() and (by_shape[[0, 2]] == 0).all()
        for g in (by_crop, by_cloud):
            assert (g is not None and bool((g[1] != 0).any())) == bool(matching)
            assert g is None or (g[[0, 2]] == 0).all()


# conditions dropped ------------------------------------------------------------------------------------------------


def test_a_scene_whose_conditions_are_dropped_knows_nothing():
    dit, x, t = random_dit(), noise(5), times(2)
    one, other = random_features([3, 2], seed=1), random_features([3, 2], seed=2)
    v, none = velocity(dit, one, x, t), torch.tensor([True, True])
    assert torch.allclose(velocity(dit, one, x, t, none), velocity(dit, other, x, t, none), atol=1e-5)
    first = velocity(dit, one, x, t, torch.tensor([True, False]))
    assert torch.allclose(first[3:], v[3:], atol=1e-6)
    assert torch.allclose(first[:3], velocity(dit, other, x, t, none)[:3], atol=1e-5)
    assert (first[:3] - v[:3]).abs().max() > 1e-2


def test_unknown_up_is_a_learned_vector():
    dit, features, x, t = random_dit(), random_features([2, 2]), noise(4), times(2)
    unknown = replace(features, up=features.up * torch.tensor([[0.0], [1.0]]))
    v, u = velocity(dit, features, x, t), velocity(dit, unknown, x, t)
    assert (v - u)[:2].abs().max() > 1e-3 and torch.allclose(v[2:], u[2:], atol=1e-6)
    with torch.no_grad():
        dit.known.null["up"].add_(1.0)
    moved = velocity(dit, unknown, x, t)
    assert (moved - u)[:2].abs().max() > 1e-3 and torch.allclose(moved[2:], u[2:], atol=1e-6)


# start, numbers ----------------------------------------------------------------------------------------------------


def test_blocks_start_as_the_identity_and_the_velocity_as_zero():
    torch.manual_seed(0)
    dit, features = PoseDiT(TINY, **SIZES), random_features([3, 2])
    seen = []
    for block in dit.blocks:
        block.register_forward_hook(lambda _, args, out: seen.append((args[0], out)))
    v = velocity(dit, features, noise(5), times(2))
    assert v.shape == (5, 2, 10) and (v == 0).all()
    assert len(seen) == TINY.layers
    assert all(torch.equal(before, after) and before.std() > 0.1 for before, after in seen)


def test_training_opens_the_gates():
    """A few steps on one batch: the loss falls, which it could not if zeros kept gradients away."""
    torch.manual_seed(0)
    dit, features = PoseDiT(TINY, **SIZES), random_features([2])
    x, t, target = noise(2, 1), times(1, 1), noise(2, 1, seed=7)
    optimiser = torch.optim.Adam(dit.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = (velocity(dit, features, x, t) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert all(block.global_self.table.abs().max() > 0 for block in dit.blocks)


def test_time_changes_the_velocity():
    dit, features, x = random_dit(), random_features([2]), noise(2)
    early, late = (
        velocity(dit, features, x, torch.tensor([[0.1, 0.1]])),
        velocity(dit, features, x, torch.tensor([[0.1, 0.9]])),
    )
    assert torch.allclose(early[:, 0], late[:, 0], atol=1e-6)
    assert (early - late)[:, 1].abs().max() > 1e-2


def test_bf16_is_near_float32():
    dit, features, x, t = random_dit(), random_features([3, 2]), noise(5), times(2)
    full = velocity(dit, features, x, t)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = velocity(dit, features, x, t)
    half = velocity(dit.bfloat16(), features, x, t)
    assert full.dtype == mixed.dtype == half.dtype == torch.float32
    for other in (mixed, half):
        assert 0 < (other - full).abs().mean() < 0.05 * full.abs().mean()


def test_gradients_in_bf16_reach_float32_weights():
    dit, features = random_dit(), random_features([3, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = velocity(dit, features, noise(5), times(2)).square().mean()
    loss.backward()
    assert all(
        p.grad.dtype == torch.float32 and p.grad.isfinite().all() for n, p in dit.named_parameters() if "null" not in n
    )


@torch.no_grad()
def test_compiles_in_one_graph():
    dit, features = random_dit(), random_features([2, 1, 2])
    x, t = noise(5), times(3)
    known = dit.conditions(features)
    compiled = torch.compile(dit, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(x, t, known), dit(x, t, known), atol=1e-6)


def test_equal_inputs_give_equal_outputs():
    dit, features, x, t = random_dit(), random_features(COUNTS), noise(12), times(4)
    assert torch.equal(velocity(dit, features, x, t), velocity(dit, features, x, t))
