"""How fast requests go out to a daemon that limits their rate. Pure: no sockets, no clocks.

What was refused together must not come again together: all but one would be refused again, each with its whole picture.
So requests go out one by one, with a gap between them that a refusal widens and that each request sent narrows a
little, as nobody tells the rate. A daemon that counts requests up makes good for gaps that were too wide.
"""

import math
from typing import Final

WIDER: Final = 1.5
NARROWER: Final = 31 / 32
"""About every eighth request is refused with it, at worst; a gap that is twice too wide is right after 22."""
GAP_MIN_S: Final = 0.0001
"""Below, there is no gap."""
GAP_MAX_S: Final = 5.0
LATE_MAX_S: Final = 0.02
"""By so much a request may go out late without the next one being late as well: threads wake at full milliseconds."""
QUIET_S: Final = 1.0
"""After so long without a request for which the way was free, the rate is no longer what limits."""


class Pace:
    """The gap between requests, none until the first refusal. Times are seconds on one monotonic clock."""

    def __init__(self) -> None:
        self._gap_s = 0.0
        self._widened_s = -math.inf
        self.opens_s = -math.inf
        """When the next request may go out."""

    @property
    def is_limited(self) -> bool:
        """Whether there is a gap."""
        return self._gap_s > 0

    def is_open(self, now_s: float) -> bool:
        """Tell whether a request may go out now."""
        return now_s >= self.opens_s

    def sent(self, now_s: float) -> None:
        """Take note that a request went out."""
        if now_s - self.opens_s > QUIET_S or self._gap_s < GAP_MIN_S:
            self._gap_s = 0.0
        self.opens_s = max(self.opens_s, now_s - LATE_MAX_S) + self._gap_s
        self._gap_s *= NARROWER

    def refused(self, told_s: float, sent_s: float, now_s: float) -> None:
        """Take note that a request sent at `sent_s` came too early by `told_s`."""
        wait_s = min(told_s, GAP_MAX_S)
        # Of all that went out at the old gap, one refusal says all.
        if sent_s > self._widened_s:
            self._widened_s = now_s
            self._gap_s *= WIDER
        self._gap_s = min(max(self._gap_s, wait_s), GAP_MAX_S)
        self.opens_s = max(self.opens_s, now_s + wait_s)
