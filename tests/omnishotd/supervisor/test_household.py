"""Births and deaths of services: what follows from each, and what the broker is told."""

import os
import select

import pytest

from ipc.causes import Cause
from ipc.messages import Kill, Poisoned, PoolFailed, Ready, WorkerExpected, WorkerGone
from ipc.reservation import ArenaUnavailable
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.restarts import DELAY_S_MAX, DELAY_S_MIN
from tests.omnishotd.supervisor.stage import WITHIN_S, Stage

WORKERS = ["decode-0", "decode-1", "transform+encode-0"]
FULL = OSError(24, "Too many open files")


def delay_s(stage: Stage, name: str) -> float:
    """How long a service still waits for its restart."""
    restart_at_s = stage.service(name).restart_at_s
    assert restart_at_s is not None
    return restart_at_s - stage.supervisor._clock.now_s


def test_every_process_is_given_the_lock_that_keeps_a_next_daemon_out(stage: Stage) -> None:
    lock = stage.supervisor._nursery._instance.children_lock

    assert len(stage.given) == 5
    assert all(lock in given for given in stage.given.values())


def test_death_of_a_worker_is_told_to_the_broker_after_it_was_waited_for(stage: Stage) -> None:
    child = stage.child("decode-0")
    pid = child.pid
    stage.end("decode-0")

    assert stage.hear("broker") == WorkerGone(child.incarnation, "SIGKILL; perhaps out of memory", "SIGKILL")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_death_of_the_broker_kills_all_workers_and_leaves_the_control_plane(stage: Stage) -> None:
    stage.end("broker")

    assert stage.killed() == WORKERS
    for name in WORKERS:
        stage.see_end(name, stage.child(name))
        assert stage.state(name) is ServiceState.STOPPED
        assert stage.deaths(name) == 0


def test_broker_comes_back_with_its_workers_when_the_last_old_one_is_gone(stage: Stage) -> None:
    epoch = stage.supervisor._nursery.epoch
    stage.end("broker")
    for name in WORKERS[:2]:
        stage.see_end(name, stage.child(name))
    stage.passes(1.0)
    assert stage.asked == []
    stage.see_end(WORKERS[2], stage.child(WORKERS[2]))
    stage.passes(0.02)

    assert stage.asked == ["broker", *WORKERS]
    assert stage.supervisor._nursery.epoch != epoch


def test_broker_that_cannot_be_started_again_gets_no_workers(stage: Stage) -> None:
    """Workers without a broker would hold the arena for ever, and the next broker waits for them to end."""
    stage.end("broker")
    for name in WORKERS:
        stage.see_end(name, stage.child(name))
    stage.refusal = FULL
    stage.passes(1.0)
    assert stage.asked == ["broker"]
    assert not any(service.is_live for service in stage.supervisor._household.workers)

    stage.refusal = None
    stage.passes(1.0)
    assert stage.asked == ["broker", "broker", *WORKERS]


def test_arena_that_cannot_be_had_again_is_tried_again_and_does_not_end_the_daemon(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> int:
        raise ArenaUnavailable("no room")

    stage.end("broker")
    for name in WORKERS:
        stage.see_end(name, stage.child(name))
    with monkeypatch.context() as patch:
        patch.setattr("omnishotd.supervisor.nursery.reserve_arena", refuse)
        stage.lives(51.0)
    assert stage.asked == []
    assert DELAY_S_MIN < delay_s(stage, "broker") <= DELAY_S_MAX
    assert stage.supervisor._failure is None
    stage.lives(5.1)

    assert stage.asked == ["broker", *WORKERS]


def test_worker_that_cannot_be_started_is_reported_as_gone_and_tried_ever_more_slowly(stage: Stage) -> None:
    stage.end("decode-0")
    stage.refusal = FULL
    delays_s = []
    for _ in range(8):
        stage.lives(delay_s(stage, "decode-0"))
        delays_s.append(delay_s(stage, "decode-0"))

    assert delays_s == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])
    told = [type(message) for message in stage.drain_voice("broker")]
    assert told == [WorkerGone, *[WorkerExpected, WorkerGone] * 8]
    assert stage.state("decode-0") is ServiceState.BACKOFF
    assert stage.deaths("decode-0") == 1
    stage.refusal = None
    stage.passes(5.0)
    assert stage.state("decode-0") is ServiceState.SPAWNING


def test_start_that_fails_is_no_restart(stage: Stage) -> None:
    service = stage.end("decode-0")
    stage.refusal = FULL
    for _ in range(3):
        stage.passes(1.0)
    assert service.restarts.total() == 0

    stage.refusal = None
    stage.passes(1.0)
    assert service.restarts == {Cause.CRASH: 1}


def test_death_is_counted_by_its_cause_when_the_service_is_started_again(stage: Stage) -> None:
    child = stage.child("decode-0")
    stage.say("broker", Kill(child.incarnation, "over its time limit", Cause.TIME_LIMIT))
    stage.see_end("decode-0", child)
    stage.end("decode-1")
    stage.passes(0.5)

    told = [stage.service(name).figures(0) for name in ("decode-0", "decode-1", "broker")]
    assert [figures.restarts for figures in told] == [1, 1, 0]
    assert [figures.restarts_by_cause for figures in told] == [{Cause.TIME_LIMIT: 1}, {Cause.CRASH: 1}, {}]


def test_breach_of_the_protocol_is_a_death_and_a_frame_that_took_too_long_is_none(stage: Stage) -> None:
    first, second = stage.child("decode-0"), stage.child("decode-1")
    stage.say("decode-0", b"garbage")
    stage.see_end("decode-0", first)
    assert stage.deaths("decode-0") == 1

    stage.say("broker", Kill(second.incarnation, "over its time limit", Cause.TIME_LIMIT))
    stage.see_end("decode-1", second)
    assert stage.deaths("decode-0") == 1


def test_worker_that_had_served_comes_back_soon_and_one_that_dies_at_once_ever_later(stage: Stage) -> None:
    stage.passes(3.0)
    delays_s = []
    for _ in range(4):
        stage.end("decode-0")
        delays_s.append(delay_s(stage, "decode-0"))
        stage.passes(delays_s[-1])
    assert delays_s == pytest.approx([DELAY_S_MIN, 0.1, 0.2, 0.4])

    stage.say("decode-0", Ready())
    stage.passes(2.1)
    stage.end("decode-0")
    assert delay_s(stage, "decode-0") == pytest.approx(DELAY_S_MIN)


def test_replacement_that_is_never_ready_is_killed_after_its_time_and_given_up_in_the_end(stage: Stage) -> None:
    policy = stage.policy("decode-0")
    policy.restarts_max, policy.window_s = 2, 1000.0
    stage.end("decode-0")
    for _ in range(2):
        stage.passes(1.0)
        child = stage.child("decode-0")
        stage.lives(9.0)
        assert select.select([child.pidfd], [], [], 0)[0] == []
        stage.passes(1.1)
        assert select.select([child.pidfd], [], [], WITHIN_S)[0]
        stage.see_end("decode-0", child)

    service = stage.service("decode-0")
    assert service.state is ServiceState.FAILED
    assert service.last_exit is not None
    assert (service.last_exit.cause, service.last_exit.reason) == (Cause.NOT_READY, "not ready in time")
    assert stage.supervisor._failure is None


def test_deaths_of_a_poisonous_frame_are_forgiven_and_their_delay_with_them(stage: Stage) -> None:
    incarnations = []
    for _ in range(2):
        stage.passes(0.2)
        incarnations.append(stage.child("decode-0").incarnation)
        stage.end("decode-0")
    assert delay_s(stage, "decode-0") == pytest.approx(0.2)
    assert stage.deaths("decode-0") == 2
    stage.say("broker", Poisoned(incarnations))

    assert stage.deaths("decode-0") == 0
    assert delay_s(stage, "decode-0") <= DELAY_S_MIN + 1e-9


def test_pool_given_up_for_deaths_that_are_forgiven_is_started_again(stage: Stage) -> None:
    stage.policy("decode-0").restarts_max = 1
    first, second = stage.child("decode-0").incarnation, stage.child("decode-1").incarnation
    stage.end("decode-0")
    stage.end("decode-1")
    assert stage.state("decode-1") is ServiceState.FAILED
    stage.say("broker", Poisoned([first, second]))
    stage.passes(0.2)

    assert stage.asked == ["decode-0", "decode-1"]
    assert stage.state("decode-1") is ServiceState.SPAWNING


def test_broker_is_told_of_a_pool_that_has_failed_when_its_last_worker_is_given_up(stage: Stage) -> None:
    stage.policy("decode-0").restarts_max = 0
    stage.end("decode-0")
    assert PoolFailed not in [type(message) for message in stage.drain_voice("broker")]
    stage.end("decode-1")

    assert stage.drain_voice("broker")[-1] == PoolFailed("decode")


def test_pool_given_up_for_other_deaths_stays_so(stage: Stage) -> None:
    stage.policy("decode-0").restarts_max = 0
    stage.end("decode-0")
    stage.say("broker", Poisoned([stage.child("transform+encode-0").incarnation, 999]))
    stage.passes(100.0)

    assert stage.state("decode-0") is ServiceState.FAILED
