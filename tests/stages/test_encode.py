"""The encode stage against Pillow, from every layout."""

import io
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from ipc.messages import Encode, Encoded, Extent
from ipc.pixels import Geometry, Layout
from stages.encode import encode
from stages.encodings import JpegEncoding, RawEncoding, encode_encoding
from tests.oracles import in_order, sample
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


def _sampling(data: bytes, frame: bytes = b"\xff\xc0") -> int:
    return data[data.index(frame) + 11]


def _image(data: bytes) -> JpegImageFile:
    image = Image.open(io.BytesIO(data))
    assert isinstance(image, JpegImageFile)
    return image


def _laid_on_black(pixels: Pixels) -> Pixels:
    if pixels.shape[2] < 4:
        return pixels
    return np.asarray(Image.alpha_composite(Image.new("RGBA", pixels.shape[1::-1], "black"), Image.fromarray(pixels)))[
        ..., :3
    ]


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize(("quality", "worse"), [(1, 0.15), (80, 0.15), (96, 0.0)])
def test_encode_progressive_jpeg_is_the_picture_that_baseline_is(
    layout: Layout, subsampling: str, quality: int, worse: float
) -> None:
    """Two libraries with the same tables. TurboJPEG takes a faster and less exact DCT below quality 96."""
    pixels = sample(layout)
    baseline = JpegEncoding(quality, subsampling)  # type: ignore[arg-type]  # a literal
    progressive = msgspec.structs.replace(baseline, progressive=True)

    straight = encoded(pixels, layout, baseline)
    gradual = encoded(pixels, layout, progressive)

    seen = _laid_on_black(in_order(pixels, layout))
    assert abs(rmse(decoded(gradual.data), seen) - rmse(decoded(straight.data), seen)) <= worse
    if not worse:
        assert np.array_equal(decoded(gradual.data), decoded(straight.data))
    assert gradual.encoded == straight.encoded
    assert _image(gradual.data).quantization == _image(straight.data).quantization
    assert (b"\xff\xc2" in gradual.data, b"\xff\xc0" in gradual.data) == (True, False)
    assert _image(gradual.data).info["progressive"]
    assert "progressive" not in _image(straight.data).info
    if layout is not Layout.GRAY:
        assert _sampling(gradual.data, b"\xff\xc2") == _sampling(straight.data)


@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB])
@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("size", [(200, 300), (65_500, 1), (1, 65_500), (1, 1)])
def test_encode_progressive_jpeg_of_noise_has_room(layout: Layout, subsampling: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size, layout.channels), np.uint8)
    encoding = JpegEncoding(100, subsampling, progressive=True)  # type: ignore[arg-type]  # a literal

    finished = encoded(noise, layout, encoding)

    assert decoded(finished.data).shape == noise.shape


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
    """Seen from outside: a process that has warmed up encodes everything without a look at a file."""
    ended = subprocess.run([sys.executable, "-c", WARMED], check=False, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["warm", "[]"]


WARMED = """
import sys
from ipc.messages import Encode, Extent, Original
from ipc.pixels import Geometry, Layout
from stages import encode, encodings

encode.warm()
print("warm")
opened = []
sys.addaudithook(lambda event, about: opened.append((event, about)) if event in ("open", "import") else None)
for layout in Layout:
    size = Geometry(20, 10, layout)
    arena = memoryview(bytearray(size.bytes))
    for kind in encodings.ENCODINGS.values():
        for options in ({}, {"metadata": "keep"}, {"progressive": True}, {"lossless": True}, {"max_bytes": 10_000}):
            if options.keys() <= set(kind.__struct_fields__):
                encoding = encodings.encode_encoding(kind(**options))
                encode.encode(Encode(Extent(0, size.bytes), size, 0, encoding), arena)
print(opened)
"""
