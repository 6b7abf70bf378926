"""The page in a real browser, before a real daemon: what an operator sees when things live, work and die."""

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from omnishotd.client import Client, FrameRefused
from tests.browser import Screen, open_screen, running_browser
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg

NO_ALERTS = [f"alerts.{name}=0" for name in ("memory_percent", "response_ms", "error_percent", "queue_length")]
"""A machine that is busy with other tests would set some of them off."""


def process_of(service: str, condition: str) -> str:
    """The expression that finds a service's row where a condition on `row` holds."""
    return f"rows('services').find((row) => row.Service === '{service}' && {condition})"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def screen(browser: Browser, daemon: Daemon) -> Iterator[Screen]:
    """The page before a daemon with default settings."""
    with open_screen(browser, daemon.control_url) as opened:
        opened.becomes_live()
        yield opened


class Producer:
    """Sends frames until it is told to end: good ones, and every fifth one that cannot be decoded."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce)

    def __enter__(self) -> "Producer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def _produce(self) -> None:
        picture = photograph_jpeg(320)
        with Client(self._endpoint, name="entrance") as client:
            futures = []
            number = 0
            while not self._ended.is_set():
                number += 1
                payload = picture if number % 5 else picture[: len(picture) // 2]
                futures.append(client.submit(payload, outputs={"quality": 80}, priority=number % 3))
                if len(futures) >= 32:
                    done = futures.pop(0)
                    done.exception(30)
            for future in futures:
                error = future.exception(30)
                assert error is None or isinstance(error, FrameRefused)


def test_page_of_a_daemon_at_rest_says_that_all_is_well(screen: Screen) -> None:
    screen.eventually("document.title === 'ok · omnishotd'", what="the title tells the state")

    assert screen.text("#headline") == "All is well. No frames at the moment."
    assert screen.text("#link") == "live"
    assert screen.ask("document.body.dataset.state") == "ok"
    states = {row["Service"]: row["State"] for row in screen.ask("rows('services')")}
    assert {"supervisor", "broker", "decode-0", "control"} <= states.keys()
    assert set(states.values()) == {"ready"}


def test_figures_of_a_daemon_at_work_move_and_add_up_whenever_one_looks(
    browser: Browser, daemon_with: Callable[..., Daemon]
) -> None:
    """That they add up is checked of every page; here frames are in all places."""
    daemon = daemon_with(*NO_ALERTS)
    with open_screen(browser, daemon.control_url) as screen:
        screen.becomes_live()
        with Producer(daemon.endpoint):
            in_hand = "[...seen.accounts.values()].filter((account) => account.in_flight + account.queued > 0)"
            screen.eventually(f"{in_hand}.length >= 10", what="ten different accounts with frames in hand are seen")
            screen.eventually("/[1-9]/.test(text('#throughput'))", what="throughput is shown")
            points = "document.querySelector('#throughput-line .stroke').getAttribute('d').split('L')"
            screen.eventually(f"{points}.length > 2", what="the line has points")
            screen.eventually(
                "/frames a second, 95 % within/.test(text('#headline'))", what="the headline tells the flow"
            )

        received = [each["received"] for each in screen.accounts]
        assert received == sorted(received)
        at_rest = daemon.frames_at_rest(received[-1])
        last = screen.eventually(
            f"account().received === {at_rest['received']} && account()", what="the last figures are shown"
        )
        assert last == {key: at_rest[key] for key in last}
        assert last["completed"] > 0
        assert last["failed"] > 0
        assert "BAD_IMAGE" in screen.text("#errors")


def test_worker_that_is_killed_shows_within_a_second(screen: Screen, daemon: Daemon) -> None:
    victim = daemon.pids("decode-0")[0]

    began_s = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    screen.eventually(process_of("decode-0", f"row.PID !== '{victim}'"), what="the process is shown to be gone")
    shown_after_s = time.monotonic() - began_s

    assert shown_after_s < 1.0
    row = screen.eventually(process_of("decode-0", "row.State === 'ready' && row.Restarts"), what="the next is ready")
    assert row["Restarts"] == "1"
    assert "SIGKILL" in row["Last exit"]
    exits = "rows('events').filter((row) => row.Service === 'decode-0' && row.What === 'worker exited')"
    screen.eventually(f"{exits}.length === 1", what="the event is told")


def test_connection_that_is_lost_shows_and_comes_back(screen: Screen, daemon: Daemon) -> None:
    events = "rows('events').length"
    screen.eventually(f"{events} > 0", what="events are told")

    os.kill(daemon.pids("control")[0], signal.SIGKILL)
    screen.eventually("seen.links.includes('lost')", what="the page says that the connection is lost")
    screen.becomes_live()

    screen.eventually("document.querySelector('#lost').hidden", what="the notice is gone")
    told = [tuple(row.values()) for row in screen.ask("rows('events')")]
    assert len(told) == len(set(told)), "an event is shown twice"
    assert screen.text("#announcer") != ""


def test_daemon_that_is_gone_leaves_figures_that_say_how_old_they_are(screen: Screen, daemon: Daemon) -> None:
    ink = "getComputedStyle(document.querySelector('#throughput')).color"
    live = screen.ask(ink)

    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait()

    screen.eventually("document.body.dataset.link === 'lost'", what="the connection is lost")
    screen.eventually(
        "/figures below are [1-9][0-9]*\\s+s old/.test(text('#lost-text'))",
        what="the age is told",
    )
    screen.eventually(f"{ink} !== {live!r}", what="figures are greyed")
    assert screen.text("#headline") == "The connection to the daemon is lost."
    assert screen.text("#reasons").startswith("Last known")
    assert screen.ask("document.title") == "no connection · omnishotd"
    assert screen.ask("document.body.dataset.state") == "unknown"
    screen.eventually("text('#announcer').includes('lost')", what="it is announced")
    screen.eventually("!document.querySelector('#retry').hidden", what="it can be tried again at once")


def test_control_plane_that_hangs_is_told_as_silent(screen: Screen, daemon: Daemon) -> None:
    control = daemon.pids("control")[0]

    os.kill(control, signal.SIGSTOP)
    try:
        screen.eventually("document.body.dataset.link === 'old'", what="the silence is told")
        assert screen.text("#headline") == "The daemon says nothing new."
    finally:
        os.kill(control, signal.SIGCONT)
    screen.becomes_live()


def test_alert_shows_on_top_and_is_announced(browser: Browser, daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with("supervisor.restarts_max=6", "supervisor.restart_window_s=60")
    with open_screen(browser, daemon.control_url) as screen:
        screen.becomes_live()
        for _ in range(3):
            victim = daemon.pids("decode-0")[0]
            os.kill(victim, signal.SIGKILL)
            screen.eventually(
                process_of("decode-0", f"row.State === 'ready' && row.PID !== '{victim}'"),
                what="the next process is ready",
            )
        screen.eventually("!document.querySelector('#firing').hidden", what="the alert is shown")

        assert "decode died 3 times" in screen.text("#firing")
        screen.eventually("document.title.startsWith('1 alert · degraded')", what="the title tells of it")
        screen.eventually("text('#announcer').includes('Alert:')", what="it is announced")


def test_token_is_asked_for_and_kept_for_the_tab(
    browser: Browser, daemon_with: Callable[..., Daemon], tmp_path: Path
) -> None:
    token = secrets.token_urlsafe(32)
    token_file = tmp_path / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    daemon = daemon_with(f"control.token_file={token_file}")
    with open_screen(browser, daemon.control_url) as screen:
        screen.eventually("document.activeElement.id === 'token-text'", what="the token is asked for")
        assert screen.ask("getComputedStyle(document.querySelector('#figures')).display") == "none"

        screen.page.keyboard.type("not-the-token")
        screen.page.keyboard.press("Enter")
        screen.eventually("text('#token-fault').includes('did not accept')", what="it is refused")
        screen.page.keyboard.type(token)
        screen.page.keyboard.press("Enter")
        screen.becomes_live()

        assert screen.ask("document.querySelector('#token').hidden")
        screen.page.reload()
        screen.becomes_live()
        assert [address for address in screen.addresses if token in address] == []
