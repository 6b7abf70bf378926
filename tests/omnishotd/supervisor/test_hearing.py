"""What the supervisor believes of whom."""

import select
import time

import msgspec
import pytest

from ipc.causes import Cause
from ipc.channel import UNSENT_MAX
from ipc.messages import Beat, Drained, Examine, Examined, FromChild, Kill, Poisoned, Ready, Retired, Unable, Worn
from omnishotd.supervisor.hearing import MESSAGES_PER_TURN_MAX, STRAYS_MAX
from tests.omnishotd.supervisor.stage import Stage


def test_broker_may_have_a_worker_killed(stage: Stage) -> None:
    stage.say("broker", Kill(stage.service("decode-1").incarnation, "over its time limit", Cause.TIME_LIMIT))

    assert stage.killed() == ["decode-1"]
    assert stage.child("decode-1").kill_reason == "over its time limit"


def test_kill_of_a_process_that_is_no_more_kills_nobody(stage: Stage) -> None:
    stage.say("broker", Kill(999, "over its time limit", Cause.TIME_LIMIT))

    assert stage.killed() == []


@pytest.mark.parametrize(
    "said",
    [
        Kill(1, "I say so", Cause.CRASH),
        Examine(1, "broker", "snapshot"),
        Drained(0),
        Unable("I say so", 1),
        Ready(),
        Beat(),
        Retired(1),
        Poisoned([1]),
        b"garbage",
        msgspec.msgpack.encode(["ready", "x"])[:-1] + b"\xff",
    ],
    ids=lambda said: said[:7].hex() if isinstance(said, bytes) else type(said).__name__,
)
def test_worker_that_says_what_is_not_its_to_say_is_killed_alone(stage: Stage, said: FromChild | bytes) -> None:
    """It decodes hostile bytes: whoever took it over must not reach the daemon through it."""
    stage.say("decode-0", said)

    assert stage.killed() == ["decode-0"]
    assert stage.child("decode-0").kill_cause is Cause.PROTOCOL
    assert stage.supervisor._failure is None


def test_worker_that_says_twice_that_it_is_worn_is_killed(stage: Stage) -> None:
    stage.say("decode-0", Worn("50 frames"))
    stage.say("decode-0", Worn("50 frames"))

    assert stage.killed() == ["decode-0"]


def test_nothing_more_is_heard_of_a_child_that_broke_the_protocol(stage: Stage) -> None:
    child = stage.child("broker")
    voice = stage.voices[child.incarnation]
    for said in (Ready(), Kill(stage.service("decode-0").incarnation, "I say so", Cause.CRASH)):
        voice.send(msgspec.msgpack.encode(said))
    stage.listen("broker", child)
    stage.listen("broker", child)

    assert stage.killed() == ["broker"]


def test_flood_of_one_child_is_taken_in_portions_and_the_others_get_their_turn(stage: Stage) -> None:
    child = stage.child("control")
    voice = stage.voices[child.incarnation]
    voice.setblocking(False)
    sent = 0
    while sent < 10 * MESSAGES_PER_TURN_MAX and select.select([], [voice], [], 0)[1]:
        voice.send(msgspec.msgpack.encode(Beat()))
        sent += 1
    assert sent > MESSAGES_PER_TURN_MAX
    stage.listen("control", child)

    assert _lying(child.channel.fileno())
    for _ in range(sent // MESSAGES_PER_TURN_MAX):
        stage.listen("control", child)
    assert not _lying(child.channel.fileno())
    assert stage.killed() == []


def test_all_that_a_child_said_before_it_ended_is_heard(stage: Stage) -> None:
    child = stage.child("broker")
    voice = stage.voices[child.incarnation]
    for _ in range(MESSAGES_PER_TURN_MAX + 1):
        voice.send(msgspec.msgpack.encode(Beat()))
    voice.send(
        msgspec.msgpack.encode(Kill(stage.child("decode-0").incarnation, "over its time limit", Cause.TIME_LIMIT))
    )
    stage.end("broker")

    assert stage.service("decode-0").child is not None
    assert stage.child("decode-0").kill_cause is Cause.TIME_LIMIT


def _lying(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_worker_that_answers_again_and_again_what_nobody_asked_is_killed(stage: Stage) -> None:
    for number in range(STRAYS_MAX):
        stage.say("decode-0", Examined(number, "decode-0"))
    assert stage.killed() == []
    stage.say("decode-0", Examined(99, "decode-0"))

    assert stage.killed() == ["decode-0"]


def test_child_that_does_not_read_is_killed_and_keeps_the_supervisor_from_nothing(stage: Stage) -> None:
    began_s = time.monotonic()
    for number in range(2 * UNSENT_MAX):
        stage.supervisor._household.tell(stage.service("decode-0"), Examine(number, "decode-0", "trim"))

    assert time.monotonic() - began_s < 5.0
    stage.see_end("decode-0", stage.child("decode-0"))
    assert stage.killed() == []
