"""Training the small image encoders: normals and canonical coordinates of what crops and pictures show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected, needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.encoders.images import ImageEncoders, MapDecoder, SmallImageEncoder  # noqa: E402
from scenemaker.pose.dit.pictures import PosePictures, make_inputs  # noqa: E402
from scenemaker.pose.dit.types import Layout  # noqa: E402
from scenemaker.pose.dit.weights import save_encoder  # noqa: E402


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageMaps:
    """Pictures and what they show.

    Attributes:
        image: (N, c, S, S), ``PoseInputs.crop`` or ``picture``.
        canonical: (N, 3, S, S) points of the objects in ``obj`` (NOCS, arXiv 1901.02970, but centred on 0), NaN where
            unknown.
        normals: (N, 3, S, S) unit normals in ``cam``, NaN where unknown.
    """

    image: Tensor
    canonical: Tensor
    normals: Tensor

    def to(self, device: str | torch.device) -> ImageMaps:
        """On another device."""
        moved = (x.to(device) for x in (self.image, self.canonical, self.normals))
        return ImageMaps(**dict(zip(("image", "canonical", "normals"), moved, strict=True)))


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageBatch:
    """What training sees: N crops of objects, and the B pictures that they come from."""

    crops: ImageMaps
    pictures: ImageMaps

    def to(self, device: str | torch.device) -> ImageBatch:
        """On another device."""
        return ImageBatch(crops=self.crops.to(device), pictures=self.pictures.to(device))

    def __len__(self) -> int:
        """B."""
        return len(self.pictures.image)


class ImageTask:
    """Crops and pictures of a source, each through its own encoder."""

    name = "image"

    def __init__(
        self,
        model: ImageEncoders,
        source: Callable[[int], ImageBatch],
        held_out: Callable[[int], ImageBatch],
        *,
        validate_batches: int = 4,
        prefix: str = "",
    ) -> None:
        """A task.

        Args:
            model: Both encoders, with decoders.
            source: The pictures of a step, see ``image_batch``.
            held_out: The same, of what is not trained on.
            validate_batches: Of ``held_out``.
            prefix: Of the measures, to say what ``held_out`` is.
        """
        self.model, self.source, self.held_out = model, source, held_out
        self.validate_batches, self.prefix = validate_batches, prefix

    def parameters(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """All of the model, at one rate."""
        return [(list(self.model.parameters()), 1.0)]

    def compiled(self) -> Sequence[nn.Module]:
        """Both encoders."""
        return [self.model.crops, self.model.pictures]

    def batch(self, step: int) -> ImageBatch:
        """Pictures of the source."""
        return self.source(step)

    def loss(self, batch: ImageBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Mean absolute error of canonical points and 1 - cosine of normals, over known cells, of both encoders."""
        parts = {}
        for what, encoder, maps in _pairs(self.model, batch):
            points, normals = _drawn(encoder, maps.image)  # (N, 3, G, G) each
            p, known_p = _cells(maps.canonical, points)  # (N, 3, G, G), (N, G, G)
            n, known_n = _cells(maps.normals, normals)  # (N, 3, G, G), (N, G, G)
            parts[f"{what}_canonical"] = _mean((points - p).abs().sum(1), known_p)
            parts[f"{what}_normals"] = _mean(1 - (normals * functional.normalize(n, dim=1)).sum(1), known_n)
        return torch.stack(list(parts.values())).sum(), parts

    @torch.no_grad()
    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """Of ``held_out``: mean distance in percent of the longest side, mean angle in degrees."""
        if not isinstance(model, ImageEncoders):
            raise TypeError(type(model))
        device = model.crops.position.device
        rows: dict[str, list[Tensor]] = {}
        for step in range(self.validate_batches):
            for what, encoder, maps in _pairs(model, self.held_out(step).to(device)):
                points, normals = _drawn(encoder, maps.image)  # (N, 3, G, G) each
                p, known_p = _cells(maps.canonical, points)  # (N, 3, G, G), (N, G, G)
                n, known_n = _cells(maps.normals, normals)  # (N, 3, G, G), (N, G, G)
                off = (points - p).norm(dim=1)  # (N, G, G)
                cosine = (normals * functional.normalize(n, dim=1)).sum(1).clamp(-1, 1)  # (N, G, G)
                rows.setdefault(f"{what}_canonical_percent", []).append(100 * off[known_p])
                rows.setdefault(f"{what}_normals_deg", []).append(cosine.acos().rad2deg()[known_n])
        return {self.prefix + name: float(torch.cat(values).mean()) for name, values in rows.items()}

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """``image.safetensors``: both encoders."""
        path = folder / "image.safetensors"
        save_encoder(model, path, facts)
        return path


def image_batch(
    samples: Sequence[SceneSample],
    config: PoseModelConfig,
    generator: torch.Generator,
    *,
    measured: Callable[[SceneSample], NDArray[np.bool_]] | None = None,
) -> ImageBatch:
    """Crops and pictures of samples with at least one visible object each, by the code that the pose model uses.

    Args:
        samples: B of them.
        config: Of the model.
        generator: Of what is drawn.
        measured: Which of a sample's objects (n,) the maps are of; those of the others are unknown. None: all.

    Raises:
        InputError: No samples, or one without normals.
    """
    if not samples:
        raise InputError(expected("at least one sample", got="none", remedy="give some"))
    crops, pictures = [], []
    for sample in samples:
        shown = _pictures(sample)
        state = generator.get_state()

        def cut(colours: Tensor, shown: PosePictures = shown, state: Tensor = state) -> tuple[Tensor, Tensor]:
            generator.set_state(state)
            inputs = make_inputs(replace(shown, rgb=colours), config, generator)
            return inputs.crop, inputs.picture

        # a map goes through the pose model's own cropping as if it were a colour, with 0 where it is unknown; over the
        # share of known pixels, which goes the same way, that is the mean of the known ones
        which = np.ones(len(sample.names), bool) if measured is None else measured(sample)  # (n,)
        canonical, normals = _maps(sample, which)
        rgb = torch.from_numpy(sample.rgb.astype(np.float32) / 255).permute(2, 0, 1)[None]  # (1, 3, H, W)
        known = (canonical + normals).isfinite().all(1, keepdim=True).expand_as(rgb)  # (1, 3, H, W)
        coded = ((torch.where(known, x, 0.0) + 1) / 2 for x in (canonical, normals, known.float()))
        parts = zip(cut(rgb), *map(cut, coded), strict=True)
        for (image, p, n, share), out in zip(parts, (crops, pictures), strict=True):
            k = share[:, :3]  # (n, 3, S, S)
            p, n = (torch.where(k > 0, x[:, :3] / k.clamp_min(1e-9), torch.nan) for x in (p, n))  # (n, 3, S, S)
            out.append(ImageMaps(image=image, canonical=p, normals=n))
    return ImageBatch(crops=_joined(crops), pictures=_joined(pictures))


def _pictures(sample: SceneSample) -> PosePictures:
    """One sample as a batch of one, without shapes: no encoder of pictures looks at them."""
    height, width = sample.labels.shape
    v, u = np.mgrid[:height, :width] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(sample.camera.K).T  # (H, W, 3), z = 1
    points_cam = torch.from_numpy((rays * sample.depth[..., None]).astype(np.float32))[None]  # (1, H, W, 3)
    up = np.zeros(3) if sample.up_cam is None else sample.up_cam
    return PosePictures(
        layout=Layout.of([len(sample.names)]),
        points_cam=points_cam,
        labels=torch.from_numpy(sample.labels.astype(np.int64))[None],
        K=torch.from_numpy(sample.camera.K.astype(np.float32))[None],
        up=torch.from_numpy(np.asarray(up, np.float32))[None],
        geometry=torch.zeros(len(sample.names), 1, 6),
    )


def _maps(sample: SceneSample, measured: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
    """Canonical points and normals, (1, 3, H, W) each, NaN where unknown or of none of the measured (n,) objects."""
    if sample.normals_cam is None:
        remedy = "choose a data set that has them"
        raise InputError(expected(f"normals in sample {sample.key}", got="none", remedy=remedy))
    points_cam = _pictures(sample).points_cam[0].numpy()  # (H, W, 3)
    i = sample.labels.astype(np.int64) - 1  # (H, W)
    # an object scaled per axis is taken as one of another shape, whose longest side is 1 as that of all
    scale = np.where(np.isnan(sample.scale), sample.size.max(1), sample.scale)  # (n,)
    R_obj_cam = sample.R_cam_obj.transpose(0, 2, 1)[i]  # (H, W, 3, 3)
    p_obj = (R_obj_cam @ (points_cam - sample.t_cam_obj[i])[..., None])[..., 0] / scale[i][..., None]  # (H, W, 3)
    out = (np.where(((i >= 0) & measured[i])[..., None], x, np.nan) for x in (p_obj, sample.normals_cam))
    canonical, normals = (torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None] for x in out)
    return canonical, normals


def _joined(maps: Sequence[ImageMaps]) -> ImageMaps:
    return ImageMaps(
        image=torch.cat([m.image for m in maps]),
        canonical=torch.cat([m.canonical for m in maps]),
        normals=torch.cat([m.normals for m in maps]),
    )


def _pairs(model: ImageEncoders, batch: ImageBatch) -> Sequence[tuple[str, SmallImageEncoder, ImageMaps]]:
    return [("crop", model.crops, batch.crops), ("picture", model.pictures, batch.pictures)]


def _drawn(encoder: SmallImageEncoder, image: Tensor) -> tuple[Tensor, Tensor]:
    """Points and normals (N, 3, G, G) that the decoder draws."""
    decoder = encoder.decoder
    if not isinstance(decoder, MapDecoder):
        remedy = "build it with decoder=True"
        raise InputError(expected("an encoder with its decoder", got="one without", remedy=remedy))
    return decoder(encoder(image))


def _cells(maps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Means (N, 3, G, G), over the cells of ``like``, of the known pixels of maps (N, 3, S, S), and where half are."""
    side = like.shape[-1]
    known = maps.isfinite().all(1, keepdim=True)  # (N, 1, S, S)
    share = functional.adaptive_avg_pool2d(known.to(maps.dtype), side)  # (N, 1, G, G)
    mean = functional.adaptive_avg_pool2d(torch.where(known, maps, 0.0), side)  # (N, 3, G, G)
    return mean / share.clamp_min(1e-9), share[:, 0] >= 0.5


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """() mean of some of the values, 0 where there are none."""
    return (values * where).sum() / where.sum().clamp_min(1)
