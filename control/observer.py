"""Observer: the one place that knows all figures, and gives each body that operators are shown.

The endpoints, the feed and the exposition read from here and nowhere else, so that all of them say the same. Everything
here happens in the event loop of the control plane.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from control.alerts import Alert, AlertBoard, AlertState
from control.archive import Archive
from control.chronicle import Chronicle, EventNote
from control.collector import Collector
from control.health import Health, Readiness, assess, readiness
from control.history import MemoryHistory
from control.memory import MemoryAnalysis, analyse
from control.metrics import Metrics, measure
from control.processes import ProcessSampler
from control.readings import read
from control.record import decode_record, encode_record
from control.services import Services, list_services
from control.system import SystemSampler
from control.webhook import Webhook
from ipc.heap import HeapGauge
from ipc.settings import Settings
from ipc.telemetry import BrokerTelemetry, SupervisorTelemetry, Telemetry, WorkerTelemetry

log = logging.getLogger(__name__)

CATCH_UP_S: Final = 1.25
"""A process speaks once a second even if it has nothing to tell; but a worker is silent while it works."""
MEMO_S: Final = 0.2
"""Who asks more often than this gets what the one before him got: a flood of questions costs little."""


class NewsReader(Protocol):
    """Who wants to know at once: the feed, the webhook."""

    def event(self, note: EventNote) -> None:
        """Something happened."""

    def alert(self, alert: Alert) -> None:
        """An alert began to fire, or was resolved."""

    def services_changed(self) -> None:
        """The state of a service is another than before."""


class Observer:
    """Takes telemetry and samples, gives bodies, and tells readers what is new."""

    def __init__(self, settings: Settings, archive: Archive | None = None) -> None:
        self.settings = settings
        self.collector = Collector(settings.pipeline.stages)
        self.system = SystemSampler()
        self.processes = ProcessSampler()
        self._archive = archive
        self._chronicle = Chronicle()
        self._board = AlertBoard(settings)
        self._history = MemoryHistory()
        self._heap = HeapGauge()
        self._readers: list[NewsReader] = []
        self._states: object = None
        self._newest_incarnation = 0
        self.malformed_count = 0
        """Messages that could not be read."""
        self.webhook: Webhook | None = None
        """Asked what it has not delivered and how it fared; it is told news as any other reader (`add_reader`)."""
        self.untold: list[Alert] = []
        """What the webhook of the process before this one did not deliver: for this one's, once there is one."""
        self._metrics = _Memo(self._measure)
        self._services = _Memo(self._list_services)
        self._memory = _Memo(self._analyse)
        self._health = _Memo(self._assess)
        self._readiness = _Memo(self._judge_readiness)
        self._unheard: set[str] = set()
        """Services of the process before this one that have not spoken to this one."""
        self._caught_up = asyncio.Event()
        self.interest = asyncio.Event()
        """Set when frames come, or somebody asks for figures: processes and host are worth another look."""
        self._received = 0
        self._is_keeping_told = False

    def reconfigure(self, settings: Settings) -> None:
        """Take other settings: thresholds, and what is shown of the rest."""
        self.settings = settings
        self._board.reconfigure(settings)
        for memo in (self._metrics, self._services, self._memory, self._health, self._readiness):
            memo.forget()

    def add_reader(self, reader: NewsReader) -> None:
        """Tell this reader what is new from now on."""
        self._readers.append(reader)

    # ---- what comes in

    def take(self, message: Telemetry, now_s: float) -> None:
        """Take one message, and pass on what is new in it."""
        if not self.collector.take(message, now_s):
            return
        if not isinstance(message, SupervisorTelemetry):
            self._unheard.discard(message.service)
            if not self._unheard:
                self._caught_up.set()
        if message.incarnation > self._newest_incarnation:
            # Its predecessor has told all it ever will: from now on the archive alone would lose it.
            self._newest_incarnation = message.incarnation
            self._keep()
        if isinstance(message, WorkerTelemetry):
            return
        if isinstance(message, BrokerTelemetry):
            # As often as its figures are shown: what was shown once must not sink after a restart.
            self._keep()
        for note in self._chronicle.take(message):
            for reader in self._readers:
                reader.event(note)
        if isinstance(message, SupervisorTelemetry):
            self._note_states(message)
        elif message.frames.received != self._received:
            self._received = message.frames.received
            self.interest.set()

    def _note_states(self, message: SupervisorTelemetry) -> None:
        states = [(service.name, service.state, service.pid) for service in message.services]
        if states == self._states:
            return
        self._states = states
        self._services.forget()
        self._health.forget()
        for reader in self._readers:
            reader.services_changed()

    def sample(self, now_s: float) -> None:
        """Note how far things are, and keep it; to be called once a second."""
        self.collector.sample(now_s)
        self.judge(now_s)
        self._keep()

    def sampled_processes(self, now_s: float) -> None:
        """Take what `processes` has read; to be called after each of its samples."""
        presence = self.collector.presence(now_s)
        completed = self.collector.pipeline(now_s).sums.frames.completed
        self._history.add(now_s, self.processes.figures, presence, completed, self._heap.figures(now_s))
        self._memory.forget()

    def examined(self, service: str) -> None:
        """Begin anew with a process whose memory was given back or collected: its figures mean something else."""
        self._history.forget(service)
        self._memory.forget()

    def judge(self, now_s: float) -> None:
        """Look at the thresholds, and tell what changed."""
        presence = self.collector.presence(now_s)
        missing = readiness(presence, self.settings).missing
        readings = read(presence, self.collector.pipeline(now_s), self.system.figures, self.settings, missing)
        changed = self._board.judge(readings, now_s, datetime.now(UTC).isoformat(timespec="seconds"))
        for alert in changed:
            level = logging.WARNING if alert.state is AlertState.FIRING else logging.INFO
            log.log(level, "alert %s %s: %s", alert.name, alert.state, alert.detail)
            self._metrics.forget()
            self._health.forget()
            for reader in self._readers:
                reader.alert(alert)
        if changed:
            # At once: it is told only once, so whoever comes after this process must know what was not delivered.
            self._keep()

    def restore(self) -> None:
        """Take up the sums of the process before this one. Once, before the first message."""
        if self._archive is None:
            return
        data = self._archive.read()
        if data is None:
            return
        try:
            record = decode_record(data)
            self.collector.restore(record, time.monotonic())
            self._board.restore(record.alerts)
            self.untold = record.undelivered
        except msgspec.MsgspecError as error:
            log.error("the sums of the control plane before this one cannot be read: %s", error)  # noqa: TRY400 - no traceback for an operator

    async def catch_up(self) -> None:
        """Wait until every process that lived when the record was written has spoken, or has had its time.

        Counters go on behind what was told last: shown before, the record's own would be a step back.
        """
        self._unheard = self.collector.living()
        if self._unheard:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._caught_up.wait(), CATCH_UP_S)

    def _keep(self) -> None:
        if self._archive is None:
            return
        undelivered = self.webhook.undelivered if self.webhook else self.untold
        try:
            self._archive.write(encode_record(self.collector.record(self._board.firing, undelivered)))
        except (OSError, ValueError, OverflowError) as error:
            # Tried again each time: what was kept before is older, and would be taken for all there is.
            if not self._is_keeping_told:
                log.warning("the sums cannot be kept (told once): %s", error)
                self._is_keeping_told = True

    # ---- what is shown

    def health(self) -> Health:
        """What is wrong, if anything."""
        return self._health.get()

    def readiness(self) -> Readiness:
        """Whether a frame submitted now would come through."""
        return self._readiness.get()

    def metrics(self) -> Metrics:
        """The figures of the whole pipeline."""
        return self._metrics.get()

    def services(self) -> Services:
        """Every process."""
        return self._services.get()

    def memory(self) -> MemoryAnalysis:
        """Who holds how much, and whether it grows."""
        return self._memory.get()

    def alerts(self) -> list[Alert]:
        """Those that fire."""
        return self._board.firing

    def events(self) -> list[EventNote]:
        """The latest, oldest first."""
        return self._chronicle.latest

    def _measure(self, now_s: float) -> Metrics:
        self.interest.set()
        return measure(self.collector, self.settings, self.system.figures, self._board.shown, now_s)

    def _list_services(self, now_s: float) -> Services:
        self.interest.set()
        return list_services(self.health(), self.collector, self.processes.figures, self.settings, now_s)

    def _analyse(self, now_s: float) -> MemoryAnalysis:
        self.interest.set()
        return analyse(self._history, self.collector.presence(now_s), self.system.figures, self.settings)

    def _judge_readiness(self, now_s: float) -> Readiness:
        return readiness(self.collector.presence(now_s), self.settings)

    def _assess(self, now_s: float) -> Health:
        return assess(self.collector.presence(now_s), self.settings, self._board.firing)


Body = TypeVar("Body")


class _Memo(Generic[Body]):
    """A body that is made at most once in `MEMO_S`."""

    def __init__(self, make: Callable[[float], Body]) -> None:
        self._make = make
        self._made: tuple[float, Body] | None = None

    def get(self) -> Body:
        now_s = time.monotonic()
        if self._made is None or now_s - self._made[0] >= MEMO_S:
            self._made = (now_s, self._make(now_s))
        return self._made[1]

    def forget(self) -> None:
        self._made = None
