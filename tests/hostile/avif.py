"""Hostile AVIFs."""

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
    UNSUPPORTED_FORMAT,
    Hostile,
    flipped,
    photograph,
    refused,
    refused_or_taken,
    replaced,
    taken,
)

FTYP: Final = struct.pack(">L", 28) + b"ftypavif\0\0\0\0avifmif1miaf"
STAMP: Final = (64, 48)


def pictures() -> Iterator[Hostile]:
    """All of them."""
    yield from _cut_off()
    yield from _of_absurd_size()
    yield from _boxes()
    yield from _items()
    yield from _spoilt()
    yield from _sequences()


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">L", len(body) + 8) + kind + body


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">L", version << 24 | flags), *parts)


@functools.cache
def whole() -> bytes:
    """The photograph as libavif writes it."""
    return _saved(speed=9)


@functools.cache
def sequence() -> bytes:
    """Three frames."""
    return _saved(speed=10, save_all=True, append_images=[photograph().rotate(90), photograph().rotate(180)])


def _saved(**options: object) -> bytes:
    stream = io.BytesIO()
    photograph().save(stream, "AVIF", quality=50, **options)
    return stream.getvalue()


def _ispe(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">LL", width, height))


def of_size(width: int, height: int) -> bytes:
    """The photograph under another claim."""
    return replaced(whole(), _ispe(*SIDES), _ispe(width, height))


def _cut_off() -> Iterator[Hostile]:
    data = whole()
    pixels = data.index(b"mdat") + 4
    places = {
        "behind ftyp": 32,
        "in meta": 60,
        "in its items": data.index(b"iinf") + 6,
        "in its properties": data.index(b"ipco") + 20,
        "before mdat": pixels - 8,
        "behind the head of mdat": pixels,
        "at a third": pixels + (len(data) - pixels) // 3,
        "at nine tenths": pixels + (len(data) - pixels) * 9 // 10,
        "before its last bytes": len(data) - 4,
    }
    for place, length in places.items():
        yield refused(f"cut off {place}", BAD_IMAGE, data[:length])
    yield Hostile("cut off behind its brand", data[:12], frozenset({BAD_IMAGE, UNSUPPORTED_FORMAT}))


def _of_absurd_size() -> Iterator[Hostile]:
    most = (1 << 32) - 1
    for width, height in ((65_536, 65_536), (16_384, 16), (16, 16_384), (14_000, 14_000), (10_000, 5_001)):
        yield refused(f"{width} x {height}", TOO_LARGE, of_size(width, height))
    yield refused("2^32 - 1 on each side", TOO_LARGE, of_size(most, most))
    yield refused("width 0", BAD_IMAGE, of_size(0, SIDES[1]))
    yield refused("height 0", BAD_IMAGE, of_size(SIDES[0], 0))
    # libavif scales what it finds to what was said.
    for width, height in ((6_000, 6_000), (16, 16)):
        claim = of_size(width, height)
        yield refused_or_taken(f"{width} x {height}, data of a stamp", BAD_IMAGE, claim, (width, height))


def _boxes() -> Iterator[Hostile]:
    data = whole()
    meta = data[data.index(b"meta") - 4 : data.index(b"mdat") - 4]
    rest = data[data.index(b"mdat") - 4 :]
    deep = b""
    for _ in range(2_000):
        deep = box(b"iprp", deep)
    yield refused("2,000 boxes deep", BAD_IMAGE, FTYP + full_box(b"meta", deep) + rest)
    metas = b""
    for _ in range(2_000):
        metas = full_box(b"meta", metas)
    yield refused("2,000 metas deep", BAD_IMAGE, FTYP + metas + rest)
    yield refused("100,000 properties", BAD_IMAGE, _with_properties(box(b"free") * 100_000))
    yield refused_or_taken("100,000 boxes before meta", BAD_IMAGE, FTYP + box(b"free") * 100_000 + data[32:], SIDES)
    yield refused("box of length 1 without its long length", BAD_IMAGE, FTYP + b"\0\0\0\1meta")
    long = FTYP + struct.pack(">L4sQ", 1, b"meta", 1 << 63) + meta[8:] + rest
    yield refused("box of 2^63 bytes", BAD_IMAGE, long)
    yield refused("box of length 4", BAD_IMAGE, FTYP + b"\0\0\0\4meta" + meta[8:] + rest)
    yield refused("meta of 4 GiB", BAD_IMAGE, FTYP + b"\xff\xff\xff\xffmeta" + meta[8:] + rest)
    yield refused("no meta", BAD_IMAGE, FTYP + rest)
    yield refused("nothing but ftyp", BAD_IMAGE, FTYP)
    yield refused("two metas", BAD_IMAGE, data[:32] + meta + meta + rest)
    short = b"\0\0\0\x0bftypavi" + data[32:]
    yield Hostile("brand of 3 bytes", short, frozenset({BAD_IMAGE, UNSUPPORTED_FORMAT}))
    heic = replaced(data, b"ftypavif", b"ftypheic")
    yield refused("brand of HEIC", UNSUPPORTED_FORMAT, heic)
    yield taken("a megabyte behind its end", data + box(b"free", bytes(1 << 20)), SIDES)


def _with_properties(more: bytes) -> bytes:
    """The photograph with boxes added to its properties, and all lengths and offsets set right."""
    data = whole()
    changed = data
    for kind in (b"ipco", b"iprp", b"meta"):
        at = data.index(kind) - 4
        length = struct.unpack_from(">L", data, at)[0] + len(more)
        changed = changed[:at] + struct.pack(">L", length) + changed[at + 4 :]
    at = data.index(b"iloc") + 18
    offset = struct.unpack_from(">L", data, at)[0] + len(more)
    changed = changed[:at] + struct.pack(">L", offset) + changed[at + 4 :]
    end = data.index(b"ipma") - 4
    return changed[:end] + more + changed[end:]


def _items() -> Iterator[Hostile]:
    data = whole()
    location = data.index(b"iloc") + 18
    yield refused("data beyond the end", BAD_IMAGE, data[:location] + b"\x7f\xff\xff\xff" + data[location + 4 :])
    yield refused("data of 4 GiB", BAD_IMAGE, data[: location + 4] + b"\xff\xff\xff\xff" + data[location + 8 :])
    yield refused("data of no bytes", BAD_IMAGE, data[: location + 4] + bytes(4) + data[location + 8 :])
    yield refused("65,535 extents", BAD_IMAGE, data[: location - 2] + b"\xff\xff" + data[location:])
    yield refused("65,535 items", BAD_IMAGE, data[: location - 8] + b"\xff\xff" + data[location - 6 :])
    main = data.index(b"pitm") + 8
    yield refused("main item that is not there", BAD_IMAGE, data[:main] + b"\x00\x09" + data[main + 2 :])
    yield refused("item of another kind", BAD_IMAGE, replaced(data, b"av01Color", b"hvc1Color"))
    grid = replaced(data, b"av01Color", b"gridColor")
    yield refused("grid of garbage", BAD_IMAGE, grid)
    yield refused("grid of 256 x 256 tiles", BAD_IMAGE, _giant_grid())
    association = data.index(b"ipma") + 16
    yield refused(
        "property that is not there",
        BAD_IMAGE,
        data[: association - 1] + b"\x04\x7f\x7f\x7f\x7f" + data[association + 4 :],
    )
    yield refused("no sides", BAD_IMAGE, replaced(data, b"ispe", b"free"))
    yield refused("no configuration of the codec", BAD_IMAGE, replaced(data, b"av1C", b"free"))


def _giant_grid() -> bytes:
    """One item of 65,536 tiles, none of which is there: 16,320 x 3,000 pixels, within all limits."""
    width, height = 16_320, 3_000
    body = struct.pack(">BBBBLL", 0, 1, 255, 255, width, height)
    meta = full_box(
        b"meta",
        full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        full_box(b"pitm", struct.pack(">H", 1)),
        full_box(b"iloc", struct.pack(">BBHHHHLL", 0x44, 0, 1, 1, 0, 1, 0, len(body))),
        full_box(b"iinf", struct.pack(">H", 1), full_box(b"infe", struct.pack(">HH4sB", 1, 0, b"grid", 0), version=2)),
        box(b"iprp", box(b"ipco", _ispe(width, height)), full_box(b"ipma", struct.pack(">LHBB", 1, 1, 1, 1))),
    )
    at = len(FTYP) + len(meta) + 8
    meta = meta.replace(struct.pack(">HLL", 1, 0, len(body)), struct.pack(">HLL", 1, at, len(body)))
    return FTYP + meta + box(b"mdat", body)


def _spoilt() -> Iterator[Hostile]:
    data = whole()
    start = data.index(b"mdat") + 4
    yield refused("data of zeros", BAD_IMAGE, data[:start] + bytes(len(data) - start))
    yield refused("data of ones", BAD_IMAGE, data[:start] + b"\xff" * (len(data) - start))
    yield refused("sequence header", BAD_IMAGE, flipped(data, start + 2))
    for width, height in ((12_000, 12_000), (65_536, 65_536)):
        data_of_sides = _data_of_sides(width, height)
        yield Hostile(f"data that say {width} x {height}", data_of_sides, frozenset({BAD_IMAGE, TOO_LARGE}))
    stream = io.BytesIO()
    Image.new("L", (4_000, 4_000)).save(stream, "AVIF", speed=10, quality=10)
    small = replaced(stream.getvalue(), _ispe(4_000, 4_000), _ispe(*STAMP))
    yield refused("data of 16 megapixels under the sides of a stamp", BAD_IMAGE, small)
    for share in (2, 3, 5):
        at = start + (len(data) - start) // share
        yield refused_or_taken(f"data flipped at 1/{share}", BAD_IMAGE, flipped(data, at), SIDES)


def _data_of_sides(width: int, height: int) -> bytes:
    """The photograph, whose AV1 data tell other sides than the file around them.

    The sequence header of a still picture (AV1 specification, 5.5.1, reduced): profile 3 bits, still 1, reduced 1,
    level 5, bits of width 4, of height 4, then width and height, less one each.
    """
    data = whole()
    mdat = data.index(b"mdat") + 4
    start = mdat + 2  # behind a temporal delimiter, which is empty
    length = data[start + 1]
    if data[mdat:start] != b"\x12\0" or data[start] >> 3 != 1 or not data[start + 2] & 0x08:
        raise ValueError("libavif did not begin with a reduced sequence header")
    bits = "".join(f"{byte:08b}" for byte in data[start + 2 : start + 2 + length]).rstrip("0")
    across, down = int(bits[10:14], 2) + 1, int(bits[14:18], 2) + 1
    bits = f"{bits[:10]}{15:04b}{15:04b}{width - 1:016b}{height - 1:016b}{bits[18 + across + down :]}"
    header = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    more = len(header) - length
    body = data[mdat : start + 1] + bytes((len(header),)) + header + data[start + 2 + length :]
    at = data.index(b"iloc") + 22
    located = struct.unpack_from(">L", data, at)[0] + more
    head = data[:at] + struct.pack(">L", located) + data[at + 4 : mdat - 8]
    return head + box(b"mdat", body)


def _sequences() -> Iterator[Hostile]:
    data = sequence()
    yield taken("page 2 of three", data, SIDES, page=2)
    yield refused("page 3 of three", BAD_REQUEST, data, page=3)
    yield refused("page 1 of one", BAD_REQUEST, whole(), page=1)
    yield refused("sequence cut off in its first frame", BAD_IMAGE, data[: data.index(b"mdat") + 500])
    entries = data.index(b"stsz") + 12
    yield Hostile(
        "sequence of four billion samples",
        data[:entries] + b"\xff\xff\xff\xff" + data[entries + 4 :],
        frozenset({OK, BAD_IMAGE}),
        SIDES,
    )
