"""One execution and one final reply for each request: what is sent again, and what is taken back."""

from tests.omnishotd.broker.rig import MS, OTHER, Rig, bad_image, full_rig, make_sender, picture

# ---- duplicates


def test_same_request_in_flight_is_executed_once_and_answered_once_to_the_connection_that_sent_last() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.submit("f", client="cam", sender=OTHER)
    rig.finish()

    assert [(told.sender, told.code) for told in rig.told] == [(OTHER, "ok")]
    assert len(rig.written) == 1


def test_same_request_while_it_waits_is_joined_too() -> None:
    rig = full_rig()
    rig.submit("f", client="cam")
    rig.submit("f", client="cam", sender=OTHER)
    rig.finish()

    assert rig.replies("f") == ["ok"]
    assert rig.told[-1].sender == OTHER


def test_same_request_after_its_reply_gets_the_same_reply_without_being_executed() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.finish()
    rig.submit("f", client="cam", sender=make_sender(b"again", has_delimiter=True))

    first, second = rig.told
    assert second.header == first.header
    assert second.pictures == first.pictures
    assert second.sender.has_delimiter
    assert not rig.held
    assert rig.flow.account.received == 1


def test_frame_that_failed_for_good_keeps_its_id() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.answer(rig.held[0], bad_image())
    rig.submit("f", client="cam")

    assert rig.replies("f") == ["BAD_IMAGE", "BAD_IMAGE"]
    assert not rig.held


def test_id_with_other_bytes_is_a_conflict_and_leaves_the_first_alone() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.submit("f", picture(64, b"other"), client="cam")
    rig.finish()

    assert rig.replies("f") == ["CONFLICT", "ok"]


def test_id_is_free_again_after_a_code_that_frees_it() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.cancel("f", client="cam")
    rig.submit("f", picture(64, b"other"), client="cam")
    rig.finish()

    assert rig.replies("f") == ["CANCELLED", "ok"]


def test_id_is_executed_anew_120_seconds_after_its_reply() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.finish()
    rig.wait(120_001 * MS)
    rig.submit("f", client="cam")

    assert len(rig.held) == 1


# ---- cancel


def test_cancel_of_a_waiting_frame_answers_it_and_takes_it_out() -> None:
    rig = full_rig()
    rig.submit("f")
    rig.cancel("f")
    rig.finish()

    assert rig.replies("f") == ["CANCELLED"]
    assert len(rig.written) == 1
    assert (rig.flow.account.cancelled, rig.flow.account.failed) == (1, 0)


def test_cancel_of_a_frame_in_work_answers_it_at_once_and_throws_the_result_away() -> None:
    rig = Rig()
    rig.submit("f")
    rig.cancel("f")
    assert rig.replies("f") == ["CANCELLED"]
    rig.finish()

    assert rig.replies("f") == ["CANCELLED"]
    assert rig.wait(60_000 * MS) == [], "no worker is killed for it"


def test_cancel_of_an_unknown_or_answered_id_is_ignored() -> None:
    rig = Rig()
    rig.submit("f")
    rig.finish()
    rig.cancel("f")
    rig.cancel("nobody")

    assert [told.code for told in rig.told] == ["ok"]
    assert rig.flow.account.received == 1


def test_cancel_of_another_client_s_id_is_ignored() -> None:
    rig = Rig()
    rig.submit("f", client="cam")
    rig.cancel("f", client="stranger")
    rig.cancel("f", sender=OTHER)

    assert rig.told == []
