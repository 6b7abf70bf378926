"""Goals against results."""

import msgspec

from perf.goals import GOALS, goals_table
from tests.perf.made_up import results


def test_goal_that_is_reached_is_told_from_one_that_is_not() -> None:
    rows = {row[0]: row for row in goals_table(results()).rows}

    assert rows["daemon / ideal, 400 px to 300 px"][1:] == ("≥ 0.9", "0.90 (0.90..0.90)", "yes")
    assert rows["daemon / ideal, 800 px to 300 px"][1:] == ("≥ 0.94", "0.90 (0.90..0.90)", "no")
    assert rows["idle: PSS in all"][1:] == ("≤ 180 MiB", "170 (170..170)", "yes")
    assert rows["idle: processor time, of a core"][1:] == ("≤ 0.5 %", "1.00 (1.00..1.00)", "no")
    assert rows["p99 / p50 at 70 % of saturation, 800 px"][1:] == ("≤ 2.5", "2.00 (2.00..2.00)", "yes")


def test_all_goals_are_answered_by_whole_results_and_none_by_empty_ones() -> None:
    assert len(goals_table(results()).rows) == len(GOALS)
    assert not goals_table(msgspec.structs.replace(results(), series=[], alone={})).rows
