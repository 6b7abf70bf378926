"""Rates: how often one address may ask, by what its requests cost.

`/health` is not counted: whoever watches this host must hear from it in every case. Who shows the token has an
allowance apart from those who do not: behind a proxy all have one address, and nobody there uses up the operators'.
"""

import time
from collections.abc import Callable
from enum import Enum, auto

from ipc.rates import RateLimiter


class Traffic(Enum):
    """What a request costs."""

    HEALTH = auto()
    """Next to nothing: never refused."""
    READ = auto()
    """A body that is made at most ten times a second."""
    ACT = auto()
    """A process stops its work for a moment."""
    FEED = auto()
    """A connection that stays."""
    DENIED = auto()
    """A request without the token it needs."""


def _now_us() -> int:
    return time.monotonic_ns() // 1000


class Rates:
    """Counts requests by address and traffic. `per_minute` 0: only requests without the token are limited."""

    def __init__(self, per_minute: int, feeds_at_once: int, now_us: Callable[[], int] = _now_us) -> None:
        per_second = per_minute / 60
        self._now_us = now_us
        self._limiters = {
            # Ten seconds' worth at once: opening the page takes some twenty requests.
            Traffic.READ: RateLimiter(per_second, burst=max(per_minute // 6, 30)),
            Traffic.ACT: RateLimiter(min(10 / 60, per_second), burst=5),
            # All places may be taken from one address: behind a proxy there is only one.
            Traffic.FEED: RateLimiter(per_second, burst=feeds_at_once),
            Traffic.DENIED: RateLimiter(10 / 60, burst=20),
        }

    def retry_after_s(self, client: str, traffic: Traffic) -> int:
        """Count one request. Returns 0, or how many whole seconds to wait when it is one too many."""
        limiter = self._limiters.get(traffic)
        if limiter is None:
            return 0
        return -(-limiter.retry_after_us(_network(client), self._now_us()) // 1_000_000)


def _network(client: str) -> str:
    """An address, or of IPv6 its /64: a host has all of that to choose from."""
    if ":" not in client or client.startswith("::ffff:"):
        return client
    groups = client.partition("%")[0].split("::", 1)[0].split(":")
    return ":".join(groups[:4])
