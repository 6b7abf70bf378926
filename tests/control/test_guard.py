"""What every request passes first, asked of the real process."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette

from control.guard import Guard
from control.hosts import Hosts, Origins
from tests.control.raw import RawConnection, control_with
from tests.control.support import ControlProcess

OWN_ORIGIN = "Origin: http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def control() -> Iterator[ControlProcess]:
    with control_with() as control:
        yield control


@pytest.fixture
def connection(control: ControlProcess) -> Iterator[RawConnection]:
    with RawConnection(control.port) as connection:
        yield connection


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST:3000", "[::1]", "[::1]:3000"], ids=str
)
def test_request_for_this_host_is_answered(control: ControlProcess, host: str) -> None:
    assert control.get("/health/live", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "",
        "127.0.0.1:80/?x=",
        "127.0.0.1.evil.example",
        "localhost.",
        "localhost:",
        "user@localhost",
        "localhost, evil.example",
        "[::2]",
        "[",
        "::1",
        "localhost:x",
        "localhost:123456",
    ],
    ids=str,
)
def test_request_for_another_host_is_refused(control: ControlProcess, host: str) -> None:
    answer = control.get("/health/live", host=host)

    assert answer.status == 400
    assert answer.body == {"error": "host: this name is not one of control.allowed_hosts"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: localhost\r\n"], ids=["none", "two"])
def test_request_without_exactly_one_host_is_refused(connection: RawConnection, hosts: str) -> None:
    connection.send(f"GET /health/live HTTP/1.1\r\n{hosts}\r\n".encode())

    assert connection.answer().status == 400


@pytest.mark.parametrize("count", [0, 1, 2])
def test_judge_takes_exactly_one_host(count: int) -> None:
    """Whatever the parser before it lets pass."""
    guard = Guard(Starlette(), Hosts(["localhost"]), Origins([]))
    scope = {"raw_path": b"/", "query_string": b"", "headers": [(b"host", b"localhost")] * count}

    assert (guard.judge(scope) is None) == (count == 1)


def test_request_of_http_1_0_without_host_is_refused(connection: RawConnection) -> None:
    connection.send(b"GET /health/live HTTP/1.0\r\n\r\n")

    assert connection.answer().json == {"error": "host: this name is not one of control.allowed_hosts"}


@pytest.mark.parametrize("target", ["http://localhost/health/live", "http://evil.example/health/live", "*", "health"])
def test_target_that_is_no_path_is_refused(connection: RawConnection, target: str) -> None:
    assert connection.ask(target, method="OPTIONS").json == {"error": "target: must be a path, as /health"}


def test_page_of_this_host_may_ask(connection: RawConnection) -> None:
    assert connection.ask("/health/live", OWN_ORIGIN.format(port=connection.port)).status == 200
    assert connection.open_feed(OWN_ORIGIN.format(port=connection.port)).status == 101


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "ftp://127.0.0.1:{port}", ""]
)
def test_page_of_another_origin_is_refused(control: ControlProcess, origin: str) -> None:
    header = f"Origin: {origin.format(port=control.port)}"
    with RawConnection(control.port) as asking, RawConnection(control.port) as opening:
        answers = asking.ask("/health/live", header), opening.open_feed(header)

    for answer in answers:
        assert answer.status == 403
        assert answer.json == {"error": "origin: pages of other hosts may not ask"}
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_two_origins_are_refused(connection: RawConnection) -> None:
    own = OWN_ORIGIN.format(port=connection.port)

    assert connection.ask("/health/live", own, own).status == 403


@pytest.mark.parametrize("host", ["evil.example", "localhost:1, x"])
def test_handshake_for_another_host_is_refused_before_the_upgrade(connection: RawConnection, host: str) -> None:
    head = [
        "GET /ws HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
    ]
    connection.send("\r\n".join([*head, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""]).encode())

    answer = connection.answer()
    assert answer.status == 400
    assert answer.json == {"error": "host: this name is not one of control.allowed_hosts"}
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/api/metrics", "/nowhere", "/page/nothing.js", "/ws"])
def test_every_answer_carries_security_headers_and_names_no_server(connection: RawConnection, path: str) -> None:
    headers = connection.ask(path).headers

    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "bytes_sent",
    [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\nHost: localhost\r\n b: c\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n"],
    ids=["tls", "folded", "spaces"],
)
def test_bytes_that_are_no_request_get_an_error_in_the_same_form(connection: RawConnection, bytes_sent: bytes) -> None:
    connection.send(bytes_sent + b"\r\n\r\n")

    answer = connection.answer()
    assert answer.status == 400
    assert list(answer.json) == ["error"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nowhere", 404, None),
        ("GET", "/health/", 404, None),
        ("GET", "/api", 404, None),
        ("POST", "/health", 405, {"GET", "HEAD"}),
        ("DELETE", "/api/metrics", 405, {"GET", "HEAD"}),
        ("OPTIONS", "/api/metrics", 405, {"GET", "HEAD"}),
        ("PUT", "/ws", 405, {"GET", "HEAD"}),
        ("ABCDEF", "/", 405, {"GET", "HEAD"}),
    ],
)
def test_request_that_cannot_be_served_gets_an_error_as_json(
    connection: RawConnection, method: str, path: str, status: int, allow: set[str] | None
) -> None:
    answer = connection.ask(path, method=method)

    assert answer.status == status
    assert list(answer.json) == ["error"]
    assert (set(answer.headers["allow"].split(", ")) if "allow" in answer.headers else None) == allow


@pytest.mark.parametrize("path", ["/health/live", "/api/metrics", "/", "/openapi.json", "/nowhere"])
def test_head_is_answered_like_get_without_the_body(connection: RawConnection, path: str) -> None:
    got, head = connection.ask(path), connection.ask(path, method="HEAD")

    assert head.status == got.status
    assert set(head.headers) == set(got.headers)
    assert head.headers["content-type"] == got.headers["content-type"]
    assert connection.ask("/health/live").status == 200


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        (["Content-Length: 5"], 200),
        (["Transfer-Encoding: chunked"], 200),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
    ],
)
def test_body_that_nobody_asked_for_is_not_read_and_its_rest_is_no_request(
    connection: RawConnection, framing: list[str], status: int
) -> None:
    first = ["GET /health/live HTTP/1.1", "Host: localhost", *framing, "", "0", ""]
    connection.send("\r\n".join([*first, "GET /api/metrics HTTP/1.1", "Host: localhost", "", ""]).encode())

    answer = connection.answer()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert connection.read_to_end() == b""


def test_target_that_is_too_long_is_refused(connection: RawConnection) -> None:
    assert connection.ask("/health/live?" + "x" * 3000).status == 414


@pytest.mark.parametrize(
    "headers", [["X: " + "y" * 17_000], [f"X{number}: y" for number in range(64)]], ids=["size", "count"]
)
def test_headers_that_are_too_large_or_too_many_are_refused(control: ControlProcess, headers: list[str]) -> None:
    with RawConnection(control.port) as asking, RawConnection(control.port) as opening:
        answers = asking.ask("/health/live", *headers), opening.open_feed(*headers)

    assert [answer.status for answer in answers] == [431, 431]
    assert all("at most 64 of 16384 bytes" in answer.json["error"] for answer in answers)


def test_head_that_is_too_large_before_it_ends_is_refused(connection: RawConnection) -> None:
    connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 25_000)

    answer = connection.answer()
    assert answer.status == 431
    assert answer.json == {"error": "the request's head is too large"}


def test_plain_request_to_the_feed_is_told_to_upgrade(connection: RawConnection) -> None:
    answer = connection.ask("/ws")

    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"


def test_upgrade_elsewhere_is_ignored(connection: RawConnection) -> None:
    answer = connection.ask("/health/live", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")

    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        ["Upgrade: websocket", "Connection: Upgrade"],
        [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 12",
            "Sec-WebSocket-Key: " + "A" * 22 + "==",
        ],
        ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"],
        ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + "A" * 9000],
    ],
    ids=["no key", "old", "bad key", "long key"],
)
def test_handshake_that_is_not_in_order_is_refused_in_our_form(connection: RawConnection, headers: list[str]) -> None:
    answer = connection.ask("/ws", *headers)

    assert answer.status == 400
    assert answer.json == {"error": "this is no opening handshake of a WebSocket, version 13"}
    assert answer.headers["sec-websocket-version"] == "13"
    assert connection.read_to_end() == b""


# -------------------- names and origins that are configured --------------------


@pytest.fixture(scope="module")
def public() -> Iterator[ControlProcess]:
    with control_with(allowed_hosts=["Ops.example"], cors_origins=["https://wall.example"]) as control:
        yield control


def test_name_that_is_allowed_is_this_host_s_own(public: ControlProcess) -> None:
    assert public.get("/health/live", host="ops.example:443").status == 200
    assert public.get("/health/live", host="127.0.0.1").status == 200
    assert public.get("/health/live", host="wall.example").status == 400


def test_page_of_an_allowed_origin_may_ask_and_is_told_so(public: ControlProcess) -> None:
    with RawConnection(public.port) as connection:
        answer = connection.ask("/api/metrics", "Origin: https://wall.example")
        opened = connection.open_feed("Origin: https://wall.example")

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://wall.example"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    assert opened.status == 101


def test_page_of_another_origin_is_refused_where_some_are_allowed(public: ControlProcess) -> None:
    with RawConnection(public.port) as connection:
        answer = connection.ask("/api/metrics", "Origin: https://wall.example.evil.example")

    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


def test_browser_that_asks_before_is_allowed_the_token_s_header(public: ControlProcess) -> None:
    wish = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"]
    with RawConnection(public.port) as connection:
        answer = connection.ask("/api/metrics", "Origin: https://wall.example", *wish, method="OPTIONS")

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://wall.example"
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["x-content-type-options"] == "nosniff"
