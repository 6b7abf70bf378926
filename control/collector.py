"""The control plane's knowledge: what was told by whom, and its sums over all incarnations.

Pure: takes messages and the time, gives frozen values.

Sums only grow, whatever dies and in whatever order messages arrive. Frames that a broker held when it died can never be
answered: once its life is settled (`control.lives`) they are counted as failed, and apart as *lost*, so that
received = completed + failed + rejected + cancelled + in_flight + queued holds at every moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from control.accounts import BrokerAccount, PipelineFigures, WorkerAccount
from control.alerts import Alert
from control.lives import Lives
from control.presence import Presence
from control.record import Record
from control.sums import add_stages
from control.window import Window
from ipc.histogram import HistogramSnapshot, difference
from ipc.telemetry import (
    SERVICES_MAX,
    BrokerTelemetry,
    StageFigures,
    SupervisorTelemetry,
    Telemetry,
    WorkerTelemetry,
)


@dataclass(frozen=True, slots=True)
class StageSums:
    """One stage over all workers and all their lives."""

    total: StageFigures
    recent_latency: HistogramSnapshot
    """Of the last 10 s."""


class Collector:
    """Takes telemetry, gives sums."""

    def __init__(self, stages: Iterable[str]) -> None:
        self._stages = tuple(stages)
        self._supervisor: Lives[SupervisorTelemetry] = Lives()
        self._broker = BrokerAccount()
        self._workers: dict[str, WorkerAccount] = {}
        self._ready_at_s: dict[str, float] = {}
        """By kind: when one of its services was ready last."""
        self._stage_latency: dict[str, Window[HistogramSnapshot]] = {stage: Window() for stage in self._stages}
        self.ignored_count = 0
        """Messages that came too late to tell anything, or from more services than there can be."""

    def take(self, message: Telemetry, now_s: float) -> bool:
        """Take one message. False if it tells nothing new."""
        match message:
            case WorkerTelemetry():
                is_new = self._take_worker(message, now_s)
            case BrokerTelemetry():
                is_new = self._broker.take(message, now_s)
            case SupervisorTelemetry():
                is_new = self._supervisor.take(message, now_s)
                self._supervisor.settle(now_s)
                if is_new:
                    self._note_ready(message)
            case _:
                assert_never(message)
        self.ignored_count += not is_new
        return is_new

    def _note_ready(self, message: SupervisorTelemetry) -> None:
        ready = {service.kind: message.at_s for service in message.services if service.state == "ready"}
        # Kinds that there are no more are forgotten.
        kinds = {service.kind for service in message.services}
        self._ready_at_s = {kind: at_s for kind, at_s in (self._ready_at_s | ready).items() if kind in kinds}

    def _take_worker(self, message: WorkerTelemetry, now_s: float) -> bool:
        account = self._workers.get(message.service)
        if account is None:
            if len(self._workers) >= SERVICES_MAX:
                return False
            account = self._workers[message.service] = WorkerAccount(self._stages)
        return account.take(message, now_s)

    def sample(self, now_s: float) -> None:
        """Note how far the stages are; to be called about once a second, or there are no recent latencies."""
        for stage, window in self._stage_latency.items():
            window.add(now_s, self._stage_total(stage, now_s).latency)

    def presence(self, now_s: float) -> Presence:
        """Who was heard last."""
        workers = {name: heard for name, account in self._workers.items() if (heard := account.lives.newest)}
        return Presence(now_s, self._supervisor.newest, self._broker.lives.newest, workers, self._ready_at_s)

    def pipeline(self, now_s: float) -> PipelineFigures:
        """Sums and rates of all frames."""
        return self._broker.figures(now_s)

    def stage(self, name: str, now_s: float) -> StageSums:
        """Sums of one stage."""
        total = self._stage_total(name, now_s)
        span = self._stage_latency[name].span(now_s)
        recent = HistogramSnapshot() if span is None else difference(total.latency, span.oldest.value)
        return StageSums(total, recent)

    def utilization(self, service: str, stage: str, now_s: float) -> float:
        """Share of the last 10 s, 0 to 1, that a worker spent in a stage."""
        account = self._workers.get(service)
        return account.utilization(stage, now_s) if account else 0.0

    def record(self, firing: list[Alert], undelivered: Iterable[Alert] = ()) -> Record:
        """All that must outlive this process."""
        workers = [account.record(name) for name, account in self._workers.items()]
        return Record(self._broker.record(), workers, firing, list(undelivered))

    def restore(self, record: Record, now_s: float) -> None:
        """Take up what an earlier process of the control plane knew. To be called before any message is taken."""
        self._broker.restore(record.broker, now_s)
        for worker in record.workers[:SERVICES_MAX]:
            account = self._workers[worker.service] = WorkerAccount(self._stages)
            account.restore(worker, now_s)

    def living(self) -> set[str]:
        """Name the services that have been heard, but for the supervisor."""
        broker = self._broker.lives.newest
        return {*self._workers, *([broker.message.service] if broker else ())}

    def _stage_total(self, name: str, now_s: float) -> StageFigures:
        figures = []
        for account in self._workers.values():
            account.settle(now_s)
            figures.append(account.total(name))
        return add_stages(figures)
