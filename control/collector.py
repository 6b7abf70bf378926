"""The control plane's knowledge: what was told by whom, and its sums over all incarnations.

Pure: takes messages and the time, gives frozen values.

Sums only grow, whatever dies and in whatever order messages arrive. Frames that a broker held when it died can never be
answered: once its life is settled (`control.lives`) they are counted as failed, and apart as *lost*, so that
received = completed + failed + rejected + cancelled + in_flight + queued holds at every moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

import msgspec

from control.lives import Lives
from control.presence import FRESH_S, Presence
from control.window import Window
from ipc.errors import ErrorCode
from ipc.histogram import HistogramSnapshot, merge
from ipc.telemetry import (
    SERVICES_MAX,
    BrokerTelemetry,
    FrameFigures,
    StageFigures,
    SupervisorTelemetry,
    Telemetry,
    WorkerTelemetry,
)


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """The broker's sums over all its lives, and rates of the last 10 s."""

    frames: FrameFigures
    """`failed` contains what was lost."""
    lost: int
    errors: dict[ErrorCode, int]
    latency: HistogramSnapshot
    queue_latency: HistogramSnapshot
    throughput_fps: float
    """Frames completed, a second."""
    error_rate: float
    """Share of failed frames among those that were admitted and came to an end, 0 to 1; 0 where none did."""


class Collector:
    """Takes telemetry, gives sums."""

    def __init__(self, stages: Iterable[str]) -> None:
        self._stages = tuple(stages)
        self._supervisor: Lives[SupervisorTelemetry] = Lives()
        self._broker = _BrokerAccount()
        self._workers: dict[str, _WorkerAccount] = {}
        self.ignored_count = 0
        """Messages that came too late to tell anything, or from more services than there can be."""

    def take(self, message: Telemetry, now_s: float) -> None:
        """Take one message."""
        match message:
            case WorkerTelemetry():
                is_new = self._take_worker(message, now_s)
            case BrokerTelemetry():
                is_new = self._broker.take(message, now_s)
            case SupervisorTelemetry():
                is_new = self._supervisor.take(message, now_s)
                self._supervisor.settle(now_s)
            case _:
                assert_never(message)
        self.ignored_count += not is_new

    def _take_worker(self, message: WorkerTelemetry, now_s: float) -> bool:
        account = self._workers.get(message.service)
        if account is None:
            if len(self._workers) >= SERVICES_MAX:
                return False
            account = self._workers[message.service] = _WorkerAccount(self._stages)
        return account.take(message, now_s)

    def presence(self, now_s: float) -> Presence:
        """Who was heard last."""
        workers = {name: heard for name, account in self._workers.items() if (heard := account.lives.newest)}
        return Presence(now_s, self._supervisor.newest, self._broker.lives.newest, workers)

    def pipeline(self, now_s: float) -> PipelineFigures:
        """Sums and rates of all frames."""
        return self._broker.figures(now_s)

    def stage(self, name: str, now_s: float) -> StageFigures:
        """Sum of one stage over all workers and all their lives."""
        figures = []
        for account in self._workers.values():
            account.settle(now_s)
            figures.append(account.total(name))
        return add_stages(figures)

    def utilization(self, service: str, stage: str, now_s: float) -> float:
        """Share of the last 10 s, 0 to 1, that a worker spent in a stage."""
        account = self._workers.get(service)
        return account.utilization(stage, now_s) if account else 0.0


class _BrokerAccount:
    """The lives of the broker."""

    def __init__(self) -> None:
        self.lives: Lives[BrokerTelemetry] = Lives()
        self._settled_frames = FrameFigures()
        self._settled_errors: dict[ErrorCode, int] = {}
        self._settled_latency = HistogramSnapshot()
        self._settled_queue_latency = HistogramSnapshot()
        self._lost = 0
        self._window: Window[FrameFigures] = Window()

    def take(self, message: BrokerTelemetry, now_s: float) -> bool:
        is_new = self.lives.take(message, now_s)
        if is_new:
            self._settle(now_s)
            self._window.add(min(message.at_s, now_s), self._frames())
        return is_new

    def figures(self, now_s: float) -> PipelineFigures:
        self._settle(now_s)
        frames = self._frames()
        throughput_fps, error_rate = 0.0, 0.0
        span = self._window.span(now_s)
        if span is not None:
            is_silent = now_s - span.newest.at_s > FRESH_S
            elapsed_s = (now_s if is_silent else span.newest.at_s) - span.oldest.at_s
            completed = span.newest.value.completed - span.oldest.value.completed
            failed = span.newest.value.failed - span.oldest.value.failed
            throughput_fps = completed / elapsed_s
            error_rate = failed / max(completed + failed, 1)
        messages = self.lives.messages
        return PipelineFigures(
            frames,
            self._lost,
            _add_errors([self._settled_errors, *(message.errors for message in messages)]),
            merge([self._settled_latency, *(message.latency for message in messages)]),
            merge([self._settled_queue_latency, *(message.queue_latency for message in messages)]),
            throughput_fps,
            error_rate,
        )

    def _frames(self) -> FrameFigures:
        return add_frames([self._settled_frames, *(message.frames for message in self.lives.messages)])

    def _settle(self, now_s: float) -> None:
        for message in self.lives.settle(now_s):
            frames = message.frames
            lost = frames.in_flight + frames.queued
            ended = msgspec.structs.replace(frames, failed=frames.failed + lost, in_flight=0, queued=0, queued_bytes=0)
            self._lost += lost
            self._settled_frames = add_frames([self._settled_frames, ended])
            self._settled_errors = _add_errors([self._settled_errors, message.errors])
            self._settled_latency = merge([self._settled_latency, message.latency])
            self._settled_queue_latency = merge([self._settled_queue_latency, message.queue_latency])


class _WorkerAccount:
    """The lives of one worker service."""

    def __init__(self, stages: tuple[str, ...]) -> None:
        self.lives: Lives[WorkerTelemetry] = Lives()
        self._settled = {stage: StageFigures() for stage in stages}
        self._busy_us: dict[str, Window[int]] = {stage: Window() for stage in stages}

    def take(self, message: WorkerTelemetry, now_s: float) -> bool:
        is_new = self.lives.take(message, now_s)
        if is_new:
            self.settle(now_s)
            for stage, window in self._busy_us.items():
                told = (life.stages[stage].busy_us for life in self.lives.messages if stage in life.stages)
                window.add(min(message.at_s, now_s), self._settled[stage].busy_us + sum(told))
        return is_new

    def total(self, stage: str) -> StageFigures:
        told = (life.stages[stage] for life in self.lives.messages if stage in life.stages)
        return add_stages([self._settled[stage], *told])

    def utilization(self, stage: str, now_s: float) -> float:
        span = self._busy_us[stage].span(now_s)
        if span is None:
            return 0.0
        # A worker is silent while it works, so the newest sample ends the interval, not the present.
        elapsed_us = (span.newest.at_s - span.oldest.at_s) * 1e6
        return min((span.newest.value - span.oldest.value) / elapsed_us, 1.0)

    def settle(self, now_s: float) -> None:
        for message in self.lives.settle(now_s):
            for stage, settled in self._settled.items():
                if stage in message.stages:
                    self._settled[stage] = add_stages([settled, message.stages[stage]])


def add_frames(figures: Iterable[FrameFigures]) -> FrameFigures:
    """Sum of accounts, field by field."""
    return FrameFigures(*map(sum, zip(*map(msgspec.structs.astuple, figures), strict=True)))


def add_stages(figures: Iterable[StageFigures]) -> StageFigures:
    """Sum of stages' figures, field by field."""
    figures = list(figures)
    return StageFigures(
        sum(figure.completed for figure in figures),
        sum(figure.failed for figure in figures),
        sum(figure.busy_us for figure in figures),
        merge(figure.latency for figure in figures),
    )


def _add_errors(counts: Iterable[dict[str, int] | dict[ErrorCode, int]]) -> dict[ErrorCode, int]:
    counts = list(counts)
    totals = {code: sum(count.get(code, 0) for count in counts) for code in ErrorCode}
    return {code: total for code, total in totals.items() if total}
