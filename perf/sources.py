"""Sources: what comes in of each work, made of real photographs."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perf.work import Work
from tests.photographs import photograph_jpeg, photograph_mosaic

QUALITY_IN: Final = 85


def source_bytes(work: Work) -> bytes:
    """Make what comes in: a mosaic of photographs at their own scale, so that any size has real detail."""
    if work.source == "jpeg":
        return photograph_jpeg(work.width, QUALITY_IN)
    return photograph_mosaic(work.width).crop((0, 0, work.width, work.height)).tobytes()


@contextlib.contextmanager
def source_files(works: Sequence[Work]) -> Iterator[dict[Work, Path]]:
    """Write what comes in of each work to a file, and yield these: contenders' processes read them."""
    with TemporaryDirectory(prefix="oms-perf-") as folder:
        files = {}
        for work in works:
            path = Path(folder) / f"{work.source}-{work.width}x{work.height}"
            if not path.exists():
                path.write_bytes(source_bytes(work))
            files[work] = path
        yield files
