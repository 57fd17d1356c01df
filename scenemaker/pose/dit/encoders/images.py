"""Encoders of pictures, chosen by config: a small one trained here, or DINOv2 (``dino.py``)."""

from __future__ import annotations

from scenemaker.errors import ConfigError, ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.attention import RMSNorm  # noqa: E402
from scenemaker.pose.dit.config import ImageConfig  # noqa: E402
from scenemaker.pose.dit.encoders.layers import Layer  # noqa: E402
from scenemaker.pose.dit.types import CROP, PICTURE  # noqa: E402

RGB = 3  # first channels of every picture
CELL_PX = 4  # side of a cell of the maps that the decoder draws


def prime_factors(n: int) -> list[int]:
    """Of 2 and above, ascending.

    >>> prime_factors(16), prime_factors(14), prime_factors(1)
    ([2, 2, 2, 2], [2, 7], [])
    """
    out, p = [], 2
    while n > 1:
        while n % p == 0:
            out.append(p)
            n //= p
        p += 1
    return out


class PixelNorm(RMSNorm):
    """Over the channels of every pixel, so that no pixel depends on those far away."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> (N, c, H, W)."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ConvStem(nn.Module):
    """Convolutions down to one vector per patch ("Early convolutions help transformers", arXiv 2106.14881)."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        strides = prime_factors(patch)
        layers: list[nn.Module] = []
        for i, s in enumerate(strides):
            out = max(8, width >> (len(strides) - i))  # doubles with every layer
            layers += [nn.Conv2d(channels, out, 2 * s - 1, s, s - 1), PixelNorm(out), nn.GELU()]
            channels = out
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, width, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(N, L, w), row by row, from (N, c, S, S)."""
        return self.layers(image).flatten(2).transpose(1, 2)


class SmallImageEncoder(nn.Module):
    """Convolutions and self-attention.

    Colour goes in with weights that start at zero. They get a gradient only where there is colour: an encoder that
    never saw any does without it, whatever it is given later.

    Attributes:
        channels: Of a token.
        decoder: Draws points and normals, for training; None in a pose model.
    """

    def __init__(self, config: ImageConfig, channels: int, *, decoder: bool = True) -> None:
        super().__init__()
        c = self.config = config
        self.inputs, self.channels = channels, c.width
        self.stem = ConvStem(channels, c.width, c.patch)
        nn.init.zeros_(next(self.stem.parameters())[:, :RGB])  # of the first convolution
        self.position = nn.Parameter(0.02 * torch.randn(c.tokens, c.width))
        self.layers = nn.ModuleList(Layer(c.width, c.heads) for _ in range(c.layers))
        self.norm = RMSNorm(c.width)
        self.decoder = MapDecoder(c) if decoder else None

    def encode(self, image: Tensor) -> Tensor:
        """(N, L, w) tokens, row by row, of pictures (N, channels, px, px).

        Raises:
            ShapeError: Another shape.
        """
        check_image(image, self.inputs, self.config.px)
        x = self.stem(image) + self.position  # (N, L, w)
        for layer in self.layers:
            x = layer(x)  # (N, L, w)
        return self.norm(x)

    def join(self, tokens: Tensor, image: Tensor) -> Tensor:
        """The tokens as they are: all channels went in together (see ``DinoEncoder``)."""
        return tokens

    def forward(self, image: Tensor) -> Tensor:
        """(N, L, w) tokens of pictures (N, channels, px, px)."""
        return self.join(self.encode(image), image)


class MapDecoder(nn.Module):
    """From every token the points and normals of the cells of its patch: two maps, with cells of about 4 pixels."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.patches = config.px // config.patch  # along a side
        self.cells = max(1, config.patch // CELL_PX)  # of a patch, along a side
        self.side = self.patches * self.cells
        self.out = nn.Sequential(
            nn.Linear(config.width, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, 6 * self.cells**2)
        )

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Points (N, 3, side, side) and unit normals (N, 3, side, side) from tokens (N, L, w)."""
        p, g = self.patches, self.cells
        y = self.out(tokens).view(-1, p, p, 6, g, g)  # (N, p, p, 6, g, g)
        y = y.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)  # (N, 6, p g, p g)
        return y[:, :3], functional.normalize(y[:, 3:], dim=1)


class ImageEncoders(nn.Module):
    """The two of a pose model, which are trained together.

    Attributes:
        crops: Of crops of objects.
        pictures: Of whole pictures.
    """

    def __init__(self, config: ImageConfig) -> None:
        """Both, with decoders.

        Raises:
            ConfigError: Another kind than "small", the only one that is trained.
        """
        super().__init__()
        if config.kind != "small":
            got, remedy = repr(config.kind), "DINOv2 is used as it is published"
            raise ConfigError(expected('kind "small" of an image encoder to train', got=got, remedy=remedy))
        self.config = config
        self.crops, self.pictures = SmallImageEncoder(config, CROP), SmallImageEncoder(config, PICTURE)


def check_image(image: Tensor, channels: int, px: int) -> None:
    """Checks that pictures are (N, channels, px, px).

    Raises:
        ShapeError: They are not.
    """
    if image.ndim != 4 or tuple(image.shape[1:]) != (channels, px, px):
        got, remedy = tuple(image.shape), "make the inputs with the model's own config"
        raise ShapeError(expected(f"pictures (N, {channels}, {px}, {px})", got=got, remedy=remedy))
