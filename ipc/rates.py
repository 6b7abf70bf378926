"""Rate limits of many askers at once: producers by their connection, operators by their address. Pure.

The generic cell rate algorithm (ITU-T I.371): an asker's theoretical arrival time moves on by one interval a request;
one that is further ahead of the clock than the burst allows is refused.
"""

from collections import OrderedDict
from typing import Final

ASKERS_MAX: Final = 10_000
BURST_MIN: Final = 10

Asker = bytes | str
"""A connection, or an address."""


class RateLimiter:
    """Counts requests by asker. A rate of 0 lets everything pass.

    `burst` is how many may come at once; by default one second's worth, and at least `BURST_MIN`.
    """

    def __init__(self, rate_per_second: float, burst: int | None = None) -> None:
        self._interval_us = 1e6 / rate_per_second if rate_per_second > 0 else 0.0
        at_once = max(rate_per_second, BURST_MIN) if burst is None else burst
        self._tolerance_us = self._interval_us * (at_once - 1)
        self._arrivals: OrderedDict[Asker, float] = OrderedDict()

    def retry_after_us(self, asker: Asker, now_us: int) -> int:
        """Count one request. Returns 0, or how long to wait when it is one too many (and is then not counted)."""
        if not self._interval_us:
            return 0
        arrival = max(self._arrivals.get(asker, 0.0), float(now_us))
        excess = arrival - now_us - self._tolerance_us
        # Sums of rounded intervals are off by less than that.
        if excess >= 1:
            return int(excess)
        self._arrivals[asker] = arrival + self._interval_us
        self._arrivals.move_to_end(asker)
        if len(self._arrivals) > ASKERS_MAX:
            self._arrivals.popitem(last=False)
        return 0
