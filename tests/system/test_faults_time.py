"""The wall clock jumps, by a day and back: nothing of the daemon notices but the times that it shows."""

from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.neighbour import neighbour
from tests.waiting import eventually

JUMPING_CLOCK = """
import os, time

def jumping(honest, a_day, jumps=[0]):
    def told():
        # Each time it is asked it is another day: yesterday, today or tomorrow.
        jumps[0] += 1
        return honest() + a_day * (jumps[0] % 3 - 1)
    return told

time.time = jumping(time.time, 86_400)
time.time_ns = jumping(time.time_ns, 86_400 * 10**9)
"""
"""A `sitecustomize`: every process of the daemon runs it before anything else."""
FRAMES = 300


@pytest.mark.timeout(60)
def test_wall_clock_that_jumps_by_days_times_nothing_out_and_restarts_nothing(
    runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPING_CLOCK, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with Daemon(runtime_directory) as daemon:
        before = daemon.all_pids()
        eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
        passed = daemon.metrics()["canary"]["passed"]
        with neighbour(daemon) as beside:
            beside.is_served_again(FRAMES)
        frames = daemon.frames_at_rest(beside.served)
        eventually(
            lambda: daemon.metrics()["canary"]["passed"] > passed + 1, within_s=10.0, what="canaries still come back"
        )

        assert frames["completed"] == frames["received"] == beside.served
        assert daemon.all_pids() == before
        assert daemon.get("/health/ready")[0] == 200
        assert daemon.metrics()["restarts"]["total"] == 0
        assert [alert["name"] for alert in daemon.metrics()["alerts"]] == []
