"""Colour profiles (ICC) put together tag by tag, for what no library at hand makes. Layout: ICC.1:2022, section 7."""

import functools
import struct
from typing import Any, Final

import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed

Column = tuple[float, float, float]

WHITE: Final[Column] = (0.9642, 1.0, 0.8249)
"""D50, to which all profiles are adapted."""

DISPLAY_P3: Final[tuple[Column, ...]] = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB: Final[tuple[Column, ...]] = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
SRGB: Final[tuple[Column, ...]] = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""X, Y and Z of red, green and blue."""


def rgb_profile(primaries: tuple[Column, ...] = ADOBE_RGB, gamma: float = 2.2) -> bytes:
    """Of a display, by its primaries and one gamma. The default is much like Adobe RGB."""
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma)))


def gray_profile(gamma: float = 1.4) -> bytes:
    """Of grey by one gamma."""
    return _profile(b"GRAY", {b"kTRC": _gamma(gamma)})


@functools.cache
def library_profile(name: str) -> bytes:
    """One that comes with libvips: `srgb`, `p3`, or `cmyk`, which has tables of a real press."""
    profile: Any = pyvips.Image.profile_load(name)
    return bytes(profile)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    words = b"a test's own"
    tags = {b"desc": _description(words), b"cprt": b"text\0\0\0\0" + words + b"\0", b"wtpt": _xyz(WHITE)} | tags
    table, body = [struct.pack(">L", len(tags))], b""
    first = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table.append(struct.pack(">4sLL", name, first + len(body), len(tag)))
        body += tag + bytes(-len(tag) % 4)
    head = struct.pack(">L4sL4s4s4s", first + len(body), b"\0\0\0\0", 0x02100000, b"mntr", space, b"XYZ ")
    dated = struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp")
    illuminant = struct.pack(">28x3l", *map(_fixed, WHITE))
    return (head + dated + illuminant).ljust(128, b"\0") + b"".join(table) + body


def _description(words: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">L", len(words) + 1) + words + b"\0" + bytes(78)


def _xyz(column: Column) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3l", *map(_fixed, column))


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256))


def _fixed(value: float) -> int:
    return round(value * 65536)
