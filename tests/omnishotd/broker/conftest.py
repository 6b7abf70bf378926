"""What several tests of the broker start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.sockets import make_context
from tests.omnishotd.broker.surroundings import Surroundings


@pytest.fixture
def around(runtime_directory: Path) -> Iterator[Surroundings]:
    with make_context() as context:
        surroundings = Surroundings(runtime_directory, context)
        yield surroundings
        surroundings.end()


@pytest.fixture
def around_with_canaries(runtime_directory: Path) -> Iterator[Surroundings]:
    with make_context() as context:
        surroundings = Surroundings(runtime_directory, context, canaries=True)
        yield surroundings
        surroundings.end()
