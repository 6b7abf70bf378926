"""Keyboard: what each key does in `omnishotd top`, and which ones are in the bytes that a terminal sends. Pure."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final


class Key(StrEnum):
    """A key that means something."""

    QUIT = "q"
    SORT = "s"
    REVERSE = "r"
    PAUSE = "p"
    KEYS = "?"


MEANINGS: Final = {
    Key.QUIT: "quit, as Ctrl-C does",
    Key.SORT: "sort the services by the next of: name, busy share, memory, restarts",
    Key.REVERSE: "reverse their order",
    Key.PAUSE: "hold the figures still, and let them go again",
    Key.KEYS: "show this, and hide it again",
}

_BY_LETTER: Final = {key.value: key for key in Key}

# Arrows and the like are sent as sequences whose last letters are no keys: CSI and SS3 of ECMA-48, and Alt with a key.
_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O])?", re.DOTALL)


def keys_in(sent: bytes) -> Iterator[Key]:
    """Yield the keys that mean something, in the order in which they were pressed."""
    for letter in _SEQUENCE.sub(b"", sent).decode("ascii", errors="replace").lower():
        if letter in _BY_LETTER:
            yield _BY_LETTER[letter]
