"""The released model written down plainly, token by token, with padding and masks as the reference has them.

Oracle for ``pose.released``: no code is shared, only the published names of weights. All in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

A = NDArray[np.float64]
Weights = dict[str, A]


def linear(w: Weights, name: str, x: A) -> A:
    out = x @ w[f"{name}.weight"].T
    return out + w[f"{name}.bias"] if f"{name}.bias" in w else out


def rms(w: Weights, name: str, x: A, eps: float = 1e-6) -> A:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w[f"{name}.weight"]


def layer_norm(w: Weights, name: str, x: A, eps: float = 1e-5) -> A:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * w[f"{name}.weight"] + w[f"{name}.bias"]


def gelu(x: A) -> A:
    return np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))(x)


def silu(x: A) -> A:
    return x / (1 + np.exp(-x))


def mlp(w: Weights, name: str, x: A) -> A:
    return linear(w, f"{name}.c_proj", gelu(linear(w, f"{name}.c_fc", x)))


def turned(vector: A, position: int) -> A:
    """One head's vector (c,) at a position: pairs (0, 1), (2, 3), ..."""
    out, half = vector.copy(), len(vector) // 2
    for j in range(half):
        angle = float(np.float32(position) * np.float32(10000.0 ** (-2.0 * j / half)))
        even, odd = vector[2 * j], vector[2 * j + 1]
        out[2 * j] = even * math.cos(angle) - odd * math.sin(angle)
        out[2 * j + 1] = even * math.sin(angle) + odd * math.cos(angle)
    return out


def softmax(scores: A) -> A:
    e = np.exp(scores - scores.max())
    return e / e.sum()


def attention(q: A, k: A, v: A, allowed: NDArray[np.bool_] | None = None) -> A:
    """One head: (L, c), (M, c), (M, c); a query that may look nowhere gets zeros."""
    out = np.zeros((len(q), v.shape[1]))
    for i in range(len(q)):
        keys = [j for j in range(len(k)) if allowed is None or allowed[i, j]]
        if keys:
            scores = np.array([q[i] @ k[j] / math.sqrt(q.shape[1]) for j in keys])
            out[i] = sum(p * v[j] for p, j in zip(softmax(scores), keys))
    return out


def denoiser_attention(
    w: Weights, name: str, x: A, y: A, heads: int, rope: bool, allowed: NDArray[np.bool_] | None = None
) -> A:
    """Positions count from 0 in x and in y."""
    q, k, v = x @ w[f"{name}.c_q.weight"].T, y @ w[f"{name}.c_k.weight"].T, y @ w[f"{name}.c_v.weight"].T
    c, parts = x.shape[1] // heads, []
    for h in range(heads):
        part = slice(h * c, (h + 1) * c)
        qh, kh = q[:, part], k[:, part]
        if rope:
            qh = np.stack([turned(row, i) for i, row in enumerate(qh)])
            kh = np.stack([turned(row, i) for i, row in enumerate(kh)])
        parts.append(attention(qh, kh, v[:, part], allowed))
    return linear(w, f"{name}.c_proj", np.concatenate(parts, 1))


def block(
    w: Weights, name: str, x: A, context: A, t0: A, legal: Sequence[bool], *, mode: str, heads: int, mark: int,
    attn_mode: str = "scene", rope: bool = True, cross_rope: bool = True,
) -> A:  # fmt: skip
    """x (T, L, d), context (T, M, d), t0 (6, d)."""
    T, L, d = x.shape
    six = w[f"{name}.scale_shift_table"] + t0
    h = rms(w, f"{name}.norm1", x) * (1 + six[1]) + six[0]
    if attn_mode == "scene":
        ok = np.repeat(np.asarray(legal), L)
        out = denoiser_attention(
            w, f"{name}.attn", h.reshape(T * L, d), h.reshape(T * L, d), heads, rope, ok[:, None] & ok[None, :]
        ).reshape(T, L, d)
    else:
        out = np.stack([denoiser_attention(w, f"{name}.attn", h[o], h[o], heads, rope) for o in range(T)])
    x = x + six[2] * out
    if mode in ("sep_both", "sep_both_rot", "sep_both_only_gca"):
        three = w[f"{name}.scale_shift_table_obj"] + t0[:3]
        h = rms(w, f"{name}.norm_obj", x) * (1 + three[1]) + three[0]
        out = np.stack([denoiser_attention(w, f"{name}.attn_obj", h[o], h[o], heads, rope) for o in range(T)])
        x = x + three[2] * out
    out = x.copy()
    injection = w[f"{name}.scale_shift_table_trans"] + t0
    for o in range(T):
        rot, trans, size = x[o, 0:1], x[o, 1:2], x[o, 2:3]
        if mode != "sep_both_only_gca":
            rot = rot + denoiser_attention(w, f"{name}.cross_attn", rot, context[o, :mark], heads, cross_rope)
        at = rms(w, f"{name}.norm_trans", context[o, mark : mark + 1]) * (1 + injection[1]) + injection[0]
        trans = trans + injection[2] * mlp(w, f"{name}.mlp_trans", at)
        at = rms(w, f"{name}.norm_size", context[o, mark + 1 : mark + 2]) * (1 + injection[4]) + injection[3]
        size = size + injection[5] * mlp(w, f"{name}.mlp_size", at)
        asking = [trans, size] if mode in ("sep_both", "sep_only_gsa", "sep_mlp") else [rot, trans, size]
        joined = np.concatenate(asking)
        joined = joined + denoiser_attention(
            w, f"{name}.cross_attn_trans", joined, context[o, mark:], heads, cross_rope
        )
        out[o, 0:3] = np.concatenate([rot, joined]) if len(asking) == 2 else joined
    h = rms(w, f"{name}.norm2", out) * (1 + six[4]) + six[3]
    return out + six[5] * mlp(w, f"{name}.mlp", h)


def denoiser(
    w: Weights, x: A, t: float, context: A, legal: Sequence[bool], *, layers: int, eps: float = 2.0**-52, **how
) -> A:
    """Velocity tokens (T, L, e) of tokens (T, L, e) at t in [0, 1000] with raw contexts (T, M, c)."""
    p = "denoiser_model."
    angle = [float(np.float32(t) * np.float32(math.exp(-math.log(10000) * i / 128))) for i in range(128)]
    wave = np.array([math.cos(a) for a in angle] + [math.sin(a) for a in angle])
    time = linear(w, f"{p}time_embed.mlp.2", silu(linear(w, f"{p}time_embed.mlp.0", wave)))
    t0 = linear(w, f"{p}t_block.1", silu(time)).reshape(6, -1)
    plain = linear(w, f"{p}dino_embed.1", rms(w, f"{p}dino_embed.0", context[:, :-2], eps))
    last = linear(w, f"{p}pose_emb.1", rms(w, f"{p}pose_emb.0", context[:, -2:], eps))
    projected = np.concatenate([plain, last], 1)
    h = linear(w, f"{p}x_embed", x)
    for i in range(layers):
        h = block(w, f"{p}blocks.{i}", h, projected, t0, legal, **how)
    shift, scale = w[f"{p}final_layer.scale_shift_table"] + time
    return linear(w, f"{p}final_layer.linear", rms(w, f"{p}final_layer.norm_final", h) * (1 + scale) + shift)


def pose_tokens(w: Weights, x: A) -> A:
    """(3, e) of ten numbers."""
    parts = {"input_proj": x[:6], "input_proj_trans": x[6:9], "input_proj_size": x[9:]}
    return np.stack([pose_token(w, name, part) for name, part in parts.items()])


def pose_token(w: Weights, name: str, part: A) -> A:
    p = f"pose_model.{name}"
    h = layer_norm(w, f"{p}.1", linear(w, f"{p}.0", part))
    return layer_norm(w, f"{p}.3", mlp(w, f"{p}.2", h))


def pose_numbers(w: Weights, tokens: A) -> A:
    """Ten numbers of (3, e)."""
    names = ("out_proj", "out_proj_trans", "out_proj_size")
    out = []
    for name, token in zip(names, tokens):
        p = f"pose_model.{name}"
        out.append(linear(w, f"{p}.2", layer_norm(w, f"{p}.1", mlp(w, f"{p}.0", token))))
    return np.concatenate(out)


def sample(
    w: Weights, noise: A, shape: A, context: A, legal: Sequence[bool], *, steps: int, guidance: float, **how
) -> A:
    """Ten numbers (T, 10), from noise (T, 10)."""
    x, length = noise.copy(), 0.999 / steps
    for i in range(steps):
        t = 1000 - 999 / steps * i
        tokens = np.stack([np.concatenate([pose_tokens(w, x[o]), shape[o]]) for o in range(len(x))])
        with_, without = (denoiser(w, tokens, t, c, legal, **how) for c in (context, np.zeros_like(context)))
        v = np.stack([pose_numbers(w, o[:3]) for o in with_])
        u = np.stack([pose_numbers(w, o[:3]) for o in without])
        x = x - length * (u + guidance * (v - u))
    return x


def embedded(point: A) -> A:
    """51 numbers of a point: itself, then sines, then cosines, of each coordinate in turn."""
    waves = [2**i * c for c in point for i in range(8)]
    return np.array([*point, *(math.sin(a) for a in waves), *(math.cos(a) for a in waves)])


def point_mlp(w: Weights, cloud: A, eps: float = 2.0**-52) -> A:
    p = "pcd_model.input_proj"
    h = linear(w, f"{p}.0", np.stack([embedded(x) for x in cloud]))
    h = mlp(w, f"{p}.3", gelu(rms(w, f"{p}.1", h, eps)))
    return gelu(rms(w, f"{p}.4", h, eps))


def farthest(points: A, count: int) -> list[int]:
    """The first is the farthest from the mean."""
    chosen = [int(((points - points.mean(0)) ** 2).sum(1).argmax())]
    while len(chosen) < count:
        chosen.append(int(np.array([min(((p - points[c]) ** 2).sum() for c in chosen) for p in points]).argmax()))
    return chosen


def vecset(w: Weights, cloud: A, noise: A, count: int) -> A:
    """Latents (K, e) of the posterior, drawn with noise (K, e)."""
    p = "pcd_model."
    waves = cloud @ w[f"{p}point_embed.basis"]
    data = linear(w, f"{p}point_embed.mlp", np.concatenate([np.sin(waves), np.cos(waves), cloud], 1))
    query = data[farthest(cloud, count)]
    q, context = (
        layer_norm(w, f"{p}cross_attend_blocks.0.{n}", a) for n, a in (("norm", query), ("norm_context", data))
    )
    q, kv = linear(w, f"{p}cross_attend_blocks.0.fn.to_q", q), linear(w, f"{p}cross_attend_blocks.0.fn.to_kv", context)
    width = q.shape[1]
    x = query + linear(w, f"{p}cross_attend_blocks.0.fn.to_out", attention(q, kv[:, :width], kv[:, width:]))
    h = linear(w, f"{p}cross_attend_blocks.1.fn.net.0", layer_norm(w, f"{p}cross_attend_blocks.1.norm", x))
    value, gate = np.split(h, 2, 1)
    x = x + linear(w, f"{p}cross_attend_blocks.1.fn.net.2", value * gelu(gate))
    mean, log_variance = linear(w, f"{p}mean_fc", x), linear(w, f"{p}logvar_fc", x)
    return mean + np.exp(0.5 * np.clip(log_variance, -30, 20)) * noise


def shape_latents(w: Weights, surface: A, noise: A, heads: int, layers: int, count: int, sharp: A | None = None) -> A:
    p = "shape_model.encoder."

    def points(data: A, name: str) -> tuple[A, A]:
        rows = np.stack([np.concatenate([embedded(r[:3]), r[3:]]) for r in data])
        out = linear(w, p + name, rows)
        return out, out[farthest(data[:, :3], count)]

    def cross(name: str, query: A, data: A) -> A:
        q = linear(w, f"{p}{name}.attn.c_q", layer_norm(w, f"{p}{name}.ln_1", query))
        kv = linear(w, f"{p}{name}.attn.c_kv", layer_norm(w, f"{p}{name}.ln_2", data))
        c, parts = q.shape[1] // heads, []
        for h in range(heads):  # k and v of a head lie side by side
            k, v = kv[:, 2 * h * c : (2 * h + 1) * c], kv[:, (2 * h + 1) * c : (2 * h + 2) * c]
            parts.append(attention(q[:, h * c : (h + 1) * c], k, v))
        x = query + linear(w, f"{p}{name}.attn.c_proj", np.concatenate(parts, 1))
        return x + mlp(w, f"{p}{name}.mlp", layer_norm(w, f"{p}{name}.ln_3", x))

    data, query = points(surface, "input_proj")
    if sharp is None:
        x = cross("cross_attn", query, data)
    else:
        sharp_data, sharp_query = points(sharp, "input_proj_sharp")
        query = np.concatenate([query, sharp_query])
        x = cross("cross_attn", query, data) + cross("cross_attn_sharp", query, sharp_data)
    for i in range(layers):
        b = f"{p}self_attn.resblocks.{i}"
        qkv = linear(w, f"{b}.attn.c_qkv", layer_norm(w, f"{b}.ln_1", x))
        c, parts = x.shape[1] // heads, []
        for h in range(heads):
            q, k, v = (qkv[:, (3 * h + j) * c : (3 * h + j + 1) * c] for j in range(3))
            parts.append(attention(q, k, v))
        x = x + linear(w, f"{b}.attn.c_proj", np.concatenate(parts, 1))
        x = x + mlp(w, f"{b}.mlp", layer_norm(w, f"{b}.ln_2", x))
    x = linear(w, "shape_model.pre_kl", layer_norm(w, f"{p}ln_post", x))
    mean, log_variance = np.split(x, 2, 1)
    return mean + np.exp(0.5 * np.clip(log_variance, -30, 20)) * noise
