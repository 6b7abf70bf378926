"""Producers that vanish, do not read or say the same thing twice: the broker waits for none, and does nothing twice."""

from contextlib import ExitStack
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest
import zmq

from tests.daemon import Daemon, connect
from tests.neighbour import OUTPUTS, neighbour
from tests.numbered import number_of_jpeg, numbered_jpeg, numbered_pixels
from tests.waiting import eventually

ANSWER_WITHIN_MS = 20_000
IN_FLIGHT = 50
UNREAD = 48
SIDE = 1000
"""Of raw pictures that nobody reads: 3 MB each, and in all more than is kept for one producer."""


def ask(socket: zmq.Socket[bytes], request_id: str, payload: bytes, **keys: Any) -> None:
    socket.send_multipart([msgpack.packb({"v": 1, "id": request_id, "outputs": OUTPUTS, **keys}), payload])


def ask_whether_read(socket: zmq.Socket[bytes]) -> None:
    """Wait for the answer to a ping: all that was sent before it has been read by then."""
    socket.send(msgpack.packb({"v": 1, "op": "ping", "id": "ping"}))
    while msgpack.unpackb(socket.recv_multipart()[0])["id"] != "ping":
        pass


@pytest.mark.timeout(60)
def test_producer_that_vanishes_with_50_frames_in_flight_leaves_nothing_in_the_arena(daemon: Daemon) -> None:
    payload = numbered_jpeg(1, 3200, 2400)
    with neighbour(daemon) as beside:
        with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
            socket.rcvtimeo = ANSWER_WITHIN_MS
            for number in range(IN_FLIGHT):
                # Encoded at full size: seconds of work for all of them.
                ask(socket, str(number), payload, outputs=[{}])
            ask_whether_read(socket)
        beside.is_served_again()

    frames = daemon.frames_at_rest(IN_FLIGHT + beside.served)
    assert frames["replies_dropped"] > IN_FLIGHT // 2
    assert frames["completed"] + frames["cancelled"] == frames["received"] == IN_FLIGHT + beside.served
    assert daemon.metrics()["restarts"]["total"] == 0


@pytest.mark.timeout(90)
def test_producer_that_never_reads_and_then_vanishes_never_blocks_the_broker(daemon: Daemon) -> None:
    """Its pipe is full to the last buffer when it goes: where libzmq's ROUTER is said to have waited for ever."""
    broker = daemon.pids("broker")
    raw = {"format": "raw", "width": SIDE, "height": SIDE, "layout": "RGB"}
    with neighbour(daemon) as beside:
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.rcvhwm = 1
            socket.connect(daemon.endpoint)
            payload = numbered_pixels(7, SIDE, SIDE).tobytes()
            for number in range(UNREAD):
                ask(socket, str(number), payload, input=raw, outputs=[{"format": "raw"}])
            eventually(
                lambda: daemon.metrics()["frames"]["replies_dropped"] > 0,
                within_s=30.0,
                what="what it does not read is dropped at last",
            )
            beside.is_served_again()
        beside.is_served_again()

    assert daemon.pids("broker") == broker
    daemon.frames_at_rest(UNREAD + beside.served)
    assert daemon.metrics()["restarts"]["total"] == 0


@pytest.mark.timeout(60)
def test_same_request_from_five_connections_at_once_is_executed_once_and_has_one_reply(daemon: Daemon) -> None:
    payload = numbered_jpeg(5, 1600, 1200)
    with zmq.Context() as context, ExitStack() as stack:
        sockets = [stack.enter_context(connect(context, daemon.endpoint)) for _ in range(5)]
        for socket in sockets:
            socket.rcvtimeo = ANSWER_WITHIN_MS
            ask(socket, "same", payload, client="camera")
        eventually(lambda: any(socket.poll(0) for socket in sockets), within_s=15.0, what="one of them is answered")
        replies = [socket.recv_multipart() for socket in sockets if socket.poll(0)]
        # Whoever was not the last to ask while it was in work asks again, and gets what is remembered.
        for socket in sockets:
            ask(socket, "same", payload, client="camera")
            replies.append(socket.recv_multipart())

    assert len({tuple(reply) for reply in replies}) == 1
    assert msgpack.unpackb(replies[0][0])["status"] == "ok"
    assert number_of_jpeg(replies[0][1]) == 5
    assert daemon.frames_at_rest(1)["completed"] == 1
    executed = {name: stage["completed"] for name, stage in daemon.metrics()["stages"].items()}
    assert executed == {"decode": 1, "transform": 1, "encode": 1}


@pytest.mark.timeout(60)
def test_id_of_a_frame_in_flight_with_other_bytes_is_a_conflict_and_harms_neither(daemon: Daemon) -> None:
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = ANSWER_WITHIN_MS
        ask(socket, "one", numbered_jpeg(1, 1600, 1200), client="camera")
        ask(socket, "one", numbered_jpeg(2, 1600, 1200), client="camera")
        replies = [socket.recv_multipart() for _ in range(2)]

    by_status = {msgpack.unpackb(reply[0])["status"]: reply for reply in replies}
    assert set(by_status) == {"ok", "error"}
    assert number_of_jpeg(by_status["ok"][1]) == 1
    assert msgpack.unpackb(by_status["error"][0])["error"]["code"] == "CONFLICT"
