"""The daemon as a whole, without its loop: phases, hang detection, the stop."""

import signal
import time
from pathlib import Path

import pytest

from ipc.causes import Cause
from ipc.messages import Beat, Drain, Drained, Ready, Stop, Unable
from omnishotd.supervisor.instance import StartupError
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.phase import Phase
from tests.omnishotd.supervisor.stage import Stage, set_stage

WORKERS = ["decode-0", "decode-1", "transform+encode-0"]


def test_daemon_serves_when_all_services_are_ready(stage: Stage) -> None:
    assert stage.phase() is Phase.SERVING


@pytest.mark.parametrize("name", ["broker", "control"])
def test_service_that_falls_silent_is_killed_as_hung_and_the_others_are_not(stage: Stage, name: str) -> None:
    other = {"broker": "control", "control": "broker"}[name]
    for _ in range(6):
        stage.passes(1.0)
        stage.say(other, Beat())

    assert stage.killed() == [name]
    assert stage.child(name).kill_cause is Cause.HUNG
    assert "silent for" in stage.child(name).kill_reason
    stage.see_end(name, stage.child(name))
    assert stage.deaths(name) == 1


def test_workers_owe_no_beat(stage: Stage) -> None:
    stage.lives(60.0)

    assert stage.killed() == []


def test_beat_that_lay_unread_while_the_supervisor_was_stopped_counts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole turn: an hour passes within one poll, and nobody is killed for it."""
    monkeypatch.setattr(stage.supervisor._clock, "_read_s", lambda: time.monotonic() + 3600)
    stage.supervisor._turn()

    assert stage.killed() == []
    stage.passes(4.9)
    assert stage.killed() == []
    stage.passes(0.2)
    assert stage.killed() == ["broker", "control"]


def test_service_that_was_told_to_end_is_not_judged_by_its_silence(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    for name in WORKERS:
        stage.end(name)
    assert stage.child("broker").stop_cause is Cause.STOPPED
    stage.supervisor._clock.now_s += 100
    stage.supervisor._pass_time()

    assert stage.child("broker").kill_reason == "did not end"


def test_stop_drains_the_broker_then_ends_workers_then_the_rest(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    assert stage.drain_voice("broker") == [Drain(10_000)]
    assert stage.hear("decode-0") is None
    stage.say("broker", Drained(0))
    assert [stage.hear(name) for name in WORKERS] == [Stop()] * 3
    assert stage.hear("broker") is None
    for name in WORKERS:
        stage.end(name)
    assert stage.drain_voice("broker")[-1] == Stop()
    stage.end("broker")
    assert stage.phase() is Phase.STOPPING_REST
    stage.end("control")

    assert stage.phase() is Phase.ENDED


def test_second_signal_leaves_half_a_second_for_draining(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    stage.supervisor._signalled(signal.SIGINT)

    assert stage.drain_voice("broker") == [Drain(10_000), Drain(500)]


def test_stop_waits_for_no_child_longer_than_its_time(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    stage.passes(1.9)
    assert stage.killed() == []
    stage.passes(0.2)

    assert stage.killed() == WORKERS
    assert stage.child("decode-0").kill_cause is Cause.STOPPED


def test_broker_that_never_says_that_it_has_drained_is_killed(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    stage.lives(11.5)
    assert stage.killed() == []
    stage.lives(1.0)

    assert stage.killed() == ["broker"]


def test_stop_while_a_service_waits_for_its_restart_starts_it_no_more(stage: Stage) -> None:
    stage.end("decode-0")
    assert stage.state("decode-0") is ServiceState.BACKOFF
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    stage.passes(1.0)

    assert stage.state("decode-0") is ServiceState.STOPPED
    assert stage.asked == []


def test_child_that_dies_just_before_it_is_told_to_end_is_not_started_again(stage: Stage) -> None:
    stage.supervisor._signalled(signal.SIGTERM)
    stage.say("broker", Drained(0))
    stage.end("control")
    for name in WORKERS:
        stage.end(name)
    stage.end("broker")

    assert stage.phase() is Phase.ENDED
    assert stage.asked == []


def test_worker_that_cannot_start_ends_a_daemon_that_starts_with_its_own_words(
    runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with set_stage(runtime_directory) as stage:
        monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", stage.spawn)
        stage.supervisor._household.start()
        stage.say("decode-0", Unable("sandbox.mode is required, and there is none", 78))

        assert stage.supervisor._failure is not None
        assert stage.supervisor._failure.exit_status == 78
        assert stage.phase() is Phase.STOPPING_WORKERS


@pytest.mark.parametrize("name", ["decode-0", "control"])
def test_child_that_cannot_start_again_does_not_end_a_daemon_that_serves(stage: Stage, name: str) -> None:
    stage.end(name)
    stage.passes(1.0)
    stage.say(name, Unable("the token is gone", 78))
    stage.end(name, status=78)

    assert stage.phase() is Phase.SERVING
    assert stage.state(name) is ServiceState.BACKOFF
    assert stage.deaths(name) == 2


def test_process_that_had_ended_by_itself_is_not_put_down_to_a_kill_that_came_too_late(stage: Stage) -> None:
    stage.child("decode-0").kill_reason = "cannot be reached"
    stage.child("decode-0").kill_cause = Cause.UNREACHABLE
    told = stage.end("decode-0", status=9).last_exit

    assert told is not None
    assert (told.code, told.cause, told.reason) == (9, Cause.EXIT, "exit status 9")


def test_broker_given_up_ends_the_daemon_with_status_1(stage: Stage) -> None:
    for _ in range(11):
        assert stage.supervisor._failure is None
        stage.passes(2.1)
        stage.end("broker")
        for name in WORKERS:
            if stage.service(name).child is not None:
                stage.end(name)
        stage.passes(0.15)
        stage.say("control", Beat())
        if stage.service("broker").child is not None:
            stage.say("broker", Ready())

    assert stage.supervisor._failure is not None
    assert stage.supervisor._failure.exit_status == 1
    assert stage.deaths("broker") == 11


def test_start_without_room_for_processes_fails_with_71_and_leaves_none(
    runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with set_stage(runtime_directory) as stage:
        monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", stage.spawn)
        original = stage.spawn

        def refuse_workers(module: str, *rest: object) -> object:
            if module == "stages.worker":
                raise OSError(24, "Too many open files")
            return original(module, *rest)  # type: ignore[arg-type]  # passed on as they came

        monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", refuse_workers)
        with pytest.raises(StartupError) as caught:
            stage.supervisor.run()

        assert (caught.value.exit_status, caught.value.reason) == (
            71, "decode-0 cannot be started: Too many open files",
        )  # fmt: skip
        assert stage.supervisor._household.members == []


def test_fault_in_the_loop_leaves_no_process(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [member.child.process for member in stage.supervisor._household.members]
    monkeypatch.setattr(stage.supervisor._household, "start", lambda: None)

    def break_down() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(stage.supervisor, "_turn", break_down)
    with pytest.raises(RuntimeError, match="a bug"):
        stage.supervisor.run()

    assert len(processes) == 5
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 5
