"""PNG, WebP and AVIF as Pillow and libvips read them, from every layout."""

import io

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image

from ipc.messages import Encode, Encoded
from ipc.pixels import Geometry, Layout
from stages.encode import encode
from stages.encodings import AvifEncoding, Encoding, JpegEncoding, PngEncoding, WebpEncoding, encode_encoding
from tests.oracles import Pixels, in_order, sample, vips_pixels
from tests.photographs import decoded, rmse
from tests.stages.arenas import Arena, encoded

LOSSLESS = [PngEncoding(), WebpEncoding(lossless=True, effort=2)]
LOSSY = [WebpEncoding(), AvifEncoding(effort=2)]


def read_by_both(data: bytes) -> list[Pixels]:
    return [decoded(data), vips_pixels(pyvips.Image.new_from_buffer(data, ""))]


def in_color(pixels: Pixels) -> Pixels:
    """Grey as RGB."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


@pytest.mark.parametrize("layout", list(Layout))
def test_encode_png_keeps_every_pixel_and_is_grey_where_they_are(layout: Layout) -> None:
    finished = encoded(sample(layout), layout, PngEncoding())

    assert finished.encoded == Encoded(3, "png", 600, 400, None, None)
    for theirs in read_by_both(finished.data):
        assert np.array_equal(theirs, in_order(sample(layout), layout))


@pytest.mark.parametrize("layout", list(Layout))
def test_encode_lossless_webp_keeps_every_pixel_and_what_transparency_hides(layout: Layout) -> None:
    finished = encoded(sample(layout), layout, WebpEncoding(lossless=True, effort=2))

    assert finished.encoded == Encoded(3, "webp", 600, 400, None, None)
    assert finished.data[12:16] == b"VP8L"
    for theirs in read_by_both(finished.data):
        assert np.array_equal(theirs, in_color(in_order(sample(layout), layout)))


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize(("quality", "bound"), [(95, 3.6), (80, 6.2), (1, 14.0)])
def test_encode_webp_loses_as_much_as_its_quality_allows_and_nothing_of_alpha(
    layout: Layout, quality: int, bound: float
) -> None:
    pixels = in_order(sample(layout), layout)
    finished = encoded(sample(layout), layout, WebpEncoding(quality))

    assert finished.encoded == Encoded(3, "webp", 600, 400, quality, None)
    assert b"VP8L" not in finished.data[:64]
    for theirs in read_by_both(finished.data):
        # Colours that transparency hides may become anything.
        seen = pixels[..., 3] > 0 if layout.channels == 4 else np.ones(pixels.shape[:2], bool)
        assert rmse(theirs[seen][..., :3], in_color(pixels)[seen][..., :3]) <= bound
        assert np.array_equal(theirs[..., 3:], in_color(pixels)[..., 3:])


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize(("quality", "bound"), [(95, 3.6), (80, 5.4), (1, 28.0)])
def test_encode_avif_loses_as_much_as_its_quality_allows(layout: Layout, quality: int, bound: float) -> None:
    pixels = in_order(sample(layout), layout)
    finished = encoded(sample(layout), layout, AvifEncoding(quality, effort=2))

    assert finished.encoded == Encoded(3, "avif", 600, 400, quality, None)
    for theirs in read_by_both(finished.data):
        assert rmse(theirs, pixels if theirs.shape[2] == pixels.shape[2] else in_color(pixels)) <= bound
    assert Image.open(io.BytesIO(finished.data)).mode == {1: "L", 3: "RGB", 4: "RGBA"}[layout.channels]


@pytest.mark.parametrize("encoding", [*LOSSLESS, *LOSSY])
@pytest.mark.parametrize(("one", "other"), [(Layout.RGB, Layout.BGR), (Layout.RGBA, Layout.BGRA)])
def test_encode_of_either_order_of_channels_is_the_same_file(encoding: Encoding, one: Layout, other: Layout) -> None:
    assert encoded(sample(one), one, encoding) == encoded(sample(other), other, encoding)


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        (PngEncoding(compression=0), PngEncoding(compression=1)),
        (PngEncoding(compression=1), PngEncoding(compression=9)),
        (WebpEncoding(effort=0), WebpEncoding(effort=10)),
        (WebpEncoding(lossless=True, effort=0), WebpEncoding(lossless=True, effort=8)),
        (AvifEncoding(effort=0), AvifEncoding(effort=5)),
    ],
)
def test_encode_with_more_effort_makes_a_smaller_file(fast: Encoding, slow: Encoding) -> None:
    pixels = np.ascontiguousarray(sample(Layout.RGB)[:200, :300])

    assert len(encoded(pixels, Layout.RGB, slow).data) < 0.99 * len(encoded(pixels, Layout.RGB, fast).data)


def test_encode_png_without_compression_has_every_byte_and_little_else() -> None:
    finished = encoded(sample(Layout.RGB), Layout.RGB, PngEncoding(compression=0))

    assert 0 < len(finished.data) - sample(Layout.RGB).nbytes < 8_000


@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB, Layout.RGBA])
@pytest.mark.parametrize(
    "encoding", [JpegEncoding(), JpegEncoding(progressive=True), *LOSSLESS, WebpEncoding(), AvifEncoding(effort=1)]
)
def test_encode_of_the_smallest_and_the_longest_sides_can_be_read(layout: Layout, encoding: Encoding) -> None:
    longest = min(encoding.side_max, 65_500)
    for width, height in ((1, 1), (longest, 1), (1, longest)):
        pixels = np.random.default_rng(7).integers(0, 256, (height, width, layout.channels), np.uint8)

        assert decoded(encoded(pixels, layout, encoding).data).shape[:2] == (height, width)


def test_encode_webp_too_detailed_for_its_method_is_encoded_by_another() -> None:
    """Stripes, of which every block of 4 x 4 pixels is predicted in a way of its own, at a quality that keeps them."""
    rows, columns = 4_000, 4_200
    is_across = np.random.default_rng(0).integers(0, 2, (rows // 4, columns // 4), np.uint8).repeat(4, 0).repeat(4, 1)
    down, across = np.arange(rows, dtype=np.uint8)[:, np.newaxis] % 2, np.arange(columns, dtype=np.uint8) % 2
    pixels = (np.where(is_across, down, across) * np.uint8(80))[..., np.newaxis]

    finished = encoded(pixels, Layout.GRAY, WebpEncoding(90, effort=0))

    assert finished.encoded.quality == 90
    assert Image.open(io.BytesIO(finished.data)).size == (columns, rows)


@pytest.mark.parametrize("encoding", [*LOSSLESS, *LOSSY])
def test_encode_of_pixels_that_end_before_their_extent_takes_no_more(encoding: Encoding) -> None:
    """An extent can be wider than the pixels in it, if their size was not known before."""
    geometry = Geometry(60, 40, Layout.RGBA)
    pixels = np.ascontiguousarray(sample(Layout.RGBA)[:40, :60])
    arena = Arena(geometry.bytes + 1_000)
    arena.write(0, pixels.tobytes() + b"\xff" * 1_000)

    finished = encode(Encode(arena.extents[0], geometry, 3, encode_encoding(encoding)), arena.view)

    assert finished == encoded(pixels, Layout.RGBA, encoding)
    arena.close()
