"""The released model against its plain twin, on random weights; what its quirks do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import released_naive as naive
import torch
from released_tiny import config_tree, random_state, tiny_model, vecset_tree

from scenemaker.pose.dit.types import Layout, SceneFrame
from scenemaker.pose.released.config import parse_config
from scenemaker.pose.released.denoiser import PARTS, Denoiser
from scenemaker.pose.released.inputs import ReleasedInputs
from scenemaker.pose.released.model import Encoded, ReleasedModel
from scenemaker.pose.released.sampler import sample

MARK = 5 + 24  # tokens of crop and cloud
M = MARK + 2 + 5 + 5 + 24
HOW: dict[str, Any] = {"heads": 2, "mark": MARK}


def weights(model: ReleasedModel) -> naive.Weights:
    return {k: v.double().numpy() for k, v in random_state(model.config).items()}


def of_mode(mode: str, **changes: Any) -> ReleasedModel:
    return tiny_model(config_tree(system__denoiser_model__block_mode=mode, **changes))


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def encoded_of(layout: Layout, slot: list[int], shape: torch.Tensor, tokens: torch.Tensor) -> Encoded:
    return Encoded(layout=layout, slot=torch.tensor(slot), shape=shape, tokens=tokens)


@pytest.mark.parametrize("mode", PARTS)
def test_one_block_of_every_mode(mode: str) -> None:
    model = of_mode(mode)
    denoiser, L = model.denoiser_model, 3 + 6
    x, context, t0 = drawn(3, L, 32), drawn(3, M, 32, seed=2), drawn(6, 32, seed=3)
    tables = denoiser._tables(L, torch.tensor([0, 1, 2]), M)
    block = denoiser._blocks()[1]
    layout = Layout.of([3])
    got = block(x, t0.expand(3, 6, 32), layout.groups, tables, context, block.keys_values(context, tables))
    want = naive.block(
        weights(model), "denoiser_model.blocks.1", x.numpy(), context.numpy(), t0.numpy(), [True] * 3, mode=mode,
        **HOW, cross_rope=mode != "sep_mlp",
    )  # fmt: skip
    np.testing.assert_allclose(got.numpy(), want, atol=1e-5)


def test_block_modes_differ() -> None:
    x, context, t0 = drawn(3, 9, 32), drawn(3, M, 32, seed=2), drawn(6, 32, seed=3)
    seen = []
    for mode in ("sep_both", "sep_both_rot"):  # weights of equal names and shapes
        model = of_mode(mode)
        block = model.denoiser_model._blocks()[0]
        tables = model.denoiser_model._tables(9, torch.arange(3), M)
        kv = block.keys_values(context, tables)
        seen.append(block(x, t0.expand(3, 6, 32), Layout.of([3]).groups, tables, context, kv))
    assert (seen[0][:, 0] - seen[1][:, 0]).abs().max() > 0.01
    assert torch.allclose(seen[0][:, 3:], seen[1][:, 3:])


def test_sep_mlp_within_objects() -> None:
    changes = {"system__denoiser_model__attn_mode": "object", "system__denoiser_model__use_cross_rope": True}
    model = of_mode("sep_mlp", **changes)
    x, context = drawn(2, 9, 8), drawn(2, M, 16, seed=2)
    got = model.denoiser_model(
        x, torch.tensor([300.0]), Layout.of([2]), torch.arange(2), model.denoiser_model.context(context)
    )
    want = naive.denoiser(
        weights(model), x.numpy(), 300.0, context.numpy(), [True] * 2, layers=2, mode="sep_mlp", attn_mode="object",
        **HOW,
    )  # fmt: skip
    np.testing.assert_allclose(got.numpy(), want, atol=1e-5)


@pytest.mark.parametrize("rope", [True, False])
def test_whole_denoiser_of_padded_scenes(rope: bool) -> None:
    """Unusable objects and padding are masked in the reference; here they do not exist, but their places count."""
    model = of_mode("sep_both", system__denoiser_model__use_rope=rope)
    x, context = drawn(5, 9, 8), drawn(5, M, 16, seed=2)
    legal = [True, False, True, True, False]  # the last one is padding
    rows = [0, 2, 3]
    want = naive.denoiser(
        weights(model), x.numpy(), 62.0, context.numpy(), legal, layers=2, mode="sep_both", rope=rope,
        cross_rope=rope, **HOW,
    )  # fmt: skip
    denoiser = model.denoiser_model
    got = denoiser(x[rows], torch.tensor([62.0]), Layout.of([3]), torch.tensor(rows), denoiser.context(context[rows]))
    np.testing.assert_allclose(got.numpy(), want[rows], atol=1e-5)


def test_scenes_of_different_sizes_are_apart() -> None:
    model = tiny_model()
    denoiser, x, context = model.denoiser_model, drawn(6, 9, 8), drawn(6, M, 16, seed=2)
    t = torch.tensor([700.0, 20.0, 100.0])
    slot = torch.tensor([0, 1, 0, 1, 2, 0])
    together = denoiser(x, t, Layout.of([2, 3, 1]), slot, denoiser.context(context))
    for rows, i in ((slice(0, 2), 0), (slice(2, 5), 1), (slice(5, 6), 2)):
        count = rows.stop - rows.start
        alone = denoiser(x[rows], t[i : i + 1], Layout.of([count]), slot[rows], denoiser.context(context[rows]))
        torch.testing.assert_close(together[rows], alone)


def test_last_two_tokens_take_the_projection_of_the_pose_tokens() -> None:
    model = tiny_model()
    denoiser, tokens = model.denoiser_model, drawn(1, M, 16)
    projected = denoiser.context(tokens).tokens
    torch.testing.assert_close(projected[:, -2:], denoiser.pose_emb(tokens[:, -2:]))
    torch.testing.assert_close(projected[:, MARK : MARK + 2], denoiser.dino_embed(tokens[:, MARK : MARK + 2]))


def test_sampler_with_guidance() -> None:
    model = tiny_model()
    shape, context, noise = drawn(3, 6, 8), drawn(3, M, 16, seed=2), drawn(3, 10, seed=3)
    rows = [0, 2]
    want = naive.sample(
        weights(model), noise.numpy(), shape.numpy(), context.numpy(), [True, False, True], steps=4, guidance=3.0,
        layers=2, mode="sep_both", **HOW,
    )  # fmt: skip
    got = sample(model, encoded_of(Layout.of([2]), rows, shape[rows], context[rows]), noise[rows])
    np.testing.assert_allclose(got.numpy(), want[rows], atol=1e-4)


def test_cache_changes_nothing() -> None:
    model = tiny_model()
    encoded = encoded_of(Layout.of([2, 1]), [0, 1, 0], drawn(3, 6, 8), drawn(3, M, 16, seed=2))
    kept, anew = (sample(model, encoded, drawn(3, 10), steps=3, cache=cache) for cache in (True, False))
    torch.testing.assert_close(kept, anew)


def test_the_cache_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = tiny_model(), []
    block = type(model.denoiser_model._blocks()[0])
    before = block.keys_values
    monkeypatch.setattr(block, "keys_values", lambda *a: (calls.append(1), before(*a))[1])
    encoded = encoded_of(Layout.of([1]), [0], drawn(1, 6, 8), drawn(1, M, 16, seed=2))
    counts = []
    for cache in (True, False):
        calls.clear()
        sample(model, encoded, drawn(1, 10), steps=5, cache=cache)
        counts.append(len(calls))
    assert counts == [2 * 2, 2 * 2 * 5]  # blocks, with and without conditions, steps


def test_order_of_objects_changes_the_result() -> None:
    """The release's flaw that PoseDiT does not have."""
    model = tiny_model()
    shape, context, noise = drawn(3, 6, 8), drawn(3, M, 16, seed=2), drawn(3, 10, seed=3)
    order = torch.tensor([2, 0, 1])
    first = sample(model, encoded_of(Layout.of([3]), [0, 1, 2], shape, context), noise)
    second = sample(model, encoded_of(Layout.of([3]), [0, 1, 2], shape[order], context[order]), noise[order])
    assert (first[order] - second).abs().max() > 1e-3
    kept = sample(model, encoded_of(Layout.of([3]), order.tolist(), shape[order], context[order]), noise[order])
    torch.testing.assert_close(first[order], kept)  # the places in the list are all that differs


def test_more_shape_tokens_change_the_result() -> None:
    model = tiny_model()
    context, noise, shape = drawn(2, M, 16, seed=2), drawn(2, 10, seed=3), drawn(2, 12, 8)
    six, twelve = (sample(model, encoded_of(Layout.of([2]), [0, 1], shape[:, :n], context), noise) for n in (6, 12))
    assert (six - twelve).abs().max() > 1e-3


def made_inputs(n: int, counts: list[int]) -> ReleasedInputs:
    generator = torch.Generator().manual_seed(5)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    return ReleasedInputs(
        layout=Layout.of(counts),
        slot=Layout.of(counts).index,
        surface=torch.cat([2 * rand(n, 40, 3) - 1, torch.nn.functional.normalize(rand(n, 40, 3), dim=-1)], -1),
        crop=rand(n, 3, 64, 64),
        picture=rand(len(counts), 3, 64, 64),
        own=(rand(n, 64, 64) > 0.5).double(),
        cloud=2 * rand(n, 24, 3) - 1,
        scene_cloud=2 * rand(n, 24, 3) - 1,
        centre=rand(n, 3),
        reach=rand(n, 1),
        frame=SceneFrame(k=torch.ones(len(counts)), c=torch.zeros(len(counts), 3)),
        level=torch.eye(3).expand(len(counts), 3, 3),
    )


@pytest.mark.parametrize("tree", [config_tree(), vecset_tree()], ids=["pcd-encoder", "shape2vectset-autoencoder"])
def test_context_of_both_point_encoders(tree: dict[str, Any]) -> None:
    """The order of the tokens, the encoders, and what is drawn for the posteriors."""
    model = tiny_model(tree)
    inputs, w = made_inputs(3, [2, 1]), weights(model)
    got = model.encode(inputs, 7, ["a", "b", "c"])
    images = model.condition
    visible = np.stack(
        [
            naive.linear(
                w,
                "pose_emb",
                np.stack(
                    [
                        naive.pose_token(w, "input_proj_trans", inputs.centre[i].numpy()),
                        naive.pose_token(w, "input_proj_size", inputs.reach[i].numpy() - 1),
                    ]
                ),
            )
            for i in range(3)
        ]
    )
    for i in range(3):
        whole = inputs.picture[inputs.layout.scene[i]][None]
        crop, square, own = (images(p)[0].numpy() for p in (inputs.crop[i][None], whole, whole * inputs.own[i]))
        clouds = []
        for part, cloud in (("cloud", inputs.cloud[i]), ("scene", inputs.scene_cloud[i])):
            if "pcd_emb.weight" in w:
                noise = model._drawn(7, ["abc"[i]], part, 7, 4)[0].double().numpy()
                clouds.append(naive.linear(w, "pcd_emb", naive.vecset(w, cloud.numpy(), noise, 7)))
            else:
                clouds.append(naive.point_mlp(w, cloud.numpy()))
        want = np.concatenate([crop, clouds[0], visible[i], square, own, clouds[1]])
        np.testing.assert_allclose(got.tokens[i].numpy(), want, atol=1e-5)
        noise = model._drawn(7, ["abc"[i]], "shape", 6, 8)[0].double().numpy()
        latents = naive.shape_latents(w, inputs.surface[i].numpy(), noise, heads=2, layers=2, count=6)
        np.testing.assert_allclose(got.shape[i].numpy(), latents, atol=1e-5)


def test_shape_encoder_with_sharp_edges() -> None:
    """As in training: twice the tokens."""
    model = tiny_model()
    surface, sharp, noise = drawn(1, 30, 6), drawn(1, 35, 6, seed=2), drawn(1, 12, 8, seed=3)
    got = model.shape_model(surface, noise, sharp)[0]
    want = naive.shape_latents(
        weights(model), surface[0].numpy(), noise[0].numpy(), heads=2, layers=2, count=6, sharp=sharp[0].numpy()
    )
    np.testing.assert_allclose(got.numpy(), want, atol=1e-5)


def test_draws_belong_to_objects() -> None:
    model, inputs = tiny_model(vecset_tree()), made_inputs(3, [3])
    all_three = model.encode(inputs, 7, ["a", "b", "c"])
    other_seed = model.encode(inputs, 8, ["a", "b", "c"])
    other_key = model.encode(inputs, 7, ["a", "x", "c"])
    assert torch.equal(other_key.shape[[0, 2]], all_three.shape[[0, 2]])
    assert (other_key.shape[1] - all_three.shape[1]).abs().max() > 1e-3
    assert (other_key.tokens[1] - all_three.tokens[1]).abs().max() > 1e-3
    parts = [model._drawn(7, ["a"], part, 7, 4) for part in ("cloud", "scene", "shape")]
    assert min(float((a - b).abs().max()) for a, b in ((parts[0], parts[1]), (parts[1], parts[2]))) > 0.1
    assert (other_seed.shape - all_three.shape).abs().amin(-1).max() > 1e-6


def test_bfloat16_is_near_float32() -> None:
    model = tiny_model().float()
    inputs = made_inputs(2, [2]).to("cpu", torch.float32)
    noise, found = drawn(2, 10), []
    for dtype in (torch.float32, torch.bfloat16):
        encoded = model.to(dtype).encode(inputs, 0, [0, 1])
        assert encoded.tokens.dtype == encoded.shape.dtype == dtype
        found.append(sample(model, encoded, noise, steps=2, guidance_scale=1.0))
    assert found[1].dtype == torch.float32
    assert (found[0] - found[1]).abs().max() < 0.15


def test_published_size_on_meta() -> None:
    """682 M parameters, 2,821 tokens of context: shapes only."""
    config = parse_config(config_tree()).model_copy(
        update={"width": 1024, "layers": 16, "heads": 16, "channels": 64, "context": 1024}
        | {"image_tokens": 257, "cloud_tokens": 1024}
    )
    assert config.mark == 1281
    with torch.device("meta"):
        denoiser = Denoiser(config)
        context = denoiser.context(torch.empty(5, 2821, 1024))
        out = denoiser(torch.empty(5, 259, 64), torch.empty(1), Layout(torch.zeros(5, dtype=torch.long, device="cpu")),
                       torch.zeros(5, dtype=torch.long), context)  # fmt: skip
    assert out.shape == (5, 259, 64)
    assert context.kept is not None and context.kept[15][1].k.shape == (5, 1540, 16, 64)
    assert sum(p.numel() for p in denoiser.parameters()) + 1_050_624 == 682_625_088  # with the unused clip_embed
