"""Chains: turning, dropping what is idle, and how far the decoder may scale, against Pillow."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.chain import compose, scale_allowed
from stages.limits import Limits
from stages.operation import Operation
from stages.operations.auto_orient import AutoOrient
from stages.operations.extract import Extract
from stages.operations.flip import Flip
from stages.operations.flop import Flop
from stages.operations.grayscale import Grayscale
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.resample import Kernel
from stages.scaling import scaled
from tests.photographs import decoded, photograph_image, photograph_mosaic, rmse
from tests.stages.arenas import chain_of, processed, transformed
from tests.stages.jpegs import LIMITS, oriented

LANDSCAPE = Geometry(640, 480, Layout.RGB)
TURNS: list[Operation] = [Rotate(90), Rotate(180), Rotate(-90), Rotate(0), Flip(), Flop(), AutoOrient()]


def composed(*operations: Operation, source: Geometry = LANDSCAPE, orientation: int = 1) -> tuple[Operation, ...]:
    return compose(operations, source, orientation, LIMITS).operations


@pytest.mark.parametrize("orientation", range(1, 9))
def test_compose_auto_orient_makes_upright_as_pillow_does(orientation: int) -> None:
    """Losslessly: the same pixels, turned the same way."""
    data = oriented(photograph_image("chelsea.png"), orientation)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    chain = chain_of(data, AutoOrient())
    result = transformed(decoded(data), Layout.RGB, *chain.operations) if chain.operations else decoded(data)

    assert np.array_equal(result, upright)
    assert (chain.result.height, chain.result.width) == upright.shape[:2]


def test_compose_auto_orient_counts_once() -> None:
    assert composed(AutoOrient(), orientation=6) == (Rotate(90),)
    assert composed(AutoOrient(), AutoOrient(), orientation=6) == (Rotate(90),)
    assert composed(AutoOrient(), Resize(100, 100), AutoOrient(), orientation=6) == (Rotate(90), Resize(100, 100))


def test_compose_without_auto_orient_leaves_the_picture_lying() -> None:
    assert composed(Resize(100, 100), orientation=6) == (Resize(100, 100),)


def test_compose_auto_orient_stands_where_it_was_asked_for() -> None:
    extract = Extract(0, 0, 600, 100)

    assert composed(extract, AutoOrient(), orientation=8) == (extract, Rotate(270))
    with pytest.raises(FrameError, match="left"):
        composed(AutoOrient(), extract, orientation=8)


@pytest.mark.parametrize(
    "operations",
    [
        (),
        (AutoOrient(),),
        (Rotate(0),),
        (Rotate(360), Rotate(-720)),
        (Rotate(90), Rotate(270)),
        (Flip(), Flip()),
        (Flop(), Flip(), Rotate(180)),
        (Resize(640, 480),),
        (Resize(640),),
        (Resize(10_000, without_enlargement=True),),
        (Resize(10, without_reduction=True, fit="inside"),),
        (Extract(0, 0, 640, 480),),
    ],
)
def test_compose_drops_what_changes_nothing(operations: tuple[Operation, ...]) -> None:
    assert compose(operations, LANDSCAPE, 1, LIMITS) == compose((), LANDSCAPE, 1, LIMITS)


def test_compose_keeps_a_resize_that_only_crops_or_pads() -> None:
    crop, pad = Resize(600, 480, without_reduction=True), Resize(700, 480, fit="contain")

    assert composed(crop) == (crop,)
    assert composed(pad) == (pad,)


def test_compose_grayscale_of_gray_is_dropped() -> None:
    assert composed(Grayscale(), Grayscale()) == (Grayscale(),)
    assert composed(Grayscale(), source=Geometry(9, 9, Layout.GRAY)) == ()


@settings(deadline=None)
@given(st.lists(st.sampled_from(TURNS), max_size=6), st.integers(1, 8))
def test_compose_any_turns_equal_the_turns_one_by_one(turns: list[Operation], orientation: int) -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    chain = compose(tuple(turns), Geometry(3, 2, Layout.RGB), orientation, LIMITS)
    expected = Image.fromarray(pixels)
    pending: int | None = orientation
    for turn in turns:
        if isinstance(turn, Rotate):
            expected = expected.rotate(-turn.angle, expand=True)
        elif isinstance(turn, Flip):
            expected = ImageOps.flip(expected)
        elif isinstance(turn, Flop):
            expected = ImageOps.mirror(expected)
        elif pending is not None:
            expected.getexif()[0x0112] = pending
            expected = ImageOps.exif_transpose(expected)
            pending = None

    assert len(chain.operations) <= 2
    result = transformed(pixels, Layout.RGB, *chain.operations) if chain.operations else pixels
    assert np.array_equal(result, np.asarray(expected))


@pytest.mark.parametrize(
    ("operations", "code", "message"),
    [
        (
            (Flip(), Extract(600, 0, 41, 10)),
            ErrorCode.BAD_REQUEST,
            "operations[1] (extract): left + width is 641, over the picture's width 640",
        ),
        (
            (Extract(0, 400, 10, 81),),
            ErrorCode.BAD_REQUEST,
            "operations[0] (extract): top + height is 481, over the picture's height 480",
        ),
        (
            (Resize(2000),),
            ErrorCode.TOO_LARGE,
            "operations[0] (resize): width 2000 is over max_side 1000",
        ),
        (
            (Rotate(90), Resize(900, fit="outside")),
            ErrorCode.TOO_LARGE,
            "operations[1] (resize): result: height 1200 is over max_side 1000",
        ),
        (
            (Resize(900, 900),),
            ErrorCode.TOO_LARGE,
            "operations[0] (resize): result: 900 x 900 pixels are over max_pixels 500000",
        ),
    ],
)
def test_compose_impossible_operation_is_named(
    operations: tuple[Operation, ...], code: ErrorCode, message: str
) -> None:
    with pytest.raises(FrameError) as caught:
        compose(operations, LANDSCAPE, 1, Limits(1000, 500_000))

    assert (caught.value.code, caught.value.message) == (code, message)


def test_compose_every_step_is_held_against_the_limits() -> None:
    """A small result does not excuse a picture too large in between."""
    with pytest.raises(FrameError, match="max_pixels"):
        compose((Resize(900, 900), Extract(0, 0, 1, 1)), LANDSCAPE, 1, Limits(1000, 500_000))


@pytest.mark.parametrize(
    ("operations", "allowed"),
    [
        ((), 1),
        ((Flip(),), 1),
        ((Extract(0, 0, 800, 800),), 1),
        ((Resize(801, 801),), 1),
        ((Resize(800, 800),), 2),
        ((Resize(300, 300),), 4),
        ((Resize(100, 100),), 8),
        ((Resize(10, 10),), 8),
        ((Resize(300, 1600),), 1),
        ((Resize(300, 1600, fit="inside"),), 4),
        ((Resize(100, 100, kernel="nearest"),), 1),
        ((Resize(534, 534, kernel="area"),), 1),
        ((Resize(533, 533, kernel="area"),), 2),
        ((Rotate(90), Grayscale(), Flop(), Resize(300, 300)), 4),
        ((Extract(11, 22, 800, 800), Resize(300, 300)), 1),
        ((Extract(11, 22, 1200, 1200), Resize(300, 300)), 2),
        ((Resize(100, 100), Resize(10, 10)), 8),
    ],
)
def test_scale_allowed_leaves_the_first_resize_enough(operations: tuple[Operation, ...], allowed: int) -> None:
    source = Geometry(3200, 3200, Layout.RGB)

    assert scale_allowed(compose(operations, source, 1, LIMITS)) == allowed


@pytest.mark.parametrize("kernel", ["lanczos3", "cubic", "linear"])
@pytest.mark.parametrize("width", [100, 133, 177, 200, 250, 266, 300, 355, 400, 401])
def test_scale_allowed_result_is_pillows_of_the_full_picture(kernel: Kernel, width: int) -> None:
    """1.0 RMSE is what the requirement allows; each width is at, or just beyond, where another scale begins."""
    data = oriented(photograph_mosaic(1600), 1, quality=92)
    filters = {
        "lanczos3": Image.Resampling.LANCZOS,
        "cubic": Image.Resampling.BICUBIC,
        "linear": Image.Resampling.BILINEAR,
    }
    reference = np.asarray(Image.open(io.BytesIO(data)).resize((width, width), filters[kernel]))

    assert rmse(processed(data, Resize(width, width, kernel=kernel)), reference) <= 1.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(600, 799), st.integers(600, 799), st.integers(1, 8))
def test_scaled_picture_gives_the_same_crop_as_the_full_one(
    left: int, top: int, width: int, height: int, orientation: int
) -> None:
    """Parameters count in the picture's own pixels, wherever the decoder's coarser ones begin.

    Against the same chain on all pixels; 1.5 RMSE, for at the cut-out's edges the coarser pixels hold some of what was
    cut off.
    """
    data = oriented(photograph_mosaic(1200).crop((0, 0, 1199, 1197)), orientation, quality=95)
    operations = (AutoOrient(), Extract(left, top, min(width, 1197 - left), min(height, 1197 - top)), Resize(140, 140))
    chain = chain_of(data, *operations)
    assert scale_allowed(chain) >= 2
    pixels = decoded(data)
    full = transformed(pixels, Layout.RGB, *operations, orientation=orientation)

    assert rmse(processed(data, *operations), full) <= 1.5


@settings(deadline=None)
@given(st.integers(1, 70_000), st.sampled_from([1, 2, 4, 8]))
def test_scaled_rounds_up(side: int, denominator: int) -> None:
    result = scaled(Geometry(side, 1, Layout.GRAY), denominator).width

    assert (result - 1) * denominator < side <= result * denominator
