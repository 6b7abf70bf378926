"""Hostile PNGs."""

import functools
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image

from tests.hostile.picture import (
    BAD_IMAGE,
    BAD_REQUEST,
    SIDES,
    TOO_LARGE,
    Hostile,
    flipped,
    photograph,
    refused,
    refused_or_taken,
    taken,
)
from tests.pngs import PALETTE, RGB, SIGNATURE, chunk, ihdr, png

STAMP: Final = (64, 48)
MIB: Final = 1 << 20


def pictures() -> Iterator[Hostile]:
    """All of them."""
    yield from _cut_off()
    yield from _of_absurd_size()
    yield from _impossible_headers()
    yield from _chunks()
    yield from _spoilt_data()
    yield from _palettes()
    yield from _inflated_metadata()
    yield from _animated()


def rows(width: int, height: int, channels: int = 3) -> bytes:
    """Compressed rows of a black picture."""
    return zlib.compress(bytes((width * channels + 1) * height))


def stamp(before: bytes = b"", behind: bytes = b"", data: bytes | None = None) -> bytes:
    """A small black picture with chunks of the caller's before and behind its data."""
    idat = chunk(b"IDAT", rows(*STAMP) if data is None else data)
    return SIGNATURE + ihdr(*STAMP) + before + idat + behind + chunk(b"IEND")


def zeros(mebibytes: int) -> bytes:
    """A zlib stream of so many MiB of zeros, at about 1 KiB a MiB, made without compressing all of them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    # Adler-32 of n zeros: the low half stays 1, the high half has added it up n times.
    checksum = (mebibytes * MIB % 65_521) << 16 | 1
    return b"\x78\xda" + block * mebibytes + deflate.flush() + struct.pack(">L", checksum)


@functools.cache
def whole() -> bytes:
    """The photograph as Pillow writes it, in one IDAT chunk."""
    return _saved(photograph())


@functools.cache
def interlaced() -> bytes:
    return png(np.asarray(photograph()), interlaced=True)


def _saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def _cut_off() -> Iterator[Hostile]:
    for kind, data in (("whole", whole()), ("interlaced", interlaced())):
        first = data.index(b"IDAT")
        places = {
            "behind its signature": 8,
            "in IHDR": 20,
            "behind IHDR": 33,
            "in the head of IDAT": first + 2,
            "at a third": len(data) // 3,
            "at nine tenths": len(data) * 9 // 10,
            "before IEND": len(data) - 12,
            "in IEND": len(data) - 3,
        }
        for place, length in places.items():
            yield refused(f"{kind} cut off {place}", BAD_IMAGE, data[:length])


def _of_absurd_size() -> Iterator[Hostile]:
    most = (1 << 31) - 1
    for width, height in ((most, most), (most, 1), (1, most), (16_384, 16), (14_000, 14_000), (10_000, 5_001)):
        data = SIGNATURE + ihdr(width, height) + chunk(b"IDAT", bytes(40)) + chunk(b"IEND")
        yield refused(f"{width} x {height}", TOO_LARGE, data)
    bomb = chunk(b"IDAT", zeros(561))
    yield refused("14,000 x 14,000 that is all there", TOO_LARGE, SIGNATURE + ihdr(14_000, 14_000) + bomb)
    yield refused("width 0", BAD_IMAGE, SIGNATURE + ihdr(0, 48) + chunk(b"IDAT", rows(1, 48)) + chunk(b"IEND"))
    yield refused("height 0", BAD_IMAGE, SIGNATURE + ihdr(64, 0) + chunk(b"IDAT", rows(64, 1)) + chunk(b"IEND"))
    most_of_all = SIGNATURE + ihdr(0xFFFF_FFFF, 48) + chunk(b"IDAT", bytes(40)) + chunk(b"IEND")
    yield Hostile("width of 32 bits", most_of_all, frozenset({BAD_IMAGE, TOO_LARGE}))
    claim = SIGNATURE + ihdr(6_000, 6_000) + chunk(b"IDAT", rows(*STAMP)) + chunk(b"IEND")
    yield refused("36 megapixels, data of a stamp", BAD_IMAGE, claim)
    legal = SIGNATURE + ihdr(4_000, 3_000) + chunk(b"IDAT", rows(4_000, 3_000)) + chunk(b"IEND")
    yield taken("12 megapixels in 35 KB", legal, (4_000, 3_000))


def _impossible_headers() -> Iterator[Hostile]:
    for name, at, value in (
        ("colour type 5", 9, 5),
        ("3 bits", 8, 3),
        ("16 bits in a palette", 8, 16),
        ("compression 1", 10, 1),
        ("filter method 64", 11, 64),
        ("interlace 2", 12, 2),
    ):
        body = bytearray(struct.pack(">LLBBBBB", *STAMP, 8, PALETTE if "palette" in name else RGB, 0, 0, 0))
        body[at] = value
        plte = chunk(b"PLTE", bytes(12)) if "palette" in name else b""
        data = SIGNATURE + chunk(b"IHDR", bytes(body)) + plte + chunk(b"IDAT", rows(*STAMP)) + chunk(b"IEND")
        yield refused(name, BAD_IMAGE, data)
    short = SIGNATURE + chunk(b"IHDR", bytes(12)) + chunk(b"IDAT", rows(*STAMP)) + chunk(b"IEND")
    yield refused("IHDR of 12 bytes", BAD_IMAGE, short)
    yield refused("IHDR of 4 GiB", BAD_IMAGE, SIGNATURE + b"\xff\xff\xff\xffIHDR" + whole()[16:])
    yield refused("no IHDR", BAD_IMAGE, SIGNATURE + whole()[33:])
    yield refused("wrong CRC of IHDR", BAD_IMAGE, flipped(whole(), 30))
    yield refused("page 1 of a PNG", BAD_REQUEST, whole(), page=1)


def _chunks() -> Iterator[Hostile]:
    data = whole()
    text = chunk(b"tEXt", b"a\0b")
    yield refused("100,000 texts", BAD_IMAGE, stamp(text * 100_000))
    yield refused_or_taken("100,000 texts behind its data", BAD_IMAGE, stamp(behind=text * 100_000), STAMP)
    empty = chunk(b"IDAT") * 100_000
    yield refused_or_taken("100,000 pieces of no data", BAD_IMAGE, stamp(empty), STAMP)
    yield refused("no IDAT", BAD_IMAGE, SIGNATURE + ihdr(*STAMP) + chunk(b"IEND"))
    yield refused("chunk of 2 GiB", BAD_IMAGE, data[:33] + b"\x7f\xff\xff\xfftEXt" + data[33:])
    yield refused("chunk of 4 GiB", BAD_IMAGE, data[:33] + b"\xff\xff\xff\xfftEXt" + data[33:])
    yield refused("chunk whose name is no name", BAD_IMAGE, data[:33] + chunk(b"\0\1\2\3") + data[33:])
    yield refused("nothing but text", BAD_IMAGE, SIGNATURE + ihdr(*STAMP) + text * 500)
    yield taken("a megabyte behind its end", data + bytes(MIB), SIDES)
    point_at_self = b"MM\0*\0\0\0\x08\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x08" * 4
    yield taken("EXIF that points at itself", stamp(chunk(b"eXIf", point_at_self)), STAMP)
    second = SIGNATURE + ihdr(*STAMP) + ihdr(6_000, 6_000) + chunk(b"IDAT", rows(*STAMP)) + chunk(b"IEND")
    yield refused_or_taken("two IHDR", BAD_IMAGE, second, STAMP)


def _spoilt_data() -> Iterator[Hostile]:
    data = whole()
    start = data.index(b"IDAT") + 4
    length = struct.unpack_from(">L", data, start - 8)[0]
    yield refused("wrong CRC of IDAT", BAD_IMAGE, flipped(data, start + length + 2))
    for share in (2, 3, 5):
        spoilt = bytearray(data[start : start + length])
        spoilt[length // share] ^= 0x55
        built = data[: start - 8] + chunk(b"IDAT", bytes(spoilt)) + chunk(b"IEND")
        yield refused(f"data flipped at 1/{share}", BAD_IMAGE, built)
    yield refused("data that is no zlib stream", BAD_IMAGE, stamp(data=bytes(range(256))))
    yield refused("data of half the rows", BAD_IMAGE, stamp(data=rows(STAMP[0], STAMP[1] // 2)))
    yield refused("data of all rows but one byte", BAD_IMAGE, stamp(data=zlib.compress(bytes(193 * 48 - 1))))
    yield refused("row filter 7", BAD_IMAGE, stamp(data=zlib.compress((b"\7" + bytes(192)) * 48)))
    yield refused("wrong checksum of the zlib stream", BAD_IMAGE, stamp(data=flipped(rows(*STAMP), -1)))
    yield refused_or_taken("data of more rows", BAD_IMAGE, stamp(data=rows(STAMP[0], 200)), STAMP)
    yield refused_or_taken("data that inflates to 1 GiB", BAD_IMAGE, stamp(data=zeros(1_024)), STAMP)


def _palettes() -> Iterator[Hostile]:
    data = chunk(b"IDAT", zlib.compress((b"\0" + bytes(range(64))) * 48)) + chunk(b"IEND")
    head = SIGNATURE + ihdr(*STAMP, color=PALETTE)
    yield refused("no palette", BAD_IMAGE, head + data)
    yield refused("palette of 257 colours", BAD_IMAGE, head + chunk(b"PLTE", bytes(771)) + data)
    yield refused("palette of two and a half colours", BAD_IMAGE, head + chunk(b"PLTE", bytes(8)) + data)
    yield refused_or_taken(
        "palette shorter than its indices", BAD_IMAGE, head + chunk(b"PLTE", bytes(12)) + data, STAMP
    )
    long = head + chunk(b"PLTE", bytes(192)) + chunk(b"tRNS", bytes(256)) + data
    yield refused_or_taken("more transparencies than colours", BAD_IMAGE, long, STAMP)


def _inflated_metadata() -> Iterator[Hostile]:
    """A MiB that becomes a GiB, where a reader who wants only the picture need not look."""
    bomb = zeros(1_024)
    yield refused("profile that inflates to 1 GiB", BAD_IMAGE, stamp(chunk(b"iCCP", b"icc\0\0" + bomb)))
    yield refused_or_taken("text that inflates to 1 GiB", BAD_IMAGE, stamp(chunk(b"zTXt", b"a\0\0" + bomb)), STAMP)
    international = chunk(b"iTXt", b"a\0\1\0en\0a\0" + bomb)
    yield refused_or_taken("international text that inflates to 1 GiB", BAD_IMAGE, stamp(international), STAMP)
    behind = stamp(behind=chunk(b"zTXt", b"a\0\0" + bomb))
    yield refused_or_taken("text behind its data that inflates to 1 GiB", BAD_IMAGE, behind, STAMP)
    many = b"".join(chunk(b"zTXt", b"a\0\0" + zeros(4)) for _ in range(500))
    yield refused_or_taken("500 texts that inflate to 4 MiB each", BAD_IMAGE, stamp(many), STAMP)
    yield taken("profile of nonsense", stamp(chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(3_000)))), STAMP)


def _animated() -> Iterator[Hostile]:
    """Of an APNG the default image counts; what follows it is not to be looked at."""
    control = struct.pack(">LLLLLHHBB", 0, *STAMP, 0, 0, 1, 10, 0, 0)
    frames = b"".join(
        chunk(b"fcTL", struct.pack(">L", 2 * number + 1) + control[4:])
        + chunk(b"fdAT", struct.pack(">L", 2 * number + 2) + rows(*STAMP))
        for number in range(5_000)
    )
    animation = chunk(b"acTL", struct.pack(">LL", 5_001, 0)) + chunk(b"fcTL", control)
    yield refused_or_taken("animation of 5,001 frames", BAD_IMAGE, stamp(animation, frames), STAMP)
    endless = chunk(b"acTL", struct.pack(">LL", (1 << 31) - 1, 0))
    yield refused_or_taken("animation that claims two billion frames", BAD_IMAGE, stamp(endless), STAMP)
    beyond = chunk(b"acTL", struct.pack(">LL", 2, 0)) + chunk(
        b"fcTL", struct.pack(">LLLLLHHBB", 0, 640, 480, 9, 9, 1, 1, 0, 0)
    )
    yield refused_or_taken("animation beyond its canvas", BAD_IMAGE, stamp(beyond), STAMP)
