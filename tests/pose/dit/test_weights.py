"""Weights files: what comes back is what went in, and what does not fit says why."""

import json

import pytest
import torch
from pose_inputs import pose_inputs
from safetensors.torch import load_file, save_file
from small_dino import IMAGE, small_dino

from scenemaker.errors import ConfigError, InputError, OutputError
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.encoders.geometry import GeometryVAE
from scenemaker.pose.dit.encoders.images import ImageEncoders
from scenemaker.pose.dit.encoders.points import PointEncoder
from scenemaker.pose.dit.pose_model import PoseModel
from scenemaker.pose.dit.weights import (
    adopt_encoder,
    load_encoder,
    load_model,
    read_facts,
    save_encoder,
    save_model,
)

TINY = CONFIGS["tiny"]
FACTS = {"steps": 3, "data": ["boxes"]}


def built(config=TINY, seed=0) -> PoseModel:
    torch.manual_seed(seed)
    model = PoseModel(config).eval()
    model.variables.mean.copy_(torch.arange(10) / 7)
    return model


@pytest.fixture
def saved(tmp_path):
    model, path = built(), tmp_path / "pose.safetensors"
    save_model(model, path, FACTS)
    return model, path


def rewritten(path, change):
    """The file with its tensors and metadata changed."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def refused(path, error=InputError):
    with pytest.raises(error) as caught:
        load_model(path)
    return str(caught.value)


def test_what_was_saved_comes_back(saved):
    model, path = saved
    again = load_model(path)
    assert again.config == model.config
    assert not again.training
    for name, x in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], x), name
    inputs = pose_inputs(TINY)
    assert torch.equal(again.features(inputs).cloud, model.features(inputs).cloud)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_file_says_what_it_is(saved):
    facts = read_facts(saved[1])
    assert facts["format"] == "scenemaker.pose-dit"
    assert facts["version"] == "1"
    assert facts["config"] == TINY.model_dump(mode="json")
    assert facts["facts"] == FACTS


def test_loading_draws_no_random_numbers(saved):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    load_model(saved[1])
    assert torch.equal(torch.rand(3), wanted)


def test_half_the_bytes(saved, tmp_path):
    model, path = saved
    half = tmp_path / "half.safetensors"
    save_model(model, half, FACTS, dtype=torch.bfloat16)
    assert half.stat().st_size < 0.65 * path.stat().st_size
    again = load_model(half)
    for name, x in model.state_dict().items():
        y = again.state_dict()[name]
        assert y.dtype == torch.float32
        wanted = x.to(torch.bfloat16).float() if x.ndim > 1 else x
        assert torch.equal(y, wanted), name
    assert torch.equal(again.variables.mean, model.variables.mean)


def test_no_such_file(tmp_path):
    path = tmp_path / "none.safetensors"
    assert refused(path) == f"expected a weights file at {path}; got No such file or directory; check the path"


def test_another_kind_of_file(tmp_path):
    path = tmp_path / "pose.safetensors"
    for content in (b"", b"x" * 5, b"PK" + b"\x03" * 500):
        path.write_bytes(content)
        assert refused(path) == (
            f"expected a safetensors file at {path}; got a file of {len(content)} bytes that does not begin as one; "
            "check the path"
        )


@pytest.mark.parametrize("share", [0.999, 0.5, 0.01, 0.0005])
def test_truncated(saved, share):
    _, path = saved
    data = path.read_bytes()
    kept = max(16, int(share * len(data)))
    path.write_bytes(data[:kept])
    text = refused(path)
    assert text.startswith(f"expected a whole file at {path}; got {kept} of at least ")
    assert text.endswith(" bytes; copy or fetch it again")


def test_a_header_that_is_no_json(saved):
    _, path = saved
    data = bytearray(path.read_bytes())
    data[9:40] = b"?" * 31
    path.write_bytes(data)
    assert refused(path) == (
        f"expected a safetensors file at {path}; got a header that cannot be read; fetch or train it anew"
    )


def test_another_format(saved, tmp_path):
    _, path = saved
    rewritten(path, lambda _, meta: meta.update(format="pt"))
    wanted = f"expected weights of format scenemaker.pose-dit in {path}; got format pt; "
    assert refused(path) == wanted + "give a file that `scenemaker train` wrote"
    encoder = tmp_path / "points.safetensors"
    save_encoder(PointEncoder(TINY.points), encoder, FACTS)
    assert "got format scenemaker.encoder" in refused(encoder)
    save_file({"a": torch.zeros(2)}, path)
    assert "got format None" in refused(path)


def test_another_version(saved):
    _, path = saved
    rewritten(path, lambda _, meta: meta.update(version="2"))
    assert refused(path) == (
        f"expected version 1 of scenemaker.pose-dit in {path}; got version 2; "
        "use the version of scenemaker that wrote it, or train anew"
    )


def test_a_config_with_a_key_of_the_future(saved):
    _, path = saved

    def change(_, meta):
        config = json.loads(meta["config"])
        config["dit"]["wings"] = 2
        meta["config"] = json.dumps(config)

    rewritten(path, change)
    assert refused(path, ConfigError) == (
        f"expected a config that this version knows in {path}; got dit.wings: Extra inputs are not permitted; "
        "use the version of scenemaker that wrote it"
    )


def test_tensors_that_do_not_fit(saved):
    model, path = saved

    def change(tensors, _):
        tensors["wing"] = torch.zeros(2)
        for name in [n for n in tensors if n.startswith("points.kind") or n.startswith("image.position")]:
            del tensors[name]
        tensors["variables.mean"] = torch.zeros(9)

    rewritten(path, change)
    assert refused(path) == (
        f"expected the {len(model.state_dict())} tensors of its config in {path}; "
        "got 2 missing (image.position, points.kind); 1 unexpected (wing); "
        "1 of another shape (variables.mean (9,) for (10,)); "
        "the file does not fit its own config: fetch or train it anew"
    )


def test_many_faults_are_counted(saved):
    _, path = saved

    def change(tensors, meta):
        config = json.loads(meta["config"])
        config["dit"]["width"] = 96
        meta["config"] = json.dumps(config)

    rewritten(path, change)
    text = refused(path)
    assert " of another shape (dit." in text
    assert ", ...)" in text


def test_a_failed_load_leaves_an_encoders_weights_alone(saved, tmp_path):
    model, _ = saved
    path = tmp_path / "geometry.safetensors"
    save_encoder(GeometryVAE(TINY.geometry), path, FACTS)
    rewritten(path, lambda tensors, _: tensors.pop(next(n for n in tensors if n.startswith("out."))))
    before = {name: x.clone() for name, x in model.geometry.state_dict().items()}
    with pytest.raises(InputError, match="1 missing"):
        adopt_encoder(model, path)
    assert all(torch.equal(x, before[name]) for name, x in model.geometry.state_dict().items())


def test_a_folder_that_is_a_file(saved):
    _, path = saved
    with pytest.raises(OutputError):
        save_model(built(), path / "pose.safetensors", FACTS)


@pytest.mark.parametrize(
    ("make", "places"),
    [
        (lambda: GeometryVAE(TINY.geometry), lambda m, e: [(m.geometry, e)]),
        (lambda: PointEncoder(TINY.points), lambda m, e: [(m.points, e)]),
        (lambda: ImageEncoders(TINY.image), lambda m, e: [(m.image, e.crops), (m.scene_image, e.pictures)]),
    ],
    ids=["geometry", "points", "image"],
)
def test_encoders_come_back_and_find_their_place(tmp_path, make, places):
    torch.manual_seed(3)
    encoder, path = make(), tmp_path / "encoder.safetensors"
    save_encoder(encoder, path, FACTS)
    again = load_encoder(path)
    assert type(again) is type(encoder)
    assert all(torch.equal(again.state_dict()[name], x) for name, x in encoder.state_dict().items())
    model = built()
    adopt_encoder(model, path)
    for target, source in places(model, encoder):
        assert all(torch.equal(source.state_dict()[name], x) for name, x in target.state_dict().items())


def test_an_encoder_of_other_sizes_is_not_adopted(tmp_path):
    path = tmp_path / "points.safetensors"
    config = TINY.points.model_copy(update={"heads": 4, "tokens": 16})
    save_encoder(PointEncoder(config), path, FACTS)
    with pytest.raises(ConfigError) as caught:
        adopt_encoder(built(), path)
    assert str(caught.value) == (
        f"expected the model's config of the encoder in {path}; got heads 4 for 2, tokens 16 for 8; "
        "train the encoder with the model's config, or the model with the encoder's"
    )


def test_an_unknown_kind_of_encoder(tmp_path):
    path = tmp_path / "points.safetensors"
    save_encoder(PointEncoder(TINY.points), path, FACTS)
    rewritten(path, lambda _, meta: meta.update(kind="smell"))
    with pytest.raises(InputError, match="expected an encoder of geometry, points, image in .*; got 'smell'; "):
        load_encoder(path)


def test_dinov2_stays_in_its_own_file(tmp_path, monkeypatch):
    small_dino(monkeypatch)
    model = built(TINY.model_copy(update={"image": IMAGE}))
    torch.nn.init.normal_(model.scene_image.other.weight)
    path, dino = tmp_path / "pose.safetensors", tmp_path / "dino.safetensors"
    save_model(model, path, FACTS)
    names = load_file(path)
    assert {"image.other.weight", "scene_image.other.weight"} <= set(names)
    assert not [n for n in names if ".vit." in n]
    assert refused(path, ConfigError) == (
        "expected weights of vit_small_patch14_reg4_dinov2 beside the model's; got none; "
        "give the file that timm publishes"
    )
    save_file(model.image.vit.state_dict(), dino)
    again = load_model(path, dino=dino)
    inputs = pose_inputs(model.config)
    assert torch.equal(again.features(inputs).picture, model.features(inputs).picture)
    other = {name: x + 1e-3 for name, x in model.image.vit.state_dict().items()}
    save_file(other, dino)
    with pytest.raises(InputError) as caught:
        load_model(path, dino=dino)
    assert str(caught.value) == (
        f"expected the vit_small_patch14_reg4_dinov2 of the model; got another in {dino}; "
        "give the file that the model was trained with"
    )
