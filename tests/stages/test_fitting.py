"""Sizes are those of sharp's own documentation and tests for its 2725 x 2225 photograph, or follow from its rules."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.fitting import Fit, Position, fit_picture

SHARPS_PHOTOGRAPH = (2725, 2225)
FITS: tuple[Fit, ...] = ("cover", "contain", "fill", "inside", "outside")


@pytest.mark.parametrize(
    ("asked", "options", "size"),
    [
        ((320, 240), {"fit": "cover"}, (320, 240)),
        ((320, None), {"fit": "cover"}, (320, 261)),
        ((None, 320), {"fit": "cover"}, (392, 320)),
        ((320, 240), {"fit": "contain"}, (320, 240)),
        ((320, 240), {"fit": "fill"}, (320, 240)),
        ((320, None), {"fit": "fill"}, (320, 2225)),
        ((None, 320), {"fit": "fill"}, (2725, 320)),
        ((320, 240), {"fit": "inside"}, (294, 240)),
        ((240, 320), {"fit": "inside"}, (240, 196)),
        ((320, 240), {"fit": "outside"}, (320, 261)),
        ((240, 320), {"fit": "outside"}, (392, 320)),
        ((2800, None), {"fit": "cover"}, (2800, 2286)),
        ((2800, None), {"fit": "cover", "without_enlargement": True}, SHARPS_PHOTOGRAPH),
        ((None, 2300), {"fit": "inside", "without_enlargement": True}, SHARPS_PHOTOGRAPH),
        ((2800, 100), {"fit": "cover", "without_enlargement": True}, (2725, 100)),
        ((2800, 2300), {"fit": "cover", "without_enlargement": True}, SHARPS_PHOTOGRAPH),
        ((2800, 2300), {"fit": "contain", "without_enlargement": True}, (2800, 2300)),
        ((3000, 1000), {"fit": "fill", "without_enlargement": True}, (2725, 1000)),
        ((320, None), {"fit": "cover", "without_reduction": True}, (320, 2225)),
        ((320, 240), {"fit": "cover", "without_reduction": True}, (320, 240)),
        ((320, 240), {"fit": "inside", "without_reduction": True}, SHARPS_PHOTOGRAPH),
        ((320, 240), {"fit": "contain", "without_reduction": True}, SHARPS_PHOTOGRAPH),
        ((3000, 240), {"fit": "fill", "without_reduction": True}, (3000, 2225)),
    ],
)
def test_fit_picture_size_is_sharps(
    asked: tuple[int | None, int | None], options: dict[str, Any], size: tuple[int, int]
) -> None:
    fitting = fit_picture(SHARPS_PHOTOGRAPH, asked, **options)

    assert (fitting.canvas_width, fitting.canvas_height) == size


@pytest.mark.parametrize(
    ("size", "asked", "expected"),
    [((10_000, 1), (100, None), (100, 1)), ((3, 5000), (None, 10), (1, 10)), ((4, 3), (2, None), (2, 2))],
)
def test_fit_picture_sides_are_rounded_half_up_and_never_zero(
    size: tuple[int, int], asked: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    fitting = fit_picture(size, asked, "inside")

    assert (fitting.canvas_width, fitting.canvas_height) == expected


@pytest.mark.parametrize(
    ("position", "wide", "tall"),
    [
        ("centre", (26, 0), (0, 26)),
        ("center", (26, 0), (0, 26)),
        ("top", (26, 0), (0, 0)),
        ("north", (26, 0), (0, 0)),
        ("right top", (51, 0), (0, 0)),
        ("northeast", (51, 0), (0, 0)),
        ("right", (51, 0), (0, 26)),
        ("east", (51, 0), (0, 26)),
        ("right bottom", (51, 0), (0, 51)),
        ("southeast", (51, 0), (0, 51)),
        ("bottom", (26, 0), (0, 51)),
        ("south", (26, 0), (0, 51)),
        ("left bottom", (0, 0), (0, 51)),
        ("southwest", (0, 0), (0, 51)),
        ("left", (0, 0), (0, 26)),
        ("west", (0, 0), (0, 26)),
        ("left top", (0, 0), (0, 0)),
        ("northwest", (0, 0), (0, 0)),
        ((0.0, 0.0), (0, 0), (0, 0)),
        ((0.5, 0.5), (26, 0), (0, 26)),
        ((0.6, 0.4), (41, 0), (0, 10)),
        ((0.2, 0.9), (0, 0), (0, 51)),
        ((1.0, 1.0), (51, 0), (0, 51)),
    ],
)
def test_fit_picture_cover_offsets(position: Position, wide: tuple[int, int], tall: tuple[int, int]) -> None:
    """A crop of 100 from 151: a centred one rounds its offset up, as sharp's does; a focal point goes to the middle."""
    across = fit_picture((151, 100), (100, 100), "cover", position)
    down = fit_picture((100, 151), (100, 100), "cover", position)

    assert ((across.crop_left, across.crop_top), (down.crop_left, down.crop_top)) == (wide, tall)


@pytest.mark.parametrize(
    ("position", "left"),
    [("centre", 25), ("left", 0), ("right", 51), ("top", 25), ((0.25, 0.5), 12), ((1.0, 0.0), 51)],
)
def test_fit_picture_contain_offsets(position: Position, left: int) -> None:
    """A picture 49 wide in a canvas of 100: a centred placement rounds its offset down, as sharp's does."""
    fitting = fit_picture((49, 100), (100, 100), "contain", position)

    assert (fitting.width, fitting.left, fitting.top) == (49, left, 0)


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.tuples(st.integers(1, 5000) | st.none(), st.integers(1, 5000) | st.none()),
    st.sampled_from(FITS),
    st.booleans(),
    st.booleans(),
)
def test_fit_picture_any_result_is_consistent(
    size: tuple[int, int], asked: tuple[int | None, int | None], fit: Fit, smaller: bool, larger: bool
) -> None:
    if asked == (None, None):
        return
    one = fit_picture(size, asked, fit, (0.3, 0.8), without_enlargement=smaller, without_reduction=larger)

    assert 0 <= one.crop_left <= one.scaled_width - one.width
    assert 0 <= one.crop_top <= one.scaled_height - one.height
    assert 0 <= one.left <= one.canvas_width - one.width
    assert 0 <= one.top <= one.canvas_height - one.height
    assert min(one.width, one.height) >= 1
    if fit in ("cover", "contain", "fill") and not (smaller or larger) and None not in asked:
        assert (one.canvas_width, one.canvas_height) == asked
    if smaller:
        assert one.scaled_width <= size[0]
        assert one.scaled_height <= size[1]
