"""What is done to a control plane that can be reached: it goes on answering, and nothing is left behind."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from control.http_connection import IDLE_TIMEOUT_S, REQUEST_TIMEOUT_S
from control.patience import STALL_S
from control.places import PLACES_MAX
from tests.control.raw import (
    CONTINUATION,
    PING,
    TEXT,
    TOKEN,
    RawConnection,
    control_with,
    handshake_headers,
    raw_frame,
    tell_of_a_crowd,
    tell_of_services,
)
from tests.control.support import ControlProcess
from tests.waiting import eventually

BEARER = f"Authorization: Bearer {TOKEN}"
POST = "\r\n".join(
    [
        "POST /api/memory-analysis/decode-0/trim HTTP/1.1",
        "Host: localhost",
        BEARER,
        "Content-Type: application/json\r\n",
    ]
)
ANSWERS_WITHIN_S = 1.0
RSS_GROWTH_BYTES_MAX = 32 << 20


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the control plane says about it."""
    return tmp_path_factory.mktemp("attacks") / "control.log"


@pytest.fixture(scope="module")
def control(log: Path) -> Iterator[ControlProcess]:
    with control_with(token=True, log=log) as control:
        # The connection of its telemetry stays: it must be there before descriptors are counted.
        tell_of_services(control)
        yield control


@dataclass(frozen=True, slots=True)
class Satisfied:
    """A connection that was answered, and says no more."""

    connection: RawConnection
    since_s: float


@pytest.fixture(scope="module", autouse=True)
def satisfied() -> Iterator[Satisfied]:
    """Begun before all other tests, so that nobody has to wait for its end; at a control plane of its own."""
    with control_with() as control, RawConnection(control.port) as connection:
        assert connection.ask().status == 200
        yield Satisfied(connection, time.monotonic())


@pytest.fixture(autouse=True)
def _goes_on_and_keeps_nothing(control: ControlProcess, log: Path) -> Iterator[None]:
    process = psutil.Process(control.process.pid)
    # Warmed up: what is imported with the first answer is no growth.
    assert_alive(control)
    # A connection that is just being closed would hide one that is left behind.
    eventually(lambda: is_alone(process), within_s=10, what="the probe's connection is closed")
    descriptors, rss_bytes = process.num_fds(), process.memory_info().rss

    yield

    assert_alive(control)
    eventually(lambda: process.num_fds() <= descriptors, within_s=10, what="all connections are closed")
    assert process.memory_info().rss < rss_bytes + RSS_GROWTH_BYTES_MAX
    # Nothing of this is a fault of ours, and whoever does it must not fill the log.
    # But for the alert that no frames come through: here is no broker.
    assert [line for line in log.read_text().splitlines() if " alert not_ready " not in line] == []


def is_alone(process: psutil.Process) -> bool:
    """Whether nobody is connected with it over TCP."""
    return all(connection.status == psutil.CONN_LISTEN for connection in process.net_connections("tcp"))


def assert_alive(control: ControlProcess) -> None:
    """Ask on a new connection, as a probe would; more than once, as the machine may be busy with other things."""
    took_s: list[float] = []
    while not took_s or (min(took_s) > ANSWERS_WITHIN_S and len(took_s) < 3):
        began_s = time.monotonic()
        assert control.get("/health/live").body == {"status": "ok"}
        took_s.append(time.monotonic() - began_s)
    assert min(took_s) <= ANSWERS_WITHIN_S


def drip(connections: list[RawConnection], control: ControlProcess, seconds: float) -> dict[RawConnection, float]:
    """Send each a byte four times a second, until all were closed or the time is over; after how long each was."""
    began_s = time.monotonic()
    closed: dict[RawConnection, float] = {}
    while len(closed) < len(connections) and time.monotonic() - began_s < seconds:
        open_ones = [connection for connection in connections if connection not in closed]
        readable, _, _ = select.select([connection.socket for connection in open_ones], [], [], 0.25)
        for connection in open_ones:
            if connection.socket in readable:
                closed[connection] = time.monotonic() - began_s
            else:
                with contextlib.suppress(OSError):
                    connection.send(b"x")
        assert_alive(control)
    return closed


def test_requests_that_drip_are_refused_after_their_time(control: ControlProcess) -> None:
    beginnings = [
        b"G",
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: ",
        POST.encode() + b"Content-Length: 4000\r\n\r\n",
        POST.encode() + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n",
    ]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(control.port)) for _ in beginnings * 10]
        for connection, beginning in zip(connections, beginnings * 10, strict=True):
            connection.send(beginning)

        closed = drip(connections, control, seconds=2 * REQUEST_TIMEOUT_S)

        assert len(closed) == len(connections)
        assert all(REQUEST_TIMEOUT_S - 1 < after_s < REQUEST_TIMEOUT_S + 2 for after_s in closed.values())
        for connection in connections:
            answer = connection.answer()
            assert answer.status == 408
            assert answer.json == {"error": "the request did not arrive within 5 s"}


def test_connection_that_says_nothing_is_closed(control: ControlProcess) -> None:
    with RawConnection(control.port) as silent:
        began_s = time.monotonic()

        assert silent.read_to_end(within_s=REQUEST_TIMEOUT_S + 2) == b""
        assert time.monotonic() - began_s > REQUEST_TIMEOUT_S - 1


def test_idle_connections_keep_nobody_out(control: ControlProcess) -> None:
    process = psutil.Process(control.process.pid)
    before = process.num_fds()
    with contextlib.ExitStack() as stack:
        for number in range(4 * PLACES_MAX):
            stack.enter_context(RawConnection(control.port)).send(b"GET /health/live HTTP/1.1\r\n")
            if number % 32 == 0:
                assert_alive(control)

        most = before + PLACES_MAX + 8
        eventually(lambda: process.num_fds() <= most, within_s=2, what="only so many connections are kept")
        # One that is used keeps its place.
        with RawConnection(control.port) as used:
            for number in range(2 * PLACES_MAX):
                stack.enter_context(RawConnection(control.port))
                if number % 32 == 0:
                    assert used.ask().status == 200


def test_clients_that_never_read_are_given_up_and_told_why(control: ControlProcess) -> None:
    tell_of_a_crowd(control)
    small = 4096
    with (
        RawConnection(control.port, small) as asking,
        RawConnection(control.port, small) as subscribed,
        RawConnection(control.port, small) as late,
    ):
        asking.socket.setblocking(False)
        request = f"GET /api/services/health HTTP/1.1\r\nHost: localhost\r\n{BEARER}\r\n\r\n".encode()
        for connection in (subscribed, late):
            assert connection.open_feed(BEARER).status == 101
            for channel in ("services", "metrics", "memory"):
                connection.say({"type": "subscribe", "channel": channel, "interval_ms": 100})
        began_s = time.monotonic()
        while time.monotonic() - began_s < STALL_S + 2:
            with contextlib.suppress(OSError):
                asking.send(request * 10)
            assert_alive(control)

        # Now the one reads what was sent before it was given up, and finds why.
        frame = late.frame()
        while frame.opcode == TEXT:
            frame = late.frame()
        assert frame.close_code == 1013
        assert frame.payload[2:] == b"too slow"

        # Of the others nothing is left, though they never hung up.
        for connection in (asking, subscribed):
            with pytest.raises(OSError, match=r"reset|[Bb]roken"):
                eventually(lambda: connection.send(b"x"), within_s=5, what="the connection is gone")  # noqa: B023 - called at once


def test_crowd_that_never_reads_keeps_nobody_out(control: ControlProcess) -> None:
    tell_of_a_crowd(control)
    requests = f"GET /api/services/health HTTP/1.1\r\nHost: localhost\r\n{BEARER}\r\n\r\n".encode() * 40
    with contextlib.ExitStack() as stack:
        for number in range(3 * PLACES_MAX):
            connection = stack.enter_context(RawConnection(control.port, receive_buffer_bytes=4096))
            connection.send(requests)
            if number % 8 == 0:
                assert_alive(control)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 1_000_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1_000_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 150_000,
        b"\r\n" * 500_000,
        b"\x00" * 1_000_000,
    ],
    ids=["target", "header", "headers", "nothing", "zeros"],
)
def test_head_without_end_is_refused(control: ControlProcess, head: bytes) -> None:
    with RawConnection(control.port) as connection:
        with contextlib.suppress(OSError):
            connection.send(head)
        data = connection.read_to_end()

    assert data == b"" or data.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"HTTP/1.1 414 "))


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("line", [b"GET /health/live", b"POST /health/live", b"POST /nowhere", b"DELETE /api/metrics"])
def test_body_without_end_is_not_read(control: ControlProcess, line: bytes, framing: bytes) -> None:
    with RawConnection(control.port) as connection:
        began_s = time.monotonic()
        connection.send(line + b" HTTP/1.1\r\nHost: localhost\r\n" + BEARER.encode() + b"\r\n" + framing + b"\r\n\r\n")
        with contextlib.suppress(OSError):
            while time.monotonic() - began_s < 2 * REQUEST_TIMEOUT_S:
                connection.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")

    assert time.monotonic() - began_s < 1


@pytest.mark.parametrize("framing", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
def test_uploads_broken_off_leave_nothing(control: ControlProcess, framing: str) -> None:
    for number in range(300):
        with RawConnection(control.port) as connection:
            connection.send(POST.encode() + framing.encode() + b"\r\n\r\n7000\r\n" + b"x" * 0x7000)
            if number % 2:
                # Hang up with a reset, not in order.
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if number % 50 == 0:
            assert_alive(control)


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: 5, 6",
        "Content-Length: -1",
    ],
)
@pytest.mark.parametrize("method", ["GET /health/live", "POST /api/memory-analysis/decode-0/trim"])
def test_request_of_two_readings_gets_one_refusal(control: ControlProcess, method: str, framing: str) -> None:
    head = f"{method} HTTP/1.1\r\nHost: localhost\r\n{BEARER}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    with RawConnection(control.port) as connection:
        connection.send(head.encode() + b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n")

        assert connection.answer().status == 400
        assert connection.read_to_end() == b""


@pytest.mark.parametrize("line", ["GET /health/live", "HEAD /api/metrics", "GET /ws", "POST /nowhere", "DELETE /"])
def test_body_that_cannot_be_read_gets_one_answer(control: ControlProcess, line: str) -> None:
    """Of two parties that would answer, the application and the connection, one does."""
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\n{BEARER}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with RawConnection(control.port) as connection:
        connection.send(head.encode() + b"ZZ\r\n\r\n")

        assert connection.answer(has_body=not line.startswith("HEAD")).status == 400
        assert connection.read_to_end() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page/%2e%2e%2fapp.py",
        "/page/..%5capp.py",
        "/page/..%252fapp.py",
        "/page//etc/passwd",
        "/page/%00",
        "/page/page.js%00.html",
        "/page/page.js/",
        "/page/.",
        "/page/",
        "/page",
        "/page/index.html",
        "/page/%ff%fe",
        "//page/page.js",
        "/../../../../etc/passwd",
        "/page/page.js?../../app.py",
    ],
)
def test_path_that_climbs_leads_nowhere(control: ControlProcess, path: str) -> None:
    with RawConnection(control.port) as connection:
        answer = connection.ask(path, BEARER)

    if path.startswith("/page/page.js?"):
        assert answer.status == 200
    else:
        assert answer.status == 404
        assert list(answer.json) == ["error"]


def test_requests_sent_all_at_once_are_answered_in_order(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        pair = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in ("/health/live", "/page/nothing")]
        connection.send("".join(pair).encode() * 500)
        statuses = [connection.answer().status for _ in range(1000)]

    assert statuses == [200, 404] * 500


@pytest.mark.parametrize(
    "frames",
    [
        raw_frame(PING, b"") * 40_000,
        raw_frame(TEXT, b"{}") * 30_000,
        raw_frame(TEXT, b"", is_final=False) + raw_frame(CONTINUATION, b"", is_final=False) * 40_000,
        b"\xff" * 1_000_000,
    ],
    ids=["pings", "messages", "fragments", "nonsense"],
)
def test_flood_of_frames_is_cut_off_at_once(control: ControlProcess, frames: bytes) -> None:
    head = "\r\n".join(["GET /ws HTTP/1.1", "Host: localhost", BEARER, *handshake_headers(), "", ""])
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(control.port)) for _ in range(20)]
        for connection in connections:
            connection.send(head.encode())
            assert connection.answer().status == 101
        for connection in connections:
            connection.socket.setblocking(False)
            with contextlib.suppress(OSError):
                connection.send(frames)
        assert_alive(control)
        for connection in connections:
            assert len(connection.read_to_end()) < 10_000


def test_flood_of_connections_does_not_stop_a_probe(control: ControlProcess) -> None:
    began_s = time.monotonic()
    count = 0
    while time.monotonic() - began_s < 2:
        with RawConnection(control.port) as connection:
            connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        count += 1
        if count % 100 == 0:
            assert_alive(control)

    assert count > 200


def test_connection_that_asks_no_more_is_closed_in_time(satisfied: Satisfied) -> None:
    """The last test here; the others have not waited for it in vain."""
    left_s = satisfied.since_s + IDLE_TIMEOUT_S - time.monotonic()
    if left_s > 1:
        with pytest.raises(TimeoutError):
            satisfied.connection.read_to_end(within_s=left_s - 1)

    assert satisfied.connection.read_to_end(within_s=3) == b""
