"""Making and finding the environment of Blender, with a stand-in for Python, venv and pip."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scenemaker.data.render import blender
from scenemaker.data.render.blender import default_blender_folder, find_blender_python, fitting_python, install_blender
from scenemaker.errors import BackendNotInstalledError, ConfigError, OutputError

REAL_PYTHON = sys.executable
STAND_IN = """#!{python}
import os, shutil, sys
from pathlib import Path
here = Path(__file__)
notes = Path({notes!r})
arguments = sys.argv[1:]
with (notes / "calls").open("a") as file:
    file.write(" ".join(arguments) + "\\n")
fails = (notes / "fails").read_text() if (notes / "fails").exists() else "nothing"
if "venv" in arguments:
    folder = Path(arguments[-1])
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = here")
    shutil.copy(here, folder / "bin" / "python")
    if fails == "venv":
        sys.exit("ensurepip is not available")
elif "pip" in arguments:
    if fails == "pip":
        sys.exit("Collecting bpy\\nERROR: No matching distribution found for " + arguments[-1])
elif "sys.version_info" in arguments[-1]:
    print({version!r})
elif "bpy" in arguments[-1]:
    if fails == "bpy":
        sys.exit("ImportError: libXrender.so.1: cannot open shared object file")
    print("Color management: a line that Blender prints")
    print("5.0.1")
"""


def stand_in(folder: Path, version: str = "3.11", name: str = "python3.11") -> Path:
    folder.mkdir(exist_ok=True)
    python = folder / name
    python.write_text(STAND_IN.format(python=REAL_PYTHON, notes=str(folder), version=version))
    python.chmod(0o755)
    return python


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SCENEMAKER_BLENDER_PYTHON", raising=False)
    return stand_in(tmp_path / "base")


def calls(base: Path) -> list[str]:
    return (base.parent / "calls").read_text().splitlines()


def fails(base: Path, what: str) -> None:
    (base.parent / "fails").write_text(what)


def test_blender_is_installed_once_and_found(base: Path) -> None:
    said: list[str] = []
    python = install_blender(base, progress=said.append)
    assert python == default_blender_folder() / "bin" / "python" == find_blender_python()
    assert said[0] == f"making an environment with {base} (Python 3.11)"
    assert said[1].startswith("fetching bpy 5.0.1 (")
    assert said[3] == f"Blender 5.0.1 with Python 3.11: 0.0 GB at {default_blender_folder()}"
    asked = [c for c in calls(base) if "pip" in c]
    assert asked == ["-I -m pip install --disable-pip-version-check --no-input bpy==5.0.1"]
    said.clear()
    assert install_blender(base, progress=said.append) == python
    assert said == [f"already there: Blender 5.0.1 at {python}"]
    assert len([c for c in calls(base) if "pip" in c]) == 1
    assert [p.name for p in default_blender_folder().parent.iterdir()] == ["blender"]


@pytest.mark.parametrize(
    ("what", "got", "remedy"),
    [
        ("venv", "ensurepip is not available", "python3-venv"),
        ("pip", "No matching distribution found for bpy==5.0.1", "see that pip reaches its index and bpy fits here"),
        ("bpy", "ImportError: libXrender.so.1: cannot open shared", "install the system libraries that it names"),
    ],
)
def test_blender_failed_install_leaves_nothing_and_says_why(base: Path, what: str, got: str, remedy: str) -> None:
    fails(base, what)
    with pytest.raises(BackendNotInstalledError) as caught:
        install_blender(base)
    assert got in str(caught.value) and str(caught.value).endswith(f"; {remedy}")
    assert str(caught.value).startswith("expected success of ")
    assert not list(default_blender_folder().parent.iterdir())
    with pytest.raises(BackendNotInstalledError):
        find_blender_python()


def test_blender_that_broke_is_made_anew(base: Path) -> None:
    python = install_blender(base)
    python.write_text("#!/bin/sh\necho No module named bpy >&2; exit 1\n")
    said: list[str] = []
    assert install_blender(base, progress=said.append) == python
    assert said[0] == f"the Blender at {default_blender_folder()} does not work and is made anew"
    assert len([c for c in calls(base) if "pip" in c]) == 2


def test_blender_that_broke_stays_while_its_successor_fails(base: Path) -> None:
    python = install_blender(base)
    broken = "#!/bin/sh\nexit 1\n"
    python.write_text(broken)
    fails(base, "pip")
    with pytest.raises(BackendNotInstalledError):
        install_blender(base)
    assert python.read_text() == broken


def test_blender_leaves_of_a_killed_install_are_swept(base: Path) -> None:
    parent = default_blender_folder().parent
    (parent / ".tmp-999999999-abc" / "new" / "bin").mkdir(parents=True)
    (parent / ".tmp-999999999-abc" / "new" / "bin" / "python").write_text("half")
    with pytest.raises(BackendNotInstalledError):
        find_blender_python()
    install_blender(base)
    assert [p.name for p in parent.iterdir()] == ["blender"]


def test_blender_touches_no_folder_of_somebody_else(base: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError) as caught:
        install_blender(base, theirs)
    assert str(caught.value) == (
        f"expected an empty folder for Blender at {theirs}; got other files; choose another folder"
    )
    assert (theirs / "thesis.txt").read_text() == "precious"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert install_blender(base, empty) == empty / "bin" / "python"


def test_blender_is_not_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`scenemaker cache clear` must not throw a gigabyte away."""
    from scenemaker.cache import default_cache_dir

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_blender_folder() == tmp_path / ".local" / "share" / "scenemaker" / "blender"
    assert not default_blender_folder().is_relative_to(default_cache_dir())


def test_blender_that_is_missing_gives_the_line_to_type(base: Path) -> None:
    with pytest.raises(BackendNotInstalledError) as caught:
        find_blender_python()
    assert str(caught.value) == (
        "expected Blender for path-traced pictures; got none installed; type: scenemaker data blender"
    )
    from scenemaker.data.render.cycles import CyclesRenderer

    with pytest.raises(BackendNotInstalledError, match="type: scenemaker data blender$"):
        CyclesRenderer()


def test_blender_of_the_users_choice(base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_blender(base)
    monkeypatch.setenv("SCENEMAKER_BLENDER_PYTHON", str(base))
    assert find_blender_python() == base
    nowhere = tmp_path / "nowhere"
    monkeypatch.setenv("SCENEMAKER_BLENDER_PYTHON", str(nowhere))
    with pytest.raises(ConfigError) as caught:
        find_blender_python()
    assert str(caught.value) == (
        f"expected a Python with bpy at $SCENEMAKER_BLENDER_PYTHON; got no file {nowhere}; "
        "correct $SCENEMAKER_BLENDER_PYTHON, or unset it and type: scenemaker data blender"
    )


def test_blender_wants_a_python_that_fits(base: Path, tmp_path: Path) -> None:
    old = stand_in(tmp_path / "old", version="3.9", name="python3.9")
    with pytest.raises(ConfigError) as caught:
        install_blender(old)
    assert str(caught.value) == (
        f"expected Python 3.11 or 3.13 for Blender; got Python 3.9 at {old}; name another --python"
    )
    with pytest.raises(ConfigError, match=f"; got nothing that runs at {tmp_path / 'none'}; "):
        install_blender(tmp_path / "none")


def test_blender_python_is_the_running_one_else_one_on_the_path(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blender.sys, "executable", str(base))
    assert fitting_python() == (base, "3.11")
    other = stand_in(tmp_path / "other", version="3.12", name="python3.12")
    monkeypatch.setattr(blender.sys, "executable", str(other))
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "python3.11").write_text("#!/bin/sh\necho command not found >&2; exit 127\n")  # as pyenv leaves them
    (shims / "python3.11").chmod(0o755)
    newer = stand_in(tmp_path / "newer", version="3.13", name="python3.13")
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims), str(newer.parent)]))
    assert fitting_python() == (newer, "3.13")
    monkeypatch.setenv("PATH", str(shims))
    with pytest.raises(BackendNotInstalledError) as caught:
        fitting_python()
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert str(caught.value) == (
        f"expected Python 3.11 or 3.13 for Blender; got Python {running}, and none of these on the PATH; "
        "install Python 3.11, then type: scenemaker data blender --python PATH_OF_IT"
    )
