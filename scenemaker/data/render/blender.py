"""Where Blender lives: an environment of its own, since its package ``bpy`` fits few Pythons and ties numpy down.

It is made once, by ``scenemaker data blender``; ``$SCENEMAKER_BLENDER_PYTHON`` names another Python that has ``bpy``.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from scenemaker.cache import output_errors, sweep, temporary_prefix
from scenemaker.errors import BackendNotInstalledError, ConfigError, OutputError, expected

logger = logging.getLogger(__name__)
VARIABLE = "SCENEMAKER_BLENDER_PYTHON"
BPY_OF_PYTHON = {"3.11": "5.0.1", "3.13": "5.2.3"}  # every bpy is built for one Python; these two are tested
COMMAND = "scenemaker data blender"


def default_blender_folder() -> Path:
    """``$XDG_DATA_HOME/scenemaker/blender``, else ``~/.local/share/scenemaker/blender``: no cache, so never cleared."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "scenemaker" / "blender"


def find_blender_python() -> Path:
    """The Python that has ``bpy``: the one the user names, else the one that was installed.

    Raises:
        BackendNotInstalledError: There is none.
        ConfigError: The user names one that is not there.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            remedy = f"correct ${VARIABLE}, or unset it and type: {COMMAND}"
            raise ConfigError(expected(f"a Python with bpy at ${VARIABLE}", got=f"no file {named}", remedy=remedy))
        return Path(named)
    python = _python_in(default_blender_folder())
    if not python.is_file():
        raise BackendNotInstalledError(
            expected("Blender for path-traced pictures", got="none installed", remedy=f"type: {COMMAND}")
        )
    return python


def install_blender(
    python: Path | str | None = None, folder: Path | None = None, progress: Callable[[str], object] | None = None
) -> Path:
    """The Python of a Blender environment, which is made when it is not there or does not work.

    It is made beside its place and moved there when ``import bpy`` works, so a killed install leaves none.

    Args:
        python: A Python that ``bpy`` is built for; by default the running one or one on the PATH that fits.
        folder: Where to put it; by default ``default_blender_folder()``, where it is found again.
        progress: Is told in one line each what is done.

    Raises:
        BackendNotInstalledError: No Python fits, pip fails, or ``bpy`` does not start.
        ConfigError: ``python`` does not fit.
        OutputError: The folder cannot be written, the disk is full, or something else lies there.
    """
    say = progress or logger.info
    folder = folder or default_blender_folder()
    ready = _python_in(folder)
    if ready.is_file():
        ok, version = _run([ready, "-I", "-c", "import bpy; print(bpy.app.version_string)"])
        if ok:
            say(f"already there: Blender {version.splitlines()[-1]} at {ready}")
            return ready
        say(f"the Blender at {folder} does not work and is made anew")
    elif folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        remedy = "choose another folder"
        raise OutputError(expected(f"an empty folder for Blender at {folder}", got="other files", remedy=remedy))
    base, version = fitting_python(python)
    bpy = BPY_OF_PYTHON[version]
    with output_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=temporary_prefix()))
        try:
            _make(temporary / "new", base, version, bpy, say)
            if folder.exists():
                folder.replace(temporary / "old")
            (temporary / "new").replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    size = sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file())
    say(f"Blender {bpy} with Python {version}: {size / 1e9:.1f} GB at {folder}")
    return ready


def fitting_python(python: Path | str | None = None) -> tuple[Path, str]:
    """A Python that ``bpy`` is built for, and its version: the given one, the running one, or one on the PATH.

    Raises:
        BackendNotInstalledError: There is none; the text says what to install.
        ConfigError: The given one does not fit.
    """
    wanted = " or ".join(BPY_OF_PYTHON)
    if python is not None:
        version = _version_of(python)
        if version not in BPY_OF_PYTHON:
            got = f"Python {version} at {python}" if version else f"nothing that runs at {python}"
            raise ConfigError(expected(f"Python {wanted} for Blender", got=got, remedy="name another --python"))
        return Path(python), version
    on_path = [found for v in BPY_OF_PYTHON if (found := shutil.which(f"python{v}"))]
    for candidate in (sys.executable, *on_path):
        version = _version_of(candidate)
        if version in BPY_OF_PYTHON:
            return Path(candidate), version
    got = f"Python {sys.version_info[0]}.{sys.version_info[1]}, and none of these on the PATH"
    remedy = f"install Python {next(iter(BPY_OF_PYTHON))}, then type: {COMMAND} --python PATH_OF_IT"
    raise BackendNotInstalledError(expected(f"Python {wanted} for Blender", got=got, remedy=remedy))


def _make(folder: Path, base: Path, version: str, bpy: str, say: Callable[[str], object]) -> None:
    """Makes the environment; the last step proves that it works."""
    python = _python_in(folder)
    pip = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", f"bpy=={bpy}"]
    import_bpy = [python, "-I", "-c", "import bpy"]
    steps: list[tuple[str, Sequence[str | Path], str]] = [
        (f"making an environment with {base} (Python {version})", [base, "-I", "-m", "venv", folder], "python3-venv"),
        (f"fetching bpy {bpy} (about 400 MB, 1.1 GB on disk)", pip, "see that pip reaches its index and bpy fits here"),
        ("starting Blender once", import_bpy, "install the system libraries that it names"),
    ]
    for what, command, remedy in steps:
        say(what)
        ok, output = _run(command)
        if not ok:
            got = "\n".join(output.splitlines()[-8:]) or "no output"
            raise BackendNotInstalledError(expected(f"success of {what}", got=got, remedy=remedy))


def _python_in(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _version_of(python: Path | str) -> str | None:
    """ "3.11" of an interpreter, None when it does not run."""
    ok, output = _run([python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return output if ok else None


def _run(command: Sequence[str | Path]) -> tuple[bool, str]:
    """Whether a command succeeded, and all that it printed."""
    try:
        done = subprocess.run(
            [str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout.strip()
