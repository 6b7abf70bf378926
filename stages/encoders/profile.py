"""ICC profiles that say that pixels are sRGB, for colour and for grey: always the same bytes.

Byte layout: ICC.1:2022, section 7.
"""

import functools
import struct
from typing import Final

from ipc.pixels import Layout

_HEADER_BYTES: Final = 128
_SPACE: Final = slice(16, 20)
_CREATED: Final = slice(24, 36)
_CREATED_ALWAYS: Final = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
_ENTRY: Final = struct.Struct(">4sLL")
_GREYS: Final = {b"desc": b"desc", b"cprt": b"cprt", b"wtpt": b"wtpt", b"chad": b"chad", b"rTRC": b"kTRC"}
"""What a grey profile takes over from one of colour, and its names there: its curve is that of any channel."""


@functools.cache
def profile(layout: Layout) -> bytes:
    """The profile for pixels of `layout`."""
    return _gray(_srgb()) if layout is Layout.GRAY else _srgb()


@functools.cache
def _srgb() -> bytes:
    from PIL import ImageCms

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[_CREATED] = _CREATED_ALWAYS  # littlecms writes the hour
    return bytes(data)


def _gray(srgb: bytes) -> bytes:
    """A profile of one channel with the white point and the curve of `srgb`."""
    (count,) = struct.unpack_from(">L", srgb, _HEADER_BYTES)
    entries = bytearray()
    values = bytearray()
    first = _HEADER_BYTES + 4 + len(_GREYS) * _ENTRY.size
    for index in range(count):
        tag, offset, size = _ENTRY.unpack_from(srgb, _HEADER_BYTES + 4 + index * _ENTRY.size)
        if tag in _GREYS:
            entries += _ENTRY.pack(_GREYS[tag], first + len(values), size)
            values += srgb[offset : offset + size].ljust(-(-size // 4) * 4, b"\0")
    header = bytearray(srgb[:_HEADER_BYTES])
    header[_SPACE] = b"GRAY"
    header[:4] = (first + len(values)).to_bytes(4, "big")
    return bytes(header) + struct.pack(">L", len(_GREYS)) + bytes(entries) + bytes(values)
