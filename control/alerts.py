"""Alerts: which thresholds are passed, for how long, and since when. Pure: the caller says what time it is.

    OK -> PENDING -> FIRING <-> RESOLVING
     ^       |                      |
     +-------+----------------------+

An alert fires when its value has reached the threshold and was seen nowhere below `RESOLVED_SHARE` of it for as long as
its rule asks. It is resolved when the value has stayed below that share for `RESOLVES_AFTER_S`. So a value that swings
around the threshold is told once, and no alert fires again within `RESOLVES_AFTER_S`.

While a value is unknown the clocks stand still: nothing fires, nothing is resolved. After `UNKNOWN_S` of that an alert
has nothing left to rest on and is resolved like one whose value is low; its detail says so.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum, auto
from math import isfinite
from typing import Final

import msgspec

from control.readings import Readings
from control.rules import RULES, Reading, Rule
from ipc.settings import Settings

RESOLVED_SHARE: Final = 0.9
RESOLVES_AFTER_S: Final = 10.0
UNKNOWN_S: Final = 30.0
SHOWN_S: Final = 600.0
"""How long a resolved alert is still shown."""
STEP_S_MAX: Final = 2.0
"""What may count as having lasted between two looks: nobody knows what was in between, if the process stood still."""


class AlertState(StrEnum):
    """What operators are told of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True):
    """One alert, as it is shown in `/api/metrics`, on the feed, and to the webhook."""

    name: str
    """Of a rule in `control.rules.RULES`."""
    state: AlertState
    value: float
    """What was measured when the state was last looked at; of a resolved alert, when it was resolved."""
    threshold: float
    since: str
    """Wall clock, ISO 8601: when it began to fire, or was resolved."""
    detail: str
    """One sentence for people."""


class Phase(Enum):
    """Where an alert is."""

    OK = auto()
    PENDING = auto()
    """Over the threshold, not for long enough to be told."""
    FIRING = auto()
    RESOLVING = auto()
    """Still told as firing; low, not for long enough to be believed."""


class Sight(Enum):
    """What a look at the value shows."""

    OVER = auto()
    """The threshold is reached."""
    NEAR = auto()
    """Neither over nor under."""
    UNDER = auto()
    """Below `RESOLVED_SHARE` of the threshold."""
    LASTED = auto()
    """The phase has lasted for as long as it must."""


P, S = Phase, Sight
TRANSITIONS: Final[Mapping[tuple[Phase, Sight], Phase]] = {
    (P.OK, S.OVER): P.PENDING,
    (P.OK, S.NEAR): P.OK,
    (P.OK, S.UNDER): P.OK,
    (P.PENDING, S.OVER): P.PENDING,
    (P.PENDING, S.NEAR): P.PENDING,
    (P.PENDING, S.UNDER): P.OK,
    (P.PENDING, S.LASTED): P.FIRING,
    (P.FIRING, S.OVER): P.FIRING,
    (P.FIRING, S.NEAR): P.FIRING,
    (P.FIRING, S.UNDER): P.RESOLVING,
    (P.RESOLVING, S.OVER): P.FIRING,
    (P.RESOLVING, S.NEAR): P.FIRING,
    (P.RESOLVING, S.UNDER): P.RESOLVING,
    (P.RESOLVING, S.LASTED): P.OK,
}

FIRING_PHASES: Final = frozenset({P.FIRING, P.RESOLVING})
"""Operators are told that it fires."""


class IllegalTransition(AssertionError):
    """A bug in omnishotd. Please report it."""


def advance(phase: Phase, sight: Sight) -> Phase:
    """Return the phase that follows. Raises `IllegalTransition` for an edge that is not in the table."""
    target = TRANSITIONS.get((phase, sight))
    if target is None:
        raise IllegalTransition(f"{sight.name} in phase {phase.name}")
    return target


class AlertBoard:
    """All alerts. A rule whose threshold is 0 has none."""

    def __init__(self, settings: Settings) -> None:
        self._watches: list[_Watch] = []
        self.reconfigure(settings)

    def reconfigure(self, settings: Settings) -> None:
        """Take other thresholds. What fires goes on from where it is; it is resolved if its rule is turned off."""
        known = {watch.rule.name: watch for watch in self._watches}
        self._watches = []
        for rule in RULES:
            threshold = rule.threshold(settings)
            watch = known.get(rule.name) or (_Watch(rule) if threshold > 0 else None)
            if watch is not None:
                watch.threshold = threshold
                self._watches.append(watch)

    def judge(self, readings: Readings, now_s: float, now_text: str) -> list[Alert]:
        """Look at all values; to be called at least once a second. Returns the alerts that fire or are resolved now."""
        changes = (watch.judge(readings, now_s, now_text) for watch in self._watches)
        return [change for change in changes if change]

    def restore(self, firing: Iterable[Alert]) -> None:
        """Take up what an earlier process of the control plane told, so that it is not told again, and is resolved."""
        told = {alert.name: alert for alert in firing}
        for watch in self._watches:
            if watch.rule.name in told:
                watch.restore(told[watch.rule.name])

    @property
    def firing(self) -> list[Alert]:
        """Those that fire, as they were when last looked at."""
        return [watch.alert for watch in self._watches if watch.alert and watch.alert.state is AlertState.FIRING]

    @property
    def shown(self) -> list[Alert]:
        """Those that fire, and those that were resolved not long ago."""
        return [watch.alert for watch in self._watches if watch.alert]


class _Watch:
    """One rule, and where its alert is."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.threshold = 0.0
        """0: nothing is watched any more."""
        self.alert: Alert | None = None
        """The one that fires, or was resolved within `SHOWN_S`."""
        self._phase = Phase.OK
        self._phase_s = 0.0
        self._unknown_s = 0.0
        self._reading = Reading(0.0, "It was not measured yet.")
        self._looked_at_s: float | None = None
        self._resolved_at_s = 0.0

    def judge(self, readings: Readings, now_s: float, now_text: str) -> Alert | None:
        looked_at_s = now_s if self._looked_at_s is None else self._looked_at_s
        elapsed_s = min(max(now_s - looked_at_s, 0.0), STEP_S_MAX)
        self._looked_at_s = now_s
        told_as = self._phase in FIRING_PHASES
        sight = self._look(readings, elapsed_s)
        if sight:
            self._move(sight, elapsed_s)
        if self._phase in FIRING_PHASES:
            since = self.alert.since if self.alert and told_as else now_text
            self.alert = self._tell(AlertState.FIRING, since)
            return None if told_as else self.alert
        if told_as:
            self.alert = self._tell(AlertState.RESOLVED, now_text)
            self._resolved_at_s = now_s
            return self.alert
        if self.alert and now_s - self._resolved_at_s > SHOWN_S:
            self.alert = None
        return None

    def restore(self, alert: Alert) -> None:
        self.alert = alert
        self._phase, self._phase_s = Phase.FIRING, 0.0
        self._reading = Reading(alert.value, alert.detail)

    def _look(self, readings: Readings, elapsed_s: float) -> Sight | None:
        if self.threshold <= 0:
            return Sight.UNDER
        reading = self.rule.read(readings, self.threshold)
        if reading is None or not isfinite(reading.value):
            self._unknown_s += elapsed_s
            return Sight.UNDER if self._unknown_s >= UNKNOWN_S else None
        self._unknown_s = 0.0
        self._reading = reading
        if reading.value >= self.threshold and reading.is_enough:
            return Sight.OVER
        return Sight.UNDER if reading.value < self.threshold * RESOLVED_SHARE else Sight.NEAR

    def _move(self, sight: Sight, elapsed_s: float) -> None:
        phase = advance(self._phase, sight)
        self._phase_s = self._phase_s + elapsed_s if phase is self._phase else 0.0
        is_due = (phase is Phase.PENDING and sight is Sight.OVER and self._phase_s >= self.rule.fires_after_s) or (
            phase is Phase.RESOLVING and self._phase_s >= RESOLVES_AFTER_S
        )
        if is_due:
            phase, self._phase_s = advance(phase, Sight.LASTED), 0.0
        self._phase = phase

    def _tell(self, state: AlertState, since: str) -> Alert:
        detail = self._reading.sentence
        if self.threshold <= 0:
            detail = f"No longer watched. Before: {detail}"
        elif self._unknown_s > 0:
            detail = f"Not measured for {self._unknown_s:.0f} s. Before: {detail}"
        elif self._phase is Phase.RESOLVING:
            detail += f" Resolved if that lasts for {RESOLVES_AFTER_S:g} s."
        return Alert(self.rule.name, state, round(self._reading.value, 2), self.threshold, since, detail)
