"""What each message of the feed changes."""

import json
from typing import Any

import msgspec
import pytest

from omnishotd.cli.snapshot import EVENTS_MAX, NEWS_CHANNELS, STATE_CHANNELS, Snapshot
from tests.omnishotd.cli.bodies import MEMORY, METRICS, SERVICES, Body, alert, event

CONNECTED = Snapshot().connected(10.0)


def message(kind: str, **parts: Any) -> str:
    return json.dumps({"type": kind, **parts})


def told(*messages: str, snapshot: Snapshot = CONNECTED, now_s: float = 11.0) -> Snapshot:
    for each in messages:
        snapshot = snapshot.told(each, now_s)
    return snapshot


def names(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(alert.name, alert.state) for alert in snapshot.alerts]


@pytest.mark.parametrize(("channel", "body"), [("metrics", METRICS), ("services", SERVICES), ("memory", MEMORY)])
def test_state_takes_the_place_of_the_one_before(channel: str, body: Body) -> None:
    once = told(message(channel, seq=1, data=body))
    twice = told(message(channel, seq=2, data=body), snapshot=once, now_s=12.0)

    assert getattr(once, channel) is not None
    assert getattr(twice, channel) == getattr(once, channel)
    assert getattr(twice, channel) is not getattr(once, channel)
    assert (once.heard_at_s, twice.heard_at_s) == (11.0, 12.0)


def test_alerts_are_those_of_the_snapshot_then_of_news_then_of_the_latest_metrics() -> None:
    queue, memory = alert("queue_length", "firing", ""), alert("memory_percent", "firing", "")
    begun = told(message("subscribed", channel="alerts", snapshot=[queue]))
    more = told(message("alerts", data=memory), snapshot=begun)
    resolved = told(message("alerts", data=queue | {"state": "resolved"}), snapshot=more)
    measured = told(message("metrics", data=METRICS | {"alerts": [memory]}), snapshot=resolved)

    assert names(begun) == [("queue_length", "firing")]
    assert names(more) == [("queue_length", "firing"), ("memory_percent", "firing")]
    assert names(resolved) == [("memory_percent", "firing"), ("queue_length", "resolved")]
    assert names(measured) == [("memory_percent", "firing")]


def test_events_that_are_told_again_after_a_reconnection_are_known() -> None:
    first = told(
        message("subscribed", channel="events", snapshot=[event(1, "worker_ready", "decode-0")]),
        message("events", data=event(2, "worker_exited", "decode-0")),
    )
    again = first.disconnected(12.0, "lost", 13.0).connected(13.0)
    seen = [event(2, "worker_exited", "decode-0"), event(3, "worker_ready", "decode-0")]

    snapshot = told(message("subscribed", channel="events", snapshot=seen), snapshot=again)

    assert [each.id for each in snapshot.events] == ["supervisor-1-1", "supervisor-1-2", "supervisor-1-3"]


def test_event_of_a_daemon_that_was_started_anew_is_another_though_it_has_the_same_id() -> None:
    later = event(1, "daemon_ready", "supervisor", at="2026-03-09T12:40:00.000+00:00")

    snapshot = told(message("events", data=event(1, "daemon_ready", "supervisor")), message("events", data=later))

    assert len(snapshot.events) == 2


def test_no_more_events_are_kept_than_a_daemon_tells() -> None:
    snapshot = told(*(message("events", data=event(number, "worker_ready", "x")) for number in range(EVENTS_MAX + 9)))

    assert [each.id for each in snapshot.events][:: EVENTS_MAX - 1] == [
        "supervisor-1-9",
        f"supervisor-1-{EVENTS_MAX + 8}",
    ]


def test_snapshot_is_complete_when_every_channel_has_answered_or_been_refused() -> None:
    answers = [
        message("metrics", data=METRICS),
        message("services", data=SERVICES),
        message("error", message="no channel memory"),
        message("subscribed", channel="alerts", snapshot=[]),
        message("subscribed", channel="events", snapshot=[]),
    ]

    assert len(answers) == len(STATE_CHANNELS) + len(NEWS_CHANNELS)
    assert not told(*answers[:-1]).is_complete
    assert told(*answers).is_complete
    assert told(*answers).faults == ("no channel memory",)
    assert not told(*answers).connected(12.0).is_complete


def test_loss_of_the_connection_keeps_the_figures_and_counts_from_the_first_try() -> None:
    lost = told(message("metrics", data=METRICS)).disconnected(20.0, "lost", 20.5)
    tried = lost.disconnected(21.0, "no answer", 22.0)
    back = tried.connected(23.0)

    assert tried.metrics is not None
    assert (tried.link.is_up, tried.link.since_s, tried.link.reason, tried.link.retry_at_s) == (
        False,
        20.0,
        "no answer",
        22.0,
    )
    assert (back.link.is_up, back.link.since_s, back.link.reason) == (True, 23.0, "")


def test_message_of_a_newer_daemon_is_passed_over() -> None:
    newer = {**METRICS, "colour": "green"}

    assert told(message("weather", data={"sun": True}), message("subscribed", channel="weather")) == CONNECTED
    assert told(message("metrics", data=newer)).metrics == told(message("metrics", data=METRICS)).metrics


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"type":1}',
        '{"type":"metrics"}',
        '{"type":"events","data":[]}',
        '{"type":"services","data":{"status":"ok"}}',
        "\x00",
    ],
)
def test_message_that_is_none_is_refused(content: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        told(content)
