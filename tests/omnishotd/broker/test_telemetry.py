"""What the broker's process tells operators, and when."""

import msgspec

from ipc.arena import Arena
from ipc.events import EventKind
from ipc.messages import Answer, Decode, Encode, Encoded, Report, Transform, WorkerGone
from stages.decode import decode
from stages.encode import encode
from stages.limits import Limits
from stages.transform import transform
from tests.omnishotd.broker.rig import ARENA_BYTES, header, picture
from tests.omnishotd.broker.surroundings import Surroundings, report, take_tasks


def test_canary_that_the_real_stages_made_something_of_is_told_at_once(around_with_canaries: Surroundings) -> None:
    around = around_with_canaries
    # Telemetry goes out when the broker starts, and then only where it is hurried.
    around.broker._telemetry._interval_s = 3_600.0
    around.expect(2)
    around.begin()
    [canary] = take_tasks(worker := around.worker(2))
    decoding, transforming, encoding = canary.steps
    assert isinstance(decoding, Decode)
    assert isinstance(transforming, Transform)
    assert isinstance(encoding, Encode)
    with Arena(around.arena_fd, ARENA_BYTES) as arena:
        decode(decoding, arena.view)
        transform(transforming, arena.view, Limits(max_side=64, max_pixels=64 * 64))
        finished = encode(encoding, arena.view)
    answer = Answer(canary.lease, [1, 1, 1], [finished.encoded])
    worker.send_multipart([msgspec.msgpack.encode(Report([answer])), finished.data])

    assert around.told(lambda told: told.sequence == 2).canary.passed == 1


def test_canary_that_fails_is_told_at_once(around_with_canaries: Surroundings) -> None:
    around = around_with_canaries
    around.broker._telemetry._interval_s = 3_600.0
    around.expect(2)
    around.begin()
    [canary] = take_tasks(worker := around.worker(2))
    answer = Answer(canary.lease, [1] * 3, [Encoded(0, "jpeg", 24, 16, 80)])
    worker.send_multipart([msgspec.msgpack.encode(Report([answer])), b"no picture"])

    told = around.told(lambda told: told.sequence == 2).canary
    assert told.failed == 1
    assert "no picture" in told.fault


def test_telemetry_tells_what_came_in_what_went_out_and_who_has_it(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    worker, producer = around.worker(2), around.producer()
    producer.send_multipart([header("f", client="cam"), picture()])
    [task] = take_tasks(worker)
    told = around.told(lambda told: told.frames.in_flight == 1)
    assert told.workers["worker-2"].held == 1
    assert [owner.owner for owner in told.owners] == ["worker-2"]
    assert sum(owner.bytes for owner in told.owners) == told.arena.used_bytes > 0
    assert told.heap.used_bytes > 0
    report(worker, task)
    assert len(producer.recv_multipart()) == 2
    # The same request again: its payload came twice, and its picture goes out twice.
    producer.send_multipart([header("f", client="cam"), picture()])
    assert len(producer.recv_multipart()) == 2
    told = around.told(lambda told: told.frames.payload_bytes == 2 * len(picture()))

    assert (told.frames.received, told.frames.completed) == (1, 1)
    assert told.frames.reply_bytes == 2 * len(b"picture 0")
    assert told.owners == []


def test_frames_that_wait_are_told_with_their_producer(around: Surroundings) -> None:
    around.begin()
    producer = around.producer()
    for number in range(6):
        producer.send_multipart([header(f"f{number}", client="cam", priority=7), picture()])
    told = around.told(lambda told: told.frames.queued == 2)

    assert told.queued_by_priority[7] == 2
    assert [(one.producer, one.frames, one.bytes) for one in told.producers] == [("cam", 2, 2 * len(picture()))]
    assert [(one.owner, one.frames) for one in told.owners] == [("waiting", 4)]


def test_payload_that_killed_two_workers_is_told_as_an_event(around: Surroundings) -> None:
    around.expect(2)
    around.begin()
    producer = around.producer()
    producer.send_multipart([header("f"), picture()])
    for number in (2, 3):
        take_tasks(around.worker(number))
        around.supervisor.send(WorkerGone(number, "SIGSEGV"))
        around.expect(number + 1)
    told = around.told(lambda told: bool(told.events))

    [event] = told.events
    assert (event.event, event.service) == (EventKind.QUARANTINED, "worker-3")
    assert event.detail == "e1-1: 2 workers died with this frame in their hands, the last by SIGSEGV"
