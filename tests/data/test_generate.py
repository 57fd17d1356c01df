"""Making data: scene n is the same whoever makes it, killed runs go on, errors say what to type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from scenemaker import Scene
from scenemaker.cache import folder_digest
from scenemaker.data.generate import Outcome, Place, generate, generate_scenes
from scenemaker.data.make import SceneFactory
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.objects.prepared import prepare_folder
from scenemaker.data.recipe import SceneRecipe, build_recipe
from scenemaker.data.storage.folders import read_sample, scene_folders
from scenemaker.data.storage.shards import read_shard, shard_paths
from scenemaker.data.types import SceneSample
from scenemaker.errors import BackendNotInstalledError, ConfigError, InputError, OutputError, PlacementError
from scenemaker.evaluation.bins import BINS
from scenemaker.export.glb import write_object_glb
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import project
from scenemaker.geometry.raycast import render
from scenemaker.parallel import each
from scenemaker.schema import scene_schema
from scenemaker.testing.samples import box_mesh

FAMILIES = ("rock", "bowl", "table")


def recipe(**options: object) -> SceneRecipe:
    small = {
        "objects": [{"families": FAMILIES}],
        "views": {"views": 2, "sizes": [(60, 44)]},
        "points": 128,
        "layouts": [{"name": "plane", "options": {"count": (2, 3)}}],
    }
    return build_recipe(SceneRecipe, {**small, **options})


@pytest.fixture(scope="module")
def made() -> list[SceneSample]:
    factory = SceneFactory(recipe())
    return [s for i in range(4) for s in factory(i).samples]


def test_ground_truth_is_consistent(made: list[SceneSample]) -> None:
    """Poses, points, depth, masks and cameras of a sample all tell the same."""
    factory = SceneFactory(recipe())
    for index in range(4):
        scene = factory(index)
        meshes = [o.mesh for o in scene.arrangement.objects]
        for sample in scene.samples:
            camera = sample.camera
            S_cam_obj = [
                transforms.similarity(R, t, s) for R, t, s in zip(sample.R_cam_obj, sample.t_cam_obj, sample.scale)
            ]
            drawn = render(meshes, [transforms.invert(camera.T_cam_world) @ S for S in S_cam_obj], camera)
            seen = drawn.index >= 0
            assert (drawn.index + 1 == sample.labels)[seen].mean() > 0.995
            assert np.abs(drawn.depth - sample.depth)[seen & (sample.labels > 0)].max() < 1e-3
            assert sample.amodal is not None
            for i, mesh in enumerate(meshes):
                assert (sample.amodal[i] >= (sample.labels == i + 1)).all()
                assert np.allclose(sample.size[i], sample.scale[i] * mesh.extents)
                p = transforms.apply(S_cam_obj[i], sample.points_obj[i, :, :3])
                inside = project(camera.K, p)
                inside = inside[(inside >= 0).all(1) & (inside < [60, 44]).all(1)].astype(int)
                assert sample.amodal[i][inside[:, 1], inside[:, 0]].mean() > 0.8
            assert np.allclose(sample.up_cam, camera.T_cam_world[:3, 1])
            assert sample.info["elevation_deg"] == pytest.approx(
                np.degrees(np.arcsin(-camera.T_cam_world[2, 1])), abs=1e-3
            )


def test_each_scene_by_itself(made: list[SceneSample]) -> None:
    """Scene 3 is the same whether or not others were made before."""
    alone = SceneFactory(recipe())(3).samples
    before = [s for s in made if s.info["index"] == 3]
    for a, b in zip(alone, before, strict=True):
        assert np.array_equal(a.rgb, b.rgb)
        assert np.array_equal(a.points_obj, b.points_obj)
        assert a.info == b.info


def test_other_seeds_and_numbers_give_other_scenes(made: list[SceneSample]) -> None:
    other = SceneFactory(recipe(seed=1))(0).samples[0]
    assert not np.array_equal(other.rgb, made[0].rgb)
    assert len({s.rgb.tobytes() for s in made}) == len(made)


def test_workers_and_resuming_change_no_byte(tmp_path: Path) -> None:
    r = recipe()
    one = generate_scenes(r, tmp_path / "one", 5)
    assert (one.made, one.found, one.lost) == (5, 0, ())
    two = generate_scenes(r, tmp_path / "two", 2)
    two = generate_scenes(r, tmp_path / "two", 5, workers=2)
    assert (two.made, two.found) == (3, 2)
    assert folder_digest(tmp_path / "one") == folder_digest(tmp_path / "two")
    shards = generate_scenes(r, tmp_path / "shards", 5, per_shard=2, workers=2)
    assert shards.made == 5
    folders = [read_sample(f) for f in scene_folders(tmp_path / "one")]
    streamed = [s for p in shard_paths(tmp_path / "shards") for s in read_shard(p)]
    assert [s.key for s in streamed] == [s.key for s in folders]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(streamed, folders))
    for folder in scene_folders(tmp_path / "one"):
        jsonschema.validate(json.loads((folder / "scene.json").read_text()), scene_schema())
    assert len(Scene.load(tmp_path / "one" / "000000" / "00").placed) in (2, 3)


def test_progress_counts_what_was_there(tmp_path: Path) -> None:
    generate_scenes(recipe(), tmp_path, 1)
    steps: list[tuple[int, int]] = []
    generate_scenes(recipe(), tmp_path, 3, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    generate_scenes(recipe(), tmp_path, 1)
    with pytest.raises(OutputError) as error:
        generate_scenes(recipe(seed=4), tmp_path, 2)
    text = str(error.value).replace(str(tmp_path), "OUT")
    assert text == (
        "expected a folder of this recipe; got another in OUT/dataset.json (recipe.seed is 0 there, 4 now); "
        "choose another -o"
    )


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"with thesis\.tex of another origin; choose another -o"):
        generate_scenes(recipe(), tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_chosen_objects_fill_the_bins_alike() -> None:
    factory = SceneFactory(recipe(bins=True, layouts=[{"name": "plane", "options": {"count": (3, 5)}}]))
    for index in range(6):
        low, high = BINS[index % 3]
        made = factory(index)
        assert len(made.samples) == 2
        for sample in made.samples:
            f = sample.visible_fraction[sample.info["chosen"]]
            assert f > 0
            assert low <= f < high or f == high == 1


def test_views_with_a_hidden_object_are_replaced() -> None:
    """A crowd from near the ground: most first views hide something, and yet all that were asked for are there."""
    views = {"views": 4, "sizes": [(60, 44)], "elevation_deg": (5.0, 8.0)}
    crowd = [{"name": "plane", "options": {"count": (5, 5), "spacing": (0.0, 0.05)}}]
    factory = SceneFactory(recipe(views=views, layouts=crowd))
    kept = [factory(i) for i in range(3)]
    assert all((s.visible_fraction > 0).all() for made in kept for s in made.samples)
    assert all(len(made.samples) + made.dropped_views == 4 for made in kept)
    assert sum(len(made.samples) for made in kept) >= 11
    keep = SceneFactory(recipe(views=views, layouts=crowd, hidden="keep"))
    assert any((s.visible_fraction == 0).any() for i in range(3) for s in keep(i).samples)


def test_what_cannot_be_made_is_listed_and_the_rest_is_made(tmp_path: Path) -> None:
    alone = [{"name": "floating", "options": {"count": (1, 1)}}]  # scenes 0 and 1 want it hidden
    report = generate_scenes(recipe(layouts=alone, bins=True, tries=1), tmp_path, 3, per_shard=4)
    assert (report.made, sorted(report.failed)) == (1, [0, 1])
    assert [row["index"] for row in json.loads((tmp_path / "failed.json").read_text())] == [0, 1]
    assert [p.name for p in tmp_path.glob("*.tar")] == ["scenes-000002-000002.tar"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    generate_scenes(recipe(), tmp_path, 1)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (tmp_path / ".lock").write_text(str(other.pid))
        with pytest.raises(OutputError, match=f"in use by process {other.pid}; wait for it, or choose another -o"):
            generate_scenes(recipe(), tmp_path, 2)
    finally:
        other.kill()
        other.wait()
    assert generate_scenes(recipe(), tmp_path, 2).made == 1


def test_a_changed_folder_of_meshes_is_refused(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    for name in ("a", "b", "c"):
        write_object_glb(meshes / f"{name}.glb", box_mesh((1, 0.5, 0.7), (200, 90, 60)), name=name)
    (meshes / "bad.glb").write_bytes(b"no mesh")
    own = recipe(objects=[{"path": str(meshes)}])
    report = generate_scenes(own, tmp_path / "out", 1)
    assert [(Path(file).name, bool(reason)) for file, reason in report.skipped] == [("bad.glb", True)]
    assert "bad.glb" in (tmp_path / "out" / "skipped.json").read_text()
    (meshes / "c.glb").unlink()
    with pytest.raises(OutputError, match="files.count is 3 there, 2 now"):
        generate_scenes(own, tmp_path / "out", 2)


def test_a_worker_that_dies_after_writing(tmp_path: Path) -> None:
    """Its item is made again, alone, and found to be there."""
    report = generate(DiesOnce(str(tmp_path)), Place(tmp_path / "out"), {"kind": "test"}, 4, workers=2)
    assert (report.made, report.lost) == (4, ())
    assert sorted(p.name for p in (tmp_path / "out").glob("0*")) == [f"{i:06d}" for i in range(4)]


class DiesOnce:
    """Writes an item; the first process to write item 2 dies of it."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def __call__(self, index: int) -> Outcome:
        Place(self.root / "out").writer().write_files(index, {"a.txt": b"x"})
        mark = self.root / "died"
        if index == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome()


def test_wrong_counts_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a count and per_shard from 1, a start from 0; got count 0"):
        generate_scenes(recipe(), tmp_path, 0)


def test_a_renderer_that_is_not_there_takes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SCENEMAKER_BLENDER_PYTHON", raising=False)
    with pytest.raises(BackendNotInstalledError, match="type: scenemaker data blender"):
        generate_scenes(recipe(renderer="cycles"), tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("package", "extra"), [("mujoco", "physics"), ("igl", "physics")])
def test_a_missing_package_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else object())
    with pytest.raises(BackendNotInstalledError) as error:
        generate_scenes(recipe(layouts=[{"name": "physics"}]), tmp_path / "out", 1)
    text = f'expected the package {package}; got it is not installed; type: pip install "scenemaker[{extra}]"'
    assert str(error.value) == text
    assert not (tmp_path / "out").exists()


def test_objects_are_not_skipped_for_want_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meshes").mkdir()
    write_object_glb(tmp_path / "meshes" / "a.glb", box_mesh((1, 0.5, 0.7), (200, 90, 60)), name="a")
    source = FolderSource(tmp_path / "meshes")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendNotInstalledError, match='pip install "scenemaker\\[data\\]"'):
        prepare_folder(source, tmp_path / "out")


def test_data_sets_without_torch_say_what_to_type() -> None:
    code = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "torch" else find(name)
from scenemaker.errors import BackendNotInstalledError
for module in ("scenemaker.data.datasets", "scenemaker.data.render.splats"):
    try:
        __import__(module)
    except BackendNotInstalledError as error:
        assert str(error).endswith('type: pip install "scenemaker[models]"'), error
    else:
        raise SystemExit(f"{module} needs no torch?")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_paths_of_a_recipe_are_relative_to_it(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('[[objects]]\npath = "meshes"\n[surroundings]\nenvironments = "skies"\n')
    r = SceneRecipe.read(file)
    assert r.objects[0].path == str(tmp_path / "meshes")
    assert r.surroundings.environments == tmp_path / "skies"


def test_what_cannot_be_arranged_says_why() -> None:
    alone = {"name": "floating", "options": {"count": (1, 1)}}  # nothing can hide it, and a bin wants it hidden
    with pytest.raises(PlacementError) as error:
        SceneFactory(recipe(layouts=[alone], bins=True, tries=2))(0)
    assert str(error.value) == (
        "expected objects that can be arranged; got scene 0 given up after 2 draws: 2 x too few views: an object is "
        "hidden in them, or none is in the wanted bin; loosen the layout or the views"
    )


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match=r"layouts\.0\.name = 'disc'"):
        recipe(layouts=[{"name": "disc"}])
    with pytest.raises(ConfigError, match=r"expected valid options of the layout plane; got cuont = 3.*count"):
        SceneFactory(recipe(layouts=[{"name": "plane", "options": {"cuont": 3}}]))
    with pytest.raises(ConfigError, match="renderer_option = {}"):
        recipe(renderer_option={})
    with pytest.raises(ConfigError, match="expected valid options of the renderer fast; got samples"):
        SceneFactory(recipe(renderer_options={"samples": 3}))


def test_recipe_files(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(
        'seed = 3\n[[objects]]\nfamilies = ["bowl"]\n[[layouts]]\nname = "discs"\noptions = {count = [2, 4]}\n'
    )
    r = SceneRecipe.read(file)
    assert (r.seed, r.objects[0].families, r.layouts[0].options) == (3, ("bowl",), {"count": [2, 4]})
    file.write_text("seed = [")
    with pytest.raises(InputError, match=r"expected a recipe as a TOML file; got .*recipe\.toml"):
        SceneRecipe.read(file)


def test_kill_and_resume(tmp_path: Path) -> None:
    """SIGKILL in the middle: no worker stays behind, and the same command gives the same bytes."""
    script = (
        "from test_generate import recipe\nfrom scenemaker.data.generate import generate_scenes\n"
        "if __name__ == '__main__':\n"
        f"    generate_scenes(recipe(), {str(tmp_path / 'cut')!r}, 40, workers=2)\n"
    )
    (tmp_path / "run.py").write_text(script)
    tests = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    process = subprocess.Popen([sys.executable, str(tmp_path / "run.py")], env=env, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "cut").glob("0*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while _group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_lives(process.pid), "workers end with their parent"
    report = generate_scenes(recipe(), tmp_path / "cut", 6)
    assert report.found >= 2
    generate_scenes(recipe(), tmp_path / "whole", 6)
    assert not list((tmp_path / "cut").glob(".tmp-*"))
    for i in range(6):
        assert folder_digest(tmp_path / "cut" / f"{i:06d}") == folder_digest(tmp_path / "whole" / f"{i:06d}")


def _group_lives(pgid: int) -> bool:
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    return True


def _die_on_three(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def test_an_item_that_kills_its_process_is_found() -> None:
    results = dict(each(_die_on_three, range(6), 2))
    assert results == {0: 0, 1: 1, 2: 4, 3: None, 4: 16, 5: 25}


def _refuse(item: int) -> int:
    raise InputError(f"not {item}")


def test_an_error_in_a_worker_comes_back() -> None:
    with pytest.raises(InputError, match=r"not \d"):
        list(each(_refuse, range(4), 2))
