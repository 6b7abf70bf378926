"""Turns: the contenders of each case work one after the other, round by round, and are held against each other."""

import time
from collections.abc import Iterable, Iterator
from typing import Final

from perf.contender import MeasurementFailed
from perf.figures import Spread, ratios, spread
from perf.kernels.case import OURS, PILLOW, VIPS, Case, Work, pixels_of, rmse
from perf.table import Table

SECONDS_EACH: Final = 0.12
CALLS_MIN: Final = 2


def table(title: str, cases: Iterable[Case], rounds: int) -> Table:
    """Measure cases, and show what ours takes, and how many times that the others take."""
    columns = ("", "ours, ms", f"{VIPS}, ms", f"{VIPS} / ours", f"{PILLOW}, ms", f"{PILLOW} / ours")
    return Table(title, columns, tuple(_row(case, rounds) for case in cases))


def sizes_table(cases: Iterable[Case]) -> Table:
    """Show how large the files of those cases are that encode: time and size are bought with each other."""
    columns = ("", f"{OURS}, KB", f"{VIPS}, KB", f"{PILLOW}, KB")
    rows = []
    for case in cases:
        made = [work() for work in case.works.values()]
        if isinstance(made[0], bytes):
            rows.append((case.name, *(f"{len(data) / 1000:,.0f}" for data in made)))
    return Table("sizes of files", columns, tuple(rows))


def _row(case: Case, rounds: int) -> tuple[str, ...]:
    check_same_work(case)
    times_ms = take_turns(case, rounds)
    cells = [case.name, _milliseconds(spread(times_ms[OURS]))]
    for rival in (VIPS, PILLOW):
        if rival in times_ms:
            cells += [_milliseconds(spread(times_ms[rival])), _ratio(ratios(times_ms[rival], times_ms[OURS]))]
        else:
            cells += ["", ""]
    return tuple(cells)


def check_same_work(case: Case) -> None:
    """Hold the others' pictures against ours. Raises `MeasurementFailed` where they are not the same one."""
    ours = pixels_of(case.works[OURS]())
    for name, work in case.works.items():
        if name == OURS:
            continue
        theirs = pixels_of(work())
        found = rmse(ours, theirs)
        if found > case.rmse_max:
            raise MeasurementFailed(
                f"{case.name}: {name} made {theirs.shape} in place of {ours.shape}, {found:.1f} RMSE away, "
                f"{case.rmse_max:g} allowed: not the same work"
            )


def take_turns(case: Case, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of processor time that one call takes, by contender and round; another one is first each round."""
    times_ms: dict[str, list[float]] = {name: [] for name in case.works}
    names = list(case.works)
    for number in range(rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            times_ms[name].append(_median_ms(case.works[name]))
    return times_ms


def _median_ms(work: Work) -> float:
    taken_ms = list(_calls_ms(work))
    return spread(taken_ms).median


def _calls_ms(work: Work) -> Iterator[float]:
    work()  # caches hold what this one works on
    began_ns = time.process_time_ns()
    calls = 0
    while calls < CALLS_MIN or time.process_time_ns() - began_ns < SECONDS_EACH * 1e9:
        before_ns = time.process_time_ns()
        work()
        yield (time.process_time_ns() - before_ns) / 1e6
        calls += 1


def _milliseconds(value: Spread) -> str:
    return f"{value.median:.2f}" if value.median < 100 else f"{value.median:.0f}"


def _ratio(value: Spread) -> str:
    return f"{value.median:.2f} ({value.lowest:.2f}..{value.highest:.2f})"
