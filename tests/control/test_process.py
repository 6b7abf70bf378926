"""The real control plane: started, told, asked, stopped."""

import contextlib
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from ipc.messages import Ready, Unable
from ipc.telemetry import StageFigures, WorkerLoad
from tests.control.support import (
    ControlProcess,
    make_broker,
    make_frames,
    make_histogram,
    make_settings,
    make_supervisor,
    make_worker,
    running_control,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[ControlProcess]:
    """A control plane that nobody has told anything; for questions that do not change it."""
    with running_control() as control:
        yield control


@pytest.fixture
def control() -> Iterator[ControlProcess]:
    with running_control() as control:
        yield control


def test_control_before_any_telemetry_is_live_but_not_ready(shared: ControlProcess) -> None:
    live, ready, health = (shared.get(path) for path in ("/health/live", "/health/ready", "/health"))

    assert (live.status, live.body) == (200, {"status": "ok"})
    assert (ready.status, ready.body["ready"]) == (503, False)
    assert (health.status, health.body["status"]) == (503, "unhealthy")
    assert health.body["version"] is None


def test_metrics_before_any_telemetry_have_zero_frames_and_no_arena(shared: ControlProcess) -> None:
    metrics = shared.get("/api/metrics").body

    assert set(metrics["frames"].values()) == {0}
    assert metrics["arena"] is None
    assert metrics["latency_ms"] == {"p50": None, "p95": None, "p99": None, "max": None}
    assert metrics["stages"]["decode"]["workers"] == 0


def test_metrics_system_figures_are_those_of_the_host(shared: ControlProcess) -> None:
    answer = shared.get_until("/api/metrics", lambda answer: answer.body["system"]["cpu_percent"] is not None)

    system = answer.body["system"]
    assert 0 <= system["cpu_percent"] <= 100
    assert system["memory_percent"] == pytest.approx(psutil.virtual_memory().percent, abs=25)
    assert len(system["load_average"]) == 3


def test_ready_comes_and_goes_with_telemetry(control: ControlProcess) -> None:
    def tell_broker() -> None:
        control.tell(make_broker(at_s=time.monotonic()))

    def tell_all() -> None:
        control.tell(make_supervisor(at_s=time.monotonic()))
        tell_broker()

    control.get_until("/health/ready", lambda answer: answer.status == 200, tell_all)

    # The supervisor's last word is almost too old, and then is.
    control.tell(make_supervisor(at_s=time.monotonic() - 2.5))
    gone = control.get_until("/health/ready", lambda answer: answer.status == 503, tell_broker)
    assert gone.body["missing"] == ["telemetry of the supervisor"]

    control.get_until("/health/ready", lambda answer: answer.status == 200, tell_all)


def test_metrics_show_what_was_told_and_the_account_holds(control: ControlProcess) -> None:
    frames = make_frames(completed=5, failed=1, rejected=2, cancelled=3, in_flight=4, queued=6, queued_bytes=60)
    stage = StageFigures(completed=5, failed=1, busy_us=1000, latency=make_histogram(10_000))

    def tell() -> None:
        now_s = time.monotonic()
        control.tell(make_supervisor(at_s=now_s))
        control.tell(make_worker("decode-0", {"decode": stage}, at_s=now_s))
        control.tell(
            make_broker(
                frames,
                at_s=now_s,
                errors={"BUSY": 2, "TIMEOUT": 1},
                latency=make_histogram(20_000, 20_000),
                workers={"decode-0": WorkerLoad(held=1)},
            )
        )

    metrics = control.get_until(
        "/api/metrics", lambda answer: answer.body["stages"]["decode"]["completed"] == 5 and answer.body["arena"], tell
    ).body

    counts = metrics["frames"]
    ended = ("completed", "failed", "rejected", "cancelled", "in_flight", "queued")
    assert counts["received"] == sum(counts[name] for name in ended) == 21
    assert metrics["errors"] == {"BUSY": 2, "TIMEOUT": 1}
    assert metrics["latency_ms"]["p50"] == pytest.approx(20, rel=0.032)
    assert metrics["stages"]["decode"] | {"utilization": 0, "latency_ms": {}} == {
        "workers": 2, "busy": 1, "completed": 5, "failed": 1, "utilization": 0, "latency_ms": {},
    }  # fmt: skip
    assert metrics["arena"]["high_water_bytes"] == 500


def test_services_list_every_service_with_its_last_exit(control: ControlProcess) -> None:
    def tell() -> None:
        control.tell(make_supervisor(at_s=time.monotonic(), decode_1="backoff"))

    answer = control.get_until("/api/services/health", lambda answer: bool(answer.body["services"]), tell)

    services = {service["name"]: service for service in answer.body["services"]}
    assert list(services) == ["supervisor", "broker", "decode-0", "decode-1", "transform+encode-0", "control"]
    assert services["decode-1"]["state"] == "backoff"
    assert services["decode-1"]["last_exit"]["signal"] == "SIGKILL"
    assert services["decode-0"]["last_exit"] is None
    assert services["supervisor"]["heartbeat_age_ms"] < 3000
    assert services["broker"]["heartbeat_age_ms"] is None


def test_control_told_nonsense_goes_on(control: ControlProcess) -> None:
    control.send_raw([b"\xc1nonsense"], [b"", b"two parts"])
    control.send_raw([b"x" * 1_000_000])

    control.get_until(
        "/health", lambda answer: answer.body["version"] == "1.2.3", lambda: control.tell(make_supervisor())
    )


def test_control_told_much_at_once_hears_the_last_of_it(control: ControlProcess) -> None:
    messages = [make_broker(make_frames(completed=number), sequence=number) for number in range(1, 501)]
    control.send_raw(*([msgspec.msgpack.encode(message)] for message in messages))

    control.get_until("/api/metrics", lambda answer: answer.body["frames"]["completed"] == 500)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_control_sent_a_signal_leaves_it_to_the_supervisor(shared: ControlProcess, number: signal.Signals) -> None:
    shared.process.send_signal(number)
    # Two ticks of uvicorn's loop: a signal that it had taken would have closed the door by then.
    deadline_s = time.monotonic() + 0.3
    while time.monotonic() < deadline_s:
        assert shared.get("/health/live").status == 200


def test_control_socket_for_telemetry_is_for_its_owner_only(shared: ControlProcess) -> None:
    mode = Path(shared.endpoint.removeprefix("ipc://")).stat().st_mode

    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST:3000", "[::1]", "[::1]:3000"], ids=str
)
def test_request_for_this_host_is_answered(shared: ControlProcess, host: str) -> None:
    assert shared.get("/health/live", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "",
        "127.0.0.1:80/?x=",
        "127.0.0.1.evil.example",
        "localhost.",
        "[::2]",
        "[",
        "::1",
        "localhost:x",
    ],
    ids=str,
)
def test_request_for_another_host_is_refused(shared: ControlProcess, host: str) -> None:
    answer = shared.get("/health/live", host=host)

    assert answer.status == 400
    assert answer.body == {"error": "host: this name is not one of this host's own"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/health/", 404), ("POST", "/health", 405), ("DELETE", "/api/metrics", 405)],
)
def test_request_that_cannot_be_served_gets_an_error_as_json(
    shared: ControlProcess, method: str, path: str, status: int
) -> None:
    answer = shared.get(path, method=method)

    assert answer.status == status
    assert list(answer.body) == ["error"]
    assert ("Allow" in answer.headers) == (status == 405)


def test_responses_carry_safe_headers_and_name_no_server(shared: ControlProcess) -> None:
    headers = shared.get("/api/metrics").headers

    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


def test_connections_that_do_not_finish_their_request_are_closed(shared: ControlProcess) -> None:
    half_body = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"
    began_s = time.monotonic()
    with contextlib.ExitStack() as stack:
        for sent in (b"", b"GET /health HTTP/1.1\r\nHost: loc", half_body):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", shared.port), timeout=8))
            connection.sendall(sent)
            stack.callback(_read_to_end, connection)

    assert 4 < time.monotonic() - began_s < 7


def _read_to_end(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def test_control_is_a_polite_process_without_pixel_libraries(shared: ControlProcess) -> None:
    process = psutil.Process(shared.process.pid)

    assert process.nice() == 5
    mapped = {Path(region.path).name.split(".")[0] for region in process.memory_maps()}
    assert not mapped & {"cv2", "_multiarray_umath", "_jpeg", "_pydantic_core"}


def test_control_whose_supervisor_closes_the_channel_ends() -> None:
    control = ControlProcess(make_settings())
    try:
        assert isinstance(control.receive(), Ready)
        control.channel.close()

        assert control.process.wait(5) == 0
    finally:
        control.close()


def test_control_without_a_place_for_its_socket_says_so() -> None:
    control = ControlProcess(make_settings(), endpoint="ipc:///nowhere/telemetry.sock")
    try:
        message = control.receive()

        assert isinstance(message, Unable)
        assert "/nowhere/telemetry.sock" in message.reason
        assert control.process.wait(5) == message.exit_status == 69
    finally:
        control.close()
