"""SIGTERM: what was accepted is answered, what comes later is refused, and nothing runs on."""

import signal
import threading
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_start_ends_the_daemon_with_status_0(runtime_directory: Path, number: signal.Signals) -> None:
    ended: list[int] = []
    daemon_started = threading.Event()

    def interrupt(process: Any) -> None:
        daemon_started.set()
        process.send_signal(number)

    daemon = Daemon(runtime_directory, when_spawned=lambda started: _when_supervised(started, interrupt))
    ended.append(daemon.wait())

    assert daemon_started.is_set()
    assert ended == [0]


def _when_supervised(process: Any, act: Any) -> None:
    """Act as soon as the process has become the supervisor and has a child: in the middle of the start."""

    def has_child() -> bool:
        return bool(psutil.Process(process.pid).children())

    eventually(has_child, within_s=10.0, what="the supervisor has started something")
    act(process)
