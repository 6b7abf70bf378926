"""Hang detection, without a clock."""

from hypothesis import given
from hypothesis import strategies as st

from omnishotd.supervisor.pulse import Pulse, Silence


def test_process_that_beats_is_never_judged() -> None:
    pulse = Pulse(5.0)
    pulse.begin(7, 0.0)
    for second in range(1, 100):
        pulse.beat(7, float(second))
        assert pulse.silences(second + 0.9) == []


def test_process_that_falls_silent_is_judged_once_when_its_time_is_over() -> None:
    pulse = Pulse(5.0)
    pulse.begin(7, 0.0)
    pulse.beat(7, 1.0)

    assert pulse.silences(6.0) == []
    assert pulse.silences(6.5) == [Silence(7, 5.5)]
    assert pulse.silences(60.0) == []


def test_process_that_never_beats_is_judged_from_when_it_was_ready() -> None:
    pulse = Pulse(5.0)
    pulse.begin(7, 10.0)

    assert pulse.silences(15.1) == [Silence(7, 15.1 - 10.0)]


def test_process_that_owes_nothing_is_not_judged() -> None:
    pulse = Pulse(5.0)
    pulse.beat(9, 0.0)
    pulse.begin(7, 0.0)
    pulse.end(7)
    pulse.beat(7, 1.0)

    assert pulse.silences(1000.0) == []
    assert pulse.due_s() is None


def test_everybody_begins_anew_when_the_supervisor_was_stopped() -> None:
    pulse = Pulse(5.0)
    pulse.begin(7, 0.0)
    pulse.begin(8, 3.0)
    pulse.resume(4.9)

    assert pulse.silences(9.9) == []
    assert [silence.incarnation for silence in pulse.silences(10.0)] == [7, 8]


@given(
    st.lists(st.tuples(st.sampled_from(["begin", "beat", "end"]), st.integers(0, 3), st.floats(0, 4)), max_size=40),
    st.floats(0.5, 10),
)
def test_due_time_is_the_moment_from_which_somebody_is_judged(
    events: list[tuple[str, int, float]], limit_s: float
) -> None:
    pulse = Pulse(limit_s)
    now_s = 0.0
    for event, incarnation, passes_s in events:
        now_s += passes_s
        if event == "end":
            pulse.end(incarnation)
        elif event == "begin":
            pulse.begin(incarnation, now_s)
        else:
            pulse.beat(incarnation, now_s)
        due_s = pulse.due_s()
        judged = pulse.silences(now_s)
        assert bool(judged) == (due_s is not None and now_s > due_s)
        assert all(silence.for_s > limit_s - 1e-9 for silence in judged)
