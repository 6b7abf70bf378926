"""`python -m perf`: measure, show and save. It asserts no speed: only what fails to run ends it with 1."""

import argparse
import re
import sys
from collections.abc import Callable
from typing import Final

from perf.bench import Scale, measure, turns_in_all
from perf.contender import MeasurementFailed
from perf.matrix import default_cells, quick_cells
from perf.plot import draw
from perf.progress import progress
from perf.report import show
from perf.results import FOLDER, save
from perf.roster import chosen

ROUNDS, ROUNDS_MAX = 5, 100
SECONDS, SECONDS_MIN, SECONDS_MAX = 0.5, 0.1, 60.0
MINUTES, MINUTES_MIN, MINUTES_MAX = 14.0, 0.1, 600.0
STARTS: Final = 5
IDLE_SECONDS: Final = 10.0
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.4


class Arguments(argparse.Namespace):
    """The command line."""

    rounds: int | None
    seconds_each: float | None
    minutes: float
    only: list[str]
    without: list[str]
    quick: bool
    save: str


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    arguments = _parser().parse_args(namespace=Arguments())
    scale = Scale(
        cells=quick_cells() if arguments.quick else default_cells(),
        rounds=arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS),
        seconds=arguments.seconds_each or (QUICK_SECONDS if arguments.quick else SECONDS),
        minutes=arguments.minutes,
        starts=0 if arguments.quick else STARTS,
        idle_seconds=IDLE_SECONDS,
    )
    path = FOLDER / f"{arguments.save}.json"
    picture = path.with_suffix(".png")
    try:
        entrants = chosen(arguments.only, arguments.without)
        with progress(turns_in_all(entrants, scale)) as advance:
            results = measure(entrants, scale, advance)
        save(results, path)
        draw(results, picture)
        show(results)
    except (MeasurementFailed, AssertionError, OSError) as error:  # AssertionError: a daemon did not start, or stop
        print(f"could not measure: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nsaved as {path}, drawn as {picture}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perf", description="Measure the daemon beside its own kernels.")
    parser.add_argument("--rounds", type=_within(int, 1, ROUNDS_MAX), help=f"default: {ROUNDS}")
    parser.add_argument(
        "--seconds-each",
        type=_within(float, SECONDS_MIN, SECONDS_MAX),
        help=f"of a turn with small frames, large ones get more; default: {SECONDS:g}",
    )
    parser.add_argument(
        "--minutes",
        type=_within(float, MINUTES_MIN, MINUTES_MAX),
        default=MINUTES,
        help=f"begin no round that would end later; one is always measured; default: {MINUTES:g}",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these contenders alone")
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="all but these contenders")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it runs")
    parser.add_argument(
        "--save", type=_file_name, metavar="NAME", default="latest", help="write perf/results/NAME.json and NAME.png"
    )
    return parser


def _within(kind: type[int] | type[float], lowest: float, highest: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{text} is not within {lowest:g}..{highest:g}")
        return value

    convert.__name__ = kind.__name__  # argparse names it in its message
    return convert


def _file_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError("letters, digits, '.', '_' and '-', at most 64")
    return text


if __name__ == "__main__":
    sys.exit(main())
