"""The ledger's own rules, each broken into by hand. `test_flow_machine.py` drives them in any order."""

import pytest

from ipc.errors import ErrorCode
from ipc.extents import aligned
from ipc.messages import Answer, Decode, Encode, Encoded, Extent, Fault, Transform
from omnishotd.broker.frame import InvariantError
from tests.omnishotd.broker.rig import (
    LAYOUTS,
    MS,
    PLAIN,
    RAW_IN,
    RAW_OUT,
    SMALLER,
    Rig,
    bad_image,
    make_settings,
    picture,
    used_bytes,
)

# ---- who does what


@pytest.mark.parametrize(
    ("pools", "tasks"),
    [
        (LAYOUTS[0], [["Decode"], ["Transform"], ["Encode"]]),
        (LAYOUTS[1], [["Decode", "Transform"], ["Encode"]]),
        (LAYOUTS[2], [["Decode"], ["Transform", "Encode"]]),
        (LAYOUTS[3], [["Decode", "Transform", "Encode"]]),
    ],
    ids=["|".join(pools) for pools in LAYOUTS],
)
def test_frame_passes_the_pools_in_order(pools: tuple[str, ...], tasks: list[list[str]]) -> None:
    rig = Rig(make_settings(pools))
    rig.submit("f")

    passed = []
    while rig.held:
        passed.append([type(step).__name__ for step in rig.held[0].task.steps])
        rig.answer(rig.held[0])

    assert passed == tasks
    assert rig.replies("f") == ["ok"]
    assert used_bytes(rig) == 0


@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_frame_with_nothing_to_transform_skips_the_stage(pools: tuple[str, ...]) -> None:
    rig = Rig(make_settings(pools))
    rig.submit("f", outputs=[PLAIN])

    steps: list[object] = []
    while rig.held:
        steps += rig.held[0].task.steps
        rig.answer(rig.held[0])

    assert [type(step) for step in steps] == [Decode, Encode]
    assert rig.replies("f") == ["ok"]


@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_outputs_of_one_frame_share_one_decode_and_are_answered_in_order(pools: tuple[str, ...]) -> None:
    rig = Rig(make_settings(pools))
    rig.submit("f", outputs=[SMALLER, PLAIN, RAW_OUT])

    steps: list[object] = []
    while rig.held:
        steps += rig.held[-1].task.steps
        rig.answer(rig.held[-1])

    assert [sum(isinstance(step, kind) for step in steps) for kind in (Decode, Transform, Encode)] == [1, 2, 3]
    assert rig.told[0].pictures == [b"picture 0", b"picture 1", b"picture 2"]
    assert used_bytes(rig) == 0


@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_raw_frame_is_written_once_and_never_decoded(pools: tuple[str, ...]) -> None:
    rig = Rig(make_settings(pools))
    rig.submit("f", bytes(32 * 16 * 3), [SMALLER, PLAIN], input=RAW_IN)

    steps: list[object] = []
    while rig.held:
        steps += rig.held[0].task.steps
        rig.answer(rig.held[0])

    assert not any(isinstance(step, Decode) for step in steps)
    assert len(rig.written) == 1
    assert rig.replies("f") == ["ok"]
    assert used_bytes(rig) == 0


@pytest.mark.parametrize(("pixels_max", "tasks"), [(64 * 64, 1), (64 * 64 - 1, 3)])
def test_small_frame_is_done_whole_by_the_worker_that_decodes_it(pixels_max: int, tasks: int) -> None:
    rig = Rig(make_settings(whole_frame_pixels_max=pixels_max))
    rig.submit("f", outputs=[SMALLER])

    count = 0
    while rig.held:
        count += 1
        rig.answer(rig.held[0])

    assert count == tasks
    assert rig.replies("f") == ["ok"]
    assert used_bytes(rig) == 0


# ---- extents


def test_compressed_bytes_are_freed_by_the_answer_to_decode_and_pixels_by_that_of_their_last_reader() -> None:
    rig = Rig()
    rig.submit("f", outputs=[SMALLER, PLAIN])
    decode = rig.held[0].task.steps[0]
    assert isinstance(decode, Decode)
    small_bytes = 16 * 16 * 3

    assert used_bytes(rig) == -(-decode.source.bytes // 64) * 64 + 64 * 64 * 3 + small_bytes
    rig.answer(rig.held[0])
    assert used_bytes(rig) == 64 * 64 * 3 + small_bytes
    transform, encode_plain = sorted(rig.held, key=lambda held: isinstance(held.task.steps[0], Encode))
    rig.answer(transform)
    assert used_bytes(rig) == 64 * 64 * 3 + small_bytes, "the other output still reads the pixels"
    rig.answer(encode_plain)
    assert used_bytes(rig) == small_bytes
    rig.answer(rig.held[0])
    assert used_bytes(rig) == 0


def test_extents_of_a_frame_that_was_given_up_stay_until_its_holder_answers() -> None:
    rig = Rig()
    rig.submit("f")
    before = used_bytes(rig)
    rig.cancel("f")

    assert rig.replies("f") == ["CANCELLED"]
    assert used_bytes(rig) == before > 0
    rig.answer(rig.held[0])
    assert used_bytes(rig) == 0
    assert rig.replies("f") == ["CANCELLED"]


def test_extents_of_a_frame_that_was_given_up_stay_until_its_holder_is_proved_dead() -> None:
    rig = Rig()
    rig.submit("f")
    worker = rig.held[0].worker
    before = used_bytes(rig)

    assert rig.wait(5_001 * MS) == [worker]
    assert rig.replies("f") == ["TIMEOUT"]
    assert used_bytes(rig) == before > 0
    assert not rig.wait(60_000 * MS), "a worker is condemned once"
    assert used_bytes(rig) == before
    rig.die(worker)
    assert used_bytes(rig) == 0


def test_extents_of_a_frame_stay_while_any_other_of_its_outputs_is_held() -> None:
    rig = Rig()
    rig.submit("f", outputs=[SMALLER, RAW_OUT])
    rig.answer(rig.held[0])
    before = used_bytes(rig)
    one, two = rig.held
    rig.answer(one, bad_image())

    assert rig.replies("f") == ["BAD_IMAGE"]
    assert used_bytes(rig) == before
    rig.answer(two)
    assert used_bytes(rig) == 0


def test_frame_in_work_that_no_worker_holds_is_freed_as_soon_as_it_is_given_up() -> None:
    rig = Rig(hire=False)
    rig.submit("f")
    assert used_bytes(rig) > 0
    rig.cancel("f")

    assert used_bytes(rig) == 0
    rig.hire("decode")
    rig.work()
    assert not rig.held


def test_frame_that_finds_no_room_in_the_arena_waits_and_holds_nothing() -> None:
    rig = Rig(arena_bytes=64 * 64 * 3 + aligned(len(picture())) + 256)
    rig.submit("first", outputs=[PLAIN])
    rig.submit("second", outputs=[PLAIN])

    assert rig.flow.schedule.count == 1
    assert rig.allocator.figures().extents == 2
    rig.finish()
    assert rig.replies("first") == rig.replies("second") == ["ok"]


# ---- leases


def test_answer_under_a_lease_that_was_used_already_is_counted_and_ignored() -> None:
    rig = Rig()
    rig.submit("f")
    held = rig.held[0]
    rig.answer(held)
    before = used_bytes(rig)
    rig.answer(held)

    assert rig.flow.ledger.stale_answers == 1
    assert used_bytes(rig) == before
    assert [type(other.task.steps[0]) for other in rig.held] == [Transform]


def test_answer_of_another_worker_under_a_current_lease_is_counted_and_ignored() -> None:
    rig = Rig()
    rig.submit("f")
    held = rig.held[0]
    stranger = next(worker for worker in rig.flow.crew.workers() if worker is not held.worker)
    rig.flow.answered(stranger, Answer(held.task.lease, [], [], bad_image()), [], rig.now_us)

    assert rig.flow.ledger.stale_answers == 1
    assert rig.replies("f") == []


def test_answer_of_the_dead_after_its_frame_went_to_another_is_ignored() -> None:
    rig = Rig()
    rig.submit("f")
    late = rig.held[0]
    rig.die(late.worker)
    current = rig.held[0]
    rig.flow.answered(late.worker, Answer(late.task.lease, [1], []), [], rig.now_us)

    assert rig.flow.ledger.stale_answers == 1
    assert rig.held == [current]
    assert current.task.lease != late.task.lease
    rig.finish()
    assert rig.replies("f") == ["ok"]


def test_deadline_ends_a_frame_and_not_its_lease() -> None:
    rig = Rig()
    rig.submit("f", deadline_ms=100)
    rig.wait(100 * MS)

    assert rig.replies("f") == ["EXPIRED"]
    assert rig.flow.ledger.working == 1
    assert used_bytes(rig) > 0
    rig.answer(rig.held[0])
    assert rig.flow.ledger.working == 0


# ---- answers that cannot be


def encoded(**changes: object) -> Encoded:
    return Encoded(**{"output": 0, "format": "jpeg", "width": 16, "height": 16, "quality": 80, **changes})  # type: ignore[arg-type]  # of mixed types


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0, [], [encoded()]),
        Answer(0, [1, 2], [encoded()]),
        Answer(0, [1], []),
        Answer(0, [1], [encoded(), encoded()]),
        Answer(0, [1], [encoded(output=1)]),
        Answer(0, [1], [encoded(output=-1)]),
        Answer(0, [1], [encoded(width=17)]),
        Answer(0, [1], [encoded(height=15)]),
        Answer(0, [1], [encoded(layout="PLAID")]),
    ],
    ids=["no time", "two times", "nothing", "twice", "other output", "no output", "width", "height", "layout"],
)
def test_answer_that_does_not_match_its_task_is_internal_and_ends_the_frame(answer: Answer) -> None:
    rig = Rig()
    rig.submit("f")
    rig.answer(rig.held[0])
    rig.answer(rig.held[0])
    held = rig.held[0]
    parts = [b"x"] * len(answer.encoded)
    rig.say(held, Answer(held.task.lease, answer.step_us, answer.encoded), parts)

    assert rig.replies("f") == ["INTERNAL"]
    assert used_bytes(rig) == 0


def test_answer_with_fewer_parts_than_pictures_is_internal() -> None:
    rig = Rig(make_settings(LAYOUTS[3]))
    rig.submit("f")
    held = rig.held[0]
    rig.say(held, Answer(held.task.lease, [1, 2, 3], [encoded()]), [])

    assert rig.replies("f") == ["INTERNAL"]


def test_picture_handed_in_before_it_was_asked_for_is_internal() -> None:
    rig = Rig()
    rig.submit("f")
    held = rig.held[0]
    rig.say(held, Answer(held.task.lease, [1], [encoded()]), [b"x"])

    assert rig.replies("f") == ["INTERNAL"]


def test_fault_of_one_output_ends_the_frame_once_and_forgets_the_others() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("f", outputs=[SMALLER] * 8)
    rig.answer(rig.held[0])
    rig.answer(rig.held[0], Fault(ErrorCode.INTERNAL, "no"))
    rig.finish()

    assert rig.replies("f") == ["INTERNAL"]
    assert used_bytes(rig) == 0


def test_frame_closed_with_a_lease_out_is_a_bug_that_is_seen() -> None:
    rig = Rig()
    rig.submit("f")
    [frame] = [job.frame for worker in rig.flow.crew.busy() for batch in worker.batches for job in batch.jobs]

    with pytest.raises(InvariantError, match="leases out"):
        rig.flow.ledger._close(frame)


def test_extent_of_a_source_is_as_large_as_the_payload() -> None:
    rig = Rig()
    payload = picture(128)
    rig.submit("f", payload)

    assert rig.written == [(Extent(rig.written[0][0].offset, len(payload)), payload)]
