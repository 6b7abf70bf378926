"""Made-up results: every contender at every place of the matrix, so that what is made of them can be foreseen."""

import functools
import io

from PIL import Image, ImageOps

from perf.contender import Run
from perf.machine import Machine
from perf.matrix import DAEMON, IDEAL, LENT, SHARP, UNTUNED, Cell, default_cells
from perf.results import About, Alone, Results, Sampled, Series, Turn, series_of
from perf.sources import source_bytes
from perf.work import Work
from tests.photographs import jpeg

RATES = {IDEAL: 1000.0, UNTUNED: 900.0, DAEMON: 900.0, LENT: 950.0, SHARP: 300.0}
"""Frames a second of 400 px, 32 in flight, on a machine with nothing else to do."""
SLOWDOWN = (1.0, 4.0, 2.0, 1.5, 1.25)
"""By round: how busy the machine was with other things."""


def machine() -> Machine:
    return Machine("a processor", 2, 8 << 30, "6.1", "3.11.7", {"omnishotd": "0.1.0"}, "abc", 0.1)


def rate_of(contender: str, cell: Cell, number: int) -> float:
    busy = min(1.0, cell.in_flight / 4 + 0.3)
    heavier = float((cell.work.pixels / 160_000) ** 0.9)
    return RATES[contender] * busy / SLOWDOWN[number] / heavier


def turn(contender: str, cell: Cell, number: int) -> Turn:
    rate = rate_of(contender, cell, number)
    frame_us = int(cell.in_flight / rate * 1e6)
    latency_us = [frame_us] * 80 + [int(1.5 * frame_us)] * 17 + [2 * frame_us] * 3
    is_bare = contender in (IDEAL, UNTUNED)
    kinds = {"bare": 1.0} if is_bare else {"broker": 0.1, "decode": 0.9, "control": 0.02}
    processor_s = {kind: share * 100 / rate * 2 for kind, share in kinds.items()}
    return Turn(Run(100, 100 / rate, latency_us, 100, []), processor_s, 0.0 if is_bare else 4 / rate, 64 << 20)


def series(contender: str, cell: Cell, rounds: int = 3) -> Series:
    place = Series(contender, cell.work.name, cell.in_flight, cell.producers, cell.saturation_share)
    return series_of(place, [turn(contender, cell, number) for number in range(rounds)])


@functools.cache
def results() -> Results:
    """All of it, in three rounds."""
    names = tuple(RATES)
    return Results(
        machine=machine(),
        rounds=3,
        seconds_each=0.8,
        took_s=600.0,
        contenders={
            name: About("1.0", "as it comes", "" if name in (DAEMON, LENT) else "no isolation") for name in names
        },
        missing={"thumbor": "not installed: run something"},
        samples={name: [Sampled("400", 18_000, 0.0 if name != SHARP else 1.5)] for name in names},
        alone={
            IDEAL: Alone([], {"bare": 90.0}, 0.0, 10.0, "3200", {"bare": 200.0}),
            DAEMON: Alone([0.7, 0.8, 0.9], {"broker": 20.0, "decode": 150.0}, 0.01, 10.0, "3200", {"decode": 400.0}),
            SHARP: Alone([0.3, 0.3, 0.3], {"node": 60.0}, 0.001, 10.0, "3200", {"node": 800.0}),
        },
        series=[series(name, cell) for cell in default_cells() for name in names if cell.has(name)],
    )


def thumbnail(work: Work, *, is_turned: bool = False) -> bytes:
    """What another library makes of it."""
    source = source_bytes(work)
    is_raw = work.source == "raw"
    image = Image.frombytes("RGB", (work.width, work.height), source) if is_raw else Image.open(io.BytesIO(source))
    width, height = work.result_size
    covering = ImageOps.cover(image, work.result_size, Image.Resampling.LANCZOS)
    left, top = (covering.width - width + 1) // 2, (covering.height - height + 1) // 2  # as the daemon rounds
    made = covering.crop((left, top, left + width, top + height))
    return jpeg(made.transpose(Image.Transpose.ROTATE_180) if is_turned else made, quality=80)
