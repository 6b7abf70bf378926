"""Parts of a frame's way that can be measured alone: library calls, the broker's decisions, a socket, a wake-up."""

import os
import socket
import statistics
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import cykooz_resizer  # type: ignore[import-untyped]  # it has annotations, but no py.typed
import msgspec
import numpy as np
import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed

from ipc.extents import ExtentAllocator
from ipc.messages import Answer, Batch, Encode, Encoded, Report, ToBroker
from ipc.wire import decode_request
from omnishotd.broker.crew import Worker
from omnishotd.broker.flow import Flow
from omnishotd.broker.plan import Planner
from perf.ideal import FRAMES
from perf.request import request_of, with_keys
from perf.work import KERNEL, QUALITY, Work
from tests.omnishotd.broker.rig import make_sender, make_settings

ARENA_BYTES: Final = 256 << 20
DECISIONS: Final = 3_000
IN_FLIGHT: Final = 32
SWITCHES: Final = 5_000
PASSES: Final = 200
WARM_CALLS: Final = 5
PICTURE: Final = b"\0" * 15_000
WHOLE_FRAME_PIXELS_MAX: Final = 4 << 20


def bare_calls_us(work: Work, source: bytes, repeats: int) -> dict[str, float]:
    """Processor time of the libraries' calls for a thumbnail, with nothing of ours between them."""
    plan = Planner(FRAMES, {}, {}, ExtentAllocator(ARENA_BYTES)).plan(
        decode_request(with_keys(request_of(work), id="alone")), source
    )
    made = plan.decoded
    pixels = np.empty((made.height, made.width, 3), np.uint8)

    def decoded() -> None:
        simplejpeg.decode_jpeg(source, min_width=made.width, min_height=made.height, buffer=pixels, strict=True)

    decoded()
    kind = cykooz_resizer.PixelType.U8x3
    before = cykooz_resizer.ImageData(made.width, made.height, kind, pixels.tobytes())
    after = cykooz_resizer.ImageData(*work.result_size, kind)
    filter_type = getattr(cykooz_resizer.FilterType, KERNEL)
    options = cykooz_resizer.ResizeOptions(cykooz_resizer.ResizeAlg.convolution(filter_type))
    resizer = cykooz_resizer.Resizer()
    resizer.resize(before, after, options)
    width, height = work.result_size
    small = np.frombuffer(after.get_buffer(), np.uint8).reshape(height, width, 3)
    return {
        "decode": median_us(decoded, repeats),
        "resize": median_us(lambda: resizer.resize(before, after, options), repeats),
        "encode": median_us(lambda: simplejpeg.encode_jpeg(small, quality=QUALITY, colorsubsampling="420"), repeats),
    }


def decisions_us(work: Work, source: bytes) -> float:
    """What the broker's `Flow` takes for a frame, from a request's parts to its reply, without sockets and copies."""
    replies = 0

    def send(*_: object) -> None:
        nonlocal replies
        replies += 1

    settings = make_settings(
        frames={
            "max_frame_bytes": FRAMES.max_frame_bytes,
            "max_pixels": FRAMES.max_pixels,
            "max_side": FRAMES.max_side,
        },
        max_concurrent_jobs=16,
        queue_limit=256,
        queue_max_bytes=128 << 20,
        whole_frame_pixels_max=WHOLE_FRAME_PIXELS_MAX,
    )
    flow = Flow(settings, "0123456789", ExtentAllocator(ARENA_BYTES), lambda *_: None, send)
    now_us = 1_000_000
    for incarnation, pool in enumerate(("decode", "decode", "transform", "encode")):
        flow.expect(incarnation, f"{pool}-{incarnation}", [pool])
        flow.hello(incarnation, b"w%d" % incarnation, now_us)
    flow.canary.stop()
    headers = iter([with_keys(request_of(work), id=f"{number:08x}") for number in range(DECISIONS + IN_FLIGHT)])
    sender, payload = make_sender(b"producer"), memoryview(source)
    crew, took_ns = _Crew(), 0
    for _ in range(IN_FLIGHT):
        flow.receive(sender, [next(headers), payload], now_us)
    while replies < DECISIONS:
        now_us += 500
        began_ns = time.thread_time_ns()
        flow.pass_time(now_us)
        flow.start_waiting(now_us)
        batches = [(worker, crew.encoder.encode(Batch(tasks))) for worker, tasks in flow.assign(now_us)]
        took_ns += time.thread_time_ns() - began_ns
        crew.batches += batches
        worker, report = crew.work()
        before = replies
        began_ns = time.thread_time_ns()
        for answer in crew.reports.decode(report).answers:  # type: ignore[union-attr]  # it makes reports only
            flow.answered(worker, answer, [PICTURE], now_us)
        for header in islice(headers, replies - before):
            flow.receive(sender, [header, payload], now_us)
        took_ns += time.thread_time_ns() - began_ns
    return took_ns / replies / 1000


class _Crew:
    """Workers that answer at once, and whose time does not count."""

    def __init__(self) -> None:
        self.encoder = msgspec.msgpack.Encoder()
        self.reports: msgspec.msgpack.Decoder[ToBroker] = msgspec.msgpack.Decoder(ToBroker)
        self.batches: list[tuple[Worker, bytes]] = []
        self._decoder: msgspec.msgpack.Decoder[Batch] = msgspec.msgpack.Decoder(Batch)

    def work(self) -> tuple[Worker, bytes]:
        """Answer the oldest message."""
        worker, batch = self.batches.pop(0)
        answers = []
        for task in self._decoder.decode(batch).tasks:
            made = [
                Encoded(step.output, "jpeg", step.geometry.width, step.geometry.height, QUALITY)
                for step in task.steps
                if isinstance(step, Encode)
            ]
            answers.append(Answer(task.lease, [1] * len(task.steps), made))
        return worker, self.encoder.encode(Report(answers))


def socket_pass_us(source: bytes) -> float:
    """Processor time, of both ends together, to bring a payload through a unix socket."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    room = bytearray(len(source))
    view = memoryview(room)

    def passed() -> None:
        thread = threading.Thread(target=one.sendall, args=(source,))
        thread.start()
        at = 0
        while at < len(source):
            at += other.recv_into(view[at:])
        thread.join()

    with one, other:
        passed()
        began_ns = time.process_time_ns()
        for _ in range(PASSES):
            passed()
        return (time.process_time_ns() - began_ns) / PASSES / 1000


def switch_us() -> float:
    """Processor time to wake another thread by a descriptor, as libzmq's do one another."""
    mine, theirs = os.eventfd(0), os.eventfd(0)

    def answer() -> None:
        for _ in range(SWITCHES):
            os.eventfd_read(mine)
            os.eventfd_write(theirs, 1)

    thread = threading.Thread(target=answer)
    thread.start()
    began_ns = time.process_time_ns()
    for _ in range(SWITCHES):
        os.eventfd_write(mine, 1)
        os.eventfd_read(theirs)
    took_us = (time.process_time_ns() - began_ns) / 1000
    thread.join()
    os.close(mine)
    os.close(theirs)
    return took_us / (2 * SWITCHES)


def median_us(call: Callable[[], object], repeats: int) -> float:
    """Processor time of a call, warm."""
    took = []
    for _ in range(repeats + WARM_CALLS):
        began_ns = time.thread_time_ns()
        call()
        took.append((time.thread_time_ns() - began_ns) / 1000)
    return statistics.median(took[WARM_CALLS:])
