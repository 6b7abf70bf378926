"""Pillow in a pool of processes, as a Python web service would have it: the parent, which hands out pictures.

Run as a child: `python -m perf.peers.pillow_pool`.
"""

import ctypes
import io
import multiprocessing
import os
import queue
import select
import signal
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image

from perf.contender import Run
from perf.messages import Failed, Sample, Window, Word
from perf.peers.cover import cover_of
from perf.peers.loop import say
from perf.peers.messages import WorkOrder
from perf.tally import Tally
from perf.work import QUALITY, RESULT_SIDE, Work

CORES: Final = len(os.sched_getaffinity(0))
WARM_FRAMES_MIN: Final = 10
IN_FLIGHT_MAX: Final = 10_000
"""Calls made by the clock that have not returned yet. More: the pool has not kept up for long."""
RESULT_WITHIN_S: Final = 30.0

_SIZE: Final = (RESULT_SIDE, RESULT_SIDE)
_PR_SET_PDEATHSIG: Final = 1


class PoolFailed(Exception):
    """The pool did not answer, or did not keep up."""


def made(work: Work, data: bytes) -> bytes:
    """Do the work once; runs in the pool's processes."""
    if work.source == "raw":
        image = Image.frombuffer("RGB", (work.width, work.height), data, "raw", "RGB", 0, 1)
    else:
        image = Image.open(io.BytesIO(data))
        if work.result == "thumbnail":
            image.draft("RGB", _SIZE)  # decodes at an eighth to a half where it can
    if work.result == "thumbnail":
        image = image.resize(_SIZE, Image.Resampling.LANCZOS, cover_of(work.width, work.height).box(*image.size))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return stream.getvalue()


def die_with_parent() -> None:
    """End when the parent ends, however it does; runs in the pool's processes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Caller:
    """Calls that are made for one work, and come back."""

    def __init__(self, pool: ProcessPoolExecutor, order: WorkOrder) -> None:
        self._pool = pool
        self._work = order.work
        self._data = Path(order.source_file).read_bytes()
        self._done: queue.SimpleQueue[tuple[int, Future[bytes]]] = queue.SimpleQueue()
        self._in_flight = 0
        self._tally = Tally()
        self._is_open = False

    def sample(self) -> bytes:
        """Make one call."""
        return self._pool.submit(made, self._work, self._data).result(RESULT_WITHIN_S)

    def run(self, in_flight: int) -> Run:
        """Keep calls in flight: until all is warm, until the window is told, until that has passed."""
        for _ in range(in_flight):
            self._call(time.monotonic_ns())
        while (now_ns := self._take(RESULT_WITHIN_S)) < self._tally.until_ns:
            self._call(now_ns)
            self._listen(max(WARM_FRAMES_MIN, 2 * in_flight))
        return self._settled()

    def run_by_the_clock(self, frames_per_second: float) -> Run:
        """The same with calls that are made when they are due. Raises `PoolFailed`."""
        interval_ns = int(1e9 / frames_per_second)
        due_ns = time.monotonic_ns()
        while (now_ns := time.monotonic_ns()) < self._tally.until_ns:
            while due_ns <= now_ns:
                self._call(due_ns)
                due_ns += interval_ns
            if self._in_flight > IN_FLIGHT_MAX:
                raise PoolFailed(f"{IN_FLIGHT_MAX} calls have not returned: the pool does not keep up")
            try:
                self._take((due_ns - now_ns) / 1e9)
            except queue.Empty:
                continue
            self._listen(WARM_FRAMES_MIN)
        return self._settled()

    def _call(self, since_ns: int) -> None:
        future = self._pool.submit(made, self._work, self._data)
        future.add_done_callback(lambda done: self._done.put((since_ns, done)))
        self._in_flight += 1

    def _take(self, within_s: float) -> int:
        """Wait for a call to return, and say when it did."""
        since_ns, future = self._done.get(timeout=within_s)
        future.result()
        now_ns = time.monotonic_ns()
        self._in_flight -= 1
        self._tally.note(since_ns, now_ns)
        return now_ns

    def _listen(self, warm_frames: int) -> None:
        if self._tally.frames_in_all == warm_frames:
            say(Word("ready"))
        if self._is_open or self._tally.frames_in_all < warm_frames:
            return
        if select.select([sys.stdin], [], [], 0)[0]:
            self._tally.open(msgspec.json.decode(sys.stdin.buffer.readline(), type=Window))
            self._is_open = True

    def _settled(self) -> Run:
        while self._in_flight:
            self._take(RESULT_WITHIN_S)
        return self._tally.run([])


def obey(pool: ProcessPoolExecutor, order: WorkOrder) -> Run | Sample:
    """Do what was ordered. Raises `PoolFailed`, `BrokenProcessPool`, queue.Empty, TimeoutError, OSError."""
    caller = Caller(pool, order)
    if order.is_sample:
        return Sample(caller.sample())
    if order.frames_per_second is None:
        return caller.run(order.in_flight)
    return caller.run_by_the_clock(order.frames_per_second)


def main() -> None:
    """Take orders from stdin until it ends."""
    forking = multiprocessing.get_context("fork")  # no thread has been started yet
    with ProcessPoolExecutor(CORES, forking, initializer=die_with_parent) as pool:
        for line in sys.stdin.buffer:
            try:
                say(obey(pool, msgspec.json.decode(line, type=WorkOrder)))
            except queue.Empty:
                say(Failed(f"no call returned within {RESULT_WITHIN_S:.0f} s"))
            except (PoolFailed, BrokenProcessPool, OSError) as error:  # TimeoutError is an OSError
                say(Failed(f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
