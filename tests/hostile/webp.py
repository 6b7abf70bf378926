"""Hostile WebPs."""

import functools
import io
import struct
from collections.abc import Iterator
from typing import Final

from PIL import Image

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

ANIMATED, EXIF, ALPHA, ICC = 0x02, 0x08, 0x10, 0x20
STAMP: Final = (64, 48)
VP8_START: Final = b"\x9d\x01\x2a"


def pictures() -> Iterator[Hostile]:
    """All of them."""
    yield from _cut_off()
    yield from _of_absurd_size()
    yield from _spoilt()
    yield from _alpha()
    yield from _chunks()
    yield from _animated()


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<L", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


def vp8x(width: int, height: int, flags: int = 0) -> bytes:
    return chunk(b"VP8X", bytes((flags, 0, 0, 0)) + _three(width - 1) + _three(height - 1))


def anmf(width: int, height: int, bitstream: bytes, left: int = 0, top: int = 0) -> bytes:
    """A frame of an animation, 10 ms long; `bitstream` is a whole chunk."""
    place = _three(left // 2) + _three(top // 2) + _three(width - 1) + _three(height - 1)
    return chunk(b"ANMF", place + _three(10) + b"\0" + bitstream)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def vp8l_header(width: int, height: int) -> bytes:
    return b"\x2f" + struct.pack("<L", width - 1 | height - 1 << 14)


def vp8_header(width: int, height: int, partition: int = 20) -> bytes:
    return _three(partition << 5 | 1 << 4) + VP8_START + struct.pack("<HH", width, height)


@functools.cache
def lossy() -> bytes:
    return _saved(photograph(), quality=80)


@functools.cache
def lossless() -> bytes:
    return _saved(photograph(), lossless=True)


@functools.cache
def with_alpha() -> bytes:
    image = photograph().copy()
    image.putalpha(Image.radial_gradient("L").resize(SIDES))
    return _saved(image, quality=80)


@functools.cache
def _stamp() -> bytes:
    """The bitstream of a small lossy picture, as a chunk."""
    return _saved(photograph().resize(STAMP), quality=50)[12:]


def _saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", **options)
    return stream.getvalue()


def _cut_off() -> Iterator[Hostile]:
    for kind, data in (("lossy", lossy()), ("lossless", lossless()), ("with alpha", with_alpha())):
        places = {
            "behind its magic": 12,
            "in its first chunk": 18,
            "in its sides": 23,
            "at a tenth": len(data) // 10,
            "at a third": len(data) // 3,
            "at nine tenths": len(data) * 9 // 10,
            "before its last bytes": len(data) - 4,
        }
        for place, length in places.items():
            yield refused(f"{kind} cut off {place}", BAD_IMAGE, data[:length])
    # The lengths say that all is there.
    body = lossless()[20:]
    yield refused("lossless of half its data", BAD_IMAGE, riff(chunk(b"VP8L", body[: len(body) // 2])))
    body = lossy()[20:]
    yield refused("lossy of half its data", BAD_IMAGE, riff(chunk(b"VP8 ", body[: len(body) // 2])))


def _of_absurd_size() -> Iterator[Hostile]:
    for width, height in ((16_383, 16_383), (10_000, 5_001)):
        yield refused(
            f"lossy {width} x {height}", TOO_LARGE, riff(chunk(b"VP8 ", vp8_header(width, height) + bytes(99)))
        )
        yield refused(
            f"lossless {width} x {height}", TOO_LARGE, riff(chunk(b"VP8L", vp8l_header(width, height) + bytes(99)))
        )
        yield refused(f"canvas {width} x {height}", TOO_LARGE, _animation(width, height))
    yield refused("lossless 16,384 x 16,384", TOO_LARGE, riff(chunk(b"VP8L", vp8l_header(16_384, 16_384) + bytes(99))))
    yield refused("canvas 16,384 x 64", TOO_LARGE, _animation(16_384, 64))
    largest = _animation(1 << 24, 1 << 24)
    yield Hostile("canvas 2^24 x 2^24", largest, frozenset({BAD_IMAGE, TOO_LARGE}))
    for width, height in ((0, 48), (64, 0)):
        data = riff(chunk(b"VP8 ", vp8_header(width, height) + bytes(99)))
        yield refused(f"lossy {width} x {height}", BAD_IMAGE, data)
    yield refused("canvas larger than its picture", BAD_IMAGE, riff(vp8x(6_000, 6_000), _stamp()))
    yield refused("canvas smaller than its picture", BAD_IMAGE, riff(vp8x(8, 8), _stamp()))
    claim = riff(chunk(b"VP8L", vp8l_header(6_000, 6_000) + lossless()[25:2_000]))
    yield refused("lossless 36 megapixels, data of a stamp", BAD_IMAGE, claim)
    claim = riff(chunk(b"VP8 ", lossy()[20:26] + struct.pack("<HH", 6_000, 6_000) + lossy()[30:3_000]))
    yield refused("lossy 36 megapixels, data of a stamp", BAD_IMAGE, claim)


def _animation(width: int, height: int) -> bytes:
    """One small frame on a canvas of any size."""
    return riff(vp8x(width, height, ANIMATED), chunk(b"ANIM", bytes(6)), anmf(*STAMP, _stamp()))


def _spoilt() -> Iterator[Hostile]:
    data = lossy()
    yield refused("frame that is no key frame", BAD_IMAGE, flipped(data, 20, 0x01))
    yield refused("wrong start code", BAD_IMAGE, flipped(data, 23))
    yield refused("first partition beyond the end", BAD_IMAGE, flipped(data, 22, 0x7F))
    yield refused("profile 7", BAD_IMAGE, flipped(data, 20, 0x0E))
    yield refused("frame that is not shown", BAD_IMAGE, flipped(data, 20, 0x10))
    yield refused("wrong signature of lossless", BAD_IMAGE, flipped(lossless(), 20, 0x01))
    yield refused("version 5 of lossless", BAD_IMAGE, flipped(lossless(), 24, 0xA0))
    garbage = bytes(range(256)) * 40
    yield refused("lossless of garbage", BAD_IMAGE, riff(chunk(b"VP8L", vp8l_header(*STAMP) + garbage)))
    for share in (2, 3, 5):
        at = len(data) // share + 50
        yield refused_or_taken(f"lossy flipped at 1/{share}", BAD_IMAGE, flipped(data, at), SIDES)
        at = len(lossless()) // share + 50
        yield refused_or_taken(f"lossless flipped at 1/{share}", BAD_IMAGE, flipped(lossless(), at), SIDES)


def _alpha() -> Iterator[Hostile]:
    canvas = vp8x(*STAMP, ALPHA)
    plain = chunk(b"ALPH", b"\0" + bytes(STAMP[0] * STAMP[1]))
    yield taken("alpha as it is", riff(canvas, plain, _stamp()), STAMP)
    for name, body in (
        ("of nothing", b""),
        ("of its header only", b"\1"),
        ("of garbage", b"\1" + bytes(range(256)) * 3),
        ("of too few bytes", b"\0" + bytes(100)),
        ("of an unknown compression", b"\3" + bytes(range(256))),
    ):
        yield refused(f"alpha {name}", BAD_IMAGE, riff(canvas, chunk(b"ALPH", body), _stamp()))
    yield refused("alpha and no picture", BAD_IMAGE, riff(canvas, plain))
    yield refused_or_taken("alpha twice", BAD_IMAGE, riff(canvas, plain, plain, _stamp()), STAMP)


def _chunks() -> Iterator[Hostile]:
    yield refused("no chunk", BAD_IMAGE, riff())
    yield refused("canvas and nothing on it", BAD_IMAGE, riff(vp8x(*STAMP)))
    yield refused("chunk of 4 GiB", BAD_IMAGE, riff(vp8x(*STAMP), b"ICCP\xff\xff\xff\xff", _stamp()))
    yield refused("canvas of 4 bytes", BAD_IMAGE, riff(chunk(b"VP8X", bytes(4)), _stamp()))
    short = bytearray(lossy())
    short[4:8] = struct.pack("<L", 40)
    yield refused("length of 40 bytes in its head", BAD_IMAGE, bytes(short))
    long = bytearray(lossy())
    long[4:8] = b"\xfe\xff\xff\xff"
    yield refused("length of 4 GiB in its head", BAD_IMAGE, bytes(long))
    many = riff(vp8x(*STAMP), chunk(b"junk", b"") * 200_000, _stamp())
    yield refused_or_taken("200,000 unknown chunks", BAD_IMAGE, many, STAMP)
    yield taken("a megabyte behind its end", lossy() + bytes(1 << 20), SIDES)
    yield taken("profile of nonsense", riff(vp8x(*STAMP, ICC), chunk(b"ICCP", bytes(999)), _stamp()), STAMP)
    exif = chunk(b"EXIF", b"II*\0\x08\0\0\0\1\0" + b"\x69\x87\4\0\1\0\0\0\x08\0\0\0" * 9)
    yield taken("EXIF that points at itself", riff(vp8x(*STAMP, EXIF), _stamp(), exif), STAMP)
    yield refused("page 1 of one", BAD_REQUEST, lossy(), page=1)


def _animated() -> Iterator[Hostile]:
    start = chunk(b"ANIM", bytes(6))
    one = anmf(*STAMP, _stamp())
    canvas = vp8x(*STAMP, ANIMATED)
    yield refused("animation without frames", BAD_IMAGE, riff(canvas, start))
    yield refused("animation without its head", BAD_IMAGE, riff(canvas, one))
    yield refused("frame beyond its canvas", BAD_IMAGE, riff(canvas, start, anmf(*STAMP, _stamp(), 20, 20)))
    other = riff(canvas, start, anmf(32, 32, _stamp()))
    yield refused_or_taken("frame of other sides than it says", BAD_IMAGE, other, STAMP)
    header = chunk(b"VP8 ", lossy()[20:26] + struct.pack("<HH", 6_000, 6_000) + lossy()[30:])
    yield refused("frame of 36 megapixels on a small canvas", BAD_IMAGE, riff(canvas, start, anmf(*STAMP, header)))
    yield refused("frame without a picture", BAD_IMAGE, riff(canvas, start, anmf(*STAMP, b"")))
    cut = riff(canvas, start, one * 3)
    yield refused("animation cut off in its first frame", BAD_IMAGE, cut[:200])
    yield taken("page 2 of three", riff(canvas, start, one * 3), STAMP, page=2)
    yield refused("page 3 of three", BAD_REQUEST, riff(canvas, start, one * 3), page=3)
    large = riff(vp8x(4_000, 4_000, ANIMATED), start, one * 40)
    yield refused("page 39 of a canvas of 16 megapixels", TOO_LARGE, large, page=39)
    yield taken("page 0 of a canvas of 16 megapixels", large, (4_000, 4_000))
    yield refused("animation on 16,383 x 16,383", TOO_LARGE, riff(vp8x(16_383, 16_383, ANIMATED), start, one * 9))
    dot = anmf(1, 1, chunk(b"VP8L", vp8l_header(1, 1) + _saved(Image.new("RGB", (1, 1)), lossless=True)[25:]))
    bomb = riff(canvas, start, dot * 20_000)
    yield Hostile("20,000 frames", bomb, frozenset({OK, BAD_IMAGE}), STAMP)
    late = frozenset({OK, BAD_IMAGE, TOO_LARGE})
    yield Hostile("page 9,999 of 20,000", bomb, late, STAMP, page=9_999)
