"""Sizes that AV1 data ask for: of what encoders write, and of data written bit by bit."""

import io
from typing import Any, Final

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image

from ipc.errors import ErrorCode
from stages.headers.av1 import Walk
from stages.headers.avif import read_header
from stages.headers.avif_items import EXTENTS_MAX, UNITS_MAX
from tests.stages.headers.refusals import refusal
from tests.stages.heifs import auxc, av1c, avif, box, ispe, items, location, primary, properties, references

SIZE: Final = (40, 30)
Field = tuple[int, int]
"""A number and its bits, as it stands in a header."""


def bits(*fields: Field) -> bytes:
    written = "".join(f"{value:0{width}b}" for value, width in fields if width) + "1"
    return int(written.ljust(-(-len(written) // 8) * 8, "0"), 2).to_bytes(-(-len(written) // 8), "big")


def unit(kind: int, body: bytes, *, extended: bool = False) -> bytes:
    return (
        bytes((kind << 3 | 2 | extended << 2, *([0] if extended else []), len(body) & 127 | 128, len(body) >> 7)) + body
    )


def still_sequence(width: int, height: int) -> bytes:
    return unit(1, bits((0, 3), (1, 1), (1, 1), (0, 5), (15, 4), (15, 4), (width - 1, 16), (height - 1, 16)))


def sequence(*, times: tuple[Field, ...] = ((0, 1),), ids: tuple[Field, ...] = ((0, 1),), tools: int = 1) -> bytes:
    """Of 40 x 30, frames up to 65,536 x 65,536; `tools`: of 0 none for screens, of 1 as each frame says."""
    points = ((0, 1), (0, 5), (0, 12), (0, 5))
    last = ((1, 1),) if tools else ((0, 1), (0, 1))
    fields = (*times, *points, (15, 4), (15, 4), (39, 16), (29, 16), *ids, (0, 7), (0, 1), *last, (1, 1))
    return unit(1, bits((0, 3), (0, 1), (0, 1), *fields))


def frame(*before: Field, has_own_size: bool, kind: int = 6) -> bytes:
    """A key frame that is shown; `before`: what stands before `disable_cdf_update`."""
    return unit(kind, bits((0, 1), (0, 2), (1, 1), *before, (0, 1), (0, 1), (has_own_size, 1)))


def sizes(data: bytes) -> list[tuple[int, int]]:
    return list(Walk(UNITS_MAX).sizes(data))


def picture(data: bytes, *, size: tuple[int, int] = SIZE, extents: int = 1) -> bytes:
    def built(offset: int) -> bytes:
        return avif(
            primary(),
            items({1: b"av01"}),
            properties([ispe(*size), av1c()], {1: (1, 2)}),
            location(1, offset, len(data) // extents, extents=extents),
        )

    return built(len(built(0)) + 8) + box(b"mdat", data)


@pytest.mark.parametrize("size", [(1, 1), (7, 1), (33, 21), (64, 65), (513, 300), (4000, 3000)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_size_in_what_libavif_writes_is_the_pictures(size: tuple[int, int], mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, size, 90 if mode == "L" else (90, 120, 150, 40)[: len(mode)]).save(stream, "AVIF", speed=10)
    data = stream.getvalue()
    header = read_header(data)

    assert (header.width, header.height) == size
    assert set(sizes(data[data.index(b"mdat") + 4 :])) == {size}


@pytest.mark.parametrize("size", [(1, 1), (33, 21), (1025, 300)])
@pytest.mark.parametrize(
    "options", [{"bitdepth": depth, "lossless": lossless} for depth, lossless in ((8, 1), (10, 0), (12, 0))]
)
def test_size_in_what_libheif_writes_is_the_pictures(size: tuple[int, int], options: dict[str, Any]) -> None:
    image = pyvips.Image.new_from_array(np.full((size[1], size[0], 4), 77, np.uint8))
    data = image.heifsave_buffer(compression="av1", effort=0, **options)
    header = read_header(data)

    assert (header.width, header.height) == size
    assert set(sizes(data[data.index(b"mdat") + 4 :])) == {size}


@pytest.mark.parametrize("has_own_size", [False, True])
@pytest.mark.parametrize(
    ("head", "before"),
    [
        (sequence(), ()),
        (sequence(ids=((1, 1), (3, 4), (2, 3))), None),
        (sequence(times=((1, 1), (1, 32), (1, 32), (1, 1), (1, 1), (0, 1))), ()),
        (sequence(times=((1, 1), (1, 32), (1, 32), (0, 1), (0, 1))), ()),
    ],
)
def test_frame_of_its_own_size_may_be_as_large_as_its_bits_allow(
    head: bytes, before: tuple[Field, ...] | None, has_own_size: bool
) -> None:
    """Without them an encoder may write 16 bits for any picture."""
    found = frame(has_own_size=has_own_size)
    if before is None:  # the number of the frame, of 8 bits, stands behind the tools
        found = unit(6, bits((0, 1), (0, 2), (1, 1), (0, 1), (0, 1), (255, 8), (has_own_size, 1)))

    assert sizes(b"\x12\0" + head + found) == [SIZE, (65_536, 65_536)][: 1 + has_own_size]


@pytest.mark.parametrize("has_own_size", [False, True])
def test_frame_without_tools_for_screens_does_not_tell_of_them(has_own_size: bool) -> None:
    found = unit(3, bits((0, 1), (0, 2), (1, 1), (0, 1), (has_own_size, 1), (not has_own_size, 1)))

    assert sizes(sequence(tools=0) + found) == [SIZE, (65_536, 65_536)][: 1 + has_own_size]


def test_frame_whose_time_is_told_is_read_behind_it() -> None:
    times = ((1, 1), (1, 32), (1, 32), (0, 1), (1, 1), (4, 5), (1, 32), (4, 5), (9, 5))
    head = unit(
        1,
        bits(
            *((0, 3), (0, 1), (0, 1), *times, (0, 1), (0, 5), (0, 12), (9, 5), (1, 1), (1, 1), (0, 11)),
            *((15, 4), (15, 4), (39, 16), (29, 16), (0, 1), (0, 7), (0, 1), (1, 1), (1, 1)),
        ),
    )

    assert sizes(head + frame((1023, 10), has_own_size=False)) == [SIZE]
    assert sizes(head + frame((0, 10), has_own_size=True)) == [SIZE, (65_536, 65_536)]


def test_later_sequence_header_counts_too() -> None:
    assert sizes(still_sequence(*SIZE) + unit(5, b"x", extended=True) + still_sequence(9_000, 8_000))[1] == (
        9_000,
        8_000,
    )


def test_data_that_a_decoder_would_give_up_at_end_there() -> None:
    whole = still_sequence(*SIZE)
    for data in (b"", b"\x0a", b"\x0a" + b"\xff" * 9, whole[:5], whole[:3], b"\x0e"):
        assert sizes(data) == []
    assert sizes(whole + b"\x0a\x01\0" + still_sequence(9_000, 8_000)) == [SIZE]


@pytest.mark.parametrize("extents", [1, 3])
def test_picture_whose_data_are_far_larger_than_it_says_is_a_bad_image(extents: int) -> None:
    small = still_sequence(80, 60).ljust(30, b"\x12")
    assert read_header(picture(small, extents=extents)).width == 40
    for large in (still_sequence(81, 60), sequence() + frame(has_own_size=True)):
        error = refusal(read_header, picture(large.ljust(30, b"\0"), extents=extents))
        assert (error.code, "where it says 40 x 30" in error.message) == (ErrorCode.BAD_IMAGE, True), error.message


def test_picture_of_which_an_encoder_wrote_more_bits_than_needed_is_taken() -> None:
    assert read_header(picture(sequence() + frame(has_own_size=False))).width == 40


@pytest.mark.parametrize("large", [1, 2, 3, 11])
def test_tiles_and_their_alpha_are_looked_at(large: int) -> None:
    """Item 1 is what all others are made for: its own data are none of AV1."""

    def built(side: int) -> bytes:
        def at(offset: int) -> bytes:
            sized = {item: 3 if item == large and item > 1 else 2 for item in (2, 3, 11)}
            return avif(
                primary(),
                items({1: b"grid", 2: b"av01", 3: b"av01", 11: b"av01"}),
                properties(
                    [ispe(*SIZE), ispe(20, 30), ispe(side, side), av1c(), auxc()],
                    {1: (1,), 2: (sized[2], 4), 3: (sized[3], 4), 11: (sized[11], 4, 5)},
                ),
                references((b"dimg", 1, (2, 3)), (b"auxl", 11, (2,))),
                location(large, offset, 20),
            )

        data = still_sequence(side, side).ljust(20, b"\0")
        return at(len(at(0)) + 8) + box(b"mdat", data)

    assert read_header(built(60)).width == 40
    if large == 1:
        assert read_header(built(800)).width == 40
    else:
        assert "pixels of 800 x 800 where it says" in refusal(read_header, built(800)).message


def test_units_and_pieces_are_bounded() -> None:
    units = still_sequence(*SIZE) + b"\x12\0" * UNITS_MAX

    assert f"{UNITS_MAX} units" in refusal(read_header, picture(units)).message
    assert f"{EXTENTS_MAX} pieces" in refusal(read_header, picture(units, extents=EXTENTS_MAX + 1)).message
