"""Operations, run as the transform stage runs them, against Pillow and NumPy."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ipc.messages import Extent, Transform
from ipc.pixels import Geometry, Layout
from stages.chain import compose
from stages.fitting import Fit, Word, fit_picture
from stages.limits import Limits
from stages.operation import Operation
from stages.operations import encode_operations
from stages.operations.extract import Extract
from stages.operations.flip import Flip
from stages.operations.flop import Flop
from stages.operations.grayscale import Grayscale
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.resample import Kernel
from stages.transform import transform, warm
from tests.photographs import photograph_image, photograph_mosaic, rmse
from tests.stages.arenas import Arena, Pixels, transformed

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


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("operation", "same"),
    [
        (Flip(), lambda p: p[::-1]),
        (Flop(), lambda p: p[:, ::-1]),
        (Rotate(90), lambda p: np.rot90(p, -1)),
        (Rotate(180), lambda p: np.rot90(p, 2)),
        (Rotate(270), lambda p: np.rot90(p, 1)),
        (Rotate(-90), lambda p: np.rot90(p, 1)),
        (Extract(1, 2, 3, 4), lambda p: p[2:6, 1:4]),
        (Extract(599, 399, 1, 1), lambda p: p[399:, 599:]),
        (Resize(500, 400, without_reduction=True, position="right"), lambda p: p[:, 100:]),
    ],
)  # fmt: skip
def test_transform_that_moves_pixels_is_exact(
    layout: Layout, operation: Operation, same: Callable[[Pixels], Pixels]
) -> None:
    pixels = in_layout(layout)

    assert np.array_equal(transformed(pixels, layout, operation), same(pixels))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transform_grayscale_is_rec_601(layout: Layout) -> None:
    result = transformed(in_layout(layout), layout, Grayscale()) if layout is not Layout.GRAY else in_layout(layout)
    luma = np.rint(PIXELS @ np.array([0.299, 0.587, 0.114])) if layout is not Layout.GRAY else PIXELS[..., 1]

    assert result.shape[2] == (4 if layout.channels == 4 else 1)
    assert np.abs(result[..., 0] - luma).max() <= 1
    if layout.channels == 4:
        assert np.array_equal(result[..., 0], result[..., 1])
        assert np.array_equal(result[..., 0], result[..., 2])
        assert np.array_equal(result[..., 3], in_layout(layout)[..., 3])


@pytest.mark.parametrize(
    "size", [(300, 200), (301, 77), (599, 399), (1, 1), (900, 601), (600, 20), (20, 400), (90, 60)]
)
@pytest.mark.parametrize("kernel", ["lanczos3", "cubic", "linear"])
def test_transform_resize_is_pillows(kernel: Kernel, size: tuple[int, int]) -> None:
    reference = np.asarray(COFFEE.resize(size, FILTERS[kernel]))
    shrink = min(600 / size[0], 400 / size[1])

    result = transformed(PIXELS, Layout.RGB, Resize(*size, fit="fill", kernel=kernel))
    assert rmse(result, reference) <= (CONVOLUTION_RMSE if shrink < 4 else HALVED_RMSE)


@pytest.mark.parametrize("side", [1600, 1599])
@pytest.mark.parametrize("factor", [3.9, 4, 4.4, 5.2, 8, 9, 9.5, 16, 23.9, 24, 33])
def test_transform_resize_of_large_raw_pixels_is_pillows(side: int, factor: float) -> None:
    """Where halving comes first; an odd side has half a pixel too many."""
    image = photograph_mosaic(side)
    size = round(side / factor)
    reference = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))

    assert rmse(transformed(np.asarray(image), Layout.RGB, Resize(size, size)), reference) <= HALVED_RMSE


def test_transform_resize_in_strips_is_the_same_as_at_once() -> None:
    """A picture of 29 MiB goes through the convolution in strips, whose seams must not show."""
    image = photograph_mosaic(3200).crop((0, 0, 3200, 3163))
    reference = np.asarray(image.resize((1700, 1601), Image.Resampling.LANCZOS)).astype(int)
    result = transformed(np.asarray(image), Layout.RGB, Resize(1700, 1601, fit="fill")).astype(int)

    assert np.abs(result - reference).mean(axis=(1, 2)).max() <= 0.5


def test_transform_mitchell_is_softer_than_cubic_and_close_to_it() -> None:
    """Pillow has no Mitchell; its definition is a blend of B-spline and Catmull-Rom."""
    mitchell = transformed(PIXELS, Layout.RGB, Resize(300, 200, kernel="mitchell"))
    cubic = transformed(PIXELS, Layout.RGB, Resize(300, 200, kernel="cubic"))

    assert 0.5 < rmse(mitchell, cubic) < 8
    assert np.abs(np.diff(mitchell.astype(int), axis=1)).mean() < np.abs(np.diff(cubic.astype(int), axis=1)).mean()


@pytest.mark.parametrize("size", [(300, 201), (77, 33), (1200, 800), (601, 20)])
def test_transform_nearest_is_pillows_to_the_bit(size: tuple[int, int]) -> None:
    """Of sizes at which no middle falls on an edge between two pixels, where either would do."""
    reference = np.asarray(COFFEE.resize(size, Image.Resampling.NEAREST))

    assert np.array_equal(transformed(PIXELS, Layout.RGB, Resize(*size, fit="fill", kernel="nearest")), reference)


@pytest.mark.parametrize("factor", [2, 4, 5, 10])
def test_transform_area_is_the_mean(factor: int) -> None:
    mean = PIXELS.reshape(400 // factor, factor, 600 // factor, factor, 3).mean(axis=(1, 3))
    result = transformed(PIXELS, Layout.RGB, Resize(600 // factor, kernel="area"))

    assert np.abs(result - mean).max() <= 1


@pytest.mark.parametrize("layout", [Layout.RGBA, Layout.BGRA])
@pytest.mark.parametrize("kernel", ["lanczos3", "area"])
@pytest.mark.parametrize("width", [300, 60])
def test_transform_resize_of_alpha_is_premultiplied(layout: Layout, kernel: Kernel, width: int) -> None:
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
def test_transform_resize_of_any_layout_is_pillows(layout: Layout) -> None:
    pixels = in_layout(layout)
    mode = {Layout.RGBA: "RGBA", Layout.GRAY: "L", Layout.BGR: "RGB"}[layout]
    image = Image.fromarray(pixels[..., 0] if layout is Layout.GRAY else pixels, mode)
    reference = np.asarray(image.resize((200, 133), Image.Resampling.LANCZOS)).reshape(133, 200, -1)
    result = transformed(pixels, layout, Resize(200, 133, fit="fill"))
    seen = slice(None) if layout.channels < 4 else slice(70, None)  # where little is seen, colors are coarse

    assert rmse(result[:, seen], reference[:, seen]) <= 1.0


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("size", [(150, 200), (301, 90), (77, 77), (650, 500)])
def test_transform_cover_is_resize_then_crop(size: tuple[int, int], word: Word) -> None:
    """As sharp does it in two steps; here it is one. A crop that is off by a pixel is farther away than this."""
    fitting = fit_picture((600, 400), size, "cover", word)
    scaled = COFFEE.resize((fitting.scaled_width, fitting.scaled_height), Image.Resampling.LANCZOS)
    reference = np.asarray(scaled)[fitting.crop_top :, fitting.crop_left :][: size[1], : size[0]]

    bound = HALVED_RMSE if size == (77, 77) else CONVOLUTION_RMSE
    assert rmse(transformed(PIXELS, Layout.RGB, Resize(*size, position=word)), reference) <= bound


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_transform_contain_pads_with_background(layout: Layout, word: Word) -> None:
    fitting = fit_picture((600, 400), (101, 152), "contain", word)
    resize = Resize(101, 152, fit="contain", position=word, background=(10, 200, 60, 128), kernel="nearest")
    inner = transformed(in_layout(layout), layout, Resize(101, kernel="nearest"))
    colors = {
        Layout.GRAY: (127,), Layout.RGB: (10, 200, 60), Layout.BGR: (60, 200, 10),
        Layout.RGBA: (10, 200, 60, 128), Layout.BGRA: (60, 200, 10, 128),
    }  # fmt: skip
    expected = np.empty((152, 101, layout.channels), np.uint8)
    expected[:] = colors[layout]
    expected[fitting.top : fitting.top + 67] = inner

    assert np.array_equal(transformed(in_layout(layout), layout, resize), expected)


def test_transform_default_background_is_black_and_opaque() -> None:
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


def test_transform_tall_from_wide_takes_no_more_memory_than_both() -> None:
    """Changing the height first would take 768 MiB between 25 MiB and 25 MiB."""
    done = subprocess.run([sys.executable, "-c", FRUGAL], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


OPERATIONS = st.one_of(
    st.builds(
        Resize,
        st.integers(1, 90),
        st.integers(1, 90) | st.none(),
        st.sampled_from(["cover", "contain", "fill", "inside", "outside"]),
        st.sampled_from(WORDS) | st.tuples(st.floats(0, 1), st.floats(0, 1)),
        st.sampled_from(["lanczos3", "nearest", "linear", "cubic", "mitchell", "area"]),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(Extract, st.integers(0, 5), st.integers(0, 5), st.integers(1, 12), st.integers(1, 12)),
    st.builds(Rotate, st.sampled_from([90, 180, 270])),
    st.just(Flip()),
    st.just(Flop()),
    st.just(Grayscale()),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(OPERATIONS, max_size=4), st.integers(1, 70), st.integers(1, 70), st.sampled_from(LAYOUTS))
def test_transform_any_chain_fills_exactly_what_was_planned(
    operations: list[Operation], width: int, height: int, layout: Layout
) -> None:
    source = Geometry(width, height, layout)
    kept: list[Operation] = []
    planned = source
    for operation in operations:
        if isinstance(operation, Extract) and not (
            operation.left + operation.width <= planned.width and operation.top + operation.height <= planned.height
        ):
            continue
        kept.append(operation)
        planned = operation.plan(planned, Limits(16383, 50_000_000))
    pixels = np.resize(PIXELS[..., : layout.channels], (height, width, layout.channels))
    result = transformed(pixels, layout, *kept)  # checks guards, source and released views

    assert result.shape == (planned.height, planned.width, planned.layout.channels)


@pytest.mark.parametrize("fit", ["cover", "contain", "fill", "inside", "outside"])
@pytest.mark.parametrize("size", [(1, 1), (1, 16383), (16383, 1)])
def test_transform_extreme_shapes_work(fit: Fit, size: tuple[int, int]) -> None:
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


def test_transform_step_that_does_not_fit_is_refused_before_anything_is_written() -> None:
    source, result = Geometry(8, 6, Layout.RGB), Geometry(4, 3, Layout.RGB)
    arena = Arena(source.bytes, result.bytes)
    before = bytes(arena.memory)
    near, far = arena.extents
    resize = encode_operations((Resize(4, 3),))
    wrong = [
        Transform(near, Extent(far.offset, far.bytes - 1), source, source, resize, result),
        Transform(near, Extent(len(before) - 5, far.bytes), source, source, resize, result),
        Transform(Extent(-2, near.bytes), far, source, source, resize, result),
        Transform(Extent(near.offset, near.bytes - 1), far, source, source, resize, result),
        Transform(near, far, source, Geometry(80, 60, Layout.RGB), resize, result),
        Transform(near, far, source, source, resize, Geometry(0, 3, Layout.RGB)),
        Transform(near, far, source, source, b"\xc1", result),
    ]
    for step in wrong:
        with pytest.raises(ValueError, match=r"."):
            transform(step, arena.view)

    assert bytes(arena.memory) == before
    arena.close()


def test_transform_plan_of_another_size_is_refused() -> None:
    source = Geometry(8, 6, Layout.RGB)
    arena = Arena(source.bytes, 300)
    near, far = arena.extents
    resize = encode_operations((Resize(4, 3),))
    for result in (Geometry(4, 4, Layout.RGB), Geometry(4, 3, Layout.BGR), Geometry(3, 4, Layout.RGB)):
        with pytest.raises(ValueError, match="plan"):
            transform(Transform(near, far, source, source, resize, result), arena.view)
    arena.close()


def test_warm_leaves_nothing_to_load() -> None:
    warm()

    assert transformed(PIXELS, Layout.RGB, Flip()).shape == PIXELS.shape


def test_flips_of_pillow_are_ours() -> None:
    """The names: flip is top to bottom, flop is left to right."""
    assert np.array_equal(transformed(PIXELS, Layout.RGB, Flip()), np.asarray(ImageOps.flip(COFFEE)))
    assert np.array_equal(transformed(PIXELS, Layout.RGB, Flop()), np.asarray(ImageOps.mirror(COFFEE)))
