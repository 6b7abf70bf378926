"""A broker without sockets, processes or a clock: the real `Flow`, with a test in place of all around it."""

import functools
import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # has no types of its own

from ipc.errors import ErrorCode
from ipc.extents import ExtentAllocator
from ipc.messages import Answer, Encode, Encoded, Extent, Fault, Task, Transform
from ipc.pixels import Geometry, Layout
from ipc.settings import (
    AlertSettings,
    ControlSettings,
    FramesSettings,
    MemorySettings,
    PipelineSettings,
    PoolSettings,
    SandboxSettings,
    Settings,
    SupervisorSettings,
)
from ipc.wire import Request
from omnishotd.broker.admission import request_key
from omnishotd.broker.crew import Worker
from omnishotd.broker.cuts import find_cuts
from omnishotd.broker.flow import Flow
from omnishotd.broker.frame import Frame, Payload, Sender
from omnishotd.broker.overlays import KeptOverlay
from omnishotd.broker.peer import peer_of_address
from omnishotd.broker.plan import Plan
from omnishotd.broker.replies import Reply
from omnishotd.broker.segments import Segments
from tests.photographs import jpeg, photograph_jpeg, photograph_mosaic

MS: Final = 1000
"""Microseconds."""
START_US: Final = 1_000_000
ARENA_BYTES: Final = 8 << 20
LAYOUTS: Final = (
    ("decode", "transform", "encode"),
    ("decode+transform", "encode"),
    ("decode", "transform+encode"),
    ("decode+transform+encode",),
)
"""Every way in which pools can share the three stages."""

PLAIN: Final[dict[str, Any]] = {}
SMALLER: Final[dict[str, Any]] = {"operations": [{"op": "resize", "width": 16, "height": 16}]}
RAW_OUT: Final[dict[str, Any]] = {"operations": [{"op": "resize", "width": 8}], "format": "raw"}
AVIF: Final[dict[str, Any]] = {"format": "avif"}
"""Takes longest of all formats."""
TRIMMED: Final[dict[str, Any]] = {"operations": [{"op": "trim"}]}
"""Its size is known to workers only: here, half as wide and a third as high as it can be."""
KEPT: Final[dict[str, Any]] = {**SMALLER, "metadata": "keep"}
LAID: Final[dict[str, Any]] = {"operations": [{"op": "composite", "overlay": "logo"}]}
RAW_IN: Final[dict[str, Any]] = {"format": "raw", "width": 32, "height": 16, "layout": "RGB"}


def make_sender(identity: bytes, *, has_delimiter: bool = False, uid: int = 1000, pid: int | None = None) -> Sender:
    """A producer on a unix socket; each connection is a process of its own, unless it is said which."""
    number = zlib.crc32(identity) if pid is None else pid
    return Sender(identity, has_delimiter, peer_of_address(f"localhost:{uid}:{uid}:{number}"))


CAMERA = make_sender(b"camera")
OTHER = make_sender(b"other")


def picture(side: int = 64, mark: bytes = b"") -> bytes:
    """A real JPEG; `mark` makes its bytes differ from another's, and not its picture."""
    return _plain_picture(side) + mark


@functools.cache
def _plain_picture(side: int) -> bytes:
    return photograph_jpeg(side)


LOGO: Final = KeptOverlay("logo", picture(16), "jpeg", Geometry(16, 16, Layout.RGB), 7)


@functools.cache
def picture_of(width: int, height: int) -> bytes:
    """A real JPEG of this size, as an encoder makes it."""
    return jpeg(photograph_mosaic(max(width, height)).crop((0, 0, width, height)))


def make_settings(
    pools: tuple[str, ...] = LAYOUTS[0],
    *,
    workers: int = 2,
    frames: dict[str, Any] | None = None,
    presets: dict[str, dict[str, Any]] | None = None,
    **pipeline: Any,
) -> Settings:
    """Plain settings, with bounds small enough to be reached."""
    return Settings(
        runtime_directory="/nowhere",
        frames=FramesSettings(
            **{
                "endpoints": [],
                "socket_mode": 0o660,
                "socket_group": "",
                "curve_secret_key_file": "",
                "curve_authorized_keys": "",
                "max_frame_bytes": 1 << 20,
                "max_pixels": 2_000_000,
                "max_side": 4096,
                "rate_per_second": 0,
                **(frames or {}),
            }
        ),
        pipeline=PipelineSettings(
            **{
                "max_concurrent_jobs": 4,
                "queue_limit": 8,
                "queue_max_bytes": 4 << 20,
                "queue_timeout_ms": 30_000,
                "stage_timeout_ms": 5_000,
                "drain_timeout_ms": 1_000,
                "pools": [PoolSettings(stages=name.split("+"), workers=workers) for name in pools],
                **pipeline,
            }
        ),
        supervisor=SupervisorSettings(restarts_max=10, restart_window_s=30, hang_timeout_ms=5_000),
        memory=MemorySettings(
            arena_mb=ARENA_BYTES >> 20,
            worker_limit_mb=1024,
            broker_limit_mb=1024,
            recycle_after_frames=0,
            recycle_above_mb=512,
        ),
        sandbox=SandboxSettings(mode="auto"),
        control=ControlSettings(
            host="127.0.0.1", port=0, token_file="", cors_origins=[], allowed_hosts=[], rate_limit_per_minute=0
        ),
        alerts=AlertSettings(memory_percent=0, response_ms=0, error_percent=0, queue_length=0, webhook_url=""),
        presets=presets or {"thumbnail": {"outputs": [SMALLER]}},
    )


def header(request_id: str, outputs: list[dict[str, Any]] | None = None, **keys: Any) -> bytes:
    """A request's header as a producer writes it."""
    content: dict[str, Any] = {"v": 1, "id": request_id, **keys}
    if "preset" not in keys and keys.get("op", "process") == "process":
        content["outputs"] = [SMALLER] if outputs is None else outputs
    return bytes(msgpack.packb(content))


@dataclass(frozen=True)
class Told:
    """A reply as its producer gets it."""

    sender: Sender
    header: dict[str, Any]
    pictures: list[bytes]
    at_us: int

    @property
    def id(self) -> str:
        return str(self.header["id"])

    @property
    def code(self) -> str:
        """`ok`, or the error's code."""
        return "ok" if self.header["status"] == "ok" else str(self.header["error"]["code"])


@dataclass(frozen=True)
class Held:
    """A task that a worker got and has not answered."""

    worker: Worker
    task: Task
    is_suspect: bool = False
    """Whether the frame was under suspicion when it was handed over."""


class Rig:
    """The flow, its arena, its workers and its producers."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        hire: bool = True,
        arena_bytes: int = ARENA_BYTES,
        canaries: bool = False,
        heavy_us: int | None = None,
        segments: Segments | None = None,
    ) -> None:
        self.settings = settings or make_settings()
        self.now_us = START_US
        self.allocator = ExtentAllocator(arena_bytes)
        self.written: list[tuple[Extent, bytes]] = []
        self.told: list[Told] = []
        self.held: list[Held] = []
        """Oldest first."""
        overlays = {LOGO.name: LOGO}
        self.flow = Flow(
            self.settings, "0123456789abcdef", self.allocator, self._write, self._take_reply, overlays, segments
        )
        if heavy_us is not None:
            self.flow.costs.heavy_us = heavy_us
        self.last_incarnation = 0
        if not canaries:
            self.flow.canary.stop()
        if hire:
            for pool in self.settings.pipeline.pools:
                for _ in range(pool.workers):
                    self.hire(pool.name)

    def _write(self, extent: Extent, data: Payload) -> None:
        assert len(data) <= extent.bytes
        self.written.append((extent, bytes(data)))

    def _take_reply(self, sender: Sender, reply: Reply, now_us: int) -> None:
        pictures = [bytes(part) for part in reply.pictures]
        assert reply.bytes == len(reply.header) + sum(map(len, pictures))
        self.told.append(Told(sender, msgpack.unpackb(reply.header), pictures, now_us))

    def hire(self, pool: str) -> Worker:
        """Start a worker and let it say hello."""
        self.last_incarnation += 1
        number = self.last_incarnation
        self.flow.expect(number, f"{pool}-{number}", pool.split("+"))
        worker = self.flow.hello(number, b"w%d" % number, self.now_us)
        assert worker is not None
        return worker

    # ---- producers

    def submit(
        self,
        request_id: str,
        payload: bytes | None = None,
        outputs: list[dict[str, Any]] | None = None,
        *,
        sender: Sender = CAMERA,
        **keys: Any,
    ) -> None:
        """Send a frame, and give it to workers if its turn has come."""
        parts = [header(request_id, outputs, **keys), picture() if payload is None else payload]
        self.flow.receive(sender, parts, self.now_us)
        self.work()

    def cancel(self, request_id: str, *, sender: Sender = CAMERA, **keys: Any) -> None:
        """Take a frame back."""
        self.flow.receive(sender, [header(request_id, op="cancel", **keys)], self.now_us)
        self.work()

    def replies(self, request_id: str) -> list[str]:
        """How a request was answered: `ok` or an error's code, once for each reply."""
        return [told.code for told in self.told if told.id == request_id]

    # ---- workers

    def work(self) -> None:
        """What the broker's process does at the end of each turn."""
        self.flow.start_waiting(self.now_us)
        for worker, tasks in self.flow.assign(self.now_us):
            suspects = {job.lease for batch in worker.batches for job in batch.jobs if job.frame.suspect}
            self.held += [Held(worker, task, task.lease in suspects) for task in tasks]

    def answer(self, held: Held, fault: Fault | None = None) -> None:
        """Have a worker answer one of its tasks as it should, or with a fault."""
        encodes = [] if fault else [step for step in held.task.steps if isinstance(step, Encode)]
        made = [trimmed(step.geometry) if step.is_open else step.geometry for step in encodes]
        encoded = [
            Encoded(step.output, "jpeg", each.width, each.height, 80) for step, each in zip(encodes, made, strict=True)
        ]
        parts = [b"picture %d" % step.output for step in encodes]
        if held.task.is_canary:
            parts = [picture_of(step.geometry.width, step.geometry.height) for step in encodes]
        times = [] if fault else [7] * len(held.task.steps)
        told = None
        match held.task.steps[-1]:
            case Transform(is_open=True, result=result) if fault is None:
                told = trimmed(result)
        self.say(held, Answer(held.task.lease, times, encoded, fault, told), parts)

    def say(self, held: Held, answer: Answer, parts: list[bytes]) -> None:
        """Have a worker say anything about one of its tasks."""
        self.held = [other for other in self.held if other.task.lease != answer.lease]
        self.flow.answered(held.worker, answer, parts, self.now_us)
        self.work()

    def die(self, worker: Worker, *, replace: bool = True, signal: str = "SIGKILL") -> list[Frame]:
        """Prove a worker dead, and start another in its place. Returns what turned out to be poison."""
        self.held = [held for held in self.held if held.worker is not worker]
        cuts = find_cuts(worker, signal)
        poison = self.flow.gone(worker.incarnation, signal, self.now_us, cuts)
        if replace:
            self.hire(self.settings.pipeline.pools[worker.pool].name)
        self.work()
        return poison

    def finish(self) -> None:
        """Answer everything that is held until nothing is."""
        while self.held:
            self.answer(self.held[0])

    # ---- time

    def wait(self, time_us: int) -> list[Worker]:
        """Let time pass. Returns the workers that are to be killed."""
        self.now_us += time_us
        overdue = self.flow.pass_time(self.now_us)
        self.work()
        return overdue


def trimmed(bound: Geometry) -> Geometry:
    """What a worker finds left of a picture of at most this size."""
    return Geometry(-(-bound.width // 2), -(-bound.height // 3), bound.layout)


def full_rig(**pipeline: Any) -> Rig:
    """One frame in work in the hands of a worker, so that all others wait."""
    rig = Rig(make_settings(max_concurrent_jobs=1, **pipeline))
    rig.submit("working", client="work")
    return rig


def used_bytes(rig: Rig) -> int:
    """Bytes of the arena in use."""
    return rig.allocator.figures().used_bytes


def make_frame(
    number: int,
    payload: bytes = b"x",
    *,
    sender: Sender = CAMERA,
    deadline_us: int = START_US,
    request_id: str | None = None,
    **keys: Any,
) -> Frame:
    """A frame that was admitted, of a picture of 8 x 8 pixels and without outputs."""
    request = Request(v=1, id=request_id or f"f{number}", **keys)
    square = Geometry(8, 8, Layout.RGB)
    return Frame(
        number=number,
        trace=f"t-{number}",
        producer=sender.peer.id,
        sender=sender,
        key=request_key(sender, request),
        payload_digest=hash(payload),
        fingerprint=hash(payload),
        request=request,
        payload=payload,
        plan=Plan("jpeg", 0, square, square, (), (), square.pixels, (square.bytes,), square.bytes, None),
        arrived_us=START_US,
        deadline_us=deadline_us,
    )


def bad_image() -> Fault:
    """What a decoder says of a broken picture."""
    return Fault(ErrorCode.BAD_IMAGE, "cut off")
