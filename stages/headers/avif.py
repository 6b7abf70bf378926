"""An AVIF's header: the boxes that tell of its primary picture, or of its sequence, none of whose pixels is decoded.

Container: ISO/IEC 23008-12 (HEIF); AV1 Image File Format, sections 6 and 7. Whether the file is taken as a picture or
as a sequence is told as libavif tells it.
"""

import struct
from typing import Final

from ipc.pixels import Layout
from stages.headers import exif
from stages.headers.avif_items import Items
from stages.headers.avif_tracks import read_sequence
from stages.headers.boxes import Box, Boxes, bad
from stages.headers.header import Header, Part

MAGIC: Final = b"ftyp"
MAGIC_AT: Final = 4

_BRANDS_MAX: Final = 64
_FIRST_BOX: Final = struct.Struct(">L4s4s")
_BRAND_BYTES: Final = 4
_MINOR_VERSION_AT: Final = 12
_STILL, _SEQUENCE = b"avif", b"avis"
_CONTAINERS: Final = frozenset({_STILL, _SEQUENCE, b"mif1", b"msf1"})
"""Brands that an AVIF calls itself by first."""


def has_brand(data: bytes | memoryview) -> bool:
    """Tell whether a file that begins with `ftyp` says that it is an AVIF."""
    brands = _brands(data)
    return brands[:1] != [] and brands[0] in _CONTAINERS and not {_STILL, _SEQUENCE}.isdisjoint(brands)


def read_header(data: bytes | memoryview) -> Header:
    """Read what tells of the picture. Raises `FrameError` BAD_IMAGE."""
    brands = _brands(data)
    boxes = Boxes(data)
    meta, movie = _find(boxes, needs_meta=_STILL in brands, needs_movie=_SEQUENCE in brands)
    if brands[0] == _SEQUENCE or (brands[0] != _STILL and movie is not None):
        if movie is None:
            raise bad("is a sequence without tracks")
        sequence = read_sequence(data, boxes, movie)
        properties, has_alpha, block = sequence.properties, sequence.has_alpha, sequence.exif
        width, height, is_gray = sequence.track.width, sequence.track.height, bool(properties.is_gray)
    else:
        if meta is None:
            raise bad("has no items")
        primary = Items(data, boxes, meta).primary()
        properties, has_alpha, block = primary.properties, primary.has_alpha, primary.exif
        width, height, is_gray = properties.width, properties.height, primary.is_gray
    layout = Layout.RGBA if has_alpha else Layout.GRAY if is_gray else Layout.RGB
    return Header(width, height, layout, _orientation(data, properties.orientation, block), block)


def _brands(data: bytes | memoryview) -> list[bytes]:
    """The major brand and the first ones of the others."""
    if len(data) < _FIRST_BOX.size + _BRAND_BYTES:
        return []
    size, _, major = _FIRST_BOX.unpack_from(data)
    end = min(size, len(data), _MINOR_VERSION_AT + _BRAND_BYTES * (_BRANDS_MAX + 1))
    others = bytes(data[_MINOR_VERSION_AT + _BRAND_BYTES : end])
    return [major, *(others[at : at + _BRAND_BYTES] for at in range(0, len(others), _BRAND_BYTES))]


def _find(boxes: Boxes, *, needs_meta: bool, needs_movie: bool) -> tuple[Box | None, Box | None]:
    """The boxes `meta` and `moov`; no look is taken behind what the brands call for."""
    meta: Box | None = None
    movie: Box | None = None
    for box in boxes.top():
        if box.kind == b"meta":
            meta = meta or box
        elif box.kind == b"moov":
            movie = movie or box
        if (meta is not None or not needs_meta) and (movie is not None or not needs_movie):
            return meta, movie
    raise bad("is cut off, or has not what its brands promise")


def _orientation(data: bytes | memoryview, told: int | None, block: Part | None) -> int:
    """What the file's own boxes tell counts before EXIF."""
    if told is not None:
        return told
    return exif.UPRIGHT if block is None else exif.orientation(block.of(data))
