"""Loop: what the child of a peer that is a library does: the same calls over and over, in one thread."""

import gc
import select
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from perf.contender import Run
from perf.messages import Failed, Sample, Window, Word
from perf.peers.messages import WorkOrder
from perf.tally import Tally

WARM_FRAMES: Final = 5

Calls = Callable[[], bytes]
"""Does the work once, and returns the finished picture."""


def obey_all(prepare: Callable[[WorkOrder], Calls]) -> None:
    """Take orders from stdin until it ends."""
    gc.freeze()
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=WorkOrder)
        calls = prepare(order)
        say(Sample(calls()) if order.is_sample else repeat(calls))


def repeat(calls: Calls) -> Run:
    """Repeat: until it is warm, until the window is told, until that has passed."""
    tally, is_open = Tally(), False
    now_ns = time.monotonic_ns()
    while now_ns < tally.until_ns:
        calls()
        previous_ns, now_ns = now_ns, time.monotonic_ns()
        tally.note(previous_ns, now_ns)
        if tally.frames_in_all == WARM_FRAMES:
            say(Word("ready"))
        if not is_open and tally.frames_in_all >= WARM_FRAMES and select.select([sys.stdin], [], [], 0)[0]:
            tally.open(msgspec.json.decode(sys.stdin.buffer.readline(), type=Window))
            is_open = True
    return tally.run([])


def say(message: Word | Run | Sample | Failed) -> None:
    """Tell the benchmark."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()
