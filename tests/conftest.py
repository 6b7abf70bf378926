"""What holds for every test: it leaves no process, no shared memory and no descriptor behind."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing import resource_tracker as tracker
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.daemon import Daemon
from tests.leftovers import descendants, segments, segments_left
from tests.turns import DaemonsInTurn, scheduler_of
from tests.waiting import eventually

# The machine may be busy, so no example has a time limit. The same examples are tried each time, so that a run tells of
# the change and not of chance; with NEW_EXAMPLES=1 in the environment others are, and those that fail are kept.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("checked", settings.get_profile("patient"), derandomize=True, database=None)
settings.load_profile("patient" if os.environ.get("NEW_EXAMPLES") else "checked")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> DaemonsInTurn:
    """Where tests run in several processes, say which go together."""
    return scheduler_of(config, log)


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaks, after giving what it ended a moment to be gone."""
    shm_before = segments()
    processes_before = _processes()

    yield

    eventually(lambda: _processes() <= processes_before, within_s=5.0, what="child processes are gone")
    eventually(lambda: not segments_left(shm_before), within_s=5.0, what="nothing is left in shared memory")


def _processes() -> set[int]:
    """All below this one, but for what `multiprocessing` starts, and starts again, to look after shared memory."""
    return descendants(os.getpid()) - {getattr(tracker, "_resource_tracker")._pid}  # noqa: B009 - not public


@pytest.fixture(scope="session")
def resource_tracker() -> None:
    """The process of `multiprocessing` that stays once a process has made shared memory; there before any test."""
    tracker.ensure_running()


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


@pytest.fixture
def open_daemon(daemon_with: Callable[..., Daemon]) -> Iterator[Callable[..., Daemon]]:
    """Starts a real daemon that every user of this machine may send frames to."""
    with tempfile.TemporaryDirectory(prefix="oms-") as folder:
        Path(folder).chmod(0o755)

        def start(*assignments: str) -> Daemon:
            endpoint = f"ipc://{folder}/frames.sock"
            daemon = daemon_with(f"frames.endpoints=['{endpoint}']", 'frames.socket_mode="0666"', *assignments)
            daemon.endpoint = endpoint
            return daemon

        yield start
