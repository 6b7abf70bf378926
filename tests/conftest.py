"""What holds for every test: it leaves no process, no shared memory and no descriptor behind."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.daemon import Daemon
from tests.waiting import eventually

# The machine may be busy, so no example has a time limit. The same examples are tried each time, so that a run tells of
# the change and not of chance; with NEW_EXAMPLES=1 in the environment others are, and those that fail are kept.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("checked", settings.get_profile("patient"), derandomize=True, database=None)
settings.load_profile("patient" if os.environ.get("NEW_EXAMPLES") else "checked")

SHM = Path("/dev/shm")  # noqa: S108 - the kernel's fixed place of POSIX shared memory


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaks, after giving what it ended a moment to be gone."""
    shm_before = set(SHM.iterdir())
    processes_before = descendants(os.getpid())

    yield

    eventually(lambda: descendants(os.getpid()) <= processes_before, within_s=5.0, what="child processes are gone")
    eventually(lambda: set(SHM.iterdir()) <= shm_before, within_s=5.0, what="nothing is left in shared memory")


def descendants(pid: int) -> set[int]:
    """All processes below one, the dead that nobody has waited for among them.

    From the kernel's own lists (proc(5)): psutil looks at every process of the machine, which took most of the time of
    thousands of small tests.
    """
    found: set[int] = set()
    unseen = [pid]
    while unseen:
        # One that ends meanwhile has no more children.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for children in Path(f"/proc/{unseen.pop()}/task").glob("*/children"):
                below = [int(child) for child in children.read_text(encoding="ascii").split()]
                found.update(below)
                unseen += below
    return found


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


@pytest.fixture
def daemon_with(runtime_directory: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts a real daemon with settings of the test's own, stopped in order at the end."""
    with ExitStack() as stack:

        def start(*assignments: str, **options: Any) -> Daemon:
            return stack.enter_context(Daemon(runtime_directory, *assignments, **options))

        yield start
