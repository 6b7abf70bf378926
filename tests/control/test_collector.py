"""Sums over incarnations: they only grow, and every frame is accounted for."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.collector import Collector
from control.lives import GRACE_S
from control.record import decode_record, encode_record
from ipc.errors import ErrorCode
from ipc.telemetry import SERVICES_MAX, BrokerTelemetry, FrameFigures, StageFigures
from tests.control.support import make_broker, make_frames, make_histogram, make_supervisor, make_worker

ENDED = ("completed", "failed", "rejected", "cancelled")


@pytest.fixture
def collector() -> Collector:
    return Collector(["decode", "encode"])


def account_holds(frames: FrameFigures) -> bool:
    ended = frames.completed + frames.failed + frames.rejected + frames.cancelled
    return frames.received == ended + frames.in_flight + frames.queued


def test_pipeline_of_a_restarted_broker_keeps_its_counts(collector: Collector) -> None:
    collector.take(
        make_broker(
            make_frames(completed=10, rejected=1, in_flight=3, queued=2, queued_bytes=7, backlog_bytes=5),
            incarnation=1,
            errors={"BUSY": 1},
            latency=make_histogram(100, 200),
        ),
        0,
    )
    collector.take(
        make_broker(
            make_frames(completed=1, queued=1, queued_bytes=9, backlog_bytes=3),
            incarnation=8,
            errors={"BUSY": 1, "POISON": 1},
            latency=make_histogram(300),
        ),
        1,
    )

    before, after = collector.pipeline(1.5), collector.pipeline(1 + GRACE_S)
    assert before.sums.frames == make_frames(
        completed=11, rejected=1, in_flight=3, queued=3, queued_bytes=16, backlog_bytes=8
    )
    assert after.sums.frames == make_frames(
        completed=11, rejected=1, failed=5, queued=1, queued_bytes=9, backlog_bytes=3
    )
    assert (before.sums.lost, after.sums.lost) == (0, 5)
    assert after.sums.errors == {ErrorCode.BUSY: 2, ErrorCode.POISON: 1}
    assert after.sums.latency == make_histogram(100, 200, 300)


@dataclass(frozen=True, slots=True)
class Delivery:
    at_s: float
    message: BrokerTelemetry


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """What up to four brokers, one after the other, tell while they live; some is lost, some comes late."""
    told = []
    now_s = 0.0
    for incarnation in range(1, draw(st.integers(1, 4)) + 1):
        ended = dict.fromkeys(ENDED, 0)
        for sequence in range(1, draw(st.integers(1, 5)) + 1):
            now_s += draw(st.floats(0.01, 2))
            for name in ENDED:
                ended[name] += draw(st.integers(0, 5))
            frames = make_frames(**ended, in_flight=draw(st.integers(0, 5)), queued=draw(st.integers(0, 5)))
            delay_s = draw(st.sampled_from([0.0, 0.0, 0.5, 3.0]))
            told.append(Delivery(now_s + delay_s, make_broker(frames, incarnation, sequence, now_s)))
    return sorted((one for one in told if draw(st.booleans())), key=lambda delivery: delivery.at_s)


@given(deliveries())
def test_pipeline_with_any_deaths_losses_and_delays_only_grows_and_adds_up(told: list[Delivery]) -> None:
    collector = Collector(["decode"])
    known = dict.fromkeys(ENDED, 0)
    for delivery in told:
        collector.take(delivery.message, delivery.at_s)
        for now_s in (delivery.at_s, delivery.at_s + 0.4):
            pipeline = collector.pipeline(now_s)
            now_known = {name: getattr(pipeline.sums.frames, name) for name in ENDED}
            assert account_holds(pipeline.sums.frames)
            assert all(now_known[name] >= known[name] for name in ENDED)
            assert pipeline.sums.lost <= pipeline.sums.frames.failed
            known = now_known


def test_pipeline_rates_are_those_of_the_last_ten_seconds(collector: Collector) -> None:
    for second in range(21):
        frames = make_frames(completed=1000 + (second * 30 if second > 10 else 0), failed=second * 10)
        collector.take(make_broker(frames, sequence=second + 1, at_s=second), second)

    pipeline = collector.pipeline(20)
    assert pipeline.throughput_fps == pytest.approx(60)
    assert pipeline.error_rate == pytest.approx(100 / 700)


def test_pipeline_rates_of_a_broker_that_long_ran_do_not_count_its_past(collector: Collector) -> None:
    collector.take(make_broker(make_frames(completed=10**6), at_s=0), 0)

    assert collector.pipeline(0.1).throughput_fps == 0


def test_pipeline_throughput_of_a_silent_broker_sinks(collector: Collector) -> None:
    collector.take(make_broker(make_frames(completed=0), sequence=1, at_s=0), 0)
    collector.take(make_broker(make_frames(completed=100), sequence=2, at_s=1), 1)

    assert collector.pipeline(2).throughput_fps == 100
    assert collector.pipeline(8).throughput_fps == pytest.approx(12.5)
    assert collector.pipeline(12).throughput_fps == 0


def test_stage_sums_over_workers_and_their_lives(collector: Collector) -> None:
    def tell(service: str, incarnation: int, completed: int, now_s: float) -> None:
        figures = StageFigures(completed, 1, 10, make_histogram(*[50] * completed))
        collector.take(make_worker(service, {"decode": figures, "unknown": figures}, incarnation), now_s)

    tell("decode-0", 1, 10, 0)
    tell("decode-1", 2, 20, 0)
    tell("decode-0", 3, 5, 0)

    expected = StageFigures(35, 3, 30, make_histogram(*[50] * 35))
    assert collector.stage("decode", 0.5).total == expected
    assert collector.stage("decode", 50).total == expected
    assert collector.stage("encode", 50).total == StageFigures()


def test_recent_latency_of_a_stage_is_that_of_the_last_ten_seconds(collector: Collector) -> None:
    durations_us = [1000] * 50
    for second in range(30):
        if second >= 25:
            durations_us = [*durations_us, 30]
        figures = StageFigures(len(durations_us), 0, 10, make_histogram(*durations_us))
        collector.take(make_worker("decode-0", {"decode": figures}, 1, second + 1, second), second)
        collector.sample(second)

    sums = collector.stage("decode", 29.0)
    assert sums.total.latency.count == 55
    assert sums.recent_latency == make_histogram(*[30] * 5)


def test_recent_latency_of_frames_is_that_of_the_last_ten_seconds(collector: Collector) -> None:
    collector.take(make_broker(latency=make_histogram(*[9000] * 40), sequence=1, at_s=0), 0)
    collector.take(make_broker(latency=make_histogram(*[9000] * 40, 20), sequence=2, at_s=5), 5)
    collector.take(make_broker(latency=make_histogram(*[9000] * 40, 20, 25), sequence=3, at_s=12), 12)

    assert collector.pipeline(12).recent_latency == make_histogram(25)


def test_collector_after_one_that_ended_goes_on_where_it_was(collector: Collector) -> None:
    figures = StageFigures(10, 1, 500, make_histogram(50))
    collector.take(make_broker(make_frames(completed=10, failed=1), incarnation=1, errors={"POISON": 1}), 0)
    collector.take(make_worker("decode-0", {"decode": figures}, incarnation=2), 0)
    collector.take(make_broker(make_frames(completed=5), incarnation=3, latency=make_histogram(70)), 1)
    collector.take(make_worker("decode-0", {"decode": figures}, incarnation=4), 1)
    collector.pipeline(3)

    after = Collector(["decode", "encode"])
    after.restore(decode_record(encode_record(collector.record([]))), 4)
    assert after.pipeline(4).sums == collector.pipeline(4).sums
    after.take(make_broker(make_frames(completed=6), incarnation=3, sequence=2), 5)
    after.take(make_broker(make_frames(completed=99), incarnation=1, sequence=99), 5)

    assert after.pipeline(5).sums.frames == make_frames(completed=16, failed=1)
    assert after.pipeline(5).sums.errors == {ErrorCode.POISON: 1}
    assert after.stage("decode", 5).total == StageFigures(20, 2, 1000, make_histogram(50, 50))


def test_utilization_is_the_share_of_time_spent_across_a_restart(collector: Collector) -> None:
    def tell(incarnation: int, sequence: int, busy_us: int, at_s: float) -> None:
        collector.take(
            make_worker("decode-0", {"decode": StageFigures(0, 0, busy_us)}, incarnation, sequence, at_s), at_s
        )

    tell(1, 1, 5_000_000, 10)
    tell(1, 2, 5_500_000, 11)
    assert collector.utilization("decode-0", "decode", 11) == pytest.approx(0.5)
    tell(2, 1, 0, 12)
    tell(2, 2, 1_000_000, 13)

    assert collector.utilization("decode-0", "decode", 13) == pytest.approx(0.5)
    assert collector.utilization("decode-0", "encode", 13) == 0
    assert collector.utilization("nobody", "decode", 13) == 0


def test_collector_told_of_too_many_services_ignores_the_rest(collector: Collector) -> None:
    for number in range(SERVICES_MAX + 5):
        collector.take(make_worker(f"decode-{number}"), 0)

    assert len(collector.presence(0).workers) == SERVICES_MAX
    assert collector.ignored_count == 5


def test_presence_holds_the_newest_message_of_everybody(collector: Collector) -> None:
    collector.take(make_supervisor(sequence=2, at_s=1), 1)
    collector.take(make_supervisor(sequence=1, at_s=0), 1)
    collector.take(make_worker(at_s=1, sequence=3), 1)

    presence = collector.presence(2)
    assert presence.supervisor_age_s == 1
    assert presence.broker is None
    assert presence.workers["decode-0"].message.sequence == 3
