"""A GIF's header: its screen, and what stands before the pixels of its first frame. Layout: GIF89a specification."""

import struct
from typing import Final

from ipc.errors import FrameError
from ipc.pixels import Layout
from stages.headers.header import Header, damaged

MAGICS: Final = (b"GIF87a", b"GIF89a")

BLOCKS_MAX: Final = 8192
"""Before the first frame: 2 MiB of comments."""

_SCREEN: Final = struct.Struct("<6xHHBxx")
_FRAME: Final = struct.Struct("<HHHHB")
_CONTROL: Final = struct.Struct("<BBHBB")
"""Its size, flags, time, which colour is transparent, and the block of no bytes that ends it."""
_EXTENSION, _IMAGE, _NOTHING = 0x21, 0x2C, 0x00
_GRAPHIC_CONTROL: Final = 0xF9
_CODE_BITS_MAX: Final = 8
"""Of the shortest codes of a frame: those of its colours."""
_HAS_TABLE: Final = 0x80
_HAS_TRANSPARENCY: Final = 1


def read_header(data: bytes | memoryview) -> Header:
    """Walk to the first frame. Raises `FrameError` BAD_IMAGE.

    A first frame that goes beyond the screen enlarges it, as in browsers. RGB is told of the first frame only if it
    covers the screen and nothing in it is transparent; later ones are RGBA.
    """
    try:
        return _walk(data)
    except (struct.error, IndexError):  # an offset behind the end
        raise _damaged("is cut off") from None


def _walk(data: bytes | memoryview) -> Header:
    screen_width, screen_height, flags = _SCREEN.unpack_from(data)
    at = _SCREEN.size + _table_bytes(flags)
    has_transparency = False
    left = BLOCKS_MAX
    while left > 0:
        kind = data[at]
        if kind == _IMAGE:
            return _read_frame(data, at + 1, screen_width, screen_height, has_transparency)
        if kind == _EXTENSION:
            if data[at + 1] == _GRAPHIC_CONTROL:
                has_transparency |= _read_control(data, at + 2)
            at, left = _behind_blocks(data, at + 2, left)
        elif kind == _NOTHING:  # some writers end an extension twice
            at += 1
            left -= 1
        else:
            raise _damaged("has no frame, or bytes between its blocks")
    raise _damaged(f"has more than {BLOCKS_MAX} blocks before its first frame")


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & _HAS_TABLE else 0


def _behind_blocks(data: bytes | memoryview, at: int, left: int) -> tuple[int, int]:
    """Offset behind a chain of sub-blocks, and how many more may follow."""
    for used in range(1, left + 1):
        length = data[at]
        at += length + 1
        if length == 0:
            return at, left - used
    return at, 0


def _read_control(data: bytes | memoryview, at: int) -> bool:
    size, flags, _, _, _ = _CONTROL.unpack_from(data, at)
    if size != _CONTROL.size - 2:
        raise _damaged("has a graphic control extension of impossible length")
    return bool(flags & _HAS_TRANSPARENCY)


def _read_frame(
    data: bytes | memoryview, at: int, screen_width: int, screen_height: int, has_transparency: bool
) -> Header:
    left, top, width, height, flags = _FRAME.unpack_from(data, at)
    if width == 0 or height == 0:
        raise _damaged("has a first frame with a side of 0 pixels")
    if not 1 <= data[at + _FRAME.size + _table_bytes(flags)] <= _CODE_BITS_MAX:
        raise _damaged("has a first frame with codes of impossible length")
    canvas_width, canvas_height = max(screen_width, left + width), max(screen_height, top + height)
    covers = (width, height) == (canvas_width, canvas_height)
    return Header(canvas_width, canvas_height, Layout.RGB if covers and not has_transparency else Layout.RGBA)


def _damaged(what: str) -> FrameError:
    return damaged("GIF", what)
