"""The same request again: answered without being read again, and in nothing else different."""

import asyncio
import select
import socket
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from control.app import ControlPlane, make_app
from control.examination import Examinations
from control.feed import Feed
from control.observer import Observer
from control.recall import REQUEST_BYTES_MAX, Recall
from control.routes import ROUTES
from control.server import Server
from control.snapshots import Snapshots
from tests.control.raw import TOKEN, RawAnswer, RawConnection, control_with
from tests.control.support import ControlProcess, make_settings, running_control

SNAPSHOTS = [
    "/health", "/health/live", "/health/ready", "/api/metrics", "/api/services/health", "/api/memory-analysis",
]  # fmt: skip


def request(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


@pytest.fixture(scope="module")
def control() -> Iterator[ControlProcess]:
    with running_control() as running:
        yield running


def shape(answer: RawAnswer) -> tuple[int, dict[str, str], set[str]]:
    """What must be the same of two answers, whatever time it is."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "content-length"}}
    assert int(answer.headers["content-length"]) == len(answer.body)
    return answer.status, headers, set(answer.json)


@pytest.mark.parametrize("path", SNAPSHOTS)
def test_request_repeated_gets_the_same_answer_as_the_first(control: ControlProcess, path: str) -> None:
    with RawConnection(control.port) as connection:
        shapes = []
        for _ in range(4):
            connection.send(request(path, "User-Agent: monitor/1.0"))
            shapes.append(shape(connection.answer()))

    assert shapes == [shapes[0]] * 4


def test_every_snapshot_is_a_route_that_reads() -> None:
    assert set(SNAPSHOTS) <= {route.path for route in ROUTES if route.method == "GET"}


def test_request_repeated_in_one_packet_is_answered_as_often(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        connection.send(request("/health/live"))
        assert connection.answer().status == 200
        connection.send(request("/health/live") * 3)

        assert [connection.answer().status for _ in range(3)] == [200] * 3


def test_request_repeated_in_pieces_is_answered_once_it_is_whole(control: ControlProcess) -> None:
    data = request("/health/live")
    with RawConnection(control.port) as connection:
        connection.send(data)
        assert connection.answer().status == 200
        for byte in data[:-1]:
            connection.send(bytes([byte]))
        assert select.select([connection.socket], [], [], 0.05)[0] == []
        connection.send(data[-1:])

        assert connection.answer().status == 200


def test_other_request_after_a_repeated_one_gets_its_own_answer(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        statuses = []
        for path in ("/health/live", "/health/live", "/nothing", "/health/live", "/health/live"):
            connection.send(request(path))
            statuses.append(connection.answer().status)

    assert statuses == [200, 200, 404, 200, 200]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Connection: close",), 200),
        (("Content-Length: 0",), 200),
        (("Origin: http://evil.example",), 403),
    ],
)
def test_request_that_says_more_than_who_asks_is_read_each_time(
    control: ControlProcess, headers: tuple[str, ...], status: int
) -> None:
    for _ in range(2):
        with RawConnection(control.port) as connection:
            connection.send(request("/health/live", *headers))
            assert connection.answer().status == status
            assert connection.read_to_end() == b""


def test_repeated_request_without_the_token_is_refused_each_time() -> None:
    with control_with(token=True) as control:
        for _ in range(2):
            with RawConnection(control.port) as connection:
                connection.send(request("/health"))
                assert connection.answer().status == 401
        with RawConnection(control.port) as connection:
            for _ in range(3):
                connection.send(request("/health", f"Authorization: Bearer {TOKEN}"))
                assert connection.answer().status in {200, 503}
            connection.send(request("/health", f"Authorization: Bearer {TOKEN[:-1]}x"))
            assert connection.answer().status == 401


def test_repeated_requests_count_for_the_rate_limit() -> None:
    with control_with(rate_limit_per_minute=60) as control, RawConnection(control.port) as connection:
        answers: list[RawAnswer] = []
        while not answers or answers[-1].status != 429:
            assert len(answers) < 100
            connection.send(request("/api/metrics"))
            answers.append(connection.answer())

        assert {answer.status for answer in answers} == {200, 429}
        assert len(answers) > 20
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert connection.read_to_end() == b""


def test_repeated_request_of_another_origins_page_keeps_its_permission() -> None:
    origin = "http://ops.example"
    with control_with(cors_origins=[origin]) as control, RawConnection(control.port) as connection:
        for _ in range(3):
            connection.send(request("/api/metrics", f"Origin: {origin}"))
            assert connection.answer().headers["access-control-allow-origin"] == origin


def test_requests_by_turns_each_get_their_own_answer(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        shapes = []
        for _ in range(3):
            for path in SNAPSHOTS[:4]:
                connection.send(request(path))
                shapes.append(shape(connection.answer()))

    assert shapes == shapes[:4] * 3
    assert len({frozenset(keys) for _, _, keys in shapes}) == 4


def test_memory_of_requests_is_bounded() -> None:
    recall = Recall(Snapshots(Observer(make_settings())))
    scope: dict[str, object] = {"method": "GET", "http_version": "1.1", "path": "/health", "headers": []}
    for number in range(100):
        recall.learn(b"request %d" % number, scope)
    recall.learn(bytes(REQUEST_BYTES_MAX + 1), scope)

    assert [number for number in range(100) if recall.find(b"request %d" % number)] == [96, 97, 98, 99]
    assert recall.find(bytes(REQUEST_BYTES_MAX + 1)) is None


def test_known_request_behind_others_is_answered_in_its_turn(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        connection.send(request("/health/live"))
        connection.answer()
        connection.send(request("/openapi.json") + request("/metrics"))
        connection.send(request("/health/live"))
        answers = [connection.answer() for _ in range(3)]

    assert [answer.headers["content-type"].partition(";")[0] for answer in answers] == [
        "application/json", "text/plain", "application/json",
    ]  # fmt: skip
    assert answers[2].json == {"status": "ok"}


def test_body_that_looks_like_a_known_request_is_none(control: ControlProcess) -> None:
    body = request("/health/live")
    with RawConnection(control.port) as connection:
        connection.send(body)
        connection.answer()
        head = request("/nothing", f"Content-Length: {len(body)}", method="POST")
        connection.send(request("/health/live") + head[:-2])
        connection.answer()
        connection.send(head[-2:] + body)

        assert connection.answer().status == 404
        assert connection.read_to_end() == b""


def test_head_that_came_in_part_behind_a_request_is_not_answered_by_what_follows(control: ControlProcess) -> None:
    known = request("/health/live")
    with RawConnection(control.port) as connection:
        connection.send(known)
        connection.answer()
        connection.send(known + request("/nothing", method="POST")[:-2])
        assert connection.answer().status == 200
        connection.send(known)

        # The known bytes are lines of the unfinished head now, and no head has such lines.
        assert connection.answer().status == 400


def test_two_known_requests_in_one_packet_are_both_answered_each_time(control: ControlProcess) -> None:
    with RawConnection(control.port) as connection:
        for _ in range(2):
            connection.send(request("/health/live") + request("/health/live"))
            assert [connection.answer().status for _ in range(2)] == [200, 200]


async def answers_of_a_server_in_this_process(requests: list[bytes]) -> list[bytes]:
    """Serve here, ask on one connection, and return the first lines of the answers."""
    observer, listener = Observer(make_settings()), socket.create_server(("127.0.0.1", 0))
    is_serving = asyncio.Event()
    plane = make_app(observer, Feed(observer), Examinations(1, lambda _: None), observer.settings, None)
    server = Server(plane, is_serving.set)
    serving = asyncio.ensure_future(server.serve([listener]))
    await is_serving.wait()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    statuses = []
    for data in requests:
        writer.write(data)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
        await reader.readexactly(int(length.split()[1]))
        statuses.append(head.partition(b"\r\n")[0])
    writer.close()
    server.stop()
    await serving
    return statuses


def test_request_repeated_does_not_come_to_the_application_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is sent differs, so the application itself is asked what came to it."""
    came: list[str] = []
    honest = ControlPlane.__call__

    async def counted(plane: ControlPlane, scope: Scope, receive: Receive, send: Send) -> None:
        came.append(scope["path"])
        await honest(plane, scope, receive, send)

    monkeypatch.setattr(ControlPlane, "__call__", counted)
    paths = ["/health/live", "/api/metrics", "/health/live", "/health/live", "/api/metrics", "/nothing", "/nothing"]

    statuses = asyncio.run(answers_of_a_server_in_this_process([request(path) for path in paths]))

    assert statuses == [b"HTTP/1.1 200 OK"] * 5 + [b"HTTP/1.1 404 Not Found"] * 2
    assert came == ["/health/live", "/api/metrics", "/nothing", "/nothing"]
