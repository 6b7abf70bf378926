"""`python -m perf.check`: a shortened benchmark, held against the kept result. Status 1 where something got worse."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from perf.bench import Scale, measure, turns_in_all
from perf.contender import MeasurementFailed
from perf.matrix import DAEMON, IDEAL, LENT, check_cells
from perf.progress import progress
from perf.results import FOLDER, load, save
from perf.roster import chosen
from perf.table import Table, print_table, ranged
from perf.verdict import Comparison, compare, differences

ROUNDS, ROUNDS_MAX = 5, 20
SECONDS: Final = 0.8
MINUTES: Final = 5.0
STARTS: Final = 1
IDLE_SECONDS: Final = 1.0
KEPT: Final = FOLDER / "kept.json"


def main() -> int:
    """Measure and compare. Returns the exit status: 1 where something got worse, or could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m perf.check", description="See whether speed was lost.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, choices=range(2, ROUNDS_MAX + 1), metavar="2..20")
    rounds = parser.parse_args().rounds
    scale = Scale(check_cells(), rounds, SECONDS, MINUTES, STARTS, IDLE_SECONDS)
    try:
        kept = load(KEPT)
        entrants = chosen([IDEAL, DAEMON, LENT], [])
        with progress(turns_in_all(entrants, scale)) as advance:
            now = measure(entrants, scale, advance)
        save(now, FOLDER / "check.json")
    except (MeasurementFailed, AssertionError, OSError) as error:
        print(f"could not check: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    found = compare(kept, now)
    for difference in differences(kept.machine, now.machine):
        print(f"not the machine of the kept result, whose ratios may be others: {difference}")
    print_table(table(found))
    print(f"\n{verdict(found)}")
    return 1 if not found or any(one.is_worse for one in found) else 0


def table(found: Sequence[Comparison]) -> Table:
    """Show every ratio, then and now."""
    rows = [
        (one.what, ranged(one.kept), ranged(one.now), f"{-one.loss:+.2f}", f"{one.noise:.2f}", _word(one))
        for one in found
    ]
    title = "ratios, kept and now; better is above 0"
    return Table(title, ("", "kept", "now", "better by", "noise", ""), tuple(rows))


def verdict(found: Sequence[Comparison]) -> str:
    """Say in a line what got worse."""
    worse = [one.what for one in found if one.is_worse]
    if not found:
        return "nothing to compare: the kept result has none of these figures"
    return f"worse: {'; '.join(worse)}" if worse else f"none of {len(found)} ratios got worse beyond its noise"


def _word(one: Comparison) -> str:
    return "worse" if one.is_worse else "better" if one.is_better else ""


if __name__ == "__main__":
    sys.exit(main())
