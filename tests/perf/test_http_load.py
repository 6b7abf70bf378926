"""The HTTP producer, against a real server."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from perf.child import ROOT, Child, gather, let_go
from perf.contender import MeasurementFailed
from perf.peers.connection import LoadFailed
from perf.peers.http_load import Producer
from perf.peers.messages import HttpOrder

BODY_BYTES = 3_000_000
"""More than fits into a socket at once."""

Answer = Callable[[bytes], tuple[int, bytes]]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., HttpOrder]:
    path = tmp_path / "body"
    path.write_bytes(os.urandom(BODY_BYTES))
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()
    return lambda address, in_flight=4, rate=None: HttpOrder([address], head, str(path), in_flight, rate)


def sample_of(order: HttpOrder) -> bytes:
    nobody, nothing = os.pipe()
    with os.fdopen(nobody), os.fdopen(nothing, "w"), contextlib.closing(Producer(order, nobody)) as producer:
        return producer.sample()


@pytest.mark.parametrize("answer_bytes", [1, 20_000, 1_000_000])
def test_sample_of_any_size_arrives_whole(order: Callable[..., HttpOrder], answer_bytes: int) -> None:
    picture = os.urandom(answer_bytes)
    received = []

    def answer(body: bytes) -> tuple[int, bytes]:
        received.append(body)
        return 200, picture

    with serving(answer) as address:
        assert sample_of(order(address)) == picture

    assert received == [Path(order(address).source_file).read_bytes()]


def test_refused_request_says_what_the_server_said(order: Callable[..., HttpOrder]) -> None:
    with (
        serving(lambda _: (422, b"no picture at all")) as address,
        pytest.raises(LoadFailed, match=r"(?s)422.*no picture at all"),
    ):
        sample_of(order(address))


def test_answer_without_a_length_is_refused(order: Callable[..., HttpOrder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseHTTPRequestHandler, "send_header", lambda *_: None)

    with serving(lambda _: (200, b"x")) as address, pytest.raises(LoadFailed, match="no picture"):
        sample_of(order(address))


def test_producer_keeps_requests_in_flight_and_counts_those_in_the_window(order: Callable[..., HttpOrder]) -> None:
    asked: list[int] = []

    def answer(body: bytes) -> tuple[int, bytes]:
        asked.append(len(body))
        return 200, b"picture"

    with serving(answer) as address, Child("perf.peers.http_load") as child:
        let_go([child], [order(address)], 0.5)
        run = gather([child], 0.5)

    assert run.frames == len(run.latency_us) > 10
    assert run.frames_in_all == len(asked) > run.frames
    assert set(asked) == {BODY_BYTES}


def test_producer_by_the_clock_sends_what_is_due_and_no_more(order: Callable[..., HttpOrder]) -> None:
    with serving(lambda _: (200, b"picture")) as address, Child("perf.peers.http_load") as child:
        let_go([child], [order(address, rate=50.0)], 1.0)
        run = gather([child], 1.0)

    assert 40 < run.frames_per_second < 60


def test_two_pictures_of_the_same_one_end_the_measurement(order: Callable[..., HttpOrder]) -> None:
    numbers = iter(range(1_000_000))

    with (
        serving(lambda _: (200, f"{next(numbers):07}".encode())) as address,
        Child("perf.peers.http_load") as child,
        pytest.raises(MeasurementFailed, match="two different pictures"),
    ):
        let_go([child], [order(address)], 0.1)


def test_producer_whose_bench_is_gone_ends_in_mid_work(order: Callable[..., HttpOrder]) -> None:
    command = [sys.executable, "-m", "perf.peers.http_load"]
    with (
        serving(lambda _: (200, b"picture")) as address,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as producer,
    ):
        assert producer.stdin
        assert producer.stdout
        producer.stdin.write(msgspec.json.encode(order(address)) + b"\n")
        producer.stdin.flush()
        assert b"ready" in producer.stdout.readline()
        producer.stdin.close()

        assert producer.wait(20) == 0
