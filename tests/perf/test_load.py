"""The producer, against a real daemon."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perf.child import Child, gather, let_go
from perf.contender import MeasurementFailed, Run
from perf.messages import LoadOrder, Sample
from perf.request import request_of, with_keys
from perf.segment import FOLDER
from perf.sources import source_bytes
from perf.work import WORKS
from tests.daemon import Daemon
from tests.photographs import decoded

WORK = WORKS["400"]


@pytest.fixture
def child() -> Iterator[Child]:
    with Child("perf.load") as found:
        yield found


@pytest.fixture
def order(daemon: Daemon, tmp_path: Path) -> Callable[..., LoadOrder]:
    path = tmp_path / "source"
    path.write_bytes(source_bytes(WORK))
    daemon_path = daemon.endpoint.removeprefix("ipc://")
    return lambda in_flight=4, **more: LoadOrder(daemon_path, request_of(WORK), str(path), in_flight, **more)


@pytest.mark.parametrize("is_lent", [False, True])
def test_sample_is_the_picture_that_was_asked_for(child: Child, order: Callable[..., LoadOrder], is_lent: bool) -> None:
    child.order(order(is_sample=True, is_lent=is_lent))

    assert decoded(child.answer(Sample, 20.0).picture).shape == (300, 300, 3)
    assert not list(FOLDER.glob(f"oms-perf-{child.pid}*"))


def test_producers_keep_frames_in_flight_and_leave_none_behind(
    daemon: Daemon, child: Child, order: Callable[..., LoadOrder]
) -> None:
    with Child("perf.load") as other:
        let_go([child, other], [order(), order()], 0.5)
        run = gather([child, other], 0.5)

    assert run.frames == len(run.latency_us) == len(run.inside_us) > 10
    # Not frame by frame: the daemon tells time by looks at the clock, of which it takes one for many frames.
    assert 0 < sum(run.inside_us) < 1.5 * sum(run.latency_us)
    assert daemon.frames_at_rest(run.frames_in_all)["completed"] == run.frames_in_all


def test_producer_sends_by_the_clock(child: Child, order: Callable[..., LoadOrder]) -> None:
    let_go([child], [order(frames_per_second=50.0)], 1.0)
    run = gather([child], 1.0)

    # Neither as many as go, nor fewer because one was slow; a stalled machine shifts some out of the window.
    assert 25 <= run.frames <= 75
    assert run.frames_in_all >= 50


def test_refusal_is_told_and_the_next_order_carried_out(child: Child, order: Callable[..., LoadOrder]) -> None:
    bad = order(is_sample=True)
    child.order(LoadOrder(bad.path, with_keys(bad.request, preset="none"), bad.source_file, 1, is_sample=True))
    with pytest.raises(MeasurementFailed, match="the daemon answered BAD_REQUEST: "):
        child.answer(Sample, 20.0)

    child.order(bad)
    assert child.answer(Sample, 20.0).picture


def test_producer_that_the_daemon_cannot_keep_up_with_leaves_none_behind(
    daemon_with: Callable[..., Daemon], child: Child, tmp_path: Path
) -> None:
    path = tmp_path / "source"
    path.write_bytes(source_bytes(WORKS["1600"]))
    daemon = daemon_with("pipeline.queue_limit=16")
    endpoint = daemon.endpoint.removeprefix("ipc://")
    order = LoadOrder(endpoint, request_of(WORK), str(path), 16, frames_per_second=4000.0)

    child.order(order)
    with pytest.raises(MeasurementFailed, match="the daemon answered BUSY: "):
        child.answer(Run, 60.0)

    info = daemon.frames_at_rest(1)
    assert info["received"] == info["completed"] + info["rejected"]
    child.order(LoadOrder(endpoint, request_of(WORK), str(path), 16, is_sample=True))
    assert child.answer(Sample, 20.0).picture
