"""Rate limit of each producer. Pure.

The generic cell rate algorithm (ITU-T I.371): a producer's theoretical arrival time moves on by one interval a request;
one that is further ahead of the clock than the burst allows is refused.
"""

from collections import OrderedDict
from typing import Final

PRODUCERS_MAX: Final = 10_000
BURST_MIN: Final = 10


class RateLimiter:
    """Counts requests by producer. A rate of 0 lets everything pass."""

    def __init__(self, rate_per_second: float) -> None:
        self._interval_us = 1e6 / rate_per_second if rate_per_second > 0 else 0.0
        self._tolerance_us = self._interval_us * (max(rate_per_second, BURST_MIN) - 1)
        self._arrivals: OrderedDict[bytes, float] = OrderedDict()

    def retry_after_us(self, producer: bytes, now_us: int) -> int:
        """Count one request. Returns 0, or how long to wait when it is one too many (and is then not counted)."""
        if not self._interval_us:
            return 0
        arrival = max(self._arrivals.get(producer, 0.0), float(now_us))
        excess = arrival - now_us - self._tolerance_us
        # Sums of rounded intervals are off by less than that.
        if excess >= 1:
            return int(excess)
        self._arrivals[producer] = arrival + self._interval_us
        self._arrivals.move_to_end(producer)
        if len(self._arrivals) > PRODUCERS_MAX:
            self._arrivals.popitem(last=False)
        return 0
