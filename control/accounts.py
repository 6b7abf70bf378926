"""Accounts: the sums of one service over all its lives, and how they moved in the last seconds. Pure."""

from dataclasses import dataclass

from control.lives import Lives
from control.presence import FRESH_S
from control.sums import BrokerRecord, PipelineSums, WorkerRecord, add_pipelines, add_stages, sums_of
from control.window import Window
from ipc.histogram import HistogramSnapshot, difference
from ipc.telemetry import BrokerTelemetry, FrameFigures, StageFigures, WorkerTelemetry


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """The broker's sums over all its lives, and what they were lately: in the last 10 s."""

    sums: PipelineSums
    """`frames.failed` contains what was lost."""
    throughput_fps: float
    """Frames completed, a second, lately."""
    error_rate: float
    """Share of failed frames among those that were admitted and came to an end lately, 0 to 1; 0 where none did."""
    ended_lately: int
    """How many these were."""
    recent_latency: HistogramSnapshot


@dataclass(frozen=True, slots=True)
class _Progress:
    frames: FrameFigures
    latency: HistogramSnapshot


class BrokerAccount:
    """The lives of the broker."""

    def __init__(self) -> None:
        self.lives: Lives[BrokerTelemetry] = Lives()
        self._settled = PipelineSums()
        self._window: Window[_Progress] = Window()

    def take(self, message: BrokerTelemetry, now_s: float) -> bool:
        """Take a message. False if it tells nothing new."""
        is_new = self.lives.take(message, now_s)
        if is_new:
            self._settle(now_s)
            sums = self._sums()
            self._window.add(min(message.at_s, now_s), _Progress(sums.frames, sums.latency))
        return is_new

    def figures(self, now_s: float) -> PipelineFigures:
        """Sums and rates of all frames."""
        self._settle(now_s)
        throughput_fps, error_rate, ended, recent = 0.0, 0.0, 0, HistogramSnapshot()
        span = self._window.span(now_s)
        if span is not None:
            is_silent = now_s - span.newest.at_s > FRESH_S
            elapsed_s = (now_s if is_silent else span.newest.at_s) - span.oldest.at_s
            oldest, newest = span.oldest.value, span.newest.value
            completed = newest.frames.completed - oldest.frames.completed
            failed = newest.frames.failed - oldest.frames.failed
            ended = completed + failed
            throughput_fps = completed / elapsed_s
            error_rate = failed / max(ended, 1)
            recent = difference(newest.latency, oldest.latency)
        return PipelineFigures(self._sums(), throughput_fps, error_rate, ended, recent)

    def record(self) -> BrokerRecord:
        """All of it, for the archive."""
        return BrokerRecord(self._settled, self.lives.settled_incarnation, self.lives.messages)

    def restore(self, record: BrokerRecord, now_s: float) -> None:
        """Take up what is in the archive."""
        self._settled = record.settled
        self.lives.restore(record.lives, record.settled_incarnation, now_s)

    def _sums(self) -> PipelineSums:
        lives = (sums_of(message, is_over=False) for message in self.lives.messages)
        return add_pipelines([self._settled, *lives])

    def _settle(self, now_s: float) -> None:
        for message in self.lives.settle(now_s):
            self._settled = add_pipelines([self._settled, sums_of(message, is_over=True)])


class WorkerAccount:
    """The lives of one worker service."""

    def __init__(self, stages: tuple[str, ...]) -> None:
        self.lives: Lives[WorkerTelemetry] = Lives()
        self._settled = {stage: StageFigures() for stage in stages}
        self._busy_us: dict[str, Window[int]] = {stage: Window() for stage in stages}

    def take(self, message: WorkerTelemetry, now_s: float) -> bool:
        """Take a message. False if it tells nothing new."""
        is_new = self.lives.take(message, now_s)
        if is_new:
            self.settle(now_s)
            for stage, window in self._busy_us.items():
                told = (life.stages[stage].busy_us for life in self.lives.messages if stage in life.stages)
                window.add(min(message.at_s, now_s), self._settled[stage].busy_us + sum(told))
        return is_new

    def total(self, stage: str) -> StageFigures:
        """Sums of one stage."""
        told = (life.stages[stage] for life in self.lives.messages if stage in life.stages)
        return add_stages([self._settled[stage], *told])

    def utilization(self, stage: str, now_s: float) -> float:
        """Share of the last 10 s, 0 to 1, that was spent in a stage."""
        span = self._busy_us[stage].span(now_s)
        if span is None:
            return 0.0
        # A worker is silent while it works, so the newest sample ends the interval, not the present.
        elapsed_us = (span.newest.at_s - span.oldest.at_s) * 1e6
        return min((span.newest.value - span.oldest.value) / elapsed_us, 1.0)

    def record(self, service: str) -> WorkerRecord:
        """All of it, for the archive."""
        return WorkerRecord(service, self._settled, self.lives.settled_incarnation, self.lives.messages)

    def restore(self, record: WorkerRecord, now_s: float) -> None:
        """Take up what is in the archive."""
        self._settled.update({stage: total for stage, total in record.settled.items() if stage in self._settled})
        self.lives.restore(record.lives, record.settled_incarnation, now_s)

    def settle(self, now_s: float) -> None:
        """Add the lives that are over to the sums."""
        for message in self.lives.settle(now_s):
            for stage, settled in self._settled.items():
                if stage in message.stages:
                    self._settled[stage] = add_stages([settled, message.stages[stage]])
