"""Complaints: how Pillow says that a picture is damaged or that memory is short, made into what producers are told."""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import Final

from ipc.errors import ErrorCode, FrameError
from stages.shortage import check_room, tells_of_shortage

_COMPLAINTS: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError, Warning),
    *(struct.error, zlib.error),
)


@contextlib.contextmanager
def heard(format_name: str, room_bytes: int) -> Iterator[None]:
    """Raise FrameError BAD_IMAGE for what Pillow raises or warns of.

    MemoryError where there are no `room_bytes`, the most that the libraries below it take: these fail in the same words
    whether the picture or the memory is at fault.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except _COMPLAINTS as error:
        said = str(error)
    else:
        return
    # Here, where all that was taken is free again.
    if tells_of_shortage(said):
        raise MemoryError(said)
    check_room(room_bytes)
    raise FrameError(ErrorCode.BAD_IMAGE, f"{format_name} is {'truncated' if 'runcated' in said else 'corrupt'}")
