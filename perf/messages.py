"""What the benchmark and its child processes say to one another: one line of JSON each, over the child's pipes."""

from typing import Literal

import msgspec


class LoadOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To the producer: keep `in_flight` frames in flight for `seconds`."""

    endpoint: str
    picture_file: str
    in_flight: int
    seconds: float


class IdealOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a bare process: make the calls for `picture_file` for `seconds`, once told to go."""

    picture_file: str
    seconds: float


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


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A child is ready to begin, or is told to."""

    word: Literal["ready", "go"]


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen of one contender, at one size, in one round."""

    frames: int
    frames_per_second: float
    latency_us: list[int]
    """Of each frame, from before it was sent until its reply was read; of bare calls, their time."""
    inside_us: list[int]
    """Of each frame, `timing_us.total` of its reply; empty of bare calls."""
    picture_sha256: str
    """Of a finished picture: contenders that did the same work made the same picture."""
