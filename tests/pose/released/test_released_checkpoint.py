"""Names, shapes and files: what loads, what does not and what it says."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from released_tiny import SIZES, config_tree, random_state, tiny_model, vecset_tree, write_checkpoint
from safetensors.torch import load_file, save_file

import scenemaker.pose.released as package
from scenemaker.errors import ConfigError, InputError, ShapeError
from scenemaker.pose.released.checkpoint import load_released, revision, write_released
from scenemaker.pose.released.config import DinoSizes, ReleasedConfig, parse_config
from scenemaker.pose.released.images import DinoImages, timm_names
from scenemaker.pose.released.names import compact, expand, left_out, manifest_text, published_shapes

MANIFEST = Path(package.__file__).with_name("manifest.json")
OTHER = "give the config.yaml that was published with model.safetensors"


def counted(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    numbers, tensors = Counter[str](), Counter[str]()
    for name, shape in shapes.items():
        part = name.partition(".")[0]
        numbers[part] += math.prod(shape)
        tensors[part] += 1
    return {part: (numbers[part], tensors[part]) for part in numbers}


def test_manifest_is_ours_and_has_the_published_counts() -> None:
    """Counts: taken from the reference's own modules, see its report of facts."""
    text = MANIFEST.read_text("utf-8")
    assert text == manifest_text()
    forms = {kind: expand(names) for kind, names in json.loads(text).items()}
    mlp, vecset = forms["pcd-encoder"], forms["shape2vectset-autoencoder"]
    assert mlp == published_shapes(ReleasedConfig())
    assert counted(mlp) == {
        "condition": (304_372_736, 440),
        "denoiser_model": (682_625_088, 661),
        "pcd_model": (8_449_024, 8),
        "pose_emb": (66_560, 2),
        "pose_model": (201_162, 54),
        "shape_model": (191_591_553, 322),
    }
    assert (sum(map(math.prod, mlp.values())), len(mlp)) == (1_187_306_123, 1_487)
    block = [math.prod(s) for n, s in mlp.items() if n.startswith("denoiser_model.blocks.15.")]
    assert (sum(block), len(block)) == (41_982_976, 40)
    encoder = [math.prod(s) for n, s in mlp.items() if n.startswith("shape_model.encoder.")]
    assert sum(encoder) == 70_944_768
    assert counted(vecset)["pcd_model"] == (106_128_913 + 72, 321)  # 72: the buffer `basis`
    assert (counted(vecset)["pcd_emb"], len(vecset)) == ((9_216, 2), 1_802)


def test_some_names_and_shapes_of_the_report() -> None:
    shapes = expand(json.loads(MANIFEST.read_text("utf-8"))["pcd-encoder"])
    for name, shape in {
        "denoiser_model.time_embed.mlp.0.weight": (1024, 256),
        "denoiser_model.clip_embed.1.weight": (1024, 1024),
        "denoiser_model.blocks.7.cross_attn_trans.c_proj.bias": (1024,),
        "denoiser_model.blocks.7.scale_shift_table_obj": (3, 1024),
        "denoiser_model.t_block.1.weight": (6144, 1024),
        "denoiser_model.final_layer.scale_shift_table": (2, 1024),
        "pose_model.input_proj_size.0.weight": (64, 1),
        "pose_model.out_proj.2.weight": (6, 64),
        "pcd_model.input_proj.0.weight": (1024, 51),
        "shape_model.encoder.input_proj_sharp.weight": (768, 54),
        "shape_model.encoder.cross_attn.attn.c_kv.weight": (1536, 768),
        "shape_model.encoder.self_attn.resblocks.7.attn.c_qkv.weight": (2304, 768),
        "shape_model.pre_kl.weight": (128, 768),
        "shape_model.post_kl.weight": (768, 64),
        "shape_model.transformer.resblocks.15.mlp.c_fc.weight": (3072, 768),
        "shape_model.decoder.query_proj.weight": (768, 51),
        "shape_model.decoder.output_proj.weight": (1, 768),
        "condition.dino_model.embeddings.position_embeddings": (1, 1370, 1024),
    }.items():
        assert shapes[name] == shape, name


def test_compact_rows_keep_gaps_and_shapes() -> None:
    shapes = {f"a.blocks.{i}.w": (2, 3) for i in (0, 1, 2, 5)} | {"a.blocks.6.w": (4,), "b": (1,)}
    patterns = compact(shapes)
    assert patterns == {"a.blocks.{0-2}.w": [2, 3], "a.blocks.{5-5}.w": [2, 3], "a.blocks.{6-6}.w": [4], "b": [1]}
    assert expand(patterns) == shapes


@pytest.mark.parametrize("tree", [config_tree(), vecset_tree()], ids=["pcd-encoder", "shape2vectset-autoencoder"])
@pytest.mark.parametrize("kind", ["safetensors", "bin", "ckpt"])
def test_every_kind_of_file_loads(tmp_path: Path, tree: dict[str, Any], kind: str) -> None:
    folder = write_checkpoint(tmp_path, tree, kind)
    model, want = load_released(folder), tiny_model(tree)
    for (name, got), other in zip(model.state_dict().items(), want.state_dict().values(), strict=True):
        assert torch.equal(got.double(), other), name
    assert not any(p.requires_grad for p in model.parameters()) and not model.training
    file = next(f for f in folder.iterdir() if f.stem == "model")
    assert load_released(file).config == model.config


def test_every_weight_is_used_or_named_as_left_out() -> None:
    """Changing any one weight changes the state of the model, or it is in the list."""
    config = parse_config(vecset_tree())
    used = published_shapes(config).keys() - left_out(config).keys()
    held = sum(v.numel() for v in tiny_model(vecset_tree()).state_dict().values())
    shapes = published_shapes(config)
    folded = config.dino.hidden_size  # the first position is added to the class token
    assert sum(math.prod(shapes[n]) for n in used) - folded == held


def change(folder: Path, **tensors: torch.Tensor | None) -> None:
    state = load_file(folder / "model.safetensors")
    for name, value in tensors.items():
        if value is None:
            del state[name]
        else:
            state[name] = value
    save_file(state, folder / "model.safetensors")


def test_missing_unexpected_and_misshaped_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    total = len(published_shapes(parse_config(config_tree())))
    name = "denoiser_model.blocks.0.attn_obj.c_q.weight"
    change(folder, **{name: None, "denoiser_model.extra": torch.zeros(1)})
    with pytest.raises(InputError) as caught:
        load_released(folder)
    what = f"expected the {total} weights of config.yaml in model.safetensors"
    assert str(caught.value) == f"{what}; got a file without {name} and with denoiser_model.extra; {OTHER}"
    change(folder, **{name: torch.zeros(32, 31), "denoiser_model.extra": None})
    with pytest.raises(ShapeError) as caught:
        load_released(folder)
    assert str(caught.value) == f"expected {name} of shape (32, 32) in model.safetensors; got (32, 31); {OTHER}"


def test_weights_that_are_left_out_are_checked_too(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    change(folder, **{"shape_model.post_kl.bias": None})
    with pytest.raises(InputError, match="without shape_model.post_kl.bias; give the config.yaml"):
        load_released(folder)


def test_config_of_other_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    other = write_checkpoint(tmp_path / "b", config_tree(system__denoiser_model__block_mode="sep_only_gsa"))
    (folder / "config.yaml").write_bytes((other / "config.yaml").read_bytes())
    text = r"got a file with denoiser_model.blocks.0.attn_obj.c_k.weight, .* and 11 more; give the config.yaml"
    with pytest.raises(InputError, match=text):
        load_released(folder)
    other = write_checkpoint(tmp_path / "c", vecset_tree())
    (folder / "config.yaml").write_bytes((other / "config.yaml").read_bytes())
    with pytest.raises(InputError) as caught:
        load_released(folder)
    what = "the point encoder shape2vectset-autoencoder of config.yaml"
    assert str(caught.value) == f"expected {what}; got pcd-encoder in model.safetensors; {OTHER}"


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_truncated_files(tmp_path: Path, kind: str) -> None:
    folder = write_checkpoint(tmp_path, kind=kind)
    file = folder / f"model.{kind}"
    file.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(
        InputError, match=rf"^expected readable weights; got model.{kind}: .*; fetch it again; of a file"
    ):
        load_released(folder)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("evil"),))


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_checkpoint(tmp_path / "a", kind="ckpt")
    torch.save({"state_dict": random_state(parse_config(config_tree())), "evil": Evil()}, folder / "model.ckpt")
    with pytest.raises(InputError, match="expected readable weights; got model.ckpt: Weights only load failed"):
        load_released(folder)
    assert not Path("evil").exists()


def test_no_checkpoint_or_something_else(tmp_path: Path) -> None:
    remedy = "give the folder of the published checkpoint"
    what = "expected config.yaml and model.safetensors, model.bin or model.ckpt"
    for path, got in ((tmp_path, f"none in {tmp_path}"), (tmp_path / "no", f"no file or folder {tmp_path / 'no'}")):
        with pytest.raises(InputError) as caught:
            load_released(path)
        assert str(caught.value) == f"{what}; got {got}; {remedy}"
    folder = write_checkpoint(tmp_path / "a", kind="bin")
    torch.save([torch.zeros(1)], folder / "model.bin")
    with pytest.raises(InputError, match="^expected a state dict of tensors; got something else in model.bin; give"):
        load_released(folder)
    (folder / "config.yaml").unlink()
    with pytest.raises(InputError, match="^expected the config of released weights; got no file"):
        load_released(folder)


def test_other_config_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use_pe"):
        write_checkpoint(tmp_path, config_tree(system__denoiser_model__use_pe=True))


def test_written_and_read_back(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "a", kind="bin")
    model = load_released(source)
    with torch.no_grad():
        model.pose_emb.weight += 1
        model.denoiser_model.x_embed.bias *= 2
    path = write_released(model, source, tmp_path / "b", {"training": "{}"})
    assert path == tmp_path / "b" / "model.safetensors"
    before, after = torch.load(source / "model.bin", weights_only=True), load_file(path)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"pose_emb.weight", "denoiser_model.x_embed.bias"}
    again = load_released(tmp_path / "b")
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True))


def test_revision_tells_checkpoints_apart(tmp_path: Path) -> None:
    a, b = write_checkpoint(tmp_path / "a"), write_checkpoint(tmp_path / "b", seed=1)
    same = write_checkpoint(tmp_path / "c")
    assert revision(a) == revision(same) != revision(b)
    assert revision(a) == revision(a / "model.safetensors")
    tree = config_tree(system__denoiser_model__block_mode="sep_both_rot")
    assert revision(write_checkpoint(tmp_path / "d", tree)) != revision(a)


@pytest.mark.parametrize("px", [28, 56])  # another grid than the table's, and the same
def test_images_as_transformers_runs_them(px: int) -> None:
    """Oracle: Hugging Face's own model on the same weights, positions interpolated."""
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    config = parse_config(config_tree())
    prefix = "condition.dino_model."
    published = {k.removeprefix(prefix): v for k, v in random_state(config).items() if k.startswith(prefix)}
    theirs = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SIZES, patch_size=14, num_register_tokens=4)).eval()
    attention = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}  # transformers 5 has other names
    later = {f"attention.attention.{old}": f"attention.{new}" for old, new in attention.items()}
    later["attention.output.dense"] = "attention.o_proj"
    renamed = {}
    for name, value in published.items():
        old = next((old for old in later if old in name), "")
        renamed[name.replace(old, later[old]) if old else name] = value
    theirs.load_state_dict(renamed, strict=True)
    ours = DinoImages(DinoSizes(**SIZES), px).eval()
    ours.dino_model.load_state_dict(timm_names(published, 2), strict=True)
    picture = torch.rand(2, 3, px, px, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        want = theirs((picture - mean[:, None, None]) / std[:, None, None]).last_hidden_state
        got = ours(picture)
    assert got.shape == (2, 1 + (px // 14) ** 2, 16)
    torch.testing.assert_close(got, torch.cat([want[:, :1], want[:, 5:]], 1), atol=1e-5, rtol=1e-5)


def test_pictures_are_made_smaller_smoothly() -> None:
    """Oracle: Pillow's bicubic filter on single channels."""
    images = tiny_model().float().condition
    picture = torch.rand(1, 3, 90, 90, generator=torch.Generator().manual_seed(0))
    channels = [Image.fromarray(c.numpy()).resize((28, 28), Image.Resampling.BICUBIC) for c in picture[0]]
    small = torch.stack([torch.from_numpy(np.array(c)) for c in channels])[None]
    torch.testing.assert_close(images(picture), images(small), atol=1e-4, rtol=1e-4)
