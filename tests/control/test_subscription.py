"""What one subscriber is sent, and in which order."""

import json
from typing import Any

from control.channels import Channel
from control.subscriber import Subscriber
from control.subscription import NEWS_MAX, NewsSubscription, StateSubscription


class Outlet:
    """Takes so many messages until it is blocked."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.sent: list[Any] = []

    @property
    def is_clear(self) -> bool:
        return self.room > 0

    def send(self, text: bytes) -> None:
        self.room -= 1
        self.sent.append(json.loads(text))


def state(channel: Channel = Channel.METRICS, body: bytes = b"1") -> StateSubscription:
    return StateSubscription(channel, 1000, lambda _: body)


def test_state_is_sent_once_each_time_it_falls_due() -> None:
    subscription = state()

    assert subscription.next_message() is None
    for number in (1, 2):
        subscription.fall_due()
        assert subscription.next_message() == b'{"type":"metrics","seq":%d,"data":1}' % number
        assert subscription.next_message() is None


def test_state_that_could_not_be_sent_is_skipped_and_the_latest_sent() -> None:
    bodies = iter([b'"latest"'])
    subscription = StateSubscription(Channel.METRICS, 1000, lambda _: next(bodies))
    for _ in range(3):
        subscription.fall_due()

    assert subscription.next_message() == b'{"type":"metrics","seq":3,"data":"latest"}'
    assert subscription.next_message() is None


def test_news_are_sent_each_once_in_order() -> None:
    subscription = NewsSubscription(Channel.EVENTS)
    subscription.add(b'"a"')
    subscription.add(b'"b"')

    messages = [subscription.next_message() for _ in range(3)]

    assert messages == [b'{"type":"events","seq":1,"data":"a"}', b'{"type":"events","seq":2,"data":"b"}', None]


def test_news_that_wait_are_bounded_and_the_gap_tells_of_those_that_went() -> None:
    subscription = NewsSubscription(Channel.EVENTS)
    for number in range(NEWS_MAX + 36):
        subscription.add(b"%d" % number)

    outlet = Outlet()
    subscriber = Subscriber(outlet)
    subscriber.add(subscription)
    subscriber.flush()

    assert [message["seq"] for message in outlet.sent] == list(range(37, NEWS_MAX + 37))
    assert [message["data"] for message in outlet.sent] == list(range(36, NEWS_MAX + 36))


def test_subscriber_who_is_blocked_is_sent_no_more() -> None:
    outlet = Outlet(room=2)
    subscriber, subscription = Subscriber(outlet), NewsSubscription(Channel.EVENTS)
    subscriber.add(subscription)
    for _ in range(5):
        subscription.add(b"0")

    subscriber.flush()
    assert len(outlet.sent) == 2

    outlet.room = 1
    subscriber.flush()
    assert [message["seq"] for message in outlet.sent] == [1, 2, 3]


def test_channel_that_always_has_something_starves_no_other() -> None:
    outlet = Outlet(room=0)
    subscriber, busy, other = Subscriber(outlet), state(), state(Channel.MEMORY)
    subscriber.add(busy)
    subscriber.add(other)
    other.fall_due()

    for _ in range(2):
        busy.fall_due()
        outlet.room = 1
        subscriber.flush()

    assert {message["type"] for message in outlet.sent} == {"metrics", "memory"}


def test_subscription_that_is_removed_is_sent_no_more_not_even_what_waits() -> None:
    outlet = Outlet()
    subscriber, subscription = Subscriber(outlet), state()
    subscriber.add(subscription)
    subscription.fall_due()

    subscriber.remove(subscription)
    subscriber.flush()

    assert outlet.sent == []
