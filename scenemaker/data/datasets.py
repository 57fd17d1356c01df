"""PyTorch data sets of scenes: folders, shards, made on the fly, and mixes of these by weight.

    from torch.utils.data import DataLoader
    from scenemaker.data.datasets import MixedScenes, SceneShards, SceneStream, collate

    scenes = MixedScenes([(SceneShards("shards"), 3.0), (SceneStream(recipe), 1.0)], seed=0)
    for batch in DataLoader(scenes, batch_size=16, num_workers=2, collate_fn=collate):
        ...

Every data set gives ``SceneSample``; the readers of public data may stand wherever one of ours does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count as endless
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenemaker.errors import needs

needs("torch", "models")
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from scenemaker.data.storage.codec import sample_from_files
from scenemaker.data.storage.folders import read_sample, scene_folders
from scenemaker.data.storage.shards import read_items, shard_paths
from scenemaker.data.types import SceneSample, rng_for
from scenemaker.errors import ConfigError, expected

if TYPE_CHECKING:
    from scenemaker.data.recipe import SceneRecipe


HELD = 32  # samples of a reader of public data that are in memory to be mixed


def reader_of() -> tuple[int, int]:
    """(which, of how many): this reader among all loader workers of all training processes."""
    info = get_worker_info()
    worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)
    return rank * workers + worker, ranks * workers


class _Epochs:
    """Counts how often a data set was gone through; loader workers see what the training process sets."""

    def __init__(self) -> None:
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Which order comes next. With loader workers call it before each epoch, or all have the same order."""
        self._epoch.fill_(epoch)

    def _next_epoch(self) -> int:
        epoch = int(self._epoch)
        if get_worker_info() is None:
            self._epoch += 1
        return epoch


class SceneFolders(Dataset[SceneSample]):
    """The scene folders under a root, by number; a ``DataLoader`` shuffles it."""

    def __init__(self, root: str | Path) -> None:
        """Lists them.

        Raises:
            InputError: There is none.
        """
        self.folders = scene_folders(Path(root))

    def __len__(self) -> int:
        return len(self.folders)

    def __getitem__(self, index: int) -> SceneSample:
        return read_sample(self.folders[index])


class SceneShards(_Epochs, IterableDataset[SceneSample]):
    """The samples of shards, streamed; every reader takes each n-th shard.

    With fewer shards than readers, every reader goes through all shards and takes each n-th sample. Readers may get
    unequal numbers of samples: where ranks must step together, stop each epoch at a fixed number of batches.
    """

    def __init__(self, source: str | Path | Sequence[str | Path], *, shuffle: int = 0, seed: int = 0) -> None:
        """Lists the shards.

        Args:
            source: A folder of shards, or their files.
            shuffle: Samples held back to be given in random order, in every reader; shards are shuffled as well.
                0 keeps the order.
            seed: Of the shuffling, each epoch anew (see ``set_epoch``).

        Raises:
            InputError: There is no shard.
        """
        super().__init__()
        self.shards = shard_paths(source)
        self.shuffle, self.seed = shuffle, seed

    def __iter__(self) -> Iterator[SceneSample]:
        which, of = reader_of()
        rng = rng_for(self.seed, self._next_epoch(), "shards")
        shards = [self.shards[i] for i in rng.permutation(len(self.shards))] if self.shuffle else self.shards
        by_shard = len(shards) >= of
        items = ((p, *item) for p in (shards[which::of] if by_shard else shards) for item in read_items(p))
        mine = items if by_shard else islice(items, which, None, of)
        samples = (sample_from_files(files, f"{shard}:{key}") for shard, key, files in mine)
        return _shuffled(samples, self.shuffle, rng) if self.shuffle else samples


class SceneStream(IterableDataset[SceneSample]):
    """Scenes made on the fly in the loader's workers: every view once, scene n as ``SceneFactory`` makes it."""

    def __init__(self, recipe: SceneRecipe, *, count: int | None = None, start: int = 0) -> None:
        """Makes nothing yet.

        Args:
            recipe: What to make.
            count: Number of scenes; None never ends.
            start: Index of the first scene; give the number already seen to go on.
        """
        self.recipe, self.count, self.start = recipe, count, start

    def __iter__(self) -> Iterator[SceneSample]:
        from scenemaker.data.make import SceneFactory

        which, of = reader_of()
        maker = SceneFactory(self.recipe)
        indices = endless(self.start) if self.count is None else range(self.start, self.start + self.count)
        for index in indices:
            if index % of == which:
                yield from maker(index).samples


class MixedScenes(_Epochs, IterableDataset[SceneSample]):
    """Several sources, each sample drawn from one of them by weight; ends when every source has ended once.

    A source that ends early starts again. Map-style sources (folders, lists) are gone through in random order, split
    over the loader's workers; readers of public data come in the order of their files, mixed over ``HELD`` samples.
    """

    def __init__(self, sources: Sequence[tuple[Iterable[SceneSample] | Dataset[Any], float]], *, seed: int = 0) -> None:
        """Takes sources and weights.

        Raises:
            ConfigError: No source, or a weight that is not positive.
        """
        super().__init__()
        weights = [w for _, w in sources]
        if not sources or not all(w > 0 and np.isfinite(w) for w in weights):
            raise ConfigError(expected("sources with positive weights", got=weights, remedy="leave out those of 0"))
        self.sources = [s for s, _ in sources]
        self.weights = np.array(weights, np.float64) / sum(weights)
        self.seed = seed

    def __iter__(self) -> Iterator[SceneSample]:
        which, of = reader_of()
        epoch = self._next_epoch()
        rng = rng_for(self.seed, epoch, f"mix {which}")

        def stream(k: int) -> Iterator[SceneSample]:
            """Source k from its beginning; its order is the same in every reader, for they share it out."""
            source, order = self.sources[k], rng_for(self.seed, epoch, f"source {k} lap {laps[k]}")
            laps[k] += 1
            if hasattr(source, "iterate"):  # a reader of public data: leaves out damaged items, and lists them
                return _shuffled(source.iterate(which, of), HELD, order)  # type: ignore[union-attr]
            if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
                permutation = order.permutation(len(source))  # type: ignore[arg-type]
                return (source[int(i)] for i in permutation[which::of])  # type: ignore[index]
            return iter(source)  # type: ignore[call-overload]

        laps = [0] * len(self.sources)
        streams = [stream(k) for k in range(len(self.sources))]
        while True:
            pick = int(rng.choice(len(streams), p=self.weights))
            sample = next(streams[pick], None)
            if sample is not None:
                yield sample
            elif all(lap > 1 for k, lap in enumerate(laps) if k != pick):
                return
            else:
                streams[pick] = stream(pick)


def _shuffled(samples: Iterable[SceneSample], held: int, rng: np.random.Generator) -> Iterator[SceneSample]:
    """The samples in random order, as far as ``held`` of them in memory allow."""
    buffer: list[SceneSample] = []
    for sample in samples:
        if len(buffer) < held:
            buffer.append(sample)
            continue
        i = int(rng.integers(len(buffer)))
        buffer[i], sample = sample, buffer[i]
        yield sample
    yield from (buffer[int(i)] for i in rng.permutation(len(buffer)))


def collate(samples: Sequence[SceneSample], *, points: int | None = None) -> dict[str, Any]:
    """B samples as tensors; the N objects of all of them stand in one row, without padding.

    Args:
        samples: Of one recipe; pictures of several sizes stay lists.
        points: Complete points per object; None takes the least number that all have.

    Returns:
        ``rgb`` (B, 3, H, W) float32 in [0, 1], ``normals_cam`` (B, H, W, 3, NaN where unknown), ``amodal`` a list of
        (n, H, W) bool or None, ``labels`` (B, H, W) int64, ``depth`` (B, H, W) float32 (NaN where
        unknown), ``K`` (B, 3, 3), ``T_cam_world`` (B, 4, 4), ``up_cam`` (B, 3, NaN where unknown); of the objects
        ``scene`` (N,) int64 (which sample), ``label_value`` (N,) int64 (its pixels in ``labels``), ``R_cam_obj``
        (N, 3, 3), ``t_cam_obj`` (N, 3), ``size`` (N, 3), ``scale`` (N,), ``visible_fraction`` (N,), ``points_obj``
        (N, P, 6); and ``keys``, ``names``.
    """
    if not samples:
        raise ConfigError(expected("samples", got="none", remedy="check the data set"))
    least = min((s.points_obj.shape[1] for s in samples if len(s)), default=0)
    P = least if points is None else points
    if least < P:
        got = f"a sample with {least}"
        raise ConfigError(expected(f"{P} points per object", got=got, remedy="make the data with more --points"))

    def rows(get: Callable[[SceneSample], Any], dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.as_tensor(np.concatenate([np.asarray(get(s)) for s in samples]), dtype=dtype)

    def each(get: Callable[[SceneSample], Any], dtype: torch.dtype = torch.float32) -> Any:
        found = [torch.as_tensor(np.asarray(get(s)), dtype=dtype) for s in samples]
        return torch.stack(found) if len({f.shape for f in found}) == 1 else found

    unknown = np.full(3, np.nan)
    return {
        "rgb": each(lambda s: s.rgb.transpose(2, 0, 1).astype(np.float32) / 255),
        "labels": each(lambda s: s.labels.astype(np.int64), torch.int64),
        "depth": each(lambda s: s.depth),
        "K": each(lambda s: s.camera.K),
        "T_cam_world": each(lambda s: s.camera.T_cam_world),
        "up_cam": each(lambda s: unknown if s.up_cam is None else s.up_cam),
        "scene": torch.tensor([b for b, s in enumerate(samples) for _ in range(len(s))], dtype=torch.int64),
        "label_value": torch.tensor([i + 1 for s in samples for i in range(len(s))], dtype=torch.int64),
        "normals_cam": each(lambda s: np.full((*s.depth.shape, 3), np.nan) if s.normals_cam is None else s.normals_cam),
        "amodal": [None if s.amodal is None else torch.from_numpy(s.amodal) for s in samples],
        "R_cam_obj": rows(lambda s: s.R_cam_obj),
        "t_cam_obj": rows(lambda s: s.t_cam_obj),
        "size": rows(lambda s: s.size),
        "scale": rows(lambda s: s.scale),
        "visible_fraction": rows(lambda s: s.visible_fraction),
        "points_obj": rows(lambda s: s.points_obj[:, :P]),
        "keys": [s.key for s in samples],
        "names": [s.names for s in samples],
    }
