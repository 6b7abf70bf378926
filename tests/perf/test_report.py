"""Tables of measurements."""

from itertools import product

import pytest

from perf.harness import IN_FLIGHT, Measurement, MeasurementFailed, check_same_work
from perf.memory import ProcessMemory
from perf.messages import Run
from perf.report import Table, latency_table, memory_table, plain, throughput_table
from perf.startup import Startup

MIB = 1 << 20

RATES = {
    "ideal": 2000.0,
    "untuned": 1500.0,
    "bare": 1000.0,
    f"daemon-{IN_FLIGHT}": 1500.0,
    "daemon-1": 400.0,
    f"staged-{IN_FLIGHT}": 1900.0,
    "staged-1": 500.0,
}
SLOWDOWN = (1.0, 4.0, 2.0)
"""By round: how busy the machine was with other things."""


def measurement(number: int, side: int, contender: str, *, sha256: str = "same") -> Measurement:
    rate = RATES[contender] / SLOWDOWN[number]
    latency_us = [int(1e6 / rate)] * 9 + [int(2e6 / rate)]
    inside_us = [] if contender in {"ideal", "untuned", "bare"} else [900]
    return Measurement(number, side, contender, Run(10, rate, latency_us, inside_us, sha256))


def rounds() -> list[Measurement]:
    return [measurement(*place) for place in product(range(3), (400, 800), RATES)]


def test_throughput_table_of_uneven_rounds_compares_round_with_round() -> None:
    table = throughput_table(rounds())

    assert table.columns == (
        "",
        "ideal",
        "daemon",
        "daemon / ideal",
        "staged",
        "staged / ideal",
        "untuned",
        "daemon / untuned",
    )
    assert table.rows == (
        ("400 px", "1,000", "750", "0.75 (0.75..0.75)", "950", "0.95 (0.95..0.95)", "750", "1.00 (1.00..1.00)"),
        ("800 px", "1,000", "750", "0.75 (0.75..0.75)", "950", "0.95 (0.95..0.95)", "750", "1.00 (1.00..1.00)"),
    )


def test_throughput_table_does_not_depend_on_the_order_of_turns() -> None:
    assert throughput_table(rounds()[::-1]).rows[::-1] == throughput_table(rounds()).rows


def test_latency_table_pools_all_rounds_and_compares_with_the_bare_calls() -> None:
    rows = [row for row in latency_table(rounds()).rows if row[0] == "400 px"]

    assert rows == [
        ("400 px", "bare calls", "", "2.00", "8.00", "", ""),
        ("400 px", "daemon", "1", "5.00", "20.00", "2.50 (2.50..2.50)", "0.90"),
        ("400 px", "daemon", str(IN_FLIGHT), "1.33", "5.33", "", "0.90"),
        ("400 px", "staged", "1", "4.00", "16.00", "2.00 (2.00..2.00)", "0.90"),
        ("400 px", "staged", str(IN_FLIGHT), "1.05", "4.21", "", "0.90"),
    ]


def test_memory_table_adds_up_the_processes_even_if_one_was_replaced() -> None:
    idle = [ProcessMemory("broker", 14 * MIB, 12 * MIB, 0), ProcessMemory("decode-0", 20 * MIB, 18 * MIB, MIB)]
    loaded = [ProcessMemory("broker", 30 * MIB, 24 * MIB, 6 * MIB), ProcessMemory("decode-9", MIB, MIB, 0)]

    assert memory_table(Startup([0.5], idle, loaded, 3200)).rows == (
        ("broker", "14.0", "12.0", "0.0", "30.0", "24.0", "6.0"),
        ("decode-0", "20.0", "18.0", "1.0", "", "", ""),
        ("all", "34.0", "30.0", "1.0", "31.0", "25.0", "6.0"),
    )


def test_plain_table_aligns_names_left_and_figures_right() -> None:
    table = Table("title", ("", "rate", "latency"), (("a", "1,000", "0.5"), ("longer", "9", "")))

    assert plain(table) == "\n".join(
        [
            "title",
            "         rate  latency",
            "a       1,000      0.5",
            "longer      9",
        ]
    )


def test_contenders_with_the_same_pictures_pass() -> None:
    check_same_work([measurement(0, 400, "ideal"), measurement(0, 800, "ideal", sha256="larger")])


def test_contender_with_another_picture_is_refused() -> None:
    with pytest.raises(MeasurementFailed, match="staged-1 and ideal made different pictures of the one of 400 px"):
        check_same_work([measurement(0, 400, "ideal"), measurement(0, 400, "staged-1", sha256="other")])
