"""The ideal: the daemon's own stage functions, called in a bare loop on memory of this process alone.

No messages, no queue, no other process; the compressed bytes lie in place before the time begins. What the daemon takes
beyond this is the price of being a daemon. Run as a child: `python -m perf.ideal PICTURE_FILE...`.
"""

import gc
import hashlib
import mmap
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from ipc.extents import ExtentAllocator
from ipc.messages import Decode, Encode, Transform
from ipc.settings import FramesSettings
from ipc.wire import decode_request
from omnishotd.broker.plan import Planner
from perf.messages import IdealOrder, Run, Word
from perf.request import request_header
from stages import decode, encode, transform
from stages.limits import Limits

ARENA_BYTES: Final = 256 << 20
WARM_FRAMES: Final = 5

_FRAMES: Final = FramesSettings(
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
_LIMITS: Final = Limits(max_side=_FRAMES.max_side, max_pixels=_FRAMES.max_pixels)


class Job:
    """One picture's steps, as the broker would hand them to a worker."""

    def __init__(self, payload: bytes) -> None:
        allocator = ExtentAllocator(ARENA_BYTES)
        plan = Planner(_FRAMES, {}, {}, allocator).plan(decode_request(request_header("ideal")), payload)
        extents = allocator.allocate_all(plan.sizes_bytes(len(payload)))
        if extents is None or len(extents) != 3 or plan.format == "raw":
            raise ValueError("the picture is not one to be decoded, transformed and encoded within the arena")
        source, pixels, result = extents
        output = plan.outputs[0]
        self._arena = memoryview(mmap.mmap(-1, ARENA_BYTES))
        self._arena[source.offset : source.offset + len(payload)] = payload
        self._decode = Decode(source, pixels, plan.format, plan.decoded)
        self._transform = Transform(pixels, result, plan.decoded, output.nominal, output.operations, output.result)
        self._encode = Encode(result, output.result, 0, output.encoding)

    def do(self) -> bytes:
        """Take all steps once, and return the finished picture."""
        decode.decode(self._decode, self._arena)
        transform.transform(self._transform, self._arena, _LIMITS)
        return encode.encode(self._encode, self._arena).data


def measure(job: Job, seconds: float) -> Run:
    """Repeat a job for so long."""
    latency_us: list[int] = []
    picture = b""
    began_ns = now_ns = time.perf_counter_ns()
    until_ns = began_ns + int(seconds * 1e9)
    while now_ns < until_ns:
        picture = job.do()
        previous_ns, now_ns = now_ns, time.perf_counter_ns()
        latency_us.append((now_ns - previous_ns) // 1000)
    return Run(
        frames=len(latency_us),
        frames_per_second=len(latency_us) / ((now_ns - began_ns) / 1e9),
        latency_us=latency_us,
        inside_us=[],
        picture_sha256=hashlib.sha256(picture).hexdigest(),
    )


def main(picture_files: list[str]) -> None:
    """Take orders from stdin until it ends."""
    for stage in (decode, transform, encode):
        stage.warm()
    jobs = {picture_file: Job(Path(picture_file).read_bytes()) for picture_file in picture_files}
    gc.freeze()
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=IdealOrder)
        job = jobs[order.picture_file]
        for _ in range(WARM_FRAMES):
            job.do()
        _say(Word("ready"))
        msgspec.json.decode(sys.stdin.buffer.readline(), type=Word)
        _say(measure(job, order.seconds))


def _say(message: Word | Run) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
