"""From noise to data: solvers on fields that are known, and what the result does not depend on."""

import math

import pytest
import torch
from pose_features import TINY, one_scene, random_dit, random_features, reordered

from scenemaker.errors import ConfigError, ShapeError
from scenemaker.pose.dit.flow import noisy, velocity
from scenemaker.pose.dit.sampler import integrate, noise_for, sample

KEYS = ["cup", "box", "chair", 3, "lamp"]


# solvers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize("steps", [1, 7])
def test_the_exact_velocity_leads_to_the_data(solver, steps):
    """One pose as data: the velocity at x_t is (x_t - x_0) / t, a straight line, exact for both solvers."""
    x0, eps = torch.randn(2, 4, 3, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    seen = []

    def field(x, t):
        seen.append(t)
        assert torch.allclose(x, noisy(x0, eps, torch.tensor(t, dtype=torch.float64)))
        return velocity(x0, eps)

    assert torch.allclose(integrate(field, eps, steps=steps, solver=solver), x0)
    assert seen[0] == 1
    assert min(seen) == pytest.approx(0 if solver == "heun" else 1 / steps)
    assert len(seen) == steps * (2 if solver == "heun" else 1)


def test_normal_data_and_the_order_of_the_solvers():
    """Data normal with deviation d: x_t has the deviation sqrt((1-t)^2 d^2 + t^2), the exact flow multiplies by d."""
    d = 0.3

    def field(x, t):
        return x * (t - (1 - t) * d**2) / ((1 - t) ** 2 * d**2 + t**2)

    start = torch.ones(1, 1, 10, dtype=torch.float64)

    def error(solver, steps):
        return (integrate(field, start, steps=steps, solver=solver) - d).abs().max().item()

    for solver, order in (("euler", 1), ("heun", 2)):
        assert math.log2(error(solver, 64) / error(solver, 128)) == pytest.approx(order, abs=0.15)
    assert error("heun", 16) < 0.1 * error("euler", 32)  # at the same number of looks


def test_solver_and_steps_are_checked():
    start = torch.zeros(1, 1, 10)
    with pytest.raises(ConfigError) as caught:
        integrate(lambda x, t: x, start, steps=3, solver="rk4")
    assert str(caught.value) == "expected a solver; got 'rk4'; choose: euler, heun"
    with pytest.raises(ConfigError) as caught:
        integrate(lambda x, t: x, start, steps=0, solver="euler")
    assert str(caught.value) == "expected at least 1 step; got 0; take 12"


# noise -------------------------------------------------------------------------------------------------------------


def test_noise_is_an_objects_own():
    noise = noise_for(7, KEYS, 4)
    assert noise.shape == (5, 4, 10) and noise.dtype == torch.float32
    assert torch.equal(noise, noise_for(7, KEYS, 4))
    order = [3, 1, 4, 0, 2]
    assert torch.equal(noise_for(7, [KEYS[i] for i in order], 4), noise[order])
    assert torch.equal(noise_for(7, ["box"], 4)[0], noise[1])
    assert torch.equal(noise_for(7, KEYS, 2), noise[:, :2])
    assert torch.equal(noise_for(7, KEYS, 40)[:, :4], noise)


def test_noise_is_normal_and_differs():
    noise = noise_for(1, range(200), 50)
    assert abs(noise.mean()) < 0.01 and abs(noise.std() - 1) < 0.01
    flat = torch.cat((noise_for(1, [23, 0, 1], 5), noise_for(12, [3, 0, 1], 5))).flatten()
    assert len(flat.unique()) == len(flat)


# sampling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"solver": "heun"}, {"guidance_scale": 2.5}], ids=str)
def test_cached_sampling_is_uncached_sampling(options):
    dit, features, noise = random_dit(), random_features([3, 2]), noise_for(0, KEYS, 2)
    made = []
    dit.known.register_forward_hook(lambda *_: made.append(1))
    cached = sample(dit, features, noise, steps=3, **options)
    once = len(made)
    uncached = sample(dit, features, noise, steps=3, cache=False, **options)
    guided = 2 if "guidance_scale" in options else 1
    looks = 6 if "solver" in options else 3
    assert (once, len(made) - once) == (guided, guided * looks)
    assert torch.allclose(cached, uncached, atol=1e-6)
    assert (cached - noise).abs().max() > 0.1


def test_sampling_is_the_solver_on_the_model():
    dit, features, noise = random_dit(), random_features([3, 2]), noise_for(0, KEYS, 2)
    known, x = dit.conditions(features), noise
    for t in (1.0, 0.75, 0.5, 0.25):
        x = x - 0.25 * dit(x, torch.full((2, 2), t), known)
    found = sample(dit, features, noise, steps=4)
    assert torch.allclose(found, x, atol=1e-6)
    assert not found.requires_grad


def test_guidance():
    """uncond + s (cond - uncond): 0 knows nothing, 1 is plain, in one step it is linear in s."""
    dit, noise = random_dit(), noise_for(0, KEYS, 2)
    one, other = random_features([3, 2], seed=1), random_features([3, 2], seed=2)

    def at(features, scale):
        return sample(dit, features, noise, steps=1, guidance_scale=scale)

    nothing, plain, more = at(one, 0.0), at(one, 1.0), at(one, 3.0)
    assert torch.allclose(nothing, at(other, 0.0), atol=1e-5)
    assert torch.allclose(plain, sample(dit, one, noise, steps=1), atol=1e-6)
    assert torch.allclose(more, nothing + 3 * (plain - nothing), atol=1e-4)
    assert (more - plain).abs().max() > 1e-2


def test_order_and_company_change_nothing():
    dit, features = random_dit(), random_features([3, 2])
    found = sample(dit, features, noise_for(0, KEYS, 2), steps=4)
    order = torch.tensor([2, 0, 1, 4, 3])
    again = sample(dit, reordered(features, order), noise_for(0, [KEYS[i] for i in order], 2), steps=4)
    assert torch.allclose(again, found[order], atol=1e-4)
    alone = sample(dit, one_scene(features, 1), noise_for(0, KEYS[3:], 1), steps=4)
    assert torch.allclose(alone, found[3:, :1], atol=1e-4)


def test_equal_calls_give_equal_results():
    dit, features, noise = random_dit(TINY), random_features([3, 2]), noise_for(0, KEYS, 2)
    assert torch.equal(sample(dit, features, noise), sample(dit, features, noise))


def test_bf16_is_near_float32():
    dit, features, noise = random_dit(), random_features([3, 2]), noise_for(0, KEYS, 2)
    full = sample(dit, features, noise, steps=4)
    half = sample(dit.bfloat16(), features, noise, steps=4)
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().mean() < 0.05 * (full - noise).abs().mean()


def test_noise_of_another_shape():
    dit, features = random_dit(), random_features([3, 2])
    for shape in ((4, 2, 10), (5, 10), (5, 2, 9)):
        with pytest.raises(ShapeError) as caught:
            sample(dit, features, torch.zeros(shape))
        assert str(caught.value) == f"expected noise of shape (5, S, 10); got {shape}; one row per object"
