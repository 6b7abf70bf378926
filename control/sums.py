"""Sums over the lives of services, as values, and how they add up. Pure."""

from collections.abc import Iterable

import msgspec

from ipc.errors import ErrorCode
from ipc.histogram import COUNT_MAX, HistogramSnapshot, merge
from ipc.messages import Message
from ipc.telemetry import BrokerTelemetry, FrameFigures, StageFigures, WorkerTelemetry


class PipelineSums(Message, frozen=True):
    """Of lives of the broker."""

    frames: FrameFigures = FrameFigures()
    errors: dict[ErrorCode, int] = msgspec.field(default_factory=dict)
    latency: HistogramSnapshot = HistogramSnapshot()
    queue_latency: HistogramSnapshot = HistogramSnapshot()
    lost: int = 0
    """Frames that a broker held when it died."""


class BrokerRecord(Message, frozen=True):
    """All that is known of the broker."""

    settled: PipelineSums = PipelineSums()
    settled_incarnation: int = -1
    lives: list[BrokerTelemetry] = msgspec.field(default_factory=list)
    """The newest message of each life that is not settled."""


class WorkerRecord(Message, frozen=True):
    """All that is known of one worker."""

    service: str
    settled: dict[str, StageFigures]
    settled_incarnation: int
    lives: list[WorkerTelemetry]


def sums_of(message: BrokerTelemetry, *, is_over: bool) -> PipelineSums:
    """The sums of one life; of one that is over, what it held counts as failed, and as lost."""
    frames, lost = message.frames, 0
    if is_over:
        lost = frames.in_flight + frames.queued
        failed = frames.failed + lost
        frames = msgspec.structs.replace(frames, failed=failed, in_flight=0, queued=0, queued_bytes=0, backlog_bytes=0)
    errors = {code: message.errors[code] for code in ErrorCode if code in message.errors}
    return PipelineSums(frames, errors, message.latency, message.queue_latency, lost)


def add_pipelines(parts: Iterable[PipelineSums]) -> PipelineSums:
    """Add up, field by field."""
    parts = list(parts)
    errors = {code: _total(part.errors.get(code, 0) for part in parts) for code in ErrorCode}
    return PipelineSums(
        add_frames(part.frames for part in parts),
        {code: count for code, count in errors.items() if count},
        merge(part.latency for part in parts),
        merge(part.queue_latency for part in parts),
        _total(part.lost for part in parts),
    )


def add_frames(figures: Iterable[FrameFigures]) -> FrameFigures:
    """Sum of accounts, field by field."""
    return FrameFigures(*map(_total, zip(*map(msgspec.structs.astuple, figures), strict=True)))


def add_stages(figures: Iterable[StageFigures]) -> StageFigures:
    """Sum of stages' figures, field by field."""
    figures = list(figures)
    return StageFigures(
        _total(figure.completed for figure in figures),
        _total(figure.failed for figure in figures),
        _total(figure.busy_us for figure in figures),
        merge(figure.latency for figure in figures),
    )


def _total(counts: Iterable[int]) -> int:
    """Add up. Only who lies gets to the bound: his sum must still be one that can be told."""
    return min(sum(counts), COUNT_MAX)
