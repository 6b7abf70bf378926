"""Lanes: who is started next, with places and arena for both kinds of frames."""

from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnishotd.broker.frame import Frame, Sender
from omnishotd.broker.lanes import LIGHT_US, Lanes
from omnishotd.broker.schedule import Schedule
from omnishotd.broker.sharing import TOGETHER_US
from tests.omnishotd.broker.rig import CAMERA, OTHER, make_frame

ARENA_BYTES = 1000
NOW_US = 10 * LIGHT_US
LATER_US = NOW_US + LIGHT_US + TOGETHER_US
"""When no light frame is about any more, and nobody has a neighbour."""


@dataclass
class InWork:
    """What the ledger would know."""

    working: int = 0
    heavy_working: int = 0
    arena_bytes: int = ARENA_BYTES
    heavy_bytes: int = 0


class Round:
    """Lanes over a schedule, where the arena has all room that is not taken or kept."""

    def __init__(self, jobs_max: int = 8) -> None:
        self.schedule = Schedule(999, 1 << 20)
        self.in_work = InWork()
        self.lanes = Lanes(self.schedule, self.in_work, jobs_max)
        self.held: list[Frame] = []
        self.scattered: set[int] = set()
        """Numbers of frames that find no room because it is not in one piece."""

    def submit(self, *frames: Frame, now_us: int = NOW_US) -> None:
        for frame in frames:
            self.schedule.push(frame)
            self.lanes.submitted(frame, now_us)

    def start(self, now_us: int = NOW_US, recalled: Frame | None = None) -> list[int]:
        """Start all that can be. Returns their numbers."""
        started = []
        self.lanes.begin(now_us, recalled)
        while (frame := self.lanes.next()) is not None:
            kept = 0 if frame.is_heavy else self.lanes.kept_bytes
            if frame.number in self.scattered or self.used_bytes + room_of(frame) + kept > ARENA_BYTES:
                self.lanes.found_no_room(frame)
                continue
            self.lanes.started(frame)
            self.schedule.take(frame)
            self.hold(frame)
            started.append(frame.number)
        return started

    @property
    def used_bytes(self) -> int:
        return sum(map(room_of, self.held))

    def hold(self, frame: Frame) -> None:
        self.held.append(frame)
        self.in_work.working += 1
        if frame.is_heavy:
            self.in_work.heavy_working += 1
            self.in_work.heavy_bytes += room_of(frame)

    def end(self, number: int) -> None:
        [frame] = [held for held in self.held if held.number == number]
        self.held.remove(frame)
        self.in_work.working -= 1
        if frame.is_heavy:
            self.in_work.heavy_working -= 1
            self.in_work.heavy_bytes -= room_of(frame)


def room_of(frame: Frame) -> int:
    return frame.plan.room_bytes(len(frame.payload))


def made(number: int, room_bytes: int, *, is_heavy: bool, sender: Sender, priority: int) -> Frame:
    frame = make_frame(number, b"", sender=sender, priority=priority)
    frame.is_heavy = is_heavy
    frame.plan = replace(frame.plan, extents_room_bytes=room_bytes)
    return frame


def light(number: int, room_bytes: int = 10, *, sender: Sender = CAMERA, priority: int = 4) -> Frame:
    return made(number, room_bytes, is_heavy=False, sender=sender, priority=priority)


def heavy(number: int, room_bytes: int = 10, *, sender: Sender = CAMERA, priority: int = 4) -> Frame:
    return made(number, room_bytes, is_heavy=True, sender=sender, priority=priority)


# ---- places


def test_light_frame_does_not_stand_behind_heavy_ones_of_a_higher_priority() -> None:
    it = Round(jobs_max=4)
    it.submit(*[heavy(number, priority=9) for number in range(6)], light(10, priority=0))

    assert it.start() == [10, 0], "and one heavy frame has its place"


def test_heavy_frame_does_not_stand_behind_light_ones_of_a_higher_priority() -> None:
    it = Round(jobs_max=4)
    it.submit(*[light(number, priority=9) for number in range(6)], heavy(10, priority=0))

    assert it.start() == [0, 1, 2, 10]


def test_heavy_frames_have_a_quarter_of_the_places_while_light_ones_are_about() -> None:
    it = Round(jobs_max=8)
    it.submit(*[heavy(number) for number in range(6)], light(10))

    assert it.start() == [10, 0, 1]
    it.end(10)
    assert it.start(NOW_US + LIGHT_US - 1) == []
    assert it.start(NOW_US + LIGHT_US) == [2, 3, 4, 5]


def test_heavy_frames_among_themselves_leave_one_place() -> None:
    it = Round(jobs_max=4)
    it.submit(*[heavy(number) for number in range(6)])

    assert it.start() == [0, 1, 2]
    it.submit(light(10))
    assert it.start() == [10]


def test_light_frames_have_all_places_where_there_is_no_heavy_one() -> None:
    it = Round(jobs_max=4)
    it.submit(*[light(number) for number in range(6)])

    assert it.start() == [0, 1, 2, 3]


def test_light_frames_in_work_or_waiting_are_about_however_long_ago_they_came() -> None:
    it = Round(jobs_max=8)
    it.submit(light(0), *[heavy(number) for number in range(1, 7)])
    it.start()

    assert it.start(LATER_US) == []
    it.end(0)
    assert it.start(LATER_US) == [3, 4, 5, 6]


def test_light_frame_that_waits_is_about_however_long() -> None:
    it = Round()
    assert not it.lanes.is_shared(LATER_US)
    it.submit(light(0))

    assert it.lanes.is_shared(LATER_US)


def test_only_place_goes_to_a_light_frame_where_the_heavy_one_before_it_finds_no_room() -> None:
    it = Round(jobs_max=1)
    it.scattered.add(1)
    it.submit(heavy(1, 900), light(2))

    assert it.start() == [2]


def test_only_place_goes_to_the_higher_priority_and_then_to_who_came_first() -> None:
    it = Round(jobs_max=1)
    it.submit(heavy(0), light(1), light(2, priority=9), heavy(3, priority=9))
    order = []
    for _ in range(4):
        [number] = it.start()
        order.append(number)
        it.end(number)

    assert order == [2, 3, 0, 1]


def test_two_producers_share_places_as_ever() -> None:
    it = Round(jobs_max=8)
    it.submit(*[light(number) for number in range(9)], *[light(number, sender=OTHER) for number in range(10, 19)])

    assert it.start() == [0, 10, 1, 11]


def test_producers_take_turns_within_the_heavy_lane() -> None:
    it = Round(jobs_max=8)
    it.submit(*[heavy(number) for number in range(3)], heavy(7, sender=OTHER))

    assert it.start(LATER_US) == [0, 7, 1, 2]


# ---- the arena


def test_heavy_frame_without_room_blocks_no_light_one() -> None:
    it = Round()
    it.submit(light(0, 300))
    it.start()
    it.submit(heavy(1, 900), light(2))

    assert it.start() == [2]


def test_room_is_kept_for_a_heavy_frame_until_it_has_it() -> None:
    it = Round()
    it.submit(light(0, 300))
    it.start()
    it.submit(heavy(1, 900))
    it.start()
    it.submit(*[light(number, 60) for number in range(2, 9)])

    assert it.lanes.kept_bytes == 900
    assert it.start() == []
    it.end(0)
    assert it.start() == [2, 1], "40 bytes were left to light ones"
    assert it.lanes.kept_bytes == 0


def test_light_frame_that_does_not_fit_beside_heavy_ones_has_its_turn_between_two_of_them() -> None:
    it = Round()
    it.submit(heavy(0, 900), heavy(1, 900), light(2, 500))
    order = []
    while started := it.start():
        order += started
        it.end(started[0])

    assert order == [2, 0, 1]
    it.submit(heavy(3, 900))
    it.start()
    it.submit(light(4, 500), heavy(5, 900))
    assert it.start() == []
    it.end(3)
    assert it.start() == [4]
    it.end(4)
    assert it.start() == [5]


def test_second_heavy_frame_has_to_be_content_with_half_of_the_arena() -> None:
    it = Round()
    it.submit(light(0), heavy(1, 300), heavy(2, 300))

    assert it.start() == [0, 1]
    assert it.lanes.kept_bytes == 0, "it waits for its lane, and nothing is kept for it"
    it.end(1)
    assert it.start() == [2]


def test_heavy_frames_among_themselves_leave_an_eighth_of_the_arena() -> None:
    it = Round()
    it.submit(heavy(0, 400), heavy(1, 400), heavy(2, 100))

    assert it.start() == [0, 1]
    it.submit(light(3, 100))
    assert it.start() == [3]


def test_nothing_is_kept_for_a_heavy_frame_that_waits_no_more() -> None:
    it = Round()
    it.submit(light(0, 300))
    it.start()
    impatient = heavy(1, 900)
    it.submit(impatient)
    it.start()
    it.schedule.remove(impatient)
    it.submit(light(2, 500))

    assert it.start() == [2]


def test_recalled_heavy_frame_has_room_kept_and_goes_before_other_heavy_ones() -> None:
    it = Round()
    recalled = heavy(0, 900)
    it.submit(light(1, 300))
    it.start()
    it.submit(heavy(2), light(3), light(4, 200))

    it.end(1)

    assert it.start(recalled=recalled) == [3], "100 bytes are left to light ones"
    assert it.start() == [2, 4], "once it has been started, or is gone"


# ---- always


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 1000), st.integers(0, 9)), max_size=40),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_any_mixture_ends_with_all_frames_done_within_all_bounds(
    frames: list[tuple[bool, int, int]],
    jobs_max: int,
    random: Random,
) -> None:
    it = Round(jobs_max)
    done = 0
    waiting = [
        (heavy if is_heavy else light)(number, room_bytes, priority=priority)
        for number, (is_heavy, room_bytes, priority) in enumerate(frames)
    ]
    while waiting or it.schedule.count:
        for _ in range(random.randrange(3)):
            if waiting:
                it.submit(waiting.pop(0))
        it.start()
        assert it.in_work.working <= jobs_max
        assert it.used_bytes <= ARENA_BYTES
        assert it.held or not it.schedule.count, "who waits for nobody is started"
        if it.held:
            it.end(random.choice(it.held).number)
            done += 1

    assert done + len(it.held) == len(frames)


@pytest.mark.parametrize("is_heavy", [False, True], ids=["light", "heavy"])
def test_flood_of_one_kind_does_not_starve_a_frame_of_the_other(is_heavy: bool) -> None:
    flood, single = (heavy, light) if not is_heavy else (light, heavy)
    it = Round(jobs_max=4)
    it.submit(*[flood(number, 240, priority=9) for number in range(50)])
    it.start()
    it.submit(single(99, 900, priority=0))
    for turn in range(6):
        if 99 in it.start():
            return
        it.submit(flood(100 + turn, 240, priority=9))
        it.end(it.held[0].number)
    raise AssertionError("it was never started")
