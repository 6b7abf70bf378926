"""Examination: what a process can do about its own memory, and tell of it, when an operator asks."""

import gc
import logging
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipc import heap
from ipc.messages import SITES_MAX, AllocationSite, Examine, Examined
from ipc.resident import resident

SECONDS_MIN: Final = 1.0
SECONDS_MAX: Final = 60.0
TRACE_BYTES_MAX: Final = 8 << 20
"""What the notes of a snapshot may take. When they are more, the snapshot ends early: they are memory too, and reading
them keeps the process from its work (measured: 70 ms for these, which tell of 160,000 allocations)."""
WHERE_LENGTH_MAX: Final = 200
FAULT_LENGTH_MAX: Final = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tracing:
    """A snapshot under way."""

    order: Examine
    until_s: float
    rss_before_bytes: int


class Examiner:
    """Carries out one order at a time, and sends an answer to each. What goes wrong is told in the answer."""

    def __init__(self, service: str, send: Callable[[Examined], None]) -> None:
        self._service = service
        self._send = send
        self._tracing: _Tracing | None = None

    def take(self, order: Examine, now_s: float) -> None:
        """Trim or collect now, or begin a snapshot that `pass_time` ends."""
        if self._tracing is not None:
            self._refuse(order, "busy with another: a snapshot is being taken")
        elif order.action == "snapshot":
            self._begin(order, now_s)
        else:
            self._attempt(order, resident().total_bytes, trimmed if order.action == "trim" else collected)

    def pass_time(self, now_s: float) -> None:
        """End a snapshot that is due, or has noted enough. To be called at every turn of the process's loop."""
        tracing = self._tracing
        if tracing is None:
            return
        if now_s >= tracing.until_s or tracemalloc.get_tracemalloc_memory() > TRACE_BYTES_MAX:
            self._tracing = None
            self._attempt(tracing.order, tracing.rss_before_bytes, held_since_start)

    def _begin(self, order: Examine, now_s: float) -> None:
        if not SECONDS_MIN <= order.seconds <= SECONDS_MAX:
            self._refuse(order, f"seconds is {order.seconds:g}, must be {SECONDS_MIN:g} to {SECONDS_MAX:g}")
        elif tracemalloc.is_tracing():
            self._refuse(order, "allocations are traced already, by somebody else")
        else:
            self._tracing = _Tracing(order, now_s + order.seconds, resident().total_bytes)
            tracemalloc.start(1)

    def _attempt(self, order: Examine, rss_before_bytes: int, action: Callable[[], "Outcome"]) -> None:
        began_ns = time.monotonic_ns()
        fault = ""
        outcome = Outcome()
        try:
            outcome = action()
        except Exception as error:
            log.exception("%s failed", order.action)
            fault = f"{order.action} failed: {type(error).__name__}: {error}"[:FAULT_LENGTH_MAX]
        self._send(
            Examined(
                number=order.number,
                service=self._service,
                fault=fault,
                took_ms=(time.monotonic_ns() - began_ns) // 1_000_000,
                rss_before_bytes=rss_before_bytes,
                rss_after_bytes=resident().total_bytes,
                collected=outcome.collected,
                sites=list(outcome.sites),
            )
        )

    def _refuse(self, order: Examine, fault: str) -> None:
        self._send(Examined(order.number, self._service, fault[:FAULT_LENGTH_MAX]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order."""

    collected: int = 0
    sites: tuple[AllocationSite, ...] = ()


def trimmed() -> Outcome:
    """Have malloc give back what is free. The collector is left alone."""
    heap.trim()
    return Outcome()


def collected() -> Outcome:
    """Collect all generations. What a process made before its `gc.freeze()` is not looked at, and lives on."""
    return Outcome(collected=gc.collect())


def held_since_start() -> Outcome:
    """Read the trace and end it: what was allocated meanwhile and is still in use, by line, largest first."""
    try:
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    sites = []
    # Our own lines are passed over here: tracemalloc's filters look at each allocation, and take five times as long.
    for statistic in snapshot.statistics("lineno"):
        frame = statistic.traceback[0]
        if frame.filename not in {__file__, tracemalloc.__file__}:
            sites.append(AllocationSite(where(frame.filename, frame.lineno), statistic.size, statistic.count))
        if len(sites) == SITES_MAX:
            break
    return Outcome(sites=tuple(sites))


def where(path: str, line: int) -> str:
    """Name a line as `stages/encode.py:57`: the path below the folder that it was imported from."""
    folders = [folder.rstrip("/") + "/" for folder in sys.path if folder]
    folder = max((folder for folder in folders if path.startswith(folder)), key=len, default="")
    return f"{path[len(folder) :]}:{line}"[-WHERE_LENGTH_MAX:]
