"""The straight path between data and noise."""

import math

import torch

from scenemaker.pose.dit.flow import draw_t, flow_loss, noisy, velocity


def test_ends_of_the_path_and_its_derivative():
    x0, eps = torch.randn(2, 4, 3, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(noisy(x0, eps, torch.zeros(4, 3)), x0)
    assert torch.equal(noisy(x0, eps, torch.ones(4, 3)), eps)
    assert torch.allclose(noisy(x0, eps, t + 0.5) - noisy(x0, eps, t), 0.5 * velocity(x0, eps))
    # from anywhere on the path, the velocity leads back to the data
    assert torch.allclose(noisy(x0, eps, t) - t[..., None] * velocity(x0, eps), x0)


def test_one_pose_at_many_noise_levels():
    x0, eps = torch.ones(4, 1, 10), torch.zeros(4, 3, 10)
    t = torch.tensor([0.25, 0.5, 0.75]).expand(4, 3)
    assert torch.equal(noisy(x0, eps, t), (1 - t)[..., None].expand(4, 3, 10))


def test_times_are_logit_normal_and_seeded():
    t = draw_t((200, 100), torch.Generator().manual_seed(2))
    assert t.shape == (200, 100)
    assert t.min() > 0 and t.max() < 1
    normal = t.double().logit().flatten()
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.03
    below = (t < 0.25).double().mean().item()
    assert abs(below - 0.5 * (1 + math.erf(math.log(1 / 3) / math.sqrt(2)))) < 0.01
    assert torch.equal(t, draw_t((200, 100), torch.Generator().manual_seed(2)))
    assert not torch.equal(t, draw_t((200, 100), torch.Generator().manual_seed(3)))


def test_loss_is_the_mean_inside_each_variable():
    v, target = torch.zeros(2, 3, 10), torch.zeros(2, 3, 10)
    target[..., 0:6], target[..., 6:9], target[..., 9] = 2, 3, 5
    assert {k: x.item() for k, x in flow_loss(v, target).items()} == {"rotation": 4, "translation": 9, "size": 25}
    target = torch.zeros(2, 3, 10)
    target[0, 0, 4] = 6  # one of 36 numbers
    assert {k: x.item() for k, x in flow_loss(v, target).items()} == {"rotation": 1, "translation": 0, "size": 0}


def test_loss_of_bf16_is_computed_in_float32():
    v = torch.full((1, 1, 10), 1.0).bfloat16()
    assert flow_loss(v, torch.full((1, 1, 10), 1.001))["size"].dtype == torch.float32
    assert abs(flow_loss(v, torch.full((1, 1, 10), 1.001))["size"] - 1e-6) < 1e-8
