"""Matrix: which contenders do which work under which load, and for how long. Pure.

All of it would take hours. What is compared with everybody is the plain case; the rest is asked of those whose answer
says something.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from perf.contender import Load
from perf.work import SIDES, WORKS, Work

IDEAL, UNTUNED, DAEMON, LENT, SHARP = "ideal", "untuned", "daemon", "lent", "sharp"
LOADS: Final = (1, 2, 4, 8, 16, 32, 64)
SATURATION_SHARE: Final = 0.7

_THUMBNAILS: Final = tuple(WORKS[str(side)] for side in SIDES)
_FULL_SIZE: Final = tuple(WORKS[f"{side}-full"] for side in SIDES)
_RAW: Final = (WORKS["raw-1080p"], WORKS["raw-1080p-full"])
_LOAD_WORK: Final = WORKS["800"]
_SMALL_AND_LARGE: Final = (WORKS["400"], WORKS["1600"])
_SERVERS: Final = (DAEMON, SHARP)


@dataclass(frozen=True, slots=True)
class Cell:
    """One work under one load, and who does it."""

    work: Work
    in_flight: int
    contenders: tuple[str, ...] | None = None
    """None: all."""
    producers: int = 1
    saturation_share: float | None = None
    """Frames are sent by the clock: this share of what the same one has done in a plain cell, in this round."""

    @property
    def is_plain(self) -> bool:
        """Whether one producer keeps everything busy."""
        is_busy = self.in_flight == self.work.busy_in_flight
        return is_busy and self.producers == 1 and self.saturation_share is None

    @property
    def name(self) -> str:
        """How it is called on the progress bar."""
        load = f"{self.in_flight} in flight"
        if self.saturation_share is not None:
            load = f"{self.saturation_share:.0%} of saturation"
        return f"{self.work.name}, {load}" + (f", {self.producers} producers" if self.producers > 1 else "")

    def load(self, saturation: float) -> Load:
        """The load, where `saturation` is the rate that the contender had at most."""
        rate = None if self.saturation_share is None else self.saturation_share * saturation
        return Load(self.in_flight, self.producers, rate)

    def has(self, contender: str) -> bool:
        """Whether a contender is asked."""
        return self.contenders is None or contender in self.contenders

    def seconds(self, base: float) -> float:
        """How long one turn is: large frames are few, and a tail needs many."""
        if self.saturation_share is not None:
            return 4 * base
        if self.work.result == "full":
            return base * (3 if self.work.pixels > 4_000_000 else 2 if self.work.pixels > 1_000_000 else 1)
        return 2 * base if self.work.pixels > 4_000_000 else base


def default_cells() -> list[Cell]:
    """What `make bench` measures; cells that are compared with one another stand together."""
    return [
        *(_busy(work) for work in _THUMBNAILS),
        *(_busy(work, *(() if work.width == 800 else (IDEAL, DAEMON, SHARP))) for work in _FULL_SIZE),
        *(_busy(work) for work in _RAW),
        *(Cell(work, 1, None if work.width == 400 else (IDEAL, DAEMON, SHARP)) for work in _THUMBNAILS),
        Cell(_RAW[1], 1, (IDEAL, DAEMON, LENT)),
        *(Cell(_LOAD_WORK, load, _SERVERS) for load in LOADS if load not in (1, _LOAD_WORK.busy_in_flight)),
        *(Cell(work, 8, _SERVERS) for work in _SMALL_AND_LARGE),
        *(_busy(work, DAEMON, LENT, SHARP, producers=4) for work in _SMALL_AND_LARGE),
        *(_busy(work, DAEMON, saturation_share=SATURATION_SHARE) for work in _THUMBNAILS[:3]),
        _busy(_LOAD_WORK, SHARP, saturation_share=SATURATION_SHARE),
    ]


def quick_cells() -> list[Cell]:
    """What shows in half a minute that everything runs."""
    small, middle = _THUMBNAILS[:2]
    return [
        _busy(small),
        _busy(middle, IDEAL, DAEMON),
        _busy(_RAW[1], IDEAL, DAEMON, LENT),
        Cell(small, 1, (IDEAL, DAEMON)),
        _busy(small, DAEMON, saturation_share=SATURATION_SHARE),
    ]


def check_cells() -> list[Cell]:
    """What a change of our own code can make worse."""
    return [
        *(_busy(work, IDEAL, DAEMON) for work in _THUMBNAILS),
        *(_busy(work, IDEAL, DAEMON) for work in (_FULL_SIZE[1], _FULL_SIZE[3])),
        _busy(_RAW[1], IDEAL, DAEMON, LENT),
        *(Cell(work, 1, (IDEAL, DAEMON)) for work in _SMALL_AND_LARGE),
        _busy(_THUMBNAILS[0], DAEMON, producers=4),
        *(_busy(work, DAEMON, saturation_share=SATURATION_SHARE) for work in _THUMBNAILS[:2]),
    ]


def _busy(work: Work, *contenders: str, producers: int = 1, saturation_share: float | None = None) -> Cell:
    return Cell(work, work.busy_in_flight, contenders or None, producers, saturation_share)


def works_of(cells: Sequence[Cell]) -> list[Work]:
    """List the works that are needed, each once."""
    return list(dict.fromkeys(cell.work for cell in cells))


def turns(cells: Sequence[Cell], contenders: Sequence[str], number: int) -> Iterator[tuple[Cell, str]]:
    """One round: in each cell all take their turns, another one first each round."""
    first = number % max(1, len(contenders))
    in_turn = [*contenders[first:], *contenders[:first]]
    for cell in cells:
        yield from ((cell, name) for name in in_turn if cell.has(name))
