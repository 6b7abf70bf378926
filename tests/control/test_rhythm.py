"""When subscriptions fall due, at a clock of their own."""

from hypothesis import given
from hypothesis import strategies as st

from control.rhythm import Rhythm


def test_all_of_one_interval_fall_due_together_however_they_came() -> None:
    rhythm = Rhythm[str]()
    rhythm.add("a", 1000, now_ms=10_100)
    rhythm.add("b", 1000, now_ms=10_900)

    assert rhythm.next_ms == 11_000
    assert rhythm.due(10_999) == []
    assert rhythm.due(11_000) == ["a", "b"]
    assert rhythm.due(11_000) == []
    assert rhythm.next_ms == 12_000


def test_moments_that_were_missed_are_not_made_up_for() -> None:
    rhythm = Rhythm[str]()
    rhythm.add("a", 100, now_ms=0)

    assert rhythm.due(950) == ["a"]
    assert rhythm.next_ms == 1000


def test_last_member_that_goes_leaves_no_moment_behind() -> None:
    rhythm = Rhythm[str]()
    rhythm.add("a", 100, now_ms=0)
    rhythm.add("b", 100, now_ms=0)
    rhythm.add("c", 250, now_ms=0)

    moments_ms = []
    for member, interval_ms in (("a", 100), ("b", 100), ("c", 250)):
        rhythm.remove(member, interval_ms)
        moments_ms.append(rhythm.next_ms)

    assert moments_ms == [100, 250, None]
    assert rhythm.due(10_000) == []


INTERVALS_MS = st.sampled_from([100, 150, 1000, 6000])


@given(st.dictionaries(st.integers(0, 50), INTERVALS_MS, max_size=8), st.integers(0, 10**9))
def test_every_member_falls_due_once_an_interval(intervals_ms: dict[int, int], begin_ms: int) -> None:
    rhythm = Rhythm[int]()
    for member, interval_ms in intervals_ms.items():
        rhythm.add(member, interval_ms, begin_ms)

    counts = dict.fromkeys(intervals_ms, 0)
    end_ms = begin_ms + 12_000
    while (next_ms := rhythm.next_ms) is not None and next_ms < end_ms:
        for member in rhythm.due(next_ms):
            counts[member] += 1

    assert all(12_000 // intervals_ms[member] - counts[member] in {0, 1} for member in counts)
