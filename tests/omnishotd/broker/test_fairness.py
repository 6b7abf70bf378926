"""A full queue: the longest line gives way to a shorter one, and never to one that would become longer than itself."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.rates import BURST_MIN
from omnishotd.broker.frame import Frame
from omnishotd.broker.schedule import Room, Schedule
from omnishotd.broker.sharing import TOGETHER_US
from tests.omnishotd.broker.rig import OTHER, Rig, full_rig, make_frame, make_sender, make_settings, picture

GREEDY = make_sender(b"greedy")
MODEST = make_sender(b"modest")


def queue_of(*frames: Frame, count_max: int = 4, bytes_max: int = 1_000) -> Schedule:
    schedule = Schedule(count_max, bytes_max)
    for frame in frames:
        schedule.push(frame)
    return schedule


def greedy(count: int, payload: bytes = b"x") -> list[Frame]:
    return [make_frame(number, payload, sender=GREEDY) for number in range(count)]


def room(schedule: Schedule, payload_bytes: int = 1, on_full: str = "reject", stream: str | None = None) -> Room:
    return schedule.room(MODEST.peer.id, make_frame(0, sender=MODEST).key.scope, stream, on_full, payload_bytes)


def test_newest_frame_of_the_longest_line_gives_way_whatever_its_priority() -> None:
    frames = greedy(3)
    newest = make_frame(9, sender=GREEDY, priority=9)

    assert room(queue_of(*frames, newest)) == Room(True, (), (newest,))


def test_line_that_is_longer_by_one_does_not_give_way() -> None:
    """They would take turns in throwing each other out."""
    schedule = queue_of(*greedy(2), make_frame(7, sender=MODEST), make_frame(8, sender=OTHER))

    assert not room(schedule).is_there


def test_line_that_is_longer_by_two_gives_way() -> None:
    schedule = queue_of(*greedy(3), make_frame(7, sender=MODEST))

    assert [frame.number for frame in room(schedule).displaced] == [2]


def test_greedy_one_gets_no_room_of_its_own_line() -> None:
    schedule = queue_of(*greedy(4))

    assert not schedule.room(GREEDY.peer.id, "any", None, "reject", 1).is_there


def test_line_that_has_become_short_is_not_taken_for_the_longest() -> None:
    frames = greedy(4)
    schedule = queue_of(*frames)
    for frame in frames[1:]:
        schedule.remove(frame)
        schedule.push(make_frame(frame.number + 10, sender=make_sender(b"%d" % frame.number)))

    assert not room(queue_of(make_frame(5, sender=MODEST), count_max=1)).is_there
    assert not schedule.room(frames[0].producer, "any", None, "reject", 1).is_there


def test_queue_full_of_bytes_is_shared_by_bytes() -> None:
    schedule = queue_of(*greedy(2, b"x" * 450), make_frame(7, b"y" * 50, sender=MODEST), count_max=99)

    assert [frame.number for frame in room(schedule, 60).displaced] == [1]


def test_large_frame_displaces_no_more_bytes_than_leave_it_the_shorter_line() -> None:
    schedule = queue_of(*greedy(9, b"x" * 100), count_max=99)

    assert [frame.number for frame in room(schedule, 400).displaced] == [8, 7, 6]
    assert not room(schedule, 600).is_there


def test_stream_s_own_frames_give_way_first() -> None:
    own = make_frame(7, sender=MODEST, stream="left")
    schedule = queue_of(*greedy(3), own)

    assert room(schedule, on_full="drop_oldest", stream="left") == Room(True, (own,))
    assert room(schedule, on_full="latest", stream="left") == Room(True, (own,))


def test_policy_without_frames_of_its_own_displaces_as_well() -> None:
    for policy in ("drop_oldest", "latest"):
        assert [frame.number for frame in room(queue_of(*greedy(4)), on_full=policy).displaced] == [3]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), max_size=60),
    st.integers(1, 12),
    st.integers(30, 120),
)
def test_any_arrivals_stay_within_the_bounds_and_no_line_is_displaced_by_a_longer_one(
    arrivals: list[tuple[int, int]], count_max: int, bytes_max: int
) -> None:
    schedule = queue_of(count_max=count_max, bytes_max=bytes_max)
    for number, (producer, size) in enumerate(arrivals):
        frame = make_frame(number, b"x" * size, sender=make_sender(b"%d" % producer))
        found = schedule.room(frame.producer, "any", None, "reject", size)
        by_bytes = schedule.bytes + size > bytes_max
        for displaced in found.displaced:
            schedule.remove(displaced)
        if found.is_there:
            schedule.push(frame)
        assert schedule.count <= count_max
        assert schedule.bytes <= bytes_max
        if found.displaced:
            lines = {line.frame.producer: line for line in schedule.lines()}
            victim = lines.get(found.displaced[0].producer)
            assert victim is not None
            newcomer = lines[frame.producer]
            assert victim.bytes >= newcomer.bytes if by_bytes else victim.count >= newcomer.count


# ---- in the flow


def test_displaced_frame_is_busy_counts_as_rejected_and_its_id_is_free() -> None:
    rig = full_rig(queue_limit=2)
    for name in ("a", "b"):
        rig.submit(name, sender=GREEDY)
    rig.submit("c", sender=MODEST)

    assert [(told.sender, told.id, told.code) for told in rig.told] == [(GREEDY, "b", "BUSY")]
    assert rig.told[0].header["retry_after_ms"] >= 1
    assert (rig.flow.account.rejected, rig.flow.account.failed) == (1, 0)
    rig.flow.check()
    rig.finish()
    rig.submit("b", sender=GREEDY)
    rig.finish()
    assert rig.replies("a") == rig.replies("c") == ["ok"]
    assert rig.replies("b") == ["BUSY", "ok"]


def test_greedy_one_cannot_keep_others_out_of_the_queue() -> None:
    rig = full_rig(queue_limit=8)
    for number in range(50):
        rig.submit(f"g{number}", sender=GREEDY)
    for producer in range(4):
        rig.submit(f"p{producer}", sender=make_sender(b"%d" % producer))
    for number in range(50, 100):
        rig.submit(f"g{number}", sender=GREEDY)
    rig.finish()

    assert [rig.replies(f"p{producer}") for producer in range(4)] == [["ok"]] * 4
    assert Counter(told.code for told in rig.told if told.sender == GREEDY) == {"BUSY": 96, "ok": 4}


def test_producer_alone_has_all_places_in_work_and_one_of_several_has_half() -> None:
    rig = Rig(make_settings(max_concurrent_jobs=4, queue_limit=99))
    for number in range(6):
        rig.submit(f"g{number}", sender=GREEDY)
    assert rig.flow.account.in_flight == 4
    rig.submit("m", sender=MODEST)
    while rig.flow.account.in_flight > 2:
        rig.answer(rig.held[0])
    assert rig.replies("m") == []
    before = len(rig.told)
    rig.finish()
    assert [told.id for told in rig.told[before:]] == ["g2", "g3", "g4", "m", "g5"]
    rig.now_us += TOGETHER_US
    for number in range(6, 12):
        rig.submit(f"g{number}", sender=GREEDY)

    assert rig.flow.account.in_flight == 4


def test_twenty_connections_of_one_process_have_one_turn_and_one_share() -> None:
    rig = full_rig(queue_limit=8)
    many = [make_sender(b"c%d" % number, pid=77) for number in range(20)]
    for sender in many:
        rig.submit("g", sender=sender)
    rig.submit("m", sender=MODEST)
    rig.finish()

    order = [told.id for told in rig.told if told.code == "ok"]
    assert order.index("m") <= 2, "its turn comes after one frame of the others, not after all"


def test_twenty_connections_of_one_process_have_one_rate() -> None:
    rig = Rig(make_settings(frames={"rate_per_second": 1.0}, queue_limit=99))
    for number in range(20):
        rig.submit("f", picture(64, b"%d" % number), sender=make_sender(b"c%d" % number, pid=77))
    rig.submit("other", sender=MODEST)
    rig.finish()

    assert Counter(told.code for told in rig.told) == {"ok": BURST_MIN + 1, "RATE_LIMITED": 20 - BURST_MIN}
    assert rig.replies("other") == ["ok"]
