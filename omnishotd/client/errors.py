"""What can go wrong for a producer, as exceptions.

    OmnishotError
    ├── FrameRefused            the daemon answered with an error; `code`, `message`, `retry_after_ms`
    │   ├── BadRequest          the header, an option or an operation is wrong; the message names it
    │   ├── UnsupportedVersion  the daemon speaks another version of the protocol
    │   ├── UnknownPreset       the daemon's configuration has no such preset
    │   ├── TooLarge            more bytes, pixels or a longer side than the daemon takes
    │   ├── UnsupportedFormat   no format, or a kind of it, that the daemon takes
    │   ├── BadImage            truncated or corrupt
    │   ├── Busy                the queue is full
    │   ├── RateLimited         this producer is over its rate
    │   ├── Dropped             gave way to a newer frame of its stream
    │   ├── Expired             its `deadline_ms` passed
    │   ├── StageTimeout        a stage took too long over it
    │   ├── Poison              it killed the workers that touched it
    │   ├── Cancelled           cancelled by its producer
    │   ├── Conflict            the id is taken by another request
    │   ├── ShuttingDown        the daemon drains
    │   └── Internal            a fault of the daemon
    ├── RequestTimeout          no final reply within `timeout_s`; also a TimeoutError
    ├── ConnectionLost          the connection broke every time this request was sent
    ├── UnreadableReply         the reply does not have the protocol's form
    ├── ClientClosed            the client was closed before the reply, or before the call
    ├── CannotLend              memory cannot be lent to this daemon, or there is not enough of it
    └── ForkedClient            used in another process than the one that made it

A code that this client does not know, of a newer daemon, is raised as `FrameRefused` itself.
"""

from typing import ClassVar, Final

from ipc.errors import ErrorCode


class OmnishotError(Exception):
    """Anything this client raises, but for wrong arguments (ValueError, TypeError)."""


class FrameRefused(OmnishotError):
    """The daemon's final reply is an error."""

    CODE: ClassVar[ErrorCode | None] = None

    def __init__(self, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(code, message, retry_after_ms)
        self.code = code
        """One of `ipc.errors.ErrorCode`, or a newer daemon's."""
        self.message = message
        self.retry_after_ms = retry_after_ms
        """How long to wait before the same request may be taken; None where waiting does not help."""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class BadRequest(FrameRefused):
    """The header, an option or an operation is wrong; the message names it."""

    CODE = ErrorCode.BAD_REQUEST


class UnsupportedVersion(FrameRefused):
    """The daemon speaks another version of the protocol."""

    CODE = ErrorCode.UNSUPPORTED_VERSION


class UnknownPreset(FrameRefused):
    """The daemon's configuration has no such preset."""

    CODE = ErrorCode.UNKNOWN_PRESET


class TooLarge(FrameRefused):
    """More bytes, more pixels or a longer side than the daemon takes, in or out."""

    CODE = ErrorCode.TOO_LARGE


class UnsupportedFormat(FrameRefused):
    """No format, or a kind of it, that the daemon takes or makes."""

    CODE = ErrorCode.UNSUPPORTED_FORMAT


class BadImage(FrameRefused):
    """Truncated or corrupt."""

    CODE = ErrorCode.BAD_IMAGE


class Busy(FrameRefused):
    """The queue is full, by count or by bytes. Raised when waiting further would pass the request's time limit."""

    CODE = ErrorCode.BUSY


class RateLimited(FrameRefused):
    """This producer is over its rate. Raised when waiting further would pass the request's time limit."""

    CODE = ErrorCode.RATE_LIMITED


class Dropped(FrameRefused):
    """Gave way to a newer frame of its stream, under `on_full` `drop_oldest` or `latest`."""

    CODE = ErrorCode.DROPPED


class Expired(FrameRefused):
    """Its `deadline_ms` passed before it was done."""

    CODE = ErrorCode.EXPIRED


class StageTimeout(FrameRefused):
    """A stage ran over its time limit on this frame and was ended."""

    CODE = ErrorCode.TIMEOUT


class Poison(FrameRefused):
    """It killed every worker that held it, and is not tried again."""

    CODE = ErrorCode.POISON


class Cancelled(FrameRefused):
    """Cancelled by its producer."""

    CODE = ErrorCode.CANCELLED


class Conflict(FrameRefused):
    """The same client and id were used shortly before for another request."""

    CODE = ErrorCode.CONFLICT


class ShuttingDown(FrameRefused):
    """The daemon drains and takes nothing new."""

    CODE = ErrorCode.SHUTTING_DOWN


class Internal(FrameRefused):
    """A fault of the daemon; its log has more under the trace."""

    CODE = ErrorCode.INTERNAL


class RequestTimeout(OmnishotError, TimeoutError):
    """No final reply within the request's `timeout_s`. The message says how far the request had got."""


class ConnectionLost(OmnishotError, ConnectionError):
    """The connection broke, or the broker was replaced, every time after this request was sent."""


class UnreadableReply(OmnishotError):
    """The daemon's reply does not have the protocol's form."""


class ClientClosed(OmnishotError):
    """The client was closed before the reply came, or before the call."""


class CannotLend(OmnishotError):
    """Memory cannot be lent to this daemon, or there is not enough of it. The message says why."""


class ForkedClient(OmnishotError):
    """The client was made by another process: its connection and its thread did not survive the fork."""


_BY_CODE: Final = {kind.CODE: kind for kind in FrameRefused.__subclasses__()}


def refusal(code: str, message: str, retry_after_ms: int | None = None) -> FrameRefused:
    """Make the exception that belongs to a reply's error code."""
    try:
        kind = _BY_CODE[ErrorCode(code)]
    except (ValueError, KeyError):
        kind = FrameRefused
    return kind(code, message, retry_after_ms)
