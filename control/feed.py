"""The feed: tells all its subscribers what they subscribed to.

What many are to be sent is encoded once. Sending takes place in slices with the event loop in between, so that
requests, `/health` above all, never wait for a crowd of subscribers. Everything happens in that event loop.
"""

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import msgspec

from control.alerts import Alert
from control.channels import (
    INTERVAL_MS_DEFAULT,
    NEWS,
    Channel,
    Complaint,
    MessageUnclear,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    read_message,
)
from control.chronicle import EventNote
from control.memory import MemoryAnalysis
from control.metrics import Metrics
from control.replies import encode_json
from control.rhythm import Rhythm
from control.services import Services
from control.subscriber import Outlet, Subscriber
from control.subscription import NewsSubscription, StateSubscription

SUBSCRIBERS_MAX: Final = 1000
SLICE: Final = 32
"""Subscribers that are served before the event loop gets its turn: about a millisecond."""
KEPT_S: Final = 0.05
"""How long a body serves all who are to get one: whoever falls due at other moments, or was slow, gets one no older."""


class Figures(Protocol):
    """What the feed tells of; the observer."""

    def metrics(self) -> Metrics:
        """The figures of the whole pipeline."""

    def services(self) -> Services:
        """Every process."""

    def memory(self) -> MemoryAnalysis:
        """Who holds how much."""

    def alerts(self) -> list[Alert]:
        """Those that fire."""

    def events(self) -> list[EventNote]:
        """The latest, oldest first."""


@dataclass(frozen=True, slots=True)
class _Body:
    """A state, as JSON."""

    made_at_s: float
    data: bytes


class Feed:
    """Subscribers, and what reaches them. A `control.observer.NewsReader`."""

    def __init__(self, figures: Figures, subscribers_max: int = SUBSCRIBERS_MAX) -> None:
        self._figures = figures
        self.subscribers_max = subscribers_max
        """Whoever comes then is sent away."""
        self._subscribers: dict[Subscriber, None] = {}
        self._rhythm: Rhythm[StateSubscription] = Rhythm()
        self._owners: dict[StateSubscription, Subscriber] = {}
        self._bodies: dict[Channel, _Body] = {}
        self._waiting: dict[Subscriber, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms: int | None = None

    # ---- subscribers

    @property
    def subscriber_count(self) -> int:
        """Connections that are open."""
        return len(self._subscribers)

    def join(self, outlet: Outlet) -> Subscriber | None:
        """Take a new subscriber, who hears nothing until it asks. None if all places are taken."""
        if len(self._subscribers) >= self.subscribers_max:
            return None
        subscriber = Subscriber(outlet)
        self._subscribers[subscriber] = None
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        for subscription in subscriber.subscriptions:
            self._drop(subscriber, subscription.channel)
        del self._subscribers[subscriber]
        self._waiting.pop(subscriber, None)

    def hear(self, subscriber: Subscriber, text: str) -> None:
        """Take a message of a subscriber, and answer it."""
        try:
            message = read_message(text)
        except MessageUnclear as error:
            subscriber.outlet.send(encode_json(Complaint(str(error))))
            return
        self._drop(subscriber, message.channel)
        match message:
            case Unsubscribe(channel):
                subscriber.outlet.send(encode_json(Unsubscribed(channel)))
            case Subscribe(channel) if channel in NEWS:
                subscriber.outlet.send(encode_json(Subscribed(channel, self._snapshot(channel))))
                subscriber.add(NewsSubscription(channel))
            case Subscribe(channel, interval_ms):
                self._begin(subscriber, channel, interval_ms or INTERVAL_MS_DEFAULT)
        subscriber.flush()

    def _begin(self, subscriber: Subscriber, channel: Channel, interval_ms: int) -> None:
        subscriber.outlet.send(encode_json(Subscribed(channel, [], interval_ms)))
        subscription = StateSubscription(channel, interval_ms, self._body)
        subscription.fall_due()
        subscriber.add(subscription)
        self._owners[subscription] = subscriber
        self._rhythm.add(subscription, interval_ms, self._now_ms())
        self._set_timer()

    def _drop(self, subscriber: Subscriber, channel: Channel) -> None:
        subscription = subscriber.subscription(channel)
        if subscription is None:
            return
        subscriber.remove(subscription)
        if isinstance(subscription, StateSubscription):
            del self._owners[subscription]
            self._rhythm.remove(subscription, subscription.interval_ms)
            self._set_timer()

    def _snapshot(self, channel: Channel) -> list[Alert] | list[EventNote]:
        return self._figures.alerts() if channel is Channel.ALERTS else self._figures.events()

    # ---- news

    def event(self, note: EventNote) -> None:
        """Tell that something happened."""
        self._tell(Channel.EVENTS, note)

    def alert(self, alert: Alert) -> None:
        """Tell that an alert began to fire, or was resolved."""
        self._tell(Channel.ALERTS, alert)

    def services_changed(self) -> None:
        """Tell the state of the services out of turn."""
        self._bodies.pop(Channel.SERVICES, None)
        self._fall_due([each for each in self._owners if each.channel is Channel.SERVICES])

    def _tell(self, channel: Channel, item: Alert | EventNote) -> None:
        body = encode_json(item)
        for subscriber in self._subscribers:
            subscription = subscriber.subscription(channel)
            if isinstance(subscription, NewsSubscription):
                subscription.add(body)
                self._let_send(subscriber)

    # ---- states

    def _body(self, channel: Channel) -> bytes:
        now_s = asyncio.get_running_loop().time()
        body = self._bodies.get(channel)
        if body is None or now_s - body.made_at_s >= KEPT_S:
            body = self._bodies[channel] = _Body(now_s, encode_json(self._state(channel)))
        return body.data

    def _state(self, channel: Channel) -> msgspec.Struct:
        match channel:
            case Channel.SERVICES:
                return self._figures.services()
            case Channel.MEMORY:
                return self._figures.memory()
            case _:
                return self._figures.metrics()

    def _set_timer(self) -> None:
        next_ms = self._rhythm.next_ms
        if next_ms == self._timer_ms:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = next_ms
        self._timer = None if next_ms is None else asyncio.get_running_loop().call_at(next_ms / 1000, self._tick)

    def _tick(self) -> None:
        self._timer_ms = None
        self._fall_due(self._rhythm.due(self._now_ms()))
        self._set_timer()

    def _fall_due(self, subscriptions: list[StateSubscription]) -> None:
        for subscription in subscriptions:
            subscription.fall_due()
            self._let_send(self._owners[subscription])

    def _now_ms(self) -> int:
        # Rounded up by less than the clock's resolution, or a timer on the dot would find nobody due.
        return int(asyncio.get_running_loop().time() * 1000 + 0.5)

    # ---- sending

    def _let_send(self, subscriber: Subscriber) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send_some)
        self._waiting[subscriber] = None

    def _send_some(self) -> None:
        try:
            for subscriber in list(islice(self._waiting, SLICE)):
                del self._waiting[subscriber]
                subscriber.flush()
        finally:
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._send_some)
