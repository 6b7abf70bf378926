"""A JPEG's scans, counted without decoding anything.

Each pass over a progressive JPEG costs as much as decoding a picture and takes only a few bytes of the file: one that
fits any limit of bytes and of pixels could keep a decoder busy for hours. The worker counts them, under its time limit:
the whole file must be read, at 30 ms a megabyte if it is made for it, and for the broker all others would wait.
"""

import re
from typing import Final

from stages.headers.jpeg import MARKERS_MAX, JpegHeader, damaged, segment_end

SCANS_MAX: Final = 64
"""Encoders write about ten; of a picture with each component by itself it can be some dozens."""

_EOI, _SOS, _SOI, _TEM = 0xD9, 0xDA, 0xD8, 0x01
_MARKER: Final = re.compile(rb"\xff[^\xff\x00\xd0-\xd7]")  # one FF only: `\xff+` would be quadratic over a run of them


def check_scans(data: bytes | memoryview, header: JpegHeader, scans_max: int = SCANS_MAX) -> None:
    """Raise `FrameError` BAD_IMAGE where a multi-scan JPEG has more than `scans_max` scans.

    Inside entropy-coded data FF is followed by 00 or RSTn, so any other marker is one that libjpeg acts upon.
    """
    if not header.multi_scan:
        return
    scans = 0
    at = header.scans_at
    for _ in range(MARKERS_MAX):
        match = _MARKER.search(data, at)
        if match is None or data[match.end() - 1] == _EOI:
            return
        marker, at = data[match.end() - 1], match.end()
        scans += marker == _SOS
        if scans > scans_max:
            raise damaged(f"has more than {scans_max} scans")
        if marker not in (_TEM, _SOI):
            at = segment_end(data, at)
    raise damaged(f"has more than {MARKERS_MAX} markers among its scans")
