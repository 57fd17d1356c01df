"""LPIPS against recorded numbers of its authors' package; the wiring of CLIP."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from scenemaker.errors import BackendNotInstalledError, ConfigError, DeviceError, InputError, ShapeError
from scenemaker.evaluation.perceptual import ClipScore, Lpips

CONVOLUTIONS = {  # place in torchvision's features, channels in, channels out, kernel
    "alex": [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)],
    "vgg": [
        (place, *channels, 3)
        for place, channels in zip(
            (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
            ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512))
            + 5 * ((512, 512),),
            strict=True,
        )
    ],
}
COMPARED = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


def weights(net="alex"):
    """Seeded random weights in the published layouts: of torchvision, and of ``lpips/weights/v0.1``."""
    rng = np.random.default_rng(0)
    backbone = {}
    for place, i, o, k in CONVOLUTIONS[net]:
        scale = np.float32(np.sqrt(2 / (i * k * k)))
        backbone[f"features.{place}.weight"] = rng.standard_normal((o, i, k, k), dtype=np.float32) * scale
        backbone[f"features.{place}.bias"] = rng.standard_normal(o, dtype=np.float32) * np.float32(0.1)
    lin = {f"lin{k}.model.1.weight": rng.random((1, c, 1, 1), dtype=np.float32) for k, c in enumerate(COMPARED[net])}
    return [{key: torch.from_numpy(value) for key, value in state.items()} for state in (backbone, lin)]


def saved(folder, net="alex", backbone=None, lin=None):
    """Paths of both files."""
    own = weights(net)
    files = folder / "backbone.pth", folder / "lin.pth"
    torch.save(own[0] if backbone is None else backbone, files[0])
    torch.save(own[1] if lin is None else lin, files[1])
    return files


def pictures():
    """Two pairs (2, 48, 65, 3), the second less different."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 256, (2, 48, 65, 3), dtype=np.uint8) for _ in range(2))
    b[1] = a[1] // 2 + b[1] // 2
    return a, b


@pytest.fixture(scope="module")
def alex(tmp_path_factory):
    return Lpips.load(*saved(tmp_path_factory.mktemp("alex")))


# lpips 0.1.4 (torch 2.13, CPU): LPIPS(pretrained=False, pnet_rand=True, net=net) given these weights, the backbone by
# torchvision's own features.load_state_dict(strict=True); called with the pictures / 255 and normalize=True.
RECORDED = {"alex": (0.857665479, 0.350815505), "vgg": (0.493626982, 0.238878310)}


@pytest.mark.parametrize("net", RECORDED)
def test_lpips_equals_the_authors_package(tmp_path, net):
    measure = Lpips.load(*saved(tmp_path, net), net)
    for a, b, recorded in zip(*pictures(), RECORDED[net], strict=True):
        assert measure(a, b) == pytest.approx(recorded, abs=1e-6)


def test_lpips_of_equal_pictures_and_both_ways(alex):
    a, b = pictures()
    assert alex(a[0], a[0]) == 0.0
    assert alex(a[0], b[0]) == pytest.approx(alex(b[0], a[0]), abs=1e-6)


def test_lpips_in_batches_with_a_gradient(alex):
    a, b = (torch.from_numpy(x).permute(0, 3, 1, 2) / 255 for x in pictures())
    found = alex.distance(a.requires_grad_(), b)
    assert found.tolist() == pytest.approx(RECORDED["alex"], abs=1e-6)
    found.sum().backward()
    step = 1e-3 * a.grad / a.grad.norm()
    with torch.no_grad():
        change = alex.distance(a + step, b) - alex.distance(a - step, b)
    assert change.sum().item() == pytest.approx(2e-3 * a.grad.norm().item(), rel=0.05)


def test_lpips_gradient_where_nothing_is_seen(tmp_path):
    """Activations of length 0 have no direction."""
    backbone = {key: torch.zeros_like(value) for key, value in weights()[0].items()}
    a = torch.rand(1, 3, 32, 32, requires_grad=True)
    found = Lpips.load(*saved(tmp_path, backbone=backbone)).distance(a, a.detach() / 2)
    found.sum().backward()
    assert found.tolist() == [0.0]
    assert not a.grad.any()


def test_the_classifier_of_the_backbone_is_not_needed(tmp_path, alex):
    backbone = weights()[0] | {"classifier.1.weight": torch.zeros(4, 4)}
    a, b = pictures()
    assert Lpips.load(*saved(tmp_path, backbone=backbone))(a[0], b[0]) == alex(a[0], b[0])


def test_safetensors_are_read_by_their_package(tmp_path, monkeypatch):
    backbone, lin = weights()
    files = [tmp_path / "backbone.safetensors", tmp_path / "lin.safetensors"]
    for file in files:
        file.touch()
    fake = ModuleType("safetensors.torch")
    fake.load_file = dict(zip(files, (backbone, lin), strict=True)).__getitem__
    find = importlib.util.find_spec
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None if name == "safetensors" else find(name))
        with pytest.raises(BackendNotInstalledError) as error:
            Lpips.load(*files)
    text = 'expected the package safetensors; got it is not installed; type: pip install "scenemaker[models]"'
    assert str(error.value) == text
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "safetensors", ModuleType("safetensors"))
    monkeypatch.setitem(sys.modules, "safetensors.torch", fake)
    a, b = pictures()
    assert Lpips.load(*files)(a[0], b[0]) == pytest.approx(RECORDED["alex"][0], abs=1e-6)


def test_wrong_weights(tmp_path):
    backbone, lin = weights()

    def message(**kwargs):
        with pytest.raises(InputError) as error:
            Lpips.load(*saved(tmp_path, **kwargs))
        return str(error.value)

    first = {"features.0.weight": backbone["features.0.weight"]}
    assert message(backbone=first) == (
        "expected the weights features.0.weight, features.0.bias ... in backbone.pth; "
        "got a file without features.0.bias, features.10.bias ...; give the file of this network"
    )
    extra = {key.removeprefix("features."): value for key, value in backbone.items()}
    assert message(backbone=backbone | extra) == (
        "expected the weights features.0.weight, features.0.bias ... in backbone.pth; "
        "got a file with 0.bias, 0.weight ...; give the file of this network"
    )
    assert message(lin={"lin0.model.1.weight": lin["lin0.model.1.weight"], "x": lin["lin0.model.1.weight"]}) == (
        "expected the weights lin0.model.1.weight, lin1.model.1.weight ... in lin.pth; "
        "got a file without lin1.model.1.weight, lin2.model.1.weight ... and a file with x; "
        "give the file of this network"
    )
    assert message(lin=lin | {"lin2.model.1.weight": torch.zeros(1, 7, 1, 1)}) == (
        "expected lin2.model.1.weight of shape (1, 384, 1, 1) in lin.pth; got (1, 7, 1, 1); "
        "give the file of this network"
    )
    assert (
        message(lin=[1, 2])
        == "expected a state dict of tensors; got something else in lin.pth; save model.state_dict()"
    )
    assert message(lin=SimpleNamespace()).startswith("expected readable weights; got lin.pth: Weights only load failed")


def test_unreadable_weights(tmp_path):
    files = saved(tmp_path)
    whole = files[0].read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1000):
        files[0].write_bytes(whole[:length])
        with pytest.raises(InputError) as error:
            Lpips.load(*files)
        assert str(error.value).startswith("expected readable weights; got backbone.pth: ")
        assert str(error.value).endswith("; fetch it again")
    files[1].unlink()
    files[0].write_bytes(whole)
    with pytest.raises(InputError) as error:
        Lpips.load(*files)
    assert str(error.value) == f"expected a file of weights; got no file {files[1]}; check the path"
    with pytest.raises(ConfigError) as error:
        Lpips.load(*files, net="squeeze")
    assert str(error.value) == 'expected "alex" or "vgg"; got \'squeeze\'; choose one of them'
    with pytest.raises(DeviceError):
        Lpips.load(*files, device="gpu")


def test_wrong_pictures(alex):
    a, _ = pictures()
    with pytest.raises(ShapeError) as error:
        alex(a[0], a[0, :, :40])
    assert str(error.value) == (
        "expected two pictures (b, 3, h, w) of one size, h and w at least 32; got (1, 3, 48, 65) and (1, 3, 48, 40); "
        "resize one to the other, or enlarge both"
    )
    with pytest.raises(ShapeError, match=r"at least 32; got \(1, 3, 31, 65\) and"):
        alex(a[0, :31], a[0, :31])
    with pytest.raises(ShapeError) as error:
        alex(a[0] / 255, a[0])
    assert str(error.value) == ("expected a picture (h, w, 3) uint8; got float64 (48, 65, 3); convert it to 8-bit RGB")


@pytest.fixture
def clip_folder(tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"):
        (tmp_path / name).touch()
    return tmp_path


class FakeModel:
    """The attributes of CLIPModel that are used: a picture's embedding is its mean colour, a text's its letters."""

    missing: tuple[str, ...] = ()
    device = torch.device("cpu")

    @classmethod
    def from_pretrained(cls, folder, *, local_files_only, output_loading_info):
        assert local_files_only
        assert output_loading_info
        if (folder / "broken").exists():
            raise OSError("no such header")
        return cls(), {"missing_keys": set(cls.missing)}

    def to(self, device):
        assert device == "cpu"
        return self

    def eval(self):
        return self

    def vision_model(self, pixel_values):
        return SimpleNamespace(pooler_output=pixel_values.mean((2, 3)))

    def text_model(self, input_ids, attention_mask):
        assert attention_mask.shape == input_ids.shape
        return SimpleNamespace(pooler_output=input_ids.float())

    def visual_projection(self, x):
        return x @ torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])  # swaps red and green

    def text_projection(self, x):
        return 7 * x[:, -3:]


class FakeProcessor:
    """CLIPProcessor, as it is called."""

    @classmethod
    def from_pretrained(cls, folder, *, local_files_only):
        assert local_files_only
        return cls()

    def __call__(self, *, images=None, text=None, return_tensors, truncation=False):
        assert return_tensors == "pt"
        if images is not None:
            return {"pixel_values": torch.tensor(np.asarray(images)).permute(2, 0, 1)[None].float()}
        assert truncation
        ids = torch.tensor([[ord(c) - ord("a") for c in t] for t in text])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.fixture
def fake_transformers(monkeypatch):
    """Stands in for the package; only the wiring can be seen through it."""
    fake = ModuleType("transformers")
    fake.CLIPModel, fake.CLIPProcessor = FakeModel, FakeProcessor
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "transformers" else find(name))
    monkeypatch.setitem(sys.modules, "transformers", fake)


def plain(*rgb, size=(5, 8)):
    return np.broadcast_to(np.array(rgb, np.uint8), (*size, 3))


def test_clip_cosines(fake_transformers, clip_folder):
    clip = ClipScore.load(clip_folder)
    assert clip.cosine(plain(0, 9, 0), "baa") == pytest.approx(1.0)  # green, which is swapped, and (1, 0, 0)
    assert clip.cosine(plain(9, 0, 0), "baa") == 0.0
    assert clip.cosine(plain(3, 4, 0), "baa") == pytest.approx(0.8)
    assert clip.cosine(plain(3, 4, 0), plain(9, 0, 0, size=(7, 4))) == pytest.approx(0.6)
    assert clip.score(plain(3, 4, 0), "baa") == pytest.approx(2.5 * 0.8)  # the fake sees the last letters only


def test_clip_score_is_not_negative_and_prefixes_the_text(fake_transformers, clip_folder, monkeypatch):
    clip = ClipScore.load(clip_folder)
    asked = []
    monkeypatch.setattr(clip, "cosine", lambda picture, text: asked.append(text) or -0.2)
    assert clip.score(plain(1, 2, 3), "a chair") == 0.0
    assert asked == ["A photo depicts a chair"]


def test_clip_of_a_wrong_folder(fake_transformers, clip_folder, monkeypatch):
    monkeypatch.setattr(FakeModel, "missing", ("visual_projection.weight",))
    with pytest.raises(InputError) as error:
        ClipScore.load(clip_folder)
    text = f"expected all weights of a CLIP model; got {clip_folder} without visual_projection.weight; fetch it again"
    assert str(error.value) == text
    (clip_folder / "broken").touch()
    with pytest.raises(InputError) as error:
        ClipScore.load(clip_folder)
    assert str(error.value) == f"expected a CLIP model; got {clip_folder}: no such header; fetch it again"
    (clip_folder / "tokenizer.json").unlink()
    with pytest.raises(InputError) as error:
        ClipScore.load(clip_folder)
    assert str(error.value) == (
        f"expected a folder with tokenizer.json or vocab.json; got {clip_folder}; "
        "give a CLIP model in transformers' layout"
    )
    with pytest.raises(InputError, match=r"^expected a folder with config\.json; got .*nowhere; give"):
        ClipScore.load(clip_folder / "nowhere")
    with pytest.raises(DeviceError):
        ClipScore.load(clip_folder, device="gpu")


def test_clip_of_wrong_input(fake_transformers, clip_folder):
    clip = ClipScore.load(clip_folder)
    for call in (clip.cosine, clip.score):
        with pytest.raises(InputError) as error:
            call(plain(1, 2, 3), " ")
        assert str(error.value) == "expected a text; got ' '; give the object's label"
    with pytest.raises(ShapeError, match=r"^expected a picture \(h, w, 3\) uint8; got uint8 \(4, 4\); convert"):
        clip.cosine(np.zeros((4, 4), np.uint8), "abc")


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_without_a_package_it_says_what_to_type(package, clip_folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(BackendNotInstalledError) as error:
        ClipScore.load(clip_folder)
    text = f'expected the package {package}; got it is not installed; type: pip install "scenemaker[models]"'
    assert str(error.value) == text
    if package == "torch":
        with pytest.raises(BackendNotInstalledError, match="package torch"):
            Lpips.load(*saved(clip_folder))
