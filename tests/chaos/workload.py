"""Workload: frames of mixed kinds and sizes that carry their number in the pixels, and what must come back. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.numbered import number_of, number_of_jpeg, numbered_jpeg, numbered_pixels

NUMBERS: Final = 1 << 16
"""As many can be told apart."""
SIDES: Final = (32, 48, 100, 200, 317, 400, 640, 800)
LARGE_SIDES: Final = (1600, 2400)
"""The larger of them is passed from pool to pool, as are raw pixels; the smaller ones stay in one worker."""
RAW_SIDES: Final = ((64, 48), (160, 120), (640, 480))
KINDS: Final = {"jpeg": 72, "several": 10, "raw": 12, "pixel": 4, "large": 2}
"""In percent."""

_SMALL: Final[dict[str, Any]] = {"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}]}
_SMALL_RAW: Final[dict[str, Any]] = {
    "operations": [{"op": "resize", "width": 160, "height": 120, "fit": "fill"}],
    "format": "raw",
}
_UNCHANGED: Final[dict[str, Any]] = {"operations": [{"op": "flip"}, {"op": "flip"}], "quality": 90}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one output must be."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Got:
    """What one output is."""

    wanted: Wanted
    data: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """A frame: what to send, and what must come back."""

    number: int
    payload: bytes
    outputs: tuple[dict[str, Any], ...]
    input: dict[str, Any] | None
    wanted: tuple[Wanted, ...]


def make_work(seed: int, number: int) -> Work:
    """Make frame `number` of a run."""
    chance = random.Random(f"work-{seed}-{number}")
    [kind] = chance.choices([*KINDS], [*KINDS.values()])
    number %= NUMBERS
    if kind == "pixel":
        payload = bytes([number & 255, number >> 8, 255 - (number & 255)])
        return Work(number, payload, ({"format": "raw"},), _raw_input(1, 1), (Wanted("raw", 1, 1),))
    if kind == "raw":
        width, height = chance.choice(RAW_SIDES)
        outputs: tuple[dict[str, Any], ...] = (chance.choice([_SMALL, _UNCHANGED]),)
        payload = numbered_pixels(number, width, height).tobytes()
        return Work(number, payload, outputs, _raw_input(width, height), _wanted(outputs, width, height))
    side = chance.choice(LARGE_SIDES if kind == "large" else SIDES)
    if kind == "several":
        side = max(side, 200)
        outputs = (_SMALL, _SMALL_RAW, _UNCHANGED)
    else:
        outputs = (chance.choice([_SMALL, _SMALL_RAW, _UNCHANGED]) if side >= 200 else _UNCHANGED,)
    return Work(number, numbered_jpeg(number, side, side), outputs, None, _wanted(outputs, side, side))


def fault_of(work: Work, pictures: Sequence[Got]) -> str:
    """Say what is wrong with the pictures that came back, or nothing."""
    found = tuple(picture.wanted for picture in pictures)
    if found != work.wanted:
        return f"{found} in place of {work.wanted}"
    for picture in pictures:
        try:
            number = _number_of(picture)
        except ValueError as error:
            return str(error)
        if number != work.number:
            return f"the picture of {number} in place of {work.number}"
    return ""


def _number_of(picture: Got) -> int:
    if picture.wanted.format == "jpeg":
        return number_of_jpeg(picture.data)
    if picture.wanted == Wanted("raw", 1, 1):
        low, high, check = picture.data
        if check != 255 - low:
            raise ValueError("the pixel carries no number")
        return low | high << 8
    pixels = np.frombuffer(picture.data, np.uint8)
    return number_of(pixels.reshape(picture.wanted.height, picture.wanted.width, 3))


def _raw_input(width: int, height: int) -> dict[str, Any]:
    return {"format": "raw", "width": width, "height": height, "layout": "RGB"}


def _wanted(outputs: Sequence[dict[str, Any]], width: int, height: int) -> tuple[Wanted, ...]:
    wanted = []
    for output in outputs:
        first = output["operations"][0]
        size = (first["width"], first["height"]) if first["op"] == "resize" else (width, height)
        wanted.append(Wanted(output.get("format", "jpeg"), *size))
    return tuple(wanted)
