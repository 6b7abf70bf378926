"""GIF files put together frame by frame, for what no encoder would write. Layout: GIF89a specification."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colors = Sequence[tuple[int, int, int]]


@dataclass(frozen=True)
class Frame:
    """Indices of colours, height x width, and where they lie."""

    indices: NDArray[np.uint8]
    left: int = 0
    top: int = 0
    transparent: int | None = None
    disposal: int = 0
    table: Colors = ()
    is_interlaced: bool = False


def gif(width: int, height: int, table: Colors, *frames: Frame, end: bytes = b";") -> bytes:
    """A canvas, the table of colours of all frames that have none, and the frames."""
    screen = struct.pack("<HHBBB", width, height, _flags(table), 0, 0)
    return b"".join((b"GIF89a", screen, _written(table), *map(_frame, frames), end))


def _frame(frame: Frame) -> bytes:
    height, width = frame.indices.shape
    control = struct.pack("<BHBB", frame.disposal << 2 | (frame.transparent is not None), 10, frame.transparent or 0, 0)
    place = struct.pack("<HHHHB", frame.left, frame.top, width, height, _flags(frame.table) | frame.is_interlaced << 6)
    return (
        b"!\xf9\x04" + control + b"," + place + _written(frame.table) + compressed(frame.indices, frame.is_interlaced)
    )


def compressed(indices: NDArray[np.uint8], is_interlaced: bool = False) -> bytes:
    """Size of the first code, and the sub-blocks of codes. Taken out of a file that Pillow wrote."""
    if is_interlaced:
        indices = np.concatenate([indices[first::step] for first, step in ((0, 8), (4, 8), (2, 4), (1, 2))])
    stream = io.BytesIO()
    Image.fromarray(indices).save(stream, "GIF", interlace=0, optimize=False)
    data = stream.getvalue()
    at = data.index(b"," + struct.pack("<HHHH", 0, 0, indices.shape[1], indices.shape[0])) + 10
    table = data[at - 1]
    return data[at + (3 << (table & 7) + 1 if table & 0x80 else 0) : -1]


def _flags(table: Colors) -> int:
    return 0x80 | (len(table).bit_length() - 2) if table else 0


def _written(table: Colors) -> bytes:
    return bytes(value for color in table for value in color)
