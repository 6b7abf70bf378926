"""Properties of an AVIF's items and tracks: what its pixels are like, and how they are to be turned.

Boxes: ISO/IEC 23008-12 (HEIF), section 6.5; `av1C`: AV1 Codec ISO Media File Format Binding, section 2.3.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from stages.headers import exif
from stages.headers.boxes import Box, bad
from stages.headers.fields import Fields

_ALPHA_URNS: Final = frozenset({b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"})
_URN_BYTES_MAX: Final = 64
_MONOCHROME: Final = 0x10
_VERSION_BYTES: Final = 4

_ORIENTATIONS: Final = {
    (0, None): 1,
    (0, 0): 4,
    (0, 1): 2,
    (1, None): 8,
    (1, 0): 5,
    (1, 1): 7,
    (2, None): 3,
    (2, 0): 2,
    (2, 1): 4,
    (3, None): 6,
    (3, 0): 7,
    (3, 1): 5,
}
"""EXIF's, by the quarter turns counterclockwise of `irot` and the axis of the `imir` that comes after it: 0 exchanges
top and bottom, 1 left and right."""


class Properties(msgspec.Struct, frozen=True):
    """Of one item, or of one track."""

    width: int = 0
    height: int = 0
    """Both are 0 where nothing was said."""
    is_gray: bool | None = None
    """None where nothing was said: of an item put together from tiles, theirs counts."""
    is_alpha: bool | None = None
    """Whether it is the alpha of another one; None where nothing was said."""
    orientation: int | None = None
    """EXIF orientation, 1 to 8; None where nothing was said."""


def read_properties(data: bytes | memoryview, boxes: Iterable[Box]) -> Properties:
    """Read those that count; of several of a kind the first. Raises `FrameError` BAD_IMAGE."""
    first: dict[bytes, Fields] = {}
    for box in boxes:
        if box.kind not in first:
            first[box.kind] = Fields(data, box.body)
    width, height = _size(first.get(b"ispe"))
    auxiliary = first.get(b"auxC") or first.get(b"auxi")
    return Properties(
        width=width,
        height=height,
        is_gray=_is_gray(first.get(b"av1C")),
        is_alpha=None if auxiliary is None else is_alpha(auxiliary),
        orientation=_orientation(first.get(b"irot"), first.get(b"imir")),
    )


def _size(fields: Fields | None) -> tuple[int, int]:
    if fields is None:
        return 0, 0
    fields.skip(_VERSION_BYTES)
    width, height = fields.number(4), fields.number(4)
    if width == 0 or height == 0:
        raise bad("has a side of 0 pixels")
    return width, height


def _is_gray(fields: Fields | None) -> bool | None:
    if fields is None:
        return None
    fields.skip(2)
    return fields.number(1) & _MONOCHROME != 0


def is_alpha(fields: Fields) -> bool:
    """Tell of what `auxC` or `auxi` holds whether it says alpha. Raises `FrameError` BAD_IMAGE."""
    fields.skip(_VERSION_BYTES)
    urn = fields.text(min(fields.left_bytes, _URN_BYTES_MAX))
    return urn.partition(b"\0")[0] in _ALPHA_URNS


def _orientation(rotation: Fields | None, mirror: Fields | None) -> int | None:
    if rotation is None and mirror is None:
        return None
    turns = 0 if rotation is None else rotation.number(1) & 3
    axis = None if mirror is None else mirror.number(1) & 1
    return _ORIENTATIONS.get((turns, axis), exif.UPRIGHT)
