"""AVIF files put together box by box, for what libavif would not write. No pixels are in them."""

import struct
from typing import Final

ALPHA_URN: Final = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
FTYP: Final = struct.pack(">L", 20) + b"ftypavif\0\0\0\0avif"


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">L", len(body) + 8) + kind + body


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">L", version << 24 | flags), *parts)


def ispe(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">LL", width, height))


def av1c(*, gray: bool = False) -> bytes:
    return box(b"av1C", bytes((0x81, 0, 0x10 if gray else 0, 0)))


def auxc(urn: bytes = ALPHA_URN) -> bytes:
    return full_box(b"auxC", urn)


def items(kinds: dict[int, bytes], version: int = 0) -> bytes:
    """Box `iinf`: kinds by the numbers of the items."""
    entries = (
        full_box(b"infe", struct.pack(">HH4sB", number, 0, kind, 0), version=2) for number, kind in kinds.items()
    )
    return full_box(b"iinf", len(kinds).to_bytes(4 if version else 2, "big"), *entries, version=version)


def references(*told: tuple[bytes, int, tuple[int, ...]], version: int = 0) -> bytes:
    """Box `iref`: kind, from which item, to which."""
    code = "L" if version else "H"
    return full_box(
        b"iref",
        *(
            box(kind, struct.pack(f">{code}H{len(targets)}{code}", source, len(targets), *targets))
            for kind, source, targets in told
        ),
        version=version,
    )


def properties(boxes: list[bytes], associated: dict[int, tuple[int, ...]], *, long: bool = False) -> bytes:
    """Box `iprp`: properties, and their indices, from 1, by item."""
    code = "H" if long else "B"
    entries = (
        struct.pack(f">{'L' if long else 'H'}B{len(indices)}{code}", item, len(indices), *indices)
        for item, indices in associated.items()
    )
    count = struct.pack(">L", len(associated))
    return box(b"iprp", box(b"ipco", *boxes), full_box(b"ipma", count, *entries, version=long, flags=long))


def primary(item: int = 1) -> bytes:
    return full_box(b"pitm", struct.pack(">H", item))


def location(item: int, offset: int, length: int, *, method: int = 0, extents: int = 1) -> bytes:
    """Box `iloc`, version 1, with another item before the one that counts."""
    other = struct.pack(">HHHHLL", 77, 0, 0, 1, 0, 4)
    entry = struct.pack(">HHHH", item, method, 0, extents) + struct.pack(">LL", offset, length) * extents
    return full_box(b"iloc", struct.pack(">BBH", 0x44, 0, 2), other, entry, version=1)


def avif(*boxes: bytes) -> bytes:
    """A file whose `meta` holds these boxes."""
    handler = full_box(b"hdlr", bytes(4), b"pict", bytes(13))
    return FTYP + full_box(b"meta", handler, *boxes)


def still(*more: bytes, boxes: tuple[bytes, ...] = (), kinds: dict[int, bytes] | None = None) -> bytes:
    """One picture of 40 x 30 pixels with more properties, and more boxes and items beside it."""
    all_properties = [ispe(40, 30), *more]
    return avif(
        primary(),
        items({1: b"av01"} | (kinds or {})),
        properties(all_properties, {1: tuple(range(1, min(len(all_properties), 9) + 1))}),
        *boxes,
    )
