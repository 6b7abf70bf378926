"""`omnishotd health` against real HTTP servers that answer as a daemon does, or not."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from omnishotd.cli import main
from tests.daemon import Daemon
from tests.omnishotd.cli.bodies import HEALTH
from tests.omnishotd.cli.peer import WORD, Peer
from tests.waiting import eventually

Answer = Callable[[int, bytes], str]


@pytest.fixture
def answering() -> Iterator[Answer]:
    """Start a server that gives one answer to everything; yields a function from status and body to its address."""
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def start(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == "/health"
                self.send_response(status if known else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["health", "--url", url, *options])


def health(status: str, **checks: str) -> bytes:
    """Write a body as the daemon does."""
    listed = {name: {"status": checked, "detail": f"{name} is {checked}"} for name, checked in checks.items()}
    return json.dumps({"status": status, "version": "0.1.0", "checks": listed}).encode()


@pytest.mark.parametrize(
    ("http", "status", "exit_status"), [(200, "ok", 0), (200, "degraded", 1), (503, "unhealthy", 1)]
)
def test_health_prints_a_line_a_check_and_exits_by_the_status(
    answering: Answer, http: int, status: str, exit_status: int
) -> None:
    ended = asked(answering(http, health(status, broker=status, decode="ok")))

    assert ended.exit_code == exit_status
    assert ended.stdout.splitlines() == [f"broker: {status}, broker is {status}", "decode: ok, decode is ok", status]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"status":"ok","checks":[]}', b"\xff", b"[" * 100_000])
def test_health_of_something_else_counts_as_unreachable(answering: Answer, body: bytes) -> None:
    ended = asked(answering(200, body))

    assert (ended.exit_code, ended.stderr) == (69, "omnishotd: something answers, but not as omnishotd does\n")


def test_health_of_a_server_without_it_counts_as_unreachable(answering: Answer) -> None:
    ended = asked(f"{answering(200, b'')}/elsewhere")

    assert ended.exit_code == 69
    assert "answers with status 404" in ended.stderr


def test_health_escapes_what_could_steer_a_terminal(answering: Answer) -> None:
    ended = asked(answering(200, health("ok", **{"broker\x1b[2J": "ok\nforged: ok"})))

    assert "\x1b" not in ended.stdout
    assert len(ended.stdout.splitlines()) == 2


def test_health_without_a_daemon_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        ended = asked(url)

    assert ended.exit_code == 69
    assert ended.stderr == f"omnishotd: no answer from {url}/health: [Errno 111] Connection refused\n"


def test_health_does_not_wait_longer_than_told() -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ended = asked(f"http://127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.1")

    assert time.monotonic() - started < 1.0
    assert ended.exit_code == 69
    assert "timed out" in ended.stderr


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "127.0.0.1:3000", "http://", "http://127.0.0.1:0", "http://[::1"]
)
def test_health_refuses_an_address_that_is_none(url: str) -> None:
    assert asked(url).exit_code == 2


def test_health_asks_where_the_configuration_says(answering: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    port = answering(200, health("ok", broker="ok")).rpartition(":")[2]
    monkeypatch.setenv("OMNISHOTD_CONTROL__PORT", port)

    assert CliRunner().invoke(main, ["health"]).exit_code == 0


@pytest.mark.parametrize(("http", "status", "exit_status"), [(200, "ok", 0), (503, "unhealthy", 1)])
def test_health_as_json_is_the_whole_answer_with_the_same_exit_status(
    answering: Answer, http: int, status: str, exit_status: int
) -> None:
    body = health(status, broker=status)

    ended = asked(answering(http, body), "--json")

    assert ended.exit_code == exit_status
    assert json.loads(ended.stdout) == json.loads(body)
    assert ended.stdout.count("\n") == 1


def test_health_as_json_holds_nothing_that_could_steer_a_terminal(answering: Answer) -> None:
    said = {"status": "ok", "checks": {"broker": {"status": "ok", "detail": "\x1b[2J\x7f\x9b\u202eok"}}}

    ended = asked(answering(200, json.dumps(said, ensure_ascii=False).replace("\x1b", "\\u001b").encode()), "--json")

    assert ended.stdout.rstrip("\n").isprintable()
    assert ended.stdout.isascii()
    assert json.loads(ended.stdout) == said


@pytest.mark.parametrize("body", [b"", b'{"status":"ok"}', b'{"status":"ok","checks":{},"uptime_s":NaN}'])
def test_health_as_json_of_something_else_prints_nothing(answering: Answer, body: bytes) -> None:
    ended = asked(answering(200, body), "--json")

    assert (ended.exit_code, ended.stdout) == (69, "")
    assert ended.stderr == "omnishotd: something answers, but not as omnishotd does\n"


def test_health_shows_the_token_where_one_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text(WORD)
    with Peer(token=WORD) as peer:
        refused = asked(peer.url, "--json")
        let_in = asked(peer.url, "--token-file", str(tmp_path / "token"), "--json")

    assert (refused.exit_code, refused.stdout) == (77, "")
    assert refused.stderr == f"omnishotd: {peer.url}/health asks for a token: name its file with --token-file\n"
    assert (let_in.exit_code, let_in.stderr) == (0, "")
    assert json.loads(let_in.stdout) == HEALTH


def test_health_of_a_real_daemon_as_json_is_what_it_serves(daemon: Daemon) -> None:
    eventually(lambda: daemon.get("/health")[1]["status"] == "ok", within_s=10.0, what="the daemon is well")

    ended = asked(daemon.control_url, "--json")
    told, served = json.loads(ended.stdout), daemon.get("/health")[1]

    assert (ended.exit_code, told["status"]) == (0, "ok")
    assert told.keys() == served.keys()
    assert told["checks"].keys() == served["checks"].keys()
