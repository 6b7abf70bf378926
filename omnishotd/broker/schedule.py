"""Schedule: which waiting frame is next. Pure.

By priority, and within a priority in turn between producers, so that one producer's thousand frames do not stand before
another's single one. Bounded by count and by bytes.
"""

from dataclasses import dataclass

from ipc.wire import PRIORITY_MAX
from omnishotd.broker.frame import Frame

Turns = dict[bytes, dict[int, Frame]]
"""Producers in the order in which it is their turn, each with its frames in order of arrival."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a frame can be queued, and which frames must give way for it."""

    is_there: bool
    victims: tuple[Frame, ...] = ()


@dataclass(slots=True)
class Line:
    """All waiting frames of one producer."""

    frame: Frame
    """One of them."""
    count: int
    bytes: int


class Schedule:
    """The queue of frames that wait."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._levels: list[Turns] = [{} for _ in range(PRIORITY_MAX + 1)]
        self._bytes_of: dict[bytes, int] = {}
        """By producer with waiting frames; no payload is empty."""
        self.count = 0
        self.bytes = 0

    def room(self, producer: bytes, stream: str | None, on_full: str, payload_bytes: int) -> Room:
        """Decide whether a new frame has room, and at whose cost. Changes nothing."""
        if on_full == "latest":
            victims = self._of_stream(producer, stream)
            return Room(self._has_room(payload_bytes, victims), tuple(victims))
        if self._has_room(payload_bytes, []):
            return Room(True)
        if on_full == "drop_oldest":
            victims = []
            for frame in self._of_stream(producer, stream):
                victims.append(frame)
                if self._has_room(payload_bytes, victims):
                    return Room(True, tuple(victims))
        return Room(False)

    def push(self, frame: Frame) -> None:
        """Queue a frame. The caller has asked for `room`."""
        turns = self._levels[frame.request.priority]
        producer, payload_bytes = frame.producer, len(frame.payload)
        turns.setdefault(producer, {})[frame.number] = frame
        self._bytes_of[producer] = self._bytes_of.get(producer, 0) + payload_bytes
        self.count += 1
        self.bytes += payload_bytes

    def peek(self) -> Frame | None:
        """Return the frame whose turn it is, and leave it."""
        if not self.count:
            return None
        for turns in reversed(self._levels):
            for frames in turns.values():
                return next(iter(frames.values()))
        return None

    def take(self, frame: Frame) -> None:
        """Take out the frame that `peek` gave; its producer goes to the end of the turns."""
        turns = self._levels[frame.request.priority]
        self.remove(frame)
        if frame.producer in turns:
            turns[frame.producer] = turns.pop(frame.producer)

    def remove(self, frame: Frame) -> None:
        """Take out any waiting frame."""
        turns = self._levels[frame.request.priority]
        producer, payload_bytes = frame.producer, len(frame.payload)
        frames = turns[producer]
        del frames[frame.number]
        if not frames:
            del turns[producer]
        left_bytes = self._bytes_of[producer] - payload_bytes
        if left_bytes:
            self._bytes_of[producer] = left_bytes
        else:
            del self._bytes_of[producer]
        self.count -= 1
        self.bytes -= payload_bytes

    def count_by_priority(self) -> list[int]:
        """Count the waiting frames of each priority, the lowest first."""
        return [sum(map(len, turns.values())) for turns in self._levels]

    def lines(self) -> list[Line]:
        """List the producers with waiting frames."""
        lines: dict[bytes, Line] = {}
        for turns in self._levels:
            for producer, frames in turns.items():
                line = lines.get(producer)
                if line is None:
                    frame = next(iter(frames.values()))
                    lines[producer] = Line(frame, len(frames), self._bytes_of[producer])
                else:
                    line.count += len(frames)
        return list(lines.values())

    def _has_room(self, payload_bytes: int, victims: list[Frame]) -> bool:
        return (
            self.count - len(victims) < self._count_max
            and self.bytes - sum(len(frame.payload) for frame in victims) + payload_bytes <= self._bytes_max
        )

    def _of_stream(self, producer: bytes, stream: str | None) -> list[Frame]:
        """List a stream's waiting frames, oldest first. A stream belongs to its producer."""
        frames = [
            frame
            for turns in self._levels
            for frame in turns.get(producer, {}).values()
            if frame.request.stream == stream
        ]
        frames.sort(key=lambda frame: frame.number)
        return frames
