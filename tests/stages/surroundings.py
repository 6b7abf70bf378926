"""A worker's process, shut in as far as this kernel can; the test is its supervisor and its broker."""

import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ipc.arena import Arena
from ipc.channel import Channel, channel_pair
from ipc.messages import (
    Answer,
    Batch,
    Decode,
    Examine,
    Examined,
    Extent,
    FromChild,
    Hello,
    Ready,
    Relay,
    Report,
    Start,
    Step,
    Stop,
    Task,
    ToBroker,
)
from ipc.pixels import Geometry, Layout
from ipc.reservation import reserve_arena
from ipc.settings import MemorySettings
from ipc.sockets import bind_work, make_context
from ipc.telemetry import WorkerTelemetry, decode_telemetry
from omnishotd.supervisor.children import child_environment
from tests.control.support import make_settings

WITHIN_S = 15.0
ARENA_BYTES = 4 << 20
INCARNATION = 5
POOL = ["decode", "transform", "encode"]
SIZE = Geometry(320, 240, Layout.RGB)
SOURCE, PIXELS = Extent(0, 1 << 20), Extent(1 << 20, SIZE.bytes)


def memory_settings(**values: int) -> MemorySettings:
    """Those of all tests, but for these."""
    return msgspec.structs.replace(make_settings().memory, **values)


class Surroundings:
    """One worker that runs all stages, and all that it talks to."""

    def __init__(
        self, directory: Path, environment: dict[str, str] | None = None, absent: str = "", **sections: Any
    ) -> None:
        """`sections` take the place of those in the settings. `absent`: an address where nobody is."""
        self._context = make_context()
        work_endpoint = f"ipc://{directory}/work.sock"
        self.work = bind_work(self._context, work_endpoint, ARENA_BYTES)
        self.work.rcvtimeo = int(WITHIN_S * 1000)
        self._reports: deque[list[bytes]] = deque()
        self._told: deque[bytes] = deque()
        settings = make_settings(pools=[{"stages": POOL, "workers": 1}])
        self._arena_fd = reserve_arena(ARENA_BYTES)
        self.arena = Arena(self._arena_fd, ARENA_BYTES)
        self.channel: Channel[FromChild]
        self.channel, inherited = channel_pair()
        name = "+".join(POOL) + "-0"
        self.channel.send(
            Start(
                service=name,
                incarnation=INCARNATION,
                stages=POOL,
                epoch="e1",
                settings=msgspec.structs.replace(settings, **sections),
                parent_pid=os.getpid(),
                arena_fd=self._arena_fd,
                arena_bytes=ARENA_BYTES,
                work_endpoint=absent or work_endpoint,
            )
        )
        with inherited:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stages.worker", name, "--channel", str(inherited.fileno())],
                pass_fds=[inherited.fileno(), self._arena_fd],
                stderr=subprocess.PIPE,
                text=True,
                env=child_environment() | (environment or {}),
            )

    def welcome(self) -> None:
        """Wait until it is at work."""
        assert isinstance(self.heard(), Ready)
        self._identity, hello = self.work.recv_multipart()
        assert msgspec.msgpack.decode(hello, type=Hello) == Hello(INCARNATION, POOL)

    def heard(self) -> FromChild:
        """Wait for what the worker tells its supervisor."""
        assert select.select([self.channel], [], [], WITHIN_S)[0], "the worker says nothing"
        message = self.channel.receive()
        assert message is not None
        return message

    def hand_over(self, *tasks: Task) -> None:
        """Send work."""
        self.work.send_multipart([self._identity, msgspec.msgpack.encode(Batch(list(tasks)))])

    def _receive(self) -> None:
        _, head, *parts = self.work.recv_multipart()
        message: ToBroker = msgspec.msgpack.decode(head, type=ToBroker)
        if isinstance(message, Relay):
            self._told.append(message.telemetry)
        else:
            self._reports.append([head, *parts])

    def reported(self) -> tuple[list[Answer], list[bytes]]:
        """Wait for a report."""
        while not self._reports:
            self._receive()
        report, *parts = self._reports.popleft()
        return msgspec.msgpack.decode(report, type=Report).answers, parts

    def done(self, *tasks: Task) -> list[Answer]:
        """Have tasks done."""
        self.hand_over(*tasks)
        answers: list[Answer] = []
        while len(answers) < len(tasks):
            answers += self.reported()[0]
        return answers

    def told(self, is_it: Callable[[WorkerTelemetry], bool] = lambda _: True) -> WorkerTelemetry:
        """Wait for telemetry that says a certain thing, from after this moment."""
        now_s = time.monotonic()
        while True:
            while not self._told:
                self._receive()
            message = decode_telemetry(self._told.popleft())
            assert isinstance(message, WorkerTelemetry)
            if message.at_s >= now_s and is_it(message):
                return message
            assert time.monotonic() - now_s < WITHIN_S, message

    def examined(self, order: Examine) -> Examined:
        """Order an examination, and wait for its answer."""
        self.channel.send(order)
        answer = self.heard()
        assert isinstance(answer, Examined)
        return answer

    def log(self) -> str:
        """Have it end in order, and return what it wrote."""
        if self.process.poll() is None:
            self.channel.send(Stop())
        self.process.wait(WITHIN_S)
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def close(self) -> None:
        """End everything; the worker in order, if it still runs."""
        try:
            self.log()
        finally:
            self.process.kill()
            self.process.communicate()
            self.channel.close()
            self.arena.close()
            os.close(self._arena_fd)
            self._context.destroy(linger=0)


def task(lease: int, *steps: Step, is_canary: bool = False) -> Task:
    return Task(lease, f"t{lease}", list(steps), is_canary)


def decode_step(size: Geometry = SIZE) -> Decode:
    return Decode(SOURCE, Extent(PIXELS.offset, size.bytes), "jpeg", size)
