"""Webhook: tells another program of each alert that fires or is resolved, by POST, in order.

A thread of its own sends, started with the first alert: looking up a name, reading the authorities of TLS and shaking
hands take milliseconds to seconds, which the event loop has not got; and a thread that hangs in a look-up does not
keep the process from ending, which asyncio's own threads would. The bytes are h11's, which is loaded anyway.

Each alert is delivered at least once, or given up after `Patience`. A receiver that took it but could not say so gets
it again: `name`, `state` and `since` together are the same then. So does one that was told while the process ended:
what is `undelivered` is kept in the archive, and the next process sends it. Proxies of the environment are not used.
"""

import logging
import os
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

import msgspec

from control.alerts import Alert
from control.chronicle import EventNote
from control.post import Refused, Target, Unanswered, post

QUEUE_MAX: Final = 64
"""Alerts that wait to be sent; of more, the oldest are dropped: what is true now matters more."""

log = logging.getLogger(__name__)


class Delivery(msgspec.Struct, frozen=True):
    """Body of the request."""

    source: str
    host: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one alert is tried."""

    attempts_max: int = 20
    """More than fit into `total_s_max`, which decides; a bound for whoever makes the pauses short."""
    attempt_s_max: float = 10.0
    """From the look-up of the name to the last header of the answer."""
    total_s_max: float = 120.0
    """No attempt begins later than this."""
    first_pause_s: float = 1.0
    pause_s_max: float = 30.0

    def pause_s(self, attempt: int, chance: float) -> float:
        """How long to wait after an attempt, counted from 1; `chance`, 0 to 1, sets receivers' clients apart.

        Exponential back-off with equal jitter: between half and all of a time that doubles.
        """
        longest_s = min(self.first_pause_s * 2 ** (attempt - 1), self.pause_s_max)
        return float(longest_s * (1 + chance) / 2)


class Webhook:
    """A reader of news (`control.observer.NewsReader`) that sends alerts to one address. `ValueError` if it is none."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        self._target: Target | None = Target.of(url)
        self._patience = patience or Patience()
        self._waiting: deque[Alert] = deque()
        self._under_way: Alert | None = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self.delivered_count = 0
        self.dropped_count = 0
        """Alerts that found no room."""
        self.failed_count = 0
        """Alerts that were given up."""

    def redirect(self, url: str) -> None:
        """Send to another address from now on, also what waits; to none where it is empty. `ValueError` if it is none.

        What was counted stays: these are the same alerts.
        """
        target = Target.of(url) if url else None
        with self._changed:
            self._target = target
            if target is None:
                self._waiting.clear()

    def event(self, note: EventNote) -> None:
        """Nothing that is sent."""

    def services_changed(self) -> None:
        """Nothing that is sent."""

    def alert(self, alert: Alert) -> None:
        """Have an alert sent. Never waits for the network."""
        with self._changed:
            if self._is_closed or self._target is None:
                return
            if len(self._waiting) >= QUEUE_MAX:
                self._waiting.popleft()
                if not self.dropped_count:
                    log.error("webhook %s: %d alerts wait, the oldest is dropped (told once)", self._target, QUEUE_MAX)
                self.dropped_count += 1
            self._waiting.append(alert)
            self._changed.notify()
            if self._thread is None:
                # A daemon: the process does not wait for an attempt that hangs.
                self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
                self._thread.start()

    @property
    def undelivered(self) -> list[Alert]:
        """The alert under way and those that wait, oldest first."""
        with self._changed:
            return [*([self._under_way] if self._under_way else []), *self._waiting]

    def close(self) -> None:
        """Send nothing more; an attempt under way is left to itself. What waits is dropped."""
        with self._changed:
            self._is_closed = True
            if self._waiting:
                log.warning("webhook %s: %d alerts were not sent before the end", self._target, len(self._waiting))
                self._waiting.clear()
            self._changed.notify()

    def join(self, within_s: float) -> bool:
        """Wait until the thread has ended. False if it has not within the time."""
        if self._thread is not None:
            self._thread.join(within_s)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                alert = self._under_way = self._waiting.popleft()
            try:
                self._deliver(alert)
            except Exception:  # the thread must live on: whatever is wrong with one alert, the next is to be sent
                self.failed_count += 1
                log.exception("webhook %s: alert %s could not be sent", self._target, alert.name)
            with self._changed:
                self._under_way = None

    def _deliver(self, alert: Alert) -> None:
        body = msgspec.json.encode(Delivery("omnishotd", os.uname().nodename, alert))
        begun_s = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            target = self._target
            if target is None:
                return
            try:
                post(target, body, self._patience.attempt_s_max)
            except Refused as error:
                self._give_up(alert, attempt, error)
                return
            except Unanswered as error:
                pause_s = self._patience.pause_s(attempt, random.random())  # noqa: S311 - not a secret
                is_late = time.monotonic() - begun_s + pause_s > self._patience.total_s_max
                is_last = is_late or attempt >= self._patience.attempts_max
                if attempt == 1 and not is_last:
                    text = "webhook %s: alert %s (%s) was not delivered at once, it is tried again: %s"
                    log.warning(text, target, alert.name, alert.state, error)
                if is_last or not self._rest(pause_s):
                    self._give_up(alert, attempt, error)
                    return
            else:
                self.delivered_count += 1
                return

    def _give_up(self, alert: Alert, attempt: int, error: Exception) -> None:
        self.failed_count += 1
        text = "webhook %s: alert %s (%s) was not delivered in %d attempts: %s"
        log.error(text, self._target or "turned off", alert.name, alert.state, attempt, error)

    def _rest(self, pause_s: float) -> bool:
        """Wait. False if there is to be no further attempt."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, pause_s)
            return not self._is_closed
