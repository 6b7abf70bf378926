"""Findings: what must hold of a changed file, and did not."""

from typing import Final

from ipc.errors import ErrorCode, FrameError
from stages.limits import Limits
from stages.picture import Picture
from stages.probe import probe

PAGES_MAX: Final = 3

_PROBE_CODES: Final = frozenset(
    {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.TOO_LARGE, ErrorCode.BAD_REQUEST}
)


class FindingError(AssertionError):
    """Says what did not hold."""


def hold(is_so: bool, otherwise: str) -> None:
    """Raise `FindingError` where something is not so."""
    if not is_so:
        raise FindingError(otherwise)


def page_of(data: bytes) -> int:
    """Which frame is asked for: told by the file's length, so that no byte of it is lost."""
    return max(0, len(data) % 8 - (8 - PAGES_MAX))


def probed(data: bytes | memoryview, limits: Limits, page: int) -> Picture | None:
    """What the probe tells; None where it refuses the file."""
    try:
        return probe(data, limits, page)
    except FrameError as error:
        hold(error.code in _PROBE_CODES, f"the probe said {error}")
        return None
