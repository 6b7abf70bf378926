"""Bytes that no library would send: one error or a dropped connection each, and all others are served."""

import random
from collections.abc import Callable

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.neighbour import OUTPUTS, neighbour
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually
from tests.zmtp import COMMAND, LARGE, MORE, RawProducer, frame, header, message

MESSAGE_BYTES_MAX = 64 << 20
"""Of a part with default settings: four frames."""
GOOD = msgpack.packb({"v": 1, "id": "good", "outputs": OUTPUTS})
PARTS_TOO_MANY = 300_000
ENDLESS_BYTES = 1 << 30


def named(**keys: object) -> bytes:
    return bytes(msgpack.packb({"v": 1, "id": "x", "outputs": OUTPUTS, **keys}))


MESSAGES: list[tuple[list[bytes], str]] = [
    ([GOOD], "BAD_REQUEST"),
    ([GOOD, b"", b""], "BAD_REQUEST"),
    ([GOOD, *[b"x"] * 1000], "BAD_REQUEST"),
    ([b"x"] * 1000, "BAD_REQUEST"),
    ([b"\xc1", b"x"], "BAD_REQUEST"),
    ([b"\x91" * 4096, b"x"], "BAD_REQUEST"),
    ([b"x" * (1 << 20), b"x"], "BAD_REQUEST"),
    ([named(deadline_ms=float("nan")), b"x"], "BAD_REQUEST"),
    ([named(priority=(1 << 64) - 1), b"x"], "BAD_REQUEST"),
    ([named(v=2), b"x"], "UNSUPPORTED_VERSION"),
    ([named(v=(1 << 64) - 1), b"x"], "UNSUPPORTED_VERSION"),
    ([named(outputs=[{"operations": [{"op": "resize", "width": (1 << 62)}]}]), b"x"], "TOO_LARGE"),
    ([named(id="\x00" * 65), b"x"], "BAD_REQUEST"),
    ([named(input={"format": "raw", "width": 1 << 60, "height": 1 << 60, "layout": "RGB"}), b"x"], "TOO_LARGE"),
]


@pytest.mark.timeout(90)
def test_wrong_messages_get_one_error_each_while_a_neighbour_is_served(daemon: Daemon) -> None:
    before = daemon.all_pids()
    with neighbour(daemon) as beside, RawProducer(daemon.directory / "frames.sock") as raw:
        for parts, code in MESSAGES:
            raw.send_message(*parts)
            reply = raw.receive_message()
            assert msgpack.unpackb(reply[-1])["error"]["code"] == code, parts[0][:80]
        # Of nothing but a delimiter nothing comes: the next reply is that of the good frame behind it.
        raw.send_message(b"")
        raw.send_message(GOOD, numbered_jpeg(5, 320, 240))
        head, picture = raw.receive_message()
        assert msgpack.unpackb(head)["status"] == "ok"
        assert number_of_jpeg(picture) == 5
        beside.is_served_again()

    frames = daemon.frames_at_rest(len(MESSAGES) + 1)
    assert frames["rejected"] == len(MESSAGES)
    assert frames["malformed"] == 1
    assert daemon.all_pids() == before


CHANCE = random.Random(20261123)
STREAMS: dict[str, bytes] = {
    "a part longer than any may be": header(MESSAGE_BYTES_MAX + 1, MORE),
    "a part longer than memory": header((1 << 63) - 1, 0),
    "a length with its highest bit": header((1 << 64) - 1, 0),
    "a part that is never finished": header(1 << 20, MORE) + b"x" * 10,
    "a frame that is never begun": bytes([LARGE]),
    "flags that do not exist": bytes([0xF8, 1, 0]),
    "a command of many parts": frame(b"\x04PING" + bytes(2), COMMAND | MORE),
    "a handshake in the middle": frame(b"\x05READY", COMMAND),
    "a command of nothing": frame(b"", COMMAND),
    "a heartbeat without end": frame(b"\x04PING" + b"\xff" * 200, COMMAND),
    "noise": bytes([LARGE | MORE]) + CHANCE.randbytes(50_000),
}


@pytest.mark.timeout(120)
def test_broken_streams_are_dropped_or_ignored_while_a_neighbour_is_served(daemon: Daemon) -> None:
    before = daemon.all_pids()
    with neighbour(daemon) as beside:
        connections = {}
        for name, stream in STREAMS.items():
            connections[name] = RawProducer(daemon.directory / "frames.sock")
            try:
                connections[name].send(stream)
            except ConnectionError:
                continue
        for name, raw in connections.items():
            with raw:
                assert raw.is_dropped(), name
        beside.is_served_again()

    assert daemon.all_pids() == before
    frames = daemon.frames_at_rest(beside.served)
    assert frames["completed"] == beside.served
    assert frames["received"] == frames["completed"] + frames["rejected"], "what looks like a message gets its error"


@pytest.mark.timeout(90)
@pytest.mark.parametrize("part_bytes", [1, 16_000])
def test_message_that_never_ends_costs_the_broker_its_life_at_most_and_nobody_a_frame(
    daemon_with: Callable[..., Daemon], part_bytes: int
) -> None:
    """Nothing but the broker's limit of memory bounds it; what fails first there, libzmq or the broker, is chance."""
    daemon = daemon_with("memory.broker_limit_mb=192")
    parts = frame(b"x" * part_bytes, MORE) * max(1, (1 << 16) // part_bytes)
    with neighbour(daemon) as beside:
        with RawProducer(daemon.directory / "frames.sock") as raw:
            assert raw.send_until_dropped(parts, ENDLESS_BYTES)
        beside.is_served_again()

    eventually(daemon.is_ready_again, within_s=10.0, what="all is as before")
    broker = next(one for one in daemon.get("/api/services/health")[1]["services"] if one["name"] == "broker")
    assert broker["restarts"] <= 1


@pytest.mark.timeout(90)
def test_message_of_parts_without_number_costs_the_broker_its_life_and_nobody_a_frame(daemon: Daemon) -> None:
    before = daemon.pids("broker")
    with neighbour(daemon) as beside:
        with RawProducer(daemon.directory / "frames.sock") as raw:
            raw.send(frame(b"x", MORE) * PARTS_TOO_MANY + message(b"end"))
            assert raw.is_dropped()
        eventually(lambda: daemon.pids("broker") not in ([], before), within_s=20.0, what="there is a new broker")
        beside.is_served_again()

    assert any("a producer sends what it should not" in line for line in daemon.log)


@pytest.mark.timeout(60)
def test_frames_in_flight_when_the_broker_ends_at_its_limit_all_come_right(
    daemon_with: Callable[..., Daemon],
) -> None:
    daemon = daemon_with("memory.broker_limit_mb=192")
    with Client(endpoint=daemon.endpoint) as client:
        futures = [client.submit(numbered_jpeg(number, 640, 480), outputs=OUTPUTS) for number in range(32)]
        with RawProducer(daemon.directory / "frames.sock") as raw:
            assert raw.send_until_dropped(frame(b"x" * 65_000, MORE), ENDLESS_BYTES)
        futures += [client.submit(numbered_jpeg(number, 640, 480), outputs=OUTPUTS) for number in range(32, 64)]
        numbers = [number_of_jpeg(future.result(30.0).outputs[0].data) for future in futures]

    assert numbers == list(range(64))
