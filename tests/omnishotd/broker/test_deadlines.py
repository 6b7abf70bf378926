"""The heap of deadlines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from omnishotd.broker.deadlines import STALE_MAX, Deadlines
from omnishotd.broker.frame import Frame, FrameEvent
from tests.omnishotd.broker.rig import make_frame


def finish(deadlines: Deadlines, frame: Frame) -> None:
    frame.advance(FrameEvent.FINISH)
    deadlines.finished()


def test_due_gives_each_frame_once_in_order_of_its_deadline() -> None:
    deadlines = Deadlines()
    for number, deadline_us in enumerate([300, 100, 200]):
        deadlines.add(make_frame(number, deadline_us=deadline_us))

    assert deadlines.due(99) == []
    assert [frame.number for frame in deadlines.due(200)] == [1, 2]
    assert [frame.number for frame in deadlines.due(1000)] == [0]
    assert deadlines.due(1000) == []


def test_frame_is_due_at_its_very_deadline() -> None:
    deadlines = Deadlines()
    deadlines.add(make_frame(0, deadline_us=100))

    assert deadlines.next_us() == 100
    assert deadlines.due(99) == []
    assert len(deadlines.due(100)) == 1
    assert deadlines.next_us() is None


def test_frame_that_finished_or_was_abandoned_is_not_due() -> None:
    deadlines = Deadlines()
    waiting, working, abandoned, finished = frames = [make_frame(n, deadline_us=100) for n in range(4)]
    for frame in frames:
        deadlines.add(frame)
    working.advance(FrameEvent.START)
    abandoned.advance(FrameEvent.START)
    abandoned.advance(FrameEvent.ABANDON)
    deadlines.finished()
    finish(deadlines, finished)

    assert deadlines.due(100) == [waiting, working]


def test_entries_of_finished_frames_do_not_pile_up() -> None:
    deadlines = Deadlines()
    keeper = make_frame(0, deadline_us=1)
    deadlines.add(keeper)
    for number in range(1, 5 * STALE_MAX):
        frame = make_frame(number, deadline_us=1000)
        deadlines.add(frame)
        finish(deadlines, frame)

    assert len(deadlines._heap) <= STALE_MAX + 2
    assert deadlines.due(1) == [keeper]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60), st.lists(st.integers(0, 20), max_size=8))
def test_any_frames_are_given_out_exactly_when_open_and_over(frames: list[tuple[int, bool]], waits: list[int]) -> None:
    deadlines = Deadlines()
    open_frames = []
    for number, (deadline_us, is_finished) in enumerate(frames):
        frame = make_frame(number, deadline_us=deadline_us)
        deadlines.add(frame)
        if is_finished:
            finish(deadlines, frame)
        else:
            open_frames.append(frame)
    now_us = 0
    for wait_us in [*waits, 50]:
        now_us += wait_us
        due = deadlines.due(now_us)
        assert set(due) == {frame for frame in open_frames if frame.deadline_us <= now_us}
        open_frames = [frame for frame in open_frames if frame not in due]
        for frame in due:
            finish(deadlines, frame)

    assert open_frames == []
    assert deadlines._stale == 0
