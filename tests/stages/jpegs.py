"""JPEG files put together or taken apart marker by marker, for what no encoder would write."""

import functools
import struct

from PIL import Image

from ipc.pixels import Geometry
from stages.limits import Limits
from tests.photographs import jpeg

LIMITS = Limits(max_side=16383, max_pixels=50_000_000)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def frame_header(  # the fields of a SOF
    width: int = 8, height: int = 8, components: int = 3, *, sof: int = 0xC0, precision: int = 8, sampling: int = 0x11
) -> bytes:
    body = struct.pack(">BHHB", precision, height, width, components)
    return segment(sof, body + b"".join(bytes((number, sampling, 0)) for number in range(components)))


def scan_header(components: int = 3) -> bytes:
    return segment(0xDA, bytes((components,)) + b"".join(bytes((n, 0)) for n in range(components)) + b"\0\x3f\0")


def header(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments)


def exif(orientation: int, endian: str = "<", kind: str = "H") -> bytes:
    """An APP1 segment with an orientation and the entry that usually stands before it."""
    code = {"B": 1, "H": 3, "L": 4}[kind]
    value = struct.pack(endian + kind, orientation).ljust(4, b"\0")
    mark = b"II*\0" if endian == "<" else b"MM\0*"
    entries = struct.pack(endian + "HHLL", 0x010F, 2, 1, 0) + struct.pack(endian + "HHL", 0x0112, code, 1) + value
    return segment(0xE1, b"Exif\0\0" + mark + struct.pack(endian + "LH", 8, 2) + entries + struct.pack(endian + "L", 0))


def with_segment(data: bytes, inserted: bytes) -> bytes:
    """The file with a segment right behind SOI."""
    return data[:2] + inserted + data[2:]


def oriented(image: Image.Image, orientation: int, **options: object) -> bytes:
    """A JPEG that carries an EXIF orientation."""
    return with_segment(jpeg(image, **options), exif(orientation))


@functools.cache
def camera_jpeg() -> bytes:
    """The header of a camera's file: 20 KiB of EXIF, an ICC profile, tables one by one; then a small picture."""
    image = Image.effect_noise((64, 48), 60).convert("RGB")
    plain = jpeg(image, quality=90)
    more = segment(0xE1, exif(6)[4:] + bytes(20_000)) + segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(3_144))
    more += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(4_000)) + segment(0xED, bytes(600))
    return with_segment(plain, more)


def size_of(geometry: Geometry) -> tuple[int, int]:
    return geometry.width, geometry.height
