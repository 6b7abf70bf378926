"""Results: what one run of the benchmark saw, as it is kept. Latencies are kept as percentiles, figures by round."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from perf.contender import MeasurementFailed, Run
from perf.figures import percentile
from perf.machine import Machine
from perf.work import WORKS

FOLDER: Final = Path(__file__).parent / "results"
_DIGITS: Final = 4


class About(msgspec.Struct, frozen=True):
    """What a reader has to know of a contender."""

    version: str
    settings: str
    less: str


class Sampled(msgspec.Struct, frozen=True):
    """One picture that a contender made, held against the ideal's."""

    work: str
    picture_bytes: int
    rmse: float
    """In steps of 1/255; 0 where they are the same byte for byte."""


class Alone(msgspec.Struct, frozen=True):
    """A contender by itself, while no other runs: what pages it shares, it shares with itself."""

    ready_s: list[float]
    """Of each start: from exec until it takes frames; empty where it serves nobody."""
    idle_pss_mib: dict[str, float]
    """By process, before any frame."""
    idle_processor_share: float
    """Of one core, without frames."""
    idle_seconds: float
    loaded_work: str
    loaded_pss_mib: dict[str, float]
    """By process, when all of them had most, with 32 frames in flight."""


class Series(msgspec.Struct, frozen=True):
    """What one contender did with one work under one load: a figure for each round."""

    contender: str
    work: str
    in_flight: int
    producers: int
    saturation_share: float | None
    refusal: str = ""
    """Why there are no figures."""
    frames: list[int] = []
    frames_per_second: list[float] = []
    p50_ms: list[float] = []
    p90_ms: list[float] = []
    p99_ms: list[float] = []
    longest_ms: list[float] = []
    inside_p50_ms: list[float] = []
    """As the contender itself says; empty where it says nothing."""
    processor_us: dict[str, list[float]] = {}
    """Processor time of a frame, by process."""
    producer_us: list[float] = []
    """The same of those that send."""
    pss_mib: list[float] = []
    """Of all its processes, just after the load."""

    @property
    def frame_us(self) -> list[float]:
        """Processor time of a frame in all of the contender's processes."""
        return [sum(times) for times in zip(*self.processor_us.values(), strict=True)]


class Results(msgspec.Struct, frozen=True):
    """All of it."""

    machine: Machine
    rounds: int
    seconds_each: float
    took_s: float
    contenders: dict[str, About]
    missing: dict[str, str]
    """Contenders that could not be measured, or not to the end, and why."""
    samples: dict[str, list[Sampled]]
    alone: dict[str, Alone]
    series: list[Series]

    def find(
        self, contender: str, work: str, in_flight: int, producers: int = 1, saturation_share: float | None = None
    ) -> Series | None:
        """Find the figures of one contender at one place of the matrix."""
        wanted = (contender, work, in_flight, producers, saturation_share)
        for one in self.series:
            if (one.contender, one.work, one.in_flight, one.producers, one.saturation_share) == wanted:
                return one if one.frames else None
        return None

    def busy(self, contender: str, work: str) -> Series | None:
        """Find the figures of one contender with as many frames in flight as keep everything busy."""
        return self.find(contender, work, WORKS[work].busy_in_flight)


class Turn(msgspec.Struct, frozen=True):
    """One contender's turn in one round."""

    run: Run
    processor_s: dict[str, float]
    producer_s: float
    pss_bytes: int


def series_of(place: Series, turns: Sequence[Turn]) -> Series:
    """Make the figures of one place from its turns, of which there is one a round."""
    runs = [turn.run for turn in turns]
    kinds = sorted({kind for turn in turns for kind in turn.processor_s})
    inside = [run.inside_us for run in runs if run.inside_us]

    def percentiles(percent: float) -> list[float]:
        return [_rounded(percentile(run.latency_us, percent) / 1000) for run in runs]

    return msgspec.structs.replace(
        place,
        frames=[run.frames for run in runs],
        frames_per_second=[_rounded(run.frames_per_second) for run in runs],
        p50_ms=percentiles(50),
        p90_ms=percentiles(90),
        p99_ms=percentiles(99),
        longest_ms=percentiles(100),
        inside_p50_ms=[_rounded(percentile(one, 50) / 1000) for one in inside],
        processor_us={
            kind: [_rounded(turn.processor_s.get(kind, 0.0) / turn.run.frames_in_all * 1e6) for turn in turns]
            for kind in kinds
        },
        producer_us=[_rounded(turn.producer_s / turn.run.frames_in_all * 1e6) for turn in turns],
        pss_mib=[_rounded(turn.pss_bytes / (1 << 20)) for turn in turns],
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def save(results: Results, path: Path) -> None:
    """Write results, one series a line: they are compared in version control."""
    path.parent.mkdir(exist_ok=True)
    head = msgspec.json.encode(msgspec.structs.replace(results, series=[])).removesuffix(b"]}")
    path.write_bytes(head + b"\n" + b",\n".join(map(msgspec.json.encode, results.series)) + b"\n]}\n")


def load(path: Path) -> Results:
    """Read results. Raises `MeasurementFailed`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as error:
        raise MeasurementFailed(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise MeasurementFailed(f"{path}: {error}") from None
