"""The benchmark: everybody by themselves, then all by turns."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perf.alone import measure_alone
from perf.contender import Entrant, MeasurementFailed, NotInstalled
from perf.harness import OnMeasured, Rounds, sample, standing
from perf.machine import machine
from perf.matrix import IDEAL, LENT, UNTUNED, Cell, turns, works_of
from perf.results import About, Alone, Results
from perf.roster import INDISPENSABLE, STAGED
from perf.sources import source_files
from perf.work import WORKS, Work

HEAVIEST: Final = WORKS["3200"]
LOADED_SECONDS: Final = 2.0
ALIKE: Final = (UNTUNED, LENT, STAGED)
"""The same processes as another's: there is nothing else to be said of them by themselves."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    cells: Sequence[Cell]
    rounds: int
    seconds: float
    """Of a turn with small frames."""
    minutes: float
    """No round is begun that would probably not end within this."""
    starts: int
    """Of each contender by itself; 0: it is not looked at by itself."""
    idle_seconds: float


def turns_in_all(entrants: Sequence[Entrant], scale: Scale) -> int:
    """How often `on_measured` will be called at most."""
    names = [entrant.name for entrant in entrants]
    alone = len(names) if scale.starts else 0
    return alone + len(names) + scale.rounds * len(list(turns(scale.cells, names, 0)))


def look(entrants: Sequence[Entrant]) -> tuple[dict[str, About], dict[str, str]]:
    """See who is there, and why the others are not."""
    about, missing = {}, {}
    for entrant in entrants:
        try:
            facts = entrant.facts()
        except NotInstalled as error:
            missing[entrant.name] = str(error)
        else:
            about[entrant.name] = About(facts.version, facts.settings, facts.less)
    return about, missing


def measure(entrants: Sequence[Entrant], scale: Scale, on_measured: OnMeasured) -> Results:
    """Measure everything. Raises `MeasurementFailed`, or AssertionError where a daemon does not start or stop."""
    # An installed daemon finds its bytecode compiled: ours must be allowed to keep it from one start to the next.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    began_s, found_machine = time.monotonic(), machine()
    about, missing = look(entrants)
    present = [entrant for entrant in entrants if entrant.name in about]
    if not present:
        raise MeasurementFailed("; ".join(f"{name}: {why}" for name, why in missing.items()) or "no contenders")
    with source_files([*works_of(scale.cells), HEAVIEST]) as files:
        alone = _everybody_alone(present, files, scale, missing, on_measured) if scale.starts else {}
        present = [entrant for entrant in present if entrant.name not in missing]
        with standing(present, files, on_measured) as found:
            reference = IDEAL if IDEAL in found.standing else present[0].name
            samples = sample(found, reference, scale.cells)
            rounds = Rounds(found, scale.cells, scale.seconds, on_measured)
            rounds.take(scale.rounds, began_s + 60 * scale.minutes)
    return Results(
        machine=found_machine,
        rounds=rounds.number,
        seconds_each=scale.seconds,
        took_s=round(time.monotonic() - began_s, 1),
        contenders=about,
        missing=missing | found.missing,
        samples=samples,
        alone=alone,
        series=rounds.series(),
    )


def _everybody_alone(
    entrants: Sequence[Entrant],
    files: Mapping[Work, Path],
    scale: Scale,
    missing: dict[str, str],
    on_measured: OnMeasured,
) -> dict[str, Alone]:
    """Look at each by itself; those that cannot be measured are added to `missing`."""
    alone = {}
    for entrant in entrants:
        if entrant.name not in ALIKE:
            try:
                alone[entrant.name] = measure_alone(
                    entrant, (HEAVIEST, files[HEAVIEST]), scale.starts, scale.idle_seconds, LOADED_SECONDS
                )
            except (MeasurementFailed, OSError) as error:
                if entrant.name in INDISPENSABLE:
                    raise MeasurementFailed(f"{entrant.name}: {error}") from None
                missing[entrant.name] = str(error)
        on_measured(f"{entrant.name} alone")
    return alone
