"""The benchmark's operators ask what they say they ask, and hear what they subscribed to."""

from urllib.parse import urlsplit

import pytest

from perf.messages import OperatorOrder, OperatorRun
from perf.operated import latency_table
from perf.operator import PATHS, OperatorFailed, operate
from perf.table import plain
from tests.daemon import Daemon
from tests.waiting import eventually


def port_of(daemon: Daemon) -> int:
    eventually(daemon.is_ready_again, within_s=10.0, what="the control plane says that frames are taken")
    return urlsplit(daemon.control_url).port or 0


def test_operators_ask_at_their_rate_and_hear_their_feeds(daemon: Daemon) -> None:
    run = operate(OperatorOrder(port_of(daemon), requests_per_second=40, subscribers=3, seconds=1.5))

    assert {path: len(times) for path, times in run.latency_us.items()} == {
        "/health": 30, "/api/metrics": 15, "/api/services/health": 15,
    }  # fmt: skip
    assert set(run.latency_us) == set(PATHS)
    # Each is answered, gets the state at once, and again at every full second.
    assert 3 * 3 <= run.messages <= 3 * 4
    assert 0 < run.cpu_us < 1_500_000


def test_operators_say_when_they_are_refused(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    order = OperatorOrder(port_of(daemon), requests_per_second=10, subscribers=0, seconds=1)
    monkeypatch.setattr("perf.operator.PATHS", ("/nothing",))

    with pytest.raises(OperatorFailed, match=r"/nothing: HTTP/1\.1 404"):
        operate(order)


def test_latencies_are_shown_idle_beside_saturated() -> None:
    idle = OperatorRun({"/health": [1000] * 100}, 0, 1)
    busy = OperatorRun({"/health": [2000] * 98 + [9000] * 2}, 0, 1)

    assert plain(latency_table(idle, [busy])).splitlines()[2].split() == ["/health", "1.00", "1.00", "2.00", "9.00"]
