"""Signals, turned into bytes on a pipe: the handler does nothing, the supervisor's loop reads and decides."""

import os
import signal
from typing import Final

HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _nothing(*_: object) -> None:
    """Python writes the signal's number to the wake-up descriptor before it comes here."""


class SignalPipe:
    """Readable when a signal has come."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, _nothing)
        # `omnishotd serve` blocks them before it becomes the supervisor, so that none is lost or ends it half-way.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def fileno(self) -> int:
        """Descriptor to poll for reading."""
        return self._reader

    def take(self) -> list[signal.Signals]:
        """Return the signals that have come, oldest first."""
        try:
            return [signal.Signals(number) for number in os.read(self._reader, 256)]
        except BlockingIOError:
            return []
