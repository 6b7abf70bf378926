"""Who owns a picture, as its EXIF says: bounded, and readable whatever stands there."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.headers.exif import TEXT_BYTES_MAX, UPRIGHT, Rights, orientation, texts

ARTIST, COPYRIGHT = 0x013B, 0x8298


def block(*entries: tuple[int, int, bytes], endian: str = "<") -> bytes:
    """A TIFF block: tag, kind and value of each entry."""
    mark = b"II*\0" if endian == "<" else b"MM\0*"
    behind = 8 + 2 + 12 * len(entries) + 4
    directory, values = b"", b""
    for tag, kind, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(endian + "L", behind + len(values))
        values += value if len(value) > 4 else b""
        directory += struct.pack(endian + "HHL", tag, kind, len(value)) + place
    return mark + struct.pack(endian + "LH", 8, len(entries)) + directory + bytes(4) + values


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"Ada Lovelace\0", "Ada Lovelace"),
        (b"Ada\0", "Ada"),
        (b"", ""),
        (b"\0\0", ""),
        (b" \0", ""),
        (b"photographer\0editor\0", "photographer; editor"),
        (b" \0editor\0", "editor"),
        ("Zoë Müller © 2026".encode(), "Zoë Müller © 2026"),
        ("Zoë Müller".encode("latin-1"), "Zoë Müller"),
        (b"line\r\nbreak\x1b[31m\0", "linebreak[31m"),
        (b"x" * 5000, "x" * TEXT_BYTES_MAX),
        (b"x" * (TEXT_BYTES_MAX - 1) + "é".encode(), "x" * (TEXT_BYTES_MAX - 1)),
    ],
)
def test_text_is_read_and_bounded(value: bytes, text: str, endian: str) -> None:
    tiff = block((0x010F, 2, b"Maker\0"), (ARTIST, 2, value), (COPYRIGHT, 129, value), endian=endian)

    assert texts(tiff) == Rights(copyright=text, artist=text)


@pytest.mark.parametrize(
    "tiff",
    [
        b"",
        b"II*\0",
        b"XX*\0" + bytes(40),
        b"II*\0\x08\0\0\0\xff\xff" + bytes(24),
        block((ARTIST, 3, b"Ada Lovelace\0")),
        block((ARTIST, 2, b"Ada Lovelace\0"))[:-1],
        block((ARTIST, 2, b"Ada Lovelace\0")).replace(b"\x0d\0\0\0", b"\xff\xff\xff\xff"),
    ],
)
def test_text_of_a_damaged_block_is_nobodys(tiff: bytes) -> None:
    assert texts(tiff) == Rights()


def test_first_of_two_texts_counts_and_what_was_read_before_damage_stays() -> None:
    assert texts(block((ARTIST, 2, b"first\0"), (ARTIST, 2, b"second\0"))).artist == "first"
    assert texts(block((ARTIST, 2, b"Ada\0"))[:-4].replace(b"\1\0", b"\2\0", 1)).artist == "Ada"


def test_text_written_by_pillow_is_read() -> None:
    written = Image.Exif()
    written[ARTIST], written[COPYRIGHT], written[0x0112] = "Ada", "Zoe 2026", 5
    tiff = written.tobytes().removeprefix(b"Exif\0\0")

    assert texts(tiff) == Rights(copyright="Zoe 2026", artist="Ada")
    assert orientation(tiff) == 5


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_random_bytes_raise_nothing(tail: bytes, head: bytes) -> None:
    rights = texts(head + tail)

    assert max(len(rights.artist), len(rights.copyright)) <= TEXT_BYTES_MAX
    assert orientation(head + tail) in range(UPRIGHT, 9)
