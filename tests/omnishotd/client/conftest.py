"""A place for a daemon, and the daemon played there."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.omnishotd.client.scripted_daemon import ScriptedDaemon


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An address of its own. pytest's own folder may be too long for a Unix socket's name."""
    folder = tempfile.mkdtemp(prefix="omnishotd-test-")
    yield f"ipc://{folder}/frames.sock"
    shutil.rmtree(folder)


@pytest.fixture
def played(endpoint: str) -> Iterator[ScriptedDaemon]:
    with ScriptedDaemon(endpoint) as daemon:
        yield daemon
