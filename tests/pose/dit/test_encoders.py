"""Encoders of shapes, clouds and pictures: against slow twins, and by what must not matter."""

import pytest
import torch
from pose_inputs import box_points, seeded
from scipy.spatial import cKDTree

from scenemaker.errors import ConfigError, ShapeError
from scenemaker.pose.dit.config import CONFIGS, GeometryConfig, ImageConfig
from scenemaker.pose.dit.encoders.dino import image_encoder
from scenemaker.pose.dit.encoders.distance import ShapeDecoder, surface_distance
from scenemaker.pose.dit.encoders.geometry import GeometryVAE, divergence, sampled
from scenemaker.pose.dit.encoders.images import ImageEncoders, MapDecoder, SmallImageEncoder, prime_factors
from scenemaker.pose.dit.encoders.layers import Layer, fourier
from scenemaker.pose.dit.encoders.patches import PatchEmbedding, farthest_points, maximum_per_patch, strided
from scenemaker.pose.dit.encoders.points import PointEncoder

TINY = CONFIGS["tiny"]


def built(cls, *args, **options):
    torch.manual_seed(0)
    return cls(*args, **options).eval()


def slow_farthest(points, tokens):
    """The same by the definition, in plain loops."""
    mean = sum(points) / len(points)
    chosen = [max(range(len(points)), key=lambda i: float((points[i] - mean).square().sum()))]
    while len(chosen) < tokens:
        away = [min(float((p - points[c]).square().sum()) for c in chosen) for p in points]
        chosen.append(away.index(max(away)) if max(away) > 0 else chosen[0])
    return chosen


# patches


@pytest.mark.parametrize("count", [1, 3, 7, 20])
def test_farthest_points_by_definition(count):
    xyz = torch.randn(2, 20, 3, generator=seeded(count))
    valid = torch.arange(20) < torch.tensor([[count], [20]])
    found = farthest_points(xyz, valid, 9)
    assert found[0].tolist() == slow_farthest(xyz[0, :count], 9)
    assert found[1].tolist() == slow_farthest(xyz[1], 9)


def test_strided_spreads_over_those_that_exist():
    index, valid = strided(torch.tensor([3, 10, 100]), 5)
    assert index[0][valid[0]].tolist() == [0, 1, 2]
    assert index[1][valid[1]].tolist() == [0, 2, 4, 6, 8]
    assert index[2].tolist() == [0, 20, 40, 60, 80]


def test_maximum_per_patch_by_definition_with_gradient():
    features = torch.randn(30, 4, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    patch = torch.randint(0, 6, (30,), generator=seeded(2))
    patch[patch == 2] = 5  # number 2 is empty, 5 is no patch
    best = maximum_per_patch(features, patch, 5)
    slow = torch.stack([features[patch == k].amax(0) if (patch == k).any() else torch.zeros(4) for k in range(5)])
    assert torch.equal(best, slow)
    weight = torch.randn(5, 4, generator=seeded(3), dtype=torch.float64)
    fast_grad = torch.autograd.grad((best * weight).sum(), features)[0]
    assert torch.equal(fast_grad, torch.autograd.grad((slow * weight).sum(), features)[0])


def test_patch_tokens_by_definition():
    embed = built(PatchEmbedding, 16, normals=True)
    cloud = torch.randn(40, 6, generator=seeded(4))
    found = embed(cloud[None], None, 6)
    xyz = cloud[:, :3]
    chosen = slow_farthest(xyz, 6)
    assert found.index[0].tolist() == chosen
    assert torch.equal(found.xyz[0], xyz[chosen])
    owner = cKDTree(xyz[chosen].numpy()).query(xyz.numpy())[1]
    for k, c in enumerate(chosen):
        mine = cloud[torch.from_numpy(owner == k)]
        inputs = torch.cat([fourier(mine[:, :3]), 4 * (mine[:, :3] - xyz[c]), mine[:, 3:]], -1)
        token = embed.out(embed.point(inputs).amax(0)) + embed.centre(fourier(xyz[c]))
        torch.testing.assert_close(found.tokens[0, k], token)


@pytest.mark.parametrize("count", [1, 3, 64])
def test_points_behind_the_count_change_nothing(count):
    encoder = built(PointEncoder, TINY.points)
    cloud = torch.randn(1, 64, 3, generator=seeded(5))
    counts = torch.tensor([count])
    dirty = cloud.clone()
    dirty[:, count:] = torch.nan
    alone = encoder(cloud[:, :count], counts)
    padded = encoder(torch.cat([dirty, torch.full((1, 50, 3), torch.inf)], 1), counts)
    beside = encoder(torch.cat([dirty, cloud]), torch.tensor([count, 64]))
    assert alone.tokens.isfinite().all()
    torch.testing.assert_close(padded.tokens, alone.tokens)
    torch.testing.assert_close(beside.tokens[:1], alone.tokens)
    assert torch.equal(padded.index, alone.index)
    assert (alone.index < count).all()


def test_gradient_through_ragged_clouds_is_finite():
    encoder = built(PointEncoder, TINY.points)
    cloud = torch.full((2, 64, 3), torch.nan)
    cloud[0, :1], cloud[1, :20] = 0.5, torch.randn(20, 3, generator=seeded(6))
    encoder(cloud, torch.tensor([1, 20])).tokens.square().sum().backward()
    grads = {name: p.grad for name, p in encoder.named_parameters() if not name.startswith("decoder.")}
    assert all(g is not None and g.isfinite().all() for g in grads.values())


def test_order_of_points_does_not_matter():
    encoder = built(PointEncoder, TINY.points)
    cloud = torch.randn(1, 64, 3, generator=seeded(7))
    order = torch.randperm(64, generator=seeded(8))
    one, other = encoder(cloud, torch.tensor([64])), encoder(cloud[:, order], torch.tensor([64]))
    torch.testing.assert_close(one.tokens, other.tokens, rtol=1e-5, atol=1e-5)
    assert torch.equal(order[other.index], one.index)


def test_points_all_in_one_place():
    encoder = built(PointEncoder, TINY.points)
    same = encoder(torch.full((1, 30, 3), 0.3), torch.tensor([30])).tokens
    assert same.isfinite().all()
    torch.testing.assert_close(same, same[:, :1].expand_as(same))
    torch.testing.assert_close(same, encoder(torch.full((1, 1, 3), 0.3), torch.tensor([1])).tokens)


def test_scene_patches_belong_to_the_object_of_their_centre():
    encoder = built(PointEncoder, TINY.points)
    cloud = torch.randn(2, 90, 3, generator=seeded(9))
    owner = torch.where(cloud[..., 0] > 0, 4, 7)
    tokens, owners = encoder.scene(cloud, owner)
    assert tokens.tokens.shape == (2, TINY.points.scene_tokens, encoder.channels)
    assert torch.equal(owners, torch.where(tokens.xyz[..., 0] > 0, 4, 7))
    assert {4, 7} == set(owners.flatten().tolist())


def test_large_clouds_are_covered():
    embed = built(PatchEmbedding, 16)
    cloud = torch.rand(1, 5000, 3, generator=seeded(10))
    cloud = cloud[:, cloud[0, :, 0].argsort()]  # in an order that a head of the list would not cover
    centres = embed(cloud, None, 32).xyz[0]
    away = cKDTree(centres.numpy()).query(cloud[0].numpy())[0]
    assert away.max() < 0.4  # 32 farthest points of a unit cube lie about 0.35 apart


# shapes


@pytest.mark.parametrize("tokens", [1, 4, 16, 20])
def test_shape_latents(tokens):
    config = TINY.geometry.model_copy(update={"tokens": tokens})
    vae = built(GeometryVAE, config)
    shapes = box_points(torch.tensor([[1.0, 0.5, 0.3], [0.2, 1.0, 0.9]]), 300, seeded(11))
    both = vae.encode(shapes)
    assert both.shape == (2, tokens, vae.channels)
    torch.testing.assert_close(both[1:], vae.encode(shapes[1:]))
    assert (both[0] - both[1]).abs().max() > 1e-2
    flipped = vae.encode(torch.cat([shapes[..., :3], -shapes[..., 3:]], -1))
    assert (flipped - both).abs().max() > 1e-3  # normals are seen


def test_latents_are_drawn_by_the_generator():
    vae = built(GeometryVAE, TINY.geometry)
    shapes = box_points(torch.tensor([[1.0, 0.5, 0.3]]), 300, seeded(12))
    mean, logvar = vae.posterior(shapes)
    drawn = vae.encode(shapes, seeded(1))
    assert torch.equal(drawn, vae.encode(shapes, seeded(1)))
    assert torch.equal(vae.encode(shapes), mean)
    noise = torch.randn(mean.shape, generator=seeded(1))
    torch.testing.assert_close(drawn, mean + noise * logvar.exp().sqrt())


def test_divergence_is_that_of_torch():
    mean, logvar = torch.randn(3, 4, 5, generator=seeded(1)), torch.randn(3, 4, 5, generator=seeded(2))
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mean, (logvar / 2).exp()), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(divergence(mean, logvar), wanted)
    many = sampled(torch.full((40000,), 2.0), torch.full((40000,), 1.0), seeded(3))
    assert abs(many.mean() - 2) < 0.03
    assert abs(many.var() - torch.e) < 0.06


def test_distance_to_a_surface_is_scipys(monkeypatch):
    queries, surface = torch.randn(5, 30, 3, generator=seeded(1)), torch.randn(5, 70, 3, generator=seeded(2))
    for chunk in (1, 2 * 30 * 70, 1 << 26):
        monkeypatch.setattr("scenemaker.pose.dit.encoders.distance.CHUNK", chunk)
        found, way = surface_distance(queries, surface)
        for q, s, d, w in zip(queries, surface, found, way, strict=True):
            away, nearest = cKDTree(s.numpy()).query(q.numpy())
            torch.testing.assert_close(d, torch.from_numpy(away).float())
            torch.testing.assert_close(q + d[:, None] * w, s[torch.from_numpy(nearest)])


def test_decoder_answers_every_query_by_itself():
    decoder = built(ShapeDecoder, 16, 32, 2, 1, truncation=0.2)
    tokens, queries = torch.randn(2, 4, 16, generator=seeded(1)), torch.randn(2, 9, 3, generator=seeded(2))
    distance, way = decoder(tokens, queries)
    assert ((distance >= 0) & (distance <= 0.2)).all()
    torch.testing.assert_close(way.norm(dim=-1), torch.ones(2, 9))
    one, one_way = decoder(tokens[1:], queries[1:, 4:5])
    torch.testing.assert_close(one[0, 0], distance[1, 4])
    torch.testing.assert_close(one_way[0, 0], way[1, 4])


# pictures


def test_prime_factors():
    assert prime_factors(1) == []
    assert prime_factors(14) == [2, 7]
    assert prime_factors(16) == [2, 2, 2, 2]


@pytest.mark.parametrize(("px", "patch"), [(32, 8), (64, 16), (42, 14), (15, 3), (14, 1)])
def test_picture_tokens_stand_row_by_row_and_see_their_patch(px, patch):
    config = ImageConfig(width=32, layers=0, heads=2, px=px, patch=patch)
    encoder = built(SmallImageEncoder, config, 5)
    image = torch.zeros(1, 5, px, px)
    plain = encoder(image)
    assert plain.shape == (1, config.tokens, 32)
    side = px // patch
    image[:, :, patch // 2, (side - 1) * patch + patch // 2] = 1.0  # in the top-right patch
    change = (encoder(image) - plain).abs().amax(-1).view(side, side)
    assert change[0, -1] > 1e-3
    row, column = change.nonzero().T
    assert row.max() <= 1
    assert column.min() >= side - 2


def test_colour_is_seen_once_it_was_trained_with():
    encoder = built(SmallImageEncoder, TINY.image, 6)
    image = torch.rand(2, 6, 32, 32, generator=seeded(1)) * 2 - 1
    grey = image.clone()
    grey[:, :3] = 0
    assert torch.equal(encoder(image), encoder(grey))
    assert (encoder(image) - encoder(image.flip(1))).abs().max() > 1e-2  # the others are seen
    encoder(image).square().mean().backward()
    weight = next(encoder.stem.parameters())
    assert weight.grad[:, :3].abs().amax((0, 2, 3)).min() > 0


def test_maps_put_every_cell_in_its_place():
    decoder = built(MapDecoder, ImageConfig(width=8, heads=1, px=24, patch=8))
    tokens = torch.zeros(1, 9, 8)
    plain = decoder(tokens)[0]
    tokens[0, 5] = 1.0  # row 1, column 2 of 3 x 3 patches of 2 x 2 cells
    changed = (decoder(tokens)[0] - plain).abs().sum(1)[0] > 0
    wanted = torch.zeros(6, 6, dtype=torch.bool)
    wanted[2:4, 4:6] = True
    assert torch.equal(changed, wanted)
    points, normals = decoder(torch.randn(2, 9, 8, generator=seeded(1)))
    assert points.shape == normals.shape == (2, 3, 6, 6)
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(2, 6, 6))


def test_pictures_of_one_batch_do_not_see_each_other():
    encoder = image_encoder(TINY.image, 6).eval()
    image = torch.randn(3, 6, 32, 32, generator=seeded(1))
    torch.testing.assert_close(encoder(image)[1:2], encoder(image[1:2]))


# layers and what is refused


def test_fourier_features():
    x = torch.tensor([[0.3, -0.7, 2.0]], dtype=torch.float64)
    found = fourier(x)
    assert found.shape == (1, 51)
    assert found[0, 3 + 8 + 2].item() == pytest.approx(torch.tensor(4 * -0.7).sin().item())
    assert found[0, 27 + 16 + 7].item() == pytest.approx(torch.tensor(128 * 2.0).cos().item(), abs=1e-5)


def test_self_attention_ignores_order_and_cross_attention_asks_its_context():
    layer = built(Layer, 16, 2, cross=True)
    x, context = torch.randn(2, 5, 16, generator=seeded(1)), torch.randn(2, 7, 16, generator=seeded(2))
    torch.testing.assert_close(layer(x, context), layer(x, context.flip(1)))
    assert (layer(x, context) - layer(x, context + 1)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: GeometryVAE(GeometryConfig(width=32, heads=5)),
            ConfigError,
            "expected heads to divide the width of an encoder; got width 32, heads 5; change one of them",
        ),
        (
            lambda: GeometryVAE(TINY.geometry)(torch.zeros(2, 10, 3)),
            ShapeError,
            "expected points and normals of shapes, (N, Q, 6); got (2, 10, 3); sample the surface",
        ),
        (
            lambda: PointEncoder(TINY.points)(torch.zeros(2, 0, 3), torch.ones(2)),
            ShapeError,
            "expected observed points (N, P, 3); got (2, 0, 3); give at least one point",
        ),
        (
            lambda: SmallImageEncoder(TINY.image, 6)(torch.zeros(2, 6, 32, 24)),
            ShapeError,
            "expected pictures (N, 6, 32, 32); got (2, 6, 32, 24); make the inputs with the model's own config",
        ),
        (
            lambda: ImageEncoders(CONFIGS["base"].image),
            ConfigError,
            "expected kind \"small\" of an image encoder to train; got 'dinov2'; DINOv2 is used as it is published",
        ),
    ],
)
def test_what_is_refused(make, error, text):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == text
