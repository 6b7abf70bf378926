"""What a worker's death, or its time limit, means for the frames in its hands."""

import pytest

from ipc.events import EventKind
from ipc.messages import Decode, Transform
from omnishotd.broker.quarantine import AGE_US_MAX
from tests.omnishotd.broker.rig import (
    LAYOUTS,
    MS,
    PLAIN,
    RAW_IN,
    RAW_OUT,
    SMALLER,
    Held,
    Rig,
    make_settings,
    picture,
    used_bytes,
)

# ---- deaths


def test_death_of_a_worker_costs_a_retry_under_a_new_lease_with_the_payload_written_again() -> None:
    rig = Rig()
    rig.submit("f", payload := picture(64, b"mark"))
    first = rig.held[0]
    rig.die(first.worker)

    assert [data for _, data in rig.written] == [payload] * 2
    assert rig.written[1][0] == rig.held[0].task.steps[0].source
    assert rig.held[0].task.lease != first.task.lease
    assert rig.flow.account.retried == 1
    rig.finish()
    assert rig.replies("f") == ["ok"]
    assert rig.told[0].header["attempts"] == 2


def test_death_while_transforming_begins_again_with_decoding() -> None:
    """What it read from may be spoiled as well as what it wrote to."""
    rig = Rig()
    rig.submit("f", payload := picture())
    rig.answer(rig.held[0])
    assert isinstance(rig.held[0].task.steps[0], Transform)
    rig.die(rig.held[0].worker)

    assert isinstance(rig.held[0].task.steps[0], Decode)
    assert [data for _, data in rig.written] == [payload] * 2
    rig.finish()
    assert rig.replies("f") == ["ok"]
    assert rig.told[0].header["timing_us"]["decode"] == 7, "what came to nothing is not counted"


def test_death_with_one_output_waits_for_the_other_s_worker_and_then_makes_both_again() -> None:
    rig = Rig()
    rig.submit("f", outputs=[SMALLER, RAW_OUT])
    rig.answer(rig.held[0])
    dead, living = rig.held
    assert dead.worker is not living.worker
    rig.die(dead.worker)
    assert rig.held == [living], "its pixels are not touched while somebody reads them"
    rig.answer(living)

    assert [type(step) for held in rig.held for step in held.task.steps] == [Decode]
    rig.finish()
    assert rig.replies("f") == ["ok"]
    assert len(rig.told[0].pictures) == 2
    assert used_bytes(rig) == 0


def test_frame_to_be_made_again_goes_before_all_that_wait_for_room() -> None:
    rig = Rig(make_settings(), arena_bytes=60 << 10)
    rig.submit("f", outputs=[PLAIN, RAW_OUT])
    rig.answer(rig.held[0])
    dead, living = rig.held
    rig.submit("large", picture(128), [PLAIN])
    assert rig.flow.schedule.count == 1, "it has no room beside the other"
    rig.die(dead.worker)
    rig.answer(living)

    assert [held.task.trace for held in rig.held] == ["012345-1"]
    rig.finish()
    assert [told.id for told in rig.told] == ["f", "large"]


def rig_without_room_for_what_is_made_again() -> Rig:
    """One frame is called back; another has taken the room of its payload, which was read already."""
    rig = Rig(make_settings(workers=1), arena_bytes=20 << 10)
    rig.submit("again", outputs=[PLAIN])
    rig.answer(rig.held[0])
    lines = (rig.allocator.figures().largest_free_bytes - 1000) // 300
    rig.submit("other", bytes(lines * 300), [RAW_OUT], input={**RAW_IN, "width": 100, "height": lines})
    again, _ = rig.held
    rig.die(again.worker)
    assert [held.task.trace for held in rig.held] == ["012345-2"], "it has no room"
    return rig


def test_frame_to_be_made_again_waits_for_room_and_no_other_takes_it() -> None:
    rig = rig_without_room_for_what_is_made_again()
    rig.submit("small", bytes(12), [PLAIN], input={**RAW_IN, "width": 2, "height": 2})
    assert len(rig.held) == 1
    rig.answer(rig.held[0])
    rig.finish()

    assert {told.id: told.code for told in rig.told} == {"other": "ok", "again": "ok", "small": "ok"}
    assert used_bytes(rig) == 0


def test_frame_that_is_cancelled_while_it_waits_to_be_made_again_is_not_made() -> None:
    rig = rig_without_room_for_what_is_made_again()
    rig.cancel("again")
    rig.finish()

    assert {told.id: told.code for told in rig.told} == {"other": "ok", "again": "CANCELLED"}
    assert used_bytes(rig) == 0
    rig.flow.check()


@pytest.mark.parametrize("code", ["CANCELLED", "EXPIRED"])
def test_frame_to_be_made_again_still_has_its_deadline_and_can_be_cancelled(code: str) -> None:
    rig = Rig()
    rig.submit("f", outputs=[SMALLER, RAW_OUT], deadline_ms=1_000)
    rig.answer(rig.held[0])
    dead, living = rig.held
    rig.die(dead.worker)
    if code == "CANCELLED":
        rig.cancel("f")
    else:
        rig.wait(1_001 * MS)
    assert rig.replies("f") == [code]
    rig.answer(living)

    assert rig.replies("f") == [code]
    assert used_bytes(rig) == 0
    rig.flow.check()


def test_death_of_the_other_worker_meanwhile_is_the_second() -> None:
    rig = Rig()
    rig.submit("f", outputs=[SMALLER, RAW_OUT])
    rig.answer(rig.held[0])
    dead, living = rig.held
    rig.die(dead.worker)
    rig.die(living.worker)

    assert rig.replies("f") == ["POISON"]
    assert used_bytes(rig) == 0


def test_second_death_makes_it_poison_and_there_is_no_third() -> None:
    rig = Rig()
    rig.submit("f")
    first, second = rig.held[0].worker, None
    assert rig.die(first) == []
    second = rig.held[0].worker
    [poison] = rig.die(second)

    assert poison.killed == (first.incarnation, second.incarnation)
    assert rig.replies("f") == ["POISON"]
    assert not rig.held
    assert used_bytes(rig) == 0


def test_poison_is_refused_under_another_name_for_a_while_and_then_tried_again() -> None:
    rig = Rig()
    rig.submit("f")
    rig.die(rig.held[0].worker)
    rig.die(rig.held[0].worker)
    rig.submit("g")
    assert rig.replies("g") == ["POISON"]
    rig.wait(AGE_US_MAX)
    rig.submit("h")

    assert rig.replies("h") == []
    assert len(rig.held) == 1


def test_death_with_several_outputs_of_one_frame_in_hand_is_one_death() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("f", outputs=[SMALLER, RAW_OUT, SMALLER])
    rig.answer(rig.held[0])
    assert len(rig.held) == 3, "all in the hands of one worker"
    rig.die(rig.held[0].worker)

    assert rig.replies("f") == []
    assert rig.flow.account.retried == 1
    rig.finish()
    assert rig.replies("f") == ["ok"]
    assert rig.told[0].header["attempts"] == 2


def test_death_blames_only_the_message_that_was_begun() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("begun")
    rig.submit("not begun")
    worker = rig.held[0].worker
    assert [held.worker for held in rig.held] == [worker] * 2
    rig.die(worker)
    rig.finish()

    attempts = {told.id: told.header["attempts"] for told in rig.told}
    assert attempts == {"begun": 2, "not begun": 1}


def test_frames_that_shared_a_message_with_a_death_are_tried_again_each_alone() -> None:
    rig = Rig(make_settings(workers=1), hire=False)
    for name in "abc":
        rig.submit(name)
    worker = rig.hire("decode")
    rig.work()
    assert [held.worker for held in rig.held] == [worker] * 3
    rig.die(worker)

    alone = []
    while any(isinstance(held.task.steps[0], Decode) for held in rig.held):
        decodes = [held for held in rig.held if isinstance(held.task.steps[0], Decode)]
        alone.append(len(decodes))
        rig.answer(decodes[0])
    assert alone == [1, 1, 1]


def test_poison_among_innocents_is_found_and_they_are_finished() -> None:
    rig = Rig(make_settings(workers=1), hire=False)
    for name in ("good", "evil", "fine"):
        rig.submit(name, picture(64, name.encode()))
    for pool in LAYOUTS[0]:
        rig.hire(pool)
    rig.work()

    deaths = 0
    while rig.held:
        decodes = [held for held in rig.held if isinstance(held.task.steps[0], Decode)]
        if any(is_evil(rig, held) for held in decodes):
            rig.die(decodes[0].worker)
            deaths += 1
        else:
            rig.answer(rig.held[0])

    assert deaths == 2
    assert {told.id: told.code for told in rig.told} == {"good": "ok", "evil": "POISON", "fine": "ok"}


def is_evil(rig: Rig, held: Held) -> bool:
    step = held.task.steps[0]
    assert isinstance(step, Decode)
    data = [data for extent, data in rig.written if extent == step.source]
    return data[-1].endswith(b"evil")


def test_raw_pixels_are_written_again_before_a_retry() -> None:
    rig = Rig()
    rig.submit("f", pixels := bytes(range(256)) * 6, [SMALLER], input=RAW_IN)
    rig.die(rig.held[0].worker)

    assert [data for _, data in rig.written] == [pixels, pixels]
    rig.finish()
    assert rig.replies("f") == ["ok"]


def test_death_of_a_worker_that_held_a_frame_already_answered_frees_it_and_says_nothing() -> None:
    rig = Rig()
    rig.submit("f")
    rig.cancel("f")
    rig.die(rig.held[0].worker)

    assert rig.replies("f") == ["CANCELLED"]
    assert used_bytes(rig) == 0
    assert rig.flow.account.retried == 0


# ---- time limits


def test_timeout_is_not_retried() -> None:
    rig = Rig()
    rig.submit("f")
    [overdue] = rig.wait(5_001 * MS)
    rig.die(overdue)

    assert rig.replies("f") == ["TIMEOUT"]
    assert not rig.held


def test_time_limit_is_not_over_at_its_last_microsecond() -> None:
    rig = Rig()
    rig.submit("f")

    assert rig.wait(5_000 * MS) == []
    assert rig.flow.next_us() == rig.now_us + 1
    assert len(rig.wait(1)) == 1


def test_time_limit_of_several_frames_in_one_message_blames_none_and_tries_each_alone() -> None:
    rig = Rig(make_settings(workers=1), hire=False)
    for name in "ab":
        rig.submit(name)
    worker = rig.hire("decode")
    rig.work()

    assert rig.wait(5_001 * MS) == [worker]
    assert rig.told == []
    rig.die(worker)
    assert len(rig.held) == 1
    assert len(rig.wait(5_001 * MS)) == 1
    assert [(told.id, told.code) for told in rig.told] == [("a", "TIMEOUT")]


def test_time_limit_counts_from_the_last_answer() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("one")
    rig.submit("two")
    rig.wait(4_000 * MS)
    rig.answer(rig.held[0])

    assert [worker.pool for worker in rig.wait(4_000 * MS)] == []
    assert {worker.pool for worker in rig.wait(1_001 * MS)} == {0, 1}


def test_worker_over_its_limit_gets_nothing_more() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("one")
    rig.wait(5_001 * MS)
    rig.submit("two")

    assert [held.task.trace for held in rig.held] == ["012345-1"]


def test_answer_of_a_condemned_worker_that_comes_before_its_death_counts() -> None:
    rig = Rig(make_settings(workers=1), hire=False)
    for name in "ab":
        rig.submit(name)
    for pool in LAYOUTS[0]:
        rig.hire(pool)
    rig.work()
    [worker] = rig.wait(5_001 * MS)
    rig.answer(rig.held[0])
    rig.die(worker)
    rig.finish()

    assert rig.replies("a") == rig.replies("b") == ["ok"]
    assert {told.id: told.header["attempts"] for told in rig.told} == {"a": 1, "b": 2}


# ---- events


def test_quarantine_is_an_event_that_names_the_worker_that_died_last() -> None:
    rig = Rig()
    rig.submit("f")
    rig.die(rig.held[0].worker)
    assert rig.flow.events.latest == []
    last = rig.held[0].worker
    rig.die(last)
    rig.submit("again")

    [event] = rig.flow.events.latest
    assert (event.event, event.service) == (EventKind.QUARANTINED, last.service)
    assert event.detail == "012345-1: 2 workers died with this frame in their hands, the last by SIGKILL"
