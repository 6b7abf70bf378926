"""Canaries: when they are sent, where they go, and that nobody else notices them."""

import io

import numpy as np
import pytest
from PIL import Image

from ipc.errors import ErrorCode
from ipc.messages import Fault
from omnishotd.broker.canary import INTERVAL_US, NO_ROOM, PICTURE
from omnishotd.broker.figures import load_figures
from tests.omnishotd.broker.canaries import POOL_LIMIT_US, TIMEOUT_US, canary_of, canary_rig, passed_pools, verdicts
from tests.omnishotd.broker.rig import LAYOUTS, MS, PLAIN, START_US, Rig, make_settings, picture, used_bytes
from tests.photographs import decoded, rmse

# ---- what it is


def test_picture_is_what_it_is_said_to_be() -> None:
    """So that it can be made again."""
    right = np.arange(48)[np.newaxis, :].repeat(32, 0) * 255 // 47
    down = np.arange(32)[:, np.newaxis].repeat(48, 1) * 255 // 31
    gradient = np.stack([right, down, 255 - right], -1).astype(np.uint8)

    assert rmse(decoded(PICTURE), gradient) < 4
    assert Image.open(io.BytesIO(PICTURE)).format == "JPEG"
    assert len(PICTURE) < 512


# ---- when it is sent


def test_first_canary_is_sent_when_every_pool_has_a_worker_and_not_before() -> None:
    rig = canary_rig(hire=False)
    for pool in LAYOUTS[0][:2]:
        rig.hire(pool)
        rig.wait(60_000 * MS)
        assert rig.held == []
        assert rig.flow.next_us() is None
    rig.hire(LAYOUTS[0][2])

    assert rig.flow.next_us() == rig.now_us
    rig.work()
    assert canary_of(rig).worker.pool == 0


def test_next_canary_is_sent_a_second_after_the_last() -> None:
    rig = canary_rig()
    rig.now_us += 3 * MS
    passed_pools(rig)
    assert rig.flow.next_us() == START_US + INTERVAL_US
    rig.wait(START_US + INTERVAL_US - 1 - rig.now_us)
    assert rig.held == []
    rig.wait(1)

    assert canary_of(rig).task.trace == "012345-canary-2"
    assert rig.flow.next_us() == rig.now_us + TIMEOUT_US + 1


def test_canary_that_takes_long_is_followed_at_once_and_never_accompanied() -> None:
    rig = canary_rig()
    rig.wait(4_000 * MS)
    assert canary_of(rig).task.trace == "012345-canary-1"
    passed_pools(rig)

    assert canary_of(rig).task.trace == "012345-canary-2"


def test_worker_that_joins_later_brings_no_canary_out_of_turn() -> None:
    rig = canary_rig()
    passed_pools(rig)
    rig.hire("decode")
    rig.work()

    assert rig.held == []


# ---- where it goes


@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_canary_passes_every_pool_although_a_small_picture_would_not(pools: tuple[str, ...]) -> None:
    rig = canary_rig(pools, whole_frame_pixels_max=1 << 22)

    assert passed_pools(rig) == list(pools)
    assert verdicts(rig) == (1, 0)
    assert used_bytes(rig) == 0
    assert rig.written[0][1] == PICTURE


def test_canary_goes_past_a_full_queue_and_the_bound_of_jobs_and_before_ready_frames() -> None:
    rig = Rig(make_settings(workers=1, max_concurrent_jobs=8, queue_limit=1), hire=False, canaries=True)
    for number in range(10):
        rig.submit(f"f{number}")
    assert rig.replies("f9") == ["BUSY"]
    for pool in LAYOUTS[0]:
        rig.hire(pool)
    rig.work()

    assert rig.held[0].task.is_canary
    assert rig.flow.ledger.working == 8
    assert passed_pools(rig) == list(LAYOUTS[0])
    rig.finish()
    assert rig.flow.account.completed == 9


def test_canary_has_no_company_in_its_message() -> None:
    rig = Rig(make_settings(workers=1), hire=False, canaries=True)
    for name in "abc":
        rig.submit(name)
    for pool in LAYOUTS[0]:
        rig.hire(pool)
    rig.work()

    [worker] = [worker for worker in rig.flow.crew.workers() if worker.pool == 0]
    assert [[job.frame.is_canary for job in batch.jobs] for batch in worker.batches] == [[True], [False] * 3]


def test_workers_without_work_are_tried_in_turn() -> None:
    rig = canary_rig(workers=3)
    tried = []
    for _ in range(6):
        tried.append(canary_of(rig).worker.incarnation)
        passed_pools(rig)
        rig.wait(1_000 * MS)

    assert tried == [1, 2, 3, 1, 2, 3]


def test_worker_that_has_just_answered_a_frame_is_not_the_next_to_be_tried() -> None:
    rig = canary_rig(workers=2)
    passed_pools(rig)
    rig.wait(500 * MS)
    rig.submit("f", outputs=[PLAIN])
    assert rig.held[0].worker.incarnation == 1
    rig.finish()
    rig.wait(500 * MS)
    assert canary_of(rig).worker.incarnation == 2
    passed_pools(rig)
    rig.wait(1)
    rig.submit("g", outputs=[PLAIN])
    rig.finish()
    rig.wait(1_000 * MS)

    assert canary_of(rig).worker.incarnation == 2, "of 1 there was a frame since"


def test_canary_is_told_to_be_where_it_is_whoever_answers_meanwhile() -> None:
    rig = canary_rig()
    rig.submit("f")
    rig.answer(rig.held[1])

    assert rig.flow.canary.figures().waits_for == "decode"


# ---- what nobody notices


def test_canary_counts_nowhere() -> None:
    rig = canary_rig(workers=2, max_concurrent_jobs=1)
    rig.submit("f")
    assert rig.flow.ledger.working == 1
    assert [load.held for load in load_figures(rig.flow.crew.workers()).values()] == [0, 1, 0, 0, 0, 0]
    passed_pools(rig)
    rig.wait(1_000 * MS)
    rig.answer(canary_of(rig), Fault(ErrorCode.BAD_IMAGE, "no"))
    rig.wait(1_000 * MS)
    rig.die(canary_of(rig).worker)
    account = rig.flow.account

    assert verdicts(rig) == (1, 2)
    assert (account.received, account.in_flight, account.failed, account.retried) == (1, 1, 0, 0)
    assert account.errors == {}
    assert account.latency.snapshot().counts == ()
    assert account.payload_bytes == len(picture())
    assert rig.told == []


# ---- no room


def crowded_rig(name: str) -> Rig:
    """No room in the arena: one frame has all of it, and two more wait."""
    rig = Rig(make_settings(workers=1, max_concurrent_jobs=2), arena_bytes=32 << 10, canaries=True)
    rig.work()
    passed_pools(rig)
    for one in (name, "waits"):
        rig.submit(one, picture(96), [PLAIN])
    rig.wait(1_000 * MS)
    return rig


def test_canary_without_room_says_so_and_goes_before_the_frames_that_wait_for_it() -> None:
    rig = crowded_rig("f")
    told = rig.flow.canary.figures()
    assert (told.fault, told.waits_for, told.sent_at_s, told.failed) == (NO_ROOM, "", None, 0)
    assert rig.flow.next_us() == rig.now_us - 1_000 * MS + TIMEOUT_US + 1, "room does not come with time"
    rig.answer(rig.held[0])
    rig.answer(rig.held[0])

    assert rig.replies("f") == ["ok"]
    assert rig.flow.canary.figures().fault == ""
    assert canary_of(rig).task.trace == "012345-canary-2"
    passed_pools(rig)
    rig.finish()
    assert rig.replies("waits") == ["ok"]


def test_canary_that_gets_room_where_no_worker_is_left_is_still_given_up_in_time() -> None:
    rig = crowded_rig("f")
    rig.die(rig.held[0].worker, replace=False)
    assert rig.flow.canary.figures().waits_for == "decode", "what the dead worker's frame held is free"
    rig.wait(5_000 * MS)

    assert rig.flow.next_us() == rig.now_us - 5_000 * MS + POOL_LIMIT_US + 1


def test_drain_ends_the_wait_for_room() -> None:
    rig = crowded_rig("f")
    rig.flow.drain()
    rig.finish()

    assert verdicts(rig) == (1, 0)
    assert rig.flow.canary.figures().fault == ""


# ---- the end


def test_drain_sends_no_more_and_does_not_wait_for_the_one_under_way() -> None:
    rig = canary_rig()
    rig.flow.drain()
    assert rig.flow.is_idle
    passed_pools(rig)
    rig.wait(60_000 * MS)

    assert rig.held == []
    assert rig.flow.next_us() is None
    assert rig.flow.give_up_all(rig.now_us) == 0


def test_flow_that_drains_before_its_workers_are_there_sends_none() -> None:
    rig = canary_rig(hire=False)
    rig.flow.drain()
    for pool in LAYOUTS[0]:
        rig.hire(pool)
    rig.work()

    assert rig.held == []


def test_worker_stuck_with_a_canary_while_the_flow_drains_is_condemned() -> None:
    rig = canary_rig()
    rig.flow.drain()

    assert rig.flow.is_idle
    assert rig.wait(TIMEOUT_US + 1) == [rig.held[0].worker]
    assert len(rig.held) == 1, "no other is sent"
