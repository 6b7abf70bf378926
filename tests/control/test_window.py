"""The sliding window: bounded, and its ends are what they claim."""

from hypothesis import example, given
from hypothesis import strategies as st

from control.window import SPACING_S, WINDOW_S, Sample, Span, Window


def test_window_without_two_samples_apart_in_time_has_no_span() -> None:
    window: Window[int] = Window()
    assert window.span(0) is None
    window.add(1.0, 5)
    window.add(1.0, 6)

    assert window.span(1.0) is None


def test_window_spans_from_the_oldest_sample_within_it_to_the_newest() -> None:
    window: Window[int] = Window()
    for second in range(30):
        window.add(second, second * 100)

    assert window.span(29.5) == Span(Sample(20, 2000), Sample(29, 2900))
    assert window.span(100) is None


def test_window_with_a_late_sample_keeps_time_in_order() -> None:
    window: Window[int] = Window()
    window.add(1.0, 1)
    window.add(5.0, 2)
    window.add(4.0, 3)

    assert window.span(5.0) == Span(Sample(1.0, 1), Sample(5.0, 3))


def test_window_with_crowded_samples_still_spans_its_whole_length() -> None:
    window: Window[int] = Window()
    for number in range(2000):
        window.add(number / 100, number)
    span = window.span(19.99)

    assert span is not None
    assert span.newest == Sample(19.99, 1999)
    assert abs(span.newest.at_s - span.oldest.at_s - WINDOW_S) <= SPACING_S * 2


@example([0.0, 0.125, 2.0, 1.5, 1.5, 1.25, 1.25, 1.625, 0.875])
@given(st.lists(st.floats(0, 2), min_size=2, max_size=300))
def test_window_with_samples_at_any_pace_keeps_the_newest_and_all_of_its_length(pauses_s: list[float]) -> None:
    window: Window[int] = Window()
    at_s = 0.0
    times_s = []
    for number, pause_s in enumerate(pauses_s):
        at_s += pause_s
        times_s.append(at_s)
        window.add(at_s, number)
    span = window.span(at_s)

    if span is None:
        assert at_s - min(time_s for time_s in times_s if at_s - time_s <= WINDOW_S) <= SPACING_S * 2
    else:
        assert span.newest == Sample(at_s, len(pauses_s) - 1)
        earliest_s = min(time_s for time_s in times_s if at_s - time_s <= WINDOW_S)
        assert span.oldest.at_s - earliest_s <= SPACING_S
