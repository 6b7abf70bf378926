"""What tests of the command line share: photographs on disk, and an environment without a daemon."""

import os
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from omnishotd.cli.private import private_daemon
from tests.photographs import JPEGS, photograph

_NOBODY: Final = 65_534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with real photographs."""
    for name in JPEGS:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(photograph(name))
    return tmp_path


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """One daemon for all tests of a module that do not start or stop one."""
    with private_daemon(["--config", os.devnull, "--set", "frames.max_frame_bytes=1000000"]) as address:
        yield address


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which no daemon runs that could be found."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr("omnishotd.cli.private.SYSTEM_ENDPOINT", f"ipc://{tmp_path}/system.sock")


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Rights of an ordinary user: nothing is forbidden to root."""
    # What a command imports when it runs may lie where only root can read it.
    for module in ("pictures", "submission"):
        import_module(f"omnishotd.cli.{module}")
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def locked_folder(ordinary_user: None) -> Iterator[Path]:
    """A folder that may not be searched, in one of the user's own: pytest's belong to who runs the tests."""
    del ordinary_user
    with tempfile.TemporaryDirectory(prefix="omnishotd-test-") as own:
        locked = Path(own, "locked")
        locked.mkdir(mode=0)
        yield locked
        locked.chmod(0o700)


@pytest.fixture
def in_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that is far from UTC."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
