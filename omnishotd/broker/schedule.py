"""Schedule: which waiting frame is next. Pure.

By priority, and within a priority in turn between producers, so that one producer's thousand frames do not stand before
another's single one. Heavy frames wait in a lane of their own, with priorities and turns of its own: a light frame
never stands behind one (`omnishotd.broker.lanes` says how many of each are started). Bounded by count and by bytes, of
both lanes together. When it is full, the longest line gives way to a shorter one, so that nobody can keep the others
out.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ipc.wire import PRIORITY_MAX
from omnishotd.broker.frame import Frame

_LEVELS: Final = PRIORITY_MAX + 1

Turns = dict[bytes, dict[int, Frame]]
"""Producers in the order in which it is their turn, each with its frames in order of arrival."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a frame can be queued, and which frames must give way for it."""

    is_there: bool
    victims: tuple[Frame, ...] = ()
    """Of its own stream, which gave leave for it."""
    displaced: tuple[Frame, ...] = ()
    """Of the producer with the longest line."""


@dataclass(slots=True)
class _Length:
    """How much of one producer waits."""

    count: int = 0
    bytes: int = 0


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
        self._levels: list[Turns] = [{} for _ in range(2 * _LEVELS)]
        """By priority, first those of light frames, then those of heavy ones."""
        self._lengths: dict[bytes, _Length] = {}
        """By producer with waiting frames."""
        self._longest_max = 0
        """No line has more frames than this: it rises with each frame, and is made exact when somebody looks."""
        self.count = 0
        self.bytes = 0
        self.heavy_count = 0

    def set_bounds(self, count_max: int, bytes_max: int) -> None:
        """Change how much may wait. What waits already stays."""
        self._count_max = count_max
        self._bytes_max = bytes_max

    def room(self, producer: bytes, scope: str | bytes, stream: str | None, on_full: str, payload_bytes: int) -> Room:
        """Decide whether a new frame has room, and at whose cost. Changes nothing."""
        if on_full == "latest":
            victims = self._of_stream(producer, scope, stream)
            if self._has_room(payload_bytes, len(victims), _bytes_of(victims)):
                return Room(True, tuple(victims))
            return self._room_of_longest(producer, payload_bytes, victims)
        if self._has_room(payload_bytes):
            return Room(True)
        if on_full == "drop_oldest":
            victims, freed_bytes = [], 0
            for frame in self._of_stream(producer, scope, stream):
                victims.append(frame)
                freed_bytes += len(frame.payload)
                if self._has_room(payload_bytes, len(victims), freed_bytes):
                    return Room(True, tuple(victims))
        return self._room_of_longest(producer, payload_bytes, [])

    def push(self, frame: Frame) -> None:
        """Queue a frame. The caller has asked for `room`."""
        turns = self._levels[_level_of(frame)]
        producer, payload_bytes = frame.producer, len(frame.payload)
        turns.setdefault(producer, {})[frame.number] = frame
        length = self._lengths.get(producer)
        if length is None:
            length = self._lengths[producer] = _Length()
        length.count += 1
        length.bytes += payload_bytes
        self._longest_max = max(self._longest_max, length.count)
        self.count += 1
        self.heavy_count += frame.is_heavy
        self.bytes += payload_bytes

    def peek(self, *, is_heavy: bool = False) -> Frame | None:
        """Return the frame of one lane whose turn it is, and leave it."""
        if not (self.heavy_count if is_heavy else self.count - self.heavy_count):
            return None
        top = 2 * _LEVELS - 1 if is_heavy else _LEVELS - 1
        for level in range(top, top - _LEVELS, -1):
            for frames in self._levels[level].values():
                return next(iter(frames.values()))
        return None

    def take(self, frame: Frame) -> None:
        """Take out the frame that `peek` gave; its producer goes to the end of the turns."""
        turns = self._levels[_level_of(frame)]
        self.remove(frame)
        if frame.producer in turns:
            turns[frame.producer] = turns.pop(frame.producer)

    def remove(self, frame: Frame) -> None:
        """Take out any waiting frame."""
        turns = self._levels[_level_of(frame)]
        producer, payload_bytes = frame.producer, len(frame.payload)
        frames = turns[producer]
        del frames[frame.number]
        if not frames:
            del turns[producer]
        length = self._lengths[producer]
        length.count -= 1
        length.bytes -= payload_bytes
        if not length.count:
            del self._lengths[producer]
        self.count -= 1
        self.heavy_count -= frame.is_heavy
        self.bytes -= payload_bytes

    def count_by_priority(self) -> list[int]:
        """Count the waiting frames of each priority, the lowest first."""
        counts = [sum(map(len, turns.values())) for turns in self._levels]
        return [light + heavy for light, heavy in zip(counts[:_LEVELS], counts[_LEVELS:], strict=True)]

    def lines(self) -> list[Line]:
        """List the producers with waiting frames."""
        lines: dict[bytes, Line] = {}
        for turns in self._levels:
            for producer, frames in turns.items():
                line = lines.get(producer)
                if line is None:
                    frame = next(iter(frames.values()))
                    lines[producer] = Line(frame, len(frames), self._lengths[producer].bytes)
                else:
                    line.count += len(frames)
        return list(lines.values())

    def _room_of_longest(self, producer: bytes, payload_bytes: int, victims: list[Frame]) -> Room:
        """Take room from the longest line, newest frame first, if it stays no shorter than the newcomer's becomes.

        Lines are measured by what is short: frames, or bytes.
        """
        own = self._lengths.get(producer, _Length())
        own_count = own.count - len(victims) + 1
        freed_bytes = _bytes_of(victims)
        own_bytes = own.bytes - freed_bytes + payload_bytes
        by_bytes = self.bytes - own.bytes + own_bytes > self._bytes_max
        if not by_bytes and own_count >= self._longest_max:
            return Room(False)
        longest = self._longest(by_bytes=by_bytes)
        if longest is None or longest == producer:
            return Room(False)
        count, held_bytes = self._lengths[longest].count, self._lengths[longest].bytes
        displaced: list[Frame] = []
        for frame in self._newest_first(longest):
            displaced.append(frame)
            count -= 1
            frame_bytes = len(frame.payload)
            held_bytes -= frame_bytes
            freed_bytes += frame_bytes
            if (held_bytes < own_bytes) if by_bytes else (count < own_count):
                return Room(False)
            if self._has_room(payload_bytes, len(victims) + len(displaced), freed_bytes):
                return Room(True, tuple(victims), tuple(displaced))
        return Room(False)

    def _longest(self, *, by_bytes: bool) -> bytes | None:
        """Name the producer with the longest line."""
        if by_bytes:
            return max(self._lengths, key=lambda producer: self._lengths[producer].bytes, default=None)
        longest = max(self._lengths, key=lambda producer: self._lengths[producer].count, default=None)
        self._longest_max = 0 if longest is None else self._lengths[longest].count
        return longest

    def _newest_first(self, producer: bytes) -> Iterator[Frame]:
        """Yield a producer's waiting frames of all priorities."""
        levels = [reversed(turns[producer].values()) for turns in self._levels if producer in turns]
        return heapq.merge(*levels, key=lambda frame: -frame.number)

    def _has_room(self, payload_bytes: int, freed_count: int = 0, freed_bytes: int = 0) -> bool:
        """Tell whether a frame fits, once frames so many and so large have given way."""
        return (
            self.count - freed_count < self._count_max and self.bytes - freed_bytes + payload_bytes <= self._bytes_max
        )

    def _of_stream(self, producer: bytes, scope: str | bytes, stream: str | None) -> list[Frame]:
        """List a stream's waiting frames, oldest first. A stream belongs to its scope, as an id does."""
        frames = [
            frame
            for turns in self._levels
            for frame in turns.get(producer, {}).values()
            if frame.request.stream == stream and frame.key.scope == scope
        ]
        frames.sort(key=lambda frame: frame.number)
        return frames


def _level_of(frame: Frame) -> int:
    return frame.request.priority + _LEVELS if frame.is_heavy else frame.request.priority


def _bytes_of(frames: list[Frame]) -> int:
    return sum(len(frame.payload) for frame in frames)
