"""Frames of AV1 data: how large they may become for a decoder, whatever the file around says.

Syntax: AV1 Bitstream and Decoding Process Specification, sections 5.3 to 5.5 and 5.9.2.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

_SEQUENCE_HEADER: Final = 1
_FRAMES: Final = frozenset({3, 6, 7})
"""A frame's header, with the frame or without, or once more."""
_SEQUENCE_HEADER_BYTES_MAX: Final = 512
"""With 32 operating points it has less."""
_FRAME_HEADER_BYTES_MAX: Final = 32
"""As far as it is read."""
_LENGTH_BYTES_MAX: Final = 8
_SELECTED_BY_FRAME: Final = 2
_KEY, _SWITCH = 0, 3


class _Sequence(msgspec.Struct, frozen=True):
    """What of a sequence header frames depend on."""

    width: int
    height: int
    width_most: int
    """If a frame brings a size of its own; so with the height."""
    height_most: int
    is_reduced: bool
    """Of a still picture, which has the sequence's size."""
    time_bits: int
    """Of the time when a frame is shown."""
    screen_tools: int
    integer_vectors: int
    number_bits: int
    """Of a frame's number."""


class _Bits:
    """Reads forward, most significant bit first. Raises `EOFError` at the end."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._left = len(data) * 8
        self._value = int.from_bytes(data, "big")

    def number(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & (1 << bits) - 1

    def variable(self) -> int:
        """As many zeros as there are digits behind the one that follows them; only skipped over."""
        zeros = 0
        while self.number(1) == 0:
            zeros += 1
        return self.number(zeros) if zeros < 32 else 0


class Walk:
    """Looks through the units of AV1 data, at most so many of them in all calls."""

    def __init__(self, units_max: int) -> None:
        self._left = units_max

    @property
    def is_over(self) -> bool:
        """Whether there were more units."""
        return self._left < 0

    def sizes(self, data: bytes | memoryview) -> Iterator[tuple[int, int]]:
        """Yield widths and heights that frames may have, up to where a decoder would give up."""
        sequence: _Sequence | None = None
        for kind, body in self._units(memoryview(data)):
            try:
                if kind == _SEQUENCE_HEADER:
                    sequence = _read_sequence(_Bits(body[:_SEQUENCE_HEADER_BYTES_MAX]))
                    yield sequence.width, sequence.height
                elif kind in _FRAMES and sequence is not None and _has_own_size(body, sequence):
                    yield sequence.width_most, sequence.height_most
            except EOFError:
                return

    def _units(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        at = 0
        while at < len(data):
            self._left -= 1
            if self._left < 0:
                return
            head = data[at]
            at += 2 if head & 4 else 1
            length = max(len(data) - at, 0)
            if head & 2:
                length, at = _length(data, at)
            yield head >> 3 & 15, data[at : at + length]
            at += length


def _length(data: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; and where it ends."""
    length = 0
    for number, byte in enumerate(data[at : at + _LENGTH_BYTES_MAX]):
        length |= (byte & 127) << 7 * number
        if byte < 128:
            return length, at + number + 1
    return 0, len(data)


def _read_sequence(bits: _Bits) -> _Sequence:
    bits.number(4)  # profile; whether there is one picture
    is_reduced = bits.number(1) != 0
    time_bits = 0
    if is_reduced:
        bits.number(5)  # level
    else:
        time_bits = _read_operating_points(bits)
    width_bits, height_bits = bits.number(4) + 1, bits.number(4) + 1
    width, height = bits.number(width_bits) + 1, bits.number(height_bits) + 1
    number_bits, screen_tools, integer_vectors = (0, 0, 0) if is_reduced else _read_tools(bits)
    return _Sequence(
        width,
        height,
        1 << width_bits,
        1 << height_bits,
        is_reduced,
        time_bits,
        screen_tools,
        integer_vectors,
        number_bits,
    )


def _read_operating_points(bits: _Bits) -> int:
    """Return the bits of the time when a frame is shown."""
    delay_bits = time_bits = 0
    has_model = has_equal_times = False
    if bits.number(1):
        bits.number(64)
        has_equal_times = bits.number(1) != 0
        if has_equal_times:
            bits.variable()
        has_model = bits.number(1) != 0
        if has_model:
            delay_bits = bits.number(5) + 1
            bits.number(32 + 5)
            time_bits = bits.number(5) + 1
    has_delays = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.number(12)
        if bits.number(5) > 7:  # a level that has two tiers
            bits.number(1)
        if has_model and bits.number(1):
            bits.number(2 * delay_bits + 1)
        if has_delays and bits.number(1):
            bits.number(4)
    return 0 if has_equal_times else time_bits


def _read_tools(bits: _Bits) -> tuple[int, int, int]:
    """Bits of a frame's number; whether frames have tools for screens, and vectors of whole pixels."""
    number_bits = bits.number(4) + bits.number(3) + 3 if bits.number(1) else 0
    bits.number(3 + 4)
    if bits.number(1):  # frames have an order
        bits.number(2)
    screen_tools = _SELECTED_BY_FRAME if bits.number(1) else bits.number(1)
    integer_vectors = _SELECTED_BY_FRAME
    if screen_tools and not bits.number(1):
        integer_vectors = bits.number(1)
    return number_bits, screen_tools, integer_vectors


def _has_own_size(frame: memoryview, sequence: _Sequence) -> bool:
    bits = _Bits(frame[:_FRAME_HEADER_BYTES_MAX])
    if sequence.is_reduced or bits.number(1):  # or one is shown that is there already
        return False
    kind, is_shown = bits.number(2), bits.number(1)
    bits.number(sequence.time_bits if is_shown else 1)
    if kind != _SWITCH and not (kind == _KEY and is_shown):
        bits.number(1)
    bits.number(1)
    has_screen_tools = sequence.screen_tools
    if has_screen_tools == _SELECTED_BY_FRAME:
        has_screen_tools = bits.number(1)
    if has_screen_tools and sequence.integer_vectors == _SELECTED_BY_FRAME:
        bits.number(1)
    bits.number(sequence.number_bits)
    return kind == _SWITCH or bits.number(1) != 0
