"""A real worker's process; the test is its supervisor, its broker, and whoever takes its telemetry."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest
import zmq

from ipc.arena import Arena, reserve_arena
from ipc.channel import Channel, channel_pair
from ipc.errors import ErrorCode
from ipc.messages import (
    Answer,
    Batch,
    Decode,
    Encode,
    Examine,
    Examined,
    Extent,
    FromChild,
    Hello,
    Ready,
    Report,
    Start,
    Step,
    Stop,
    Task,
)
from ipc.pixels import Geometry, Layout
from ipc.sockets import bind_work, make_context
from ipc.telemetry import WorkerTelemetry, decode_telemetry
from stages.outputs import JpegEncoding, encode_encoding
from tests.control.support import make_settings
from tests.numbered import number_of_jpeg, numbered_jpeg

WITHIN_S = 15.0
ARENA_BYTES = 4 << 20
INCARNATION = 5
POOL = ["decode", "transform", "encode"]
SIZE = Geometry(320, 240, Layout.RGB)
SOURCE, PIXELS = Extent(0, 1 << 20), Extent(1 << 20, SIZE.bytes)


class Surroundings:
    """One worker that runs all stages, and all that it talks to."""

    def __init__(self, directory: Path) -> None:
        self._context = make_context()
        work_endpoint, telemetry_endpoint = f"ipc://{directory}/work.sock", f"ipc://{directory}/telemetry.sock"
        self._work = bind_work(self._context, work_endpoint, ARENA_BYTES)
        self._telemetry = self._context.socket(zmq.PULL)
        self._telemetry.bind(telemetry_endpoint)
        for end in (self._work, self._telemetry):
            end.rcvtimeo = int(WITHIN_S * 1000)
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
                settings=make_settings(pools=[{"stages": POOL, "workers": 1}]),
                parent_pid=os.getpid(),
                arena_fd=self._arena_fd,
                arena_bytes=ARENA_BYTES,
                work_endpoint=work_endpoint,
                telemetry_endpoint=telemetry_endpoint,
            )
        )
        with inherited:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stages.worker", name, "--channel", str(inherited.fileno())],
                pass_fds=[inherited.fileno(), self._arena_fd],
            )
        assert isinstance(self.heard(), Ready)
        self._identity, hello = self._work.recv_multipart()
        assert msgspec.msgpack.decode(hello, type=Hello) == Hello(INCARNATION, POOL)

    def heard(self) -> FromChild:
        """Wait for what the worker tells its supervisor."""
        assert select.select([self.channel], [], [], WITHIN_S)[0], "the worker says nothing"
        message = self.channel.receive()
        assert message is not None
        return message

    def hand_over(self, *tasks: Task) -> None:
        """Send work."""
        self._work.send_multipart([self._identity, msgspec.msgpack.encode(Batch(list(tasks)))])

    def reported(self) -> tuple[list[Answer], list[bytes]]:
        """Wait for a report."""
        _, report, *parts = self._work.recv_multipart()
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
            message = decode_telemetry(self._telemetry.recv())
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

    def close(self) -> None:
        """End everything; the worker in order, if it still runs."""
        try:
            if self.process.poll() is None:
                self.channel.send(Stop())
            self.process.wait(WITHIN_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.channel.close()
            self.arena.close()
            os.close(self._arena_fd)
            self._context.destroy(linger=0)


@pytest.fixture
def worker(runtime_directory: Path) -> Iterator[Surroundings]:
    surroundings = Surroundings(runtime_directory)
    surroundings.arena.write(SOURCE, numbered_jpeg(17, SIZE.width, SIZE.height))
    yield surroundings
    surroundings.close()


def task(lease: int, *steps: Step, is_canary: bool = False) -> Task:
    return Task(lease, f"t{lease}", list(steps), is_canary)


def decode_step(size: Geometry = SIZE) -> Decode:
    return Decode(SOURCE, Extent(PIXELS.offset, size.bytes), "jpeg", size)


def test_steps_of_a_task_are_done_in_order_and_counted_in_their_stages(worker: Surroundings) -> None:
    encode = Encode(PIXELS, SIZE, 0, encode_encoding(JpegEncoding()))
    worker.hand_over(task(1, decode_step(), encode))
    (answer,), (picture,) = worker.reported()
    told = worker.told(lambda message: message.tasks == 1)

    assert (answer.lease, answer.fault, len(answer.step_us)) == (1, None, 2)
    assert number_of_jpeg(picture) == 17
    assert {stage: figures.completed for stage, figures in told.stages.items()} == {
        "decode": 1,
        "transform": 0,
        "encode": 1,
    }
    assert told.stages["decode"].busy_us > 0


def test_canary_that_passes_is_answered_and_counted_nowhere(worker: Surroundings) -> None:
    answers = worker.done(task(1, decode_step(), is_canary=True), task(2, decode_step()))
    told = worker.told(lambda message: message.tasks > 0)

    assert [(answer.lease, answer.fault) for answer in answers] == [(1, None), (2, None)]
    assert len(answers[0].step_us) == 1
    decode = told.stages["decode"]
    assert (told.tasks, decode.completed, decode.failed, sum(decode.latency.counts)) == (1, 1, 0, 1)
    assert decode.busy_us == answers[1].step_us[0]


def test_canary_that_fails_is_answered_and_counted_nowhere(worker: Surroundings) -> None:
    other_size = decode_step(Geometry(160, 160, Layout.RGB))
    answers = worker.done(task(1, other_size, is_canary=True), task(2, other_size))
    told = worker.told(lambda message: message.tasks > 0)

    assert [answer.fault is not None for answer in answers] == [True, True]
    assert (told.tasks, told.stages["decode"].completed, told.stages["decode"].failed) == (1, 0, 1)


def test_step_at_fault_ends_its_task_alone(worker: Surroundings) -> None:
    worker.arena.view[SOURCE.offset : SOURCE.offset + 4] = b"none"
    spoilt = worker.done(task(1, decode_step()))
    worker.arena.write(SOURCE, numbered_jpeg(18, SIZE.width, SIZE.height))
    sound = worker.done(task(2, decode_step()))

    assert spoilt[0].fault is not None
    assert spoilt[0].fault.code in {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT}
    assert sound[0].fault is None


def test_telemetry_tells_of_the_heap_and_of_what_holds_the_process_back(worker: Surroundings) -> None:
    told = worker.told()
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii").splitlines()
    )

    assert 1 << 20 < told.heap.used_bytes < 256 << 20
    assert told.posture.no_new_privileges == (status["NoNewPrivs"].strip() == "1")
    assert told.posture.seccomp == (status["Seccomp"].strip() != "0")


@pytest.mark.parametrize("action", ["trim", "collect"])
def test_examination_is_answered_by_the_channel(worker: Surroundings, action: Literal["trim", "collect"]) -> None:
    answer = worker.examined(Examine(9, "w", action))

    assert (answer.number, answer.fault) == (9, "")
    assert answer.rss_before_bytes > 8 << 20
    assert answer.rss_after_bytes > 8 << 20


def test_snapshot_ends_by_itself_while_frames_are_worked_on(worker: Surroundings) -> None:
    worker.channel.send(Examine(3, "w", "snapshot", 1.0))
    began_s = time.monotonic()
    lease = 0
    while not select.select([worker.channel], [], [], 0)[0]:
        lease += 1
        worker.done(task(lease, decode_step()))
        assert time.monotonic() - began_s < WITHIN_S
    answer = worker.heard()

    assert isinstance(answer, Examined)
    assert (answer.number, answer.fault) == (3, "")
    assert time.monotonic() - began_s >= 1.0
    assert any(site.where.startswith("stages/") for site in answer.sites), answer.sites


def test_snapshot_ends_by_itself_in_an_idle_worker(worker: Surroundings) -> None:
    answer = worker.examined(Examine(4, "w", "snapshot", 1.0))

    assert (answer.number, answer.fault) == (4, "")


def test_worker_told_to_stop_amid_a_snapshot_ends_in_order(worker: Surroundings) -> None:
    worker.channel.send(Examine(5, "w", "snapshot", 60.0))
    worker.channel.send(Stop())

    assert worker.process.wait(WITHIN_S) == 0


def test_worker_whose_supervisor_hangs_up_ends(worker: Surroundings) -> None:
    worker.channel.close()

    assert worker.process.wait(WITHIN_S) in {0, -signal.SIGKILL}
