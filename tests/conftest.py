"""What holds for every test: it leaves no process, no shared memory and no descriptor behind."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemon import Daemon
from tests.waiting import eventually

SHM = Path("/dev/shm")  # noqa: S108 - the kernel's fixed place of POSIX shared memory


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaks, after giving what it ended a moment to be gone."""
    shm_before = set(SHM.iterdir())
    children_before = {child.pid for child in psutil.Process().children(recursive=True)}

    yield

    eventually(lambda: not _new_children(children_before), within_s=5.0, what="child processes are gone")
    eventually(lambda: set(SHM.iterdir()) <= shm_before, within_s=5.0, what="nothing is left in shared memory")


def _new_children(before: set[int]) -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if child.pid not in before]


@pytest.fixture
def runtime_directory() -> Iterator[Path]:
    """A short path, because a unix socket's address has room for 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="oms-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def daemon(runtime_directory: Path) -> Iterator[Daemon]:
    """A real daemon with default settings, stopped in order at the end."""
    with Daemon(runtime_directory) as running:
        yield running
