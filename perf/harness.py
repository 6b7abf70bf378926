"""The harness: contenders that stand, and the rounds in which they take turns."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from perf.contender import Contender, Entrant, Load, MeasurementFailed
from perf.matrix import Cell, turns
from perf.memory import pss_bytes_of
from perf.results import Sampled, Series, Turn, series_of
from perf.roster import INDISPENSABLE
from perf.sameness import compare
from perf.work import Work

OnMeasured = Callable[[str], None]

_Place = tuple[Cell, str]


@dataclass(slots=True)
class Field:
    """Contenders that were started, and those that are out of it."""

    standing: dict[str, Contender]
    missing: dict[str, str] = field(default_factory=dict)
    """Why, by name."""

    def drop(self, name: str, error: Exception) -> None:
        """Go on without one that failed. Raises `MeasurementFailed` where nothing can be said without it."""
        if name in INDISPENSABLE:
            raise MeasurementFailed(f"{name}: {error}") from None
        self.missing[name] = str(error)
        self.standing.pop(name, None)


@contextlib.contextmanager
def standing(entrants: Sequence[Entrant], files: Mapping[Work, Path], on_measured: OnMeasured) -> Iterator[Field]:
    """Start all. Those whose turn it is not are idle."""
    with contextlib.ExitStack() as stack:
        found = Field({})
        for entrant in entrants:
            try:
                found.standing[entrant.name] = stack.enter_context(entrant.start(files))
            except (MeasurementFailed, OSError) as error:
                found.drop(entrant.name, error)
            on_measured(f"starting {entrant.name}")
        yield found


def sample(found: Field, reference: str, cells: Sequence[Cell]) -> dict[str, list[Sampled]]:
    """Have everybody make a picture of each of its works, and hold it against the reference's.

    Raises `MeasurementFailed` where one of ours made another one; a peer whose picture is not the same is dropped.
    """
    samples: dict[str, list[Sampled]] = {}
    expected: dict[Work, bytes] = {}
    names = [reference, *(name for name in found.standing if name != reference)]
    for name in [name for name in names if name in found.standing]:
        contender = found.standing[name]
        for work in dict.fromkeys(cell.work for cell in cells if cell.has(name)):
            if contender.refusal(work, Load(work.busy_in_flight)):
                continue
            try:
                picture = contender.sample(work)
                expected.setdefault(work, picture)
                samples.setdefault(name, []).append(compare(name, work, picture, expected[work]))
            except (MeasurementFailed, OSError) as error:
                found.drop(name, error)
                samples.pop(name, None)
                break
    return samples


class Rounds:
    """Turns as they are taken."""

    def __init__(self, found: Field, cells: Sequence[Cell], seconds: float, on_measured: OnMeasured) -> None:
        self._found = found
        self._cells = cells
        self._seconds = seconds
        self._on_measured = on_measured
        self._turns: dict[_Place, list[Turn]] = {}
        self._refusals: dict[_Place, str] = {}
        self.number = 0

    def take(self, rounds_max: int, until_s: float) -> None:
        """Take rounds: so many, or as many as end before `until_s` of the monotonic clock; at least one.

        Raises `MeasurementFailed`.
        """
        longest_s = 0.0
        while self.number < rounds_max and (self.number == 0 or time.monotonic() + longest_s < until_s):
            began_s = time.monotonic()
            self._take_one(rounds_max)
            self.number += 1
            longest_s = max(longest_s, time.monotonic() - began_s)

    def series(self) -> list[Series]:
        """Return what was seen. One that did not come to the end has no figures: it has not all of the rounds."""
        found = []
        for cell in self._cells:
            for name in [*self._found.standing, *self._found.missing]:
                place = Series(name, cell.work.name, cell.in_flight, cell.producers, cell.saturation_share)
                taken = self._turns.get((cell, name), [])
                if len(taken) == self.number:
                    found.append(series_of(place, taken))
                elif reason := self._refusals.get((cell, name)):
                    found.append(Series(*_key(place), refusal=reason))
        return found

    def _take_one(self, rounds_max: int) -> None:
        saturation: dict[tuple[str, Work], float] = {}
        for cell, name in turns(self._cells, list(self._found.standing), self.number):
            contender = self._found.standing.get(name)
            if contender is not None:
                rate = saturation.get((name, cell.work), 0.0)
                taken = self._turn(contender, cell, name, rate)
                if taken is not None and cell.is_plain:
                    saturation[name, cell.work] = taken.run.frames_per_second
            self._on_measured(f"round {self.number + 1} of {rounds_max}: {cell.name}, {name}")

    def _turn(self, contender: Contender, cell: Cell, name: str, saturation: float) -> Turn | None:
        load = cell.load(saturation)
        reason = "not saturated before" if load.frames_per_second == 0 else contender.refusal(cell.work, load)
        if reason:
            self._refusals[cell, name] = reason
            return None
        try:
            taken = take_turn(contender, cell.work, load, cell.seconds(self._seconds))
        except (MeasurementFailed, OSError) as error:
            if load.is_open:
                self._refusals[cell, name] = str(error)  # it did not keep up: nothing else is wrong with it
            else:
                self._found.drop(name, error)
            return None
        self._turns.setdefault((cell, name), []).append(taken)
        return taken


def take_turn(contender: Contender, work: Work, load: Load, seconds: float) -> Turn:
    """Let one contender work, and see what it took. Raises `MeasurementFailed`."""
    processes = contender.processes()
    before_s = {kind: processor_taken_s(pids) for kind, pids in processes.items()}
    producers_before_s = processor_taken_s(contender.producers())
    run = contender.measure(work, load, seconds)
    if not run.frames:
        raise MeasurementFailed(f"{work.name}: not two frames in {seconds:g} s")
    taken_s = {kind: max(0.0, processor_taken_s(pids) - before_s[kind]) for kind, pids in processes.items()}
    producer_s = processor_taken_s(contender.producers()) - producers_before_s
    return Turn(run, taken_s, producer_s, pss_bytes_of(pid for pids in processes.values() for pid in pids))


def processor_taken_s(pids: Sequence[int]) -> float:
    """Processor time that processes have taken so far; one that has ended counts nothing."""
    total_s = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system
    return total_s


def _key(place: Series) -> tuple[str, str, int, int, float | None]:
    return place.contender, place.work, place.in_flight, place.producers, place.saturation_share
