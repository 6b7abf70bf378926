"""Token and rates, asked of the real process."""

from collections.abc import Callable, Iterator

import pytest

from ipc.messages import Examine, Examined
from tests.control.raw import TOKEN, RawConnection, control_with, tell_of_services
from tests.control.support import ControlProcess

BEARER = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"
TRIM = "/api/memory-analysis/decode-0/trim"


@pytest.fixture(scope="module")
def control() -> Iterator[ControlProcess]:
    """Asks for the token, and knows the services of the small pipeline."""
    with control_with(token=True) as control:
        tell_of_services(control)
        yield control


@pytest.fixture
def connection(control: ControlProcess) -> Iterator[RawConnection]:
    with RawConnection(control.port) as connection:
        yield connection


@pytest.mark.parametrize("path", ["/health/live", "/", "/page/page.js"])
def test_what_holds_no_figure_is_open_without_the_token(connection: RawConnection, path: str) -> None:
    assert connection.ask(path).status == 200


def test_readiness_is_open_without_the_token(connection: RawConnection) -> None:
    assert connection.ask("/health/ready").status == 503


@pytest.mark.parametrize(
    "path", ["/health", "/api/metrics", "/api/services/health", "/api/memory-analysis", "/metrics", "/openapi.json"]
)
def test_figures_need_the_token(control: ControlProcess, path: str) -> None:
    with RawConnection(control.port) as refused, RawConnection(control.port) as allowed:
        without, with_token = refused.ask(path), allowed.ask(path, BEARER)

    assert without.status in {401, 429}
    assert with_token.status in {200, 503}


def test_refusal_for_want_of_the_token_tells_nothing(control_fresh: ControlProcess) -> None:
    """Not whether the path exists, nor what was wrong with the token."""
    with RawConnection(control_fresh.port) as one, RawConnection(control_fresh.port) as other:
        unknown, wrong = one.ask("/nowhere"), other.ask("/health", f"Authorization: Bearer {TOKEN[:-1]}x")

    assert unknown.status == wrong.status == 401
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert unknown.json == wrong.json == {"error": "a token is needed"}


@pytest.fixture
def control_fresh() -> Iterator[ControlProcess]:
    """Nobody was refused yet."""
    with control_with(token=True) as control:
        yield control


def test_anything_but_the_token_is_refused(control_fresh: ControlProcess) -> None:
    headers = [
        "Authorization: Bearer ",
        "Authorization: Bearer",
        f"Authorization: Basic {TOKEN}",
        f"Authorization: {TOKEN}",
        f"Authorization: Bearer {TOKEN}x",
        f"Authorization: Bearer {TOKEN[:-1]}",
        f"Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer x",
        f"Cookie: token={TOKEN}",
        f"X-Authorization: Bearer {TOKEN}",
    ]
    for header in headers:
        with RawConnection(control_fresh.port) as asking, RawConnection(control_fresh.port) as opening:
            assert asking.ask(f"/health?token={TOKEN}", header).status == 401, header
            assert opening.open_feed(header).status == 401, header


def test_feed_opens_with_the_token_as_browsers_and_as_programs_show_it(control: ControlProcess) -> None:
    with RawConnection(control.port) as browser, RawConnection(control.port) as program:
        by_browser = browser.open_feed(f"Sec-WebSocket-Protocol: omnishotd, bearer.{TOKEN}")
        by_program = program.open_feed(BEARER)

    assert by_browser.status == by_program.status == 101
    assert by_browser.headers["sec-websocket-protocol"] == "omnishotd"
    assert "sec-websocket-protocol" not in by_program.headers


def test_feed_without_the_token_is_refused_before_the_upgrade(control_fresh: ControlProcess) -> None:
    for offer in ("omnishotd", f"omnishotd, bearer.{TOKEN}x", TOKEN, f"Bearer.{TOKEN}"):
        with RawConnection(control_fresh.port) as connection:
            answer = connection.open_feed(f"Sec-WebSocket-Protocol: {offer}")

            assert answer.status == 401, offer
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert connection.read_to_end() == b""


def test_wrong_tokens_are_refused_more_shortly_after_twenty_and_the_right_one_never(
    control_fresh: ControlProcess,
) -> None:
    """Behind one proxy all have one address: a limit that held for the right token too would lock the operators out."""
    answers = []
    for number in range(25):
        with RawConnection(control_fresh.port) as connection:
            answers.append(connection.ask("/health", f"Authorization: Bearer {number}"))
    with RawConnection(control_fresh.port) as connection:
        feed = connection.open_feed()

    assert [answer.status for answer in answers] == [401] * 20 + [429] * 5
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
    assert feed.status == 429
    with RawConnection(control_fresh.port) as right:
        assert right.ask("/api/metrics", BEARER).status == 200


# -------------------- acting --------------------


def test_acting_without_a_token_file_is_refused_and_the_key_named() -> None:
    with control_with() as control, RawConnection(control.port) as connection:
        answer = connection.ask(TRIM, JSON, method="POST", body=b"{}")

    assert answer.status == 403
    assert answer.json == {"error": "control.token_file: must be set, or nothing can be changed over HTTP"}


def test_acting_without_the_token_is_refused(control_fresh: ControlProcess) -> None:
    with RawConnection(control_fresh.port) as connection:
        assert connection.ask(TRIM, JSON, method="POST", body=b"{}").status == 401


def test_order_is_passed_on_and_its_outcome_told(control: ControlProcess, connection: RawConnection) -> None:
    connection.send(post(TRIM, b'{"seconds": 2}'))
    order = control.receive()
    assert isinstance(order, Examine)
    assert (order.service, order.action, order.seconds) == ("decode-0", "trim", 2)
    control.channel.send(Examined(order.number, "decode-0", took_ms=3, rss_before_bytes=9, rss_after_bytes=8))

    answer = connection.answer()
    assert answer.status == 200
    assert answer.json == {
        "service": "decode-0",
        "took_ms": 3,
        "rss_before_bytes": 9,
        "rss_after_bytes": 8,
        "collected": 0,
        "sites": [],
    }


def test_order_without_a_body_is_one_without_wishes(control: ControlProcess, connection: RawConnection) -> None:
    head = f"POST {TRIM} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    connection.send(head.encode())
    order = control.receive()
    assert isinstance(order, Examine)
    assert (order.service, order.action, order.seconds) == ("decode-0", "trim", 10.0)
    control.channel.send(Examined(order.number, "decode-0"))

    assert connection.answer().status == 200


def test_order_that_fails_says_why(control: ControlProcess, connection: RawConnection) -> None:
    connection.send(post(TRIM, b"{}"))
    order = control.receive()
    assert isinstance(order, Examine)
    control.channel.send(Examined(order.number, "decode-0", fault="busy with another"))

    answer = connection.answer()
    assert answer.status == 503
    assert answer.json == {"error": "decode-0: busy with another"}


@pytest.mark.parametrize(
    ("path", "body", "header", "status", "error"),
    [
        ("/api/memory-analysis/decode-9/trim", b"{}", JSON, 404, "service: there is none of this name"),
        ("/api/memory-analysis/decode-0/explode", b"{}", JSON, 404, "action: must be one of trim, collect, snapshot"),
        (TRIM, b"{}", "Content-Type: text/plain", 415, "content-type: must be application/json"),
        (TRIM, b"{}", "X: y", 415, "content-type: must be application/json"),
        (TRIM, b"{", JSON, 400, "body: Input data was truncated"),
        (TRIM, b"\xff", JSON, 400, "body: "),
        (TRIM, b"[]", JSON, 422, "body: Expected `object`, got `array`"),
        (TRIM, b'{"seconds": 0}', JSON, 422, "body: Expected `float` >= 1.0 - at `$.seconds`"),
        (TRIM, b'{"seconds": 61}', JSON, 422, "body: Expected `float` <= 60.0 - at `$.seconds`"),
        (TRIM, b'{"minutes": 1}', JSON, 422, "body: Object contains unknown field `minutes`"),
        (TRIM, b" " * 4095 + b"{}", JSON, 413, "body: more than 4096 bytes"),
    ],
)
def test_order_that_is_not_in_order_is_refused(
    connection: RawConnection, path: str, body: bytes, header: str, status: int, error: str
) -> None:
    answer = connection.ask(path, BEARER, header, method="POST", body=body)

    assert answer.status == status
    assert answer.json["error"].startswith(error)


def test_body_in_chunks_is_held_to_the_same_limit(connection: RawConnection) -> None:
    connection.send(post(TRIM, b"", "Transfer-Encoding: chunked"))
    connection.send((b"400\r\n" + b" " * 1024 + b"\r\n") * 5)

    assert connection.answer().status == 413
    assert connection.read_to_end() == b""


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Write an order that is allowed."""
    length = [] if headers else [f"Content-Length: {len(body)}"]
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", BEARER, JSON, *headers, *length]
    return "\r\n".join([*lines, "", ""]).encode() + body


# -------------------- rates --------------------


@pytest.fixture
def limited() -> Iterator[ControlProcess]:
    """60 requests a minute, half of them at once."""
    with control_with(token=True, rate_limit_per_minute=60) as control:
        yield control


def count_until_refused(ask: Callable[[], int], most: int) -> int:
    """Ask until the answer is 429; how often it was not."""
    for number in range(most):
        if ask() == 429:
            return number
    return most


def test_reading_is_limited_and_health_is_not(limited: ControlProcess) -> None:
    with RawConnection(limited.port) as connection:

        def read() -> int:
            with RawConnection(limited.port) as asking:
                return asking.ask("/api/metrics", BEARER).status

        passed = count_until_refused(read, 100)
        refused = connection.ask("/api/metrics", BEARER)

    assert 30 <= passed <= 33
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.json == {"error": "too many requests"}
    for path in ("/health", "/health/live", "/health/ready"):
        with RawConnection(limited.port) as connection:
            assert all(connection.ask(path, BEARER).status != 429 for _ in range(100))


def test_opening_the_page_is_no_excess(limited: ControlProcess) -> None:
    with RawConnection(limited.port) as connection:
        assert {connection.ask("/").status for _ in range(25)} == {200}


def test_acting_is_limited_more(limited: ControlProcess) -> None:
    def act() -> int:
        with RawConnection(limited.port) as connection:
            return connection.ask(TRIM, BEARER, JSON, method="POST", body=b"{}").status

    assert count_until_refused(act, 20) == 5
    with RawConnection(limited.port) as connection:
        assert connection.ask("/api/metrics", BEARER).status == 200
