"""How amounts are written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omnishotd.cli.quantities import age, count, duration, milliseconds, moment, percent, rate, share, size


@pytest.mark.parametrize(
    ("size_bytes", "written"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (134_217_728, "134 MB"),
        (2.5e12, "2.50 TB"),
        (-1500.0, "-1.50 kB"),
    ],
)
def test_size_has_three_digits_and_a_unit(size_bytes: float | None, written: str) -> None:
    assert size(size_bytes) == written


@given(st.integers(0, 10**15 - 10**12))
def test_size_fits_its_column(size_bytes: int) -> None:
    assert len(size(size_bytes)) <= 7


@example(-0.0)
@given(st.floats(-1, 86_400 * 999))
def test_age_fits_its_column(seconds: float) -> None:
    assert len(age(seconds)) <= 5


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "-"),
        (-0.2, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (86_399.6, "1 d 0 h"),
        (93_600, "1 d 2 h"),
    ],
)
def test_duration_has_its_two_largest_units(seconds: float | None, written: str) -> None:
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(3.14, "3.1 s"), (99.4, "99 s"), (5999, "99 m"), (6001, "1 h"), (172_800, "2 d")]
)
def test_age_has_one_unit(seconds: float, written: str) -> None:
    assert age(seconds) == written


@pytest.mark.parametrize(
    ("amount", "written"),
    [(None, "-"), (0.0, "0.00"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (1234.5, "1,234")],
)
def test_milliseconds_have_decimals_while_they_say_something(amount: float | None, written: str) -> None:
    assert milliseconds(amount) == written


@pytest.mark.parametrize(
    ("part", "written"),
    [(0, "0 %"), (0.0001, "under 0.1 %"), (0.0123, "1.2 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (1, "100 %")],
)
def test_small_rate_is_not_written_as_none(part: float, written: str) -> None:
    assert rate(part) == written


def test_shares_counts_and_percents_say_when_they_are_unknown() -> None:
    assert [share(None), share(0.455), percent(None), percent(71.4), count(None), count(1_234_567)] == [
        "-",
        "46 %",
        "-",
        "71 %",
        "-",
        "1,234,567",
    ]


@pytest.mark.usefixtures("in_auckland")
@pytest.mark.parametrize(
    ("at", "written"),
    [
        ("2026-03-09T12:21:07.120+00:00", "01:21:07"),
        ("2026-03-08T12:21:07Z", "03-09 01:21:07"),
        ("yesterday\x1b[2J", "yesterday\\x1b[2J"),
        ("9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_moment_is_of_this_place_and_has_a_date_if_it_was_another_day(at: str, written: str) -> None:
    assert moment(at, today="2026-03-09T12:30:00+00:00") == written
