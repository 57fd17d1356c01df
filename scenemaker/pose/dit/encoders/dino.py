"""DINOv2 (arXiv 2304.07193) as an image encoder, through timm and under timm's names. Always frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenemaker.errors import BackendNotInstalledError, ConfigError, InputError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.config import ImageConfig  # noqa: E402
from scenemaker.pose.dit.encoders.images import RGB, SmallImageEncoder, check_image  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in RGB of [0, 1]: what DINOv2 was trained on


def import_timm() -> Any:
    """timm, or what keeps it from being imported.

    Raises:
        BackendNotInstalledError: It is not installed, or not together with this torch (torchvision is another build).
    """
    needs("timm", "models")
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        got, remedy = f"{type(error).__name__}: {error}", "install the torchvision that belongs to your torch"
        raise BackendNotInstalledError(expected("timm to import", got=got, remedy=remedy)) from error
    return timm


def make_vit(name: str, *, pretrained: bool = False) -> nn.Module:
    """timm's model of that name, without a head; ``pretrained`` fetches its public weights.

    Raises:
        ConfigError: timm has none of that name.
        BackendNotInstalledError: timm cannot be imported.
    """
    timm = import_timm()
    if not timm.is_model(name):
        remedy = "choose one that timm.list_models('*dinov2*') names"
        raise ConfigError(expected("a model of timm", got=repr(name), remedy=remedy))
    return timm.create_model(name, pretrained=pretrained, dynamic_img_size=True, num_classes=0)


class DinoEncoder(nn.Module):
    """Patch tokens of a frozen DINOv2; masks and depth join them by one linear layer over their own patches.

        token = gate * DINOv2(rgb) + other(masks, depth), of a picture without colour other(masks, depth) alone

    Both start at zero, and the gate gets a gradient only where there is colour: a model that never saw any does without
    it, whatever it is given later.

    Attributes:
        channels: Of a token.
        mean, std: (3, 1, 1) of the RGB that DINOv2 was trained on.
        vit: timm's model. Several encoders may share one.
        gate: (c,) how much of each of its channels is let in; trained with the pose model.
        other: The layer over the channels behind RGB, trained with the pose model.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ImageConfig, channels: int, vit: nn.Module | None = None) -> None:
        super().__init__()
        self.config, self.inputs = config, channels
        self.vit: Any = (make_vit(config.model) if vit is None else vit).requires_grad_(False).eval()
        self.channels = int(self.vit.num_features)
        patch = tuple(self.vit.patch_embed.patch_size)
        if patch != (config.patch, config.patch):
            got = f"patch {config.patch}"
            raise ConfigError(expected(f"patch {patch[0]} of {config.model}", got=got, remedy="change image.patch"))
        self.other = nn.Conv2d(channels - RGB, self.channels, config.patch, config.patch, bias=False)
        nn.init.zeros_(self.other.weight)
        self.gate = nn.Parameter(torch.zeros(self.channels))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> DinoEncoder:
        """As of any module, but DINOv2 itself stays as it is used."""
        super().train(mode)
        self.vit.eval()
        return self

    def encode(self, image: Tensor) -> Tensor:
        """(N, L, c) DINOv2's tokens, row by row, of pictures (N, channels, px, px) that begin with RGB in [-1, 1].

        Raises:
            ShapeError: Another shape.
        """
        check_image(image, self.inputs, self.config.px)
        rgb = ((image[:, :RGB] + 1) / 2 - self.mean) / self.std  # (N, 3, px, px)
        with torch.no_grad():
            return self.vit.forward_features(rgb)[:, self.vit.num_prefix_tokens :]  # (N, L, c)

    def join(self, tokens: Tensor, image: Tensor) -> Tensor:
        """(N, L, c) tokens (N, L, c) of pictures (N, channels, px, px), joined by the channels behind RGB."""
        coloured = (image[:, :RGB] != 0).flatten(1).any(1)[:, None, None]  # (N, 1, 1); 0 is what no colour is given as
        return coloured * self.gate * tokens + self.other(image[:, RGB:]).flatten(2).transpose(1, 2)

    def forward(self, image: Tensor) -> Tensor:
        """(N, L, c) tokens of pictures (N, channels, px, px)."""
        return self.join(self.encode(image), image)

    def load_vit(self, path: Path) -> None:
        """Reads the weights of DINOv2 from a file of timm's (safetensors, or a pickle of tensors alone).

        Raises:
            InputError: Not such a file, or of another model.
        """
        try:
            if path.suffix == ".safetensors":
                from safetensors.torch import load_file

                state = load_file(path)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
            self.vit.load_state_dict(state)
        except Exception as error:  # of the readers, the unpickler and load_state_dict: many kinds, one meaning
            first = str(error).strip().splitlines()[0]
            remedy = "give the file that timm publishes for it"
            raise InputError(expected(f"weights of {self.config.model} at {path}", got=first, remedy=remedy)) from error


def image_encoder(
    config: ImageConfig, channels: int, *, vit: nn.Module | None = None, decoder: bool = True
) -> SmallImageEncoder | DinoEncoder:
    """The encoder that the config names, of pictures of so many channels.

    Args:
        config: Which, and its sizes.
        channels: Of the pictures.
        vit: DINOv2 to share with another encoder.
        decoder: Whether a small one has the decoder that it is trained with.
    """
    if config.kind == "dinov2":
        return DinoEncoder(config, channels, vit)
    return SmallImageEncoder(config, channels, decoder=decoder)
