"""Subscriber: one connection of the feed, what it subscribed to, and in which order it is sent. Pure."""

from collections import deque
from typing import Protocol

from control.channels import Channel
from control.subscription import NewsSubscription, StateSubscription


class Outlet(Protocol):
    """Where a subscriber's messages go out."""

    @property
    def is_clear(self) -> bool:
        """Whether all that was sent has left, so that more may be sent."""

    def send(self, text: bytes) -> None:
        """Send one message."""


class Subscriber:
    """One connection, which has at most one subscription to each channel."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self._turns: deque[StateSubscription | NewsSubscription] = deque()

    def subscription(self, channel: Channel) -> StateSubscription | NewsSubscription | None:
        """The subscription to a channel."""
        return next((each for each in self._turns if each.channel is channel), None)

    @property
    def subscriptions(self) -> list[StateSubscription | NewsSubscription]:
        """All of them."""
        return list(self._turns)

    def add(self, subscription: StateSubscription | NewsSubscription) -> None:
        """Begin to send a channel."""
        self._turns.append(subscription)

    def remove(self, subscription: StateSubscription | NewsSubscription) -> None:
        """Send a channel no more, not even what waits."""
        self._turns.remove(subscription)

    def flush(self) -> None:
        """Send what there is, while it leaves at once. The channels take turns, so that a busy one starves no other."""
        silent_count = 0
        while silent_count < len(self._turns) and self.outlet.is_clear:
            message = self._turns[0].next_message()
            self._turns.rotate(-1)
            if message is None:
                silent_count += 1
            else:
                silent_count = 0
                self.outlet.send(message)
