"""Hostile GIFs."""

import functools
import io
import struct
from collections.abc import Iterator
from typing import Final

from tests.hostile.picture import (
    BAD_IMAGE,
    BAD_REQUEST,
    OK,
    SIDES,
    TOO_LARGE,
    Hostile,
    flipped,
    photograph,
    refused,
    refused_or_taken,
    taken,
)

STAMP: Final = (16, 8)
TRAILER: Final = b";"


def pictures() -> Iterator[Hostile]:
    """All of them."""
    yield from _cut_off()
    yield from _of_absurd_size()
    yield from _compressed_badly()
    yield from _blocks()
    yield from _pages()


def screen(width: int, height: int, magic: bytes = b"GIF89a") -> bytes:
    """Magic, size of the canvas and a global table of four colours."""
    return magic + struct.pack("<HHBBB", width, height, 0x91, 0, 0) + bytes((0, 0, 0, 255, 0, 0, 0, 255, 0, 9, 9, 9))


def blocks(data: bytes) -> bytes:
    """Data in blocks of at most 255 bytes, and the empty one that ends them."""
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def codes(values: list[int], bits: int = 3) -> bytes:
    """LZW codes, all of `bits` bits: clear codes among them must keep them from growing."""
    number = 0
    for at, value in enumerate(values):
        number |= value << at * bits
    return number.to_bytes((len(values) * bits + 7) // 8, "little")


CLEAR, END = 4, 5


def pixels(count: int, *, ends: bool = True) -> bytes:
    """LZW data of so many pixels of colour 1, uncompressed."""
    values: list[int] = []
    for at in range(count):
        if at % 2 == 0:
            values.append(CLEAR)
        values.append(1)
    return codes([*values, END] if ends else values)


def frame(width: int, height: int, left: int = 0, top: int = 0, *, data: bytes | None = None, depth: int = 2) -> bytes:
    """An image descriptor and its pixels."""
    place = struct.pack("<HHHHB", left, top, width, height, 0)
    return b"," + place + bytes((depth,)) + blocks(pixels(width * height) if data is None else data)


@functools.cache
def whole() -> bytes:
    """The photograph as Pillow writes it."""
    stream = io.BytesIO()
    photograph().save(stream, "GIF")
    return stream.getvalue()


@functools.cache
def many_frames(count: int) -> bytes:
    """Tiny frames, each in another place of the canvas."""
    return screen(*STAMP) + b"".join(frame(1, 1, at % 16, at // 16 % 8) for at in range(count)) + TRAILER


def _cut_off() -> Iterator[Hostile]:
    data = whole()
    places = {
        "behind its magic": 6,
        "in its canvas": 9,
        "in its table of colours": 400,
        "before its picture": data.index(b",\0\0\0\0"),
        "behind its descriptor": data.index(b",\0\0\0\0") + 10,
        "at a third": len(data) // 3,
        "at nine tenths": len(data) * 9 // 10,
    }
    for place, length in places.items():
        yield refused(f"cut off {place}", BAD_IMAGE, data[:length])
    # All of the picture is there: who reads only that never learns what is missing.
    yield refused_or_taken("cut off before its trailer", BAD_IMAGE, data[:-1], SIDES)


def _of_absurd_size() -> Iterator[Hostile]:
    for width, height in ((65_535, 65_535), (65_535, 1), (1, 65_535), (16_384, 16), (14_000, 14_000), (10_000, 5_001)):
        yield refused(f"{width} x {height}", TOO_LARGE, screen(width, height) + frame(*STAMP) + TRAILER)
    # A canvas grows to its first frame, as browsers and Pillow have it; or the file is refused.
    yield refused_or_taken("width 0", BAD_IMAGE, screen(0, 8) + frame(1, 8) + TRAILER, (1, 8))
    yield refused_or_taken("height 0", BAD_IMAGE, screen(16, 0) + frame(16, 1) + TRAILER, (16, 1))
    yield refused("frame of no pixels", BAD_IMAGE, screen(*STAMP) + frame(0, 0, data=codes([CLEAR, END])) + TRAILER)
    huge = screen(*STAMP) + frame(65_535, 65_535, data=pixels(100)) + TRAILER
    yield Hostile("frame of 65,535 x 65,535 on a small canvas", huge, frozenset({BAD_IMAGE, TOO_LARGE}))
    beyond = screen(*STAMP) + frame(*STAMP, 10, 5) + TRAILER
    yield refused_or_taken("frame beyond its canvas", BAD_IMAGE, beyond, (26, 13))
    outside = screen(*STAMP) + frame(4, 4, 60_000, 60_000) + TRAILER
    yield Hostile("frame outside of its canvas", outside, frozenset({BAD_IMAGE, TOO_LARGE}))
    script = b"GIF89a/*" + b"*/=1;alert(1)//" + bytes(1_000)
    yield Hostile("that is also a script", script, frozenset({BAD_IMAGE, TOO_LARGE}))


def _compressed_badly() -> Iterator[Hostile]:
    count = STAMP[0] * STAMP[1]
    for name, depth in (("0", 0), ("13", 13), ("255", 255)):
        yield refused(f"codes of {name} bits", BAD_IMAGE, screen(*STAMP) + frame(*STAMP, depth=depth) + TRAILER)
    none = screen(*STAMP) + frame(*STAMP, data=codes([CLEAR, END])) + TRAILER
    yield refused("no pixels before the end code", BAD_IMAGE, none)
    yield refused("no data", BAD_IMAGE, screen(*STAMP) + frame(*STAMP, data=b"") + TRAILER)
    half = screen(*STAMP) + frame(*STAMP, data=pixels(count // 2)) + TRAILER
    yield refused("half of its pixels", BAD_IMAGE, half)
    unknown = screen(*STAMP) + frame(*STAMP, data=codes([CLEAR, 7] * count)) + TRAILER
    yield refused("codes that are not there yet", BAD_IMAGE, unknown)
    endless = screen(*STAMP) + frame(*STAMP, data=pixels(count, ends=False)) + TRAILER
    yield refused_or_taken("no end code", BAD_IMAGE, endless, STAMP)
    more = screen(*STAMP) + frame(*STAMP, data=pixels(count * 9)) + TRAILER
    yield refused_or_taken("nine times its pixels", BAD_IMAGE, more, STAMP)
    clears = screen(*STAMP) + frame(*STAMP, data=codes([CLEAR] * 40_000)) + TRAILER
    yield refused("nothing but clear codes", BAD_IMAGE, clears)
    for share in (2, 3, 5):
        at = len(whole()) // share + 200
        yield refused_or_taken(f"data flipped at 1/{share}", BAD_IMAGE, flipped(whole(), at), SIDES)


def _blocks() -> Iterator[Hostile]:
    yield refused("no picture", BAD_IMAGE, screen(*STAMP) + TRAILER)
    yield refused("nothing behind its canvas", BAD_IMAGE, screen(*STAMP))
    yield refused("unknown block", BAD_IMAGE, screen(*STAMP) + b"\x99" + frame(*STAMP) + TRAILER)
    long = b"!\xfe" + b"\1a" * (1 << 20) + b"\0"
    comment = screen(*STAMP) + long + frame(*STAMP) + TRAILER
    yield refused_or_taken("comment of a million blocks", BAD_IMAGE, comment, STAMP)
    many = screen(*STAMP) + (b"!\xfe" + blocks(b"a")) * 200_000 + frame(*STAMP) + TRAILER
    yield refused_or_taken("200,000 comments", BAD_IMAGE, many, STAMP)
    controls = screen(*STAMP) + b"!\xf9\4\1\0\0\xff\0" * 50_000 + frame(*STAMP) + TRAILER
    yield refused_or_taken("50,000 controls", BAD_IMAGE, controls, STAMP)
    bare = b"GIF89a" + struct.pack("<HHBBB", *STAMP, 0, 0, 0) + frame(*STAMP) + TRAILER
    yield refused_or_taken("no table of colours", BAD_IMAGE, bare, STAMP)
    yield taken("a megabyte behind its trailer", screen(*STAMP) + frame(*STAMP) + TRAILER + bytes(1 << 20), STAMP)


def _pages() -> Iterator[Hostile]:
    yield taken("frame 0 of 5,000", many_frames(5_000), STAMP)
    yield refused("page 1 of one", BAD_REQUEST, screen(*STAMP) + frame(*STAMP) + TRAILER, page=1)
    yield refused("page 9,999 of 5,000", BAD_REQUEST, many_frames(5_000), page=9_999)
    late = many_frames(5_000)
    yield Hostile("page 4,999 of 5,000", late, frozenset({OK, BAD_IMAGE, TOO_LARGE}), STAMP, page=4_999)
    large = screen(2_000, 2_000) + frame(*STAMP) * 100 + TRAILER
    yield refused("page 99 of a canvas of four megapixels", TOO_LARGE, large, page=99)
    second = screen(*STAMP) + frame(*STAMP) + frame(*STAMP, data=pixels(9)) + TRAILER
    yield taken("second frame is broken, first is asked for", second, STAMP)
    yield refused("second frame is broken and asked for", BAD_IMAGE, second, page=1)
