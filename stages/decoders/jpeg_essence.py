"""A JPEG's essence: the file without its metadata, where a decoder stumbles over these."""

from typing import Final

from stages.headers.jpeg import MAGIC, JpegHeader, segment_end

_COMMENT: Final = 0xFE
_APPLICATION: Final = range(0xE0, 0xF0)
_ADOBE: Final = 0xEE
"""Its segment tells how colours are stored."""
_FILL: Final = 0xFF
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})


def essence_of(source: memoryview, header: JpegHeader) -> bytes:
    """Leave out comments and application segments before the first scan. `header` was read of `source`."""
    parts: list[memoryview | bytes] = [MAGIC[:2]]
    at = 2
    while at < header.scans_at:
        marker = source[at + 1]
        if marker == _FILL:
            at += 1
            continue
        end = at + 2 if marker in _STANDALONE else segment_end(source, at + 2)
        if marker == _ADOBE or marker not in (_COMMENT, *_APPLICATION):
            parts.append(source[at:end])
        at = end
    parts.append(source[header.scans_at :])
    return b"".join(parts)
