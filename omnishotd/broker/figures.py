"""Figures: what operators are told of the flow at one moment, put together when it is asked for. Pure."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from ipc.extents import ExtentFigures, aligned
from ipc.printable import printable
from ipc.telemetry import PRODUCERS_MAX, ArenaFigures, OwnerFigures, ProducerFigures, WorkerLoad
from omnishotd.broker.crew import Worker
from omnishotd.broker.frame import Frame, FrameState
from omnishotd.broker.schedule import Line

NAME_LENGTH_MAX: Final = 64


def arena_figures(figures: ExtentFigures) -> ArenaFigures:
    """Tell the state of the arena."""
    return ArenaFigures(
        total_bytes=figures.total_bytes,
        used_bytes=figures.used_bytes,
        high_water_bytes=figures.high_water_bytes,
        largest_free_bytes=figures.largest_free_bytes,
    )


def owner_figures(holders: Mapping[Frame, str]) -> list[OwnerFigures]:
    """Tell who holds how much of the arena, largest first. `holders`: by frame in work, who has it."""
    held_bytes: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    abandoned: Counter[str] = Counter()
    for frame, owner in holders.items():
        held_bytes[owner] += _held_bytes(frame)
        frames[owner] += 1
        abandoned[owner] += frame.state is FrameState.ABANDONED
    return [OwnerFigures(owner, count, frames[owner], abandoned[owner]) for owner, count in held_bytes.most_common()]


def producer_figures(lines: Iterable[Line]) -> list[ProducerFigures]:
    """Tell which producers have the most waiting frames, most first."""
    frames: Counter[str] = Counter()
    held_bytes: Counter[str] = Counter()
    for line in lines:
        producer = _name(line.frame)
        frames[producer] += line.count
        held_bytes[producer] += line.bytes
    most = heapq.nlargest(PRODUCERS_MAX, frames, key=frames.__getitem__)
    return [ProducerFigures(producer, frames[producer], held_bytes[producer]) for producer in most]


def load_figures(workers: Iterable[Worker]) -> dict[str, WorkerLoad]:
    """Tell how many jobs each worker holds; canaries are no load."""
    return {
        worker.service: WorkerLoad(sum(not job.frame.is_canary for batch in worker.batches for job in batch.jobs))
        for worker in workers
    }


def _held_bytes(frame: Frame) -> int:
    """Bytes of the arena that are taken for a frame."""
    extents = [frame.source, frame.pixels, *frame.results, *frame.overlays] if frame.block is None else [frame.block]
    return sum(aligned(extent.bytes) for extent in extents if extent is not None and not extent.segment)


def _name(frame: Frame) -> str:
    """Name a producer by its key's file, else as it does itself, else by its user and process."""
    peer = frame.sender.peer
    return printable(peer.name if peer.has_key else frame.request.client or peer.name)[:NAME_LENGTH_MAX]
