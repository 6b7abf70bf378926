"""Tracks of an AVIF that is a sequence of pictures: the one of its colours, and the alpha that belongs to it.

Box `moov` and those in it: ISO/IEC 14496-12, section 8. Which tracks count is told as libavif tells it.
"""

from typing import Final

import msgspec

from stages.headers.avif_items import Items
from stages.headers.avif_properties import Properties, read_properties
from stages.headers.boxes import Box, Boxes, bad
from stages.headers.fields import Fields
from stages.headers.header import Part

TRACKS_MAX: Final = 16

_SAMPLE_ENTRY_BYTES: Final = 78
"""Of the fixed fields of a visual sample entry; boxes follow."""
_TIMES_BYTES: Final = {0: 8, 1: 16}
"""Of the times before a track's number, by the version of its header."""
_UP_TO_SIZE_BYTES: Final = {0: 4 + 4 + 52, 1: 4 + 8 + 52}
"""Between a track's number and its width."""


class Track(msgspec.Struct, frozen=True):
    """What counts of one track."""

    number: int
    width: int
    height: int
    auxiliary_for: int
    """Number of the track that this one belongs to; 0 for none."""
    properties: Properties | None
    """None where it is not AV1."""
    metadata: Box | None


class Sequence(msgspec.Struct, frozen=True):
    """The pictures that an AVIF shows."""

    track: Track
    properties: Properties
    has_alpha: bool
    exif: Part | None
    """The TIFF block of the EXIF metadata."""


def read_sequence(data: bytes | memoryview, boxes: Boxes, movie: Box) -> Sequence:
    """Describe the first AV1 track that belongs to no other. Raises `FrameError` BAD_IMAGE."""
    tracks: list[Track] = []
    for box in boxes.within(movie.body):
        if box.kind == b"trak":
            if len(tracks) == TRACKS_MAX:
                raise bad(f"has more than {TRACKS_MAX} tracks")
            tracks.append(_read_track(data, boxes, box))
    coded = [track for track in tracks if track.properties is not None and track.number]
    for track in coded:
        if not track.auxiliary_for and track.properties is not None:
            has_alpha = any(other.auxiliary_for == track.number and _may_be_alpha(other) for other in coded)
            if track.width == 0 or track.height == 0:
                raise bad("has a side of 0 pixels")
            # Of no other track, however many there are: what is listed there takes its time.
            exif = None if track.metadata is None else Items(data, boxes, track.metadata).exif(None)
            return Sequence(track, track.properties, has_alpha, exif)
    raise bad("has no track that is coded as AV1")


def _may_be_alpha(track: Track) -> bool:
    """Older writers do not say that it is."""
    return track.properties is not None and track.properties.is_alpha is not False


def _read_track(data: bytes | memoryview, boxes: Boxes, track: Box) -> Track:
    inside = {box.kind: box for box in boxes.within(track.body)}
    if b"tkhd" not in inside:
        raise bad("has a track without a header")
    number, width, height = _read_track_header(data, boxes, inside[b"tkhd"])
    auxiliary_for = 0
    if b"tref" in inside:
        reference = boxes.find(inside[b"tref"].body, b"auxl")
        auxiliary_for = 0 if reference is None else Fields(data, reference.body).number(4)
    properties = _read_media(data, boxes, inside[b"mdia"]) if b"mdia" in inside else None
    return Track(number, width, height, auxiliary_for, properties, inside.get(b"meta"))


def _read_track_header(data: bytes | memoryview, boxes: Boxes, header: Box) -> tuple[int, int, int]:
    """Number, width and height."""
    version_and_flags, inside = boxes.full(header)
    version = version_and_flags >> 24
    if version not in _TIMES_BYTES:
        raise bad("has a track header of a version that there is not")
    fields = Fields(data, inside)
    fields.skip(_TIMES_BYTES[version])
    number = fields.number(4)
    fields.skip(_UP_TO_SIZE_BYTES[version])
    return number, fields.number(4) >> 16, fields.number(4) >> 16


def _read_media(data: bytes | memoryview, boxes: Boxes, media: Box) -> Properties | None:
    """Properties of the AV1 pictures that a track consists of, if it does."""
    box: Box | None = media
    for kind in (b"minf", b"stbl", b"stsd"):
        box = None if box is None else boxes.find(box.body, kind)
    if box is None:
        return None
    _, inside = boxes.full(box)
    entry = boxes.find(Part(inside.start + 4, inside.end), b"av01")
    if entry is None:
        return None
    start = entry.body.start + _SAMPLE_ENTRY_BYTES
    return read_properties(data, boxes.within(Part(start, entry.body.end)))
