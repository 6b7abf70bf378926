"""What a producer sees: the delivery rules of the protocol, one test each."""

import pytest

from ipc.errors import ErrorCode
from ipc.messages import Fault
from omnishotd.broker import plan
from omnishotd.broker.frame import InvariantError
from tests.omnishotd.broker.rig import CAMERA, LAYOUTS, MS, OTHER, PLAIN, Rig, full_rig, header, make_settings, picture

# ---- one reply


def test_frame_is_answered_with_its_pictures_to_its_sender() -> None:
    rig = Rig(make_settings(LAYOUTS[3]))
    rig.submit("f", picture(100), [PLAIN, PLAIN])
    rig.now_us += 9 * MS
    rig.finish()

    [told] = rig.told
    assert told.sender == CAMERA
    assert told.pictures == [b"picture 0", b"picture 1"]
    assert told.header["input"] == {"format": "jpeg", "width": 100, "height": 100, "bytes": len(picture(100))}
    assert told.header["timing_us"] == {"queue": 0, "decode": 7, "transform": 0, "encode": 14, "total": 9 * MS}
    assert told.header["attempts"] == 1


def test_time_in_the_queue_ends_when_work_begins() -> None:
    rig = full_rig()
    rig.submit("f")
    rig.now_us += 3 * MS
    rig.finish()

    assert rig.told[-1].header["timing_us"]["queue"] == 3 * MS


def test_message_without_frames_is_counted_and_gets_no_reply() -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [], rig.now_us)

    assert rig.told == []
    assert (rig.flow.account.malformed, rig.flow.account.received) == (1, 0)


def test_header_that_cannot_be_read_is_answered_without_an_id() -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [b"\xc1", picture()], rig.now_us)

    assert rig.replies("") == ["BAD_REQUEST"]
    assert rig.flow.account.rejected == 1


def test_message_of_too_many_parts_is_refused() -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [header("f"), picture(), b""], rig.now_us)

    assert rig.replies("f") == ["BAD_REQUEST"]


def test_fault_of_our_own_over_a_request_is_answered_and_logged_and_harms_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    with monkeypatch.context() as patched:
        patched.setattr(plan, "probe", lambda *_: [].pop())
        rig.submit("f")
    rig.submit("g")
    rig.finish()

    assert (rig.replies("f"), rig.replies("g")) == (["INTERNAL"], ["ok"])
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [IndexError]
    rig.flow.check()


def test_message_without_a_payload_is_refused() -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [header("f")], rig.now_us)

    assert rig.replies("f") == ["BAD_REQUEST"]


@pytest.mark.parametrize("op", ["ping", "info"])
def test_question_about_the_daemon_is_answered_and_no_frame(op: str) -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [header("q", op=op)], rig.now_us)

    assert rig.told[0].header["epoch"] == "0123456789abcdef"
    assert rig.told[0].id == "q"
    assert rig.flow.account.received == 0


def test_info_lists_presets_limits_and_formats() -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [header("q", op="info")], rig.now_us)

    told = rig.told[0].header
    assert told["presets"] == ["thumbnail"]
    assert told["limits"]["max_frame_bytes"] == rig.settings.frames.max_frame_bytes
    assert "jpeg" in told["formats"]["in"]
    assert "jpeg" in told["formats"]["out"]
    assert "resize" in told["operations"]


# ---- queue policies


def test_full_queue_refuses_with_a_hint() -> None:
    rig = full_rig(queue_limit=1)
    rig.submit("waits")
    rig.submit("f")

    assert rig.replies("f") == ["BUSY"]
    assert rig.told[-1].header["retry_after_ms"] >= 1


def test_drop_oldest_answers_its_stream_s_oldest_and_queues_the_new() -> None:
    rig = full_rig(queue_limit=2)
    for name in ("old", "newer", "newest"):
        rig.submit(name, stream="left", on_full="drop_oldest")
    assert rig.replies("old") == ["DROPPED"]
    rig.finish()

    assert rig.replies("newer") == rig.replies("newest") == ["ok"]


def test_latest_leaves_one_waiting_frame_of_its_stream_and_all_of_others() -> None:
    rig = full_rig()
    rig.submit("right", stream="right")
    for name in ("one", "two", "three"):
        rig.submit(name, stream="left", on_full="latest")

    assert {told.id: told.code for told in rig.told} == {"one": "DROPPED", "two": "DROPPED"}
    assert rig.flow.schedule.count == 2


def test_latest_does_not_touch_the_frame_in_work() -> None:
    rig = Rig(make_settings(max_concurrent_jobs=1))
    rig.submit("working", stream="left", on_full="latest")
    rig.submit("next", stream="left", on_full="latest")
    rig.finish()

    assert rig.replies("working") == rig.replies("next") == ["ok"]


# ---- deadlines


def test_frame_whose_deadline_passes_while_it_waits_is_never_started() -> None:
    rig = full_rig()
    rig.submit("f", deadline_ms=100)
    rig.wait(100 * MS)
    assert rig.replies("f") == ["EXPIRED"]
    rig.finish()

    assert len(rig.written) == 1
    assert rig.replies("f") == ["EXPIRED"]


def test_frame_whose_deadline_passes_in_work_is_answered_at_that_moment() -> None:
    rig = Rig()
    rig.submit("f", deadline_ms=100)

    assert rig.flow.next_us() == rig.now_us + 100 * MS
    rig.wait(100 * MS - 1)
    assert rig.told == []
    rig.wait(1)
    assert rig.replies("f") == ["EXPIRED"]
    rig.finish()
    assert rig.replies("f") == ["EXPIRED"]


def test_frame_whose_deadline_passes_between_two_stages_goes_no_further() -> None:
    rig = Rig(make_settings(("decode", "transform", "encode"), workers=1), hire=False)
    rig.hire("decode")
    rig.submit("f", deadline_ms=100)
    rig.answer(rig.held[0])
    rig.wait(100 * MS)
    rig.hire("transform")
    rig.work()

    assert rig.replies("f") == ["EXPIRED"]
    assert not rig.held
    assert rig.allocator.figures().used_bytes == 0


def test_deadline_of_the_configuration_holds_where_none_was_given() -> None:
    rig = Rig(make_settings(queue_timeout_ms=50), hire=False)
    rig.submit("f")
    rig.wait(50 * MS)

    assert rig.replies("f") == ["EXPIRED"]


# ---- who is next


def test_higher_priority_overtakes_what_waits() -> None:
    rig = full_rig()
    rig.submit("low", priority=0)
    rig.submit("high", priority=9)
    rig.finish()

    assert [told.id for told in rig.told] == ["working", "high", "low"]


def test_one_producer_s_many_frames_do_not_hold_up_another_s_single_one() -> None:
    rig = full_rig(queue_limit=20)
    for number in range(10):
        rig.submit(f"many-{number}")
    rig.submit("single", sender=OTHER)
    rig.finish()

    assert [told.id for told in rig.told].index("single") == 2


def test_frames_in_work_are_never_more_than_allowed_and_abandoned_ones_count() -> None:
    rig = Rig(make_settings(max_concurrent_jobs=2))
    for name in "abc":
        rig.submit(name)
    rig.cancel("a")

    assert rig.flow.ledger.working == 2
    assert rig.flow.schedule.count == 1


# ---- drain


def test_draining_flow_finishes_what_it_accepted_and_refuses_the_rest() -> None:
    rig = full_rig()
    rig.submit("waits")
    rig.flow.drain()
    rig.submit("late")
    assert rig.replies("late") == ["SHUTTING_DOWN"]
    was_idle = rig.flow.is_idle
    rig.finish()

    assert (was_idle, rig.flow.is_idle) == (False, True)
    assert rig.replies("working") == rig.replies("waits") == ["ok"]


def test_request_sent_again_while_the_daemon_drains_still_gets_one_reply() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.flow.drain()
    rig.submit("f", client="cam", sender=OTHER)
    rig.finish()

    assert [(told.sender, told.code) for told in rig.told] == [(OTHER, "ok")]


def test_end_of_the_drain_answers_all_that_is_left_once() -> None:
    rig = full_rig()
    rig.submit("waits")
    rig.flow.drain()

    assert rig.flow.give_up_all(rig.now_us) == 2
    assert rig.flow.is_idle
    rig.finish()
    assert rig.replies("working") == rig.replies("waits") == ["SHUTTING_DOWN"]
    assert rig.allocator.figures().used_bytes == 0
    assert rig.flow.give_up_all(rig.now_us) == 0


# ---- the account


def test_account_counts_each_end_in_its_own_column() -> None:
    rig = Rig(make_settings(max_concurrent_jobs=3, queue_limit=1))
    rig.submit("ok")
    rig.finish()
    for name in ("fails", "is cancelled", "works", "waits", "finds no room"):
        rig.submit(name)
    rig.cancel("is cancelled")
    rig.answer(rig.held[0], Fault(ErrorCode.BAD_IMAGE, "no"))
    account = rig.flow.account

    assert (account.received, account.completed, account.failed, account.rejected) == (6, 1, 1, 1)
    assert (account.cancelled, account.in_flight, rig.flow.schedule.count) == (1, 2, 0)
    assert dict(account.errors) == {"BUSY": 1, "CANCELLED": 1, "BAD_IMAGE": 1}
    rig.flow.check()


def test_account_that_does_not_add_up_is_a_bug_that_is_seen() -> None:
    rig = Rig()
    rig.flow.account.received += 1

    with pytest.raises(InvariantError, match="add up"):
        rig.flow.check()


def test_hint_when_to_come_back_follows_the_pace_of_the_work() -> None:
    rig = full_rig(queue_limit=4)
    for turn in range(60):
        rig.submit(f"turn-{turn}")
        rig.now_us += 100 * MS
        while len(rig.told) <= turn:
            rig.answer(rig.held[0])
    for number in range(5):
        rig.submit(f"fill-{number}")

    assert rig.told[-1].code == "BUSY"
    assert 150 <= rig.told[-1].header["retry_after_ms"] <= 200


def test_worker_that_was_never_announced_is_of_no_consequence_when_it_dies() -> None:
    rig = Rig()
    rig.flow.gone(999, "SIGKILL", rig.now_us)

    assert rig.told == []


def test_nothing_to_wait_for_has_no_time() -> None:
    assert Rig().flow.next_us() is None


def test_payload_bytes_are_those_of_all_requests_to_process_refused_ones_included() -> None:
    rig = Rig(make_settings(frames={"max_frame_bytes": 4000}))
    rig.submit("f", picture(64))
    rig.submit("is too large", bytes(5000))
    rig.flow.receive(CAMERA, [header("has two"), b"123", b"45"], rig.now_us)
    rig.flow.receive(CAMERA, [header("has none")], rig.now_us)
    rig.flow.receive(CAMERA, [header("q", op="ping"), b"67"], rig.now_us)
    rig.flow.receive(CAMERA, [b"\xc1", b"89"], rig.now_us)

    assert rig.flow.account.payload_bytes == len(picture(64)) + 5000 + 5
