"""Hostile JPEGs."""

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.hostile.picture import (
    BAD_IMAGE,
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
from tests.photographs import jpeg
from tests.stages.jpegs import exif, frame_header, header, scan_header, segment, with_segment

FIXTURES: Final = Path(__file__).parent.parent / "fixtures"
SOF0, SOF2, SOS, DQT, DHT = b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xdb", b"\xff\xc4"
ICC_BYTES: Final = 65_519
"""What of a profile fits into one segment."""


def pictures() -> Iterator[Hostile]:
    """All of them."""
    yield from _cut_off()
    yield from _flipped()
    yield from _other_processes()
    yield from _of_absurd_size()
    yield from _bombs()
    yield from _disordered()
    yield from _with_hostile_metadata()


@functools.cache
def baseline() -> bytes:
    return jpeg(photograph(), quality=85)


@functools.cache
def progressive() -> bytes:
    return jpeg(photograph(), quality=85, progressive=True)


def _cut_off() -> Iterator[Hostile]:
    for kind, data in (("baseline", baseline()), ("progressive", progressive())):
        frame = data.index(SOF0 if kind == "baseline" else SOF2)
        scan = data.index(SOS)
        places = {
            "behind SOI": 3,
            "in its first segment": 10,
            "in its frame header": frame + 6,
            "before its scan": scan,
            "in its scan header": scan + 5,
            "behind its scan header": scan + 14,
            "at a third": len(data) // 3,
            "at nine tenths": len(data) * 9 // 10,
            "before EOI": len(data) - 2,
        }
        for place, length in places.items():
            yield refused(f"{kind} cut off {place}", BAD_IMAGE, data[:length])
    yield refused("CMYK cut off at half", BAD_IMAGE, _half(jpeg(photograph().convert("CMYK"))))
    yield refused("grey cut off at half", BAD_IMAGE, _half(jpeg(photograph().convert("L"))))


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped() -> Iterator[Hostile]:
    data = baseline()
    frame, scan, tables, huffman = (data.index(marker) for marker in (SOF0, SOS, DQT, DHT))
    yield refused("precision of another process", UNSUPPORTED_FORMAT, flipped(data, frame + 4, 0x04))
    yield refused("length of the frame header", BAD_IMAGE, flipped(data, frame + 3, 0x20))
    yield refused("sampling of 0", BAD_IMAGE, flipped(data, frame + 11, 0x22))
    yield refused("quantisation table that is not there", BAD_IMAGE, flipped(data, frame + 12, 0x03))
    yield refused("length of a quantisation table", BAD_IMAGE, flipped(data, tables + 3, 0x11))
    yield refused("number of a Huffman table", BAD_IMAGE, flipped(data, huffman + 4, 0xEE))
    yield refused("counts of a Huffman table", BAD_IMAGE, flipped(data, huffman + 5, 0xFF))
    yield refused("component of a scan", BAD_IMAGE, flipped(data, scan + 5, 0x70))
    # What a flip does to entropy-coded data can be a legal picture: then it must have its own size.
    for share in (2, 3, 5, 7):
        at = scan + 14 + (len(data) - scan) // share
        yield refused_or_taken(f"data flipped at 1/{share}", BAD_IMAGE, flipped(data, at), SIDES)
        at = len(progressive()) // share + 700
        yield refused_or_taken(f"progressive flipped at 1/{share}", BAD_IMAGE, flipped(progressive(), at, 0x10), SIDES)


def _other_processes() -> Iterator[Hostile]:
    for name in ("sof3_rgb_64", "sof3_gray_64"):
        yield refused(f"lossless, {name}", UNSUPPORTED_FORMAT, (FIXTURES / f"{name}.jpg").read_bytes())
    processes = {
        "lossless": 0xC3,
        "differential sequential": 0xC5,
        "differential progressive": 0xC6,
        "differential lossless": 0xC7,
        "arithmetic sequential": 0xC9,
        "arithmetic progressive": 0xCA,
        "arithmetic lossless": 0xCB,
        "arithmetic differential": 0xCD,
    }
    for name, sof in processes.items():
        yield refused(name, UNSUPPORTED_FORMAT, replaced(baseline(), SOF0, bytes((0xFF, sof))))
    precise = header(frame_header(64, 64, sof=0xC1, precision=12), scan_header()) + bytes(500)
    yield refused("12 bits", UNSUPPORTED_FORMAT, precise)
    hierarchical = header(segment(0xDE, frame_header(64, 64)[4:]), frame_header(64, 64, sof=0xC5), scan_header())
    yield refused("hierarchical", UNSUPPORTED_FORMAT, hierarchical + bytes(500))
    two = header(frame_header(64, 64, components=2), scan_header(2)) + bytes(500)
    yield refused("two components", UNSUPPORTED_FORMAT, two)
    five = header(frame_header(64, 64, components=5), scan_header(5)) + bytes(500)
    yield refused("five components", UNSUPPORTED_FORMAT, five)
    yield refused("JPEG-LS", UNSUPPORTED_FORMAT, header(frame_header(64, 64, sof=0xF7), scan_header()) + bytes(500))


def _of_absurd_size() -> Iterator[Hostile]:
    sizes = ((65_500, 65_500), (65_535, 1), (1, 65_535), (16_383, 16_383), (16_384, 16), (10_000, 5_001))
    for width, height in sizes:
        yield refused(f"{width} x {height}", TOO_LARGE, header(frame_header(width, height), scan_header()))
    yield refused("width 0", BAD_IMAGE, _of_size(0, 240))
    yield refused("height 0", BAD_IMAGE, _of_size(320, 0))
    body = _of_size(320, 0)[:-2]
    yield refused("height told by DNL", BAD_IMAGE, body + segment(0xDC, struct.pack(">H", 240)) + b"\xff\xd9")
    yield refused("more rows than data", BAD_IMAGE, _of_size(320, 4_000))
    yield refused("more columns than data", BAD_IMAGE, _of_size(16_000, 240))
    data = progressive()
    large = replaced(data, data[data.index(SOF2) :][:9], frame_header(5_000, 4_000, sof=0xC2)[:9])
    yield refused("progressive of 20 megapixels, data of a stamp", BAD_IMAGE, large)


def _of_size(width: int, height: int) -> bytes:
    data = baseline()
    return replaced(data, data[data.index(SOF0) :][:9], frame_header(width, height)[:9])


def _bombs() -> Iterator[Hostile]:
    data = progressive()
    last = data.rindex(SOS)
    yield refused("1,000 scans", BAD_IMAGE, data[:-2] + data[last:-2] * 1_000 + b"\xff\xd9")
    yield refused("20,000 markers", BAD_IMAGE, header(segment(0xE0, b"") * 20_000) + baseline()[2:])
    yield refused("a megabyte of fill bytes", BAD_IMAGE, b"\xff\xd8" + b"\xff" * (1 << 20) + baseline()[2:])
    scans = header(frame_header(320, 240, sof=0xC2)) + scan_header(1) * 3_000
    yield refused("3,000 scans without data", BAD_IMAGE, scans + b"\xff\xd9")
    restarts = baseline()[:-2] + b"\xff\xd0" * (1 << 20) + b"\xff\xd9"
    yield refused_or_taken("two megabytes of restart markers", BAD_IMAGE, restarts, SIDES)
    yield taken("four megabytes behind its end", baseline() + b"\xff\xda" * (1 << 21), SIDES)


def _disordered() -> Iterator[Hostile]:
    data = baseline()
    frame, scan, tables = (data.index(marker) for marker in (SOF0, SOS, DQT))
    yield refused("bytes between markers", BAD_IMAGE, data[:tables] + b"nothing" + data[tables:])
    yield refused("segment of length 0", BAD_IMAGE, data[:2] + b"\xff\xe5\0\0" + data[2:])
    yield refused("segment beyond the end", BAD_IMAGE, data[:2] + b"\xff\xe5\xff\xff" + data[2:4_000])
    yield refused("two frame headers", BAD_IMAGE, data[:frame] + frame_header() + data[frame:])
    yield refused("scan before its frame", BAD_IMAGE, data[:2] + data[scan:])
    yield refused("EOI before its scan", BAD_IMAGE, data[:scan] + b"\xff\xd9" + data[scan:])
    yield refused("SOI twice", BAD_IMAGE, data[:tables] + data)
    yield refused("no quantisation tables", BAD_IMAGE, data[:tables] + data[frame:])
    # Few know such a sampling, and who does need not say that data for some of its blocks are missing.
    yield refused_or_taken("sampling of 3 x 1", BAD_IMAGE, flipped(data, frame + 11, 0x22 ^ 0x31), SIDES)
    yield refused("body of a PNG", BAD_IMAGE, data[:20] + b"\x89PNG\r\n\x1a\n" + bytes(1_000))


def _with_hostile_metadata() -> Iterator[Hostile]:
    data = baseline()
    count = 200
    bomb = b"".join(
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number + 1, count)) + bytes(ICC_BYTES)) for number in range(count)
    )
    whole = {
        "profile of 13 megabytes": bomb,
        "profile of nonsense": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(range(256)) * 8),
        "profile that claims four gigabytes": segment(0xE2, b"ICC_PROFILE\0\1\1\xff\xff\xff\xff" + _icc_header()),
        "profile with millions of tags": segment(0xE2, b"ICC_PROFILE\0\1\1" + _profile_of_many_tags()),
        "profile with a table of 4 GiB": segment(0xE2, b"ICC_PROFILE\0\1\1" + _profile_with_huge_table()),
        "EXIF that points at itself": segment(
            0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0" + b"\x69\x87\4\0\1\0\0\0\x08\0\0\0" * 9
        ),
        "EXIF beyond its end": segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xf0"),
        "EXIF with orientation 9": exif(9),
        "Adobe segment that is too short": segment(0xEE, b"Adobe"),
    }
    for name, inserted in whole.items():
        yield taken(name, with_segment(data, inserted), SIDES)
    # libjpeg-turbo warns of these, and a warning may count.
    for name, part in (("whose parts are missing", b"\3\7"), ("with part 0 of 0", b"\0\0")):
        inserted = segment(0xE2, b"ICC_PROFILE\0" + part + bytes(3_000))
        yield refused_or_taken(f"profile {name}", BAD_IMAGE, with_segment(data, inserted), SIDES)


def _icc_header() -> bytes:
    """The part of a profile's header that follows its size: an RGB display profile."""
    return b"lcms\x04\x00\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(88)


def _profile_of_many_tags() -> bytes:
    body = _icc_header() + b"\x00\xff\xff\xff" + b"rXYZ\0\0\0\x80\0\0\0\x14" * 1_000
    return struct.pack(">L", len(body) + 4) + body


def _profile_with_huge_table() -> bytes:
    """A lookup table (ICC.1, mft1) of 15 channels in, 3 out and 255 points along each: 255^15 entries."""
    table = b"mft1" + bytes(4) + bytes((15, 3, 255, 0)) + bytes(36) + bytes(256 * 15)
    body = _icc_header() + struct.pack(">L4sLL", 1, b"A2B0", 144, len(table)) + table
    return struct.pack(">L", len(body) + 4) + body
