"""The broker's own loop, between real sockets: producers, workers and supervisor are played by the test."""

import os
import time
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import msgspec
import pytest
import zmq

from ipc.arena import Arena
from ipc.causes import Cause
from ipc.messages import (
    Beat,
    Drain,
    Drained,
    Examine,
    Examined,
    Hello,
    Kill,
    Poisoned,
    PoolFailed,
    Reconfigure,
    Relay,
    Retire,
    Retired,
    WorkerGone,
)
from ipc.sockets import make_context
from ipc.telemetry import WorkerTelemetry
from omnishotd.broker.process import COPIED_BYTES_MAX
from tests.omnishotd.broker.rig import ARENA_BYTES, LAYOUTS, PLAIN, header, make_settings, picture
from tests.omnishotd.broker.surroundings import WITHIN_MS, Surroundings, report, take_tasks
from tests.waiting import eventually

PLACES = 4
"""Of `make_settings`."""


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


def test_worker_announced_while_the_broker_reads_reports_gets_work(around: Surroundings) -> None:
    """What the supervisor had said when the turn began does not tell of it; its hello makes the broker ask again."""
    around.broker._read_orders()
    around.expect(2)
    worker = around.worker(2)
    around.producer().send_multipart([header("f"), picture()])
    assert around.broker._work.poll(WITHIN_MS)
    around.broker._road.take_reports(0)
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
        msgspec.msgpack.encode(Hello(3, ["decode"])),
    ],
    ids=["garbage", "nothing", "wrong type", "no UTF-8", "a second hello"],
)
def test_worker_that_breaks_the_protocol_is_killed_once_and_the_broker_goes_on(
    around: Surroundings, said: bytes
) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    worker.send(said)
    worker.send(said)
    assert around.heard() == Kill(2, "broke the protocol", Cause.PROTOCOL)
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

        assert around.heard() == Kill(2, "over its time limit", Cause.TIME_LIMIT)
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


@pytest.mark.parametrize("order", [Examine(7, "broker", "collect"), Examine(8, "broker", "snapshot", 1.0)])
def test_examination_of_the_broker_s_memory_is_answered(around: Surroundings, order: Examine) -> None:
    around.begin()
    around.supervisor.send(order)
    answer = around.heard()

    assert isinstance(answer, Examined)
    assert (answer.number, answer.service, answer.fault) == (order.number, "broker", "")


# ---- what supervisor and workers say besides


def test_broker_shows_every_second_that_its_loop_turns(around: Surroundings) -> None:
    around.begin()

    assert around.beats(2) >= 0.9, "the first may be read a little late"


def test_supervisor_that_does_not_read_is_not_buried_in_beats(around: Surroundings) -> None:
    """It may be stopped for hours: what lies there already says the same."""
    channel = around.broker._channel
    while not channel.wants_flush:
        channel.send(Beat())
    for second in range(3):
        around.broker._beat(second * 1_000_000)

    assert len(channel._unsent) == 1
    around.begin()


def test_worker_s_telemetry_reaches_the_collector_and_one_in_another_s_name_costs_its_life(
    around: Surroundings,
) -> None:
    around.expect(2)
    around.begin()
    worker = around.worker(2)
    own = WorkerTelemetry("worker-2", 2, "e1", 1, 1.0, {})
    worker.send(msgspec.msgpack.encode(Relay(msgspec.msgpack.encode(own))))
    assert around.relayed() == own
    forged = msgspec.structs.replace(own, service="encode-0")
    worker.send(msgspec.msgpack.encode(Relay(msgspec.msgpack.encode(forged))))

    assert around.heard() == Kill(2, "broke the protocol", Cause.PROTOCOL)


def test_telemetry_of_one_who_has_not_said_hello_is_nobody_s(around: Surroundings) -> None:
    around.begin()
    stranger = around.stranger(b"w9")
    stranger.send(msgspec.msgpack.encode(Relay(msgspec.msgpack.encode(WorkerTelemetry("x", 9, "e1", 1, 1.0, {})))))
    around.expect(2)
    worker = around.worker(2)
    own = WorkerTelemetry("worker-2", 2, "e1", 1, 1.0, {})
    worker.send(msgspec.msgpack.encode(Relay(msgspec.msgpack.encode(own))))

    assert around.relayed() == own


def test_retired_worker_is_told_of_when_it_has_answered_all(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    producer.send_multipart([header("f"), picture()])
    [task] = take_tasks(worker)
    around.supervisor.send(Retire(2))
    around.expect(3)
    successor = around.worker(3)
    producer.send_multipart([header("g"), picture()])
    report(successor, take_tasks(successor)[0])
    assert msgpack.unpackb(producer.recv_multipart()[0])["id"] == "g"
    report(worker, task)

    assert around.heard() == Retired(2)
    assert msgpack.unpackb(producer.recv_multipart()[0])["id"] == "f"


def test_workers_that_died_of_one_frame_are_told_of(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    producer.send_multipart([header("f"), picture()])
    for incarnation in (2, 3):
        around.expect(incarnation)
        take_tasks(around.worker(incarnation))
        around.supervisor.send(WorkerGone(incarnation, "SIGSEGV"))

    assert around.heard() == Poisoned([2, 3])
    assert msgpack.unpackb(producer.recv())["error"]["code"] == "POISON"


def test_frame_for_a_pool_that_was_given_up_is_answered(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    producer.send_multipart([header("f"), picture()])
    around.supervisor.send(PoolFailed(LAYOUTS[3][0]))

    assert msgpack.unpackb(producer.recv())["error"]["code"] == "INTERNAL"


def test_pool_that_was_given_up_before_its_next_worker_was_announced_is_as_good_as_new(around: Surroundings) -> None:
    """All of it is read in one go; and the worker dies at once, so that nobody is there when the frame comes."""
    around.supervisor.send(PoolFailed(LAYOUTS[3][0]))
    around.expect(2)
    around.supervisor.send(WorkerGone(2, "SIGKILL"))
    around.begin()
    producer = around.producer()
    producer.send_multipart([header("f"), picture()])
    producer.send(header("q", op="ping"))
    assert msgpack.unpackb(producer.recv())["id"] == "q"
    around.expect(3)
    worker = around.worker(3)
    report(worker, take_tasks(worker)[0])

    assert msgpack.unpackb(producer.recv_multipart()[0])["status"] == "ok"


def test_presets_that_were_read_again_count_for_the_next_frame(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    around.supervisor.send(Reconfigure(make_settings(LAYOUTS[3], presets={"fresh": {"outputs": [PLAIN]}})))

    def presets() -> list[str]:
        producer.send(header("q", op="info"))
        return list(msgpack.unpackb(producer.recv())["presets"])

    eventually(lambda: presets() == ["fresh"], within_s=5.0, what="the presets count")


def test_broker_whose_loop_stood_still_puts_time_limits_off_and_says_so(
    around: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    """As it finds when it goes on: the turn that was due long ago."""
    around.expect(2)
    around.broker._read_orders()
    worker = around.worker(2)
    around.producer().send_multipart([header("f"), picture()])
    assert around.broker._work.poll(WITHIN_MS)
    assert around.broker._door.socket.poll(WITHIN_MS)
    long_ago_us = time.monotonic_ns() // 1000 - 60_000_000
    around.broker._road.take_reports(long_ago_us)
    around.broker._take_requests(long_ago_us)
    around.broker.flow.start_waiting(long_ago_us)
    around.broker._road.give_work(long_ago_us)
    around.broker._pauses.expect(long_ago_us, 250)
    take_tasks(worker)
    around.begin()

    around.beats(2)  # and nobody is killed
    assert any(line.startswith("its loop stood still for ") for line in caplog.messages)


def test_questions_are_answered_while_all_places_in_work_are_taken(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    for number in range(PLACES):
        producer.send_multipart([header(f"f{number}"), picture()])
    take_tasks(worker)
    producer.send(header("q", op="ping"))

    assert msgpack.unpackb(producer.recv())["id"] == "q"
