"""What is read of config.yaml, what is refused, and how references are followed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from released_tiny import config_tree, vecset_tree

import scenemaker.pose.released as package
from scenemaker.errors import ConfigError, InputError
from scenemaker.pose.released.config import ReleasedConfig, parse_config, read_config

PUBLISHED = {  # numbers of the published training configs, indoor and open-set alike
    "data": {"max_objs": 5, "min_pcd": 1024, "n_samples": 16384, "image_width": 512, "image_height": 512},
    "system": {
        **{"guidance_scale": 3.0, "num_inference_steps": 50, "max_objs": "${data.max_objs}"},
        **{"use_scene_img": True, "use_scene_mask_img": True, "use_scene_pcd": True, "weighting_scheme": "cosmap"},
        "shape_model_type": "michelangelo-autoencoder",
        "shape_model": {
            **{"n_samples": "${data.n_samples}", "with_sharp_data": True, "use_downsample": True, "num_latents": 512},
            **{"embed_dim": 64, "point_feats": 3, "num_freqs": 8, "include_pi": False, "heads": 12, "width": 768},
            **{"num_encoder_layers": 8, "num_decoder_layers": 16, "use_ln_post": True, "qkv_bias": False},
        },
        "pose_model_type": "pose-ae",
        "pose_model": {"in_dim": 6, "embed_dim": 64, "enable_ln_affine": True, "num_tokens": 3},
        "pcd_model_type": "pcd-encoder",
        "pcd_model": {"num_freqs": 8, "include_pi": False, "num_latents": "${data.min_pcd}", "out_dim": 1024},
        "condition_model_type": "dinov2-embedder",
        "condition_model": {
            "pretrained_dino_name_or_path": "facebook/dinov2-with-registers-large",
            "image_size_dino": 224,
        },
        "denoiser_model_type": "dit-pose-denoiser",
        "denoiser_model": {
            **{"input_channels": "${system.shape_model.embed_dim}", "width": 1024, "layers": 16, "curr_heads": 16},
            **{"context_dim": 1024, "condition_type": "dinov2", "use_rope": True, "proj_mode": "sep"},
            **{"num_pose_latents": 3, "num_pcd_latents": "${system.pcd_model.num_latents}", "num_img_latents": 257},
            **{"attn_mode": "scene", "block_mode": "sep_both"},
        },
    },
}


def test_published_config_is_the_default() -> None:
    assert parse_config(PUBLISHED) == ReleasedConfig()


def test_values_are_read_and_followed(tmp_path: Path) -> None:
    tree = config_tree(
        data__only_use_pitch=True, data__max_objs=7, system__denoiser_model__block_mode="sep_both_rot",
        system__guidance_scale=5, system__num_inference_steps=20, system__z_scale_factor=0.5,
    )  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree))
    config = read_config(tmp_path / "config.yaml")
    assert (config.only_use_pitch, config.max_objs, config.block_mode) == (True, 7, "sep_both_rot")
    assert (config.guidance_scale, config.steps, config.z_scale) == (5.0, 20, 0.5)
    assert (config.cloud_tokens, config.cloud_points, config.channels, config.shape.n_samples) == (24, 24, 8, 128)
    assert config.dino.hidden_size == 16
    assert config.mark == 5 + 24


def test_the_other_point_encoder() -> None:
    config = parse_config(vecset_tree())
    assert config.point_kind == "shape2vectset-autoencoder"
    assert (config.cloud_tokens, config.cloud_points, config.vecset.dim_head) == (7, 24, 5)


@pytest.mark.parametrize(
    ("mode", "switch", "rope"), [("sep_mlp", True, True), ("sep_mlp", False, False), ("sep_both", False, True)]
)
def test_rotary_positions_in_cross_attention(mode: str, switch: bool, rope: bool) -> None:
    tree = config_tree(system__denoiser_model__block_mode=mode, system__denoiser_model__use_cross_rope=switch)
    assert parse_config(tree).cross_rope is rope


@pytest.mark.parametrize(
    ("name", "got", "wanted"),
    [
        ("system.denoiser_model.use_pe", True, False),
        ("system.denoiser_model.proj_mode", "full", "sep"),
        ("system.denoiser_model.attn_mode", "object", "scene"),
        ("system.denoiser_model.num_img_latents", 9, 5),
        ("system.denoiser_model.num_pcd_latents", 9, 24),
        ("system.denoiser_model.input_channels", 9, 8),
        ("system.denoiser_model.context_dim", 9, 16),
        ("system.denoiser_model.width", "${data.wide}", "a value"),
        ("system.denoiser_model.gates", 2, "no such option"),
        ("system.use_scene_mask", True, False),
        ("system.use_floor", True, "no such option"),
        ("system.shape_model.qk_norm", True, False),
        ("system.pose_model.enable_ln_affine", False, True),
        ("system.pcd_model.include_pi", True, False),
        ("system.pcd_model_type", "pointnet", "pcd-encoder or shape2vectset-autoencoder"),
        ("system.denoise_scheduler.shift", 3.0, 1.0),
        ("data.use_mix_coord", False, True),
        ("data.image_height", 32, 64),
    ],
)
def test_what_is_not_rebuilt_is_refused(name: str, got: Any, wanted: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(config_tree(**{name.replace(".", "__"): got}))
    remedy = "these weights need a form of the model that is not rebuilt here"
    assert str(caught.value) == f"expected {name}: {wanted} in config.yaml; got {got}; {remedy}"


def test_another_image_encoder() -> None:
    with pytest.raises(
        ConfigError, match="dino_name_or_path: facebook/dinov2-with-registers-large .*; got a tiny one;"
    ):
        parse_config(config_tree(system__condition_model__kwargs={}))


def test_unknown_block_mode() -> None:
    with pytest.raises(ConfigError, match="block_mode .*'sep_both', 'sep_both_rot'.*not rebuilt here$"):
        parse_config(config_tree(system__denoiser_model__block_mode="trans2"))


def test_missing_option_takes_the_default_of_the_reference() -> None:
    tree = config_tree()
    del tree["system"]["shape_model"]["include_pi"]  # the reference's default is True
    with pytest.raises(ConfigError, match=r"expected system.shape_model.include_pi: False in config.yaml; got True"):
        parse_config(tree)


def test_files_that_are_no_config(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(InputError) as caught:
        read_config(path)
    remedy = "put the config.yaml that is published with the weights beside them"
    assert str(caught.value) == f"expected the config of released weights; got no file {path}; {remedy}"
    path.write_text("a: [1,")
    with pytest.raises(InputError, match="^expected YAML; got config.yaml: while parsing a flow .*; fetch the file"):
        read_config(path)
    path.write_text("- a")
    with pytest.raises(InputError, match="^expected sections in config.yaml; got list; fetch the file again$"):
        read_config(path)
    path.write_text("system: 3")
    with pytest.raises(ConfigError, match="^expected a section system in config.yaml; got 3; fetch the file again$"):
        read_config(path)


def test_every_quirk_is_named_where_it_is_kept() -> None:
    folder = Path(package.__file__).parent
    table = re.findall(r"^``([a-z-]+)``  ", (folder / "__init__.py").read_text("utf-8"), re.MULTILINE)
    code = "".join(file.read_text("utf-8") for file in folder.glob("*.py") if file.name != "__init__.py")
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", code)) - {"pose-dit", "pose-dit-released"}
    assert len(table) == 13 and named | {"rows"} == set(table)
