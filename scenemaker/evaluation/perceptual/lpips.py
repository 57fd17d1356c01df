"""LPIPS, the distance of two pictures as a trained network sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from scenemaker.errors import ConfigError, ShapeError, expected, needs
from scenemaker.evaluation.images import rgb8
from scenemaker.evaluation.perceptual.weights import weights_of

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_PX = 32  # of a side, below which a network's pooling leaves nothing


@dataclass(frozen=True)
class _Conv:
    """A convolution and its ReLU: its place in torchvision's ``features``, and what is done there."""

    place: int
    channels: tuple[int, int]  # in, out
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: tuple[int, int] | None = None  # kernel and stride of the max-pooling before it
    compared: bool = False  # whether its output is compared


NETS = {
    "alex": (
        _Conv(0, (3, 64), kernel=11, stride=4, padding=2, compared=True),
        _Conv(3, (64, 192), kernel=5, padding=2, pool=(3, 2), compared=True),
        _Conv(6, (192, 384), pool=(3, 2), compared=True),
        _Conv(8, (384, 256), compared=True),
        _Conv(10, (256, 256), compared=True),
    ),
    "vgg": (
        _Conv(0, (3, 64)),
        _Conv(2, (64, 64), compared=True),
        _Conv(5, (64, 128), pool=(2, 2)),
        _Conv(7, (128, 128), compared=True),
        _Conv(10, (128, 256), pool=(2, 2)),
        _Conv(12, (256, 256)),
        _Conv(14, (256, 256), compared=True),
        _Conv(17, (256, 512), pool=(2, 2)),
        _Conv(19, (512, 512)),
        _Conv(21, (512, 512), compared=True),
        _Conv(24, (512, 512), pool=(2, 2)),
        _Conv(26, (512, 512)),
        _Conv(28, (512, 512), compared=True),
    ),
}
MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of ImageNet's RGB in [-1, 1]


class Lpips:
    """LPIPS v0.1: how differently a trained network sees two pictures; 0 for equal ones, lower is better.

    d = sum over layers l of the mean over pixels of w_l . (f_l(a) - f_l(b))^2, where f_l are the activations of layer
    l, of unit length along the channels, and w_l >= 0 the weights that were fitted to people's judgement. The usual
    choice for tables is "alex".

    Reference: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018,
    eq. 1; constants as in the authors' package ``lpips`` 0.1.4.
    """

    def __init__(self, weights: dict[str, Tensor], net: Literal["alex", "vgg"]) -> None:
        """Takes checked weights; see ``load``."""
        self._weights, self._layers = weights, NETS[net]

    @classmethod
    def load(
        cls, backbone_file: str | Path, lin_file: str | Path, net: Literal["alex", "vgg"] = "alex", device: str = "cpu"
    ) -> Lpips:
        """Reads weights from files.

        Args:
            backbone_file: State dict of torchvision's AlexNet or VGG16, .pth or .safetensors: ``features.0.weight``
                and so on. Its classifier may be in it and is not used.
            lin_file: The w_l of the ``lpips`` package (``lpips/weights/v0.1/alex.pth``): ``lin0.model.1.weight``
                (1, channels, 1, 1) and so on.
            net: Which network the files are of.
            device: "cpu", "cuda" or "cuda:1".

        Raises:
            BackendNotInstalledError: No torch.
            ConfigError: An unknown network.
            InputError: A file that is not there, cannot be read, or holds other weights.
            ShapeError: Weights of other shapes.
            DeviceError: A device that is not there.
        """
        from scenemaker.device import check_device

        needs("torch", "models")
        if net not in NETS:
            raise ConfigError(expected('"alex" or "vgg"', got=repr(net), remedy="choose one of them"))
        check_device(device)
        backbone: dict[str, tuple[int, ...]] = {}
        for conv in NETS[net]:
            inputs, outputs = conv.channels
            backbone[f"features.{conv.place}.weight"] = (outputs, inputs, conv.kernel, conv.kernel)
            backbone[f"features.{conv.place}.bias"] = (outputs,)
        compared = [conv.channels[1] for conv in NETS[net] if conv.compared]
        lin = {f"lin{k}.model.1.weight": (1, channels, 1, 1) for k, channels in enumerate(compared)}
        weights = weights_of(Path(backbone_file), backbone, ignored="classifier.") | weights_of(Path(lin_file), lin)
        return cls({key: value.to(device).float() for key, value in weights.items()}, net)

    def __call__(self, a: ArrayLike, b: ArrayLike) -> float:
        """Distance of two pictures (h, w, 3) uint8 RGB.

        Raises:
            ShapeError: Pictures of unequal size, of another dtype, or with a side below 32 pixels.
        """
        import torch

        pictures = [torch.tensor(rgb8(x)).permute(2, 0, 1)[None] / 255 for x in (a, b)]  # (1, 3, h, w)
        with torch.no_grad():
            return float(self.distance(*pictures)[0])

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """(b,) distances of pictures (b, 3, h, w) with values in [0, 1]; differentiable.

        Raises:
            ShapeError: Pictures of unequal or other shape, or with a side below 32 pixels.
        """
        import torch

        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or min(a.shape[2:]) < SMALLEST_PX:
            what = f"two pictures (b, 3, h, w) of one size, h and w at least {SMALLEST_PX}"
            got = f"{tuple(a.shape)} and {tuple(b.shape)}"
            raise ShapeError(expected(what, got=got, remedy="resize one to the other, or enlarge both"))
        total = torch.zeros(len(a), device=self._weights["lin0.model.1.weight"].device)
        for k, (f_a, f_b) in enumerate(zip(self._features(a), self._features(b), strict=True)):  # (b, c, h_k, w_k)
            w = self._weights[f"lin{k}.model.1.weight"]  # (1, c, 1, 1)
            total = total + (w * (f_a - f_b) ** 2).sum(1).mean((1, 2))
        return total

    def _features(self, pictures: Tensor) -> list[Tensor]:
        """Activations (b, c, h_k, w_k) of the layers that are compared, of unit length along c."""
        import torch
        from torch.nn import functional

        device = self._weights["features.0.weight"].device
        mean = torch.tensor(MEAN, device=device)[:, None, None]
        deviation = torch.tensor(DEVIATION, device=device)[:, None, None]
        x = (2 * pictures.to(device, torch.float32) - 1 - mean) / deviation
        found = []
        for conv in self._layers:
            if conv.pool:
                x = functional.max_pool2d(x, *conv.pool)
            weight, bias = (self._weights[f"features.{conv.place}.{part}"] for part in ("weight", "bias"))
            x = functional.conv2d(x, weight, bias, conv.stride, conv.padding).relu()
            if conv.compared:
                found.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10))
        return found
