"""Contender: something that does the benchmark's work, and what all of them have in common.

`perf/roster.py` lists ours, `perf/peers/roster.py` everybody else's; the harness knows them by this protocol alone.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from perf.work import Work


class MeasurementFailed(Exception):
    """A contender could not be measured. The message is one line that says why."""


class NotInstalled(Exception):
    """A contender is not there. The message is one line that says what would bring it."""


@dataclass(frozen=True, slots=True)
class Load:
    """How frames are given to a contender."""

    in_flight: int
    """In all, however many producers share them; those who have no requests work in so many processes at most."""
    producers: int = 1
    """Processes that send; each keeps `in_flight / producers` in flight."""
    frames_per_second: float | None = None
    """Where given, frames are sent by the clock, whatever was answered, and latency counts from when each was due."""

    @property
    def is_open(self) -> bool:
        """Whether frames are sent by the clock."""
        return self.frames_per_second is not None


class Run(msgspec.Struct, frozen=True):
    """What was seen of one contender in one turn."""

    frames: int
    """That were finished within the time."""
    seconds: float
    """In which they were: all of the time that counts, or from the end of one frame to that of the last that counts."""
    latency_us: list[int]
    """Of each of these frames, from before it was sent (or, by the clock, was due) until its picture was there."""
    frames_in_all: int
    """Finished between the call of `measure` and its return, warm ones too: processor time is of all these."""
    inside_us: list[int] = []
    """Of each of these frames, what the contender itself says it took; empty where it says nothing."""

    @property
    def frames_per_second(self) -> float:
        """Frames that were finished in a second."""
        return self.frames / self.seconds if self.frames else 0.0


def together(runs: Sequence[Run]) -> Run:
    """Add up what processes saw that worked side by side. Their rates add up, each over its own time."""
    frames = sum(run.frames for run in runs)
    rate = sum(run.frames_per_second for run in runs)
    return Run(
        frames=frames,
        seconds=frames / rate if rate else max(run.seconds for run in runs),
        latency_us=[latency_us for run in runs for latency_us in run.latency_us],
        frames_in_all=sum(run.frames_in_all for run in runs),
        inside_us=[inside_us for run in runs for inside_us in run.inside_us],
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader has to know of a contender."""

    version: str
    """Of it, and of the libraries that do the work."""
    settings: str
    """What was set, and why this is its best; one sentence."""
    less: str
    """What it does less than the daemon: "no requests, no isolation"; empty of the daemon itself."""


class Contender(Protocol):
    """One that runs and waits for its turn; while it waits it takes (next to) no processor time."""

    def refusal(self, work: Work, load: Load) -> str | None:
        """Say why it is not measured at this ("no raw pixels", "no producers"), in four words at most; else None."""

    def sample(self, work: Work) -> bytes:
        """Do the work once and return the JPEG. Raises `MeasurementFailed`."""

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        """Warm up, then work for so long, and come to rest. Raises `MeasurementFailed`.

        Warm: every process has done the work in question a few times, the pipe is full. At rest: nothing is in flight.
        """

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Process ids by what they are ("broker", "decode", "node"): what they take is the contender's cost.

        Asked again before and after each run: processes may be replaced. Whatever belongs to it, and nobody else.
        """

    def producers(self) -> Sequence[int]:
        """Process ids of those that send: what they take is told beside the contender's cost. Empty: there are none."""


class Entrant(Protocol):
    """A contender that can be started. Made without doing anything."""

    @property
    def name(self) -> str:
        """How it is called in tables and on the command line: "sharp", "pillow"."""

    def facts(self) -> Facts:
        """Look whether it is there, without starting it. Raises `NotInstalled`."""

    def start(self, files: Mapping[Work, Path]) -> AbstractContextManager[Contender]:
        """Start it and its producers, wait until it takes frames, and end all of them at the end.

        `files`: what comes in of each work; a work that is not among them will not be asked for. Raises
        `MeasurementFailed`.
        """

    def time_start(self) -> float:
        """Seconds from exec until it takes frames, of one that is started and ended for this. NaN: it has no start."""
