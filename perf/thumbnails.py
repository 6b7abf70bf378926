"""Thumbnails: the plain load that measurements of other things than speed need."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perf.child import Child, gather, let_go
from perf.contender import Run
from perf.messages import LoadOrder
from perf.request import PHOTOGRAPH, request_of
from perf.sources import QUALITY_IN
from tests.photographs import photograph_jpeg

IN_FLIGHT: Final = 32


@contextlib.contextmanager
def picture_files(sides: Sequence[int]) -> Iterator[dict[int, str]]:
    """Write square photographs, and yield their files by side in pixels."""
    with TemporaryDirectory(prefix="oms-perf-") as folder:
        files = {}
        for side in sides:
            path = Path(folder) / f"{side}.jpg"
            path.write_bytes(photograph_jpeg(side, QUALITY_IN))
            files[side] = str(path)
        yield files


def begin_load(producer: Child, endpoint: str, in_flight: int, picture_file: str, seconds: float) -> None:
    """Let a `perf.load` run warm and go. Raises `MeasurementFailed`."""
    path = endpoint.removeprefix("ipc://")
    let_go([producer], [LoadOrder(path, request_of(PHOTOGRAPH), picture_file, in_flight)], seconds)


def run_load(producer: Child, endpoint: str, in_flight: int, picture_file: str, seconds: float) -> Run:
    """Have photographs made into thumbnails for so long. Raises `MeasurementFailed`."""
    begin_load(producer, endpoint, in_flight, picture_file, seconds)
    return gather([producer], seconds)
