"""An operator's question on its way to a process and back."""

from ipc.messages import Examine, Examined, Worn
from omnishotd.supervisor.lifecycle import ServiceEvent
from tests.omnishotd.supervisor.stage import Stage


def test_question_of_the_control_plane_reaches_its_service_and_the_answer_comes_back_once(stage: Stage) -> None:
    stage.say("control", Examine(7, "decode-0", "trim"))
    assert stage.hear("decode-0") == Examine(7, "decode-0", "trim")
    assert stage.hear("decode-1") is None

    answer = Examined(7, "decode-0", rss_before_bytes=9, rss_after_bytes=5)
    stage.say("decode-0", answer)
    stage.say("decode-0", answer)
    assert stage.hear("control") == answer
    assert stage.hear("control") is None
    assert stage.killed() == []


def test_answer_of_a_service_that_was_not_asked_reaches_nobody(stage: Stage) -> None:
    stage.say("control", Examine(7, "decode-0", "trim"))
    stage.say("decode-1", Examined(7, "decode-1"))
    stage.say("decode-1", Examined(7, "decode-0"))

    assert stage.hear("control") is None


def test_question_to_nobody_is_answered_at_once(stage: Stage) -> None:
    stage.say("control", Examine(3, "decode-9", "trim"))

    assert stage.hear("control") == Examined(3, "decode-9", fault="is not running")


def test_question_to_a_process_that_ends_is_answered_for_it(stage: Stage) -> None:
    stage.say("control", Examine(3, "decode-0", "snapshot"))
    stage.end("decode-0")

    assert stage.hear("control") == Examined(3, "decode-0", fault="its process ended before it answered")


def test_question_to_the_supervisor_is_answered_by_itself(stage: Stage) -> None:
    stage.say("control", Examine(4, "supervisor", "collect"))

    answer = stage.hear("control")
    assert isinstance(answer, Examined)
    assert (answer.number, answer.service, answer.fault) == (4, "supervisor", "")
    assert answer.rss_after_bytes > 0


def test_questions_without_answer_are_bounded(stage: Stage) -> None:
    for number in range(20):
        stage.say("control", Examine(number, "decode-0", "snapshot"))

    assert stage.hear("control") == Examined(16, "decode-0", fault="too many questions are open")


def test_examination_answered_while_draining_is_no_fault(stage: Stage) -> None:
    stage.say("control", Examine(5, "broker", "snapshot"))
    stage.service("broker").advance(ServiceEvent.ORDER_STOP)
    stage.say("broker", Examined(5, "broker"))

    assert stage.killed() == []
    assert stage.hear("control") == Examined(5, "broker")


def test_question_to_a_worker_that_retires_meanwhile_is_still_answered(stage: Stage) -> None:
    asked = stage.child("decode-0")
    stage.say("control", Examine(6, "decode-0", "snapshot"))
    stage.say("decode-0", Worn("50 frames"))
    stage.passes(0.0)
    stage.become_ready("decode-0")
    assert stage.child("decode-0") is not asked
    stage.say("decode-0", Examined(6, "decode-0"))
    assert stage.hear("control") is None
    stage.say("decode-0", Examined(6, "decode-0", took_ms=3), child=asked)

    assert stage.hear("control") == Examined(6, "decode-0", took_ms=3)
