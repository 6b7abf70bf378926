"""An examiner of this very process: what it does, what it tells, and what it refuses."""

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc import heap
from ipc.examination import TRACE_BYTES_MAX, WHERE_LENGTH_MAX, Examiner, where
from ipc.messages import SITES_MAX, Examine, Examined
from ipc.resident import resident

SELF = "tests/ipc/test_examination.py"


class Bench:
    """An examiner, and what it has sent."""

    def __init__(self) -> None:
        self.sent: list[Examined] = []
        self.examiner = Examiner("decode-0", self.sent.append)

    def answer(self) -> Examined:
        """The one answer that there is."""
        (answer,) = self.sent
        return answer


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield Bench()
    tracemalloc.stop()


def snapshot(number: int = 1, seconds: float = 10.0) -> Examine:
    return Examine(number, "decode-0", "snapshot", seconds)


def kept_alive(size_bytes: int) -> bytearray:
    return bytearray(size_bytes)


def test_trim_is_answered_with_the_memory_before_and_after(bench: Bench) -> None:
    pieces = [bytearray(100_000) for _ in range(640)]
    last = bytearray(100_000)
    del pieces
    bench.examiner.take(Examine(7, "decode-0", "trim"), 0.0)
    answer = bench.answer()

    assert (answer.number, answer.service, answer.fault) == (7, "decode-0", "")
    assert answer.rss_before_bytes - answer.rss_after_bytes > 40 << 20
    assert abs(answer.rss_after_bytes - resident().total_bytes) < 4 << 20
    assert last


def test_collection_tells_how_many_objects_were_in_cycles(bench: Bench) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(1000):
            cycle: list[object] = []
            cycle.append(cycle)
        bench.examiner.take(Examine(1, "decode-0", "collect"), 0.0)
    finally:
        gc.enable()

    assert 999 <= bench.answer().collected < 1100
    assert bench.answer().fault == ""


def test_trim_leaves_the_collector_alone(bench: Bench) -> None:
    gc.collect()
    gc.disable()
    try:
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle
        bench.examiner.take(Examine(1, "decode-0", "trim"), 0.0)

        assert gc.collect() >= 1
    finally:
        gc.enable()


def test_snapshot_names_the_line_that_holds_on_to_memory_and_no_line_that_let_go(bench: Bench) -> None:
    bench.examiner.take(snapshot(seconds=10.0), 100.0)
    held = [kept_alive(1000) for _ in range(500)]
    let_go = [bytearray(2000) for _ in range(500)]
    del let_go
    bench.examiner.pass_time(109.9)
    assert bench.sent == []
    bench.examiner.pass_time(110.0)
    largest = bench.answer().sites[0]

    line = kept_alive.__code__.co_firstlineno + 1
    assert largest.where == f"{SELF}:{line}"
    assert 500_000 <= largest.bytes < 600_000
    assert largest.blocks >= 500
    assert sum(site.bytes for site in bench.answer().sites) < 900_000
    assert not any("ipc/examination.py" in site.where for site in bench.answer().sites)
    assert len(held) == 500
    assert not tracemalloc.is_tracing()


def test_snapshot_tells_of_no_more_sites_than_there_may_be_largest_first(bench: Bench) -> None:
    lines = "\n".join(f"held.append(bytearray({size * 1000}))" for size in range(1, 61))
    held: list[bytearray] = []
    code = compile(lines, "lines.py", "exec")
    bench.examiner.take(snapshot(), 0.0)
    exec(code, {"held": held})  # noqa: S102 - sixty lines of our own that allocate
    bench.examiner.pass_time(60.0)
    sites = bench.answer().sites

    assert len(sites) == SITES_MAX
    assert [site.bytes for site in sites] == sorted((site.bytes for site in sites), reverse=True)
    assert sites[0].where == "lines.py:60"


def test_snapshot_that_has_noted_enough_ends_early(bench: Bench) -> None:
    bench.examiner.take(snapshot(seconds=60.0), 0.0)
    held = [bytes(100) for _ in range(TRACE_BYTES_MAX // 40)]
    bench.examiner.pass_time(0.1)

    assert bench.answer().sites[0].blocks > 100_000
    assert not tracemalloc.is_tracing()
    assert held


def test_second_order_during_a_snapshot_is_refused_and_the_first_is_answered(bench: Bench) -> None:
    bench.examiner.take(snapshot(1), 0.0)
    bench.examiner.take(Examine(2, "decode-0", "trim"), 1.0)
    bench.examiner.take(snapshot(3), 2.0)
    bench.examiner.pass_time(10.0)

    assert [answer.number for answer in bench.sent] == [2, 3, 1]
    assert [answer.fault.startswith("busy with another") for answer in bench.sent] == [True, True, False]


def test_order_after_a_snapshot_is_carried_out(bench: Bench) -> None:
    bench.examiner.take(snapshot(1), 0.0)
    bench.examiner.pass_time(10.0)
    bench.examiner.take(snapshot(2), 11.0)
    bench.examiner.pass_time(21.0)

    assert [answer.fault for answer in bench.sent] == ["", ""]


@pytest.mark.parametrize("seconds", [0.0, 0.99, 60.1, float("nan"), float("inf")])
def test_snapshot_of_a_time_out_of_bounds_is_refused(bench: Bench, seconds: float) -> None:
    bench.examiner.take(snapshot(seconds=seconds), 0.0)

    assert "seconds is" in bench.answer().fault
    assert "must be 1 to 60" in bench.answer().fault
    assert not tracemalloc.is_tracing()


def test_snapshot_where_somebody_traces_already_is_refused_and_leaves_them_to_it(bench: Bench) -> None:
    tracemalloc.start()
    bench.examiner.take(snapshot(), 0.0)

    assert "traced already" in bench.answer().fault
    assert tracemalloc.is_tracing()


def test_snapshot_whose_trace_was_ended_by_another_is_answered_with_the_fault(bench: Bench) -> None:
    bench.examiner.take(snapshot(), 0.0)
    tracemalloc.stop()
    bench.examiner.pass_time(10.0)

    assert bench.answer().fault.startswith("snapshot failed: RuntimeError")
    assert bench.answer().sites == []


def test_trim_that_the_c_library_cannot_do_is_answered_with_the_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no second C library to be had here, so that one is played."""
    monkeypatch.setattr(heap, "_function", lambda *_: None)
    bench.examiner.take(Examine(1, "decode-0", "trim"), 0.0)

    assert "malloc_trim" in bench.answer().fault


def test_line_is_named_below_the_folder_it_was_imported_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "/srv/app", "/srv/app/site-packages/", "/srv/a"])

    assert where("/srv/app/stages/encode.py", 57) == "stages/encode.py:57"
    assert where("/srv/app/site-packages/numpy/core.py", 3) == "numpy/core.py:3"
    assert where("<frozen importlib>", 1) == "<frozen importlib>:1"
    assert where(str(Path("/elsewhere/x.py")), 2) == "/elsewhere/x.py:2"
    assert len(where("/" + "x" * 500, 12345)) == WHERE_LENGTH_MAX
    assert where("/" + "x" * 500, 12345).endswith("x:12345")
