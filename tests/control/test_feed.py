"""The feed, over a real observer, in an event loop of the test's own; who reads is the test."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from control.alerts import Alert, AlertState
from control.feed import SLICE, Feed
from control.memory import MemoryAnalysis
from control.metrics import Metrics
from control.observer import Observer
from control.services import Services
from control.subscriber import Subscriber
from ipc.events import Event, EventKind
from tests.control.support import make_settings, make_supervisor

ALERT = Alert("queue_length", AlertState.FIRING, 21.0, 20.0, "2026-01-01T00:00:00+00:00", "21 frames wait")


class CountedObserver(Observer):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(make_settings())
        self.asked: dict[str, int] = {"metrics": 0, "services": 0, "memory": 0}

    def metrics(self) -> Metrics:
        self.asked["metrics"] += 1
        return super().metrics()

    def services(self) -> Services:
        self.asked["services"] += 1
        return super().services()

    def memory(self) -> MemoryAnalysis:
        self.asked["memory"] += 1
        return super().memory()


class Reader:
    """A connection, of which the test says whether it is blocked."""

    def __init__(self, feed: Feed) -> None:
        self.is_clear = True
        self.heard: list[Any] = []
        self._feed = feed
        subscriber = feed.join(self)
        assert subscriber is not None
        self.subscriber: Subscriber = subscriber

    def send(self, text: bytes) -> None:
        self.heard.append(json.loads(text))

    def say(self, **message: Any) -> None:
        self._feed.hear(self.subscriber, json.dumps(message))

    def of_type(self, kind: str) -> list[Any]:
        return [message for message in self.heard if message["type"] == kind]


class Scene:
    """An observer and its feed."""

    def __init__(self) -> None:
        self.observer = CountedObserver()
        self.feed = Feed(self.observer)
        self.observer.add_reader(self.feed)
        self._sequence = 0

    def tell(self, *events: Event, **states: str) -> None:
        """Tell the observer what a supervisor would."""
        self._sequence += 1
        told = make_supervisor(sequence=self._sequence, at_s=time.monotonic(), **states)
        self.observer.take(msgspec.structs.replace(told, events=list(events)), time.monotonic())


def on_scene(play: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test within an event loop of its own."""

    def test() -> None:
        async def run() -> None:
            async with asyncio.timeout(10):
                await play(Scene())

        asyncio.run(run())

    test.__name__ = play.__name__
    return test


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; the test has a deadline."""
    while not is_so():  # noqa: ASYNC110 - the lists of a test tell nobody that they grew
        await asyncio.sleep(0.001)


def event(number: int) -> Event:
    """Something that happened."""
    return Event(number, "2026-01-01T00:00:00Z", EventKind.WORKER_EXITED, "decode-0", f"event {number}")


@on_scene
async def test_state_comes_at_once_and_then_at_its_interval(scene: Scene) -> None:
    reader = Reader(scene.feed)
    began_s = time.monotonic()

    reader.say(type="subscribe", channel="metrics", interval_ms=100)
    assert [message["type"] for message in reader.heard] == ["subscribed", "metrics"]
    assert reader.heard[0] == {"type": "subscribed", "channel": "metrics", "interval_ms": 100, "snapshot": []}
    assert reader.heard[1]["data"].keys() == msgspec.to_builtins(scene.observer.metrics()).keys()

    await until(lambda: len(reader.of_type("metrics")) == 5)
    assert time.monotonic() - began_s > 0.3
    assert [message["seq"] for message in reader.of_type("metrics")] == [1, 2, 3, 4, 5]


@on_scene
async def test_interval_that_is_not_given_is_a_second(scene: Scene) -> None:
    reader = Reader(scene.feed)

    reader.say(type="subscribe", channel="memory")

    assert reader.heard[0]["interval_ms"] == 1000


@on_scene
async def test_body_is_made_once_for_all_who_get_it(scene: Scene) -> None:
    readers = [Reader(scene.feed) for _ in range(200)]
    for reader in readers:
        reader.say(type="subscribe", channel="metrics", interval_ms=100)

    await until(lambda: all(len(reader.of_type("metrics")) >= 4 for reader in readers))

    # The first came with the subscriptions, which took their time.
    told = max(len(reader.of_type("metrics")) for reader in readers)
    assert scene.observer.asked["metrics"] <= told + 2


@on_scene
async def test_crowd_is_served_in_slices_with_the_loop_in_between(scene: Scene) -> None:
    readers = [Reader(scene.feed) for _ in range(10 * SLICE)]
    for reader in readers:
        reader.say(type="subscribe", channel="services", interval_ms=60_000)
    served_before = sum(len(reader.heard) for reader in readers)

    scene.feed.services_changed()
    served: list[int] = []
    while not served or served[-1] < len(readers):
        await asyncio.sleep(0)
        served.append(sum(len(reader.heard) for reader in readers) - served_before)

    assert all(later - earlier <= SLICE for earlier, later in zip([0, *served], served, strict=False))


@on_scene
async def test_reader_who_was_blocked_gets_the_latest_state_only(scene: Scene) -> None:
    slow, quick = Reader(scene.feed), Reader(scene.feed)
    for reader in (slow, quick):
        reader.say(type="subscribe", channel="metrics", interval_ms=100)
    slow.is_clear = False

    await until(lambda: len(quick.of_type("metrics")) == 5)
    assert len(slow.of_type("metrics")) == 1
    slow.is_clear = True
    slow.subscriber.flush()

    assert [message["seq"] for message in slow.of_type("metrics")] == [1, 5]
    assert slow.heard[-1]["data"]["timestamp"] > quick.of_type("metrics")[-3]["data"]["timestamp"]


@on_scene
async def test_news_come_with_what_is_known_already_and_then_each_once(scene: Scene) -> None:
    scene.tell(event(1), event(2))
    reader = Reader(scene.feed)
    reader.say(type="subscribe", channel="events")
    scene.tell(event(1), event(2), event(3))
    scene.tell(event(2), event(3), event(4))

    await until(lambda: len(reader.of_type("events")) == 2)

    assert reader.heard[0].keys() == {"type", "channel", "snapshot"}
    assert [note["detail"] for note in reader.heard[0]["snapshot"]] == ["event 1", "event 2"]
    assert [(message["seq"], message["data"]["detail"]) for message in reader.of_type("events")] == [
        (1, "event 3"),
        (2, "event 4"),
    ]
    assert reader.heard[0]["snapshot"][0].keys() == {"id", "at", "event", "service", "detail"}


@on_scene
async def test_alert_reaches_only_those_who_subscribed(scene: Scene) -> None:
    reader, other = Reader(scene.feed), Reader(scene.feed)
    reader.say(type="subscribe", channel="alerts")
    other.say(type="subscribe", channel="events")

    scene.feed.alert(ALERT)
    await until(lambda: bool(reader.of_type("alerts")))

    assert reader.of_type("alerts")[0] == {"type": "alerts", "seq": 1, "data": msgspec.to_builtins(ALERT)}
    assert other.of_type("alerts") == []


@on_scene
async def test_change_of_a_service_is_told_at_once(scene: Scene) -> None:
    scene.tell()
    reader = Reader(scene.feed)
    reader.say(type="subscribe", channel="services", interval_ms=60_000)

    scene.tell(decode_0="backoff")
    await until(lambda: len(reader.of_type("services")) == 2)

    states = [{each["name"]: each["state"] for each in told["data"]["services"]} for told in reader.of_type("services")]
    assert [state["decode-0"] for state in states] == ["ready", "backoff"]


@on_scene
async def test_subscription_made_again_begins_anew_with_its_new_interval(scene: Scene) -> None:
    reader = Reader(scene.feed)
    reader.say(type="subscribe", channel="metrics", interval_ms=60_000)
    reader.say(type="subscribe", channel="metrics", interval_ms=100)

    await until(lambda: len(reader.of_type("metrics")) == 4)

    assert [message["seq"] for message in reader.of_type("metrics")] == [1, 1, 2, 3]


@on_scene
async def test_channel_that_is_given_up_is_silent(scene: Scene) -> None:
    reader, other = Reader(scene.feed), Reader(scene.feed)
    for each in (reader, other):
        each.say(type="subscribe", channel="metrics", interval_ms=100)
        each.say(type="subscribe", channel="events")
    reader.say(type="unsubscribe", channel="metrics")
    reader.say(type="unsubscribe", channel="events")
    reader.say(type="unsubscribe", channel="events")
    told = len(reader.heard)
    scene.tell(event(1))

    await until(lambda: len(other.of_type("metrics")) == 3 and bool(other.of_type("events")))

    assert reader.heard[-1] == {"type": "unsubscribed", "channel": "events"}
    assert len(reader.heard) == told


@on_scene
async def test_reader_who_left_is_forgotten(scene: Scene) -> None:
    reader, other = Reader(scene.feed), Reader(scene.feed)
    for channel in ("metrics", "services", "memory"):
        reader.say(type="subscribe", channel=channel, interval_ms=100)
    reader.say(type="subscribe", channel="events")
    other.say(type="subscribe", channel="events")
    told = len(reader.heard)

    scene.feed.services_changed()
    scene.feed.leave(reader.subscriber)
    scene.tell(event(1))
    await until(lambda: bool(other.of_type("events")))

    assert len(reader.heard) == told
    assert scene.feed.subscriber_count == 1
    assert scene.feed._owners == {}
    assert scene.feed._rhythm.next_ms is None


@on_scene
async def test_nobody_is_taken_when_all_places_are_and_again_when_one_is_free(scene: Scene) -> None:
    scene.feed.subscribers_max = 2
    readers = [Reader(scene.feed), Reader(scene.feed)]

    assert scene.feed.join(readers[0]) is None
    scene.feed.leave(readers[0].subscriber)
    assert scene.feed.join(readers[0]) is not None


@on_scene
async def test_error_in_one_body_does_not_silence_the_others(scene: Scene) -> None:
    reports: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    readers = [Reader(scene.feed) for _ in range(3 * SLICE)]
    for reader in readers:
        reader.say(type="subscribe", channel="events")
    readers[0].say(type="subscribe", channel="metrics", interval_ms=100)

    def fail() -> Metrics:
        raise RuntimeError("no figures")

    scene.observer.metrics = fail  # type: ignore[method-assign]  # a fault of ours, played
    await until(lambda: bool(reports))
    scene.tell(event(1))

    await until(lambda: all(reader.of_type("events") for reader in readers))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Input data was truncated"),
        ("{", "Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "Object missing required field `type`"),
        ('{"type": "shout"}', "Invalid value 'shout' - at `$.type`"),
        ('{"type": "subscribe"}', "Object missing required field `channel`"),
        ('{"type": "subscribe", "channel": "nothing"}', "Invalid enum value 'nothing' - at `$.channel`"),
        (
            '{"type": "subscribe", "channel": "metrics", "interval_ms": 99}',
            "Expected `int` >= 100 - at `$.inter",
        ),
        ('{"type": "subscribe", "channel": "metrics", "interval_ms": 60001}', "Expected `int` <= 60000 - at `$.inter"),
        ('{"type": "subscribe", "channel": "metrics", "interval_ms": 1.5}', "Expected `int | null`, got `float`"),
        (
            '{"type": "subscribe", "channel": "alerts", "interval_ms": 1000}',
            "interval_ms: alerts are sent as",
        ),
        ('{"type": "subscribe", "channel": "metrics", "every": 1}', "Object contains unknown field `every`"),
        ('{"type": "unsubscribe", "channel": "metrics", "interval_ms": 1}', "Object contains unknown field"),
        ("[" * 5000, ""),
    ],
)
def test_message_that_is_none_gets_a_complaint_and_the_feed_goes_on(text: str, complaint: str) -> None:
    async def play() -> None:
        scene = Scene()
        reader = Reader(scene.feed)
        reader.say(type="subscribe", channel="metrics", interval_ms=100)
        scene.feed.hear(reader.subscriber, text)
        assert reader.heard[-1]["type"] == "error"
        assert reader.heard[-1]["message"].startswith(complaint)
        await until(lambda: len(reader.of_type("metrics")) == 2)

    asyncio.run(play())
