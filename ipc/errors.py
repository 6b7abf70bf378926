"""Reply codes of the producers' protocol, and the one exception that carries them.

Standard library only: the producers' client imports this module.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Why a request was answered with an error. PROTOCOL.md says when each is sent and whether trying again helps."""

    BAD_REQUEST = "BAD_REQUEST"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    UNKNOWN_PRESET = "UNKNOWN_PRESET"
    TOO_LARGE = "TOO_LARGE"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    BAD_IMAGE = "BAD_IMAGE"
    BUSY = "BUSY"
    RATE_LIMITED = "RATE_LIMITED"
    DROPPED = "DROPPED"
    EXPIRED = "EXPIRED"
    TIMEOUT = "TIMEOUT"
    POISON = "POISON"
    CANCELLED = "CANCELLED"
    CONFLICT = "CONFLICT"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    INTERNAL = "INTERNAL"


FREES_ID = frozenset(
    {
        ErrorCode.BUSY,
        ErrorCode.RATE_LIMITED,
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.DROPPED,
        ErrorCode.EXPIRED,
        ErrorCode.CANCELLED,
        ErrorCode.INTERNAL,
    }
)
"""After these the producer may use the same id again and have the frame executed anew."""


class FrameError(Exception):
    """A frame cannot be processed, and its producer is to be told so. `message` is public: no paths, no tracebacks."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
