"""Every message between our own processes, declared once, decoded and checked at the border.

Two kinds of road carry them. *Frames' road*: broker and workers, over ZeroMQ; `Batch` out, `Report` back, with the
encoded pictures as further parts of the same multipart message. *Supervisor's road*: a SOCK_SEQPACKET pair from the
supervisor to each child (`ipc.channel`).

Evolution: a field is only ever added at the end and with a default; a type is never changed, a tag never used again.
`VERSION` goes up with any other change. Both ends are always of one installation: a difference is a fault, not a case.
"""

from typing import Annotated, Final, Literal

import msgspec

from ipc.causes import Cause
from ipc.errors import ErrorCode
from ipc.pixels import Geometry
from ipc.settings import Settings

VERSION: Final = 1


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A value that travels. Array-like: the fields' order is the format."""


# -------------------- frames' road --------------------


class Extent(Message, frozen=True):
    """A piece of the arena, or of a segment that a producer lends."""

    offset: int
    bytes: int
    segment: int = 0
    """Number of the segment, as `SegmentLent` tells it; 0: the arena."""
    is_copied: bool = False
    """Of a segment: not to be mapped, but read; its producer is not trusted, or parts of it were never written."""


FormatIn = Literal["jpeg", "png", "webp", "avif", "gif"]
"""Formats of encoded pictures that are taken."""


class Decode(Message, frozen=True, tag="decode"):
    """Decode the compressed bytes in `source` into exactly `target`, as pixels of `geometry`."""

    source: Extent
    target: Extent
    format: FormatIn
    geometry: Geometry
    """What the pixels will be: told by the plan, and held against what the decoder gives."""
    page: int = 0
    """Which of several frames, from 0."""


class Overlay(Message, frozen=True):
    """A picture of the configuration that is laid on others. Its file lies in the arena as long as the frame does."""

    name: str
    source: Extent
    format: FormatIn
    geometry: Geometry
    digest: int
    """Of the file: a worker that has decoded it keeps it under this number."""


class Transform(Message, frozen=True, tag="transform"):
    """Apply `operations` to the pixels in `source`, writing the result of geometry `result` into `target`."""

    source: Extent
    target: Extent
    geometry: Geometry
    """The pixels that lie in `source`, possibly already scaled by the decoder."""
    nominal: Geometry
    """The picture as its producer thinks of it: operations' parameters count in these pixels."""
    operations: bytes
    """MessagePack of a list of `stages.operations` declarations, already checked by the broker."""
    result: Geometry
    """What will lie in `target`; at most, if `is_open`."""
    overlays: list[Overlay] = msgspec.field(default_factory=list)
    """Those that `operations` name."""
    is_open: bool = False
    """Whether the size of the result can be told from the pixels only; `Answer.made` tells it."""


class Original(Message, frozen=True):
    """The frame as it came, for an output that keeps some of its metadata."""

    source: Extent
    format: FormatIn
    orientation: int
    """EXIF orientation that is still to be told: 1 if the picture was turned upright."""


class Encode(Message, frozen=True, tag="encode"):
    """Encode the pixels in `source`; the bytes travel as a part of the report."""

    source: Extent
    geometry: Geometry
    output: int
    """Index of the request's output that this is."""
    options: bytes
    """MessagePack of one `stages.encodings.Encoding`, already checked by the broker."""
    original: Original | None = None
    """Where metadata are kept."""
    is_open: bool = False
    """Whether `geometry` is only a bound, because the transform before it, in the same task, is open."""


Step = Decode | Transform | Encode


class Task(Message, frozen=True):
    """What one worker is to do to one frame: its steps, in order, without interruption."""

    lease: int
    """Names this hand-over. An answer that carries any other number than the current one is ignored."""
    trace: str
    steps: list[Step]
    is_canary: bool = False
    """Whether it only shows that the stages work: it is not counted."""


class Batch(Message, frozen=True, tag="batch"):
    """Broker to worker: tasks to be done in order."""

    tasks: list[Task]
    version: int = VERSION


class Encoded(Message, frozen=True):
    """One finished picture; its bytes are the next part of the multipart message."""

    output: int
    format: str
    width: int
    height: int
    quality: int | None
    layout: str | None = None
    """Of raw pixels: the order of their channels."""


class Fault(Message, frozen=True):
    """Why a task could not be finished."""

    code: ErrorCode
    message: str


Microseconds = Annotated[int, msgspec.Meta(ge=0, le=1 << 48)]
"""Bounded, so that a sum of them can always be written."""


class Answer(Message, frozen=True):
    """What became of one task."""

    lease: int
    step_us: list[Microseconds]
    """Time taken by each step that was finished, in the task's order."""
    encoded: list[Encoded]
    fault: Fault | None = None
    made: Geometry | None = None
    """Of the last step, if it was an open transform: what lies in its target."""
    processor_us: Microseconds = 0
    """Processor time since the answer before it. Steps take longer where they have to wait for a processor."""


class Report(Message, frozen=True, tag="report"):
    """Worker to broker: one answer a task, in the order they were finished."""

    answers: list[Answer]
    version: int = VERSION


class Hello(Message, frozen=True, tag="hello"):
    """Worker to broker, first of all: ready for work. `incarnation` proves that the supervisor started it."""

    incarnation: int
    stages: list[str]
    version: int = VERSION


class Relay(Message, frozen=True, tag="relay"):
    """Worker to broker: its telemetry, to be passed on. It has one connection, and can make no other later."""

    telemetry: bytes


ToBroker = Report | Hello | Relay

# -------------------- lent segments: a socket of its own, as only such a one carries descriptors --------------------


class Borrower(Message, frozen=True, tag="borrower"):
    """Worker to broker, first and last of all: whose this connection is."""

    incarnation: int


class SegmentLent(Message, frozen=True, tag="lent"):
    """Broker to worker, with the segment's descriptor, before the first batch that names it."""

    number: int
    """Among all that this broker ever opened; never used twice."""


class SegmentGone(Message, frozen=True, tag="returned"):
    """Broker to worker: nothing names this segment any more; unmap it."""

    number: int


ToBorrower = SegmentLent | SegmentGone

# -------------------- supervisor's road --------------------


class Start(Message, frozen=True, tag="start"):
    """Supervisor to child, first of all: who you are and all you need."""

    service: str
    """Name of this service, as `decode-0`."""
    incarnation: int
    """Number of this process among all that the supervisor ever started; never used twice."""
    stages: list[str]
    """Of a worker: the stages it runs, neighbours in the order of the pipeline."""
    epoch: str
    """Name of this life of the broker and its arena, in hexadecimal."""
    settings: Settings
    parent_pid: int
    arena_fd: int = -1
    arena_bytes: int = 0
    work_endpoint: str = ""
    telemetry_endpoint: str = ""
    listen_fd: int = -1
    """Of the control plane: the listening socket, bound before anything was started."""
    json_logs: bool = False
    archive_fd: int = -1
    """Of the control plane: the file in which it keeps what must outlive its process."""


class Ready(Message, frozen=True, tag="ready"):
    """Child to supervisor: started, serving. `detail` is for the log."""

    detail: str = ""


class Unable(Message, frozen=True, tag="unable"):
    """Child to supervisor: cannot start, and trying again will not help. `exit_status` is the daemon's."""

    reason: str
    exit_status: int


class WorkerGone(Message, frozen=True, tag="gone"):
    """Supervisor to broker: this incarnation has been waited for, its extents and leases are free: proof of death."""

    incarnation: int
    reason: str
    signal: str = ""
    """Name of the signal that ended it, as SIGBUS; empty where none did."""


class WorkerExpected(Message, frozen=True, tag="expected"):
    """Supervisor to broker: a worker with this incarnation was started and will say `Hello`."""

    incarnation: int
    service: str
    stages: list[str]


class Beat(Message, frozen=True, tag="beat"):
    """Broker or control plane to supervisor, every `beat_interval_ms`, from its work loop: it turns."""


class Worn(Message, frozen=True, tag="worn"):
    """Worker to supervisor: has done enough, or holds too much; to be replaced when there is a successor."""

    reason: Annotated[str, msgspec.Meta(max_length=200)]


class Retire(Message, frozen=True, tag="retire"):
    """Supervisor to broker: this worker has a successor; give it nothing more, and say when it holds nothing."""

    incarnation: int


class Retired(Message, frozen=True, tag="retired"):
    """Broker to supervisor: this worker holds nothing and gets nothing any more."""

    incarnation: int


class PoolFailed(Message, frozen=True, tag="pool_failed"):
    """Supervisor to broker: no worker of this pool is left, and none is started any more."""

    pool: str
    """Name, as `PoolSettings.name` says."""


class Poisoned(Message, frozen=True, tag="poisoned"):
    """Broker to supervisor: these workers died of one frame, which is refused from now on. Not their pool's fault."""

    incarnations: list[int]


class Reconfigure(Message, frozen=True, tag="reconfigure"):
    """Supervisor to broker and control plane: the configuration was read again; take over what can be changed."""

    settings: Settings


class Kill(Message, frozen=True, tag="kill"):
    """Broker to supervisor: this worker overran its time limit or broke the protocol; end it and prove it."""

    incarnation: int
    reason: str
    cause: Cause


class Drain(Message, frozen=True, tag="drain"):
    """Supervisor to broker: take nothing new, answer what was accepted, within `within_ms`."""

    within_ms: int


class Drained(Message, frozen=True, tag="drained"):
    """Broker to supervisor: every accepted frame has been answered. `unanswered` were given up at the deadline."""

    unanswered: int


class Stop(Message, frozen=True, tag="stop"):
    """Supervisor to child: end now, in order, with status 0."""


SITES_MAX: Final = 40
"""Allocation sites in one answer: the largest."""


class Examine(Message, frozen=True, tag="examine"):
    """Control plane to supervisor to a service, for an operator: do something about your memory, and tell."""

    number: int
    """Of the question, chosen by the control plane; the answer carries it."""
    service: str
    action: Literal["trim", "collect", "snapshot"]
    seconds: float = 10.0
    """Of a snapshot: how long allocations are traced."""


class AllocationSite(Message, frozen=True):
    """Memory that was allocated at one line while a snapshot was traced, and is still in use."""

    where: Annotated[str, msgspec.Meta(max_length=200)]
    """As `stages/encode.py:57`."""
    bytes: int
    blocks: int


class Examined(Message, frozen=True, tag="examined"):
    """A service to supervisor to control plane: what came of an examination."""

    number: int
    service: str
    fault: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Why nothing could be done; empty if something was."""
    took_ms: int = 0
    """How long the process did nothing else."""
    rss_before_bytes: int = 0
    rss_after_bytes: int = 0
    collected: int = 0
    """Of a collection: objects that were found in cycles and are gone."""
    sites: Annotated[list[AllocationSite], msgspec.Meta(max_length=SITES_MAX)] = msgspec.field(default_factory=list)
    """Of a snapshot: largest first. What Python allocates is seen, numpy's arrays too; what a C library does is not."""


ToChild = Start | WorkerGone | WorkerExpected | PoolFailed | Retire | Reconfigure | Drain | Stop | Examine | Examined
FromChild = Ready | Unable | Beat | Worn | Retired | Poisoned | Kill | Drained | Examine | Examined
