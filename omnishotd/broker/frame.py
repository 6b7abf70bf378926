"""One frame as the broker knows it: from whom, what is to be done, how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from ipc.messages import Encoded, Extent
from ipc.pixels import Geometry
from ipc.wire import Request
from omnishotd.broker.peer import Peer
from omnishotd.broker.plan import Plan
from omnishotd.broker.segments import Loan

Payload = bytes | memoryview
"""A payload as it came in: small ones as bytes, large ones as a view of ZeroMQ's own message, which is never copied."""


class FrameState(Enum):
    """Where a frame is in its life."""

    WAITING = auto()
    """In the queue; holds its compressed bytes and nothing of the arena."""
    WORKING = auto()
    """Holds extents; some worker has it, or will have it in a moment."""
    RECALLED = auto()
    """One of its workers died: when no other has it any more, and there is room, it is made again from its payload."""
    ABANDONED = auto()
    """Answered already, but a worker still has it: its extents stay until that worker answers or is proved dead."""
    FINISHED = auto()
    """Answered; holds nothing."""


class FrameEvent(Enum):
    """What can happen to a frame."""

    START = auto()
    RECALL = auto()
    ABANDON = auto()
    FINISH = auto()


TRANSITIONS: Final[Mapping[tuple[FrameState, FrameEvent], FrameState]] = {
    (FrameState.WAITING, FrameEvent.START): FrameState.WORKING,
    (FrameState.WAITING, FrameEvent.FINISH): FrameState.FINISHED,
    (FrameState.WORKING, FrameEvent.RECALL): FrameState.RECALLED,
    (FrameState.WORKING, FrameEvent.ABANDON): FrameState.ABANDONED,
    (FrameState.WORKING, FrameEvent.FINISH): FrameState.FINISHED,
    (FrameState.RECALLED, FrameEvent.START): FrameState.WORKING,
    (FrameState.RECALLED, FrameEvent.ABANDON): FrameState.ABANDONED,
    (FrameState.RECALLED, FrameEvent.FINISH): FrameState.FINISHED,
    (FrameState.ABANDONED, FrameEvent.FINISH): FrameState.FINISHED,
}


IN_WORK: Final = frozenset({FrameState.WORKING, FrameState.RECALLED})
"""Taken from the queue, and not answered yet."""


class InvariantError(AssertionError):
    """A bug in omnishotd. Please report it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message, and the connection to answer to."""

    identity: bytes
    """The connection, by its routing id: a producer may choose it, so it says nothing of him."""
    has_delimiter: bool
    """Whether the message came with a REQ's empty delimiter, which the reply must carry too."""
    peer: Peer


class RequestKey(NamedTuple):
    """Scope and name of a request: what makes two requests one. A tuple, because it is hashed ten times a frame."""

    scope: str | bytes
    """As `Peer.scope` says."""
    request_id: str


@dataclass(slots=True)
class StageTimes:
    """Microseconds, summed over outputs."""

    queue: int = 0
    decode: int = 0
    transform: int = 0
    encode: int = 0


@dataclass(slots=True, eq=False)
class Frame:
    """A frame that was admitted. Owned by the broker's loop; there is one object a frame, compared by identity."""

    number: int
    """Counts up in order of arrival."""
    trace: str
    producer: bytes
    """The `Peer.id` of who submitted it: whose turn it uses."""
    sender: Sender
    """The connection to answer to; another one where the request was sent again from there."""
    key: RequestKey
    payload_digest: int
    fingerprint: int
    """Of all that makes two requests the same."""
    request: Request
    payload: Payload
    plan: Plan
    arrived_us: int
    deadline_us: int
    loan: Loan | None = None
    """Where raw pixels lie that are lent; `payload` is empty then. Held until the frame is over."""
    cost_us: int = 0
    """How long it will keep workers, as far as that can be told."""
    is_heavy: bool = False
    """Whether it keeps workers so long that light ones are not to wait for it."""
    state: FrameState = FrameState.WAITING
    killed: tuple[int, ...] = ()
    """Incarnations of the workers that died with this frame in their hands."""
    suspect: bool = False
    """Whether it may have killed a worker: from then on it travels alone, so that the next death leaves no doubt."""
    leases_out: int = 0
    room_bytes: int = 0
    """Of a heavy frame in work: what it took of the arena."""
    is_whole: bool = False
    """Of a frame in work: whether one worker does all of it."""
    block: Extent | None = None
    """Of one that is whole, with nothing lent: the extent of which all others are parts."""
    source: Extent | None = None
    """Compressed bytes in the arena: until they are decoded, or to the end where an output keeps metadata."""
    pixels: Extent | None = None
    """Decoded (or raw) pixels, read by every output."""
    results: list[Extent | None] = field(default_factory=list)
    """By output: transformed pixels."""
    made: list[Geometry | None] = field(default_factory=list)
    """By output: what lies among its transformed pixels, where only a worker could tell."""
    overlays: list[Extent] = field(default_factory=list)
    """Files of the plan's overlays, in its order."""
    pixels_readers: int = 0
    """Outputs that have not read `pixels` yet."""
    outputs_open: int = 0
    """Outputs that are not encoded yet."""
    encoded: list[Encoded | None] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    """By output: the encoded bytes, as the ZeroMQ frame in which they came."""
    times: StageTimes = field(default_factory=StageTimes)
    is_canary: bool = False
    """Whether it is the broker's own and shows only that the stages work: no producer, not queued, not counted."""

    @property
    def is_mapped(self) -> bool:
        """Whether workers map the segment in which its pixels are lent."""
        return self.pixels is not None and self.pixels.segment > 0 and not self.pixels.is_copied

    @property
    def deaths(self) -> int:
        """How many workers died with this frame in their hands."""
        return len(self.killed)

    @property
    def attempts(self) -> int:
        """How often this frame was started."""
        return self.deaths + 1

    def advance(self, event: FrameEvent) -> None:
        """Change the state. The only place that does. Raises `InvariantError` for an edge that is not in the table."""
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            raise InvariantError(f"frame {self.trace}: {event.name} in state {self.state.name}")
        self.state = target
