"""History: all that a producer did and saw, one event a line, in a file that outlives the producer."""

from pathlib import Path
from typing import Final

import msgspec

OK: Final = "ok"


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened, at a time of the monotonic clock that all processes share, in seconds."""

    at_s: float


class Asked(Event, frozen=True, kw_only=True, tag="asked"):
    """A request was sent."""

    request: str
    link: int
    """Number of the connection it was sent on."""


class Answered(Event, frozen=True, kw_only=True, tag="answered"):
    """A reply came."""

    request: str
    link: int
    """Number of the connection it came on."""
    code: str
    """`ok`, or the error's code."""
    trace: str = ""
    """The daemon's name for the execution; errors have none."""
    fault: str = ""
    """What is wrong with the pictures."""


class Unanswered(Event, frozen=True, kw_only=True, tag="unanswered"):
    """The producer's own time limit passed; it asks again."""

    request: str


class Ended(Event, frozen=True, kw_only=True, tag="ended"):
    """The producer ended in order. A library hides replies that it did not wait for, but counts them."""

    ignored: int = 0
    """Replies that the library ignored."""
    ignored_max: int = 0
    """As many are explained by requests and pings that went out again because a connection was lost."""


Happening = Asked | Answered | Unanswered | Ended

_decoder: Final = msgspec.json.Decoder(Happening)
_encoder: Final = msgspec.json.Encoder()


class HistoryWriter:
    """Writes each event at once: what happened before a producer dies is told."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def add(self, event: Happening) -> None:
        """Write an event."""
        self._file.write(_encoder.encode(event) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class HistoryReader:
    """Follows a history while it is written."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("rb")
        self._begun = b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self) -> list[Happening]:
        """Return the events that were written since the last time."""
        *lines, self._begun = (self._begun + self._file.read()).split(b"\n")
        return [_decoder.decode(line) for line in lines]
