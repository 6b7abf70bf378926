"""The watch: `omnishotd top` on a terminal, from the first screen to the last key."""

import signal
import time
from typing import Final

from omnishotd.cli.access import Access
from omnishotd.cli.bell import Bell, Rung
from omnishotd.cli.feed import Feed
from omnishotd.cli.keyboard import Key, keys_in
from omnishotd.cli.screen import Setting, compose
from omnishotd.cli.terminal import Terminal
from omnishotd.cli.view import View

DRAWINGS_PER_SECOND_MAX: Final = 5
"""On news: a key is answered at once."""

_REDRAW_S: Final = 1.0
"""Ages are shown, and they grow."""

_DEADLY: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_SIGNALS: Final = (*_DEADLY, signal.SIGINT, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)


class Watch:
    """Shows what a feed says until a key or a signal ends it."""

    def __init__(self, access: Access, setting: Setting) -> None:
        self._setting = setting
        self._terminal = Terminal()
        self._bell = Bell(_SIGNALS, self._terminal.keyboard_fd)
        self._feed = Feed(access, setting.interval_s, self._bell.ring)
        self._view = View()

    def run(self) -> int:
        """Watch, and return the status. Raises KeyboardInterrupt at SIGINT; dies of a signal that is deadly."""
        with self._bell:
            with self._feed, self._terminal:
                last = self._until_told()
            # The terminal is as it was before: now the signal may do what it does.
            for number in sorted(last.signals & {*_DEADLY, signal.SIGINT}):
                if number == signal.SIGINT:
                    raise KeyboardInterrupt
                self._bell.obey(number)
        return 0

    def _until_told(self) -> Rung:
        """Draw and wait in turn. Returns what ended it."""
        drawn_at_s = 0.0
        next_s = drawn_at_s
        while True:
            now_s = time.monotonic()
            if now_s >= next_s:
                self._draw(now_s)
                drawn_at_s, next_s = now_s, now_s + _REDRAW_S
            rung = self._bell.wait(next_s - time.monotonic())
            keys = list(keys_in(rung.keys))
            if rung.is_hung_up or Key.QUIT in keys or rung.signals & {*_DEADLY, signal.SIGINT}:
                return rung
            if rung.has_news:
                next_s = min(next_s, drawn_at_s + 1 / DRAWINGS_PER_SECOND_MAX)
            for key in keys:
                self._view = self._view.after(key, self._feed.snapshot)
            if signal.SIGTSTP in rung.signals:
                with self._terminal.given_back():
                    self._bell.obey(signal.SIGTSTP)
            elif signal.SIGCONT in rung.signals:
                # Stopped by another signal than the terminal's: the shell may have set the terminal for itself.
                with self._terminal.given_back():
                    pass
            if rung.keys or rung.signals:
                next_s = 0.0

    def _draw(self, now_s: float) -> None:
        self._terminal.measure()
        self._terminal.draw(compose(self._view, self._feed.snapshot, self._setting, self._terminal.console, now_s))
