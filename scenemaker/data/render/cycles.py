"""Path-traced views by Blender Cycles, as in the papers: the picture is Blender's, the ground truth is the house's.

Blender lives in a Python of its own (``blender.py``), so it runs as a process that is started once and given one job
after another (``cycles_script.py``). Starting takes 1-2 s: keep a renderer for many worlds, and close it.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from scenemaker.cache import output_errors
from scenemaker.data.render.blender import COMMAND, find_blender_python
from scenemaker.data.render.surfaces import surface_of
from scenemaker.data.render.tone import auto_exposure, develop
from scenemaker.data.render.truth import WorldCaster, ground_truth
from scenemaker.data.types import Light, View, World
from scenemaker.errors import FrameError, StageError, expected
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import F32

logger = logging.getLogger(__name__)
SCRIPT = Path(__file__).with_name("cycles_script.py")
HAIR = 2e-6  # of the camera's height: some steps of float32, and less than ``truth`` takes for a tie
TAIL_CHARACTERS = 2000  # of what Blender said before it failed


class CyclesConfig(BaseModel):
    """How Cycles works."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(
        default=64, ge=1, description="Light paths per pixel: time grows with it, noise falls with its root"
    )
    denoise: bool = Field(default=False, description="Clean the picture with Open Image Denoise")
    bounces: int = Field(default=4, ge=0, description="How often a light path may be reflected")
    seed: int = Field(default=0, ge=0, description="Of the noise; every world and view has its own")
    threads: int = Field(default=0, ge=0, description="Processor threads, 0 takes all; pictures do not depend on it")
    python: Path | None = Field(default=None, description="A Python that has bpy, instead of the installed one")


@dataclass(frozen=True, eq=False, kw_only=True)
class CyclesPasses:
    """What Cycles itself sees at the pixel centres: to check that its camera and geometry are those of the house.

    Attributes:
        depth: (H, W) float32, z; NaN where only the environment is seen.
        labels: (H, W) uint16, i + 1 where object i is seen.
    """

    depth: F32
    labels: NDArray[np.uint16]


class CyclesRenderer:
    """A ``Renderer``. Use it in a ``with``, or call ``close``; Blender starts at the first picture."""

    name = "cycles"

    def __init__(self, config: CyclesConfig | None = None) -> None:
        """Looks for Blender and starts nothing yet.

        Raises:
            BackendNotInstalledError: Blender is not installed; the text gives the line to type.
        """
        self.config = config or CyclesConfig()
        self._blender = BlenderProcess(self.config.python or find_blender_python())

    def render(self, world: World, cameras: Sequence[Camera]) -> list[View]:
        """One view per camera; the views share the scene that Blender has loaded.

        Raises:
            FrameError: A camera that Blender has no setting for.
            StageError: Blender failed; the text ends with what it said.
            OutputError: No room for the temporary files.
        """
        pictures, caster = self.radiance(world, cameras), WorldCaster(world)
        views = []
        for camera, picture in zip(cameras, pictures, strict=True):
            exposure = auto_exposure(picture) if world.exposure is None else world.exposure
            rgb = develop(picture, exposure=exposure)
            views.append(View(camera=camera, rgb=rgb, exposure=exposure, **vars(ground_truth(caster, camera))))
        return views

    def radiance(self, world: World, cameras: Sequence[Camera]) -> list[F32]:
        """(H, W, 3) linear light per camera, before any tone mapping. Raises as ``render``."""
        return self._results(world, cameras, "rgb")

    def passes(self, world: World, cameras: Sequence[Camera]) -> list[CyclesPasses]:
        """Depth and labels as Cycles finds them, per camera. Raises as ``render``."""
        found = []
        for depth, index in (np.moveaxis(p, -1, 0) for p in self._results(world, cameras, "passes")):
            found.append(CyclesPasses(depth=depth, labels=np.maximum(index, 0).astype(np.uint16)))
        return found

    def _results(self, world: World, cameras: Sequence[Camera], kind: str) -> list[F32]:
        if not cameras:
            return []
        folder = Path(tempfile.mkdtemp(prefix="scenemaker-cycles-"))
        try:
            write_job(folder, world, cameras, self.config, passes=kind == "passes")
            self._blender.run(folder)
            return [np.load(folder / f"{kind}_{i}.npy") for i in range(len(cameras))]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Ends Blender; the next picture would start it again."""
        self._blender.close()

    def __enter__(self) -> CyclesRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlenderProcess:
    """The process that runs ``cycles_script.py``: started at the first job, started again after a crash."""

    def __init__(self, python: Path, script: Path = SCRIPT) -> None:
        self.python, self.script = python, script
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None

    def run(self, folder: Path) -> None:
        """Renders a job folder.

        Raises:
            StageError: Blender does not start, ended, or reports an error.
        """
        process = self._process or self._start()
        self._forget_log()
        try:
            answer = self._ask(process, {"job": str(folder)})
        except BaseException:  # an interrupt too: an answer that nobody waits for would be taken for the next one's
            self.close()
            raise
        if "error" in answer:
            raise self._failure("a picture from Blender", answer["error"], "see what it said")

    def close(self) -> None:
        """Ends the process at once; it keeps nothing that is worth saving."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def __del__(self) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        log = self._log = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115  (lives as long as the process)
        # -I keeps this folder off Blender's path: its add-on "cycles" would be taken for our cycles.py. A session of
        # its own keeps Ctrl-C from it: its parent ends it.
        command = [str(self.python), "-I", str(self.script)]
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, encoding="utf-8", start_new_session=True
            )
        except OSError as error:
            self.close()
            raise self._failure("Blender to start", f"{self.python}: {error.strerror}", f"type: {COMMAND}") from error
        self._process = process
        hello = self._ask(process, None)
        logger.info("started Blender %s, process %d", hello.get("ready"), process.pid)
        return process

    def _ask(self, process: subprocess.Popen[str], message: dict[str, str] | None) -> dict[str, Any]:
        """The next answer of the process, after it got the message if there is one."""
        if process.stdin is None or process.stdout is None:
            raise self._failure("Blender's pipes", "none", "report this")
        with suppress(BrokenPipeError):  # then it ended, which the missing answer says
            if message is not None:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith("\n"):
            code = process.wait()
            ended = f"killed by signal {-code} (9: out of memory, as a rule)" if code < 0 else f"exit code {code}"
            error = self._failure("Blender to answer", f"its end, {ended}", "see what it said")
            self.close()
            raise error
        return json.loads(line)

    def _failure(self, what: str, got: str, remedy: str) -> StageError:
        """An error that ends with the last lines that Blender wrote."""
        said = self._said()
        text = expected(what, got=got, remedy=remedy)
        return StageError(f"{text}\n{said}" if said else text, stage="data", backend="cycles")

    def _said(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return "\n".join(line for line in lines if line.strip())[-TAIL_CHARACTERS:]

    def _forget_log(self) -> None:
        if self._log is not None:  # it has one position, shared with the process, which writes on from there
            self._log.seek(0)
            self._log.truncate()


def write_job(
    folder: Path, world: World, cameras: Sequence[Camera], config: CyclesConfig, *, passes: bool = False
) -> None:
    """Writes ``job.json`` and ``arrays.npz`` as ``cycles_script.py`` reads them.

    Raises:
        FrameError: A camera with a skewed K: Blender has none.
        OutputError: No room for it.
    """
    arrays: dict[str, NDArray[Any]] = {"environment": np.asarray(world.environment.radiance, np.float32)}
    objects = []
    for i, (mesh, S, finish) in enumerate(zip(world.meshes, world.S_world_obj, world.finishes, strict=True)):
        arrays |= {f"object{i}/{name}": a for name, a in _mesh_arrays(mesh, np.asarray(S, np.float64)).items()}
        objects.append({"roughness": finish.roughness, "metallic": finish.metallic})
    ground = None
    if world.ground is not None:
        arrays["ground"] = world.ground.texture
        place = {"tile": world.ground.tile, "radius": world.ground.radius, "height": _ground_height(cameras)}
        ground = {**place, "roughness": world.ground.finish.roughness, "metallic": world.ground.finish.metallic}
    job = {
        "objects": objects,
        "ground": ground,
        "lights": [_light(light) for light in world.lights],
        "cameras": [_camera(camera) for camera in cameras],
        "passes": passes,
        **config.model_dump(exclude={"python"}),
        "seed": (config.seed + zlib.crc32(np.asarray(world.S_world_obj, np.float64).tobytes())) % 2**31,
    }
    with output_errors(folder):
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
        np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]


def _mesh_arrays(mesh: Mesh, S_world_obj: F64) -> dict[str, NDArray[Any]]:
    """What Blender needs of a mesh, placed as the ray caster places it, and shaded with the normals of the house."""
    surface = surface_of(mesh)
    normals = surface.corner_normals @ np.linalg.inv(S_world_obj[:3, :3])  # row vectors: by the inverse transpose
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    arrays: dict[str, NDArray[Any]] = {
        "vertices_world": mesh.transformed(S_world_obj).vertices,
        "faces": mesh.faces,
        "corner_normals_world": normals.astype(np.float32),
    }
    if mesh.texture is not None and mesh.uv is not None:
        return arrays | {"texture": mesh.texture[..., :3], "uv": mesh.uv}
    return arrays | {"colors_linear": np.broadcast_to(surface.colours, mesh.vertices.shape)}


def _ground_height(cameras: Sequence[Camera]) -> float:
    """A hair beyond y = 0 as the cameras see it: of an object's face that lies in the ground, the object is seen.

    The ground truth has the same rule. Cameras on both sides of the ground leave it where it is.
    """
    heights = [float(camera.centre_world[1]) for camera in cameras]
    return -HAIR * (max(min(heights), 0) + min(max(heights), 0)) if heights else 0.0


def _light(light: Light) -> dict[str, Any]:
    return {
        "direction_world": np.asarray(light.direction_world).tolist(),
        "irradiance": np.asarray(light.irradiance).tolist(),
        "distance": light.distance,
        "size": light.size,
    }


def _camera(camera: Camera) -> dict[str, Any]:
    if camera.K[0, 1] != 0 or camera.K[1, 0] != 0:
        remedy = "use the fast renderer, or a K without skew"
        raise FrameError(expected("K without skew for Blender", got=f"{camera.K[0, 1]:g}", remedy=remedy))
    place = {"K": camera.K.tolist(), "T_cam_world": camera.T_cam_world.tolist()}
    return {"width": camera.width, "height": camera.height, **place}
