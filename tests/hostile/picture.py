"""One hostile picture, and what may be the answer to it."""

import functools
from dataclasses import dataclass
from typing import Final

from PIL import Image

from ipc.errors import ErrorCode
from tests.photographs import photograph_mosaic

OK: Final = "ok"

BAD_IMAGE: Final = ErrorCode.BAD_IMAGE
BAD_REQUEST: Final = ErrorCode.BAD_REQUEST
TOO_LARGE: Final = ErrorCode.TOO_LARGE
UNSUPPORTED_FORMAT: Final = ErrorCode.UNSUPPORTED_FORMAT

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file, and the answers of which one must come."""

    name: str
    data: bytes
    answers: frozenset[str]
    """Codes of errors, or `OK`. More than one only where readers of the format rightly differ."""
    size: Size | None = None
    """Width and height that `OK` must tell."""
    page: int = 0

    @property
    def is_refused_by_size(self) -> bool:
        """Whether its header alone says that it is too much."""
        return self.answers == {TOO_LARGE}


def refused(name: str, code: ErrorCode, data: bytes, page: int = 0) -> Hostile:
    """Nothing but `code` will do."""
    return Hostile(name, data, frozenset({code}), page=page)


def taken(name: str, data: bytes, size: Size, page: int = 0) -> Hostile:
    """Strange, but a picture: it must come out."""
    return Hostile(name, data, frozenset({OK}), size, page)


def refused_or_taken(name: str, code: ErrorCode, data: bytes, size: Size, page: int = 0) -> Hostile:
    """A strict reader refuses it, a lenient one makes a picture of just this size of it. Never anything else."""
    return Hostile(name, data, frozenset({code, OK}), size, page)


SIDES: Final = (320, 240)


@functools.cache
def photograph() -> Image.Image:
    """What the hostile files would show, had nobody spoilt them; of `SIDES`."""
    return photograph_mosaic(SIDES[0]).crop((0, 0, *SIDES))


def flipped(data: bytes, at: int, mask: int = 0xFF) -> bytes:
    """The file with some bits of one byte turned."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


def replaced(data: bytes, old: bytes, new: bytes, at: int = 0) -> bytes:
    """The file with the first `old` behind `at` replaced. ValueError where there is none, or the length changes."""
    if len(old) != len(new):
        raise ValueError(f"{len(old)} bytes cannot be replaced by {len(new)}")
    place = data.index(old, at)
    return data[:place] + new + data[place + len(old) :]
