"""Plan of the nemesis: when which process is struck, and how. Pure: the same seed makes the same plan."""

import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REST_S: Final = (0.5, 2.0)
"""Between two strikes, drawn evenly."""
PAUSE_S: Final = (0.2, 1.0)
"""From SIGSTOP to SIGCONT, drawn evenly."""


class Target(StrEnum):
    """Whose process is struck."""

    WORKER = "worker"
    BROKER = "broker"
    CONTROL = "control"


class Harm(StrEnum):
    """What is done to it."""

    KILL = "kill"
    SEGV = "segv"
    ABRT = "abrt"
    STOP = "stop"
    """For good: the daemon has to find out by itself."""
    PAUSE = "pause"
    """Stopped, and continued before long."""

    @property
    def signal(self) -> signal.Signals:
        """The signal that does it."""
        return _SIGNALS[self]


_SIGNALS: Final = {
    Harm.KILL: signal.SIGKILL,
    Harm.SEGV: signal.SIGSEGV,
    Harm.ABRT: signal.SIGABRT,
    Harm.STOP: signal.SIGSTOP,
    Harm.PAUSE: signal.SIGSTOP,
}
TARGET_WEIGHTS: Final = {Target.WORKER: 70, Target.BROKER: 15, Target.CONTROL: 15}
HARM_WEIGHTS: Final = {Harm.KILL: 35, Harm.SEGV: 15, Harm.ABRT: 15, Harm.STOP: 15, Harm.PAUSE: 20}
"""Both in percent."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow."""

    at_s: float
    """Since the start."""
    target: Target
    harm: Harm
    choice: float
    """0 to below 1: which of several processes."""
    pause_s: float = 0.0


def make_plan(seed: int, duration_s: float) -> list[Strike]:
    """Draw all strikes of a run."""
    chance = random.Random(f"nemesis-{seed}")
    strikes: list[Strike] = []
    at_s = chance.uniform(*REST_S)
    while at_s < duration_s:
        [target] = chance.choices([*TARGET_WEIGHTS], [*TARGET_WEIGHTS.values()])
        [harm] = chance.choices([*HARM_WEIGHTS], [*HARM_WEIGHTS.values()])
        choice = chance.random()
        pause_s = chance.uniform(*PAUSE_S)
        strikes.append(Strike(at_s, target, harm, choice, pause_s if harm is Harm.PAUSE else 0.0))
        at_s += chance.uniform(*REST_S)
    return strikes


def chosen(pids: Sequence[int], choice: float) -> int | None:
    """Tell which of the processes is struck; None where there is none."""
    return sorted(pids)[int(choice * len(pids))] if pids else None
