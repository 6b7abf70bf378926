"""The frames' road: who is believed to be a worker, and what never reached one."""

import time
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import msgspec
import pytest
import zmq

from ipc.causes import Cause
from ipc.messages import Beat, Hello, Kill, WorkerGone
from ipc.sockets import make_context
from tests.omnishotd.broker.rig import header, picture
from tests.omnishotd.broker.surroundings import WITHIN_MS, Socket, Surroundings, report, take_tasks


def test_hello_in_the_name_of_another_is_ignored_and_the_other_gets_work(
    around: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    around.expect(2)
    stranger = around.stranger(b"w9")
    for _ in range(3):
        stranger.send(msgspec.msgpack.encode(Hello(2, ["decode"])))
    assert around.broker._work.poll(WITHIN_MS)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    producer.send_multipart([header("f"), picture()])
    report(worker, take_tasks(worker)[0])

    assert msgpack.unpackb(producer.recv_multipart()[0])["status"] == "ok"
    assert sum("said hello as worker 2" in line for line in caplog.messages) == 1
    assert not stranger.poll(0)


def test_frames_that_never_reached_a_worker_are_not_suspected_of_its_death(runtime_directory: Path) -> None:
    """It is gone, and nobody has said so yet: it seems idle, and is given two messages in one turn."""
    with make_context() as context:
        around = Surroundings(runtime_directory, context, max_concurrent_jobs=8)
        let_worker_vanish(around)
        producer = around.producer()
        for name in "abcde":
            producer.send_multipart([header(name), picture(64, name.encode())])
        assert around.broker._door.socket.poll(WITHIN_MS)
        around.begin()
        assert around.heard() == Kill(2, "cannot be reached", Cause.UNREACHABLE)
        around.supervisor.send(WorkerGone(2, "SIGKILL"))
        around.expect(3)
        successor = around.worker(3)
        attempts: dict[str, int] = {}
        while len(attempts) < 5:
            for task in take_tasks(successor):
                report(successor, task)
                reply = msgpack.unpackb(producer.recv_multipart()[0])
                attempts[reply["id"]] = reply["attempts"]

        assert attempts == dict.fromkeys("abcde", 1)
        while (message := around.supervisor.receive()) is not None:
            assert isinstance(message, Beat), "it is killed once"
        around.end()


def let_worker_vanish(around: Surroundings) -> None:
    """Have a worker say hello and be gone, before the broker's loop turns."""
    around.expect(2)
    worker = around.worker(2)
    assert around.broker._work.poll(WITHIN_MS)
    around.broker._road.take_reports(0)
    worker.close(linger=0)
    deadline_s = time.monotonic() + WITHIN_MS / 1000
    while is_connected(around.broker._work, b"w2"):
        assert time.monotonic() < deadline_s
        around.broker._work.poll(1)


def is_connected(router: Socket, identity: bytes) -> bool:
    """Tell whether a ROUTER would reach somebody now; who is reached gets an empty message."""
    try:
        router.send_multipart([identity, b""], zmq.DONTWAIT)
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        return False
    return True
