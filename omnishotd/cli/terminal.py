"""The terminal while `omnishotd top` has it: the alternate screen, no echo, and both given back whatever happens."""

import io
import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, ConsoleDimensions, RenderableType
from rich.live import Live

_LOCAL_MODES: Final = 3
"""Of the list that `termios.tcgetattr` returns."""


class Terminal:
    """A full screen on standard output; keys from standard input, if that is a terminal too."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # What the locale has no letter for must not end the command.
            sys.stdout.reconfigure(errors="replace")
        self.console = Console(highlight=False, markup=False, emoji=False)
        self._output_fd = sys.stdout.fileno()
        self.keyboard_fd = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._modes_before: list[Any] | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.keyboard_fd is not None and self._modes_before is None:
            self._modes_before = termios.tcgetattr(self.keyboard_fd)
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Give it back for a while, as to the shell while this process is stopped."""
        self._give_back()
        try:
            yield
        finally:
            self._take()

    def measure(self) -> None:
        """Ask how large the terminal is now."""
        # Not rich's own way: where COLUMNS is exported the size would never change.
        self.console.size = ConsoleDimensions(*os.get_terminal_size(self._output_fd))

    def draw(self, content: RenderableType) -> None:
        """Show this and nothing else."""
        if self._live is not None:
            self._live.update(content, refresh=True)

    def _take(self) -> None:
        if self.keyboard_fd is not None and self._modes_before is not None:
            modes = [*self._modes_before]
            modes[_LOCAL_MODES] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self.keyboard_fd, termios.TCSANOW, modes)
        self._live = Live(
            console=self.console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def _give_back(self) -> None:
        try:
            if self._live is not None:
                self._live.stop()
        finally:
            self._live = None
            if self.keyboard_fd is not None and self._modes_before is not None:
                termios.tcsetattr(self.keyboard_fd, termios.TCSANOW, self._modes_before)
