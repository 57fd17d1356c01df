"""Attention against a plain one written out with loops' arithmetic, in value and gradient."""

import pytest
import torch

from scenemaker.pose.dit.attention import Attention, RMSNorm, attend
from scenemaker.pose.dit.rotary import Rotary, Table


def seeded(width=24, heads=2, **options) -> Attention:
    torch.manual_seed(0)
    attention = Attention(width, heads, **options).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(std=0.4)
    return attention


def normal(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turned(head, table, i):
    """One token's head (c,), pair by pair."""
    if table is None:
        return head
    out = []
    for j in range(len(head) // 2):
        cos, sin = table.cos[i, j], table.sin[i, j]
        out += [head[2 * j] * cos - head[2 * j + 1] * sin, head[2 * j] * sin + head[2 * j + 1] * cos]
    return torch.stack(out)


def naive(attention, x, context, x_table, table, mask=None):
    """(L, d) from (L, d) and (M, d): one head, one query and one key at a time."""
    width, c = x.shape[1], x.shape[1] // attention.heads

    def normed(head, norm):
        if isinstance(norm, torch.nn.Identity):
            return head
        return head / (head.square().mean() + norm.eps).sqrt() * norm.weight

    rows = []
    for i in range(len(x)):
        heads = []
        for h in range(0, width, c):
            q = turned(normed(attention.q(x[i])[h : h + c], attention.q_norm), x_table, i)
            scores, values = [], []
            for j in range(len(context)):
                if mask is None or mask[i, j]:
                    k = turned(normed(attention.k(context[j])[h : h + c], attention.k_norm), table, j)
                    scores.append(q @ k / c**0.5)
                    values.append(attention.v(context[j])[h : h + c])
            weights = torch.stack(scores).exp()
            heads.append((weights[:, None] * torch.stack(values)).sum(0) / weights.sum())
        rows.append(attention.proj(torch.cat(heads)))
    return torch.stack(rows)


def both(attention, fast, slow, *inputs):
    """Asserts equal values, and equal gradients of inputs and parameters."""
    weights = normal(*fast.shape, seed=9)
    wrt = [*inputs, *attention.parameters()]
    assert torch.allclose(fast, slow, atol=1e-12)
    grads = [torch.autograd.grad((out * weights).sum(), wrt, retain_graph=True) for out in (fast, slow)]
    for a, b in zip(*grads, strict=True):
        assert a.abs().max() > 0
        assert torch.allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"qk_norm": True}, {"qkv_bias": True}], ids=str)
@pytest.mark.parametrize("positions", [True, False])
def test_self_attention_is_the_naive_one(options, positions):
    attention, x = seeded(**options), normal(5, 24).requires_grad_()
    table = Rotary(12)(normal(5, 3, seed=2)) if positions else None
    both(attention, attention(x, table=table), naive(attention, x, x, table, table), x)


def test_cross_attention_is_the_naive_one_with_kept_keys():
    attention, x, context = seeded(qk_norm=True), normal(3, 24).requires_grad_(), normal(7, 24, seed=3).requires_grad_()
    here, there = Rotary(12)(normal(3, 3, seed=4)), Rotary(12)(normal(7, 3, seed=5))
    kept = attention.keys_values(context, there)
    both(attention, attention(x, kept, here), naive(attention, x, context, here, there), x, context)


def test_mask():
    attention, x = seeded(), normal(5, 24).requires_grad_()
    mask = torch.eye(5, dtype=torch.bool) | (torch.rand(5, 5, generator=torch.Generator().manual_seed(6)) < 0.4)
    both(attention, attention(x, mask=mask), naive(attention, x, x, None, None, mask), x)


def test_a_query_that_may_look_nowhere_takes_nothing():
    attention, x = seeded(), normal(4, 24)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[2] = False
    assert torch.equal(attention(x, mask=mask)[2], attention.proj.bias)


def test_axes_in_front_are_separate_batches():
    attention, x = seeded(qk_norm=True), normal(2, 3, 5, 24)
    table = Rotary(12)(normal(2, 1, 5, 3, seed=7))  # shared by the second axis
    mask = torch.rand(2, 1, 5, 5, generator=torch.Generator().manual_seed(8)) < 0.7
    mask |= torch.eye(5, dtype=torch.bool)
    out = attention(x, table=table, mask=mask)
    for i in range(2):
        for j in range(3):
            alone = attention(x[i, j], table=Table(table.cos[i, 0], table.sin[i, 0]), mask=mask[i, 0])
            assert torch.allclose(out[i, j], alone, atol=1e-12)


def test_attend_keeps_heads_apart():
    q, kv = normal(4, 2, 6), seeded(width=12).keys_values(normal(5, 12, seed=2))
    out = attend(q, kv)
    changed = attend(q, kv._replace(v=kv.v * torch.tensor([1.0, 2.0])[:, None]))
    assert torch.equal(out[:, :6], changed[:, :6])
    assert torch.allclose(2 * out[:, 6:], changed[:, 6:])


def test_parameters():
    names = {name: tuple(p.shape) for name, p in Attention(24, 2).named_parameters()}
    square = (24, 24)
    weights = {f"{name}.weight": square for name in ("q", "k", "v", "proj")}
    assert names == weights | {"proj.bias": (24,)}
    assert Attention(24, 2, qkv_bias=True).q.bias is not None


def test_rms_norm():
    x, norm = normal(3, 8) * 7, RMSNorm(8).double()
    with torch.no_grad():
        norm.weight.copy_(torch.arange(8))
    assert torch.allclose(norm(x), x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * torch.arange(8))
    tiny = torch.full((1, 4), 1e-4)
    eps = torch.finfo(torch.float32).eps
    assert torch.allclose(RMSNorm(4, eps=None)(tiny), tiny / (1e-8 + eps) ** 0.5)
    assert torch.allclose(RMSNorm(4, eps=0.5)(tiny), tiny / (1e-8 + 0.5) ** 0.5)


def test_rms_norm_of_bf16_is_computed_in_float32():
    x = (normal(5, 8) * 30).bfloat16()
    norm = RMSNorm(8).bfloat16()
    assert norm(x).dtype == torch.bfloat16
    assert torch.equal(norm(x), RMSNorm(8)(x.float()).bfloat16())


def test_bf16_is_near_float32():
    attention, x, table = seeded(qk_norm=True).float(), normal(6, 24).float(), Rotary(12)(normal(6, 3).float())
    full = attention(x, table=table)
    half = attention.bfloat16()(x.bfloat16(), table=table)
    assert half.dtype == torch.bfloat16
    assert (half - full).abs().max() < 0.02 * full.abs().max()
