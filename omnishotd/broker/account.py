"""Account: how many frames came to what end, and how long it took. Pure.

received = completed + failed + rejected + cancelled + in flight + queued, after every call.
"""

from collections import Counter

from ipc.errors import ErrorCode
from ipc.histogram import Histogram
from ipc.telemetry import FrameFigures


class Account:
    """Counts since the start of this process."""

    def __init__(self) -> None:
        self.received = 0
        self.completed = 0
        self.failed = 0
        self.rejected = 0
        self.cancelled = 0
        self.retried = 0
        self.malformed = 0
        self.payload_bytes = 0
        """Of all payloads that came with a request, whatever became of it."""
        self.in_flight = 0
        self.errors: Counter[ErrorCode] = Counter()
        self.latency = Histogram()
        """From receipt to reply, of completed frames."""
        self.queue_latency = Histogram()
        """From receipt to the start of work."""

    def reject(self, code: ErrorCode) -> None:
        """Count a request refused at the door; it was counted as received."""
        self.rejected += 1
        self.errors[code] += 1

    def start(self, waited_us: int) -> None:
        """Count a frame as taken from the queue into work."""
        self.in_flight += 1
        self.queue_latency.record(waited_us)

    def complete(self, took_us: int) -> None:
        """Count a frame in work as answered with its pictures."""
        self.in_flight -= 1
        self.completed += 1
        self.latency.record(took_us)

    def fail(self, code: ErrorCode, *, was_in_work: bool) -> None:
        """Count an admitted frame as answered with an error. One that gave way to a shorter line was let in in vain."""
        self.in_flight -= was_in_work
        self.errors[code] += 1
        if code is ErrorCode.CANCELLED:
            self.cancelled += 1
        elif code is ErrorCode.BUSY:
            self.rejected += 1
        else:
            self.failed += 1

    def figures(
        self,
        *,
        queued: int,
        queued_bytes: int,
        replies_dropped: int,
        stale_answers: int,
        reply_bytes: int,
        backlog_bytes: int,
    ) -> FrameFigures:
        """Return the account as telemetry."""
        return FrameFigures(
            received=self.received,
            completed=self.completed,
            failed=self.failed,
            rejected=self.rejected,
            cancelled=self.cancelled,
            in_flight=self.in_flight,
            queued=queued,
            queued_bytes=queued_bytes,
            retried=self.retried,
            replies_dropped=replies_dropped,
            stale_answers=stale_answers,
            malformed=self.malformed,
            payload_bytes=self.payload_bytes,
            reply_bytes=reply_bytes,
            backlog_bytes=backlog_bytes,
        )
