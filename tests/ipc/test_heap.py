"""Figures of this very process's malloc, moved on purpose."""

import ctypes
import gc
from collections.abc import Iterator

import pytest

from ipc import heap
from ipc.heap import INTERVAL_S, INTERVAL_S_MAX, HeapGauge, interval_s, trim
from ipc.resident import resident
from ipc.telemetry import HeapFigures

PIECE_BYTES = 64 << 10
"""Below the size from which glibc maps a piece by itself."""
PIECES = 1024

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]
_libc.free.restype = None


def allocated(size_bytes: int) -> int:
    """Have malloc give a piece, and touch all of it."""
    address: int = _libc.malloc(size_bytes)
    ctypes.memset(address, 1, size_bytes)
    return address


@pytest.fixture
def pieces() -> Iterator[list[int]]:
    """64 MiB in pieces, the last of which is to stay: malloc cannot give back what lies before it."""
    made = [allocated(PIECE_BYTES) for _ in range(PIECES)]
    yield made
    for address in made:
        _libc.free(address)


def test_figures_follow_what_is_used_and_what_is_only_kept(pieces: list[int]) -> None:
    gc.collect()
    full = HeapGauge().figures(0.0)
    while len(pieces) > 1:
        _libc.free(pieces.pop(0))
    freed = HeapGauge().figures(0.0)

    assert full.used_bytes - freed.used_bytes > 60 << 20
    assert freed.kept_bytes - full.kept_bytes > 60 << 20


def test_large_piece_that_is_mapped_by_itself_counts_as_used() -> None:
    before = HeapGauge().figures(0.0)
    address = allocated(128 << 20)
    during = HeapGauge().figures(0.0)
    _libc.free(address)

    assert during.used_bytes - before.used_bytes > 120 << 20


def test_gauge_within_its_interval_does_not_ask_again() -> None:
    gauge = HeapGauge()
    first = gauge.figures(100.0)
    address = allocated(64 << 20)
    early = gauge.figures(100.0 + INTERVAL_S - 0.01)
    late = gauge.figures(100.0 + INTERVAL_S_MAX)
    _libc.free(address)

    assert early == first
    assert late.used_bytes - first.used_bytes > 60 << 20


def test_interval_grows_with_the_cost_and_is_bounded() -> None:
    assert interval_s(0.00005) == INTERVAL_S
    assert interval_s(0.005) == pytest.approx(5.0)
    assert interval_s(1.0) == INTERVAL_S_MAX


def test_trim_gives_back_what_is_only_kept(pieces: list[int]) -> None:
    while len(pieces) > 1:
        _libc.free(pieces.pop(0))
    before = resident().total_bytes
    trim()

    assert before - resident().total_bytes > 60 << 20


def test_c_library_without_these_functions_has_no_figures_and_says_that_it_cannot_trim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no second C library to be had here, so that one is played: it knows neither function."""
    monkeypatch.setattr(heap, "_function", lambda *_: None)

    assert HeapGauge().figures(0.0) == HeapFigures(0, 0)
    with pytest.raises(OSError, match="malloc_trim"):
        trim()


def test_function_that_no_c_library_has_is_not_found() -> None:
    assert heap._function("omnishotd_has_no_such_function", ctypes.c_int) is None
