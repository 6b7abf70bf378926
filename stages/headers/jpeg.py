"""A JPEG's header, read marker by marker, without decoding anything.

The gate before simplejpeg, whose libjpeg-turbo 3.1 writes past the buffer it is given when a lossless JPEG (SOF3) is
decoded to a smaller size (fixed upstream in 3.1.4). Only the processes that every other decoder also takes go through:
baseline, extended sequential and progressive, Huffman coded, 8 bits. Marker syntax: ITU-T T.81, annex B.
"""

import re
import struct
from typing import Final

import msgspec

from ipc.errors import ErrorCode, FrameError
from stages.headers import exif, header
from stages.headers.header import Part
from stages.headers.known import HEADER_BYTES_MAX, KnownHeaders

MAGIC: Final = b"\xff\xd8\xff"

_SOF_ACCEPTED: Final = frozenset({0xC0, 0xC1, 0xC2})
_SOF_REFUSED: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_OTHER_PROCESSES: Final = {0xDE: "hierarchical JPEG", 0xF7: "JPEG-LS"}  # DHP, SOF55
_SOF2, _SOS, _APP1, _APP2, _TEM, _FF = 0xC2, 0xDA, 0xE1, 0xE2, 0x01, 0xFF
_STANDALONE: Final = frozenset({_TEM, *range(0xD0, 0xD8)})  # TEM and RSTn have no length
_SKIPPED: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})  # DHT DAC DQT DNL DRI COM APPn
_APPLICATION: Final = frozenset({_APP1, _APP2})
_SEGMENTS: Final = _SOF_ACCEPTED | _SOF_REFUSED | _SKIPPED | {_SOS}
MARKERS_MAX: Final = 1024  # a full-size extended XMP or ICC profile is some 255 segments
_EXIF: Final = b"Exif\0\0"
_PROFILE: Final = b"ICC_PROFILE\0"
_PROFILE_HEADER_BYTES: Final = len(_PROFILE) + 2
"""Followed by the number of the part, from 1, and how many there are."""

_LENGTH: Final = struct.Struct(">H")
_FRAME: Final = struct.Struct(">BHHB")
_FILL: Final = re.compile(rb"\xff{0,1024}")  # no encoder writes more than a few before a marker


class JpegHeader(msgspec.Struct, frozen=True):
    """What a JPEG says of itself before its first scan."""

    width: int
    height: int
    components: int
    progressive: bool
    orientation: int
    """EXIF orientation, 1 to 8."""
    scans_at: int
    """Offset of the first scan's marker."""
    multi_scan: bool
    """libjpeg will read more than one scan. It refuses a second one ("EOI expected") unless the frame is progressive
    or its first scan leaves components out."""
    exif: Part | None = None
    """The TIFF block of the first EXIF segment."""
    icc: tuple[Part, ...] = ()
    """Parts of the colour profile, in their order; none of one that lacks a part or has one twice."""


_known: Final[KnownHeaders[JpegHeader]] = KnownHeaders()


class _Frame(msgspec.Struct, frozen=True):
    width: int
    height: int
    components: int
    progressive: bool


class _ProfilePart(msgspec.Struct, frozen=True):
    number: int
    count: int
    part: Part


class _Application:
    """What the application segments before the first scan have told so far."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self._profile: list[_ProfilePart] = []
        self.exif: Part | None = None

    def note(self, marker: int, body: Part) -> None:
        """Take in one segment; `body` is what is behind its length."""
        if marker == _APP1 and self.exif is None and self._begins(body, _EXIF):
            self.exif = Part(body.start + len(_EXIF), body.end)
        elif marker == _APP2 and self._begins(body, _PROFILE) and body.end - body.start >= _PROFILE_HEADER_BYTES:
            start = body.start + _PROFILE_HEADER_BYTES
            self._profile.append(_ProfilePart(self._data[start - 2], self._data[start - 1], Part(start, body.end)))

    def profile(self) -> tuple[Part, ...]:
        """Parts of the colour profile in order, if all are there once."""
        parts = sorted(self._profile, key=lambda part: part.number)
        for number, part in enumerate(parts, 1):
            if part.number != number or part.count != len(parts):
                return ()
        return tuple(part.part for part in parts)

    def _begins(self, body: Part, mark: bytes) -> bool:
        return bytes(self._data[body.start : min(body.start + len(mark), body.end)]) == mark


def read_header(data: bytes | memoryview) -> JpegHeader:
    """Walk from SOI to the first SOS; FrameError BAD_IMAGE or UNSUPPORTED_FORMAT where libjpeg must not be let near."""
    known = _known.find(data)
    if known is not None:
        return known
    read, end = _walk(data)
    if end <= HEADER_BYTES_MAX:  # a large profile is not copied to be thrown away
        _known.add(bytes(data[:end]), read)
    return read


def _walk(data: bytes | memoryview) -> tuple[JpegHeader, int]:
    """Return what the header says, and the offset of the first byte behind it."""
    if bytes(data[:2]) != MAGIC[:2]:
        raise damaged("does not begin with SOI")
    frame: _Frame | None = None
    application = _Application(data)
    at = 2
    for _ in range(MARKERS_MAX):
        marker, at = _next_marker(data, at)
        if marker in _STANDALONE:
            continue
        if marker in _OTHER_PROCESSES:
            raise FrameError(ErrorCode.UNSUPPORTED_FORMAT, f"{_OTHER_PROCESSES[marker]} is not accepted")
        if marker not in _SEGMENTS:
            raise damaged(f"has a marker FF{marker:02X} in its header, where it cannot be")
        end = segment_end(data, at)
        if marker in _SOF_ACCEPTED:
            if frame is not None:
                raise damaged("has a second frame header")
            frame = _read_frame(data, at, end, marker)
        elif marker in _SOF_REFUSED:
            raise FrameError(
                ErrorCode.UNSUPPORTED_FORMAT,
                f"JPEG process SOF{marker - 0xC0} is not accepted, only baseline, extended sequential and progressive",
            )
        elif marker == _SOS:
            return _complete(data, at, end, frame, application), end
        elif marker in _APPLICATION:
            application.note(marker, Part(at + 2, end))
        at = end
    raise damaged(f"has more than {MARKERS_MAX} markers in its header")


def _next_marker(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Marker code at `at` and the offset behind it. Several FF may stand before the code."""
    match = _FILL.match(data, at)
    end = at if match is None else match.end()
    if end >= len(data):
        raise damaged("is cut off")
    if data[end] == _FF:
        raise damaged("has too many fill bytes in its header")
    if end == at or data[end] == 0:
        raise damaged("has bytes between the markers of its header")
    return data[end], end + 1


def segment_end(data: bytes | memoryview, at: int) -> int:
    """Return the offset behind the segment whose length stands at `at`. Raises `FrameError` BAD_IMAGE."""
    if at + 2 > len(data):
        raise damaged("is cut off")
    length: int = _LENGTH.unpack_from(data, at)[0]
    if length < 2:
        raise damaged("has a segment of impossible length")
    if at + length > len(data):
        raise damaged("is cut off")
    return at + length


def _read_frame(data: bytes | memoryview, at: int, end: int, marker: int) -> _Frame:
    if end - at < 8:
        raise damaged("has a frame header of impossible length")
    precision, height, width, components = _FRAME.unpack_from(data, at + 2)
    if precision != 8:
        raise FrameError(ErrorCode.UNSUPPORTED_FORMAT, f"JPEG of {precision} bits a sample is not accepted, only of 8")
    if components not in (1, 3, 4):
        raise FrameError(
            ErrorCode.UNSUPPORTED_FORMAT, f"JPEG of {components} components is not accepted, only of 1, 3 or 4"
        )
    if end - at != 8 + 3 * components:
        raise damaged("has a frame header of impossible length")
    if width == 0 or height == 0:
        raise damaged("has a side of 0 pixels")
    for factors in bytes(data[at + 9 : end : 3]):
        if not (1 <= factors >> 4 <= 4 and 1 <= factors & 15 <= 4):
            raise damaged("has impossible sampling factors")
    return _Frame(width, height, components, marker == _SOF2)


def _complete(
    data: bytes | memoryview, at: int, end: int, frame: _Frame | None, application: _Application
) -> JpegHeader:
    if frame is None:
        raise damaged("has a scan before its frame header")
    in_scan = data[at + 2] if end - at > 2 else 0
    if not 1 <= in_scan <= frame.components or end - at != 6 + 2 * in_scan:
        raise damaged("has a scan header of impossible length")
    return JpegHeader(
        width=frame.width,
        height=frame.height,
        components=frame.components,
        progressive=frame.progressive,
        orientation=exif.UPRIGHT if application.exif is None else exif.orientation(application.exif.of(data)),
        scans_at=at - 2,
        multi_scan=frame.progressive or in_scan < frame.components,
        exif=application.exif,
        icc=application.profile(),
    )


def damaged(what: str) -> FrameError:
    """Say what is wrong with a JPEG."""
    return header.damaged("JPEG", what)
