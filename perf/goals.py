"""Goals: what the daemon is to reach, and what it did reach. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from perf.figures import Spread, ratios, spread
from perf.matrix import DAEMON, IDEAL, LENT, SATURATION_SHARE, SHARP
from perf.results import Results
from perf.table import Table, ranged
from perf.work import WORKS

Reached = Callable[[Results], Spread | None]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure, and its bound."""

    what: str
    bound: float
    unit: str
    is_at_least: bool
    """Whether the figure is to be at least the bound, or at most."""
    reached: Reached

    def row(self, results: Results) -> tuple[str, ...] | None:
        """One line of the table. None: it was not measured."""
        found = self.reached(results)
        if found is None:
            return None
        is_met = found.median >= self.bound if self.is_at_least else found.median <= self.bound
        sign = "≥" if self.is_at_least else "≤"
        digits = 2 if self.bound < 10 else 0
        return self.what, f"{sign} {self.bound:g}{self.unit}", ranged(found, digits), "yes" if is_met else "no"


def goals_table(results: Results) -> Table:
    """Hold what was measured against the goals."""
    rows = tuple(row for goal in GOALS if (row := goal.row(results)) is not None)
    return Table("goals", ("", "goal", "reached", ""), rows)


def over(name: str, work: str, ours: str = DAEMON) -> Reached:
    """Frames a second over another's, round with round."""

    def reached(results: Results) -> Spread | None:
        one, other = results.busy(ours, work), results.busy(name, work)
        return ratios(one.frames_per_second, other.frames_per_second) if one and other else None

    return reached


def added_ms(work: str) -> Reached:
    """Latency with one frame in flight, beyond the bare calls'."""

    def reached(results: Results) -> Spread | None:
        one, bare = results.find(DAEMON, work, 1), results.find(IDEAL, work, 1)
        return (
            spread([ours - calls for ours, calls in zip(one.p50_ms, bare.p50_ms, strict=True)])
            if one and bare
            else None
        )

    return reached


def tail(work: str) -> Reached:
    """p99 over p50, where frames come by the clock."""

    def reached(results: Results) -> Spread | None:
        one = results.find(DAEMON, work, WORKS[work].busy_in_flight, 1, SATURATION_SHARE)
        return ratios(one.p99_ms, one.p50_ms) if one else None

    return reached


def _idle_mib(results: Results) -> Spread | None:
    alone = results.alone.get(DAEMON)
    return spread([sum(alone.idle_pss_mib.values())]) if alone else None


def _idle_percent(results: Results) -> Spread | None:
    alone = results.alone.get(DAEMON)
    return spread([100 * alone.idle_processor_share]) if alone else None


def _loaded_mib(results: Results) -> Spread | None:
    alone = results.alone.get(DAEMON)
    return spread([sum(alone.loaded_pss_mib.values())]) if alone else None


_SIDES: Final = ("400", "800", "1600", "3200")

GOALS: Final = (
    *(
        Goal(f"daemon / ideal, {side} px to 300 px", bound, "", True, over(IDEAL, side))
        for side, bound in zip(_SIDES, (0.90, 0.94, 0.97, 0.97), strict=True)
    ),
    *(
        Goal(f"daemon / sharp, {side} px to 300 px", bound, "", True, over(SHARP, side))
        for side, bound in zip(_SIDES, (2.8, 2.2, 1.4, 1.4), strict=True)
    ),
    *(
        Goal(f"daemon / sharp, {side} px to full size", bound, "", True, over(SHARP, f"{side}-full"))
        for side, bound in zip(_SIDES, (3.0, 2.6, 2.4, 2.8), strict=True)
    ),
    Goal("raw 1080p lent, to JPEG, daemon / ideal", 0.93, "", True, over(IDEAL, "raw-1080p-full", LENT)),
    Goal("one frame of 400 px in flight: latency over the bare calls", 0.35, " ms", False, added_ms("400")),
    *(
        Goal(f"p99 / p50 at 70 % of saturation, {side} px", 2.5, "", False, tail(side))
        for side in ("400", "800", "1600")
    ),
    Goal("idle: PSS in all", 180, " MiB", False, _idle_mib),
    Goal("idle: processor time, of a core", 0.5, " %", False, _idle_percent),
    Goal("PSS in all with 32 frames of 3200 px in flight", 450, " MiB", False, _loaded_mib),
)
