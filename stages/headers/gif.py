"""A GIF's header: its screen, and what stands before the pixels of its first frame."""

from typing import Final

from ipc.errors import FrameError
from ipc.pixels import Layout
from stages.headers.gif_blocks import Walk
from stages.headers.header import Header, damaged

MAGICS: Final = (b"GIF87a", b"GIF89a")

BLOCKS_MAX: Final = 8192
"""Up to the first frame: 2 MiB of comments."""

_CODE_BITS_MAX: Final = 8
"""Of the shortest codes of a frame: those of its colours."""


def read_header(data: bytes | memoryview) -> Header:
    """Walk to the first frame. Raises `FrameError` BAD_IMAGE.

    A first frame that goes beyond the screen enlarges it, as in browsers. RGB is told of the first frame only if it
    covers the screen and nothing in it is transparent; later ones are RGBA.
    """
    walk = Walk(data, BLOCKS_MAX)
    frame = walk.next_frame()
    if frame is None:
        raise _damaged("has no frame" if walk.is_ended else "is cut off")
    code_bits = walk.code_bits()
    if not 1 <= code_bits <= _CODE_BITS_MAX:
        raise _damaged("has a first frame with codes of impossible length")
    width, height = max(walk.width, frame.left + frame.width), max(walk.height, frame.top + frame.height)
    covers = (frame.width, frame.height) == (width, height)
    return Header(width, height, Layout.RGB if covers and not frame.is_transparent else Layout.RGBA)


def _damaged(what: str) -> FrameError:
    return damaged("GIF", what)
