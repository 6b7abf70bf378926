"""Nemesis: carries its plan out on the processes of a daemon, as they are when the time has come."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.plan import Harm, Strike, Target, chosen

NAMES = {
    Target.WORKER: ("decode", "transform", "encode"),
    Target.BROKER: ("broker",),
    Target.CONTROL: ("control",),
}
"""How the services of a target begin."""
GROWN_S: Final = 3.0
"""Only who is at least as old is stopped for good: whoever stops while it starts is found by the time that a start may
take, which is longer than any silence of one that has served. All else is done to them at any age."""


@dataclass(frozen=True, slots=True)
class Blow:
    """A strike that was carried out, or found nobody there."""

    strike: Strike
    pid: int | None


class Nemesis:
    """Strikes when the time has come; who calls it often need not know when that is."""

    def __init__(self, pids: Callable[[str], list[int]], plan: Sequence[Strike], grown_s: float = GROWN_S) -> None:
        """`pids` lists the processes of all services whose name begins so."""
        self._pids = pids
        self._grown_s = grown_s
        self._plan = list(reversed(plan))
        self._paused: list[tuple[float, int]] = []
        """When to continue whom: a descriptor of the process, so that a number that was used again is not hit."""
        self.blows: list[Blow] = []

    def strike(self, at_s: float) -> None:
        """Do what is due, `at_s` after the start."""
        self._continue(at_s)
        while self._plan and self._plan[-1].at_s <= at_s:
            strike = self._plan.pop()
            pids = [pid for name in NAMES[strike.target] for pid in self._pids(name)]
            if strike.harm is Harm.STOP:
                pids = [pid for pid in pids if _age_s(pid) >= self._grown_s]
            pid = chosen(pids, strike.choice)
            self.blows.append(Blow(strike, pid if pid is not None and self._hit(pid, strike) else None))

    def close(self) -> None:
        """Continue whoever is paused."""
        self._continue(float("inf"))

    def _hit(self, pid: int, strike: Strike) -> bool:
        try:
            pidfd = os.pidfd_open(pid)
            signal.pidfd_send_signal(pidfd, strike.harm.signal)
        except ProcessLookupError:
            return False
        if strike.harm is Harm.PAUSE:
            self._paused.append((strike.at_s + strike.pause_s, pidfd))
        else:
            os.close(pidfd)
        return True

    def _continue(self, at_s: float) -> None:
        for due in [paused for paused in self._paused if paused[0] <= at_s]:
            self._paused.remove(due)
            # It may have been killed meanwhile: the daemon is free to.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(due[1], signal.SIGCONT)
            os.close(due[1])


def _age_s(pid: int) -> float:
    """How long ago a process was started; 0 for one that has ended."""
    try:
        # The name, in parentheses, may hold anything; the start is the 20th field behind it, in ticks since the boot.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
