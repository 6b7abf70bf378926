"""What canaries find: stages that make nothing of them, workers that die or stop, pools without workers."""

import pytest

from ipc.errors import ErrorCode
from ipc.messages import Answer, Encode, Encoded, Fault
from tests.omnishotd.broker.canaries import (
    POOL_LIMIT_US,
    TIMEOUT_US,
    canary_of,
    canary_rig,
    passed_pools,
    verdicts,
)
from tests.omnishotd.broker.rig import LAYOUTS, MS, START_US, picture_of, used_bytes


def test_canary_that_came_back_is_told_with_its_time() -> None:
    rig = canary_rig()
    told = rig.flow.canary.figures()
    assert (told.passed, told.passed_at_s, told.sent_at_s) == (0, None, START_US / 1e6)
    rig.now_us += 7 * MS
    passed_pools(rig)
    told = rig.flow.canary.figures()

    assert (told.passed, told.failed, told.fault) == (1, 0, "")
    assert (told.took_us, told.passed_at_s) == (7 * MS, rig.now_us / 1e6)
    assert (told.waits_for, told.sent_at_s) == ("", None)


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (b"nonsense", "encode: what came back is no picture: "),
        (picture_of(16, 24), "encode: what came back has 16 x 24 pixels"),
    ],
    ids=["no picture", "other size"],
)
def test_canary_of_which_something_else_came_back_has_failed(data: bytes, flaw: str) -> None:
    rig = canary_rig()
    rig.answer(canary_of(rig))
    rig.answer(canary_of(rig))
    held = canary_of(rig)
    step = held.task.steps[0]
    assert isinstance(step, Encode)
    said = Encoded(0, "jpeg", step.geometry.width, step.geometry.height, 80)
    rig.say(held, Answer(held.task.lease, [7], [said]), [data])

    assert rig.flow.canary.figures().fault.startswith(flaw)
    assert verdicts(rig) == (0, 1)
    assert rig.flow.canary.verdict is False
    assert used_bytes(rig) == 0


def test_fault_of_a_stage_is_told_with_its_pool_in_printable_words_that_fit_and_the_next_canary_forgets_it() -> None:
    rig = canary_rig()
    rig.answer(canary_of(rig))
    rig.answer(canary_of(rig), Fault(ErrorCode.INTERNAL, "no\n" + "long" * 100))
    told = rig.flow.canary.figures()
    assert told.fault.startswith("transform: no\\nlonglong")
    assert len(told.fault) == 200
    rig.wait(1_000 * MS)
    passed_pools(rig)

    assert rig.flow.canary.figures().fault == ""
    assert verdicts(rig) == (1, 1)


def test_death_at_a_canary_is_told_and_nothing_is_tried_again() -> None:
    rig = canary_rig(workers=2)
    rig.die(canary_of(rig).worker)

    assert rig.flow.canary.figures().fault == "decode: decode-1 died (SIGKILL)"
    assert verdicts(rig) == (0, 1)
    assert rig.flow.events.latest == [], "it is no poison"
    assert rig.held == []
    assert used_bytes(rig) == 0
    rig.wait(1_000 * MS)
    assert canary_of(rig).worker.incarnation == 2


def test_death_of_a_worker_that_had_not_begun_the_canary_sends_it_to_another() -> None:
    rig = canary_rig()
    passed_pools(rig)
    rig.submit("f")
    rig.wait(1_000 * MS)
    worker = canary_of(rig).worker
    assert [held.task.is_canary for held in rig.held] == [False, True]
    rig.die(worker)
    assert rig.flow.account.retried == 1, "the frame"
    assert verdicts(rig) == (1, 0)
    rig.answer(rig.held[0])

    assert canary_of(rig).worker is not worker
    assert canary_of(rig).task.trace == "012345-canary-2"
    rig.finish()
    assert verdicts(rig) == (2, 0)


def test_stopped_worker_without_work_is_found_by_its_canary_and_condemned() -> None:
    rig = canary_rig(workers=2)
    stopped = canary_of(rig).worker
    before = used_bytes(rig)
    assert rig.wait(TIMEOUT_US) == []
    assert rig.flow.canary.figures().waits_for == "decode"

    assert rig.wait(1) == [stopped]
    assert rig.flow.canary.figures().fault == "decode: took longer than 5000 ms"
    # The next one is under way already, beside the extents of the first, which are still the stopped worker's.
    assert used_bytes(rig) == 2 * before
    assert passed_pools(rig) == list(LAYOUTS[0])
    assert used_bytes(rig) == before
    rig.die(stopped)
    assert used_bytes(rig) == 0
    assert verdicts(rig) == (1, 1)


def test_canary_in_a_pool_without_workers_names_it_and_is_given_up_in_the_end() -> None:
    rig = canary_rig()
    rig.answer(canary_of(rig))
    rig.die(canary_of(rig).worker, replace=False)
    rig.wait(1_000 * MS)
    began_us = rig.now_us
    rig.wait(500 * MS)
    rig.answer(canary_of(rig))
    assert rig.flow.canary.figures().waits_for == "transform"
    assert rig.flow.canary.figures().sent_at_s == began_us / 1e6

    rig.wait(POOL_LIMIT_US)
    assert verdicts(rig) == (0, 1)
    assert rig.flow.next_us() == rig.now_us + 1
    rig.wait(1)
    assert verdicts(rig) == (0, 2)
    assert rig.flow.canary.figures().fault == "transform: it did not come through within 15000 ms"
    rig.hire("transform")
    rig.work()
    passed_pools(rig)
    assert verdicts(rig) == (1, 2)
    assert used_bytes(rig) == 0


def test_time_in_a_pool_is_never_limited_to_less_than_a_second() -> None:
    """Of a host that is busy with other things one cannot ask more."""
    rig = canary_rig(stage_timeout_ms=10)
    rig.answer(canary_of(rig))
    rig.die(canary_of(rig).worker, replace=False)
    rig.wait(1_000 * MS)
    rig.answer(canary_of(rig))
    rig.wait(1_000 * MS)
    assert verdicts(rig) == (0, 1)
    rig.wait(1)

    assert verdicts(rig) == (0, 2)


def test_canary_given_up_behind_a_worker_s_frame_keeps_its_extents_until_its_lease_ends() -> None:
    rig = canary_rig()
    passed_pools(rig)
    rig.submit("f", deadline_ms=600_000)
    [frame] = rig.held
    rig.wait(1_000 * MS)
    canary = canary_of(rig)
    for _ in range(4):
        # The worker is at the frame, and says something now and then: nobody can call it stuck.
        canary.worker.since_us = rig.now_us
        rig.wait(TIMEOUT_US - 1)
    assert verdicts(rig) == (1, 1)
    before = used_bytes(rig)
    rig.answer(frame)
    rig.answer(canary)

    assert used_bytes(rig) < before
    assert rig.flow.ledger.stale_answers == 0
    assert verdicts(rig) == (1, 1)
