"""Replacing a worn worker without a gap, and all that can go wrong meanwhile."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.causes import Cause
from ipc.messages import Drained, Kill, Ready, Retire, Retired, Stop, WorkerExpected, WorkerGone, Worn
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.phase import Phase
from omnishotd.supervisor.service import Service
from omnishotd.supervisor.succession import next_in_turn
from tests.omnishotd.supervisor.stage import Stage

OTHERS = ["decode-1", "transform+encode-0"]


def worn(stage: Stage, name: str = "decode-0") -> ChildProcess:
    """Have a worker say that it is worn, and its successor be started; returns the old one."""
    old = stage.child(name)
    stage.say(name, Worn("50 frames"))
    stage.passes(0.0)
    return old


def test_worn_worker_works_on_until_its_successor_is_ready(stage: Stage) -> None:
    old = worn(stage)
    successor = stage.successor("decode-0")
    assert stage.drain_voice("broker") == [WorkerExpected(successor.incarnation, "decode-0", ["decode"])]
    assert (stage.child("decode-0"), stage.state("decode-0")) == (old, ServiceState.READY)
    assert stage.hear("decode-0", old) is None
    stage.become_ready("decode-0")

    assert stage.drain_voice("broker") == [Retire(old.incarnation)]
    assert (stage.child("decode-0"), stage.state("decode-0")) == (successor, ServiceState.READY)
    assert stage.hear("decode-0", old) is None
    assert stage.service("decode-0").figures(0).incarnation == successor.incarnation


def test_old_worker_ends_when_it_holds_nothing_and_is_counted_as_recycled(stage: Stage) -> None:
    old = worn(stage)
    stage.become_ready("decode-0")
    stage.drain_voice("broker")
    stage.say("broker", Retired(old.incarnation))
    assert stage.hear("decode-0", old) == Stop()
    service = stage.end("decode-0", old, status=0)

    assert stage.drain_voice("broker") == [WorkerGone(old.incarnation, "replaced: 50 frames")]
    assert service.last_exit is not None
    assert (service.last_exit.code, service.last_exit.cause) == (0, Cause.RECYCLED)
    assert service.restarts == {Cause.RECYCLED: 1}
    assert stage.deaths("decode-0") == 0
    assert len(service.processes) == 1


def test_one_worker_of_a_pool_is_replaced_at_a_time(stage: Stage) -> None:
    old = worn(stage)
    worn(stage, "decode-1")
    worn(stage, "transform+encode-0")
    assert stage.asked == ["decode-0", "transform+encode-0"]
    stage.become_ready("decode-0")
    stage.passes(0.0)
    assert stage.asked == ["decode-0", "transform+encode-0"]
    stage.say("broker", Retired(old.incarnation))
    stage.end("decode-0", old, status=0)
    stage.passes(0.0)

    assert stage.asked == ["decode-0", "transform+encode-0", "decode-1"]


def test_loop_sleeps_while_a_worn_worker_waits_for_its_turn(stage: Stage) -> None:
    stage.say("decode-0", Worn("50 frames"))
    stage.say("decode-1", Worn("50 frames"))
    assert stage.supervisor._succession.due_s() == stage.supervisor._clock.now_s
    stage.passes(0.0)

    assert stage.supervisor._succession.due_s() is None


def test_successor_that_dies_before_it_is_ready_is_a_death_and_another_is_tried_later(stage: Stage) -> None:
    old = worn(stage)
    stage.end("decode-0", stage.successor("decode-0"))
    assert (stage.child("decode-0"), stage.state("decode-0")) == (old, ServiceState.READY)
    assert stage.deaths("decode-0") == 1
    assert stage.service("decode-0").successor is None
    stage.passes(0.05)
    assert len(stage.asked) == 1
    stage.passes(0.06)

    assert stage.successor("decode-0").incarnation > old.incarnation
    assert stage.service("decode-0").restarts.total() == 0


def test_successors_that_die_again_and_again_never_cost_the_old_one_its_place(stage: Stage) -> None:
    old = worn(stage)
    for _ in range(15):
        if stage.service("decode-0").successor is not None:
            stage.end("decode-0", stage.successor("decode-0"))
        stage.lives(3.0)

    assert stage.child("decode-0") is old
    assert stage.state("decode-0") is ServiceState.READY
    assert len(stage.asked) < 15


def test_successor_that_is_never_ready_is_killed_and_the_old_one_is_not(stage: Stage) -> None:
    old = worn(stage)
    successor = stage.successor("decode-0")
    stage.lives(11.0)

    assert (successor.kill_cause, old.kill_cause) == (Cause.NOT_READY, None)


def test_successor_that_cannot_be_started_is_tried_again_later(stage: Stage) -> None:
    stage.refusal = OSError(24, "Too many open files")
    worn(stage)
    assert stage.service("decode-0").successor is None
    assert stage.service("decode-0").restart_at_s is None
    stage.refusal = None
    stage.passes(0.2)

    assert stage.service("decode-0").successor is not None


def test_successor_takes_the_place_of_an_old_one_that_dies_meanwhile(stage: Stage) -> None:
    old = worn(stage)
    successor = stage.successor("decode-0")
    service = stage.end("decode-0", old)
    assert (service.child, service.successor, service.state) == (successor, None, ServiceState.SPAWNING)
    assert service.restarts == {Cause.CRASH: 1}
    assert stage.deaths("decode-0") == 1
    stage.say("decode-0", Ready())
    stage.passes(20.0)

    assert service.state is ServiceState.READY
    assert stage.asked == ["decode-0"]
    assert Retire not in [type(message) for message in stage.drain_voice("broker")]


def test_old_one_killed_for_its_frame_while_its_successor_starts_is_no_death(stage: Stage) -> None:
    old = worn(stage)
    stage.say("broker", Kill(old.incarnation, "over its time limit", Cause.TIME_LIMIT))
    stage.see_end("decode-0", old)

    assert stage.deaths("decode-0") == 0
    assert stage.service("decode-0").restarts == {Cause.TIME_LIMIT: 1}


def test_retiring_worker_that_crashes_is_a_death_and_changes_nothing_else(stage: Stage) -> None:
    old = worn(stage)
    stage.become_ready("decode-0")
    service = stage.end("decode-0", old)

    assert (service.state, service.retiring) == (ServiceState.READY, None)
    assert service.last_exit is not None
    assert service.last_exit.cause is Cause.CRASH
    assert stage.deaths("decode-0") == 1
    stage.say("broker", Retired(old.incarnation))
    assert stage.hear("decode-0") is None


def test_new_one_that_dies_while_the_old_one_retires_is_restarted_as_ever(stage: Stage) -> None:
    old = worn(stage)
    stage.become_ready("decode-0")
    service = stage.end("decode-0")
    assert stage.state("decode-0") is ServiceState.BACKOFF
    stage.say("broker", Retired(old.incarnation))
    stage.end("decode-0", old, status=0)
    stage.passes(0.2)

    assert stage.state("decode-0") is ServiceState.SPAWNING
    assert service.restarts == {Cause.RECYCLED: 1, Cause.CRASH: 1}


def test_retiring_worker_that_never_lets_go_of_its_frames_is_killed_in_the_end(stage: Stage) -> None:
    old = worn(stage)
    stage.become_ready("decode-0")
    stage.lives(49.0)
    assert old.kill_cause is None
    stage.passes(1.1)

    assert old.kill_cause is Cause.RECYCLED


def test_retiring_worker_that_does_not_end_when_told_is_killed(stage: Stage) -> None:
    old = worn(stage)
    stage.become_ready("decode-0")
    stage.say("broker", Retired(old.incarnation))
    stage.passes(2.1)

    assert (old.kill_cause, old.kill_reason) == (Cause.RECYCLED, "did not end")


def test_retiring_worker_gets_no_more_time_when_the_daemon_stops_meanwhile(stage: Stage) -> None:
    old = worn(stage)
    stage.become_ready("decode-0")
    stage.say("broker", Retired(old.incarnation))
    stage.passes(1.5)
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    stage.passes(0.6)

    assert old.kill_reason == "did not end"
    assert stage.child("decode-0").kill_reason == ""


def test_worker_in_charge_is_not_ended_because_the_broker_says_that_it_holds_nothing(stage: Stage) -> None:
    stage.say("broker", Retired(stage.child("decode-0").incarnation))

    assert stage.hear("decode-0") is None


@pytest.mark.parametrize("is_ready", [False, True])
def test_death_of_the_broker_ends_both_and_one_new_worker_follows(stage: Stage, *, is_ready: bool) -> None:
    old = worn(stage)
    successor = stage.successor("decode-0")
    if is_ready:
        stage.become_ready("decode-0")
    stage.end("broker")
    stage.asked.clear()
    for name in OTHERS:
        stage.see_end(name, stage.child(name))
    stage.see_end("decode-0", old)
    stage.passes(0.2)
    assert stage.asked == []
    stage.see_end("decode-0", successor)
    stage.passes(0.2)

    assert stage.asked == ["broker", "decode-0", *OTHERS]
    assert len(stage.service("decode-0").processes) == 1
    assert stage.deaths("decode-0") == 0


@pytest.mark.parametrize("is_ready", [False, True])
def test_stop_ends_both(stage: Stage, *, is_ready: bool) -> None:
    old = worn(stage)
    successor = stage.successor("decode-0")
    if is_ready:
        stage.become_ready("decode-0")
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    told = [[type(said) for said in _said(stage, child)] for child in (old, successor)]
    assert told == [[Stop], [Stop]]
    if not is_ready:
        stage.become_ready("decode-0")
    for name in OTHERS:
        stage.end(name, status=0)
    stage.end("decode-0", successor, status=0)
    assert stage.phase() is Phase.STOPPING_WORKERS
    stage.end("decode-0", old, status=0)

    assert stage.phase() is Phase.STOPPING_REST
    assert Retire not in [type(said) for said in stage.drain_voice("broker")] or is_ready


def _said(stage: Stage, child: ChildProcess) -> list[object]:
    said: list[object] = []
    while (message := stage.hear("decode-0", child)) is not None:
        said.append(message)
    return said


def test_nobody_is_replaced_while_the_daemon_stops(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    worn(stage)

    assert stage.asked == []


def test_worker_that_says_it_is_worn_just_when_it_is_told_to_end_breaks_nothing(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    worn(stage)

    assert stage.killed() == []
    assert stage.asked == []


services = st.lists(
    st.builds(
        Service,
        name=st.text("abc", min_size=1),
        kind=st.sampled_from(["decode", "encode"]),
        module=st.just("stages.worker"),
        state=st.sampled_from(ServiceState),
        succeed_at_s=st.none() | st.floats(0, 10),
        successor=st.none() | st.builds(object),
    ),
    max_size=8,
)


@given(services)
def test_next_in_turn_are_the_earliest_ready_ones_of_pools_where_nobody_is_replaced(services: list[Service]) -> None:
    chosen = next_in_turn(services)

    assert len({service.kind for service in chosen}) == len(chosen)
    for kind in ("decode", "encode"):
        pool = [service for service in services if service.kind == kind]
        free = not any(service.successor for service in pool)
        waiting = [
            service.succeed_at_s
            for service in pool
            if service.state is ServiceState.READY and service.succeed_at_s is not None
        ]
        found = [service.succeed_at_s for service in chosen if service.kind == kind]
        assert found == ([min(waiting)] if free and waiting else [])
