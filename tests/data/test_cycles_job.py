"""What is written for Blender, and the arithmetic of its script, without Blender."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cycles_worlds import box, camera_at, placed, small_world

from scenemaker.data.render.cycles import SCRIPT, CyclesConfig, write_job
from scenemaker.data.render.environments import equirect_directions
from scenemaker.data.types import Finish
from scenemaker.errors import FrameError, OutputError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    """The script as a module; it needs Blender only when it renders."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("bpy", "mathutils"):
            patch.setitem(sys.modules, name, ModuleType(name))
        spec = importlib.util.spec_from_file_location("script_of_cycles", SCRIPT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    with np.load(folder / "arrays.npz") as file:
        return json.loads((folder / "job.json").read_text()), dict(file)


def test_cycles_job_holds_the_world(tmp_path: Path) -> None:
    world, camera = small_world(), camera_at((1.2, 1.0, 2.0), fx=70, fy=50, centre_px=(20, 33))
    world = replace(world, finishes=(Finish(roughness=0.3, metallic=1.0), Finish(roughness=0.9)))
    write_job(tmp_path, world, [camera], CyclesConfig(samples=7, denoise=True, seed=5, bounces=2, threads=1))
    job, arrays = read(tmp_path)
    assert job["objects"] == [{"roughness": 0.3, "metallic": 1.0}, {"roughness": 0.9, "metallic": 0.0}]
    assert job["ground"] == {"tile": 1.5, "radius": 4.0, "height": -2e-6, "roughness": 0.8, "metallic": 0.0}
    light = world.lights[0]
    assert job["lights"] == [
        {
            "direction_world": light.direction_world.tolist(),
            "irradiance": [2.4, 2.2, 1.9],
            "distance": None,
            "size": 0.02,
        }
    ]
    assert job["cameras"] == [
        {"width": 60, "height": 40, "K": camera.K.tolist(), "T_cam_world": camera.T_cam_world.tolist()}
    ]
    settings = {k: job[k] for k in ("samples", "denoise", "bounces", "threads", "passes")}
    assert settings == {"samples": 7, "denoise": True, "bounces": 2, "threads": 1, "passes": False}
    assert job["seed"] != 5, "every world has noise of its own"
    assert np.array_equal(arrays["ground"], world.ground.texture)  # type: ignore[union-attr]
    assert np.array_equal(arrays["environment"], world.environment.radiance)
    for i, (mesh, S) in enumerate(zip(world.meshes, world.S_world_obj, strict=True)):
        # float32 as the ray caster has them: then both see the same triangles to the last bit
        assert np.array_equal(arrays[f"object{i}/vertices_world"], mesh.transformed(S).vertices)
        assert np.array_equal(arrays[f"object{i}/faces"], mesh.faces)


def test_cycles_job_normals_stand_on_their_faces_even_when_the_scale_is_per_axis(tmp_path: Path) -> None:
    stretched = transforms.similarity(transforms.axis_angle((1, 2, 3), 0.8), (0.1, 0.2, 0.3), np.array([2.0, 0.5, 1.0]))
    tilted = box((1, 1, 1)).transformed(placed(transforms.axis_angle((0, 0, 1), 0.5), (0, 0, 0), 1.0))
    world = replace(small_world(), meshes=(tilted,), S_world_obj=stretched[None], finishes=(Finish(),))
    write_job(tmp_path, world, [], CyclesConfig())
    _, arrays = read(tmp_path)
    a, b, c = np.moveaxis(arrays["object0/vertices_world"][arrays["object0/faces"]].astype(float), 1, 0)
    facet = transforms.unit(np.cross(b - a, c - a))
    assert np.allclose(arrays["object0/corner_normals_world"], facet[:, None], atol=1e-5)


def test_cycles_job_colours_are_linear_light_or_a_texture(tmp_path: Path) -> None:
    colours = np.full((24, 3), (255, 188, 0), np.uint8)
    texture = np.arange(4 * 6 * 4, dtype=np.uint8).reshape(4, 6, 4)
    uv = np.random.default_rng(0).random((24, 2)).astype(np.float32)
    meshes = (box((1, 1, 1), colors=colours), box((1, 1, 1)), box((1, 1, 1), uv=uv, texture=texture))
    world = replace(small_world(), meshes=meshes, S_world_obj=np.stack([np.eye(4)] * 3), finishes=(Finish(),) * 3)
    write_job(tmp_path, world, [], CyclesConfig())
    _, arrays = read(tmp_path)
    assert np.allclose(arrays["object0/colors_linear"], [1, 0.5029, 0], atol=1e-4)
    assert arrays["object1/colors_linear"].shape == (24, 3)
    assert np.allclose(arrays["object1/colors_linear"], 0.5149, atol=1e-4)  # grey 190
    assert np.array_equal(arrays["object2/texture"], texture[..., :3])
    assert np.array_equal(arrays["object2/uv"], uv)
    assert "object2/colors_linear" not in arrays


def test_cycles_job_without_ground(tmp_path: Path) -> None:
    write_job(tmp_path, small_world(ground=False, lights=False), [], CyclesConfig(), passes=True)
    job, arrays = read(tmp_path)
    assert job["ground"] is None and job["lights"] == [] and job["passes"] is True
    assert "ground" not in arrays


@pytest.mark.parametrize(
    ("heights", "ground"), [((3.0, 2.0), -4e-6), ((-3.0, -2.0), 4e-6), ((3.0, -2.0), 0.0), ((), 0.0)]
)
def test_cycles_ground_gives_way_to_faces_that_lie_in_it(
    tmp_path: Path, heights: tuple[float, ...], ground: float
) -> None:
    write_job(tmp_path, small_world(), [camera_at((1.0, h, 2.0)) for h in heights], CyclesConfig())
    assert read(tmp_path)[0]["ground"]["height"] == pytest.approx(ground, abs=1e-12)


def test_cycles_skewed_camera_is_refused(tmp_path: Path) -> None:
    K = np.array([[70, 3.5, 30], [0, 70, 20], [0, 0, 1.0]])
    with pytest.raises(FrameError) as caught:
        write_job(tmp_path, small_world(), [Camera(K=K, width=60, height=40)], CyclesConfig())
    assert str(caught.value) == (
        "expected K without skew for Blender; got 3.5; use the fast renderer, or a K without skew"
    )


def test_cycles_no_room_for_the_job_is_told(tmp_path: Path) -> None:
    (tmp_path / "job.json").mkdir()
    with pytest.raises(OutputError, match=f"^expected a writable folder at {tmp_path}; got Is a directory; "):
        write_job(tmp_path, small_world(), [], CyclesConfig())


def test_cycles_frame_makes_blenders_environment_ours(script: Any) -> None:
    """Blender reads column w (1/2 - atan2(y, x) / 2 pi) and row h (1/2 - atan2(z, sqrt(x^2 + y^2)) / pi)."""
    rows, columns = 6, 10
    d = script.to_blender(equirect_directions(rows, columns).astype(float))
    column = columns * (0.5 - np.arctan2(d[..., 1], d[..., 0]) / (2 * np.pi)) - 0.5
    row = rows * (0.5 - np.arctan2(d[..., 2], np.hypot(d[..., 0], d[..., 1])) / np.pi) - 0.5
    assert np.allclose(column, np.arange(columns)[None], atol=1e-5)
    assert np.allclose(row, np.arange(rows)[:, None], atol=1e-5)
    assert np.linalg.det(script.R_blender_world) == 1


@pytest.mark.parametrize("direction", [(0, 0, 1), (0, 0, -1), (1, 0, 0), (-0.3, 0.5, -0.9), (1e-6, 0, -1)])
def test_cycles_lamps_turn_to_their_direction(script: Any, direction: tuple[float, float, float]) -> None:
    from scipy.spatial.transform import Rotation

    towards = transforms.unit(direction)
    w, x, y, z = script.quaternion_z_to(towards)
    assert np.allclose(Rotation.from_quat([x, y, z, w]).apply([0, 0, 1]), towards, atol=1e-4)


@pytest.mark.parametrize(("side", "distance"), [(0.05, 3.0), (1.0, 1.0), (4.0, 1.0)])
def test_cycles_area_lamp_gives_its_irradiance(script: Any, side: float, distance: float) -> None:
    """By summing radiance times both cosines over r^2 over the square, as it is defined."""
    step = (np.arange(400) + 0.5) / 400 * side - side / 2
    squared = step[:, None] ** 2 + step[None] ** 2 + distance**2
    radiance = script.area_power_per_irradiance(side, distance) / (np.pi * side**2)
    irradiance = (radiance * distance**2 / squared**2).sum() * (side / 400) ** 2
    assert irradiance == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("n", [4, 8, 256])
def test_cycles_disc_is_covered_once_by_few_large_triangles(script: Any, n: int) -> None:
    angle = np.arange(n) / n * 2 * np.pi
    a, b, c = np.moveaxis(np.stack([np.cos(angle), np.sin(angle)], 1)[script.disc_faces(n)], 1, 0)
    areas = np.linalg.det(np.stack([b - a, c - a], 1)) / 2
    assert (areas > 0).all()  # all turn the same way, so equal areas mean no overlap
    assert areas.sum() == pytest.approx(n / 2 * np.sin(2 * np.pi / n))
    assert areas[:2].sum() == pytest.approx(2)  # the square


def test_cycles_script_imports_blender_and_numpy_only() -> None:
    import ast

    names = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            names |= {a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names - set(sys.stdlib_module_names) == {"bpy", "mathutils", "numpy"}
