"""What is called worse."""

import msgspec
import pytest

from perf.figures import Spread
from perf.matrix import DAEMON
from perf.results import Results, Series
from perf.verdict import Comparison, compare, differences
from tests.perf.made_up import machine, results


def compared(kept: Spread, now: Spread, *, is_more_better: bool = True) -> Comparison:
    return Comparison("rate", is_more_better, kept, now)


def test_loss_within_what_the_rounds_span_is_noise() -> None:
    assert not compared(Spread(0.90, 0.85, 0.95), Spread(0.82, 0.78, 0.86)).is_worse


def test_loss_beyond_what_the_rounds_span_is_worse() -> None:
    assert compared(Spread(0.90, 0.88, 0.92), Spread(0.82, 0.80, 0.84)).is_worse


def test_loss_of_rounds_that_agree_by_chance_is_noise_below_the_floor() -> None:
    assert not compared(Spread(0.90, 0.90, 0.90), Spread(0.88, 0.88, 0.88)).is_worse
    assert compared(Spread(0.90, 0.90, 0.90), Spread(0.87, 0.87, 0.87)).is_worse


def test_gain_is_better_and_not_worse() -> None:
    found = compared(Spread(0.80, 0.79, 0.81), Spread(0.90, 0.89, 0.91))

    assert (found.is_better, found.is_worse) == (True, False)


def test_of_costs_more_is_worse() -> None:
    found = compared(Spread(1.2, 1.19, 1.21), Spread(1.4, 1.39, 1.41), is_more_better=False)

    assert (found.is_better, found.is_worse) == (False, True)


def slower(one: Series, share: float) -> Series:
    return msgspec.structs.replace(one, frames_per_second=[rate * share for rate in one.frames_per_second])


def with_daemon(share: float) -> Results:
    series = [slower(one, share) if one.contender == DAEMON else one for one in results().series]
    return msgspec.structs.replace(results(), series=series)


def test_results_against_themselves_have_nothing_worse() -> None:
    found = compare(results(), results())

    assert len(found) > 40
    assert not any(one.is_worse or one.is_better for one in found)


def test_machine_that_is_slower_in_all_makes_nothing_worse() -> None:
    series = [slower(one, 0.5) for one in results().series]

    assert not any(one.is_worse for one in compare(results(), msgspec.structs.replace(results(), series=series)))


def test_daemon_that_is_slower_is_named_with_each_work() -> None:
    worse = [one.what for one in compare(results(), with_daemon(0.8)) if one.is_worse]

    assert "daemon, 400: frames a second / ideal" in worse
    assert "daemon, raw-1080p-full: frames a second / ideal" in worse
    assert not any(what.startswith("lent") for what in worse)


def test_what_only_one_result_has_is_not_compared() -> None:
    few = msgspec.structs.replace(results(), series=[one for one in results().series if one.work == "400"], alone={})

    assert {one.what.split(":")[0] for one in compare(results(), few)} == {"daemon, 400", "lent, 400"}
    assert len(compare(few, results())) == len(compare(results(), few))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"cpu": "another"}, ["processor: a processor, now another"]),
        ({"load_average": 9.0, "revision": "def", "memory_bytes": 1}, []),
        ({"versions": {"omnishotd": "0.2.0", "numpy": "2.0"}}, ["numpy: none, now 2.0"]),
    ],
)
def test_machine_that_differs_is_told_and_our_own_version_is_not(change: dict[str, object], told: list[str]) -> None:
    assert differences(machine(), msgspec.structs.replace(machine(), **change)) == told
