"""The ideal: the daemon's own stage functions, called in a bare loop on memory of this process alone.

No messages, no queue, no other process; what comes in lies in place before the time begins. What the daemon takes
beyond this is the price of being a daemon. Run as a child: `python -m perf.ideal`.
"""

import gc
import mmap
import select
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec

from ipc.extents import ExtentAllocator
from ipc.messages import Decode, Encode, Extent, Transform
from ipc.settings import FramesSettings
from ipc.wire import decode_request
from omnishotd.broker.plan import Plan, Planner
from perf.contender import Run
from perf.messages import BareOrder, Sample, Window, Word
from perf.request import with_keys
from perf.segment import SLOTS
from perf.tally import Tally
from stages import decode, encode, transform
from stages.limits import Limits

ARENA_BYTES: Final = 256 << 20
WARM_FRAMES: Final = 5

FRAMES: Final = FramesSettings(
    endpoints=[],
    socket_mode=0o600,
    socket_group="",
    curve_secret_key_file="",
    curve_authorized_keys="",
    max_frame_bytes=16 << 20,
    max_pixels=50_000_000,
    max_side=16_383,
    rate_per_second=0,
)
_LIMITS: Final = Limits(max_side=FRAMES.max_side, max_pixels=FRAMES.max_pixels)


class Job:
    """One picture's steps, as the broker would hand them to a worker."""

    def __init__(self, request: bytes, source: bytes) -> None:
        self._allocator = ExtentAllocator(ARENA_BYTES)
        self._arena = memoryview(mmap.mmap(-1, ARENA_BYTES))
        plan = Planner(FRAMES, {}, {}, self._allocator).plan(decode_request(with_keys(request, id="ideal")), source)
        if plan.format == "raw":
            # A camera's next frame is not where the last one was: in the daemon neither.
            places = [self._placed(source) for _ in range(SLOTS)]
            calls = [self._shaped(plan, place) for place in places]
        else:
            place, pixels = self._placed(source), self._room(plan.decoded.bytes)
            step = Decode(place, pixels, plan.format, plan.decoded, plan.page)
            calls = [self._decoded(step, self._shaped(plan, pixels))]
        self._calls = cycle(calls)

    def do(self) -> bytes:
        """Take all steps once, and return the finished picture."""
        return next(self._calls)()

    def _decoded(self, step: Decode, shaped: Callable[[], bytes]) -> Callable[[], bytes]:
        def call() -> bytes:
            decode.decode(step, self._arena)
            return shaped()

        return call

    def _shaped(self, plan: Plan, pixels: Extent) -> Callable[[], bytes]:
        """What is done to pixels."""
        output = plan.outputs[0]
        if not output.operations:
            only = Encode(pixels, output.result, 0, output.encoding)
            return lambda: encode.encode(only, self._arena).data
        result = self._room(output.room_bytes)
        first = Transform(pixels, result, plan.decoded, output.nominal, output.operations, output.result)
        then = Encode(result, output.result, 0, output.encoding)

        def call() -> bytes:
            transform.transform(first, self._arena, _LIMITS)
            return encode.encode(then, self._arena).data

        return call

    def _placed(self, data: bytes) -> Extent:
        extent = self._room(len(data))
        self._arena[extent.offset : extent.offset + len(data)] = data
        return extent

    def _room(self, size_bytes: int) -> Extent:
        extents = self._allocator.allocate_all([size_bytes])
        if extents is None:
            raise ValueError(f"the picture needs more than {ARENA_BYTES >> 20} MiB")
        return extents[0]


def measure(job: Job) -> Run:
    """Repeat a job: until it is warm, until the window is told, until that has passed."""
    tally, is_open = Tally(), False
    now_ns = time.monotonic_ns()
    while now_ns < tally.until_ns:
        job.do()
        previous_ns, now_ns = now_ns, time.monotonic_ns()
        tally.note(previous_ns, now_ns)
        if tally.frames_in_all == WARM_FRAMES:
            _say(Word("ready"))
        if not is_open and tally.frames_in_all >= WARM_FRAMES and select.select([sys.stdin], [], [], 0)[0]:
            tally.open(msgspec.json.decode(sys.stdin.buffer.readline(), type=Window))
            is_open = True
    return tally.run([])


def main() -> None:
    """Take orders from stdin until it ends."""
    for stage in (decode, transform, encode):
        stage.warm()
    jobs: dict[tuple[bytes, str], Job] = {}
    gc.freeze()
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=BareOrder)
        key = order.request, order.source_file
        if key not in jobs:
            # One at a time: what another picture has touched is no part of this one's memory.
            jobs.clear()
            gc.collect()
            jobs = {key: Job(order.request, Path(order.source_file).read_bytes())}
        _say(Sample(jobs[key].do()) if order.is_sample else measure(jobs[key]))


def _say(message: Word | Run | Sample) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
