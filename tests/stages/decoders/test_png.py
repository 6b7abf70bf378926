"""PNGs of all colour types and depths, plain and interlaced, against libvips, which reads them by libspng."""

import struct
import zlib
from typing import Final

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout
from stages.decoders.png_essence import CHUNKS_MAX
from stages.probe import probe
from tests.oracles import difference_max
from tests.stages.arenas import Pixels, decoded_by_us
from tests.stages.decoders.pngs import CHANNELS, KINDS, MAGIC, Samples, chunk, palette, png, profile_chunk
from tests.stages.jpegs import LIMITS

SEED: Final = 5
DEEP_STEPS: Final = 1
"""Of 16 bits to 8: Pillow keeps the upper byte of colours; the nearest is one more at the most."""
COLORS: Final = np.random.default_rng(SEED).integers(0, 256, (256, 3)).tolist()


def samples(color: int, depth: int, height: int = 13, width: int = 19) -> Samples:
    """Noise with a patch of one colour, in which the transparent one can be seen."""
    noise = np.random.default_rng(SEED).integers(0, 1 << depth, (height, width, CHANNELS[color]))
    noise[3:6, 3:9] = noise[2, 2]
    return noise.astype(np.uint16)


def transparency(pixels: Samples, color: int) -> bytes:
    """tRNS of the patch; of a palette, some alpha for all but the last."""
    if color == 3:
        return chunk(b"tRNS", bytes(np.random.default_rng(SEED).integers(0, 256, int(pixels.max())).tolist()))
    return chunk(b"tRNS", struct.pack(f">{pixels.shape[2]}H", *pixels[2, 2].tolist()))


def by_vips(data: bytes) -> Pixels:
    pixels = np.atleast_3d(pyvips.Image.new_from_buffer(data, "").numpy())
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) + 128) // 257
    return (pixels[..., [0, 0, 0, 1]] if pixels.shape[2] == 2 else pixels).astype(np.uint8)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_png_of_any_kind_is_that_of_libvips(color: int, depth: int, interlaced: bool) -> None:
    chunks = [palette(COLORS[: 1 << depth])] if color == 3 else []
    data = png(samples(color, depth), color, depth, *chunks, interlaced=interlaced)

    assert difference_max(decoded_by_us(data), by_vips(data)) <= (DEEP_STEPS if depth == 16 else 0)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), [kind for kind in KINDS if kind[0] in (0, 2, 3)])
def test_png_with_a_transparent_color_is_that_of_libvips(color: int, depth: int, interlaced: bool) -> None:
    pixels = samples(color, depth)
    chunks = [palette(COLORS[: 1 << depth])] if color == 3 else []
    data = png(pixels, color, depth, *chunks, transparency(pixels, color), interlaced=interlaced)
    ours = decoded_by_us(data)

    assert probe(data, LIMITS).geometry.layout is Layout.RGBA
    assert (ours[..., 3] < 255).any()
    assert difference_max(ours, by_vips(data)) == 0


@pytest.mark.parametrize("color", [0, 2])
@pytest.mark.parametrize("is_transparent", [False, True])
def test_png_deep_and_larger_than_a_strip_is_that_of_libvips(color: int, is_transparent: bool) -> None:
    pixels = samples(color, 16, 301, 307)
    data = png(pixels, color, 16, *[transparency(pixels, color)] * is_transparent)

    assert difference_max(decoded_by_us(data), by_vips(data)) <= (0 if is_transparent or color == 0 else DEEP_STEPS)


def test_png_deep_color_is_transparent_by_all_its_bits() -> None:
    pixels = np.full((1, 3, 3), 0x1234, np.uint16)
    pixels[0, 1, 2] += 1
    data = png(pixels, 2, 16, chunk(b"tRNS", struct.pack(">3H", *(0x1234,) * 3)))

    assert decoded_by_us(data)[0, :, 3].tolist() == [0, 255, 0]


def test_png_of_one_pixel_and_of_one_column_decode() -> None:
    for height, width in ((1, 1), (70_000 // 8, 1), (1, 16_000)):
        data = png(samples(2, 8, max(height, 9), max(width, 9))[:height, :width], 2, 8)
        assert difference_max(decoded_by_us(data), by_vips(data)) == 0


def test_png_in_many_chunks_is_the_same() -> None:
    pixels = samples(6, 8, 100, 100)

    assert difference_max(decoded_by_us(png(pixels, 6, 8, idat_bytes=7)), decoded_by_us(png(pixels, 6, 8))) == 0


def test_png_animation_shows_its_default_image() -> None:
    control = chunk(b"acTL", struct.pack(">LL", 2, 0))
    frame = chunk(b"fcTL", struct.pack(">LLLLLHHBB", 0, 19, 13, 0, 0, 1, 10, 0, 0))
    data = png(samples(2, 8), 2, 8, control, frame)
    later = chunk(b"fcTL", struct.pack(">LLLLLHHBB", 7, 5, 5, 90, 90, 1, 10, 0, 0)) + chunk(b"fdAT", b"\0\0\0\2junk")
    end = chunk(b"IEND")

    assert difference_max(decoded_by_us(data[: -len(end)] + later + end), decoded_by_us(png(samples(2, 8), 2, 8))) == 0


def test_png_text_that_inflates_to_anything_is_not_inflated() -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50 << 20)))
    data = png(samples(2, 8), 2, 8, *[text] * 50)

    assert difference_max(decoded_by_us(data), decoded_by_us(png(samples(2, 8), 2, 8))) == 0


def test_png_profile_that_inflates_to_more_than_its_bound_is_a_bad_image() -> None:
    with pytest.raises(FrameError, match="colour profile that inflates to more than 4194304") as caught:
        decoded_by_us(png(samples(2, 8), 2, 8, profile_chunk(bytes((4 << 20) + 1))))
    assert caught.value.code is ErrorCode.BAD_IMAGE


@pytest.mark.parametrize(
    "damaged",
    [chunk(b"iCCP", b"no end"), chunk(b"iCCP", b"a\0\0not deflated"), chunk(b"iCCP", b"a\0\1method"), chunk(b"iCCP")],
)
def test_png_profile_that_cannot_be_read_is_passed_over(damaged: bytes) -> None:
    assert difference_max(decoded_by_us(png(samples(2, 8), 2, 8, damaged)), samples(2, 8).astype(np.uint8)) == 0


def test_png_truncated_anywhere_is_a_bad_image() -> None:
    data = png(samples(2, 8), 2, 8, idat_bytes=100)
    for length in range(len(MAGIC), len(data)):
        with pytest.raises(FrameError) as caught:
            decoded_by_us(data[:length])
        assert caught.value.code is ErrorCode.BAD_IMAGE


def test_png_with_any_bit_of_its_pixels_flipped_is_a_bad_image() -> None:
    """Where the pixels are not packed, as here, nothing but the checksum tells."""
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples(2, 8).astype(np.uint8)), 0)
    data = bytearray(png(samples(2, 8), 2, 8))
    start = data.index(b"IDAT") - 4
    data[start:] = chunk(b"IDAT", body) + chunk(b"IEND")
    assert difference_max(decoded_by_us(bytes(data)), samples(2, 8).astype(np.uint8)) == 0
    for at in range(start + 8, len(data) - 16, 5):
        data[at] ^= 0x10
        with pytest.raises(FrameError, match="IDAT with a wrong checksum"):
            decoded_by_us(bytes(data))
        data[at] ^= 0x10


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (zlib.compress(bytes(13 * 58 - 1)), "truncated"),
        (zlib.compress(bytes(13 * 58 - 1) + b"\0")[:-8], "truncated"),
        (zlib.compress(b"\5" * 13 * 58), "corrupt"),
        (b"not deflated", "corrupt"),
        (b"", "truncated"),
    ],
)
def test_png_whose_pixels_cannot_be_had_is_a_bad_image(body: bytes, fault: str) -> None:
    data = png(samples(2, 8), 2, 8)
    data = data[: data.index(b"IDAT") - 4] + chunk(b"IDAT", body) + chunk(b"IEND")

    with pytest.raises(FrameError, match=f"PNG is {fault}") as caught:
        decoded_by_us(data)
    assert caught.value.code is ErrorCode.BAD_IMAGE


def with_data(data: bytes, rows: bytes) -> bytes:
    """The same picture with these rows in the place of its own."""
    return data[: data.index(b"IDAT") - 4] + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def rows_of(data: bytes) -> bytes:
    start = data.index(b"IDAT")
    return zlib.decompress(data[start + 4 : start + 4 + int.from_bytes(data[start - 4 : start])])


@pytest.mark.parametrize("height", [1, 2, 5, 12])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_png_whose_data_end_well_before_its_last_row_is_a_bad_image(
    color: int, depth: int, interlaced: bool, height: int
) -> None:
    chunks = [palette(COLORS[: 1 << depth])] if color == 3 else []
    data = png(samples(color, depth)[:height], color, depth, *chunks, interlaced=interlaced)
    rows = rows_of(data)
    decoded_by_us(with_data(data, rows))
    for length in range(len(rows)):
        with pytest.raises(FrameError, match="PNG is truncated") as caught:
            decoded_by_us(with_data(data, rows[:length]))
        assert caught.value.code is ErrorCode.BAD_IMAGE


@pytest.mark.parametrize("color", [0, 2])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png_deep_with_a_transparent_color_and_half_its_rows_is_a_bad_image(color: int, interlaced: bool) -> None:
    pixels = samples(color, 16)
    data = png(pixels, color, 16, transparency(pixels, color), interlaced=interlaced)
    rows = rows_of(data)
    lines = {len(rows) // 2, 7 * (1 + 19 * 2 * pixels.shape[2])}
    for length in lines:
        with pytest.raises(FrameError, match="PNG is truncated"):
            decoded_by_us(with_data(data, rows[:length]))


@pytest.mark.parametrize("value", [0, 0xA5, 0xA5A5, 0xFFFF])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_png_of_one_value_all_over_is_that_of_libvips(color: int, depth: int, interlaced: bool, value: int) -> None:
    """A row of such a value is what a row that was not decoded may look like."""
    chunks = [palette(COLORS[: 1 << depth])] if color == 3 else []
    pixels = np.full((6, 9, CHANNELS[color]), value & (1 << depth) - 1, np.uint16)
    data = png(pixels, color, depth, *chunks, interlaced=interlaced)

    assert difference_max(decoded_by_us(data), by_vips(data)) <= (DEEP_STEPS if depth == 16 else 0)


def test_png_large_and_of_one_value_is_whole_or_truncated_by_its_last_byte() -> None:
    """Noise does not shrink, so it is in many pieces; then one piece that inflates to many."""
    pixels = np.full((3000, 1001, 1), 0xA5, np.uint16)
    pixels[:1000, :, 0] = np.random.default_rng(SEED).integers(0, 256, (1000, 1001))
    data = png(pixels, 0, 8)

    assert difference_max(decoded_by_us(data), pixels.astype(np.uint8)) == 0
    with pytest.raises(FrameError, match="truncated"):
        decoded_by_us(with_data(data, rows_of(data)[:-1002]))


def test_png_with_other_chunks_among_its_pixels_is_a_bad_image() -> None:
    data = png(samples(2, 8), 2, 8, idat_bytes=300)
    second = data.index(b"IDAT", data.index(b"IDAT") + 1) - 4

    with pytest.raises(FrameError, match="other chunks among its pixels"):
        decoded_by_us(data[:second] + chunk(b"tEXt", b"a\0b") + data[second:])


def test_png_of_too_many_chunks_is_a_bad_image() -> None:
    data = png(samples(2, 8), 2, 8)
    end = chunk(b"IEND")

    with pytest.raises(FrameError, match=f"more than {CHUNKS_MAX} chunks"):
        decoded_by_us(data[: -len(end)] + chunk(b"tEXt") * CHUNKS_MAX + end)
