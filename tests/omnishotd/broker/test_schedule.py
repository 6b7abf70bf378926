"""The queue: whose turn it is, and who gives way."""

import itertools
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnishotd.broker.frame import Frame, Sender
from omnishotd.broker.schedule import Room, Schedule
from tests.omnishotd.broker.rig import CAMERA, OTHER, make_frame, make_sender


def pushed(schedule: Schedule, *frames: Frame) -> Schedule:
    for frame in frames:
        schedule.push(frame)
    return schedule


def drained(schedule: Schedule) -> list[int]:
    """Numbers of all frames in the order in which they are taken."""
    numbers = []
    while (frame := schedule.peek()) is not None:
        schedule.take(frame)
        numbers.append(frame.number)
    return numbers


def room(schedule: Schedule, on_full: str, *, stream: str | None = None, payload_bytes: int = 1) -> Room:
    return schedule.room(CAMERA.peer.id, make_frame(0).key.scope, stream, on_full, payload_bytes)


def test_higher_priority_is_taken_first_and_within_one_the_older() -> None:
    schedule = pushed(Schedule(9, 99), *(make_frame(n, priority=p) for n, p in enumerate([0, 9, 4, 9, 0])))

    assert drained(schedule) == [1, 3, 2, 0, 4]


def test_producers_take_turns_within_a_priority() -> None:
    frames = [make_frame(n, sender=CAMERA) for n in range(4)] + [make_frame(n, sender=OTHER) for n in (4, 5)]

    assert drained(pushed(Schedule(9, 99), *frames)) == [0, 4, 1, 5, 2, 3]


def test_producer_that_comes_back_with_one_frame_goes_to_the_end_of_the_turns() -> None:
    third = make_sender(b"third")
    schedule = pushed(Schedule(9, 99), make_frame(0), make_frame(1, sender=OTHER), make_frame(2, sender=third))
    first = schedule.peek()
    assert first is not None
    schedule.take(first)
    schedule.push(make_frame(3))

    assert drained(schedule) == [1, 2, 3]


def test_peek_leaves_the_frame_and_the_turn() -> None:
    schedule = pushed(Schedule(9, 99), make_frame(0), make_frame(1, sender=OTHER))

    assert schedule.peek() is schedule.peek()
    assert schedule.count == 2


def test_remove_takes_out_a_frame_from_the_middle_and_its_bytes() -> None:
    frames = [make_frame(n, b"x" * 10) for n in range(3)]
    schedule = pushed(Schedule(9, 99), *frames)
    schedule.remove(frames[1])

    assert (schedule.count, schedule.bytes) == (2, 20)
    assert drained(schedule) == [0, 2]
    assert (schedule.count, schedule.bytes, schedule.peek()) == (0, 0, None)


def test_room_ends_at_the_count() -> None:
    schedule = pushed(Schedule(2, 99), make_frame(0))

    assert room(schedule, "reject").is_there
    schedule.push(make_frame(1))
    assert not room(schedule, "reject").is_there


def test_room_ends_at_the_bytes() -> None:
    schedule = pushed(Schedule(9, 100), make_frame(0, b"x" * 60))

    assert room(schedule, "reject", payload_bytes=40).is_there
    assert not room(schedule, "reject", payload_bytes=41).is_there


def test_drop_oldest_with_room_drops_nothing() -> None:
    schedule = pushed(Schedule(2, 99), make_frame(0))

    assert room(schedule, "drop_oldest") == Room(True)


def test_drop_oldest_without_room_drops_the_oldest_of_its_own_stream_alone() -> None:
    mine = [make_frame(n, stream="left", priority=9 - n) for n in range(2)]
    others = [make_frame(2, stream="right"), make_frame(3, stream="left", sender=OTHER)]
    schedule = pushed(Schedule(4, 99), *others, *mine)

    assert room(schedule, "drop_oldest", stream="left") == Room(True, (mine[0],))


def test_drop_oldest_drops_as_many_as_its_bytes_need() -> None:
    frames = [make_frame(n, b"x" * 30, stream="left") for n in range(3)]
    schedule = pushed(Schedule(9, 100), *frames)

    assert room(schedule, "drop_oldest", stream="left", payload_bytes=70) == Room(True, tuple(frames[:2]))


def test_drop_oldest_whose_own_frames_are_not_enough_drops_none() -> None:
    schedule = pushed(Schedule(1, 99), make_frame(0, stream="right"))

    assert room(schedule, "drop_oldest", stream="left") == Room(False)


class Weighed(bytes):
    """A payload that counts how often anybody asks for its length."""

    times: ClassVar[int] = 0

    def __len__(self) -> int:
        Weighed.times += 1
        return super().__len__()


@pytest.mark.parametrize("on_full", ["drop_oldest", "latest", "reject"])
@pytest.mark.parametrize("sender", [CAMERA, OTHER], ids=["own line", "another's line"])
def test_many_frames_that_may_give_way_are_each_weighed_a_few_times_at_most(on_full: str, sender: Sender) -> None:
    count = 400
    schedule = pushed(Schedule(999, count), *(make_frame(n, Weighed(b"x"), sender=sender) for n in range(count)))
    Weighed.times = 0
    room(schedule, on_full, payload_bytes=count // 2)

    assert Weighed.times <= 3 * count


def test_latest_replaces_all_waiting_frames_of_its_stream_even_with_room() -> None:
    mine = [make_frame(n, stream="left", priority=n) for n in range(3)]
    schedule = pushed(Schedule(9, 99), *mine, make_frame(3, stream="right"))

    assert room(schedule, "latest", stream="left") == Room(True, tuple(mine))


def test_latest_in_a_queue_full_of_others_has_no_room() -> None:
    schedule = pushed(Schedule(1, 99), make_frame(0, stream="right"))

    assert room(schedule, "latest", stream="left") == Room(False)


def test_frames_without_a_stream_are_one_stream_of_their_producer() -> None:
    schedule = pushed(Schedule(9, 99), make_frame(0), make_frame(1, stream="left"), make_frame(2, sender=OTHER))

    assert [victim.number for victim in room(schedule, "latest").victims] == [0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=30))
def test_any_frames_all_come_out_once_by_priority_and_in_order_of_each_producer(frames: list[tuple[int, int]]) -> None:
    schedule = Schedule(99, 99)
    for number, (priority, producer) in enumerate(frames):
        schedule.push(make_frame(number, priority=priority, sender=make_sender(b"%d" % producer)))
    assert schedule.count == len(frames)
    order = drained(schedule)

    assert schedule._lengths == {}, "nothing is kept of producers without frames"
    assert sorted(order) == list(range(len(frames)))
    assert [frames[number][0] for number in order] == sorted((priority for priority, _ in frames), reverse=True)
    for kind in set(frames):
        own = [number for number in order if frames[number] == kind]
        assert own == sorted(own)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_any_producer_waits_at_most_one_turn_of_each_other(producers: list[int]) -> None:
    schedule = Schedule(99, 99)
    for number, producer in enumerate(producers):
        schedule.push(make_frame(number, sender=make_sender(b"%d" % producer)))
    order = [producers[number] for number in drained(schedule)]

    for producer in set(producers):
        turns = [index for index, taken in enumerate(order) if taken == producer]
        for earlier, later in itertools.pairwise(turns):
            between = order[earlier + 1 : later]
            assert len(between) == len(set(between))
