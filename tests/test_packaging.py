"""The wheel: what is in it, and that it gives a command that runs."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

from omnishotd import __version__

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("omnishotd", "ipc", "stages", "control")


def run(*command: str | Path) -> str:
    """Run a program that has to end well; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    (built,) = folder.iterdir()
    return built


def test_wheel_holds_the_packages_with_their_types_and_the_licence_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    information = f"omnishotd-{__version__}.dist-info"

    assert {name.split("/")[0] for name in names} == {*PACKAGES, information}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert f"{information}/licenses/LICENSE" in names
    assert not [name for name in names if "test" in name or name.endswith((".pyc", ".toml"))]


def test_wheel_holds_every_module_of_the_source(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".py")}
    sources = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}

    assert packed == sources


def test_installed_wheel_gives_the_command_and_all_packages(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=False)
    (purelib,) = tmp_path.glob("lib/python*/site-packages")
    # The dependencies are those installed here. A .pth file below this path is not read, so ours is not found by it.
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = tmp_path / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)

    shown = run(tmp_path / "bin" / "omnishotd", "--version")
    program = f"import {', '.join(PACKAGES)}; print({', '.join(f'{package}.__file__' for package in PACKAGES)})"
    places = run(python, "-P", "-c", program).split()

    assert shown == f"omnishotd {__version__}\n"
    assert all(Path(place).is_relative_to(purelib) for place in places)
    assert run(tmp_path / "bin" / "omnishotd", "config", "check", "--config", os.devnull) == "valid (defaults)\n"


def test_requirements_are_pinned_by_hash_and_name_no_index() -> None:
    for name in ("dev.txt", "photographs.txt"):
        text = (ROOT / "requirements" / name).read_text()
        pinned = re.findall(r"^([a-z0-9-]+)==[0-9][^ ]*.* \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)

        assert len(pinned) == len(re.findall(r"^[a-z]", text, re.MULTILINE)) > 0
        assert "://" not in text
        assert "index" not in text
