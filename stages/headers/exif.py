"""Orientation of a picture, from EXIF metadata written by anyone.

Byte layout: TIFF 6.0, section 2, and CIPA DC-008 (EXIF), section 4.6.4. Whatever is wrong with it, the picture is
simply taken to be upright.
"""

import struct
from typing import Final

UPRIGHT: Final = 1

_ORIENTATION_TAG: Final = 0x0112
_ENTRY_BYTES: Final = 12
_ENTRIES_MAX: Final = 256  # cameras write about a dozen into the first directory
_BYTE, _SHORT, _LONG = 1, 3, 4


def orientation(tiff: bytes | memoryview) -> int:
    """Orientation 1 to 8 out of a TIFF block (what follows `Exif` and two zero bytes); 1 where there is none."""
    try:
        return _orientation(tiff)
    except struct.error:  # an offset outside the block
        return UPRIGHT


def _orientation(tiff: bytes | memoryview) -> int:
    mark = bytes(tiff[:4])
    if mark == b"II*\0":
        endian = "<"
    elif mark == b"MM\0*":
        endian = ">"
    else:
        return UPRIGHT
    (directory,) = struct.unpack_from(endian + "L", tiff, 4)
    (count,) = struct.unpack_from(endian + "H", tiff, directory)
    entry = struct.Struct(endian + "HHL")
    first = directory + 2
    for at in range(first, first + min(count, _ENTRIES_MAX) * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, kind, _ = entry.unpack_from(tiff, at)
        if tag == _ORIENTATION_TAG:
            return _upright_unless_valid(tiff, at + 8, kind, endian)
    return UPRIGHT


def _upright_unless_valid(tiff: bytes | memoryview, at: int, kind: int, endian: str) -> int:
    code = {_BYTE: "B", _SHORT: "H", _LONG: "L"}.get(kind)
    if code is None:
        return UPRIGHT
    value: int = struct.unpack_from(endian + code, tiff, at)[0]
    return value if 1 <= value <= 8 else UPRIGHT
