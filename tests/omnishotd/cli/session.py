"""A program on a real terminal: somebody who types, and looks at what is on the screen."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

from tests.waiting import eventually

WITHIN_S: Final = 15.0

ENTERED: Final = b"\x1b[?1049h"
LEFT: Final = b"\x1b[?1049l"
CURSOR_HIDDEN: Final = b"\x1b[?25l"
CURSOR_SHOWN: Final = b"\x1b[?25h"

_STYLE: Final = re.compile(rb"\x1b\[[0-9;]*m")
_STEERING: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")

# What a terminal's program is started as: the leader of a session that the terminal belongs to.
_LOGIN: Final = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Session:
    """One program, from its start to its end."""

    def __init__(
        self,
        command: Sequence[str],
        width: int = 80,
        height: int = 24,
        environment: Mapping[str, str] | None = None,
        has_keyboard: bool = True,
    ) -> None:
        self._terminal_fd, self._program_fd = pty.openpty()
        self.resize(width, height)
        self.modes_before = termios.tcgetattr(self._program_fd)
        self.written = b""
        inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LOGIN, *command] if has_keyboard else command,
            stdin=self._program_fd if has_keyboard else subprocess.DEVNULL,
            stdout=self._program_fd,
            stderr=self._program_fd,
            env={**inherited, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._terminal_fd)
        os.close(self._program_fd)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal_fd, keys.encode())

    def resize(self, width: int, height: int) -> None:
        """Make the window as large as this; the program is told."""
        fcntl.ioctl(self._terminal_fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def look(self) -> list[str]:
        """Return the lines of what was drawn last as a whole."""
        self._read()
        # Each drawing begins at home. The last may be on its way still, even in the middle of a letter.
        last = self.written.rpartition(ENTERED)[2].rpartition(b"\x1b[H")[2]
        return [line.rstrip() for line in _STEERING.sub(b"", last).decode(errors="ignore").split("\r\n")]

    def text(self) -> str:
        """Return all that was written, without what steers the terminal."""
        self._read()
        return _STEERING.sub(b"", self.written).decode(errors="ignore")

    def await_screen(self, is_met: Callable[[list[str]], bool], what: str) -> list[str]:
        """Look until the screen is so."""

        def look() -> list[str]:
            lines = self.look()
            return lines if is_met(lines) else []

        return eventually(look, within_s=WITHIN_S, what=what)

    def await_text(self, text: str) -> None:
        """Read until this was written."""
        eventually(lambda: text in self.text(), within_s=WITHIN_S, what=f"{text!r} is written")

    def wait(self) -> int:
        """Wait for the program's end; return its status."""
        eventually(self._has_ended, within_s=WITHIN_S, what="the program ends")
        self._read()
        return self.process.wait()

    def is_left(self) -> bool:
        """Tell whether the terminal was given back: its own screen, its cursor, its modes."""
        screens = (self.written.count(ENTERED), self.written.count(LEFT))
        cursor = self.written.rfind(CURSOR_SHOWN) >= self.written.rfind(CURSOR_HIDDEN)
        return screens[0] == screens[1] and cursor and termios.tcgetattr(self._program_fd) == self.modes_before

    def has_colours(self) -> bool:
        """Tell whether anything was written in colour."""
        self._read()
        numbers = [number for style in _STYLE.findall(self.written) for number in style[2:-1].split(b";")]
        return any(len(number) == 2 and number[:1] in b"349" for number in numbers)

    def _has_ended(self) -> bool:
        # What it writes must be read, or it waits for that for ever.
        self._read()
        return self.process.poll() is not None

    def _read(self) -> None:
        while select.select([self._terminal_fd], [], [], 0)[0]:
            self.written += os.read(self._terminal_fd, 65_536)


def top(url: str, *options: str) -> list[str]:
    """Make the command line of `omnishotd top`."""
    return [sys.executable, "-P", "-m", "omnishotd", "top", "--url", url, *options]
