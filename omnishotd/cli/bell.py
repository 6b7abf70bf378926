"""The bell: one place to wait at for keys, signals and news, so that nothing interrupts anything."""

import contextlib
import os
import select
import signal
import threading
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Final, Self

_NEWS: Final = 0
"""No signal has this number."""

_CHUNK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Rung:
    """What there was to hear."""

    keys: bytes = b""
    signals: frozenset[int] = frozenset()
    has_news: bool = False
    is_hung_up: bool = False
    """Nobody can press a key any more."""


class Bell:
    """While it is entered, signals ring and do nothing else. `ring` may be called from any thread, at any time."""

    def __init__(self, signals: tuple[signal.Signals, ...], keyboard_fd: int | None) -> None:
        self._signals = signals
        self._keyboard_fd = keyboard_fd
        self._handlers_before: dict[signal.Signals, Any] = {}
        self._wakeup_fd_before = -1
        self._reading_fd = self._writing_fd = -1
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._reading_fd, self._writing_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_fd_before = signal.set_wakeup_fd(self._writing_fd, warn_on_full_buffer=False)
        # Who started us may have wished a signal away, as nohup does.
        heard = [number for number in self._signals if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers_before = {number: signal.signal(number, _ring_only) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_fd_before)
        with self._lock:
            os.close(self._reading_fd)
            os.close(self._writing_fd)
            self._reading_fd = self._writing_fd = -1

    def ring(self) -> None:
        """Tell whoever waits that there is news."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._writing_fd >= 0:
                os.write(self._writing_fd, bytes([_NEWS]))

    def wait(self, timeout_s: float) -> Rung:
        """Wait until something rings, or for so long."""
        fds = [self._reading_fd] + ([self._keyboard_fd] if self._keyboard_fd is not None else [])
        ready, _, _ = select.select(fds, [], [], max(timeout_s, 0.0))
        rung = os.read(self._reading_fd, _CHUNK_BYTES) if self._reading_fd in ready else b""
        keys = _pressed(self._keyboard_fd) if self._keyboard_fd is not None and self._keyboard_fd in ready else None
        return Rung(
            keys=keys or b"",
            signals=frozenset(rung) - {_NEWS},
            has_news=_NEWS in rung,
            is_hung_up=keys == b"",
        )

    def obey(self, number: int) -> None:
        """Do what the signal does to a program that does not handle it. Returns if the program goes on after that."""
        handler = signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, handler)


def _ring_only(_number: int, _frame: FrameType | None) -> None:
    """Leave it to the bell: the number of the signal is written into its pipe."""


def _pressed(keyboard_fd: int) -> bytes:
    """Return the keys that were pressed, nothing if the terminal is gone."""
    try:
        return os.read(keyboard_fd, _CHUNK_BYTES)
    except OSError:
        return b""
