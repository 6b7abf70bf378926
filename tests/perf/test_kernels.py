"""The benchmark of kernels: all three do the same work, and one that does other work is found out."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from perf.contender import MeasurementFailed
from perf.kernels import formats, operations
from perf.kernels.case import OURS, PILLOW, VIPS, Case, pixels_of, rmse
from perf.kernels.turns import check_same_work, sizes_table, table, take_turns
from stages import decode, encode, transform
from stages.encodings import ENCODINGS
from stages.operations import OPERATIONS


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    for stage in (decode, transform, encode):
        stage.warm()


WIDTH = 480


def gray(value: int) -> Image.Image:
    return Image.new("L", (8, 6), value)


def both_cases() -> Iterator[Case]:
    yield from operations.cases(WIDTH)
    yield from formats.cases(WIDTH)


@pytest.mark.timeout(120)
def test_cases_are_the_same_work_and_leave_out_no_operation_and_no_format() -> None:
    names = set()
    for case in both_cases():
        names.add(case.name)
        check_same_work(case)

    words = {word.strip(",") for name in names for word in name.split()}
    assert set(OPERATIONS) <= words
    assert {"jpeg", "png", "webp", "avif", "gif"} <= words
    assert {name.split()[1] for name in names if name.startswith("encode")} == set(ENCODINGS) - {"raw"}


def test_case_of_other_work_is_found_out() -> None:
    case = Case("x", {OURS: lambda: gray(100), VIPS: lambda: gray(102), PILLOW: lambda: gray(110)})

    with pytest.raises(MeasurementFailed, match=r"x: Pillow made .* 10\.0 RMSE away, 3 allowed"):
        check_same_work(case)


def test_case_of_another_size_is_found_out() -> None:
    case = Case("x", {OURS: lambda: gray(1), PILLOW: lambda: Image.new("L", (9, 6), 1)})

    with pytest.raises(MeasurementFailed, match=r"\(6, 9, 1\) in place of \(6, 8, 1\)"):
        check_same_work(case)


def test_turns_give_each_its_time_each_round() -> None:
    case = Case("x", {OURS: lambda: sum(range(1000)), PILLOW: lambda: sum(range(200_000))})

    times_ms = take_turns(case, rounds=2)

    assert {name: len(times) for name, times in times_ms.items()} == {OURS: 2, PILLOW: 2}
    assert min(times_ms[PILLOW]) > max(times_ms[OURS])


def test_table_leaves_a_gap_where_one_has_no_such_thing() -> None:
    case = Case("x", {OURS: lambda: gray(1), PILLOW: lambda: gray(1)})

    [row] = table("title", [case], rounds=1).rows

    assert row[0] == "x"
    assert row[2:4] == ("", "")
    assert row[1]
    assert row[4]


def test_sizes_are_those_of_files_only() -> None:
    cases = [Case("pixels", {OURS: lambda: gray(1)}), Case("file", {OURS: lambda: bytes(2000), VIPS: lambda: bytes(3)})]

    assert sizes_table(cases).rows == (("file", "2", "0"),)


def test_pixels_of_a_file_are_decoded_and_opaque_alpha_left_out() -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (4, 3), (9, 8, 7, 255)).save(stream, "PNG")

    assert pixels_of(stream.getvalue()).tolist() == [[[9, 8, 7]] * 4] * 3


def test_rmse_of_transparent_pixels_counts_no_colours() -> None:
    one = np.zeros((2, 2, 4), np.uint8)
    other = one.copy()
    other[..., :3] = 200

    assert rmse(one, other) == 0.0
