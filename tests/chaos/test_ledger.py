"""The ledger sees each fault in a history that was made to hold it, and none in one that holds none."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.history import Answered, Asked, Ended, Happening, HistoryReader, HistoryWriter, Unanswered
from tests.chaos.ledger import Silence, Tally, settle


def asked(request: str, at_s: float = 0.0, link: int = 1) -> Asked:
    return Asked(at_s=at_s, request=request, link=link)


def answered(
    request: str, at_s: float = 1.0, link: int = 1, *, code: str = "ok", trace: str = "t-1", fault: str = ""
) -> Answered:
    return Answered(at_s=at_s, request=request, link=link, code=code, trace=trace, fault=fault)


def settled(*events: Happening) -> Tally:
    """Settle the history of one producer that ends in order."""
    return settle({"p": [*events, Ended(at_s=9.0)]})


def faults(tally: Tally) -> Sequence[Sequence[str]]:
    return tally.lost, tally.duplicated, tally.unexpected, tally.wrong, tally.broken


def test_request_that_is_answered_once_is_clean() -> None:
    tally = settled(asked("a"), answered("a"))

    assert tally.is_clean
    assert (tally.submitted, tally.ok, tally.availability) == (1, 1, 1.0)
    assert not any(faults(tally))


def test_request_that_is_never_answered_is_lost() -> None:
    tally = settled(asked("a"), answered("a"), asked("b"), Unanswered(at_s=5.0, request="b"), asked("b", 5.0))

    assert tally.lost == ["p/b"]
    assert not tally.is_clean
    assert tally.asked_again == 1
    assert tally.recovered == []


def test_request_that_is_answered_only_after_a_time_limit_is_recovered_and_not_lost() -> None:
    tally = settled(asked("a"), Unanswered(at_s=5.0, request="a"), asked("a", 5.0), answered("a", 5.1))

    assert tally.recovered == ["p/a"]
    assert tally.is_clean


@pytest.mark.parametrize("code", ["BUSY", "RATE_LIMITED", "CANCELLED"])
def test_request_that_is_only_put_off_is_lost(code: str) -> None:
    tally = settled(asked("a"), answered("a", code=code))

    assert tally.lost == ["p/a"]
    assert tally.put_off == {code: 1}


def test_request_that_is_put_off_and_then_answered_is_clean() -> None:
    tally = settled(asked("a", 1.0), answered("a", 1.5, code="BUSY"), asked("a", 2.0), answered("a", 3.0))

    assert tally.is_clean
    assert tally.slowest_s == 2.0


def test_final_error_is_counted_by_its_code_and_not_lost() -> None:
    tally = settled(asked("a"), answered("a"), asked("b"), answered("b", code="TIMEOUT", trace=""))

    assert tally.is_clean
    assert tally.errors == {"TIMEOUT": 1}
    assert tally.availability == 0.5


def test_second_reply_to_what_was_asked_once_is_duplicated() -> None:
    tally = settled(asked("a"), answered("a"), answered("a", 2.0))

    assert tally.duplicated == ["p/a (ok, ok on connection 1)"]
    assert not tally.is_clean
    assert tally.ok == 1


def test_error_after_a_good_reply_is_duplicated() -> None:
    assert settled(asked("a"), answered("a"), answered("a", 2.0, code="EXPIRED", trace="")).duplicated


def test_same_reply_to_each_of_two_askings_is_clean() -> None:
    assert settled(asked("a"), asked("a"), answered("a"), answered("a", 2.0)).is_clean


def test_one_reply_to_two_askings_that_were_joined_is_clean() -> None:
    assert settled(asked("a"), asked("a"), answered("a")).is_clean


def test_two_executions_of_a_request_asked_twice_on_one_connection_are_duplicated() -> None:
    tally = settled(asked("a"), asked("a"), answered("a", trace="t-1"), answered("a", trace="t-2"))

    assert len(tally.duplicated) == 1


def test_execution_anew_after_a_code_that_frees_the_name_is_clean() -> None:
    tally = settled(
        asked("a"), answered("a", code="INTERNAL", trace=""), asked("a", 2.0), answered("a", 3.0, trace="t-2")
    )

    assert tally.is_clean
    assert tally.errors == {"INTERNAL": 1}, "the first final reply is the request's end"


def test_reply_to_what_was_never_asked_is_unexpected() -> None:
    tally = settled(asked("a"), answered("a"), answered("b"))

    assert tally.unexpected == ["p/b (ok on connection 1)"]
    assert not tally.is_clean
    assert tally.submitted == 1


def test_reply_on_a_connection_where_it_was_not_asked_is_unexpected() -> None:
    tally = settled(asked("a"), answered("a"), asked("b", 2.0, 2), answered("b", 3.0, 2), answered("a", 3.0, 2))

    assert tally.unexpected == ["p/a (ok on connection 2)"]


def test_reply_to_another_producer_s_request_is_unexpected() -> None:
    tally = settle({"p": [asked("a"), Ended(at_s=9.0)], "q": [answered("a"), Ended(at_s=9.0)]})

    assert tally.unexpected == ["q/a (ok on connection 1)"]
    assert tally.lost == ["p/a"]


def test_request_that_is_asked_again_after_a_lost_connection_is_clean() -> None:
    assert settled(asked("a"), asked("a", 2.0, 2), answered("a", 3.0, 2, trace="t-9")).is_clean


def test_picture_of_another_frame_is_wrong() -> None:
    tally = settled(asked("a"), answered("a", fault="the picture of 7 in place of 8"))

    assert tally.wrong == ["p/a: the picture of 7 in place of 8"]
    assert not tally.is_clean


def test_producer_that_did_not_end_in_order_is_broken() -> None:
    tally = settle({"p": [asked("a"), answered("a")]})

    assert tally.broken == ["p"]
    assert not tally.is_clean


def test_replies_that_a_library_ignored_without_a_reason_are_duplicated() -> None:
    history: list[Happening] = [asked("a"), answered("a")]

    assert settle({"p": [*history, Ended(at_s=9.0, ignored=2, ignored_max=2)]}).is_clean
    assert settle({"p": [*history, Ended(at_s=9.0, ignored=3, ignored_max=2)]}).duplicated


def test_run_without_any_request_is_not_clean() -> None:
    assert not settled().is_clean
    assert settled().silence == Silence()


def test_longest_silence_is_told_of_each_producer_and_of_all_together() -> None:
    one: list[Happening] = [asked("a", 10.0), answered("a", 11.0), asked("b", 11.0), answered("b", 15.0)]
    other: list[Happening] = [asked("a", 10.5), answered("a", 13.0), asked("b", 13.0), answered("b", 14.0)]
    tally = settle({"one": one, "other": other})

    assert tally.silences == {"one": Silence(4.0, 1.0), "other": Silence(2.5, 0.5)}
    assert tally.silence == Silence(2.0, 1.0)


def test_errors_do_not_break_a_silence_and_the_end_of_the_asking_counts() -> None:
    tally = settled(asked("a", 0.0), answered("a", 1.0), asked("b", 7.0), answered("b", 7.5, code="TIMEOUT", trace=""))

    assert tally.silence == Silence(6.0, 1.0)


def test_history_is_read_as_it_was_written_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    reader, writer = HistoryReader(path), HistoryWriter(path)
    events: list[Happening] = [asked("a"), answered("a"), Unanswered(at_s=2.0, request="b"), Ended(at_s=3.0, ignored=1)]
    writer.add(events[0])
    assert reader.read() == events[:1]
    for event in events[1:]:
        writer.add(event)
    writer.close()

    assert reader.read() == events[1:]
    assert reader.read() == []
    reader.close()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    whole, written = tmp_path / "whole.jsonl", asked("a")
    writer = HistoryWriter(whole)
    writer.add(written)
    writer.close()
    line = whole.read_bytes()
    reader = HistoryReader(path)
    path.write_bytes(line[:10])
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(line[10:])

    assert reader.read() == [written]
    reader.close()
