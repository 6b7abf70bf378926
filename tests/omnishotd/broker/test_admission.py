"""The door's rules, and the order in which they are asked."""

from typing import Any

import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.extents import ExtentAllocator
from ipc.wire import decode_request
from omnishotd.broker.admission import (
    RETRY_AFTER_MS_MAX,
    RETRY_AFTER_MS_MIN,
    Admission,
    Admitted,
    Joined,
    Known,
    Refused,
)
from omnishotd.broker.duplicates import DuplicateWindow
from omnishotd.broker.frame import Sender
from omnishotd.broker.plan import Planner, compile_presets
from omnishotd.broker.quarantine import Quarantine
from omnishotd.broker.replies import Reply
from omnishotd.broker.schedule import Schedule
from tests.omnishotd.broker.rig import ARENA_BYTES, CAMERA, MS, OTHER, PLAIN, START_US, header, make_settings, picture


class Door:
    """An admission and the queue and window it asks."""

    def __init__(self, queue_limit: int = 2, queue_max_bytes: int = 4 << 20, **frames: Any) -> None:
        settings = make_settings(frames=frames, queue_limit=queue_limit, queue_max_bytes=queue_max_bytes)
        self.schedule = Schedule(queue_limit, queue_max_bytes)
        self.window = DuplicateWindow()
        planner = Planner(settings.frames, compile_presets(settings.presets), {}, ExtentAllocator(ARENA_BYTES))
        self.quarantine = Quarantine()
        self.admission = Admission(settings, self.schedule, self.window, self.quarantine, planner, "trace")

    def knock(
        self,
        request_id: str = "f",
        payload: bytes | None = None,
        *,
        sender: Sender = CAMERA,
        interval_us: int = 5_000,
        **keys: Any,
    ) -> Admitted | Joined | Known:
        request = decode_request(header(request_id, **keys))
        return self.admission.admit(sender, request, picture() if payload is None else payload, START_US, interval_us)

    def admit(self, request_id: str = "f", payload: bytes | None = None, **keys: Any) -> Admitted:
        """Knock, and queue what is admitted as the flow does."""
        decision = self.knock(request_id, payload, **keys)
        assert isinstance(decision, Admitted)
        self.window.admit(decision.frame)
        self.schedule.push(decision.frame)
        return decision

    def fault(self, *arguments: Any, **keys: Any) -> FrameError:
        with pytest.raises(FrameError) as caught:
            self.knock(*arguments, **keys)
        return caught.value


def test_new_frame_is_admitted_with_its_deadline_and_trace() -> None:
    first = Door().admit(deadline_ms=70).frame

    assert (first.arrived_us, first.deadline_us) == (START_US, START_US + 70 * MS)
    assert first.trace == "trace-1"
    assert first.producer == CAMERA.peer.id


def test_frame_without_a_deadline_gets_the_queue_s() -> None:
    assert Door().admit().frame.deadline_us == START_US + 30_000 * MS


def test_admission_that_only_looks_changes_nothing() -> None:
    door = Door()
    door.knock()

    assert isinstance(door.knock(), Admitted)
    assert door.schedule.count == 0


def test_same_request_in_flight_is_joined_whatever_does_not_make_it_another() -> None:
    door = Door()
    frame = door.admit(priority=1, deadline_ms=5, on_full="latest", stream="left").frame

    assert door.knock(priority=9, deadline_ms=600, on_full="reject", stream="right") == Joined(frame)


@pytest.mark.parametrize(
    ("payload", "keys"),
    [
        (picture(64, b"other"), {}),
        (None, {"outputs": [PLAIN]}),
        (None, {"preset": "thumbnail"}),
        (bytes(12), {"input": {"format": "raw", "width": 2, "height": 2, "layout": "RGB"}}),
    ],
    ids=["payload", "outputs", "preset", "input"],
)
def test_same_id_for_anything_else_is_a_conflict(payload: bytes | None, keys: dict[str, Any]) -> None:
    door = Door()
    door.admit()
    error = door.fault("f", payload, **keys)

    assert error.code is ErrorCode.CONFLICT
    assert error.message.startswith("id: 'f'")


def test_same_id_of_another_connection_is_another_frame_unless_the_client_is_named() -> None:
    door = Door(queue_limit=9)
    door.admit()
    assert isinstance(door.knock(sender=OTHER), Admitted)
    door.admit("g", client="cam")

    assert isinstance(door.knock("g", sender=OTHER, client="cam"), Joined)
    assert isinstance(door.knock("g", sender=OTHER, client="other"), Admitted)


def test_answered_request_is_known() -> None:
    door = Door()
    frame = door.admit().frame
    door.schedule.remove(frame)
    reply = Reply(b"header", (), 6)
    door.window.close(frame, reply, None, START_US)

    assert door.knock() == Known(reply)


def test_full_queue_is_busy_and_says_how_full_and_when_to_come_back() -> None:
    door = Door()
    door.admit("a")
    door.admit("b")
    error = door.fault(interval_us=50_000)

    assert isinstance(error, Refused)
    assert error.code is ErrorCode.BUSY
    assert "2 of 2 frames" in error.message
    assert error.retry_after_ms == 2 * 50 // 2


@pytest.mark.parametrize(("interval_us", "told"), [(0, RETRY_AFTER_MS_MIN), (10**9, RETRY_AFTER_MS_MAX)])
def test_hint_when_to_come_back_is_bounded(interval_us: int, told: int) -> None:
    door = Door()
    door.admit("a")
    door.admit("b")
    error = door.fault(interval_us=interval_us)

    assert isinstance(error, Refused)
    assert error.retry_after_ms == told


def test_full_queue_takes_a_request_that_is_in_it_already() -> None:
    door = Door(queue_limit=1)
    frame = door.admit().frame

    assert door.knock() == Joined(frame)


def test_latest_names_its_victims_and_leaves_them_to_the_caller() -> None:
    door = Door()
    old = door.admit("old", stream="left").frame
    admitted = door.knock("new", stream="left", on_full="latest")

    assert isinstance(admitted, Admitted)
    assert admitted.room.victims == (old,)
    assert door.schedule.count == 1


def test_frame_that_is_refused_for_its_picture_costs_no_victim() -> None:
    door = Door()
    door.admit("old", stream="left")

    assert door.fault("new", b"no picture", stream="left", on_full="latest").code is ErrorCode.UNSUPPORTED_FORMAT
    assert door.schedule.count == 1


def test_payload_over_max_frame_bytes_is_too_large_even_when_the_queue_is_full() -> None:
    door = Door(queue_limit=1, max_frame_bytes=5_000)
    door.admit()
    error = door.fault("g", bytes(5_001))

    assert error.code is ErrorCode.TOO_LARGE
    assert error.message == "payload: 5001 bytes, at most 5000 are taken"


def test_message_without_a_picture_is_refused() -> None:
    door = Door()
    with pytest.raises(FrameError) as caught:
        door.admission.admit(CAMERA, decode_request(header("f")), None, START_US, 5_000)

    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.message.startswith("payload: ")


def test_producer_over_its_rate_is_refused_with_the_time_to_wait_and_others_are_not() -> None:
    door = Door(queue_limit=99, rate_per_second=10)
    for number in range(10):
        door.admit(str(number))
    error = door.fault("late")

    assert isinstance(error, Refused)
    assert (error.code, error.retry_after_ms) == (ErrorCode.RATE_LIMITED, 100)
    assert isinstance(door.knock("late", sender=OTHER), Admitted)


def test_draining_door_refuses_what_is_new() -> None:
    door = Door()
    door.admission.is_draining = True

    assert door.fault().code is ErrorCode.SHUTTING_DOWN


def test_draining_door_still_knows_what_was_answered() -> None:
    door = Door()
    frame = door.admit().frame
    door.schedule.remove(frame)
    reply = Reply(b"header", (), 6)
    door.window.close(frame, reply, None, START_US)
    door.admission.is_draining = True

    assert door.knock() == Known(reply)


def test_payload_in_quarantine_is_refused_under_any_name_and_request() -> None:
    door = Door(queue_limit=9)
    frame = door.admit().frame
    door.quarantine.add(frame.payload_digest, START_US)

    assert door.fault("any", outputs=[PLAIN]).code is ErrorCode.POISON
    assert isinstance(door.knock("any", picture(64, b"other")), Admitted)


@pytest.mark.parametrize("what", ["drain", "rate"])
def test_request_in_flight_is_joined_even_when_nothing_new_is_taken(what: str) -> None:
    """A refusal would be its second final reply."""
    door = Door(queue_limit=99, rate_per_second=10)
    frame = door.admit().frame
    if what == "drain":
        door.admission.is_draining = True
    else:
        for number in range(9):
            door.knock(str(number))

    assert door.knock() == Joined(frame)
