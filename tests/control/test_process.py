"""The real control plane: started, told, asked, stopped."""

import asyncio
import contextlib
import select
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from control.process import _beat
from ipc.channel import channel_pair, child_channel
from ipc.child import Child
from ipc.messages import Beat, Examine, Ready, Reconfigure, Start, Unable
from ipc.telemetry import StageFigures, WorkerLoad
from tests.control.raw import TOKEN, RawConnection, control_with, tell_of_services
from tests.control.receiver import receiving
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
from tests.waiting import eventually


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
    decode = metrics["stages"]["decode"]
    assert {name: decode[name] for name in ("workers", "busy", "completed", "failed")} == {
        "workers": 2,
        "busy": 1,
        "completed": 5,
        "failed": 1,
    }
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


def test_control_beats_from_its_loop_and_is_silent_while_that_stands_still(control: ControlProcess) -> None:
    beats = [time.monotonic() for _ in range(3) if isinstance(control.receive_any(), Beat)]
    control.process.send_signal(signal.SIGSTOP)
    while control.channel.receive() is not None:
        pass
    silent, _, _ = select.select([control.channel], [], [], 2.0)
    control.process.send_signal(signal.SIGCONT)

    assert len(beats) == 3
    assert beats[2] - beats[0] > 1.5 * make_settings().supervisor.beat_interval_ms / 1000
    assert silent == []
    assert isinstance(control.receive_any(), Beat)


def test_loop_that_is_blocked_does_not_beat() -> None:
    ours, theirs = channel_pair()
    with ours, theirs:
        child = Child(Start("control", 1, [], "", make_settings(), 0), child_channel(theirs.detach()))

        async def block() -> list[bool]:
            beating = asyncio.get_running_loop().create_task(_beat(child, 0.2))
            await asyncio.sleep(0)
            first = ours.receive() is not None
            until_s = time.monotonic() + 0.5
            while time.monotonic() < until_s:
                pass
            blocked = ours.receive() is not None
            await asyncio.sleep(0.01)
            beating.cancel()
            return [first, blocked, ours.receive() is not None]

        assert asyncio.run(block()) == [True, False, True]
        child.channel.close()


def test_control_takes_other_thresholds_and_another_webhook_while_it_serves(control: ControlProcess) -> None:
    def tell() -> None:
        now_s = time.monotonic()
        control.tell(make_supervisor(at_s=now_s))
        control.tell(make_broker(make_frames(queued=7), at_s=now_s))

    control.get_until("/api/metrics", lambda answer: answer.body["queue"]["frames"] == 7, tell)
    settings = make_settings()
    with receiving() as receiver:
        alerts = msgspec.structs.replace(settings.alerts, queue_length=5, webhook_url=receiver.url)
        control.channel.send(Reconfigure(msgspec.structs.replace(settings, alerts=alerts)))

        def thresholds() -> dict[str, float]:
            tell()
            return {body["alert"]["name"]: body["alert"]["threshold"] for _, _, body in receiver.taken}

        told = eventually(thresholds, within_s=15.0, what="the new webhook was told of the new alert")

    assert told == {"queue_length": 5}


def test_control_socket_for_telemetry_is_for_its_owner_only(shared: ControlProcess) -> None:
    mode = Path(shared.endpoint.removeprefix("ipc://")).stat().st_mode

    assert stat.S_IMODE(mode) == 0o600


def test_control_is_a_polite_process_without_pixel_libraries(shared: ControlProcess) -> None:
    process = psutil.Process(shared.process.pid)

    assert process.nice() == 5
    mapped = {Path(region.path).name.split(".")[0] for region in process.memory_maps()}
    assert not mapped & {"cv2", "_multiarray_umath", "_jpeg", "_pydantic_core"}


def test_control_stopped_while_clients_wait_tells_them_and_logs_one_line(tmp_path: Path) -> None:
    order = b"Host: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + TOKEN.encode()
    log = tmp_path / "control.log"
    with contextlib.ExitStack() as stack:
        with control_with(token=True, log=log) as control:
            deaf, waiting, idle = (stack.enter_context(RawConnection(control.port, 4096)) for _ in range(3))
            tell_of_services(control)
            deaf.send(b"GET /page/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
            assert idle.ask().status == 200
            waiting.send(b"POST /api/memory-analysis/decode-0/trim HTTP/1.1\r\n" + order)
            waiting.send(b"\r\nContent-Length: 2\r\n\r\n{}")
            assert isinstance(control.receive(), Examine)
            began_s = time.monotonic()

        assert time.monotonic() - began_s < 3
        answer = waiting.answer()
        assert (answer.status, answer.json) == (503, {"error": "the control plane stops"})
        assert idle.read_to_end() == b""
        deaf.read_to_end()
    # The one that could not be finished, in one line.
    told = log.read_text()
    assert told.count("ERROR") == told.count("Cancel 1 running task(s)") == told.count("\n") == 1


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
