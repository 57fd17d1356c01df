"""DINOv2 behind the interface of image encoders. Random weights: what it sees and how it joins is what counts here."""

import pytest
import torch
from pose_inputs import seeded
from small_dino import make
from torchvision_here import importable

from scenemaker.errors import ConfigError, InputError, ShapeError
from scenemaker.pose.dit.config import ImageConfig
from scenemaker.pose.dit.encoders.dino import DinoEncoder, image_encoder, make_vit

NAME = "vit_small_patch14_reg4_dinov2"
CONFIG = ImageConfig(kind="dinov2", model=NAME, px=42, patch=14)


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return make(NAME)


@pytest.fixture
def encoder(vit):
    """As after some training: with an open gate."""
    encoder = image_encoder(CONFIG, 6, vit=vit)
    torch.nn.init.ones_(encoder.gate)
    return encoder


def pictures(n=2, channels=6):
    return torch.rand(n, channels, 42, 42, generator=seeded(1)) * 2 - 1


def test_tokens_are_the_patches_of_dinov2_on_normalised_rgb(encoder, vit):
    image = pictures()
    byte = (image[:, :3] + 1) / 2
    normal = torch.stack(
        [(byte[:, i] - m) / s for i, (m, s) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)])], 1
    )
    prefix = 5  # class token and four registers
    assert vit.num_prefix_tokens == prefix
    with torch.no_grad():
        wanted = vit.forward_features(normal)[:, prefix:]
    assert encoder(image).shape == (2, 9, encoder.channels)
    torch.testing.assert_close(encoder(image), wanted)


def test_masks_and_depth_join_in_their_own_patch(encoder):
    torch.nn.init.normal_(encoder.other.weight)
    image = pictures()
    other = image.clone()
    other[0, 4, 20, 30] += 1.0  # patch row 1, column 2 of 3 x 3
    change = (encoder(other) - encoder(image)).abs().amax(-1) > 1e-6
    assert change.nonzero().tolist() == [[0, 5]]
    assert torch.equal(encoder.join(encoder.encode(image), image), encoder(image))


def test_only_what_joins_is_trained(encoder):
    assert {n for n, p in encoder.named_parameters() if p.requires_grad} == {"gate", "other.weight"}
    encoder(pictures()).square().sum().backward()
    assert encoder.other.weight.grad.abs().max() > 0
    assert encoder.gate.grad.abs().min() > 0
    assert all(p.grad is None for p in encoder.vit.parameters())
    encoder.train()
    assert encoder.training
    assert not any(m.training for m in encoder.vit.modules())


def test_the_gate_scales_channels_of_dinov2(encoder):
    image = pictures()
    whole = encoder(image)
    torch.nn.init.zeros_(encoder.gate[7:])
    assert torch.equal(encoder(image)[..., :7], whole[..., :7])
    assert not encoder(image)[..., 7:].any()


def test_trained_without_colour_it_does_without_colour(vit):
    """One picture of a batch has colour, or none: the gate learns from that picture, or not at all."""
    encoder = DinoEncoder(CONFIG, 5, vit)
    image = pictures(4, channels=5)
    grey = image.clone()
    grey[:, :3] = 0
    some = torch.cat([grey[:3], image[3:]])
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, weight_decay=0.1)
    for batch, learns in ((grey, False), (some, True)):
        for _ in range(2):
            optimizer.zero_grad()
            (encoder(batch) - 1).square().sum().backward()
            optimizer.step()
        assert encoder.other.weight.abs().max() > 0.01
        assert bool(encoder.gate.any()) == learns
        assert torch.equal(encoder(image), encoder(grey)) != learns


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_come_from_a_file_of_timms(encoder, tmp_path, suffix):
    from safetensors.torch import save_file

    before = encoder(pictures())
    state = {name: x.clone() + 0.01 for name, x in encoder.vit.state_dict().items()}
    path = tmp_path / f"dino.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(state, path)
    kept = {name: x.clone() for name, x in encoder.vit.state_dict().items()}
    encoder.load_vit(path)
    assert (encoder(pictures()) - before).abs().max() > 1e-3
    encoder.vit.load_state_dict(kept)


def test_another_file_is_refused(encoder, tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(InputError, match=f"expected weights of {NAME} at .*x.pth; got Error.* in loading state_dict"):
        encoder.load_vit(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(InputError, match="give the file that timm publishes for it"):
        encoder.load_vit(path)


def test_what_is_refused(vit):
    importable()
    with pytest.raises(ConfigError) as caught:
        make_vit("vit_of_nobody")
    assert str(caught.value) == (
        "expected a model of timm; got 'vit_of_nobody'; choose one that timm.list_models('*dinov2*') names"
    )
    with pytest.raises(ConfigError) as caught:
        DinoEncoder(ImageConfig(kind="dinov2", model=NAME, px=32, patch=16), 6, vit)
    assert str(caught.value) == f"expected patch 14 of {NAME}; got patch 16; change image.patch"
    with pytest.raises(ShapeError, match=r"expected pictures \(N, 6, 42, 42\); got \(1, 5, 42, 42\)"):
        DinoEncoder(CONFIG, 6, vit)(torch.zeros(1, 5, 42, 42))
