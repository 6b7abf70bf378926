"""What tests of the command line share: photographs on disk, and an environment without a daemon."""

from pathlib import Path

import pytest

from tests.photographs import JPEGS, photograph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with real photographs."""
    for name in JPEGS:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(photograph(name))
    return tmp_path


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which no daemon runs that could be found."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr("omnishotd.cli.private.SYSTEM_ENDPOINT", f"ipc://{tmp_path}/system.sock")
