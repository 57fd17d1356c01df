"""The open-set scenes that SceneMaker published, from their archives or unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from scenemaker.data.readers import archives
from scenemaker.data.readers.assemble import PixelCentre, sample, thinned
from scenemaker.data.readers.files import check_folder, entry, inside, parse_json, read_bytes, read_json
from scenemaker.data.readers.openset_scene import (
    KINDS,
    Clouds,
    DepthDecoding,
    OpenSetScene,
    OpenSetView,
    open_scene,
    read_view,
)
from scenemaker.data.readers.scenes import SceneReader
from scenemaker.data.readers.seg_ids import detect
from scenemaker.data.types import SceneSample
from scenemaker.errors import ConfigError, InputError, expected

_CHECKED_VIEWS = 4  # whose points tell the ids: some ten thousand


class SceneMakerOpenSet(SceneReader[OpenSetScene]):
    """Scenes of 2 to 5 Objaverse objects on a ground plane, 20 views each.

    ``root`` holds archives ``000-000.tar.gz`` (streamed), or what they hold unpacked (``000-000/UUID/...``; scenes in
    the order of ``all_json_files.json`` if it is there, which then decides); and ``geometry/``.

    Reference: layout and depth range of the data set's card (huggingface.co/datasets/LightillusionsLab/SceneMaker,
    commits 1dbd9e1 and f14bd6a; its viewer for member names); keys, frames and what the numbers mean as
    ``craftsman/data/openset_datasets.py`` of github.com/IDEA-Research/SceneMaker @ 9e13f358 reads them:

    - ``UUID/metadata.json``: ``intrinsics`` (3x3 each), ``cam2world_matrixs`` (4x4 each: axes of Blender's camera, a
      world with z up). The loader negates row 1 and swaps rows 1 and 2, which is (x, y, z) -> (x, z, -y).
    - ``UUID.json``: ``objects`` with ``uuid`` (a path ".../NNN-NNN/ID.glb"), ``rotation_matrix`` (16 numbers),
      ``translation`` (3), ``scale`` (the full edge of the cube [-1, 1]^3 of the geometry), in the world with y up.
    - ``geometry/geometry.json``: uuid -> path; ``geometry/sample/NNN-NNN/ID.npz``: ``surface`` (P, 6) or (P, 1, 6).

    Not established, as no archive was at hand: the ids of ``seg.png`` (see ``seg_ids``), that 65535 stands for 20
    (``info["depth_ratio"]`` is 1 if so), the pixel centre, keys and base of the paths in ``geometry.json`` (several
    are tried), whether every cloud is normalised to longest side 2 (one that is not is brought to ``obj`` so that its
    points stay where they are, ``info["refitted"]``), and the unit of length.
    """

    source = "scenemaker-openset"

    def __init__(
        self,
        root: str | Path,
        *,
        geometry: str | Path | None = None,
        views: int = 20,
        points: int | None = None,
        depth_decoding: DepthDecoding = "range",
        max_depth: float | None = None,
        seg_offset: int | Literal["detect"] = "detect",
        captions: Mapping[str, str] | None = None,
        pixel_centre: PixelCentre = "auto",
    ) -> None:
        """Lists scenes or archives; opens none.

        Args:
            root: The folder.
            geometry: The folder of the objects' points; ROOT/geometry otherwise.
            views: Views to take of each scene, from its first.
            points: Points per object, at most.
            depth_decoding: "range" is png / 65535 * 20, the card's; the clip value 65535 counts as unknown.
                "published" is the loader's png / png.max() * 20, wrong in every picture without a clipped pixel.
            max_depth: Depth from here on counts as unknown; the published loader drops 10 and more.
            seg_offset: The id of object k is k plus this; the published loader has 2 (1 is the ground). "detect" tells
                it for each scene from where its objects are, and refuses a scene that does not fit exactly one.
            captions: What each object is, by ID. An object without stays without; the scene is not dropped.
            pixel_centre: See ``assemble.camera``.

        Raises:
            InputError: No such folder, or neither archives nor scenes in it.
            ConfigError: An unknown option.
        """
        if depth_decoding not in ("range", "published"):
            got = repr(depth_decoding)
            raise ConfigError(expected('depth_decoding "range" or "published"', got=got, remedy="choose one"))
        if seg_offset != "detect" and not isinstance(seg_offset, int):
            raise ConfigError(expected('seg_offset "detect" or a number', got=repr(seg_offset), remedy="give 2, say"))
        self.root = check_folder(Path(root))
        listed = (self.root / "all_json_files.json").is_file()
        self.archives = () if listed else archives.archives_in(self.root)
        scenes = tuple(a.name for a in self.archives) or (_listed(self.root) if listed else _found(self.root))
        super().__init__(str(self.root), scenes, views)
        self.clouds = Clouds(self.root / "geometry" if geometry is None else Path(geometry))
        self.points, self.max_depth, self.seg_offset, self.captions = points, max_depth, seg_offset, captions or {}
        self.depth_decoding: DepthDecoding = depth_decoding
        self.pixel_centre: PixelCentre = pixel_centre

    def __len__(self) -> int:
        """Samples if nothing is damaged; archives tell only when they are read."""
        if self.archives:
            got = f"{len(self.archives)} archives in {self.root}"
            raise TypeError(expected("unpacked scenes to count", got=got, remedy="iterate, or unpack them"))
        return super().__len__()

    def iterate(self, worker: int = 0, workers: int = 1) -> Iterator[SceneSample]:
        """Every sample that can be read, of each ``workers``-th scene, or archive, from the ``worker``-th on.

        Raises:
            InputError: There were scenes, and none could be read.
        """
        if not self.archives:
            yield from super().iterate(worker, workers)
            return
        given = 0
        mine = self.archives[worker::workers]
        for archive in mine:
            for name, files in archives.scenes_of(archive, self._whole, self.add):
                for item in self._streamed(name, files):
                    given += 1
                    yield item
        if mine and not given and workers == 1:  # one of several may have drawn the damaged ones
            raise self.nothing_left(self.where)

    def _streamed(self, name: str, files: archives.Files) -> Iterator[SceneSample]:
        def held(file: str) -> bytes:
            if file not in files:
                got = f"{name}/{file}: not in its archive"
                raise InputError(expected("a file", got=got, remedy="copy the data set again"))
            return files[file]

        try:
            self._last = name, self._checked_scene(open_scene(name, held, self.clouds, self.captions))
        except InputError as error:
            self.add(name, str(error))
            return
        yield from self.samples_of(name)
        self._last = None

    def _whole(self, files: archives.Files) -> bool:
        """Whether a streamed scene has all its files; a damaged one never has, and is given in the end."""
        if archives.SCENE_JSON not in files or "metadata.json" not in files:
            return False
        try:
            views = range(min(len(entry(parse_json(files["metadata.json"], ""), "intrinsics", "")), self.views))
        except (InputError, TypeError):
            return False
        return all(f"{view:04d}_{kind}.png" in files for view in views for kind in KINDS)

    def _open(self, scene: str) -> OpenSetScene:
        def on_disk(file: str) -> bytes:
            path = self.root / f"{scene}.json" if file == archives.SCENE_JSON else self.root / scene / file
            return read_bytes(path)

        return self._checked_scene(open_scene(scene, on_disk, self.clouds, self.captions))

    def _count(self, opened: OpenSetScene) -> int:
        return min(self.views, len(opened))

    def _view(self, opened: OpenSetScene, view: int) -> SceneSample:
        seen = self._read(opened, view)
        check = opened.check
        told = {} if check is None else {"seg_agreement": check.agreement, "depth_ratio": check.depth_ratio}
        offset = int(self.seg_offset) if check is None else check.offset
        k = seen.ids.astype(np.int64) - offset
        return sample(
            key=f"{opened.name.replace('/', '_')}_{view:04d}",
            source=self.source,
            camera=seen.camera,
            rgb=seen.rgb,
            labels=np.where((k >= 0) & (k < len(opened.objects)), k + 1, 0).astype(np.uint16),
            depth=seen.depth,
            objects=opened.objects,
            points_obj=thinned([o.points_obj for o in opened.objects], self.points),
            depth_scale="relative",
            info={"scene": opened.name, "view": view, "seg_offset": offset, **told},
        )

    def _read(self, scene: OpenSetScene, view: int) -> OpenSetView:
        return read_view(
            scene, view, decoding=self.depth_decoding, max_depth=self.max_depth, pixel_centre=self.pixel_centre
        )

    def _checked_scene(self, scene: OpenSetScene) -> OpenSetScene:
        """The scene with what its first views that can be read tell of the ids."""
        if self.seg_offset != "detect":
            return scene
        views: list[OpenSetView] = []
        fault: InputError | None = None
        for view in range(self._count(scene)):
            try:
                views.append(self._read(scene, view))
            except InputError as error:  # listed when this view is asked for
                fault = fault or error
            if len(views) == _CHECKED_VIEWS:
                break
        if not views and fault is not None:
            raise fault
        seen = [(v.camera, v.ids, v.depth) for v in views]
        return replace(scene, check=detect(seen, scene.objects, scene.name))


def _listed(root: Path) -> tuple[str, ...]:
    """Scenes of ``all_json_files.json``; of the absolute paths of another machine the last two parts count."""
    path = root / "all_json_files.json"
    names = entry(read_json(path), "json_files", str(path))
    if not isinstance(names, list):
        raise InputError(expected(f"a list of files in {path}", got=type(names).__name__, remedy="copy it again"))
    scenes = []
    for name in names:
        pure = PurePosixPath(str(name).replace("\\", "/").removesuffix(".json"))
        if ".." in pure.parts:
            raise InputError(expected(f"paths below {root} in {path}", got=repr(name), remedy="do not use this file"))
        direct = not pure.is_absolute() and inside(root, f"{pure}.json").is_file()
        scenes.append(str(pure) if direct else "/".join(pure.parts[-2:]))
    return tuple(scenes)


def _found(root: Path) -> tuple[str, ...]:
    """Scenes ``NNN-NNN/UUID`` of unpacked archives, by name; one that lacks its folder or its file is named too."""
    files = {f"{p.parent.name}/{p.stem}" for p in root.glob("*/*.json")}
    folders = {f"{p.parent.parent.name}/{p.parent.name}" for p in root.glob("*/*/metadata.json")}
    return tuple(sorted(name for name in files | folders if not name.startswith("geometry/")))
