"""The benchmark of five outputs: it asks for what it says, and says when it is refused."""

import pytest
import zmq

from perf.contender import MeasurementFailed
from perf.outputs import SETS, Bench
from tests.daemon import Daemon, connect
from tests.photographs import photograph_jpeg

PHOTOGRAPH_SIDE = 400


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.outputs.SECONDS", 0.3)


@pytest.mark.parametrize("together", [True, False])
def test_bench_makes_sets_together_or_one_by_one(daemon: Daemon, together: bool) -> None:
    wanted = next(iter(SETS.values()))
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 10_000

        sets_per_second, cpu_ms = Bench(daemon, socket).measure(
            photograph_jpeg(PHOTOGRAPH_SIDE), wanted, together=together
        )

    assert sets_per_second > 0
    assert cpu_ms > 0
    # Nothing is under way any more: who measures next does not pay for it.
    info = daemon.frames_at_rest(1)
    assert info["received"] == info["completed"]


def test_bench_says_when_it_is_refused(daemon: Daemon) -> None:
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 10_000

        with pytest.raises(MeasurementFailed, match="UNSUPPORTED_FORMAT"):
            Bench(daemon, socket).measure(b"no picture", [{"format": "jpeg"}], together=True)
