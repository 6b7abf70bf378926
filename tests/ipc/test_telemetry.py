"""Telemetry: what travels is checked, and sending never blocks."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from ipc.histogram import COUNT_MAX, HistogramSnapshot
from ipc.sockets import make_context
from ipc.telemetry import (
    INTERVALS_QUIET,
    SERVICES_MAX,
    TELEMETRY_BYTES_MAX,
    ArenaFigures,
    BrokerTelemetry,
    FrameFigures,
    LastExit,
    ServiceFigures,
    StageFigures,
    SupervisorTelemetry,
    Telemetry,
    TelemetryPacer,
    TelemetrySender,
    WorkerLoad,
    WorkerTelemetry,
    decode_telemetry,
)

Context = zmq.Context[zmq.Socket[bytes]]

WORKER = WorkerTelemetry(
    "decode-0", 3, "e1", 1, 5.5, {"decode": StageFigures(1, 2, 3, HistogramSnapshot(4, (5,), 6, 7))}
)
BROKER = BrokerTelemetry(
    "broker", 2, "e1", 1, 5.5, FrameFigures(received=1, completed=1), {"BUSY": 4}, HistogramSnapshot(),
    HistogramSnapshot(1, (1,), 1, 1), ArenaFigures(1, 2, 3, 4), {"decode-0": WorkerLoad(2)},
)  # fmt: skip
SERVICE = ServiceFigures(
    "decode-0", "decode", "ready", 17, 5.0, 2, LastExit(None, "SIGKILL", "out of memory", "now"), 3
)
SUPERVISOR = SupervisorTelemetry(0, "e1", 1, 5.5, "1.0", 4.5, [SERVICE])


@pytest.fixture
def context() -> Iterator[Context]:
    context = make_context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/t"


def worker(sequence: int) -> Telemetry:
    return msgspec.structs.replace(WORKER, sequence=sequence)


def collector(context: Context, endpoint: str, mark: int = 100) -> zmq.Socket[bytes]:
    pull = context.socket(zmq.PULL)
    pull.rcvhwm = mark
    pull.rcvtimeo = 5000
    pull.bind(endpoint)
    return pull


@pytest.mark.parametrize("message", [WORKER, BROKER, SUPERVISOR], ids=lambda message: type(message).__name__)
def test_telemetry_survives_its_travel(message: Telemetry) -> None:
    assert decode_telemetry(msgspec.msgpack.encode(message)) == message


@pytest.mark.parametrize("message", [WORKER, BROKER, SUPERVISOR], ids=lambda message: type(message).__name__)
def test_telemetry_of_another_version_is_refused(message: Telemetry) -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(message))
    fields[-1] = 1

    with pytest.raises(msgspec.ValidationError):
        decode_telemetry(msgspec.msgpack.encode(fields))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01", b"\xdd\xff\xff\xff\xff", b"\x91\xa6worker"])
def test_telemetry_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_telemetry(data)


def test_telemetry_of_the_most_services_with_the_longest_words_fits_its_bound() -> None:
    name, reason = "\N{CAT FACE}" * 64, "\N{CAT FACE}" * 200
    exit_ = LastExit(255, name[:32], reason, name[:40])
    services = [ServiceFigures(name, name, name, COUNT_MAX, 1.5, COUNT_MAX, exit_, COUNT_MAX)] * SERVICES_MAX
    data = msgspec.msgpack.encode(SupervisorTelemetry(1, name, 1, 1.5, name, 1.5, services))

    decode_telemetry(data)
    assert TELEMETRY_BYTES_MAX / 2 < len(data) < TELEMETRY_BYTES_MAX


def test_sender_without_collector_loses_messages_and_never_blocks(context: Context, endpoint: str) -> None:
    sender = TelemetrySender(context, endpoint, interval_s=0)
    began_s = time.monotonic()
    sent = sum(sender.offer(worker, now_s=0) for _ in range(1000))

    assert time.monotonic() - began_s < 2
    assert sent + sender.lost_count == 1000
    assert sent <= 4
    sender.close()


def test_sender_with_a_collector_that_does_not_read_loses_messages_and_never_blocks(
    context: Context, endpoint: str
) -> None:
    sender = TelemetrySender(context, endpoint, interval_s=0)
    # Big enough that the kernel's buffers are full after a few hundred of them.
    big = {str(number): StageFigures(COUNT_MAX, COUNT_MAX, COUNT_MAX) for number in range(16)}
    began_s = time.monotonic()
    attempts = 0
    with collector(context, endpoint, mark=1) as pull:
        while sender.lost_count < 1000 and time.monotonic() - began_s < 10:
            attempts += 1
            sender.offer(lambda sequence: msgspec.structs.replace(WORKER, sequence=sequence, stages=big), now_s=0)

        assert sender.lost_count == 1000
        assert time.monotonic() - began_s < 5
        # What was not lost comes in order.
        sequences = [decode_telemetry(pull.recv()).sequence for _ in range(attempts - sender.lost_count)]
        assert sequences == sorted(sequences)
        assert not pull.poll(0)
    sender.close()


def test_sender_before_its_collector_is_heard_once_that_comes(context: Context, endpoint: str) -> None:
    sender = TelemetrySender(context, endpoint)
    assert sender.offer(worker, now_s=0)

    with collector(context, endpoint) as pull:
        assert decode_telemetry(pull.recv()).sequence == 1
    sender.close()


def test_sender_is_heard_again_by_a_collector_that_was_restarted(context: Context, endpoint: str) -> None:
    sender = TelemetrySender(context, endpoint, interval_s=0)
    with collector(context, endpoint) as pull:
        sender.offer(worker, now_s=0)
        pull.recv()
    for _ in range(100):
        sender.offer(worker, now_s=0)

    with collector(context, endpoint) as pull:
        deadline_s = time.monotonic() + 5
        sequence = 0
        while sequence <= 101:
            assert time.monotonic() < deadline_s
            sender.offer(worker, now_s=0)
            if pull.poll(10):
                sequence = decode_telemetry(pull.recv()).sequence
    sender.close()


def test_sender_forwards_what_others_tell_as_far_as_its_mark(context: Context, endpoint: str) -> None:
    sender = TelemetrySender(context, endpoint, mark=8)
    told = msgspec.msgpack.encode(WORKER)
    for _ in range(8):
        sender.forward(told)
    with pytest.raises(zmq.Again):
        sender.forward(told)

    with collector(context, endpoint) as pull:
        assert decode_telemetry(pull.recv()) == WORKER
    sender.close()


def test_pacer_counts_what_there_is_no_room_for() -> None:
    sent: list[bytes] = []

    def send(data: bytes) -> None:
        if sent:
            raise zmq.Again
        sent.append(data)

    pacer = TelemetryPacer(send, interval_s=0)

    assert [pacer.offer(worker, now_s=0) for _ in range(3)] == [True, False, False]
    assert pacer.lost_count == 2
    assert decode_telemetry(sent[0]) == worker(1)


def test_sender_makes_a_message_only_when_one_is_due(context: Context, endpoint: str) -> None:
    sender = TelemetrySender(context, endpoint, interval_s=0.5)
    made: list[int] = []

    def make(sequence: int) -> Telemetry:
        made.append(sequence)
        return worker(sequence)

    assert sender.due_in_ms(10.0) == 0
    sender.offer(make, 10.0)
    sender.stir()
    assert not sender.offer(make, 10.499)
    assert made == [1]
    now_s = 10.0003
    assert sender.due_in_ms(now_s) == 500
    sender.offer(make, now_s + sender.due_in_ms(now_s) / 1000)
    assert made == [1, 2]
    sender.close()


def test_pacer_with_nothing_new_waits_longer_and_speaks_at_once_of_what_comes_then() -> None:
    sent: list[bytes] = []
    pacer = TelemetryPacer(sent.append, interval_s=0.5)
    assert pacer.offer(worker, 10.0)
    quiet_s = 0.5 * INTERVALS_QUIET

    assert pacer.due_in_ms(10.0) == quiet_s * 1000 + 1
    assert not pacer.offer(worker, 10.75)
    pacer.stir()
    assert pacer.due_in_ms(10.75) == 0
    assert pacer.offer(worker, 10.75)
    assert not pacer.offer(worker, 10.75 + quiet_s - 0.001)
    assert pacer.offer(worker, 10.75 + quiet_s)
    assert len(sent) == 3


def test_pacer_tries_again_after_an_interval_what_was_lost() -> None:
    def refuse(_: bytes) -> None:
        raise zmq.Again

    pacer = TelemetryPacer(refuse, interval_s=0.5)

    assert not pacer.offer(worker, 10.0)
    assert pacer.due_in_ms(10.25) == 251


@pytest.mark.parametrize(
    "message",
    [
        msgspec.structs.replace(WORKER, at_s=float("nan")),
        msgspec.structs.replace(BROKER, at_s=float("inf")),
        msgspec.structs.replace(WORKER, tasks=1 << 54),
        msgspec.structs.replace(WORKER, stages={"decode": StageFigures(completed=1 << 60)}),
        msgspec.structs.replace(BROKER, latency=HistogramSnapshot(1, (1 << 60,), 1, 1)),
    ],
    ids=["no time", "endless time", "count", "count of a stage", "count of a histogram"],
)
def test_telemetry_with_a_figure_that_nobody_can_have_is_refused(message: Telemetry) -> None:
    """One worker must not be able to make the control plane's sums impossible to tell."""
    with pytest.raises(msgspec.ValidationError):
        decode_telemetry(msgspec.msgpack.encode(message))
