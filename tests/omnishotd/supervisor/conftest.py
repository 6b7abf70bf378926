"""The stage on which most tests of the supervisor play."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.omnishotd.supervisor.stage import Stage, set_stage


@pytest.fixture
def stage(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A supervisor that is not run, all of whose services are ready."""
    with set_stage(runtime_directory) as made:
        monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", made.spawn)
        made.begin()
        yield made
