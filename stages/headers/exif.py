"""What counts of EXIF metadata, written by anyone: the picture's orientation, and who owns it.

Byte layout: TIFF 6.0, section 2, and CIPA DC-008 (EXIF), section 4.6. Whatever is wrong with it, the picture is simply
taken to be upright, and nobody's.
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

UPRIGHT: Final = 1
TEXT_BYTES_MAX: Final = 1024
"""Of each text that is read; what is longer is cut off."""

_ORIENTATION_TAG, _ARTIST_TAG, _COPYRIGHT_TAG = 0x0112, 0x013B, 0x8298
_ENTRY_BYTES: Final = 12
_ENTRIES_MAX: Final = 256  # cameras write about a dozen into the first directory
_BYTE, _ASCII, _SHORT, _LONG, _UTF8 = 1, 2, 3, 4, 129
_BYTES_IN_ENTRY: Final = 4
"""Longer values lie elsewhere in the block."""


class Rights(msgspec.Struct, frozen=True):
    """Who made a picture and who owns it; empty where nothing is said."""

    copyright: str = ""
    artist: str = ""


class _Entry(msgspec.Struct, frozen=True):
    tag: int
    kind: int
    count: int
    value_at: int
    endian: str


def orientation(tiff: bytes | memoryview) -> int:
    """Orientation 1 to 8 out of a TIFF block (what follows `Exif` and two zero bytes); 1 where there is none."""
    try:
        for entry in _entries(tiff):
            if entry.tag == _ORIENTATION_TAG:
                return _upright_unless_valid(tiff, entry)
    except struct.error:  # an offset outside the block
        pass
    return UPRIGHT


def texts(tiff: bytes | memoryview) -> Rights:
    """Read copyright and artist out of a TIFF block, each at most `TEXT_BYTES_MAX` long, without control characters."""
    found: dict[int, str] = {}
    try:
        for entry in _entries(tiff):
            if entry.tag in (_COPYRIGHT_TAG, _ARTIST_TAG) and entry.tag not in found:
                found[entry.tag] = _text(tiff, entry)
    except struct.error:  # an offset outside the block
        pass
    return Rights(found.get(_COPYRIGHT_TAG, ""), found.get(_ARTIST_TAG, ""))


def _entries(tiff: bytes | memoryview) -> Iterator[_Entry]:
    """Those of the first directory. Raises `struct.error` where the block is too short."""
    endian = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(tiff[:4]))
    if endian is None:
        return
    (directory,) = struct.unpack_from(endian + "L", tiff, 4)
    (count,) = struct.unpack_from(endian + "H", tiff, directory)
    entry = struct.Struct(endian + "HHL")
    first = directory + 2
    for at in range(first, first + min(count, _ENTRIES_MAX) * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, kind, values = entry.unpack_from(tiff, at)
        yield _Entry(tag, kind, values, at + entry.size, endian)


def _upright_unless_valid(tiff: bytes | memoryview, entry: _Entry) -> int:
    code = {_BYTE: "B", _SHORT: "H", _LONG: "L"}.get(entry.kind)
    if code is None:
        return UPRIGHT
    value: int = struct.unpack_from(entry.endian + code, tiff, entry.value_at)[0]
    return value if 1 <= value <= 8 else UPRIGHT


def _text(tiff: bytes | memoryview, entry: _Entry) -> str:
    """Declared as ASCII, it is UTF-8 from most writers that need more; else it is read as Latin-1."""
    if entry.kind not in (_ASCII, _UTF8):
        return ""
    at = entry.value_at
    if entry.count > _BYTES_IN_ENTRY:
        (at,) = struct.unpack_from(entry.endian + "L", tiff, entry.value_at)
    if at + entry.count > len(tiff):
        return ""
    written = bytes(tiff[at : at + min(entry.count, TEXT_BYTES_MAX)])
    # Copyright may have two parts, of the photographer and of the editor, with a zero byte between them.
    parts = [_readable(part) for part in written.rstrip(b"\0").split(b"\0")]
    return "; ".join(part for part in parts if part)


def _readable(written: bytes) -> str:
    try:
        text = written.decode()
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data"
        text = written[: error.start].decode() if is_cut else written.decode("latin-1")
    return "".join(character for character in text if character.isprintable()).strip()
