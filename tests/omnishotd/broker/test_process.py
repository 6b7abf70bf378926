"""The broker's own loop, between real sockets: producers, workers and supervisor are played by the test."""

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import msgspec
import pytest
import zmq

from ipc.arena import Arena, reserve_arena
from ipc.channel import Channel, channel_pair, child_channel
from ipc.messages import (
    Answer,
    Batch,
    Drain,
    Drained,
    Encode,
    Encoded,
    FromChild,
    Hello,
    Kill,
    Report,
    Start,
    Stop,
    Task,
    WorkerExpected,
    WorkerGone,
)
from ipc.sockets import connect_work, make_context
from omnishotd.broker.process import COPIED_BYTES_MAX, BrokerProcess
from tests.omnishotd.broker.rig import ARENA_BYTES, LAYOUTS, PLAIN, header, make_settings, picture

WITHIN_MS = 10_000
Socket = zmq.Socket[bytes]


class Surroundings:
    """A broker in a thread, and all that it talks to."""

    def __init__(self, directory: Path, context: zmq.Context[Socket], **pipeline: Any) -> None:
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
        self.broker = BrokerProcess(start, self._broker_channel, context)
        self._thread = threading.Thread(target=self.broker.run)
        self._sockets: list[Socket] = []

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
        """Wait for what the broker tells the supervisor."""
        assert select.select([self.supervisor], [], [], WITHIN_MS / 1000)[0], "the broker says nothing"
        message = self.supervisor.receive()
        assert message is not None
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

    def worker(self, incarnation: int) -> Socket:
        """Connect as a worker and say hello."""
        end = self._keep(connect_work(self.context, self.work_endpoint, incarnation))
        end.send(msgspec.msgpack.encode(Hello(incarnation, LAYOUTS[3][0].split("+"))))
        return end


@pytest.fixture
def around(runtime_directory: Path) -> Iterator[Surroundings]:
    with make_context() as context:
        surroundings = Surroundings(runtime_directory, context)
        yield surroundings
        surroundings.end()


def take_tasks(worker: Socket) -> list[Task]:
    return msgspec.msgpack.decode(worker.recv(), type=Batch).tasks


def report(worker: Socket, task: Task) -> None:
    """Answer a task with one picture for each of its outputs."""
    encodes = [step for step in task.steps if isinstance(step, Encode)]
    encoded = [Encoded(step.output, "jpeg", step.geometry.width, step.geometry.height, 80) for step in encodes]
    answer = Answer(task.lease, [1] * len(task.steps), encoded)
    parts = [b"picture %d" % step.output for step in encodes]
    worker.send_multipart([msgspec.msgpack.encode(Report([answer])), *parts])


def test_frame_goes_from_producer_to_worker_and_back(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    producer.send_multipart([header("f", [PLAIN, PLAIN]), picture()])
    report(worker, take_tasks(worker)[0])
    reply, *pictures = producer.recv_multipart()

    assert msgpack.unpackb(reply)["status"] == "ok"
    assert pictures == [b"picture 0", b"picture 1"]


def test_frame_too_large_to_be_copied_arrives_whole_in_the_arena(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    payload = picture(800) + os.urandom(COPIED_BYTES_MAX)
    producer.send_multipart([header("f"), payload])
    [task] = take_tasks(worker)
    source = task.steps[0].source

    with Arena(around.arena_fd, ARENA_BYTES) as arena:
        assert bytes(arena.view[source.offset : source.offset + source.bytes]) == payload
    report(worker, task)
    assert msgpack.unpackb(producer.recv_multipart()[0])["input"]["bytes"] == len(payload)


def test_req_gets_its_reply_behind_an_empty_delimiter(around: Surroundings) -> None:
    around.begin()
    producer = around.producer(zmq.REQ)
    producer.send(header("q", op="ping"))

    assert msgpack.unpackb(producer.recv())["epoch"] == "e1"


def test_message_without_frames_gets_no_reply_and_the_next_one_does(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    producer.send(b"")
    producer.send(header("q", op="ping"))

    assert msgpack.unpackb(producer.recv())["id"] == "q"


def test_worker_that_said_hello_before_the_broker_read_its_announcement_gets_work(around: Surroundings) -> None:
    """Both lie ready when the broker's loop first turns, as after a restart under load."""
    around.expect(2)
    worker = around.worker(2)
    producer = around.producer()
    producer.send_multipart([header("f"), picture()])
    assert around.broker._work.poll(WITHIN_MS)
    around.begin()

    assert len(take_tasks(worker)) == 1


def test_worker_announced_behind_the_death_of_another_gets_work(around: Surroundings) -> None:
    """To deal with a death the broker reads what workers have said: a hello among it must find its announcement."""
    around.expect(2)
    around.supervisor.send(WorkerGone(2, "SIGKILL"))
    around.expect(3)
    worker = around.worker(3)
    around.producer().send_multipart([header("f"), picture()])
    assert around.broker._work.poll(WITHIN_MS)
    around.begin()

    assert len(take_tasks(worker)) == 1


def test_answer_that_came_before_the_proof_of_death_counts(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    producer.send_multipart([header("f"), picture()])
    report(worker, take_tasks(worker)[0])
    assert msgpack.unpackb(producer.recv_multipart()[0])["attempts"] == 1


def test_death_gives_the_frame_to_the_next_worker(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    first, producer = around.worker(2), around.producer()
    producer.send_multipart([header("f"), picture()])
    lost = take_tasks(first)[0]
    around.supervisor.send(WorkerGone(2, "SIGSEGV"))
    around.expect(3)
    second = around.worker(3)
    again = take_tasks(second)[0]
    report(second, again)

    assert again.lease != lost.lease
    assert msgpack.unpackb(producer.recv_multipart()[0])["attempts"] == 2


@pytest.mark.parametrize(
    "said",
    [
        b"garbage",
        b"",
        msgspec.msgpack.encode(["hello", "x"]),
        b"\x93\xa6report\x91\x94\x01\x90\x91\x96\x00\xa1\xff\x01\x01\xc0\xc0\xc0\x01",
    ],
    ids=["garbage", "nothing", "wrong type", "no UTF-8"],
)
def test_worker_that_breaks_the_protocol_is_killed_once_and_the_broker_goes_on(
    around: Surroundings, said: bytes
) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    worker.send(said)
    worker.send(said)
    assert around.heard() == Kill(2, "broke the protocol")
    producer.send(header("q", op="ping"))

    assert msgpack.unpackb(producer.recv())["id"] == "q"
    assert around.supervisor.receive() is None


def test_worker_over_its_time_limit_is_reported_and_its_frame_answered(runtime_directory: Path) -> None:
    with make_context() as context:
        around = Surroundings(runtime_directory, context, stage_timeout_ms=50)
        around.expect(2)
        around.begin()
        worker, producer = around.worker(2), around.producer()
        producer.send_multipart([header("f"), picture()])
        take_tasks(worker)

        assert around.heard() == Kill(2, "over its time limit")
        assert msgpack.unpackb(producer.recv())["error"]["code"] == "TIMEOUT"
        around.end()


def test_frame_whose_deadline_passes_is_answered_without_any_other_event(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    producer.send_multipart([header("f", deadline_ms=30), picture()])

    assert msgpack.unpackb(producer.recv())["error"]["code"] == "EXPIRED"


def test_broker_without_work_is_drained_at_once(around: Surroundings) -> None:
    around.begin()
    around.supervisor.send(Drain(5_000))

    assert around.heard() == Drained(0)


def test_broker_at_the_end_of_its_drain_answers_what_is_left_and_says_how_many(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    producer.send_multipart([header("f"), picture()])
    producer.send(header("q", op="ping"))
    assert msgpack.unpackb(producer.recv())["id"] == "q"
    around.supervisor.send(Drain(20))

    assert msgpack.unpackb(producer.recv())["error"]["code"] == "SHUTTING_DOWN"
    assert around.heard() == Drained(1)


def test_producer_that_vanished_is_no_fault_of_the_next(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, gone = around.worker(2), around.producer()
    gone.send_multipart([header("f"), picture()])
    task = take_tasks(worker)[0]
    gone.close(linger=0)
    report(worker, task)
    producer = around.producer()
    producer.send_multipart([header("g"), picture()])
    report(worker, take_tasks(worker)[0])

    assert msgpack.unpackb(producer.recv_multipart()[0])["id"] == "g"
