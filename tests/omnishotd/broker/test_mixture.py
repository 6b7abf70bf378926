"""Light and heavy frames in the flow: room in the arena, deaths, and what operators are told."""

from typing import Final

from ipc.messages import Decode, Extent, Task
from omnishotd.broker.lanes import LIGHT_US
from tests.omnishotd.broker.rig import AVIF, MS, PLAIN, Held, Rig, bad_image, make_settings, picture, used_bytes

HEAVY_US: Final = 500
"""An AVIF of 64 x 64 is heavy, a JPEG is not."""
ARENA_BYTES: Final = 64 << 10
LARGE: Final = picture(120)
"""Takes 47 of the 64 KiB."""


def mixture(arena_bytes: int = ARENA_BYTES) -> Rig:
    """Light frames pass by stages too, so that their pixels lie in the arena."""
    settings = make_settings(whole_frame_pixels_max=0, max_concurrent_jobs=8, queue_limit=99)
    return Rig(settings, arena_bytes=arena_bytes, heavy_us=HEAVY_US)


def held(rig: Rig, request_id: str) -> list[Held]:
    """Tasks of one request that workers hold."""
    traces = {frame.trace for frame in rig.flow._window.all_in_flight() if frame.key.request_id == request_id}
    return [one for one in rig.held if one.task.trace in traces]


def target(task: Task) -> Extent:
    step = task.steps[0]
    assert isinstance(step, Decode)
    return step.target


def test_light_frame_is_started_and_answered_while_a_heavy_one_is_in_work_and_others_wait() -> None:
    rig = mixture()
    for number in range(3):
        rig.submit(f"heavy{number}", LARGE, outputs=[AVIF], priority=9)
    rig.submit("light", priority=0)
    while held(rig, "light"):
        rig.answer(held(rig, "light")[0])

    assert [told.id for told in rig.told] == ["light"]
    rig.finish()
    assert sorted(told.id for told in rig.told if told.code == "ok") == ["heavy0", "heavy1", "heavy2", "light"]
    assert used_bytes(rig) == 0


def test_heavy_frame_gets_its_room_from_light_ones_that_never_cease() -> None:
    rig = mixture()
    submitted = 0

    def submit() -> None:
        nonlocal submitted
        submitted += 1
        rig.submit(f"light{submitted}", outputs=[PLAIN])

    while used_bytes(rig) < ARENA_BYTES // 2:
        submit()
    rig.submit("heavy", LARGE, outputs=[AVIF])
    assert held(rig, "heavy") == []
    turns = 0
    while not held(rig, "heavy"):
        turns += 1
        assert turns <= 8, "all that were in work before have ended, and it has no room"
        submit()
        rig.answer(rig.held[0])

    task = held(rig, "heavy")[0].task
    assert target(task).offset >= ARENA_BYTES // 4, "it lies at the end"
    rig.finish()
    assert rig.replies("heavy") == ["ok"]
    assert all(rig.replies(f"light{number}") == ["ok"] for number in range(1, submitted + 1))


def test_light_frames_keep_to_the_start_of_the_arena_after_heavy_ones_at_its_end() -> None:
    rig = mixture(arena_bytes=256 << 10)
    offsets = []
    for number in range(4):
        rig.submit(f"light{number}", outputs=[PLAIN])
        rig.submit(f"heavy{number}", LARGE, outputs=[AVIF])
        offsets.append(target(held(rig, f"light{number}")[0].task).offset)
        while held(rig, f"light{number}"):
            rig.answer(held(rig, f"light{number}")[0])
        rig.finish()

    assert max(offsets) < 32 << 10


def test_heavy_frame_whose_worker_died_waits_for_room_without_blocking_light_ones() -> None:
    rig = mixture()
    rig.submit("heavy", LARGE, outputs=[AVIF])
    [first] = held(rig, "heavy")
    rig.flow.gone(first.worker.incarnation, "SIGKILL", rig.now_us)
    rig.held.clear()
    rig.hire("transform")
    blocker = rig.allocator.allocate(30 << 10)
    assert blocker is not None
    rig.submit("light", outputs=[PLAIN])
    while held(rig, "light"):
        rig.answer(held(rig, "light")[0])

    assert rig.replies("light") == ["ok"]
    assert held(rig, "heavy") == []
    assert rig.flow.lanes.kept_bytes > 32 << 10
    rig.allocator.free(blocker)
    rig.work()
    rig.finish()
    assert rig.replies("heavy") == ["ok"]
    assert used_bytes(rig) == 0


def test_heavy_frame_that_is_cancelled_or_fails_leaves_its_room_and_its_place() -> None:
    rig = mixture()
    rig.submit("light", outputs=[PLAIN])
    for request_id in ("cancelled", "failed", "done"):
        rig.submit(request_id, LARGE, outputs=[AVIF])
    rig.cancel("cancelled")
    rig.answer(rig.held[-1])
    rig.answer(held(rig, "failed")[0], bad_image())
    rig.finish()

    assert [rig.replies(name) for name in ("cancelled", "failed", "done")] == [["CANCELLED"], ["BAD_IMAGE"], ["ok"]]
    ledger = rig.flow.ledger
    assert (ledger.working, ledger.heavy_working, ledger.heavy_bytes) == (0, 0, 0)


def test_operators_are_told_of_both_lanes() -> None:
    rig = mixture()
    for number in range(3):
        rig.submit(f"heavy{number}", LARGE, outputs=[AVIF])
    rig.submit("light", outputs=[PLAIN])
    figures = rig.flow.lanes.figures(rig.now_us)

    assert (figures.waiting, figures.working, figures.is_shared) == (2, 1, True)
    assert sum(rig.flow.schedule.count_by_priority()) == rig.flow.schedule.count == 2
    rig.finish()
    rig.wait(LIGHT_US + MS)
    assert not rig.flow.lanes.figures(rig.now_us).is_shared
