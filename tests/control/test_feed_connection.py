"""The feed of the real process: frames good and bad, and how connections end."""

import asyncio
import contextlib
import json
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import psutil
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from control import feed_connection
from control.feed import SUBSCRIBERS_MAX, Feed
from control.feed_connection import FeedConnection
from control.handshake import Handshake, shake_hands
from control.observer import Observer
from ipc.events import Event, EventKind
from tests.control.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    TOKEN,
    RawConnection,
    control_with,
    handshake_headers,
    raw_frame,
)
from tests.control.support import ControlProcess, make_settings, make_supervisor
from tests.waiting import eventually

SUBSCRIBE = json.dumps({"type": "subscribe", "channel": "events"}).encode()


@pytest.fixture(scope="module")
def control() -> Iterator[ControlProcess]:
    with control_with() as control:
        yield control


@pytest.fixture
def feed(control: ControlProcess) -> Iterator[RawConnection]:
    """A connection whose handshake is over."""
    with RawConnection(control.port) as connection:
        assert connection.open_feed().status == 101
        yield connection


def test_feed_speaks_with_a_library_s_client() -> None:
    """With the token as a browser shows it, and the extensions that a client offers by default."""
    offers = [Subprotocol("omnishotd"), Subprotocol(f"bearer.{TOKEN}")]
    with (
        control_with(token=True) as control,
        connect(f"ws://127.0.0.1:{control.port}/ws", subprotocols=offers) as client,
    ):
        assert client.subprotocol == "omnishotd"
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        assert "Server" not in client.response.headers

        client.send('{"type": "subscribe", "channel": "metrics", "interval_ms": 100}')
        told = [json.loads(client.recv(timeout=5)) for _ in range(4)]

    assert [message["type"] for message in told] == ["subscribed", "metrics", "metrics", "metrics"]
    assert [message["seq"] for message in told[1:]] == [1, 2, 3]


def test_state_on_the_feed_is_the_body_of_the_endpoint(control: ControlProcess, feed: RawConnection) -> None:
    for channel, path in (("metrics", "metrics"), ("services", "services/health"), ("memory", "memory-analysis")):
        feed.say({"type": "subscribe", "channel": channel, "interval_ms": 60_000})
        assert feed.hear()["type"] == "subscribed"

        assert feed.hear()["data"].keys() == control.get(f"/api/{path}").body.keys()


def test_event_is_on_the_feed_within_a_second_of_its_telemetry(control: ControlProcess, feed: RawConnection) -> None:
    feed.send_frame(TEXT, SUBSCRIBE)
    assert feed.hear()["type"] == "subscribed"

    event = Event(1, "2026-01-01T00:00:00Z", EventKind.WORKER_EXITED, "decode-0", "killed")
    began_s = time.monotonic()
    control.tell(msgspec.structs.replace(make_supervisor(at_s=began_s), events=[event]))
    told = feed.hear()

    assert told["seq"] == 1
    assert told["data"]["event"] == "worker_exited"
    assert time.monotonic() - began_s < 1


def test_message_behind_the_handshake_is_not_lost(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        head = "\r\n".join(["GET /ws HTTP/1.1", "Host: localhost", *handshake_headers(), "", ""])
        connection.send(head.encode() + raw_frame(TEXT, SUBSCRIBE))

        assert connection.answer().status == 101
        assert connection.hear()["type"] == "subscribed"


def test_message_in_fragments_is_put_together(feed: RawConnection) -> None:
    feed.send_frame(TEXT, SUBSCRIBE[:10], is_final=False)
    feed.send_frame(PING, b"between")
    feed.send_frame(CONTINUATION, SUBSCRIBE[10:20], is_final=False)
    feed.send_frame(CONTINUATION, SUBSCRIBE[20:])

    pong = feed.frame()
    assert (pong.opcode, pong.payload) == (PONG, b"between")
    assert feed.hear()["type"] == "subscribed"


def test_message_that_is_none_gets_a_complaint_and_the_next_is_heard(feed: RawConnection) -> None:
    feed.send_frame(TEXT, b'{"type": "shout"}')
    feed.send_frame(TEXT, SUBSCRIBE)

    assert feed.hear() == {"type": "error", "message": "Invalid value 'shout' - at `$.type`"}
    assert feed.hear()["type"] == "subscribed"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (raw_frame(BINARY, SUBSCRIBE), 1003),
        (raw_frame(TEXT, b"\xff\xfe"), 1007),
        (raw_frame(TEXT, b" " * 4097), 1009),
        (raw_frame(TEXT, b"")[:1] + b"\xff" + b"\x7f" * 8, 1009),
        (raw_frame(TEXT, b" " * 4000, is_final=False) + raw_frame(CONTINUATION, b" " * 97), 1009),
        (raw_frame(TEXT, b"", is_final=False) + raw_frame(CONTINUATION, b"", is_final=False) * 16, 1008),
        (raw_frame(PING, b"") * 51, 1008),
        (raw_frame(TEXT, SUBSCRIBE, is_masked=False), 1002),
        (raw_frame(CONTINUATION, b""), 1002),
        (raw_frame(TEXT, b"", is_final=False) + raw_frame(TEXT, b""), 1002),
        (raw_frame(3, b""), 1002),
        (raw_frame(TEXT | 0x40, b""), 1002),
        (raw_frame(PING, b" " * 126), 1002),
        (raw_frame(PING, b"", is_final=False), 1002),
        (raw_frame(CLOSE, b"\0"), 1002),
        (raw_frame(CLOSE, b"\x03\xee"), 1002),
    ],
    ids=[
        "binary", "no UTF-8", "too long", "giant", "too long in fragments", "too many fragments", "too many frames",
        "not masked", "nothing to continue", "two at once", "unknown opcode", "reserved bit", "long ping",
        "ping in fragments", "short close", "reserved close code",
    ],
)  # fmt: skip
def test_frame_that_is_not_in_order_ends_the_connection_with_its_code(
    control: ControlProcess, feed: RawConnection, sent: bytes, code: int
) -> None:
    feed.send(sent)

    frame = feed.frame()
    while frame.opcode == PONG:
        frame = feed.frame()
    assert frame.close_code == code
    # Hung up at once, not only when the time to read that is over.
    assert feed.read_to_end(within_s=1) == b""
    assert control.get("/health/live").status == 200


def test_client_that_says_goodbye_is_answered(feed: RawConnection) -> None:
    feed.send_frame(CLOSE, b"\x03\xe8bye")

    assert feed.frame().payload == b"\x03\xe8bye"
    assert feed.read_to_end() == b""


def test_client_that_does_not_hang_up_is_cut_off(feed: RawConnection) -> None:
    feed.send_frame(BINARY, b"")
    assert feed.frame().close_code == 1003
    assert feed.read_to_end() == b""

    def is_cut_off() -> bool:
        with contextlib.suppress(TimeoutError):
            feed.send(b"more")
            return False
        return True

    began_s = time.monotonic()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        eventually(is_cut_off, within_s=6, what="the connection is gone")
    assert time.monotonic() - began_s > 1


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[FeedConnection, Feed, socket.socket]]:
    """A connection of the feed within this process, after its handshake."""
    ours, theirs = socket.socketpair()
    feed = Feed(Observer(make_settings()))
    headers = [line.encode().split(b": ", 1) for line in ["Host: localhost", *handshake_headers()]]
    handshake = shake_hands([(name, value) for name, value in headers], b"")
    assert isinstance(handshake, Handshake)
    loop = asyncio.get_running_loop()
    transport, connection = await loop.connect_accepted_socket(lambda: FeedConnection(handshake, feed, set()), ours)
    theirs.setblocking(False)
    with theirs:
        assert (await loop.sock_recv(theirs, 65536)).startswith(b"HTTP/1.1 101 ")
        yield connection, feed, theirs
    transport.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize("is_answered", [True, False])
def test_client_that_does_not_answer_a_ping_is_gone(monkeypatch: pytest.MonkeyPatch, is_answered: bool) -> None:
    monkeypatch.setattr(feed_connection, "PING_INTERVAL_S", 0.1)

    async def play() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5), connected() as (_, feed, client):
            data = b""
            for _ in range(3):
                data = await loop.sock_recv(client, 65536)
                if data != raw_frame(PING, b"", is_masked=False):
                    break
                if is_answered:
                    await loop.sock_sendall(client, raw_frame(PONG, b""))
            assert data[:1] == (b"\x89" if is_answered else b"\x88")
            assert is_answered or data[2:4] == (1011).to_bytes(2)
            assert feed.subscriber_count == is_answered

    asyncio.run(play())


def test_client_that_does_not_read_is_not_heard_until_it_does() -> None:
    """Or there would be no end to the answers that wait for it."""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5), connected() as (connection, feed, client):
            connection.send(b"x" * 1_000_000)
            assert not connection.is_clear
            await loop.sock_sendall(client, raw_frame(TEXT, SUBSCRIBE))
            for _ in range(100):
                await asyncio.sleep(0)
            assert [subscriber.subscriptions for subscriber in feed._subscribers] == [[]]

            data = b""
            while b'"type":"subscribed"' not in data:
                data = data[-100:] + await loop.sock_recv(client, 65536)
            assert connection.is_clear

    asyncio.run(play())


def test_connections_that_end_in_any_way_leave_no_descriptor(control: ControlProcess) -> None:
    process = psutil.Process(control.process.pid)
    before = process.num_fds()
    for _ in range(20):
        with (
            RawConnection(control.port) as gone,
            RawConnection(control.port) as left,
            RawConnection(control.port) as cut,
        ):
            for connection in (gone, left, cut):
                assert connection.open_feed().status == 101
                connection.send_frame(TEXT, SUBSCRIBE)
            left.send_frame(CLOSE, b"")
            cut.send(b"\xff\xff")

    eventually(lambda: process.num_fds() <= before, within_s=5, what="the descriptors are closed")


def test_control_that_stops_says_so_to_its_subscribers() -> None:
    with contextlib.ExitStack() as stack:
        with control_with() as control:
            feed = stack.enter_context(RawConnection(control.port))
            assert feed.open_feed().status == 101
        assert feed.frame().close_code == 1012


def test_all_places_may_be_taken_and_leave_http_alone() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], SUBSCRIBERS_MAX + 200), hard))
    try:
        with control_with() as control, contextlib.ExitStack() as stack:
            feeds = []
            for _ in range(SUBSCRIBERS_MAX):
                feeds.append(stack.enter_context(RawConnection(control.port)))
                assert feeds[-1].open_feed().status == 101
            began_s = time.monotonic()
            assert control.get("/health/live").status == 200
            assert time.monotonic() - began_s < 1

            late = stack.enter_context(RawConnection(control.port))
            assert late.open_feed().status == 101
            assert late.frame().close_code == 1013

            feeds[0].socket.close()
            eventually(lambda: _is_taken(control), within_s=5, what="the place is free again")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _is_taken(control: ControlProcess) -> bool:
    with RawConnection(control.port) as connection:
        assert connection.open_feed().status == 101
        connection.send_frame(TEXT, SUBSCRIBE)
        return connection.frame().opcode == TEXT
