"""A small pipeline and its telemetry, and the real control plane's process with a test in the supervisor's place."""

import contextlib
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from ipc.channel import Channel, channel_pair
from ipc.histogram import Histogram, HistogramSnapshot
from ipc.messages import Beat, FromChild, Ready, Start, Stop
from ipc.settings import Settings
from ipc.sockets import make_context
from ipc.telemetry import (
    ArenaFigures,
    BrokerTelemetry,
    CanaryFigures,
    FrameFigures,
    LastExit,
    ServiceFigures,
    StageFigures,
    SupervisorTelemetry,
    Telemetry,
    TelemetrySender,
    WorkerTelemetry,
)

START_LIMIT_S = 10.0


def make_settings(**pipeline: Any) -> Settings:
    """Settings of two pools, `decode` with two workers and `transform+encode` with one."""
    values: dict[str, Any] = {
        "runtime_directory": "/nowhere",
        "frames": {
            "endpoints": [],
            "socket_mode": 0o660,
            "socket_group": "",
            "curve_secret_key_file": "",
            "curve_authorized_keys": "",
            "max_frame_bytes": 1 << 24,
            "max_pixels": 50_000_000,
            "max_side": 16_383,
            "rate_per_second": 0,
        },
        "pipeline": {
            "max_concurrent_jobs": 8,
            "queue_limit": 10,
            "queue_max_bytes": 1000,
            "queue_timeout_ms": 30_000,
            "stage_timeout_ms": 5_000,
            "drain_timeout_ms": 10_000,
            "pools": [{"stages": ["decode"], "workers": 2}, {"stages": ["transform", "encode"], "workers": 1}],
            **pipeline,
        },
        "supervisor": {"restarts_max": 10, "restart_window_s": 30, "hang_timeout_ms": 5_000},
        "memory": {
            "arena_mb": 16,
            "worker_limit_mb": 256,
            "broker_limit_mb": 256,
            "recycle_after_frames": 0,
            "recycle_above_mb": 0,
        },
        "sandbox": {"mode": "auto"},
        "control": {
            "host": "127.0.0.1",
            "port": 0,
            "token_file": "",
            "cors_origins": [],
            "allowed_hosts": ["localhost", "127.0.0.1", "[::1]"],
            "rate_limit_per_minute": 0,
        },
        "alerts": {
            "memory_percent": 80,
            "response_ms": 1000,
            "error_percent": 5,
            "queue_length": 20,
            "webhook_url": "",
        },
        "presets": {},
    }
    return msgspec.convert(values, Settings)


def make_frames(**counts: int) -> FrameFigures:
    """An account that holds: `received` is what the other counts add up to."""
    ended = ("completed", "failed", "rejected", "cancelled", "in_flight", "queued")
    return FrameFigures(received=sum(counts.get(name, 0) for name in ended), **counts)


def make_histogram(*durations_us: int) -> HistogramSnapshot:
    """A histogram of these durations."""
    histogram = Histogram()
    for duration_us in durations_us:
        histogram.record(duration_us)
    return histogram.snapshot()


def make_broker(
    frames: FrameFigures | None = None, incarnation: int = 1, sequence: int = 1, at_s: float = 0.0, **fields: Any
) -> BrokerTelemetry:
    """What a broker tells."""
    message = BrokerTelemetry(
        service="broker",
        incarnation=incarnation,
        epoch="e1",
        sequence=sequence,
        at_s=at_s,
        frames=frames or FrameFigures(),
        errors={},
        latency=HistogramSnapshot(),
        queue_latency=HistogramSnapshot(),
        arena=ArenaFigures(total_bytes=1000, used_bytes=100, high_water_bytes=500, largest_free_bytes=900),
        canary=CanaryFigures(passed=1, passed_at_s=at_s, took_us=2000),
    )
    return msgspec.structs.replace(message, **fields)


def make_worker(
    service: str = "decode-0",
    stages: dict[str, StageFigures] | None = None,
    incarnation: int = 2,
    sequence: int = 1,
    at_s: float = 0.0,
    busy: bool = False,
) -> WorkerTelemetry:
    """What a worker tells."""
    return WorkerTelemetry(service, incarnation, "e1", sequence, at_s, stages or {}, busy=busy)


def make_supervisor(sequence: int = 1, at_s: float = 0.0, **states: str) -> SupervisorTelemetry:
    """What a supervisor tells of the small pipeline; `states` of services that are not ready: `decode_0="backoff"`."""
    kinds = {
        "supervisor": "supervisor",
        "broker": "broker",
        "decode-0": "decode",
        "decode-1": "decode",
        "transform+encode-0": "transform+encode",
        "control": "control",
    }
    services = [
        ServiceFigures(
            name=name,
            kind=kind,
            state=states.get(name.replace("-", "_").replace("+", "_"), "ready"),
            pid=100 + number,
            started_at_s=0.0,
            restarts=1 if name == "decode-1" else 0,
            last_exit=LastExit(None, "SIGKILL", "killed", "2026-01-01T00:00:00Z") if name == "decode-1" else None,
        )
        for number, (name, kind) in enumerate(kinds.items())
    ]
    return SupervisorTelemetry(0, "e1", sequence, at_s, "1.2.3", 0.0, services)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: http.client.HTTPMessage
    body: Any


class ControlProcess:
    """The real process. The test is its supervisor and everybody who sends telemetry."""

    def __init__(self, settings: Settings, endpoint: str | None = None) -> None:
        self.directory = tempfile.mkdtemp(prefix="control-")
        self.endpoint = endpoint or f"ipc://{self.directory}/telemetry.sock"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.channel: Channel[FromChild]
        self.channel, inherited = channel_pair()
        self._context = make_context()
        self._senders: dict[str, TelemetrySender] = {}
        self._raw: list[zmq.Socket[bytes]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "control", "control", "--channel", str(inherited.fileno())],
            pass_fds=[inherited.fileno(), self._listener.fileno()],
        )
        inherited.close()
        self.channel.send(
            Start(
                service="control",
                incarnation=7,
                stages=[],
                epoch="e1",
                settings=settings,
                parent_pid=os.getpid(),
                telemetry_endpoint=self.endpoint,
                listen_fd=self._listener.fileno(),
            )
        )

    def receive(self) -> FromChild:
        """Wait for its next message that says more than that its loop turns."""
        while isinstance(message := self.receive_any(), Beat):
            pass
        return message

    def receive_any(self) -> FromChild:
        """Wait for its next message."""
        readable, _, _ = select.select([self.channel], [], [], START_LIMIT_S)
        assert readable, "the control plane says nothing"
        message = self.channel.receive()
        assert message is not None
        return message

    def tell(self, message: Telemetry) -> None:
        """Send telemetry as the process that it speaks of would."""
        name = "supervisor" if isinstance(message, SupervisorTelemetry) else message.service
        if name not in self._senders:
            self._senders[name] = TelemetrySender(self._context, self.endpoint, interval_s=0)
        self._senders[name].offer(lambda sequence: msgspec.structs.replace(message, sequence=sequence), now_s=0)

    def send_raw(self, *messages: list[bytes]) -> None:
        """Send what may be no telemetry at all, all at once."""
        push = self._context.socket(zmq.PUSH)
        # Kept open: libzmq drops what a peer has sent when that hangs up while its reader is behind.
        self._raw.append(push)
        push.connect(self.endpoint)
        for parts in messages:
            push.send_multipart(parts)

    def get(self, path: str, host: str | None = None, method: str = "GET") -> Answer:
        """Ask."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", f"127.0.0.1:{self.port}" if host is None else host)
            connection.endheaders()
            response = connection.getresponse()
            data = response.read()
            return Answer(response.status, response.headers, json.loads(data) if data else None)

    def get_until(
        self, path: str, is_right: Callable[[Answer], bool], tell: Callable[[], None] | None = None
    ) -> Answer:
        """Ask until the answer is right, telling in between as living processes would. Fails after 5 s."""
        deadline_s = time.monotonic() + 5
        while True:
            if tell:
                tell()
            answer = self.get(path)
            if is_right(answer):
                return answer
            assert time.monotonic() < deadline_s, f"{path} stayed {answer.status} {answer.body}"

    def close(self) -> int:
        """End it in order, and return its exit status."""
        try:
            if self.process.poll() is None:
                self.channel.send(Stop())
            return self.process.wait(5)
        finally:
            self.process.kill()
            self.process.wait()
            for sender in self._senders.values():
                sender.close()
            self._context.destroy(linger=0)
            self.channel.close()
            self._listener.close()
            shutil.rmtree(self.directory)


@contextlib.contextmanager
def running_control(settings: Settings | None = None) -> Iterator[ControlProcess]:
    """A control plane that serves; at the end it must stop with status 0."""
    control = ControlProcess(settings or make_settings())
    try:
        assert isinstance(control.receive(), Ready)
        yield control
    finally:
        status = control.close()
    assert status == 0
