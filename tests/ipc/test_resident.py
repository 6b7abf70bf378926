"""The kernel's figures of this very process, moved on purpose."""

import mmap

import pytest

from ipc import resident as module
from ipc.resident import Resident, mapped_bytes, resident

PIECE_BYTES = 64 << 20


def touched(area: mmap.mmap) -> None:
    for at in range(0, len(area), mmap.PAGESIZE):
        area[at] = 1


def test_private_memory_that_is_touched_counts_as_private_and_present() -> None:
    before = resident()
    with mmap.mmap(-1, PIECE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        touched(area)
        during = resident()
    after = resident()

    assert during.private_bytes - before.private_bytes > PIECE_BYTES * 0.9
    assert during.total_bytes - before.total_bytes > PIECE_BYTES * 0.9
    assert abs(after.private_bytes - before.private_bytes) < 4 << 20


def test_shared_memory_that_is_touched_counts_as_present_and_not_as_private() -> None:
    before = resident()
    with mmap.mmap(-1, PIECE_BYTES) as area:
        touched(area)
        during = resident()

    assert during.total_bytes - before.total_bytes > PIECE_BYTES * 0.9
    assert abs(during.private_bytes - before.private_bytes) < 4 << 20


def test_memory_that_is_only_mapped_counts_as_mapped() -> None:
    before, mapped_before = resident(), mapped_bytes()
    with mmap.mmap(-1, PIECE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        during, mapped_during = resident(), mapped_bytes()

    assert mapped_during - mapped_before >= PIECE_BYTES
    assert during.total_bytes - before.total_bytes < 4 << 20


def test_figures_that_the_kernel_does_not_tell_are_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no kernel without them to be had here, so that one is played."""

    def refused() -> int:
        raise PermissionError

    monkeypatch.setattr(module, "_statm_fd", refused)

    assert resident() == Resident(0, 0)
    assert mapped_bytes() == 0
