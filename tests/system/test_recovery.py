"""Processes that crash, hang, are stopped or cannot be started: found, replaced, and nobody else pays for it."""

import os
import random
import re
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

OUTPUTS = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]
HANG_TIMEOUT_S = 1.5
SHORT_LIMITS = (f"supervisor.hang_timeout_ms={HANG_TIMEOUT_S * 1000:.0f}", "pipeline.stage_timeout_ms=1000")
STOPPED_S = 3.0
"""Longer than every limit of a daemon with `SHORT_LIMITS`."""


def work(client: Client, count: int) -> None:
    """Send frames, and hold each result against what was sent."""
    futures = [client.submit(numbered_jpeg(number, 320, 240), outputs=OUTPUTS) for number in range(count)]
    assert [number_of_jpeg(future.result(20.0).outputs[0].data) for future in futures] == list(range(count))


def work_for(client: Client, seconds: float) -> int:
    """Keep the daemon at work for a time. Returns the frames done."""
    until_s = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until_s:
        work(client, 8)
        done += 8
    return done


def service(daemon: Daemon, name: str) -> Any:
    """What the control plane says of a service; nothing while it does not answer, or has not heard of it yet."""
    try:
        rows = daemon.get("/api/services/health")[1]["services"]
    except OSError:
        rows = []
    nothing: dict[str, Any] = {"state": None, "last_exit": None, "restarts_by_cause": {}}
    return next((row for row in rows if row["name"] == name), nothing)


def causes(daemon: Daemon) -> Any:
    """Restarts by cause; nothing while the control plane does not answer."""
    try:
        return daemon.metrics()["restarts"]["by_cause"]
    except OSError:
        return {}


def log_has(daemon: Daemon, *words: str) -> bool:
    return any(all(word in line for word in words) for line in daemon.log)


@contextmanager
def stopped(pids: list[int], order: Callable[[list[int]], list[int]] = list) -> Iterator[None]:
    """Stop processes, and let them go on in some order."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in order(pids):
            os.kill(pid, signal.SIGCONT)


def lives_on(pid: int, seconds: float) -> bool:
    """Watch a process for a time; false as soon as it ends."""
    descriptor = os.pidfd_open(pid)
    try:
        return not select.select([descriptor], [], [], seconds)[0]
    finally:
        os.close(descriptor)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", ["decode-0", "encode-0", "broker", "control"])
def test_process_ended_by_a_signal_is_replaced_and_the_signal_is_told(daemon: Daemon, name: str) -> None:
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    with Client(endpoint=daemon.endpoint) as client:
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            (pid,) = eventually(lambda: daemon.pids(name), within_s=10.0, what="it has a process")
            os.kill(pid, number)
            word = eventually(lambda: signal_that_ended(daemon, name, pid), within_s=5.0, what="logged")  # noqa: B023 - asked at once
            # Python tells where a process stood when it is ended so, and may itself fall over a thread that still runs.
            assert word == number.name or (name == "control" and word == "SIGSEGV")
            work(client, 16)
            told = eventually(lambda: exit_by(daemon, name, word), within_s=10.0, what="the exit is told")  # noqa: B023 - asked at once
            assert (told["code"], told["cause"]) == (None, "crash")
    eventually(lambda: restarts(daemon, name) == {"crash": 3}, within_s=10.0, what="it is started a third time")


def signal_that_ended(daemon: Daemon, name: str, pid: int) -> str:
    """What the log says ended this process; empty as long as it says nothing."""
    found = re.search(rf"{name} \(pid {pid}\) ended: (SIG[A-Z]+)", "".join(daemon.log))
    return found.group(1) if found else ""


def exit_by(daemon: Daemon, name: str, word: str) -> Any:
    """The last exit of a service, if it was by this signal."""
    told = service(daemon, name)["last_exit"]
    return told if told and told["signal"] == word else None


def restarts(daemon: Daemon, name: str) -> Any:
    """Restarts of a service, by what had ended its process before."""
    return service(daemon, name)["restarts_by_cause"]


@pytest.mark.timeout(90)
def test_broker_that_hangs_under_load_is_replaced_and_clients_get_every_answer(
    daemon_with: Callable[..., Daemon],
) -> None:
    daemon = daemon_with(*SHORT_LIMITS)
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    with Client(endpoint=daemon.endpoint) as client:
        work(client, 16)
        futures = [client.submit(numbered_jpeg(number, 640, 480), outputs=OUTPUTS) for number in range(32)]
        (hung,) = daemon.pids("broker")
        began_s = time.monotonic()
        os.kill(hung, signal.SIGSTOP)
        eventually(lambda: not psutil.pid_exists(hung), within_s=10.0, what="the hung broker is killed")
        took_s = time.monotonic() - began_s
        results = [future.result(20.0) for future in futures]

    assert [number_of_jpeg(result.outputs[0].data) for result in results] == list(range(32))
    assert HANG_TIMEOUT_S / 2 < took_s < HANG_TIMEOUT_S + 3.0
    told = eventually(lambda: service(daemon, "broker")["last_exit"], within_s=5.0, what="the exit is told")
    assert told["cause"] == "hung"
    eventually(lambda: causes(daemon).get("hung") == 1, within_s=5.0, what="it is counted once")


@pytest.mark.timeout(90)
def test_control_plane_that_hangs_is_replaced_and_frames_do_not_notice(daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with(*SHORT_LIMITS)
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    others = set(daemon.all_pids()) - set(daemon.pids("control"))
    (hung,) = daemon.pids("control")
    with Client(endpoint=daemon.endpoint) as client:
        os.kill(hung, signal.SIGSTOP)
        done = 0
        while psutil.pid_exists(hung):
            work(client, 8)
            done += 8
        work(client, 40)

    eventually(daemon.is_ready_again, within_s=10.0, what="the control plane answers again")
    assert set(daemon.all_pids()) - set(daemon.pids("control")) == others
    assert daemon.frames_at_rest(done + 40)["completed"] == done + 40
    assert causes(daemon) == {"hung": 1}


@pytest.mark.timeout(90)
def test_supervisor_stopped_for_longer_than_every_limit_kills_nobody_when_it_wakes(
    daemon_with: Callable[..., Daemon],
) -> None:
    daemon = daemon_with(*SHORT_LIMITS)
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    before = set(daemon.all_pids())
    with Client(endpoint=daemon.endpoint) as client:
        with stopped([daemon.process.pid]):
            assert work_for(client, STOPPED_S) > 0
        eventually(lambda: log_has(daemon, "could not run for"), within_s=5.0, what="the supervisor has noticed")
        work_for(client, 2 * HANG_TIMEOUT_S)

    assert set(daemon.all_pids()) == before
    eventually(daemon.is_ready_again, within_s=5.0, what="the supervisor is heard again")
    assert causes(daemon) == {}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("seed", [1, 2])
def test_daemon_stopped_as_a_whole_and_continued_in_any_order_goes_on(
    daemon_with: Callable[..., Daemon], seed: int
) -> None:
    daemon = daemon_with(*SHORT_LIMITS)
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    before = set(daemon.all_pids())
    chance = random.Random(seed)
    with Client(endpoint=daemon.endpoint) as client:
        futures = [client.submit(numbered_jpeg(number, 640, 480), outputs=OUTPUTS) for number in range(16)]
        with stopped(daemon.all_pids(), lambda pids: chance.sample(pids, len(pids))):
            assert lives_on(daemon.process.pid, STOPPED_S)
        assert [number_of_jpeg(future.result(20.0).outputs[0].data) for future in futures] == list(range(16))
        work_for(client, 2 * HANG_TIMEOUT_S)

    assert set(daemon.all_pids()) == before
    assert causes(daemon) == {}


@pytest.mark.timeout(120)
def test_workers_are_recycled_under_load_without_a_gap_an_error_or_a_retry(daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with("memory.recycle_after_frames=50")
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    gaps: list[str] = []
    workers = _count_workers(daemon)
    with Client(endpoint=daemon.endpoint) as client:
        done = 0
        while done < 600 or causes(daemon).get("recycled", 0) < 4:
            work(client, 24)
            done += 24
            rows = daemon.get("/api/services/health")[1]["services"]
            gaps += [f"{row['name']} is {row['state']}" for row in rows if row["state"] != "ready"]
            gaps += ["a worker is missing"] if _count_workers(daemon) < workers else []

    assert gaps == []
    frames = daemon.frames_at_rest(done)
    assert (frames["completed"], frames["failed"], frames["retried"]) == (done, 0, 0)
    assert set(causes(daemon)) == {"recycled"}
    assert not log_has(daemon, "WARNING", "ended")


def _count_workers(daemon: Daemon) -> int:
    return sum(len(daemon.pids(kind)) for kind in ("decode", "transform", "encode"))


@contextmanager
def without_descriptors(pid: int, kept: int) -> Iterator[None]:
    """Let a process open no descriptor beyond a number; what it has stays open."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (kept, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.timeout(90)
def test_worker_for_which_there_are_no_descriptors_is_started_when_there_are(
    daemon_with: Callable[..., Daemon],
) -> None:
    daemon = daemon_with("pipeline.pools=[{stages=['decode','transform','encode'],workers=2}]")
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    name = "decode+transform+encode-0"
    with Client(endpoint=daemon.endpoint) as client, without_descriptors(daemon.process.pid, 20):
        os.kill(daemon.pids(name)[0], signal.SIGKILL)
        began_s = time.monotonic()
        eventually(lambda: len(_refusals(daemon)) >= 3, within_s=10.0, what="it is tried again")
        work(client, 40)
        assert len(_refusals(daemon)) <= 4 + 2 * (time.monotonic() - began_s)
        assert service(daemon, name)["state"] == "backoff"

    eventually(lambda: service(daemon, name)["state"] == "ready", within_s=15.0, what="it is started")
    assert causes(daemon) == {"crash": 1}


def _refusals(daemon: Daemon) -> list[str]:
    return [line for line in daemon.log if "cannot be started" in line and "Too many open files" in line]


@pytest.mark.timeout(90)
def test_worker_that_cannot_be_imported_any_more_is_given_up_and_the_daemon_serves_on(
    runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade that went wrong under a running daemon."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    pools = "{stages=['decode'],workers=1},{stages=['transform'],workers=1},{stages=['encode'],workers=1}"
    with Daemon(runtime_directory, "supervisor.restarts_max=3", f"pipeline.pools=[{pools}]") as daemon:
        eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
        (tmp_path / "simplejpeg.py").write_text("raise ImportError('half an upgrade')\n")
        os.kill(daemon.pids("encode")[0], signal.SIGKILL)
        eventually(lambda: log_has(daemon, "encode-0 is given up"), within_s=20.0, what="it is given up")
        assert log_has(daemon, "half an upgrade")
        assert service(daemon, "encode-0")["state"] == "failed"
        assert service(daemon, "encode-0")["last_exit"]["code"] == 1
        assert daemon.get("/health/ready")[0] == 503
        assert daemon.process.poll() is None

    assert daemon.wait() == 0
