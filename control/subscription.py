"""Subscriptions: what one subscriber is still to be sent of one channel. Pure.

Each message has a number that counts up from 1. Numbers are given when there is something to send, so a gap tells a
subscriber that something was skipped because he was slow.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from control.channels import Channel, numbered

NEWS_MAX: Final = 64
"""News that wait for a slow subscriber; then the oldest go."""


class StateSubscription:
    """The latest state of a channel, at intervals. However late it is sent, it is the latest."""

    def __init__(self, channel: Channel, interval_ms: int, body: Callable[[Channel], bytes]) -> None:
        self.channel = channel
        self.interval_ms = interval_ms
        self._body = body
        self._number = 0
        self._is_due = False

    def fall_due(self) -> None:
        """Say that the state is to be sent. Said again before it was, one is skipped."""
        self._number += 1
        self._is_due = True

    def next_message(self) -> bytes | None:
        """Take the present state, if it is due."""
        if not self._is_due:
            return None
        self._is_due = False
        return numbered(self.channel, self._number, self._body(self.channel))


class NewsSubscription:
    """Each item of a channel, once."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._number = 0
        self._waiting: deque[bytes] = deque(maxlen=NEWS_MAX)

    def add(self, body: bytes) -> None:
        """Take an item. The oldest one that waits makes room for it if it must."""
        self._number += 1
        self._waiting.append(numbered(self.channel, self._number, body))

    def next_message(self) -> bytes | None:
        """Take the oldest item that waits."""
        return self._waiting.popleft() if self._waiting else None
