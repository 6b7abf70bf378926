"""The encode stage against Pillow, from every layout."""

import io

import numpy as np
import pytest
from PIL import Image

from ipc.messages import Encode, Encoded, Extent
from ipc.pixels import Geometry, Layout
from stages.encode import encode, warm
from stages.outputs import JpegEncoding, RawEncoding, encode_encoding
from tests.photographs import decoded, jpeg, photograph_image, rmse
from tests.stages.arenas import Arena, Pixels, encoded

COFFEE = np.asarray(photograph_image("coffee.png"))
ALPHA = np.linspace(0, 255, COFFEE.shape[1]).astype(np.uint8) * np.ones((COFFEE.shape[0], 1), np.uint8)
COFFEE_ALPHA = np.dstack([COFFEE, ALPHA])


def reversed_colors(
    pixels: Pixels,
) -> Pixels:
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


@pytest.mark.parametrize(("quality", "bound"), [(95, 4.0), (80, 6.0), (1, 40.0)])
@pytest.mark.parametrize(("subsampling", "pillows"), [("444", 0), ("422", 1), ("420", 2)])
def test_encode_jpeg_is_as_good_as_pillows(quality: int, bound: float, subsampling: str, pillows: int) -> None:
    """The same codec with the same tables: the same loss, and an absolute bound against a common mistake in both."""
    finished = encoded(COFFEE, Layout.RGB, JpegEncoding(quality, subsampling))  # type: ignore[arg-type]  # a literal
    theirs = jpeg(Image.fromarray(COFFEE), quality=quality, subsampling=pillows)

    assert finished.encoded == Encoded(3, "jpeg", 600, 400, quality, None)
    loss = rmse(decoded(finished.data), COFFEE)
    assert loss <= bound
    assert abs(loss - rmse(decoded(theirs), COFFEE)) <= 0.2
    assert _sampling(finished.data) == {"444": 0x11, "422": 0x21, "420": 0x22}[subsampling]


def _sampling(data: bytes) -> int:
    return data[data.index(b"\xff\xc0") + 11]


def test_encode_jpeg_of_gray_has_one_component() -> None:
    gray = COFFEE[..., :1]
    finished = encoded(gray, Layout.GRAY, JpegEncoding(90))

    assert Image.open(io.BytesIO(finished.data)).mode == "L"
    assert rmse(decoded(finished.data), gray) <= 3.0


def test_encode_jpeg_of_bgr_has_the_right_colors() -> None:
    straight = encoded(COFFEE, Layout.RGB, JpegEncoding())
    swapped = encoded(reversed_colors(COFFEE), Layout.BGR, JpegEncoding())

    assert swapped == straight


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_encode_jpeg_of_alpha_lies_on_the_background(background: tuple[int, int, int]) -> None:
    below = Image.new("RGBA", (600, 400), (*background, 255))
    flat = np.asarray(Image.alpha_composite(below, Image.fromarray(COFFEE_ALPHA)).convert("RGB"))
    encoding = JpegEncoding(100, "444", background)

    straight = encoded(COFFEE_ALPHA, Layout.RGBA, encoding)
    swapped = encoded(reversed_colors(COFFEE_ALPHA), Layout.BGRA, encoding)

    assert rmse(decoded(straight.data), flat) <= 1.2  # what quality 100 itself loses, and a rounding
    assert swapped == straight


def test_encode_jpeg_of_opaque_alpha_is_that_of_its_colors() -> None:
    opaque = np.dstack([COFFEE, np.full(COFFEE.shape[:2], 255, np.uint8)])

    assert encoded(opaque, Layout.RGBA, JpegEncoding()).data == encoded(COFFEE, Layout.RGB, JpegEncoding()).data


@pytest.mark.parametrize(
    ("layout", "pixels", "expected", "kept"),
    [
        (Layout.GRAY, COFFEE[..., :1], COFFEE[..., :1], "GRAY"),
        (Layout.RGB, COFFEE, COFFEE, "RGB"),
        (Layout.BGR, reversed_colors(COFFEE), COFFEE, "RGB"),
        (Layout.RGBA, COFFEE_ALPHA, COFFEE_ALPHA, "RGBA"),
        (Layout.BGRA, reversed_colors(COFFEE_ALPHA), COFFEE_ALPHA, "RGBA"),
    ],
)
def test_encode_raw_gives_pixels_red_first(
    layout: Layout,
    pixels: Pixels,
    expected: Pixels,
    kept: str,
) -> None:
    finished = encoded(pixels, layout, RawEncoding())

    assert finished.encoded == Encoded(3, "raw", 600, 400, None, kept)
    assert finished.data == expected.tobytes()


def test_encode_step_that_does_not_fit_is_refused() -> None:
    arena = Arena(300)
    options = encode_encoding(RawEncoding())
    wrong = [
        Encode(Extent(64, 300), Geometry(10, 11, Layout.RGB), 0, options),
        Encode(Extent(64, 10_000), Geometry(10, 10, Layout.RGB), 0, options),
        Encode(Extent(-1, 300), Geometry(10, 10, Layout.RGB), 0, options),
        Encode(Extent(64, 300), Geometry(0, 10, Layout.RGB), 0, options),
    ]
    for step in wrong:
        with pytest.raises(ValueError, match=r"\d"):
            encode(step, arena.view)
    arena.close()


def test_warm_leaves_nothing_to_load() -> None:
    warm()

    assert encoded(COFFEE, Layout.RGB, JpegEncoding()).encoded.format == "jpeg"
