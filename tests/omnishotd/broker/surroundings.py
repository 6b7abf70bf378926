"""All around a broker's own loop: real sockets, with a test in place of producers, workers and supervisor."""

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import zmq

from ipc.channel import Channel, channel_pair, child_channel
from ipc.messages import (
    Answer,
    Batch,
    Beat,
    Encode,
    Encoded,
    FromChild,
    Hello,
    Report,
    Start,
    Stop,
    Task,
    WorkerExpected,
)
from ipc.reservation import reserve_arena
from ipc.sockets import make_work_end
from ipc.telemetry import BrokerTelemetry, WorkerTelemetry, decode_telemetry
from omnishotd.broker.process import BrokerProcess
from tests.omnishotd.broker.rig import ARENA_BYTES, LAYOUTS, make_settings

WITHIN_MS = 10_000
Socket = zmq.Socket[bytes]


class Surroundings:
    """A broker in a thread, and all that it talks to."""

    def __init__(
        self, directory: Path, context: zmq.Context[Socket], *, canaries: bool = False, **pipeline: Any
    ) -> None:
        self.context = context
        self.frames_endpoint = f"ipc://{directory}/frames.sock"
        self.work_endpoint = f"ipc://{directory}/work.sock"
        self.arena_fd = reserve_arena(ARENA_BYTES)
        self.supervisor: Channel[FromChild]
        self.supervisor, inherited = channel_pair()
        self._broker_channel = child_channel(inherited.detach())
        settings = make_settings(LAYOUTS[3], workers=1, frames={"endpoints": [self.frames_endpoint]}, **pipeline)
        start = Start(
            service="broker",
            incarnation=1,
            stages=[],
            epoch="e1",
            settings=settings,
            parent_pid=os.getpid(),
            arena_fd=self.arena_fd,
            arena_bytes=ARENA_BYTES,
            work_endpoint=self.work_endpoint,
            telemetry_endpoint=f"ipc://{directory}/telemetry.sock",
        )
        self._sockets: list[Socket] = []
        self._telemetry = self._keep(context.socket(zmq.PULL))
        self._telemetry.bind(start.telemetry_endpoint)
        self.broker = BrokerProcess(start, self._broker_channel, context)
        if not canaries:
            self.broker.flow.canary.stop()
        self._thread = threading.Thread(target=self.broker.run)

    def begin(self) -> None:
        """Let the broker's loop turn."""
        self._thread.start()

    def end(self) -> None:
        """Stop it in order."""
        self.supervisor.send(Stop())
        self._thread.join(WITHIN_MS / 1000)
        assert not self._thread.is_alive()
        for end in self._sockets:
            end.close(linger=0)
        self.broker.close()
        self._broker_channel.close()
        self.supervisor.close()
        os.close(self.arena_fd)

    def heard(self) -> FromChild:
        """Wait for what the broker tells the supervisor, besides that its loop turns."""
        deadline_s = time.monotonic() + WITHIN_MS / 1000
        while time.monotonic() < deadline_s:
            select.select([self.supervisor], [], [], WITHIN_MS / 1000)
            message = self.supervisor.receive()
            if message is not None and not isinstance(message, Beat):
                return message
        raise AssertionError("the broker says nothing")

    def beats(self, count: int) -> float:
        """Wait for so many signs that the loop turns, and for nothing else. Returns the seconds from first to last."""
        times: list[float] = []
        while len(times) < count:
            assert select.select([self.supervisor], [], [], WITHIN_MS / 1000)[0], "the broker says nothing"
            assert isinstance(self.supervisor.receive(), Beat)
            times.append(time.monotonic())
        return times[-1] - times[0]

    def relayed(self) -> WorkerTelemetry:
        """Wait for what a worker tells the collector."""
        while True:
            message = decode_telemetry(self._telemetry.recv())
            if isinstance(message, WorkerTelemetry):
                return message

    def told(self, is_it: Callable[[BrokerTelemetry], bool]) -> BrokerTelemetry:
        """Wait for telemetry that says a certain thing."""
        while True:
            message = decode_telemetry(self._telemetry.recv())
            assert isinstance(message, BrokerTelemetry)
            if is_it(message):
                return message

    def _keep(self, end: Socket) -> Socket:
        end.rcvtimeo = WITHIN_MS
        self._sockets.append(end)
        return end

    def producer(self, kind: int = zmq.DEALER) -> Socket:
        """Connect as a producer."""
        end = self._keep(self.context.socket(kind))
        end.connect(self.frames_endpoint)
        return end

    def expect(self, incarnation: int) -> None:
        """Announce a worker as the supervisor does."""
        self.supervisor.send(WorkerExpected(incarnation, f"worker-{incarnation}", list(LAYOUTS[3][0].split("+"))))

    def stranger(self, identity: bytes) -> Socket:
        """Connect where workers do."""
        end = self._keep(self.context.socket(zmq.DEALER))
        end.setsockopt(zmq.ROUTING_ID, identity)
        end.connect(self.work_endpoint)
        return end

    def worker(self, incarnation: int) -> Socket:
        """Connect as a worker and say hello."""
        end = self._keep(make_work_end(self.context, incarnation))
        end.connect(self.work_endpoint)
        end.send(msgspec.msgpack.encode(Hello(incarnation, LAYOUTS[3][0].split("+"))))
        return end


def take_tasks(worker: Socket) -> list[Task]:
    return msgspec.msgpack.decode(worker.recv(), type=Batch).tasks


def report(worker: Socket, task: Task) -> None:
    """Answer a task with one picture for each of its outputs."""
    encodes = [step for step in task.steps if isinstance(step, Encode)]
    encoded = [Encoded(step.output, "jpeg", step.geometry.width, step.geometry.height, 80) for step in encodes]
    answer = Answer(task.lease, [1] * len(task.steps), encoded)
    parts = [b"picture %d" % step.output for step in encodes]
    worker.send_multipart([msgspec.msgpack.encode(Report([answer])), *parts])
