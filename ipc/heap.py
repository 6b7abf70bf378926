"""Heap: what malloc of this process holds, and the order to give back what nothing uses.

glibc since 2.33. Elsewhere the figures are zero, which no living process has: read zero as unknown.
"""

import ctypes
import errno
import os
import time
from typing import Any, Final

from ipc.telemetry import HeapFigures

INTERVAL_S: Final = 1.0
"""Figures are asked for no more often."""
INTERVAL_S_MAX: Final = 60.0
COST_SHARE: Final = 0.001
"""Of the process's time, the most that the figures may cost: malloc walks through all free pieces (measured: 50 us for
5,000 of them, 2 ms for 50,000, 80 ms for 500,000), so they are asked for less often as a heap falls to pieces."""


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of malloc.h; the names are glibc's."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )
    hblkhd: int
    """Bytes in pieces so large that each is mapped by itself."""
    uordblks: int
    """Bytes in use in the arenas."""
    fordblks: int
    """Bytes free in the arenas."""


class HeapGauge:
    """Asks malloc, at most once in `INTERVAL_S`, and less often where the answer is dear."""

    def __init__(self) -> None:
        self._mallinfo2 = _function("mallinfo2", _Mallinfo2)
        self._figures = HeapFigures()
        self._due_at_s = float("-inf")

    def figures(self, now_s: float) -> HeapFigures:
        """Return the newest figures, or those asked for not long ago. `now_s` is monotonic."""
        if self._mallinfo2 is not None and now_s >= self._due_at_s:
            began_ns = time.perf_counter_ns()
            info = self._mallinfo2()
            took_s = (time.perf_counter_ns() - began_ns) / 1e9
            self._figures = HeapFigures(info.uordblks + info.hblkhd, info.fordblks)
            self._due_at_s = now_s + interval_s(took_s)
        return self._figures


def interval_s(took_s: float) -> float:
    """How long to leave malloc alone after figures that took `took_s`."""
    return min(max(INTERVAL_S, took_s / COST_SHARE), INTERVAL_S_MAX)


def trim() -> None:
    """Give free memory back to the kernel. Raises OSError (ENOSYS) where the C library cannot."""
    malloc_trim = _function("malloc_trim", ctypes.c_int)
    if malloc_trim is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "malloc_trim")
    malloc_trim(ctypes.c_size_t(0))


def _function(name: str, result: type[Any]) -> Any:
    """Find a function of the C library; None where there is none of that name."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function.restype = result
    return function
