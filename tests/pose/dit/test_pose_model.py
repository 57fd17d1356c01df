"""From ``PoseInputs`` to ``Features``, and what frozen encoders made."""

import logging
from dataclasses import fields, replace

import pytest
import torch
from pose_inputs import pose_inputs, seeded
from small_dino import IMAGE, small_dino

from scenemaker.errors import ConfigError
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.encoders.dino import DinoEncoder
from scenemaker.pose.dit.feature_cache import FeatureCache, split_inputs
from scenemaker.pose.dit.pictures import join_inputs
from scenemaker.pose.dit.pose_model import PoseModel, mean_of_known
from scenemaker.pose.dit.types import Features

TINY = CONFIGS["tiny"]
COUNTS = (2, 1, 3)


def built(config=TINY) -> PoseModel:
    torch.manual_seed(0)
    return PoseModel(config).eval()


def tensors(features: Features) -> dict[str, torch.Tensor]:
    named = {f.name: getattr(features, f.name) for f in fields(features)}
    return {"layout": named.pop("layout").scene, **named}


@pytest.fixture(scope="module")
def model() -> PoseModel:
    model = built()
    model.freeze_encoders()
    return model


def test_shapes_are_those_of_the_contract(model):
    f = model.features(pose_inputs(TINY, COUNTS))
    N, B, L = 6, 3, TINY.image.tokens
    width, scene_tokens = TINY.points.width, TINY.points.scene_tokens
    wanted = {
        "geometry": (N, TINY.geometry.tokens, TINY.geometry.latent),
        "crop": (N, L, TINY.image.width),
        "cloud": (N, TINY.points.tokens, width),
        "cloud_xyz": (N, TINY.points.tokens, 3),
        "picture": (B, L, TINY.image.width),
        "picture_xyz": (B, L, 3),
        "picture_own": (N, L),
        "scene_cloud": (B, scene_tokens, width),
        "scene_xyz": (B, scene_tokens, 3),
        "scene_owner": (B, scene_tokens),
    }
    found = tensors(f)
    assert {name: tuple(found[name].shape) for name in wanted} == wanted
    assert all(x.isfinite().all() for x in found.values())
    assert model.dit.conditions(f) is not None


def test_scenes_and_objects_do_not_see_each_other(model):
    inputs = pose_inputs(TINY, COUNTS)
    whole = tensors(model.features(inputs))
    first_object = 0
    for b, one in enumerate(split_inputs(inputs)):
        alone, n = tensors(model.features(one)), COUNTS[b]
        for name, x in alone.items():
            if name in ("layout", "scene_owner"):
                continue
            rows = slice(first_object, first_object + n) if len(whole[name]) == 6 else slice(b, b + 1)
            torch.testing.assert_close(whole[name][rows], x, msg=name)
        assert torch.equal(whole["scene_owner"][b], alone["scene_owner"][0] + first_object)
        assert set(alone["scene_owner"].flatten().tolist()) <= set(range(n))
        first_object += n


def test_splitting_is_the_opposite_of_joining():
    inputs = pose_inputs(TINY, COUNTS)
    again = join_inputs(split_inputs(inputs))
    for name, a, b in [
        *((f.name, getattr(inputs, f.name), getattr(again, f.name)) for f in fields(inputs)),
        ("scene", inputs.layout.scene, again.layout.scene),
        ("k", inputs.frame.k, again.frame.k),
        ("c", inputs.frame.c, again.frame.c),
    ]:
        if isinstance(a, torch.Tensor):
            assert torch.equal(a.nan_to_num(nan=1e9), b.nan_to_num(nan=1e9)), name


def test_mean_of_known_pixels_of_every_patch():
    maps = torch.randn(2, 3, 8, 8, generator=seeded(1))
    maps[0, 1, :3, 4:7] = torch.nan  # one coordinate missing is a point missing
    maps[1, :, 4:, :4] = torch.nan
    found = mean_of_known(maps, 4)
    for b in range(2):
        for i in range(4):
            row, column = divmod(i, 2)
            patch = maps[b, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten(1)
            known = patch[:, patch.isfinite().all(0)]
            wanted = known.mean(1) if known.shape[1] else torch.zeros(3)
            torch.testing.assert_close(found[b, i], wanted)
    assert (found[1, 2] == 0).all()


def test_share_of_each_patch_in_the_own_mask(model):
    own = torch.zeros(6, 32, 32)
    own[3, 8:12, 24:32] = 1.0  # half of the patch in row 1, column 3
    f = model.features(replace(pose_inputs(TINY, COUNTS), picture_own=own))
    assert f.picture_own[3, 7] == 0.5
    assert f.picture_own.sum() == 0.5


def test_frozen_and_joint():
    model = built()
    everything = model.trained_parameters()
    assert len(everything) == len({id(p) for p in everything}) == sum(1 for _ in model.parameters())
    model.features(pose_inputs(TINY, COUNTS)).crop.sum().backward()
    assert any(p.grad is not None for p in model.image.parameters())
    model.freeze_encoders()
    assert {id(p) for p in model.trained_parameters()} == {id(p) for p in model.dit.parameters()}
    assert not model.features(pose_inputs(TINY, COUNTS)).crop.requires_grad


@pytest.mark.parametrize("kind", ["small", "dinov2"])
def test_a_model_trained_without_colour_sees_none_later(monkeypatch, kind):
    small_dino(monkeypatch)
    config = TINY if kind == "small" else TINY.model_copy(update={"image": IMAGE})
    model = built(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    coloured = pose_inputs(config, COUNTS)
    crop, picture = coloured.crop.clone(), coloured.picture.clone()
    crop[:, :3], picture[:, :3] = 0, 0
    grey = replace(coloured, crop=crop, picture=picture)

    def step(inputs):
        f = model.features(inputs)
        optimizer.zero_grad()
        ((f.crop - 1).square().sum() + (f.picture - 1).square().sum()).backward()
        optimizer.step()

    def differ():
        a, b = tensors(model.features(coloured)), tensors(model.features(grey))
        return {name for name, x in a.items() if not torch.equal(x, b[name])}

    before = model.features(grey).crop
    step(grey)
    step(grey)
    assert (model.features(grey).crop - before).abs().max() > 1e-3
    assert differ() == set()
    step(coloured)
    assert differ() == {"crop", "picture"}


def test_dinov2_is_shared_frozen_and_joined_by_trained_layers(monkeypatch):
    small_dino(monkeypatch)
    config = TINY.model_copy(update={"image": IMAGE})
    model = built(config)
    assert isinstance(model.image, DinoEncoder)
    assert isinstance(model.scene_image, DinoEncoder)
    assert model.image.vit is model.scene_image.vit
    model.freeze_encoders()
    trained = {n for n, p in model.named_parameters() if p.requires_grad and not n.startswith("dit.")}
    joining = {"gate", "other.weight"}
    assert trained == {f"{encoder}.{name}" for encoder in ("image", "scene_image") for name in joining}
    inputs = pose_inputs(config, COUNTS)
    cache = FeatureCache()
    before = cache.features(model, inputs).crop
    torch.nn.init.normal_(model.image.other.weight)
    kept = len(cache._memory)
    f = cache.features(model, inputs)  # these layers are no part of what is kept
    assert len(cache._memory) == kept
    assert (f.crop - before).abs().max() > 1e-3
    torch.testing.assert_close(f.crop, model.features(inputs).crop)
    f.crop.sum().backward()
    assert model.image.other.weight.grad is not None


# what is kept


def test_a_hit_is_a_fresh_computation_bit_for_bit(model, tmp_path, monkeypatch):
    inputs = pose_inputs(TINY, COUNTS)
    fresh = tensors(FeatureCache().features(model, inputs))
    FeatureCache(tmp_path).features(model, inputs)
    cache = FeatureCache(tmp_path)  # another process: from the folder
    calls = []
    monkeypatch.setattr(type(model), "encoded", lambda *_: calls.append(1))
    for _ in range(2):  # then from memory
        hit = tensors(cache.features(model, inputs))
        assert all(torch.equal(hit[name], x) for name, x in fresh.items())
    assert not calls


def test_what_is_kept_is_what_the_model_makes(model):
    inputs = pose_inputs(TINY, COUNTS)
    plain, kept = tensors(model.features(inputs)), tensors(FeatureCache().features(model, inputs))
    assert plain.keys() == kept.keys()
    for name, x in plain.items():
        torch.testing.assert_close(kept[name], x, msg=name)


def test_neighbours_do_not_matter(model):
    inputs, other = pose_inputs(TINY, COUNTS), pose_inputs(TINY, (4, 1), seed=9)
    both = FeatureCache().features(model, join_inputs([other, inputs]))
    alone = FeatureCache().features(model, inputs)
    assert torch.equal(both.geometry[5:], alone.geometry)
    assert torch.equal(both.scene_cloud[2:], alone.scene_cloud)
    assert torch.equal(both.scene_owner[2:], alone.scene_owner + 5)


def test_equal_meshes_are_encoded_once(model, monkeypatch):
    calls = []
    encode = model.geometry.forward
    monkeypatch.setattr(model.geometry, "forward", lambda x: calls.append(len(x)) or encode(x))
    shapes = pose_inputs(TINY, COUNTS).geometry
    cache = FeatureCache()
    first = cache.geometry(model, torch.cat([shapes, shapes[:2]]))
    assert torch.equal(first[6:], first[:2])
    assert torch.equal(cache.geometry(model, shapes.flip(0)), first[:6].flip(0))
    assert sum(calls) == 6
    torch.testing.assert_close(first[:6], encode(shapes))


@pytest.mark.parametrize("part", ["geometry", "points", "image", "scene_image"])
def test_changed_weights_miss(part):
    model = built()
    model.freeze_encoders()
    inputs, cache = pose_inputs(TINY, COUNTS), FeatureCache()
    before = tensors(cache.features(model, inputs))
    with torch.no_grad():
        next(getattr(model, part).parameters()).add_(0.1)
    after, wanted = tensors(cache.features(model, inputs)), tensors(model.features(inputs))
    assert any(not torch.equal(after[name], x) for name, x in before.items())
    for name, x in wanted.items():
        torch.testing.assert_close(after[name], x, msg=name)


def test_the_transformer_may_change(model):
    inputs, cache = pose_inputs(TINY, COUNTS), FeatureCache()
    cache.features(model, inputs)
    kept = len(cache._memory)
    with torch.no_grad():
        next(model.dit.parameters()).add_(0.1)
    cache.features(model, inputs)
    assert len(cache._memory) == kept


def test_changed_inputs_miss(model):
    inputs, cache = pose_inputs(TINY, COUNTS), FeatureCache()
    before = cache.features(model, inputs)
    crop = inputs.crop.clone()
    crop[5, 4, 3, 4] += 1e-3
    after = cache.features(model, replace(inputs, crop=crop))
    assert not torch.equal(after.crop[5], before.crop[5])
    assert torch.equal(after.crop[:5], before.crop[:5])


def test_memory_is_bounded(model):
    shapes = pose_inputs(TINY, COUNTS).geometry
    one = TINY.geometry.tokens * TINY.geometry.latent * 4
    cache = FeatureCache(max_bytes=2 * one)
    cache.geometry(model, shapes)
    assert len(cache._memory) == 2
    assert cache._bytes == 2 * one


def test_a_damaged_file_is_made_anew(model, tmp_path, caplog):
    shapes = pose_inputs(TINY, COUNTS).geometry[:1]
    fresh = FeatureCache(tmp_path).geometry(model, shapes)
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    with caplog.at_level(logging.WARNING):
        assert torch.equal(FeatureCache(tmp_path).geometry(model, shapes), fresh)
    assert caplog.messages == [f"made a damaged file anew: {path}"]
    caplog.clear()
    assert torch.equal(FeatureCache(tmp_path).geometry(model, shapes), fresh)
    assert not caplog.messages


def test_trained_encoders_are_not_kept():
    with pytest.raises(ConfigError) as caught:
        FeatureCache().features(built(), pose_inputs(TINY, COUNTS))
    assert str(caught.value) == (
        "expected frozen encoders to keep features of; got trained ones; "
        "call model.freeze_encoders(), or do without a cache"
    )
