"""SIGTERM: what was accepted is answered, what comes later is refused, and nothing runs on."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import psutil
import pytest
import zmq

from tests.daemon import Daemon, connect
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import all_ended, eventually

WAITING = 100
HEAVY = 200
"""Frames encoded at full size: seconds of work, of which the drain leaves a third of one."""
STOP_WITHIN_S = 5.0
"""Of a daemon that has nothing left to do for long."""
OUTPUTS = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]


def ask(socket: zmq.Socket[bytes], number: int, payload: bytes) -> None:
    socket.send_multipart([msgpack.packb({"v": 1, "id": str(number), "outputs": OUTPUTS}), payload])


def answer(socket: zmq.Socket[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    parts = socket.recv_multipart()
    return msgpack.unpackb(parts[0]), parts[1:]


def answers_until_all_accepted(socket: zmq.Socket[bytes]) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Return what is answered before a ping that was sent behind all frames: the broker has read them by then."""
    socket.send(msgpack.packb({"v": 1, "op": "ping", "id": "ping"}))
    answers = []
    while (reply := answer(socket))[0]["id"] != "ping":
        answers.append(reply)
    return answers


@pytest.mark.timeout(60)
def test_sigterm_with_100_frames_waiting_answers_all_and_refuses_the_next(runtime_directory: Path) -> None:
    statuses: dict[int, str] = {}
    with (
        Daemon(runtime_directory) as daemon,
        zmq.Context() as context,
        connect(context, daemon.endpoint) as socket,
    ):
        processes = [psutil.Process(pid) for pid in daemon.all_pids()]
        socket.rcvtimeo = 20_000
        # Made before any is sent: the daemon would keep up with the making.
        pictures = [numbered_jpeg(number, 1600, 1200) for number in range(WAITING)]
        for number, picture in enumerate(pictures):
            ask(socket, number, picture)
        for reply, parts in answers_until_all_accepted(socket):
            assert number_of_jpeg(parts[0]) == int(reply["id"])
            statuses[int(reply["id"])] = reply["status"]
        assert len(statuses) < WAITING // 2
        daemon.process.send_signal(signal.SIGTERM)
        eventually(lambda: any("SIGTERM" in line for line in daemon.log), within_s=5.0, what="the signal is taken")
        late = {"v": 1, "id": "late", "outputs": OUTPUTS}
        socket.send_multipart([msgpack.packb(late), numbered_jpeg(1, 64, 64)])
        refusal: dict[str, Any] = {}
        while len(statuses) < WAITING or not refusal:
            reply, parts = answer(socket)
            if reply["id"] == "late":
                refusal = reply
                continue
            assert number_of_jpeg(parts[0]) == int(reply["id"])
            statuses[int(reply["id"])] = reply["status"]

    assert list(runtime_directory.glob("*.sock")) == []
    assert statuses == dict.fromkeys(range(WAITING), "ok")
    assert refusal["error"]["code"] == "SHUTTING_DOWN"
    assert daemon.wait() == 0
    assert all_ended(processes)


@pytest.mark.timeout(60)
def test_frames_left_at_the_end_of_the_drain_time_are_answered_all_the_same(runtime_directory: Path) -> None:
    codes: list[str] = []
    with (
        Daemon(runtime_directory, "pipeline.drain_timeout_ms=300") as daemon,
        zmq.Context() as context,
        connect(context, daemon.endpoint) as socket,
    ):
        socket.rcvtimeo = 20_000
        large = numbered_jpeg(1, 3200, 2400)
        for number in range(HEAVY):
            header = {"v": 1, "id": str(number), "outputs": [{}]}
            socket.send_multipart([msgpack.packb(header), large])
        early = answers_until_all_accepted(socket)
        daemon.process.send_signal(signal.SIGTERM)
        for _ in range(HEAVY - len(early)):
            reply, _ = answer(socket)
            codes.append("ok" if reply["status"] == "ok" else reply["error"]["code"])

    assert set(codes) == {"ok", "SHUTTING_DOWN"}
    assert daemon.wait() == 0


def ended_in_order(daemon: Daemon, processes: list[psutil.Process], since_s: float) -> None:
    """Check that a daemon that was told to stop has ended in time, with status 0, and left nobody."""
    status = daemon.wait()
    took_s = time.monotonic() - since_s

    assert status == 0, "".join(daemon.log)
    assert took_s < STOP_WITHIN_S
    assert all_ended(processes)


def tree(daemon: Daemon) -> list[psutil.Process]:
    """The supervisor and all its children, as they are now."""
    return [psutil.Process(pid) for pid in daemon.all_pids()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "signals",
    [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGTERM], [signal.SIGHUP, signal.SIGTERM]],
    ids=lambda signals: "+".join(number.name for number in signals),
)
def test_a_stop_during_start_ends_the_daemon_with_status_0(
    runtime_directory: Path, signals: list[signal.Signals]
) -> None:
    sent_at_s: list[float] = []
    children: list[psutil.Process] = []

    def interrupt(process: subprocess.Popen[str]) -> None:
        """Act as soon as the process has become the supervisor and has a child: in the middle of the start."""
        supervisor = psutil.Process(process.pid)
        eventually(supervisor.children, within_s=10.0, what="the supervisor has started something")
        children.extend(supervisor.children(recursive=True))
        for number in signals:
            process.send_signal(number)
        sent_at_s.append(time.monotonic())

    daemon = Daemon(runtime_directory, when_spawned=interrupt)

    ended_in_order(daemon, children, sent_at_s[0])


@pytest.mark.timeout(60)
def test_hangup_during_start_keeps_it_from_nothing(runtime_directory: Path) -> None:
    def interrupt(process: subprocess.Popen[str]) -> None:
        eventually(psutil.Process(process.pid).children, within_s=10.0, what="the supervisor has started something")
        process.send_signal(signal.SIGHUP)

    with Daemon(runtime_directory, when_spawned=interrupt) as daemon:
        eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")

    assert daemon.wait() == 0


@pytest.mark.timeout(60)
def test_a_stop_while_a_worker_waits_for_its_restart_ends_in_time(daemon: Daemon) -> None:
    processes = tree(daemon)
    # Each death before it has served doubles the wait: after the fourth it is most of a second.
    for _ in range(4):
        (pid,) = eventually(lambda: daemon.pids("encode-0"), within_s=10.0, what="it has a process")
        psutil.Process(pid).kill()
        eventually(lambda: not psutil.pid_exists(pid), within_s=5.0, what="it was waited for")  # noqa: B023 - asked at once
    began_s = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)

    ended_in_order(daemon, processes, began_s)


@pytest.mark.timeout(60)
def test_interrupt_ends_a_daemon_at_rest_like_a_termination(daemon: Daemon) -> None:
    processes = tree(daemon)
    began_s = time.monotonic()
    # As a terminal sends it: to the whole group.
    for process in processes:
        process.send_signal(signal.SIGINT)

    ended_in_order(daemon, processes, began_s)


@pytest.mark.timeout(60)
def test_second_signal_cuts_the_drain_short_and_every_frame_is_still_answered(daemon: Daemon) -> None:
    processes = tree(daemon)
    codes = []
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 20_000
        large = numbered_jpeg(1, 3200, 2400)
        for number in range(HEAVY):
            header = {"v": 1, "id": str(number), "outputs": [{}]}
            socket.send_multipart([msgpack.packb(header), large])
        codes += [reply["status"] for reply, _ in answers_until_all_accepted(socket)]
        began_s = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        # Two of a kind that nobody has taken yet are one.
        eventually(lambda: any("SIGTERM" in line for line in daemon.log), within_s=5.0, what="the signal is taken")
        daemon.process.send_signal(signal.SIGTERM)
        while len(codes) < HEAVY:
            codes.append(answer(socket)[0]["status"])

    assert set(codes) == {"ok", "error"}
    ended_in_order(daemon, processes, began_s)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["encode", "control", "broker"])
def test_child_that_does_not_hear_the_stop_is_killed_after_its_time(
    daemon_with: Callable[..., Daemon], kind: str
) -> None:
    daemon = daemon_with("pipeline.drain_timeout_ms=500")
    processes = tree(daemon)
    deaf = psutil.Process(daemon.pids(kind)[0])
    deaf.suspend()
    began_s = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)

    ended_in_order(daemon, processes, began_s)
    assert not deaf.is_running()
