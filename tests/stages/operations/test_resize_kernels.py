"""Resize's kernels, crops and padding, against Pillow."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ipc.pixels import Geometry, Layout
from stages.chain import compose
from stages.fitting import Fit, Word, fit_picture
from stages.limits import Limits
from stages.operations.resize import Resize
from stages.resample import Kernel
from tests.photographs import photograph_image, photograph_mosaic, rmse
from tests.stages.arenas import Pixels, transformed

LAYOUTS = list(Layout)
COFFEE = photograph_image("coffee.png")
PIXELS = np.asarray(COFFEE)
WORDS: tuple[Word, ...] = (
    "centre", "top", "right top", "right", "right bottom", "bottom", "left bottom", "left", "left top",
)  # fmt: skip
FILTERS = {
    "lanczos3": Image.Resampling.LANCZOS,
    "cubic": Image.Resampling.BICUBIC,
    "linear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
}

CONVOLUTION_RMSE = 0.5
"""Both are fixed-point convolutions with the same kernels; measured 0.3 to 0.4."""
HALVED_RMSE = 1.0
"""What may be lost where the picture is halved first: see `stages.resample.REDUCTION_LEAVES`."""


def in_layout(layout: Layout) -> Pixels:
    """The coffee cup, with an alpha that grows from left to right."""
    if layout is Layout.GRAY:
        return PIXELS[..., 1:2]
    pixels = PIXELS if layout in (Layout.RGB, Layout.RGBA) else PIXELS[..., ::-1]
    if layout.channels == 3:
        return pixels
    alpha = np.broadcast_to(np.linspace(0, 255, 600).astype(np.uint8), (400, 600))
    return np.dstack([pixels, alpha])


@pytest.mark.parametrize(
    "size", [(300, 200), (301, 77), (599, 399), (1, 1), (900, 601), (600, 20), (20, 400), (90, 60)]
)
@pytest.mark.parametrize("kernel", ["lanczos3", "cubic", "linear"])
def test_resize_is_pillows(kernel: Kernel, size: tuple[int, int]) -> None:
    reference = np.asarray(COFFEE.resize(size, FILTERS[kernel]))
    shrink = min(600 / size[0], 400 / size[1])

    result = transformed(PIXELS, Layout.RGB, Resize(*size, fit="fill", kernel=kernel))
    assert rmse(result, reference) <= (CONVOLUTION_RMSE if shrink < 4 else HALVED_RMSE)


@pytest.mark.parametrize("side", [1600, 1599])
@pytest.mark.parametrize("factor", [3.9, 4, 4.4, 5.2, 8, 9, 9.5, 16, 23.9, 24, 33])
def test_resize_of_large_raw_pixels_is_pillows(side: int, factor: float) -> None:
    """Where halving comes first; an odd side has half a pixel too many."""
    image = photograph_mosaic(side)
    size = round(side / factor)
    reference = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))

    assert rmse(transformed(np.asarray(image), Layout.RGB, Resize(size, size)), reference) <= HALVED_RMSE


def test_resize_in_strips_is_the_same_as_at_once() -> None:
    """A picture of 29 MiB goes through the convolution in strips, whose seams must not show."""
    image = photograph_mosaic(3200).crop((0, 0, 3200, 3163))
    reference = np.asarray(image.resize((1700, 1601), Image.Resampling.LANCZOS)).astype(int)
    result = transformed(np.asarray(image), Layout.RGB, Resize(1700, 1601, fit="fill")).astype(int)

    assert np.abs(result - reference).mean(axis=(1, 2)).max() <= 0.5


def test_resize_mitchell_is_softer_than_cubic_and_close_to_it() -> None:
    """Pillow has no Mitchell; its definition is a blend of B-spline and Catmull-Rom."""
    mitchell = transformed(PIXELS, Layout.RGB, Resize(300, 200, kernel="mitchell"))
    cubic = transformed(PIXELS, Layout.RGB, Resize(300, 200, kernel="cubic"))

    assert 0.5 < rmse(mitchell, cubic) < 8
    assert np.abs(np.diff(mitchell.astype(int), axis=1)).mean() < np.abs(np.diff(cubic.astype(int), axis=1)).mean()


@pytest.mark.parametrize("size", [(300, 201), (77, 33), (1200, 800), (601, 20)])
def test_resize_nearest_is_pillows_to_the_bit(size: tuple[int, int]) -> None:
    """Of sizes at which no middle falls on an edge between two pixels, where either would do."""
    reference = np.asarray(COFFEE.resize(size, Image.Resampling.NEAREST))

    assert np.array_equal(transformed(PIXELS, Layout.RGB, Resize(*size, fit="fill", kernel="nearest")), reference)


@pytest.mark.parametrize("factor", [2, 4, 5, 10])
def test_resize_area_is_the_mean(factor: int) -> None:
    mean = PIXELS.reshape(400 // factor, factor, 600 // factor, factor, 3).mean(axis=(1, 3))
    result = transformed(PIXELS, Layout.RGB, Resize(600 // factor, kernel="area"))

    assert np.abs(result - mean).max() <= 1


@pytest.mark.parametrize("layout", [Layout.RGBA, Layout.BGRA])
@pytest.mark.parametrize("kernel", ["lanczos3", "area"])
@pytest.mark.parametrize("width", [300, 60])
def test_resize_of_alpha_is_premultiplied(layout: Layout, kernel: Kernel, width: int) -> None:
    """Red where it can be seen, green where it cannot: no green may come through at the border."""
    pixels = np.zeros((400, 600, 4), np.uint8)
    red = 0 if layout is Layout.RGBA else 2
    pixels[..., 1] = 255
    pixels[:, 205:] = 0
    pixels[:, 205:, red] = pixels[:, 205:, 3] = 255

    result = transformed(pixels, layout, Resize(width, kernel=kernel)).astype(int)

    visible = result[result[..., 3] > 8]
    assert visible[:, 1].max() <= 8
    assert visible[:, red].min() >= 247
    assert set(np.unique(result[:, [0, -1], 3])) == {0, 255}


@pytest.mark.parametrize("layout", [Layout.RGBA, Layout.GRAY, Layout.BGR])
def test_resize_of_any_layout_is_pillows(layout: Layout) -> None:
    pixels = in_layout(layout)
    mode = {Layout.RGBA: "RGBA", Layout.GRAY: "L", Layout.BGR: "RGB"}[layout]
    image = Image.fromarray(pixels[..., 0] if layout is Layout.GRAY else pixels, mode)
    reference = np.asarray(image.resize((200, 133), Image.Resampling.LANCZOS)).reshape(133, 200, -1)
    result = transformed(pixels, layout, Resize(200, 133, fit="fill"))
    seen = slice(None) if layout.channels < 4 else slice(70, None)  # where little is seen, colors are coarse

    assert rmse(result[:, seen], reference[:, seen]) <= 1.0


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("size", [(150, 200), (301, 90), (77, 77), (650, 500)])
def test_resize_cover_is_resize_then_crop(size: tuple[int, int], word: Word) -> None:
    """As sharp does it in two steps; here it is one. A crop that is off by a pixel is farther away than this."""
    fitting = fit_picture((600, 400), size, "cover", word)
    scaled = COFFEE.resize((fitting.scaled_width, fitting.scaled_height), Image.Resampling.LANCZOS)
    reference = np.asarray(scaled)[fitting.crop_top :, fitting.crop_left :][: size[1], : size[0]]

    bound = HALVED_RMSE if size == (77, 77) else CONVOLUTION_RMSE
    assert rmse(transformed(PIXELS, Layout.RGB, Resize(*size, position=word)), reference) <= bound


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_resize_contain_pads_with_background(layout: Layout, word: Word) -> None:
    fitting = fit_picture((600, 400), (101, 152), "contain", word)
    resize = Resize(101, 152, fit="contain", position=word, background=(10, 200, 60), kernel="nearest")
    inner = transformed(in_layout(layout), layout, Resize(101, kernel="nearest"))
    colors = {
        Layout.GRAY: (127,), Layout.RGB: (10, 200, 60), Layout.BGR: (60, 200, 10),
        Layout.RGBA: (10, 200, 60, 255), Layout.BGRA: (60, 200, 10, 255),
    }  # fmt: skip
    expected = np.empty((152, 101, layout.channels), np.uint8)
    expected[:] = colors[layout]
    expected[fitting.top : fitting.top + 67] = inner

    assert np.array_equal(transformed(in_layout(layout), layout, resize), expected)


def test_resize_default_background_is_black_and_opaque() -> None:
    result = transformed(in_layout(Layout.RGBA), Layout.RGBA, Resize(101, 152, fit="contain"))

    assert np.array_equal(result[0, 0], [0, 0, 0, 255])


FRUGAL = """
import resource
from pathlib import Path
from stages.operations.resize import Resize
from stages.transform import warm
from tests.stages.arenas import transformed
from ipc.pixels import Layout
import numpy as np
warm()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (384 << 20), used + (384 << 20)))
wide = np.zeros((500, 16383, 3), np.uint8)
for kernel in ("lanczos3", "nearest", "area"):
    for pixels, size in ((wide, (500, 16383)), (wide[:1], (1, 16383)), (wide.transpose(1, 0, 2), (16383, 500))):
        transformed(np.ascontiguousarray(pixels), Layout.RGB, Resize(*size, fit="fill", kernel=kernel))
"""


def test_resize_tall_from_wide_takes_no_more_memory_than_both() -> None:
    """Changing the height first would take 768 MiB between 25 MiB and 25 MiB."""
    done = subprocess.run([sys.executable, "-c", FRUGAL], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("fit", ["cover", "contain", "fill", "inside", "outside"])
@pytest.mark.parametrize("size", [(1, 1), (1, 16383), (16383, 1)])
def test_resize_extreme_shapes_work(fit: Fit, size: tuple[int, int]) -> None:
    thin = np.ascontiguousarray(np.broadcast_to(PIXELS[:1, :1], (1, 16383, 3)))

    for pixels in (thin, thin.transpose(1, 0, 2), PIXELS[:1, :1]):
        chain = compose(
            (Resize(*size, fit=fit),),
            Geometry(pixels.shape[1], pixels.shape[0], Layout.RGB),
            1,
            Limits(1 << 31, 1 << 62),
        )
        if chain.result.pixels < 100_000:
            result = transformed(np.ascontiguousarray(pixels), Layout.RGB, Resize(*size, fit=fit))
            assert result.shape[:2] == (chain.result.height, chain.result.width)
