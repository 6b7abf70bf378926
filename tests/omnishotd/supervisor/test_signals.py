"""Signals through the pipe: real ones, to this very process."""

import os
import select
import signal
from collections.abc import Iterator

import pytest

from omnishotd.supervisor.signals import HANDLED, SignalPipe


@pytest.fixture
def pipe() -> Iterator[SignalPipe]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    made = SignalPipe()
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)
    os.close(made._reader)
    os.close(made._writer)


def test_pipe_without_a_signal_is_not_readable(pipe: SignalPipe) -> None:
    assert select.select([pipe], [], [], 0)[0] == []
    assert pipe.take() == []


def test_signals_come_out_in_the_order_in_which_they_came(pipe: SignalPipe) -> None:
    sent = [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]
    for number in sent:
        signal.raise_signal(number)

    assert select.select([pipe], [], [], 5)[0] == [pipe]
    assert pipe.take() == sent
    assert pipe.take() == []


def test_signal_sent_from_outside_wakes_a_poll(pipe: SignalPipe) -> None:
    poller = select.poll()
    poller.register(pipe.fileno(), select.POLLIN)
    os.kill(os.getpid(), signal.SIGTERM)

    assert poller.poll(5_000)
    assert pipe.take() == [signal.SIGTERM]


def test_more_signals_than_the_pipe_holds_do_no_harm(pipe: SignalPipe) -> None:
    for _ in range(70_000):
        signal.raise_signal(signal.SIGHUP)

    assert set(pipe.take()) == {signal.SIGHUP}
