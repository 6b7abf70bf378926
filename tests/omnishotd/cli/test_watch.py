"""`omnishotd top` on a real terminal."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.daemon import Daemon
from tests.omnishotd.cli.bodies import METRICS, SERVICES, alert, event
from tests.omnishotd.cli.peer import Peer
from tests.omnishotd.cli.session import CURSOR_HIDDEN, CURSOR_SHOWN, ENTERED, LEFT, WITHIN_S, Session, top
from tests.waiting import eventually

BROKEN = """
import sys
from omnishotd.cli import main, watch
watch.compose = lambda *_: 1 / 0
main(sys.argv[1:])
"""

PATIENT = """
import sys
from omnishotd.cli import main, watch
watch._REDRAW_S = 3600.0
main(sys.argv[1:])
"""
"""Draws when there is something new, and at no other time."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as started:
        yield started


def is_live(lines: list[str]) -> bool:
    """Tell whether the screen is drawn to its end, with figures."""
    return lines[0].endswith("live") and any("completed" in line for line in lines) and "quit" in lines[-1]


def is_filled(height: int) -> Callable[[list[str]], bool]:
    """Make the question whether a screen has so many lines."""
    return lambda lines: is_live(lines) and len(lines) == height


def services_of(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines if " ready " in line]


def test_screen_shows_the_daemon_until_q_is_pressed(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        lines = session.await_screen(is_live, "the figures are shown")
        session.type("q")
        status = session.wait()

        assert len(lines) == 24
        assert services_of(lines) == sorted(each["name"] for each in SERVICES["services"])
        assert status == 0
        assert session.is_left()
        assert session.has_colours()


def test_screen_follows_the_daemon(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        peer.tell("metrics", {**METRICS, "throughput_fps": 77.25})
        session.await_screen(lambda lines: "77.2" in lines[1], "the new figure is shown")
        peer.tell("events", event(9, "worker_exited", "decode-1", "killed by SIGKILL"))
        session.await_screen(lambda lines: any("killed by SIGKILL" in line for line in lines), "the event is shown")
        peer.tell("alerts", alert("queue_length", "firing", "31 frames wait; the threshold is 20."))
        session.await_screen(lambda lines: "31 frames wait" in lines[1], "the alert is shown")
        session.type("q")

        assert session.wait() == 0


def test_news_are_drawn_when_they_come(peer: Peer) -> None:
    with Session([sys.executable, "-P", "-c", PATIENT, "top", "--url", peer.url, "--interval", "60"]) as session:
        session.await_screen(is_live, "the figures are shown")
        peer.tell("events", event(9, "worker_exited", "decode-1", "killed by SIGKILL"))
        session.await_screen(lambda lines: any("killed by SIGKILL" in line for line in lines), "the event is shown")
        session.type("q")

        assert session.wait() == 0


def test_ctrl_c_gives_the_terminal_back_and_ends_with_130(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        session.type("\x03")

        assert session.wait() == 130
        assert session.is_left()
        assert session.text().endswith("omnishotd: interrupted\r\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_deadly_signal_gives_the_terminal_back_and_kills(peer: Peer, number: signal.Signals) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        session.process.send_signal(number)

        assert session.wait() == -number
        assert session.is_left()


def test_fault_of_our_own_gives_the_terminal_back_and_is_told(peer: Peer) -> None:
    with Session([sys.executable, "-P", "-c", BROKEN, "top", "--url", peer.url]) as session:
        assert session.wait() == 1
        assert ENTERED in session.written
        assert session.is_left()
        assert session.text().rstrip().endswith("ZeroDivisionError: division by zero")


def test_shell_gets_its_terminal_while_the_program_is_stopped(peer: Peer) -> None:
    with Session(["/bin/bash", "--norc", "--noprofile", "-i"], environment={"PS1": "$ "}) as session:
        session.type(f"{' '.join(top(peer.url))}\n")
        session.await_screen(is_live, "the figures are shown")
        (child,) = psutil.Process(session.process.pid).children()
        for _ in range(2):
            session.type("\x1a")
            eventually(lambda: child.status() == psutil.STATUS_STOPPED, within_s=WITHIN_S, what="it is stopped")
            session.await_text("Stopped")

            assert session.written.count(ENTERED) == session.written.count(LEFT) > 0
            assert session.written.rfind(CURSOR_SHOWN) > session.written.rfind(CURSOR_HIDDEN)
            session.written = b""
            session.type("fg\n")
            session.await_screen(is_live, "the figures are shown again")
        session.type("q")
        session.await_text("$ ")
        session.type("exit 0\n")

        assert session.wait() == 0


def test_program_that_was_stopped_from_outside_takes_the_terminal_again(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        session.process.send_signal(signal.SIGSTOP)
        eventually(
            lambda: psutil.Process(session.process.pid).status() == psutil.STATUS_STOPPED,
            within_s=WITHIN_S,
            what="it is stopped",
        )
        session.written = b""
        session.process.send_signal(signal.SIGCONT)
        eventually(
            lambda: session.look() and ENTERED in session.written, within_s=WITHIN_S, what="the screen is entered"
        )
        session.await_screen(is_live, "the figures are shown again")
        session.type("q")

        assert session.wait() == 0


def test_window_that_changes_its_size_is_filled(peer: Peer) -> None:
    with Session(top(peer.url), environment={"COLUMNS": "80", "LINES": "24"}) as session:
        session.await_screen(is_live, "the figures are shown")
        for width, height in ((120, 40), (40, 24)):
            session.resize(width, height)
            lines = session.await_screen(is_filled(height), "the window is filled")

            assert max(map(len, lines)) <= width
        session.type("q")

        assert session.wait() == 0


@pytest.mark.parametrize(("width", "height"), [(1, 1), (12, 3), (40, 8), (400, 100)])
def test_window_of_an_odd_size_is_no_fault(peer: Peer, width: int, height: int) -> None:
    with Session(top(peer.url), width, height) as session:
        session.await_screen(lambda lines: len(lines) == height and lines[0] != "", "something is shown")
        session.type("q")

        assert session.wait() == 0
        assert session.is_left()


def test_keys_sort_and_reverse_the_services(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        session.type("ss")
        most = session.await_screen(lambda lines: is_live(lines) and "s sort: memory " in lines[-1], "sorted by memory")
        session.type("r")
        least = session.await_screen(lambda lines: is_live(lines) and "memory, reversed" in lines[-1], "reversed")
        session.type("q")

        assert session.wait() == 0
        assert services_of(most)[0] == "transform-0"
        assert services_of(least) == services_of(most)[::-1]


def test_paused_screen_stays_as_it_is_until_it_goes_on(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        session.type("p")
        session.await_screen(lambda lines: "paused for" in lines[0] and "p go on" in lines[-1], "it is paused")
        peer.tell("metrics", {**METRICS, "throughput_fps": 77.25})
        held = session.await_screen(
            lambda lines: re.search(r"paused for [1-9]", lines[0]) is not None, "time has passed"
        )
        session.type("p")
        session.await_screen(lambda lines: is_live(lines) and "77.2" in lines[1], "the new figure is shown")
        session.type("q")

        assert session.wait() == 0
        assert "412.4" in held[1]


def test_question_mark_shows_the_keys_and_arrows_do_nothing(peer: Peer) -> None:
    with Session(top(peer.url)) as session:
        session.await_screen(is_live, "the figures are shown")
        session.type("\x1b[A?")
        session.await_screen(lambda lines: "  r  reverse their order" in lines, "the keys are shown")
        session.type("\x1bOr?")
        lines = session.await_screen(is_live, "the figures are shown again")
        session.type("q")

        assert session.wait() == 0
        assert "s sort: name  r" in lines[-1]


def test_lost_daemon_is_told_and_found_again() -> None:
    with Peer() as first, Session(top(first.url), 120, 40) as session:
        session.await_screen(is_live, "the figures are shown")
        first.stop()
        lost = session.await_screen(
            lambda lines: lines[0].endswith("disconnected") and "Connection refused" in lines[1], "the loss is told"
        )
        with Peer(first.port):
            session.await_screen(is_live, "the figures are live again")
            session.type("q")

            assert session.wait() == 0
        assert re.match(r"disconnected for \S+ s, these figures are \S+ s old, next try in \d s: no answer", lost[1])
        assert "  was ok  " in lost[0]


def test_colours_are_left_out_where_they_are_not_wanted(peer: Peer) -> None:
    with Session(top(peer.url), environment={"NO_COLOR": "1"}) as session:
        session.await_screen(is_live, "the figures are shown")
        session.type("q")

        assert session.wait() == 0
        assert not session.has_colours()


@pytest.mark.parametrize(
    ("environment", "options"), [({"TERM": "dumb"}, ()), ({}, ("--once",)), ({}, ("--count", "1"))]
)
def test_plain_text_on_a_terminal_has_no_control_characters(
    peer: Peer, environment: dict[str, str], options: tuple[str, ...]
) -> None:
    with Session(top(peer.url, *options), environment=environment) as session:
        assert session.wait() == 0
        assert session.written.decode().replace("\r\n", "").isprintable()
        assert "completed" in session.text()


def test_program_without_a_keyboard_ends_by_a_signal(peer: Peer) -> None:
    with Session(top(peer.url), has_keyboard=False) as session:
        session.await_screen(is_live, "the figures are shown")
        session.process.send_signal(signal.SIGINT)

        assert session.wait() == 130
        assert session.is_left()


def test_terminal_without_a_daemon_is_left_alone() -> None:
    with Peer() as peer:
        url = peer.url
    with Session(top(url)) as session:
        assert session.wait() == os.EX_UNAVAILABLE
        assert session.text() == f"omnishotd: no answer from {url}/health: [Errno 111] Connection refused\r\n"
        assert b"\x1b" not in session.written


def test_killed_worker_of_a_real_daemon_is_shown(daemon: Daemon) -> None:
    killed = daemon.pids("encode")[0]
    with Session(top(daemon.control_url, "--interval", "0.5"), 120, 40) as session:
        session.await_screen(is_live, "the figures are shown")
        os.kill(killed, signal.SIGKILL)
        lines = session.await_screen(
            lambda lines: (
                any("worker_exited encode" in line for line in lines)
                and any(re.match(r"encode-\d+ .* 1 .* crash SIGKILL", line) is not None for line in lines)
            ),
            "the death is told and counted",
        )
        session.type("q")

        assert session.wait() == 0
        assert sum("worker_exited" in line for line in lines) == 1
