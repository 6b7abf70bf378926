"""Pulse: who owes a sign of life, and who has been silent for too long. Pure: the caller says what time it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silence:
    """A verdict: this process said nothing for longer than it may."""

    incarnation: int
    for_s: float


class Pulse:
    """The last sign of life of each process that owes one, by incarnation. Times are those of the awake clock."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._heard_at_s: dict[int, float] = {}

    def begin(self, incarnation: int, now_s: float) -> None:
        """Expect signs of a process from now on."""
        self._heard_at_s[incarnation] = now_s

    def beat(self, incarnation: int, now_s: float) -> None:
        """Note a sign; of a process that owes none, or none any more, it means nothing."""
        if incarnation in self._heard_at_s:
            self._heard_at_s[incarnation] = now_s

    def end(self, incarnation: int) -> None:
        """Expect nothing more of a process."""
        self._heard_at_s.pop(incarnation, None)

    def resume(self, now_s: float) -> None:
        """Begin anew with everybody: the supervisor was stopped, and perhaps they were too."""
        for incarnation in self._heard_at_s:
            self._heard_at_s[incarnation] = now_s

    def silences(self, now_s: float) -> list[Silence]:
        """Judge. Who is judged owes nothing more: a process is judged once."""
        found = [
            Silence(incarnation, now_s - at_s)
            for incarnation, at_s in self._heard_at_s.items()
            if now_s > at_s + self.limit_s
        ]
        for silence in found:
            self.end(silence.incarnation)
        return found

    def due_s(self) -> float | None:
        """When somebody will have been silent for too long, if nothing is heard; None if nobody owes anything."""
        return min(self._heard_at_s.values()) + self.limit_s if self._heard_at_s else None
