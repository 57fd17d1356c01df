"""What frozen encoders made, kept by the content of what they were given: computed once per mesh or scene.

A hit is bit for bit what computing it again would give: scenes and shapes are encoded one by one, so that nothing
depends on what stood beside them in a batch. Changed weights or another version of the code miss.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from scenemaker.cache import digest, package_digest, write_atomic
from scenemaker.errors import ConfigError, expected, needs

needs("torch", "models")
needs("safetensors", "models")
import torch  # noqa: E402
from safetensors import SafetensorError  # noqa: E402
from safetensors.torch import load, save  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.pose_model import PoseModel  # noqa: E402
from scenemaker.pose.dit.types import Features, Layout, PoseInputs, SceneFrame  # noqa: E402
from scenemaker.pose.dit.weights_file import tensors_digest  # noqa: E402

logger = logging.getLogger(__name__)
PER_SCENE = ("picture", "picture_xyz", "scene_cloud", "scene_owner", "scene_xyz", "up")  # rows B; all others have N
Tensors = dict[str, Tensor]


class FeatureCache:
    """Keeps latents of shapes and features of scenes in memory and, with a folder, on disk."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = 2 << 30) -> None:
        """A cache.

        Args:
            folder: Where it is kept beyond this process; several may share it.
            max_bytes: Of memory, from which on the longest unused go. What lies in the folder stays.
        """
        self.folder, self.max_bytes = folder, max_bytes
        self._memory: OrderedDict[str, Tensors] = OrderedDict()
        self._bytes = 0
        self._weights: tuple[object, str] | None = None

    def geometry(self, model: PoseModel, geometry: Tensor) -> Tensor:
        """(N, G, c_g) latents of shapes (N, Q, 6), as of ``model.geometry``."""
        weights = self._frozen(model)
        rows = [
            self._get(
                digest(["geometry", weights, tensors_digest({"points": row})]),
                lambda row=row: {"latents": model.geometry(row[None])[0]},
            )
            for row in geometry
        ]
        return torch.stack([row["latents"] for row in rows]).to(geometry.device)

    def features(self, model: PoseModel, inputs: PoseInputs) -> Features:
        """As ``model.features``; layers that are trained beside frozen encoders run anew, and get their gradient."""
        weights = self._frozen(model)
        encoded = [
            self._get(
                digest(["scene", weights, tensors_digest(_tensors(scene))]),
                lambda scene=scene: _tensors(model.encoded(scene, self.geometry(model, scene.geometry))),
            )
            for scene in split_inputs(inputs)
        ]
        return model.joined(_joined(encoded, inputs.layout), inputs)

    def _get(self, key: str, make: Callable[[], Tensors]) -> Tensors:
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        value = self._read(key)
        if value is None:
            with torch.no_grad():
                value = {name: x.cpu().contiguous() for name, x in make().items()}
            if self.folder is not None:
                write_atomic(self._path(self.folder, key), save(value))
        self._memory[key] = value
        self._bytes += _size(value)
        while self._bytes > self.max_bytes:
            self._bytes -= _size(self._memory.popitem(last=False)[1])
        return value

    def _read(self, key: str) -> Tensors | None:
        """From the folder; a damaged file is told and made anew."""
        if self.folder is None:
            return None
        path = self._path(self.folder, key)
        try:
            return load(path.read_bytes())
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError):
            logger.warning("made a damaged file anew: %s", path)
            return None

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / key[:2] / f"{key}.safetensors"

    def _frozen(self, model: PoseModel) -> str:
        """Digest of all that ``model.encoded`` depends on beside its inputs.

        Raises:
            ConfigError: The encoders are being trained.
        """
        parameters = model.encoder_parameters()
        if any(p.requires_grad for p in parameters.values()):
            remedy = "call model.freeze_encoders(), or do without a cache"
            raise ConfigError(expected("frozen encoders to keep features of", got="trained ones", remedy=remedy))
        # torch counts changes in place; all weights are read again only when one has changed
        state = [(name, p.data_ptr(), p._version) for name, p in parameters.items()]
        if self._weights is None or self._weights[0] != state:
            config = model.config.model_dump(mode="json", exclude={"dit"})
            self._weights = (state, digest([config, tensors_digest(parameters), package_digest()]))
        return self._weights[1]


def split_inputs(inputs: PoseInputs) -> list[PoseInputs]:
    """Every scene by itself; the opposite of ``join_inputs``."""
    out, first = [], 0
    for b, n in enumerate(inputs.layout.counts):
        objects, scene = slice(first, first + n), slice(b, b + 1)
        parts = {name: x[scene if name in PER_SCENE else objects] for name, x in _plain(inputs).items()}
        parts["scene_owner"] = parts["scene_owner"] - first
        frame = SceneFrame(k=inputs.frame.k[scene], c=inputs.frame.c[scene])
        out.append(replace(inputs, layout=Layout(torch.zeros_like(inputs.layout.scene[objects])), frame=frame, **parts))
        first += n
    return out


def _joined(scenes: list[Tensors], layout: Layout) -> Features:
    """Features of scenes in one row."""
    first = [sum(layout.counts[:b]) for b in range(len(scenes))]
    shifted = [{**s, "scene_owner": s["scene_owner"] + n} for s, n in zip(scenes, first, strict=True)]
    device = layout.scene.device
    return Features(layout=layout, **{name: torch.cat([s[name] for s in shifted]).to(device) for name in shifted[0]})


def _plain(value: PoseInputs | Features) -> dict[str, Any]:
    """All tensors but those of layout and frame."""
    named = {f.name: getattr(value, f.name) for f in fields(value)}
    return {name: x for name, x in named.items() if isinstance(x, Tensor)}


def _tensors(value: PoseInputs | Features) -> Tensors:
    """All tensors that matter to encoders: the frame has done its work."""
    return {name: x.detach() for name, x in _plain(value).items()}


def _size(value: Mapping[str, Tensor]) -> int:
    return sum(x.nbytes for x in value.values())
