"""Reader: a process of its own that reads the configuration again, so that the supervisor needs no library for it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ipc.printable import printable
from ipc.settings import Settings

READ_TIMEOUT_S: Final = 10.0
SETTINGS_BYTES_MAX: Final = 1 << 20
WORDS_BYTES_MAX: Final = 64 << 10
LINES_MAX: Final = 100
"""Of what is wrong: all that an operator will read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a configuration cannot be used, one reason a line."""

    lines: list[str]


class Reader:
    """Runs `omnishotd serve` with the arguments that the daemon was started with, up to where it has the settings.

    What it writes goes to memory: nothing that it says can make anybody wait. Raises OSError if it cannot be started.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._settings_fd = self._words_fd = -1
        try:
            self._settings_fd = os.memfd_create("omnishotd-settings")
            self._words_fd = os.memfd_create("omnishotd-reader")
            own = ["--settings-to", str(self._settings_fd), "--stop-with-parent", str(os.getpid())]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "omnishotd", *arguments, *own],
                pass_fds=[self._settings_fd],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words_fd,
                process_group=0,
            )
        except OSError:
            self._close_files()
            raise
        self._give_up_at_s = time.monotonic() + READ_TIMEOUT_S

    def outcome(self, now_s: float) -> Settings | Refusal | None:
        """Tell what has been read; None as long as it reads. Afterwards it is closed."""
        if self._process.poll() is None:
            if now_s < self._give_up_at_s:
                return None
            self.close()
            return Refusal([f"the configuration was not read within {READ_TIMEOUT_S:g} s"])
        try:
            return self._settings() if self._process.returncode == 0 else Refusal(self._lines())
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Refusal([f"what was read is not settings: {error}"])
        finally:
            self.close()

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close_files()

    def _settings(self) -> Settings:
        return msgspec.msgpack.decode(os.pread(self._settings_fd, SETTINGS_BYTES_MAX, 0), type=Settings)

    def _lines(self) -> list[str]:
        words = os.pread(self._words_fd, WORDS_BYTES_MAX, 0).decode(errors="replace")
        lines = [printable(line.removeprefix("omnishotd: ")) for line in words.splitlines() if line.strip()]
        return lines[:LINES_MAX] or [f"the configuration could not be read (status {self._process.returncode})"]

    def _close_files(self) -> None:
        for descriptor in (self._settings_fd, self._words_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._settings_fd = self._words_fd = -1
