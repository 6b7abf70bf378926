"""The bell: keys, signals and news, heard at one place."""

import os
import pty
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from omnishotd.cli.bell import Bell, Rung

WITHIN_S = 10.0


@pytest.fixture
def keyboard() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal: where somebody types, and where it is read."""
    typing, read = pty.openpty()
    yield typing, read
    for fd in (typing, read):
        with suppress(OSError):
            os.close(fd)


def test_signal_only_rings_and_does_what_it_did_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Bell((signal.SIGINT, signal.SIGTERM), None) as bell:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

        rung = bell.wait(WITHIN_S)

    assert rung == Rung(signals=frozenset({signal.SIGINT, signal.SIGTERM}))
    assert signal.getsignal(signal.SIGINT) is before


def test_signal_that_was_wished_away_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Bell((signal.SIGHUP,), None) as bell:
            signal.raise_signal(signal.SIGHUP)

            assert bell.wait(0) == Rung()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_news_of_another_thread_wakes_whoever_waits() -> None:
    with Bell((), None) as bell:
        thread = threading.Thread(target=bell.ring)
        thread.start()

        rung = bell.wait(WITHIN_S)
        thread.join()

    assert rung == Rung(has_news=True)


def test_ringing_more_often_than_anybody_listens_rings_once() -> None:
    with Bell((), None) as bell:
        for _ in range(100_000):
            bell.ring()

        rung = bell.wait(WITHIN_S)

    assert rung.has_news


def test_ringing_after_the_end_is_heard_by_nobody() -> None:
    bell = Bell((), None)
    with bell:
        pass
    reading, writing = os.pipe2(os.O_NONBLOCK)
    try:
        bell.ring()
        with pytest.raises(BlockingIOError):
            os.read(reading, 1)
    finally:
        os.close(reading)
        os.close(writing)


def test_keys_are_handed_on_as_they_are_pressed(keyboard: tuple[int, int]) -> None:
    typing, read = keyboard
    with Bell((), read) as bell:
        os.write(typing, b"s\n")

        assert bell.wait(WITHIN_S) == Rung(keys=b"s\n")


def test_terminal_that_is_gone_hangs_up(keyboard: tuple[int, int]) -> None:
    typing, read = keyboard
    with Bell((), read) as bell:
        os.close(typing)

        assert bell.wait(WITHIN_S) == Rung(is_hung_up=True)


def test_signal_that_is_obeyed_does_what_it_does_by_itself() -> None:
    with Bell((signal.SIGCHLD, signal.SIGWINCH), None) as bell:
        # These do nothing by themselves.
        bell.obey(signal.SIGWINCH)

        assert bell.wait(0) == Rung()
        signal.raise_signal(signal.SIGWINCH)
        assert bell.wait(WITHIN_S).signals == {signal.SIGWINCH}
