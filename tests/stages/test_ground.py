"""Where a worker's extents are found."""

import mmap
import os
from collections.abc import Iterator

import pytest

from ipc.arena import Arena
from ipc.messages import Extent
from ipc.resident import resident
from ipc.scratch import SCRATCH, SCRATCH_BYTES
from stages.ground import Ground

ARENA_BYTES = 1 << 16
TOUCHED_BYTES = 8 << 20


@pytest.fixture
def ground() -> Iterator[Ground]:
    descriptor = os.memfd_create("arena")
    os.ftruncate(descriptor, ARENA_BYTES)
    with Arena(descriptor, ARENA_BYTES) as arena:
        made = Ground(arena)
        yield made
        made.close()
    os.close(descriptor)


def test_arena_and_scratch_are_told_apart(ground: Ground) -> None:
    ground.at(Extent(64, 4))[:] = b"aren"
    ground.at(Extent(64, 4, SCRATCH))[:] = b"mine"

    assert bytes(ground.at(Extent(64, 4))) == b"aren"
    assert bytes(ground.at(Extent(64, 4, SCRATCH))) == b"mine"


@pytest.mark.parametrize(
    "extent",
    [
        Extent(ARENA_BYTES - 1, 2),
        Extent(-1, 1),
        Extent(0, 0),
        Extent(SCRATCH_BYTES - 1, 2, SCRATCH),
        Extent(-1, 1, SCRATCH),
        Extent(0, 1, 7),
        Extent(0, 1, -2),
    ],
)
def test_extent_that_is_nowhere_is_refused(ground: Ground, extent: Extent) -> None:
    with pytest.raises(ValueError, match=r"is not inside|nothing is borrowed"):
        ground.at(extent)


def test_scratch_takes_no_memory_before_it_is_written_nor_after_it_is_forgotten(ground: Ground) -> None:
    before = resident().private_bytes
    scratch = ground.at(Extent(0, TOUCHED_BYTES, SCRATCH))
    for at in range(0, TOUCHED_BYTES, mmap.PAGESIZE):
        scratch[at] = 1
    touched = resident().private_bytes
    ground.forget_pages()
    after = resident().private_bytes

    assert touched - before >= TOUCHED_BYTES - (1 << 20)
    assert after - before < TOUCHED_BYTES // 4
