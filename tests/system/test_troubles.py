"""Trouble that operators see and frames do not: a control plane stopped or flooded, workers stopped while idle."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import psutil
import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

OUTPUTS = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]
FLOODERS = 8
SILENT = 100


def submit(daemon: Daemon, count: int) -> None:
    """Send frames, and hold each result against what was sent."""
    with Client(endpoint=daemon.endpoint) as client:
        futures = [client.submit(numbered_jpeg(number, 320, 240), outputs=OUTPUTS) for number in range(count)]
        assert [number_of_jpeg(future.result(20.0).outputs[0].data) for future in futures] == list(range(count))


@pytest.mark.timeout(60)
def test_frames_do_not_notice_a_control_plane_that_is_stopped(daemon: Daemon) -> None:
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    (control,) = daemon.pids("control")
    os.kill(control, signal.SIGSTOP)
    try:
        submit(daemon, 400)
    finally:
        os.kill(control, signal.SIGCONT)

    assert daemon.frames_at_rest(400)["completed"] == 400


@contextmanager
def flood(daemon: Daemon) -> Iterator[list[int]]:
    """Ask as fast as it goes from many connections, and hold many more that say nothing; yields the answers' counts."""
    port = urlsplit(daemon.control_url).port or 0
    stop = threading.Event()
    counts = [0] * FLOODERS

    def ask(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            while not stop.is_set():
                connection.sendall(f"GET /api/metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                if not connection.recv(1 << 16):
                    return
                counts[number] += 1

    threads = [threading.Thread(target=ask, args=[number]) for number in range(FLOODERS)]
    with ExitStack() as stack:
        for _ in range(SILENT):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        for thread in threads:
            thread.start()
        try:
            yield counts
        finally:
            stop.set()
            for thread in threads:
                thread.join(15)


@pytest.mark.timeout(90)
def test_frames_are_all_answered_while_the_control_plane_is_flooded(daemon: Daemon) -> None:
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    with flood(daemon) as counts:
        eventually(lambda: min(counts) > 10, within_s=20.0, what="every flooder is answered")
        submit(daemon, 400)

    assert daemon.frames_at_rest(400)["completed"] == 400
    assert daemon.metrics()["restarts"]["total"] == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["transform", "encode"])
def test_worker_stopped_while_idle_is_found_by_the_canary_and_replaced(
    daemon_with: Callable[..., Daemon], kind: str
) -> None:
    pools = "".join(f"{{stages=['{stage}'],workers=1}}," for stage in ("decode", "transform", "encode"))
    daemon = daemon_with("pipeline.stage_timeout_ms=1000", f"pipeline.pools=[{pools}]")
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    victim = psutil.Process(daemon.pids(kind)[0])
    victim.suspend()

    eventually(lambda: not victim.is_running(), within_s=10.0, what="the stopped worker is killed")
    told = eventually(lambda: daemon.metrics()["restarts"]["by_cause"], within_s=5.0, what="it is started again")
    assert told == {"time_limit": 1}
    assert any(note in line for line in daemon.log for note in (f"canary: {kind}", f"{kind}-0 ")), (
        "the log names the pool"
    )
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken again")
    submit(daemon, 10)
