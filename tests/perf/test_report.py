"""Tables of results."""

import msgspec

from perf.matrix import DAEMON, IDEAL, LENT, SHARP, UNTUNED
from perf.report import (
    alone_table,
    cost_table,
    latency_table,
    load_table,
    memory_table,
    paced_table,
    producers_table,
    ratio_table,
    services_table,
    tables,
    throughput_table,
)
from perf.results import Results
from perf.table import Table, markdown, plain
from tests.perf.made_up import results

SAME = " ({0}..{0})"


def row(table: Table, first: str) -> dict[str, str]:
    found = {one[0]: one for one in table.rows}
    return dict(zip(table.columns, found[first], strict=True))


def test_throughput_is_the_median_of_the_rounds() -> None:
    assert row(throughput_table(results()), "400 px to 300") == {
        "": "400 px to 300", IDEAL: "500", UNTUNED: "450", DAEMON: "450", LENT: "475", SHARP: "150",
    }  # fmt: skip


def test_ratios_of_uneven_rounds_are_taken_round_by_round() -> None:
    found = row(ratio_table(results()), "3200 px to 300")

    assert found["daemon / ideal"] == "0.90 (0.90..0.90)"
    assert found["daemon / sharp"] == "3.00 (3.00..3.00)"
    assert "daemon / daemon" not in found


def test_contender_that_was_not_asked_leaves_its_place_empty() -> None:
    assert row(throughput_table(results()), "400 px to full size")[UNTUNED] == ""
    assert row(ratio_table(results()), "400 px to full size")["daemon / untuned"] == ""


def test_latency_has_the_difference_to_the_bare_call_of_the_same_round() -> None:
    found = row(latency_table(results()), "800 px to 300")
    bare_ms, daemon_ms = (float(found[name].split(",")[0]) for name in ("bare call", DAEMON))

    assert abs(float(found["daemon - bare call, p50"].split()[0]) - (daemon_ms - bare_ms)) < 0.02


def test_load_table_has_a_row_for_each_number_of_frames_in_flight() -> None:
    assert [one[0] for one in load_table(results()).rows] == ["1", "2", "4", "8", "16", "32", "64"]
    assert row(load_table(results()), "32")["sharp: frames a second"] == "43.1"


def test_tail_is_p99_over_p50_of_each_round() -> None:
    assert row(paced_table(results()), "400 px to 300, daemon")["p99 / p50"] == "2.00 (2.00..2.00)"


def test_several_producers_are_held_against_one() -> None:
    assert row(producers_table(results()), "400 px to 300, lent")["over one"] == "1.00 (1.00..1.00)"


def test_cost_is_told_with_what_those_take_who_send() -> None:
    assert row(cost_table(results()), "400 px to 300")[DAEMON] == "4,533 + 89"
    assert row(cost_table(results()), "400 px to 300")[IDEAL] == "4,000"


def test_services_add_up() -> None:
    found = row(services_table(results()), "400 px to 300, 32 in flight")

    assert (found["broker"], found["decode"], found["control"], found["encode"]) == ("444", "4,000", "89", "0")
    assert (found["all"], found["producer"], found["ideal"]) == ("4,533", "89", "4,000")
    assert found["ideal / all with producer"] == "0.87 (0.87..0.87)"


def test_each_by_itself_has_its_start_and_its_memory() -> None:
    assert alone_table(results()).rows == (
        ("ideal", "", "90", "0.00%", "200"),
        ("daemon", "0.80", "170", "1.00%", "400"),
        ("sharp", "0.30", "60", "0.10%", "800"),
    )


def test_memory_after_a_load_is_told_for_each_work() -> None:
    assert row(memory_table(results()), "800 px to full size")[DAEMON] == "64"


def test_results_with_next_to_nothing_in_them_still_make_a_report() -> None:
    empty = msgspec.structs.replace(results(), series=[], alone={}, samples={})

    assert [table.title for table in tables(empty)] == ["contenders"]


def test_all_tables_of_whole_results_have_rows() -> None:
    found: Results = results()

    assert len(tables(found)) == 13
    assert all(len(one) == len(table.columns) for table in tables(found) for one in table.rows)


def test_plain_table_aligns_names_left_and_figures_right() -> None:
    table = Table("title", ("", "rate", "latency"), (("a", "1,000", "0.5"), ("longer", "9", "")))

    assert plain(table).splitlines() == ["title", "         rate  latency", "a       1,000      0.5", "longer      9"]


def test_markdown_table_has_a_line_for_each_row_and_no_bar_of_its_own_text() -> None:
    table = Table("title", ("", "rate"), (("a|b", "1"),))

    assert markdown(table).splitlines() == ["**title**", "", "|  | rate |", "|---|--:|", "| a\\|b | 1 |"]
