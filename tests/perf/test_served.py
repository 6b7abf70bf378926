"""The daemon as a contender."""

from pathlib import Path

import pytest

from perf.contender import Load, MeasurementFailed
from perf.harness import take_turn
from perf.served import PRODUCERS, Served
from perf.sources import source_files
from perf.work import WORKS

WORK = WORKS["400"]


def test_turn_of_several_producers_has_what_every_process_took() -> None:
    with source_files([WORK]) as files, Served("daemon").start(files) as contender:
        turn = take_turn(contender, WORK, Load(8, PRODUCERS), 0.5)
        kinds = contender.processes()

        assert contender.refusal(WORK, Load(8, PRODUCERS + 1)) == "4 producers at most"
    assert len(contender.producers()) == PRODUCERS
    assert {"supervisor", "broker", "control", "decode"} <= kinds.keys()
    assert turn.processor_s.keys() == kinds.keys()
    assert sum(turn.processor_s.values()) > turn.producer_s > 0
    assert turn.run.frames_in_all > turn.run.frames > 0
    assert turn.pss_bytes > 50 << 20


def test_daemon_that_does_not_become_ready_is_told_in_a_line(tmp_path: Path) -> None:
    served = Served("daemon", assignments=("pipeline.workers=none",))

    for start in (served.time_start, lambda: served.start({WORK: tmp_path}).__enter__()):
        with pytest.raises(MeasurementFailed, match=r"the daemon did not become ready: .*pipeline\.workers") as told:
            start()
        assert "\n" not in str(told.value)


def test_start_is_timed() -> None:
    assert 0 < Served("daemon").time_start() < 20
