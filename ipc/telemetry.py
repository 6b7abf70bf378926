"""Telemetry: what each process tells the control plane about itself, and how it is sent.

Every counter is cumulative since the start of that incarnation, so a lost message costs nothing but time. Telemetry
leaves from the work loop, never from a thread of its own: a process that is stuck is seen to be silent. Times are of
CLOCK_MONOTONIC, which all processes of a host share. The rules of `ipc.messages` on evolution apply.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
import zmq
from msgspec import Meta

from ipc.causes import Cause
from ipc.events import EVENTS_MAX, Detail, Event
from ipc.histogram import COUNT_MAX, HistogramSnapshot
from ipc.messages import Message
from ipc.sockets import TELEMETRY_SEND_MARK, connect_telemetry

VERSION: Final = 2
TELEMETRY_BYTES_MAX: Final = 512 * 1024
"""Bound of one message: the longest there can be is a supervisor's with as many services as there may be."""
INTERVAL_S: Final = 0.25
"""A change shows within a second: this, and half a second between two messages of the feed."""
INTERVALS_QUIET: Final = 4
"""Without a change the next message comes after so many intervals: it says only that the process lives."""
SERVICES_MAX: Final = 256
PRODUCERS_MAX: Final = 16
"""Producers told by name: those with the most waiting frames."""

_Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
_Time = Annotated[float, Meta(ge=0, le=1e12)]
"""Seconds of the monotonic clock; a number that is none is refused by the bounds."""
_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Events = Annotated[list[Event], Meta(max_length=EVENTS_MAX)]


class HeapFigures(Message, frozen=True):
    """What malloc of one process holds (mallinfo(3)); memory that Python or a library maps by itself is not in it."""

    used_bytes: _Count = 0
    """Handed out."""
    kept_bytes: _Count = 0
    """Given back by the program, and kept for the next time."""


class Posture(Message, frozen=True):
    """What holds a process back, as the kernel says."""

    no_new_privileges: bool = False
    seccomp: bool = False
    landlock: Annotated[int, Meta(ge=0, le=1 << 16)] = 0
    """Version of the kernel's interface by which files and sockets are shut; 0: they are not."""
    memory_limit_bytes: _Count = 0
    """What the process may map in all; 0: no limit."""


class StageFigures(Message, frozen=True):
    """One stage of one worker."""

    completed: _Count = 0
    failed: _Count = 0
    busy_us: _Count = 0
    latency: HistogramSnapshot = HistogramSnapshot()
    """Of each finished step."""


class WorkerTelemetry(Message, frozen=True, tag="worker"):
    """A stage worker."""

    service: _Name
    incarnation: _Count
    epoch: _Name
    sequence: _Count
    at_s: _Time
    """When these figures were taken."""
    stages: Annotated[dict[_Name, StageFigures], Meta(max_length=16)]
    tasks: _Count = 0
    busy: bool = False
    """Tasks are in its hands. The broker's `WorkerLoad` is the better witness: a worker cannot speak while it works."""
    heap: HeapFigures = HeapFigures()
    posture: Posture = Posture()
    telemetry_version: Literal[2] = VERSION


class FrameFigures(Message, frozen=True):
    """The broker's account of frames.

    received = completed + failed + rejected + cancelled + in_flight + queued, in every message.
    """

    received: _Count = 0
    completed: _Count = 0
    failed: _Count = 0
    """Admitted, and answered with an error."""
    rejected: _Count = 0
    """Refused at the door."""
    cancelled: _Count = 0
    in_flight: _Count = 0
    queued: _Count = 0
    queued_bytes: _Count = 0
    retried: _Count = 0
    replies_dropped: _Count = 0
    """Replies whose producer had gone or did not read."""
    stale_answers: _Count = 0
    """Workers' answers under a lease that was no longer current."""
    malformed: _Count = 0
    """Messages that were no request at all; not counted as received."""
    payload_bytes: _Count = 0
    """Of all payloads that came with a request."""
    reply_bytes: _Count = 0
    """Of all pictures that went out with a reply."""
    backlog_bytes: _Count = 0
    """Of replies that wait for producers who do not read; those that ZeroMQ has taken are not in it."""


class ArenaFigures(Message, frozen=True):
    """The shared memory, as its allocator knows it."""

    total_bytes: _Count = 0
    used_bytes: _Count = 0
    high_water_bytes: _Count = 0
    largest_free_bytes: _Count = 0


class ProducerFigures(Message, frozen=True):
    """Waiting frames of one producer."""

    producer: _Name
    """Its `client`, or its connection in hexadecimal where it gave none."""
    frames: _Count
    bytes: _Count


class OwnerFigures(Message, frozen=True):
    """Who holds how much of the arena."""

    owner: _Name
    """A worker; `waiting` for frames in work that no worker has at the moment."""
    bytes: _Count
    frames: _Count
    abandoned: _Count = 0
    """Of these frames: answered already, held until their worker answers or dies."""


class CanaryFigures(Message, frozen=True):
    """The pictures that the broker sends through all stages to see that they work. They count nowhere else."""

    passed: _Count = 0
    failed: _Count = 0
    passed_at_s: _Time | None = None
    """When the last one came back right."""
    took_us: _Count = 0
    """By the last that came back right."""
    waits_for: Annotated[str, Meta(max_length=64)] = ""
    """Pool that the present one is in or waits for; empty if none is under way."""
    sent_at_s: _Time | None = None
    """When the present one was sent; None if none is under way."""
    fault: Detail = ""
    """Why the last one failed; empty if it passed."""


class FusionFigures(Message, frozen=True):
    """Which frames pass all stages in one worker, and what that goes by."""

    hand_over_us: _Count = 0
    """What a hand-over from worker to worker costs, as canaries measure it."""
    spread_us_min: _Count = 0
    """Frames of several outputs and so much work are spread over workers that are idle."""
    whole: _Count = 0
    """Frames that were started to be done by one worker."""
    by_stages: _Count = 0
    """And by several."""


class LaneFigures(Message, frozen=True):
    """Heavy frames, and what is done for light ones."""

    heavy_us: _Count = 0
    """From so much work on a frame is heavy."""
    waiting: _Count = 0
    working: _Count = 0
    kept_bytes: _Count = 0
    """Of the arena, kept free for the next heavy frame."""
    is_shared: bool = False
    """Light frames are about: heavy ones have no more than their share."""


class WorkerLoad(Message, frozen=True):
    """What the broker has given one worker to do."""

    held: _Count


class BrokerTelemetry(Message, frozen=True, tag="broker"):
    """The broker."""

    service: _Name
    incarnation: _Count
    epoch: _Name
    sequence: _Count
    at_s: _Time
    """When these figures were taken."""
    frames: FrameFigures
    errors: Annotated[dict[_Name, _Count], Meta(max_length=64)]
    """Error replies by code, of whatever cause."""
    latency: HistogramSnapshot
    """From receipt to reply, of completed frames."""
    queue_latency: HistogramSnapshot
    """From receipt to dispatch."""
    arena: ArenaFigures
    workers: Annotated[dict[_Name, WorkerLoad], Meta(max_length=SERVICES_MAX)] = msgspec.field(default_factory=dict)
    """By name of the service; workers that have said hello."""
    is_draining: bool = False
    queued_by_priority: Annotated[list[_Count], Meta(max_length=16)] = msgspec.field(default_factory=list)
    """Waiting frames; the index is the priority."""
    producers: Annotated[list[ProducerFigures], Meta(max_length=PRODUCERS_MAX)] = msgspec.field(default_factory=list)
    """Those with the most waiting frames, most first."""
    owners: Annotated[list[OwnerFigures], Meta(max_length=SERVICES_MAX + 1)] = msgspec.field(default_factory=list)
    """Of the arena, largest first; their bytes add up to what is in use."""
    canary: CanaryFigures = CanaryFigures()
    remembered_bytes: _Count = 0
    """Of replies that are kept in case they are asked for again."""
    events: _Events = msgspec.field(default_factory=list)
    heap: HeapFigures = HeapFigures()
    telemetry_version: Literal[2] = VERSION
    fusion: FusionFigures = FusionFigures()
    lanes: LaneFigures = LaneFigures()


class LastExit(Message, frozen=True):
    """How the previous process of a service ended."""

    code: int | None
    signal: Annotated[str, Meta(max_length=32)] | None
    """Name, as `SIGKILL`."""
    reason: Detail
    at: Annotated[str, Meta(max_length=40)]
    """Wall clock, ISO 8601, for display only."""
    cause: Cause = Cause.EXIT


class ServiceFigures(Message, frozen=True):
    """One service, as its supervisor knows it."""

    name: _Name
    kind: _Name
    """Name of the pool for a worker, else `supervisor`, `broker` or `control`."""
    state: _Name
    """`spawning`, `ready`, `draining`, `stopped`, `backoff` or `failed`."""
    pid: int | None
    started_at_s: _Time | None
    """When the present process was started."""
    restarts: _Count = 0
    last_exit: LastExit | None = None
    incarnation: _Count = 0
    """Of the present process; 0 if there is none or it has no number."""
    restarts_by_cause: Annotated[dict[Cause, _Count], Meta(max_length=16)] = msgspec.field(default_factory=dict)
    deaths_lately: _Count = 0
    """Of all services of its kind, within `supervisor.restart_window_s`."""


class SupervisorTelemetry(Message, frozen=True, tag="supervisor"):
    """The supervisor, and the state of all it supervises."""

    incarnation: _Count
    epoch: _Name
    sequence: _Count
    at_s: _Time
    """When these figures were taken."""
    version: _Name
    """Release of the program."""
    started_at_s: _Time
    services: Annotated[list[ServiceFigures], Meta(max_length=SERVICES_MAX)]
    events: _Events = msgspec.field(default_factory=list)
    heap: HeapFigures = HeapFigures()
    telemetry_version: Literal[2] = VERSION


Telemetry = WorkerTelemetry | BrokerTelemetry | SupervisorTelemetry

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Telemetry] = msgspec.msgpack.Decoder(Telemetry)


def decode_telemetry(data: bytes) -> Telemetry:
    """Read one message. Raises msgspec.MsgspecError if it is none, or one of another version."""
    return _decoder.decode(data)


class TelemetryPacer:
    """Makes telemetry when it is due and hands it on; `send` raises zmq.Again where there is no room: it is lost then.

    Due an interval after the one before where something changed since, else `INTERVALS_QUIET`. Not for use from two
    threads.
    """

    def __init__(self, send: Callable[[bytes], None], interval_s: float = INTERVAL_S) -> None:
        self._send = send
        self._interval_s = interval_s
        self._offered_at_s = float("-inf")
        self._due_at_s = float("-inf")
        self._sequence = 0
        self.lost_count = 0

    def due_in_ms(self, now_s: float) -> int:
        """How long a poll may wait before `offer` is to be called; rounded up, so that it is due by then."""
        if now_s >= self._due_at_s:
            return 0
        return int((self._due_at_s - now_s) * 1000) + 1

    def stir(self) -> None:
        """Note that the figures change: the next message is due an interval after the one before."""
        self._due_at_s = min(self._due_at_s, self._offered_at_s + self._interval_s)

    def hurry(self) -> None:
        """Make the next message due now: something changed that operators want to see at once."""
        self._due_at_s = float("-inf")

    def offer(self, make: Callable[[int], Telemetry], now_s: float) -> bool:
        """Make and send a message if one is due; `make` gets its sequence number. True if it is on its way."""
        if now_s < self._due_at_s:
            return False
        self._offered_at_s = now_s
        self._due_at_s = now_s + self._interval_s * INTERVALS_QUIET
        self._sequence += 1
        try:
            self._send(_encode(make(self._sequence)))
        except zmq.Again:
            self.lost_count += 1
            # It may have had something to tell.
            self.stir()
            return False
        return True


class TelemetrySender(TelemetryPacer):
    """Sends telemetry over a socket of its own and never blocks: with a collector that is absent or full, it is lost.

    `mark` messages may wait. `close` discards what was not sent.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        interval_s: float = INTERVAL_S,
        mark: int = TELEMETRY_SEND_MARK,
    ) -> None:
        super().__init__(self.forward, interval_s)
        self._socket = connect_telemetry(context, endpoint, mark)

    def forward(self, data: bytes) -> None:
        """Send what another process has told. Raises zmq.Again where there is no room."""
        self._socket.send(data, zmq.DONTWAIT)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
