"""Upkeep of a process whose memory and whose clock are the test's; and of this very one."""

import ctypes

import pytest

from ipc import heap
from ipc.arena import Arena
from ipc.reservation import reserve_arena
from ipc.resident import Resident, resident
from ipc.upkeep import BUSY_INTERVAL_S, IDLE_S, SLACK_BYTES, Upkeep

MIB = 1 << 20
PIECES, PIECE_BYTES = 1024, 64 << 10

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]
_libc.free.restype = None


class Process:
    """Memory that a trim brings down to what is `held`."""

    def __init__(self) -> None:
        self.held = self.private = 50 * MIB
        self.upkeep = Upkeep(None, self.look, self.trim)

    def look(self) -> Resident:
        return Resident(self.private, self.private)

    def trim(self) -> None:
        self.private = self.held


@pytest.fixture
def process() -> Process:
    return Process()


def test_memory_of_a_burst_goes_back_in_the_pause_after_it(process: Process) -> None:
    process.upkeep.worked(10.0)
    process.private = 200 * MIB
    process.upkeep.pass_time(10.0 + IDLE_S - 0.01)
    assert process.private == 200 * MIB
    process.upkeep.pass_time(10.0 + IDLE_S)

    assert (process.private, process.upkeep.trims, process.upkeep.at_rest_bytes) == (50 * MIB, 1, 50 * MIB)


def test_pause_is_looked_at_once(process: Process) -> None:
    process.upkeep.worked(10.0)
    process.upkeep.pass_time(12.0)
    process.private = 200 * MIB
    process.upkeep.pass_time(100.0)

    assert process.upkeep.trims == 0


def test_little_that_is_kept_stays(process: Process) -> None:
    process.upkeep.worked(10.0)
    process.private = 50 * MIB + SLACK_BYTES
    process.upkeep.pass_time(12.0)

    assert process.upkeep.trims == 0


def test_memory_that_creeps_up_is_trimmed_at_last(process: Process) -> None:
    for turn in range(4):
        process.private += SLACK_BYTES // 2 - 1
        process.upkeep.worked(10.0 * turn)
        process.upkeep.pass_time(10.0 * turn + 5)

    assert process.upkeep.trims == 1


def test_memory_of_a_process_without_any_pause_is_looked_at_now_and_then(process: Process) -> None:
    process.private = 200 * MIB
    for turn in range(int(BUSY_INTERVAL_S * 10) + 1):
        process.upkeep.worked(100 + turn / 10)
        process.upkeep.pass_time(100 + turn / 10)
        process.private = 200 * MIB

    assert process.upkeep.trims == 1


def test_memory_that_is_held_on_to_is_what_is_told_and_is_not_trimmed_again(process: Process) -> None:
    process.held = process.private = 120 * MIB
    for turn in range(3):
        process.upkeep.worked(10.0 * turn)
        process.upkeep.pass_time(10.0 * turn + 5)

    assert (process.upkeep.trims, process.upkeep.at_rest_bytes) == (1, 120 * MIB)


def test_process_that_never_worked_is_left_alone(process: Process) -> None:
    process.private = 200 * MIB
    process.upkeep.pass_time(1000.0)

    assert process.upkeep.trims == 0


def test_real_memory_goes_back_to_the_kernel_and_pages_of_the_arena_out_of_sight() -> None:
    descriptor = reserve_arena(32 * MIB)
    with Arena(descriptor, 32 * MIB) as arena:
        arena.let_go_of_descriptor(descriptor)
        # What other tests left free in this process would be used first, and is present already.
        heap.trim()
        upkeep = Upkeep(arena)
        before = resident()
        arena.view[:] = bytes([7]) * (32 * MIB)
        pieces = [_libc.malloc(PIECE_BYTES) for _ in range(PIECES)]
        for address in pieces:
            ctypes.memset(address, 1, PIECE_BYTES)
        # The last one stays: malloc cannot give back what lies before it without being told to.
        for address in pieces[:-1]:
            _libc.free(address)
        upkeep.worked(0.0)
        busy = resident()
        upkeep.pass_time(IDLE_S)
        after = resident()
        content = arena.view[-1]
        _libc.free(pieces[-1])

    assert busy.private_bytes - before.private_bytes > 60 * MIB
    assert busy.total_bytes - before.total_bytes > 90 * MIB
    assert after.total_bytes - before.total_bytes < 8 * MIB
    assert content == 7
