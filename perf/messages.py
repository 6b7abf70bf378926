"""What the benchmark and its child processes say to one another: one line of JSON each, over the child's pipes."""

from typing import Literal

import msgspec


class LoadOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a producer: keep `in_flight` frames in flight, or send by the clock; `Run` is the answer."""

    path: str
    """Of the daemon's unix socket."""
    request: bytes
    """The header, in MessagePack, without `id`."""
    source_file: str
    in_flight: int
    frames_per_second: float | None = None
    """Send by the clock, whatever is answered; `in_flight` bounds what is under way in the end."""
    is_lent: bool = False
    """Lend what comes in, in shared memory of the producer's own."""
    is_sample: bool = False
    """Send one frame; `Sample` is the answer."""


class BareOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a bare process: repeat the calls for one work; `Run` is the answer."""

    request: bytes
    source_file: str
    is_sample: bool = False
    """Make them once; `Sample` is the answer."""


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a child that is warm and says so: the time in which frames count, on the monotonic clock that all share."""

    begin_ns: int
    until_ns: int


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In place of any answer: the order could not be carried out. The child waits for the next one."""

    failed: str
    """One line that says why."""


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished picture."""

    picture: bytes


class OperatorOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To the operators' child: ask so often, and listen to the feed, for `seconds`."""

    port: int
    requests_per_second: float
    subscribers: int
    seconds: float


class OperatorRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What operators saw."""

    latency_us: dict[str, list[int]]
    """By path: from the moment a request was due until its answer was read. A late start counts as latency."""
    messages: int
    """That came from the feed, over all subscribers."""
    cpu_us: int
    """Processor time of the child itself: it takes it from the same cores."""


class CrowdOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To one process of a crowd of producers: how it is to behave for `seconds`."""

    endpoint: str
    picture_file: str
    manner: Literal["modest", "idle", "flooding", "deaf"]
    """Sends at a fixed rate; only connects; sends as fast as it can; does so and never reads a reply."""
    connections: int
    frames_per_second: float
    """Of a modest one, over all its connections."""
    seconds: float


class CrowdRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one process of a crowd saw."""

    sent: int
    latency_us: list[int]
    """Of each frame that was processed; of a modest one from the moment it was due: a late start counts as latency."""
    refused_us: list[int]
    """Of each that was refused with BUSY, from before it was sent until its reply was read."""
    errors: dict[str, int]
    """Other error replies, by code."""
    unanswered: int


class ClockOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a producer that sends by the clock for `seconds`, once told to go."""

    endpoint: str
    client: str
    picture_file: str
    side: int
    """Of the square that the picture is to become."""
    frames_per_second: float
    in_flight_max: int
    """What is due while so many are not answered yet is not sent."""
    seconds: float


class ClockRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it saw."""

    latency_us: list[int]
    """Of each frame that was processed, from the moment it was due: a late start counts as latency."""
    errors: dict[str, int]
    """Error replies, by code."""
    kept_back: int
    """Frames that were due and not sent."""
    unanswered: int


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A child is ready to begin, or is told to."""

    word: Literal["ready", "go"]
