"""The feed against a real WebSocket server that says what it is told to, stops and comes back."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from omnishotd.cli.access import Access
from omnishotd.cli.feed import Feed, ask_health
from omnishotd.cli.figures import Health, Memory, Metrics, Services
from omnishotd.cli.program import Failure
from omnishotd.cli.snapshot import Snapshot
from omnishotd.cli.token_file import TokenFile
from tests.omnishotd.cli.bodies import HEALTH, MEMORY, METRICS, SERVICES, alert, event
from tests.omnishotd.cli.peer import WITHIN_S, WORD, Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as started:
        yield started


def fed(peer: Peer, interval_s: float = 0.1, token_file: Path | None = None) -> Feed:
    named = TokenFile(token_file, is_required=True) if token_file is not None else None
    return Feed(Access(urlsplit(peer.url), named), interval_s)


def awaited(feed: Feed, is_met: Callable[[Snapshot], bool]) -> Snapshot:
    snapshot = feed.wait_until(is_met, WITHIN_S)
    assert is_met(snapshot), snapshot
    return snapshot


def is_complete(snapshot: Snapshot) -> bool:
    return snapshot.is_complete


def test_feed_asks_for_all_channels_and_keeps_what_they_say(peer: Peer) -> None:
    peer.news["alerts"] = [alert("queue_length", "firing", "")]
    peer.news["events"] = [event(1, "daemon_ready", "supervisor")]

    with fed(peer, interval_s=0.5) as feed:
        snapshot = awaited(feed, is_complete)

    assert peer.orders == [
        {"type": "subscribe", "channel": "metrics", "interval_ms": 500},
        {"type": "subscribe", "channel": "services", "interval_ms": 500},
        {"type": "subscribe", "channel": "memory", "interval_ms": 2000},
        {"type": "subscribe", "channel": "alerts"},
        {"type": "subscribe", "channel": "events"},
    ]
    assert snapshot.link.is_up
    assert snapshot.metrics == msgspec.convert(METRICS, Metrics)
    assert snapshot.services == msgspec.convert(SERVICES, Services)
    assert snapshot.memory == msgspec.convert(MEMORY, Memory)
    assert snapshot.health == msgspec.convert(HEALTH, Health)
    assert [each.name for each in snapshot.alerts] == ["queue_length"]
    assert [each.event for each in snapshot.events] == ["daemon_ready"]


def test_feed_tells_whoever_waits_that_there_is_news(peer: Peer) -> None:
    heard = threading.Event()
    with Feed(Access(urlsplit(peer.url), None), 1.0, heard.set) as feed:
        awaited(feed, is_complete)
        heard.clear()
        peer.tell("events", event(7, "worker_exited", "decode-0"))

        assert heard.wait(WITHIN_S)
        awaited(feed, lambda snapshot: bool(snapshot.events))


def test_checks_are_asked_for_as_soon_as_the_state_is_another(peer: Peer) -> None:
    with fed(peer) as feed:
        awaited(feed, lambda snapshot: snapshot.health is not None)
        peer.health = {**HEALTH, "status": "degraded"}
        peer.tell("services", {**SERVICES, "status": "degraded"})

        awaited(feed, lambda snapshot: snapshot.health is not None and snapshot.health.status == "degraded")


def test_feed_connects_again_and_knows_what_it_knew() -> None:
    with Peer() as first:
        first.news["events"] = [event(1, "daemon_ready", "supervisor")]
        feed = fed(first)
        with feed:
            awaited(feed, is_complete)
            first.stop()
            lost = awaited(feed, lambda snapshot: bool(snapshot.link.reason))
            with Peer(first.port) as second:
                second.news["events"] = [event(1, "daemon_ready", "supervisor"), event(2, "worker_ready", "decode-0")]
                back = awaited(feed, is_complete)

    assert lost.metrics is not None
    assert not lost.link.is_up
    assert lost.link.retry_at_s > lost.link.since_s
    assert [each.event for each in back.events] == ["daemon_ready", "worker_ready"]


def test_feed_says_why_the_daemon_closed(peer: Peer) -> None:
    with fed(peer) as feed:
        awaited(feed, is_complete)
        peer.drop()

        snapshot = awaited(feed, lambda snapshot: bool(snapshot.link.reason))

    assert snapshot.link.reason == "closed by the daemon: restarting"


def test_pauses_between_tries_grow_and_begin_anew_after_a_success(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnishotd.cli.feed._PAUSES_S", (0.05, 30.0))

    with fed(peer) as feed:
        awaited(feed, is_complete)
        peer.drop()
        awaited(feed, lambda snapshot: bool(snapshot.link.reason))
        awaited(feed, is_complete)
        peer.stop()
        last = awaited(feed, lambda snapshot: snapshot.link.retry_at_s > time.monotonic() + 20)

    # Had they not begun anew, the long one would have been the first.
    assert last.link.retry_at_s - last.link.since_s > 30.05


def test_channel_that_the_daemon_does_not_know_is_told_and_waited_for_no_longer(peer: Peer) -> None:
    peer.unknown_channels = {"memory"}

    with fed(peer) as feed:
        snapshot = awaited(feed, is_complete)

    assert snapshot.faults == ("no channel memory",)
    assert snapshot.memory is None


def test_message_that_is_none_ends_the_connection_with_a_reason(peer: Peer) -> None:
    with fed(peer) as feed:
        awaited(feed, is_complete)
        peer.tell_raw('{"type":"metrics","data":[]}')

        snapshot = awaited(feed, lambda snapshot: bool(snapshot.link.reason))

    assert snapshot.link.reason.startswith("something answers, but not as omnishotd does: Expected `object`")


def test_new_token_is_taken_at_the_next_connection(peer: Peer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(WORD)
    peer.token = WORD
    with fed(peer, token_file=file) as feed:
        awaited(feed, is_complete)
        peer.token = WORD[::-1]
        peer.drop()
        refused = awaited(feed, lambda snapshot: snapshot.link.is_refused)
        file.write_text(WORD[::-1])
        awaited(feed, is_complete)

    assert refused.link.reason == f"{peer.url}/ws does not take the token in {file}"


def test_feed_that_is_not_there_is_told_with_the_status_of_the_answer() -> None:
    with Peer() as peer, Feed(Access(urlsplit(f"{peer.url}/elsewhere/"), None), 1.0) as feed:
        snapshot = awaited(feed, lambda snapshot: bool(snapshot.link.reason))

    assert snapshot.link.reason == f"{peer.url}/elsewhere/ws answers with status 404: no such path"
    assert not snapshot.link.is_refused


def test_token_follows_no_redirection(peer: Peer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(WORD)
    with Peer() as redirecting:
        redirecting.location = f"ws://127.0.0.1:{peer.port}/ws"
        with fed(redirecting, token_file=file) as feed:
            snapshot = awaited(feed, lambda snapshot: bool(snapshot.link.reason))

    assert redirecting.shown_tokens == [f"Bearer {WORD}"]
    assert peer.shown_tokens == []
    assert "redirect" in snapshot.link.reason


def test_feed_ends_at_once_while_a_connection_is_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnishotd.cli.feed.CLOSE_SECONDS_MAX", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        feed = Feed(Access(urlsplit(url), None), 1.0)
        with feed:
            accepted, _ = silent.accept()
            began_s = time.monotonic()
        took_s = time.monotonic() - began_s
        accepted.close()

    assert took_s < 2.0


def test_fault_of_our_own_is_raised_where_the_snapshot_is_read(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Snapshot, "told", lambda *_: 1 / 0)

    with fed(peer) as feed, pytest.raises(ZeroDivisionError):
        feed.wait_until(is_complete, WITHIN_S)


def test_health_of_something_else_is_a_failure(peer: Peer) -> None:
    peer.health = {"status": "ok"}

    with pytest.raises(Failure, match="not as omnishotd does") as failure:
        ask_health(Access(urlsplit(peer.url), None), 5.0)

    assert failure.value.status == os.EX_UNAVAILABLE
