"""Decode: compressed bytes in memory become pixels in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages import decoders
from stages.raster import bytes_at, pixels_at

if TYPE_CHECKING:
    from ipc.messages import Decode
    from stages.raster import Ground


def decode(step: Decode, ground: memoryview | Ground) -> None:
    """Decode into exactly `step.target`.

    FrameError BAD_IMAGE, UNSUPPORTED_FORMAT or BAD_REQUEST (there is no such page) where the data is at fault,
    MemoryError where it takes too much, ValueError where the step is: then nothing was written. After BAD_IMAGE the
    target may hold part of a picture.
    """
    source = bytes_at(ground, step.source)
    target = pixels_at(ground, step.target, step.geometry)
    decoders.decode(source, step.format, step.geometry, target, step.page)


def warm() -> None:
    """Import and run once what frames will need: later nothing can be loaded any more."""
    decoders.warm()
