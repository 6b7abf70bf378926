"""What the screen shows, at any size, of any daemon."""

import io
import json
import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from omnishotd.cli.figures import Health
from omnishotd.cli.screen import Setting, allot, compose, compose_plain
from omnishotd.cli.snapshot import Snapshot
from omnishotd.cli.view import Order, View
from tests.omnishotd.cli.bodies import HEALTH, KILLED, MEMORY, METRICS, NOW, SERVICES, Body, alert, event, service

SETTING = Setting("127.0.0.1:3000", 1.0)
HEARD_S = 100.0
AS_BEGUN = View()

MANY = {"status": "ok", "services": [service(f"decode+transform+encode-{index}", 5000, index) for index in range(40)]}


def known(
    health: Body = HEALTH,
    metrics: Body = METRICS,
    services: Body = SERVICES,
    memory: Body = MEMORY,
    news: tuple[tuple[str, Body], ...] = (),
) -> Snapshot:
    """Make what is known after a daemon has said these things."""
    snapshot = replace(Snapshot().connected(1.0), health=msgspec.convert(health, Health))
    states = [("metrics", metrics), ("services", services), ("memory", memory)]
    for channel, data in [*states, *news]:
        snapshot = snapshot.told(json.dumps({"type": channel, "data": data}), HEARD_S)
    return snapshot


def screen(
    snapshot: Snapshot, width: int = 80, height: int = 24, view: View = AS_BEGUN, now_s: float = HEARD_S + 0.2
) -> list[str]:
    """Draw as on a terminal without colours; return its lines."""
    page = io.StringIO()
    console = Console(file=page, width=width, height=height, color_system=None, force_terminal=False, highlight=False)
    console.print(compose(view, snapshot, SETTING, console, now_s))
    return [line.rstrip() for line in page.getvalue().splitlines()]


def plain(snapshot: Snapshot, now_s: float = HEARD_S + 0.2) -> list[str]:
    page = io.StringIO()
    console = Console(file=page, width=160, color_system=None, force_terminal=False, highlight=False)
    for part in compose_plain(snapshot, SETTING, now_s):
        console.print(part, soft_wrap=True)
    return [line.rstrip() for line in page.getvalue().splitlines()]


def amounts(lines: list[str]) -> dict[str, int]:
    """Read the account of frames off the screen."""
    labels = "received|completed|failed|rejected|cancelled|in flight|queued"
    found = re.findall(rf"\b({labels}) +([0-9,]+)(?= |$)", "\n".join(lines), re.MULTILINE)
    return {label: int(number.replace(",", "")) for label, number in found}


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 30), (40, 24)])
def test_account_on_the_screen_adds_up(width: int, height: int) -> None:
    shown = amounts(screen(known(), width, height))

    assert shown.pop("received") == sum(shown.values()) == METRICS["frames"]["received"]
    assert len(shown) == 6


def test_ordinary_terminal_shows_every_part() -> None:
    lines = screen(known(news=(("events", event(3, "worker_exited", "decode-1", "killed by SIGKILL")),)))
    text = "\n".join(lines)

    assert len(lines) == 24
    assert lines[0].startswith("omnishotd 0.1.0  ok  up 3 h 12 min  host cpu 71 %, memory 43 %, load 1.93")
    assert lines[0].endswith("live")
    assert re.search(r"frames/s +412\.4", text)
    assert re.search(r"in all +18\.7 +38\.4 +61\.2", text)
    assert re.search(r"decode +3\.10 +5\.87 +9\.02 +87 % +2", text)
    assert "queue    11 of 256, 1.73 MB of 134 MB; p95 wait 12.5 ms" in text
    assert "arena    31.4 MB of 268 MB: decode-0 14.2 MB, decode-1" in text
    assert "errors   now 1.2 %; BAD_IMAGE 28, EXPIRED 12, BUSY 3" in text
    assert re.search(r"decode-1 +ready +4131 +86 % +85 % 47\.9 MB +1 +0\.1 s crash SIGKILL", text)
    assert "memory   stable: 322 MB in all processes" in text
    assert "worker_exited decode-1: killed by SIGKILL" in text
    assert all(each["name"] in text for each in SERVICES["services"])


def test_tall_and_wide_terminal_shows_more() -> None:
    text = "\n".join(screen(known(), 120, 40))

    assert "decode-1 11.0 MB (1 abandoned), waiting 6.20 MB" in text
    assert "waiting  10 at priority 5, 1 at priority 9" in text
    assert "peak     96.1 MB of the arena at most; largest free piece 140 MB" in text
    assert "restarts 1: crash 1" in text
    assert "canary   2,304 passed, 0 failed; the last passed 1.2 s ago in 11.4 ms" in text
    assert "traffic  18.3 GB in, 2.41 GB out; 3 tried again, 1 lost" in text
    assert "killed by SIGKILL" in text


@given(st.integers(1, 250), st.integers(1, 90), st.booleans(), st.sampled_from(Order))
def test_screen_of_any_size_is_filled_and_not_overrun(width: int, height: int, is_troubled: bool, order: Order) -> None:
    troubled = known(
        {**HEALTH, "status": "unhealthy", "checks": {"broker": {"status": "unhealthy", "detail": "silent " * 30}}},
        services=MANY,
        memory={**MEMORY, "recommendations": ["Trim it. " * 40] * 3},
        news=tuple(("events", event(number, "worker_ready", "decode-0")) for number in range(9)),
    )
    snapshot = troubled.disconnected(HEARD_S, "no answer", HEARD_S + 1) if is_troubled else known()

    lines = screen(snapshot, width, height, View(order=order))

    assert all(cell_len(line) <= width for line in lines)
    if width >= 40 and height >= 24:
        assert len(lines) == height
        assert lines[-1].startswith("q quit")


def test_what_is_wrong_is_said_with_its_reasons_the_worst_first() -> None:
    checks = {
        "queue": {"status": "degraded", "detail": "250 of 256 frames"},
        "broker": {"status": "unhealthy", "detail": "silent for 4.2 s"},
        "decode": {"status": "ok", "detail": "2 of 2 ready"},
        "alerts": {"status": "degraded", "detail": "error_percent: twelve"},
    }
    firing = alert("error_percent", "firing", "12.3 % failed; the threshold is 5 %.")
    resolved = alert("queue_length", "resolved", "gone")

    lines = screen(
        known({**HEALTH, "status": "unhealthy", "checks": checks}, {**METRICS, "alerts": [firing, resolved]}), 100
    )

    assert "  unhealthy  " in lines[0]
    assert lines[1].startswith("alert error_percent since ")
    assert lines[1].endswith(": 12.3 % failed; the threshold is 5 %.")
    assert lines[2:4] == ["broker unhealthy: silent for 4.2 s", "queue degraded: 250 of 256 frames"]
    assert not any("gone" in line or "twelve" in line for line in lines)


def test_lost_connection_is_said_with_the_age_of_the_figures() -> None:
    lost = known().disconnected(HEARD_S + 1, "no answer: Connection refused", HEARD_S + 15)

    lines = screen(lost, 120, now_s=HEARD_S + 13)

    assert "  was ok  " in lines[0]
    assert lines[0].endswith("disconnected")
    assert lines[1] == (
        "disconnected for 12 s, these figures are 13 s old, next try in 2 s: no answer: Connection refused"
    )
    assert amounts(lines)["completed"] == METRICS["frames"]["completed"]


def test_refused_token_is_said_before_there_are_figures() -> None:
    refused = Snapshot().disconnected(HEARD_S, "/ws asks for a token", HEARD_S + 1, is_refused=True)

    lines = screen(refused, now_s=HEARD_S)

    assert lines[0].startswith("omnishotd  not heard yet")
    assert lines[1] == "refused for 0.0 s, no figures yet, next try in 1 s: /ws asks for a token"
    assert not any(lines[2:-1])


def test_connection_that_says_nothing_new_is_not_called_live() -> None:
    assert screen(Snapshot())[0].endswith("connecting")
    assert screen(Snapshot().connected(HEARD_S))[0].endswith("connecting")
    assert screen(known(), now_s=HEARD_S + 5)[0].endswith("live")
    assert screen(known(), now_s=HEARD_S + 7)[0].endswith("figures 7.0 s old")


def test_paused_screen_says_since_when() -> None:
    lines = screen(known(), view=View(held=known()), now_s=HEARD_S + 65)

    assert lines[0].endswith("paused for 1 min 5 s")
    assert "p go on" in lines[-1]


def test_services_are_in_the_order_that_was_chosen_and_the_footer_says_which() -> None:
    lines = screen(known(), view=View(order=Order.MEMORY, is_reversed=True))
    shown = [line.split()[0] for line in lines if " ready " in line]

    assert shown[0] == "supervisor"
    assert shown[-1] == "transform-0"
    assert "s sort: memory, reversed" in lines[-1]


def test_services_for_which_there_is_no_room_are_counted() -> None:
    lines = screen(known(services=MANY))
    shown = [line for line in lines if " ready " in line]
    (rest,) = (line for line in lines if line.startswith("and "))

    assert rest == f"and {40 - len(shown)} more"
    assert len(shown) >= 6


def test_name_that_is_too_long_keeps_the_number_at_its_end() -> None:
    lines = screen(known(services=MANY), 60, 60)

    assert any(re.match(r"\S+…\S+-39 ready", line) for line in lines)


def test_keys_are_shown_in_place_of_the_figures() -> None:
    lines = screen(known(), view=View(shows_keys=True))

    assert len(lines) == 24
    assert "  q  quit, as Ctrl-C does" in lines
    assert not amounts(lines)


HOSTILE = "\x1b[2J\x9b31m\r\n[red]bad[/red] :smile: \u202e"


def test_text_of_the_daemon_can_neither_steer_the_terminal_nor_be_markup() -> None:
    health = {
        **HEALTH,
        "status": HOSTILE,
        "version": HOSTILE,
        "checks": {HOSTILE: {"status": HOSTILE, "detail": HOSTILE}},
    }
    metrics = {
        **METRICS,
        "timestamp": HOSTILE,
        "errors": {HOSTILE: 1},
        "stages": {HOSTILE: METRICS["stages"]["decode"]},
        "queue": {**METRICS["queue"], "by_priority": {HOSTILE: 1}},
        "restarts": {"total": 1, "by_cause": {HOSTILE: 1}},
        "alerts": [alert(HOSTILE, "firing", HOSTILE) | {"since": HOSTILE}],
    }
    ended = {**KILLED, "signal": HOSTILE, "reason": HOSTILE, "at": HOSTILE, "cause": HOSTILE}
    services = {"status": HOSTILE, "services": [service(HOSTILE, 1, 1, last_exit=ended, state=HOSTILE)]}
    owner = {"owner": HOSTILE, "bytes": 1, "frames": 1, "abandoned": 0}
    memory: Body = {
        **MEMORY,
        "verdict": HOSTILE,
        "recommendations": [HOSTILE],
        "arena": {**MEMORY["arena"], "owners": [owner]},
    }
    snapshot = known(health, metrics, services, memory, (("events", event(1, HOSTILE, HOSTILE, HOSTILE, HOSTILE)),))
    snapshot = snapshot.told(json.dumps({"type": "error", "message": HOSTILE}), HEARD_S)

    for lines in (screen(snapshot, 250, 60), plain(snapshot), plain(snapshot.disconnected(HEARD_S, HOSTILE, HEARD_S))):
        text = "".join(lines)
        assert text.isprintable()
        assert "\\x1b[2J\\x9b31m\\r\\n[red]bad[/red] :smile: \\u202e" in text


def test_plain_text_says_everything_whatever_its_length() -> None:
    advice = "Trim it, for it keeps what it does not need. " * 9
    snapshot = known(
        metrics={**METRICS, "errors": {f"CODE_{number}": 1000 + number for number in range(30)}},
        services=MANY,
        memory={**MEMORY, "recommendations": [advice]},
        news=tuple(("events", event(number, "worker_ready", f"decode-{number}")) for number in range(60)),
    )

    lines = plain(snapshot)
    text = "\n".join(lines)

    assert "127.0.0.1:3000" in lines[0]
    assert NOW in lines[0]
    assert advice.rstrip() in text
    assert all(f"CODE_{number} {1000 + number:,}" in text for number in range(30))
    assert text.count("decode+transform+encode-") == 40
    assert text.count("worker_ready") == 60
    assert amounts(lines)["received"] == METRICS["frames"]["received"]


def test_daemon_that_says_the_least_it_may_is_shown() -> None:
    frames = dict.fromkeys(("received", "completed", "failed", "rejected", "cancelled", "in_flight", "queued"), 0)
    quiet: Body = {
        "timestamp": NOW,
        "frames": frames,
        "throughput_fps": 0.0,
        "error_rate": 0.0,
        "errors": {},
        "recent_latency_ms": {},
        "stages": {},
    }
    idle: Body = {"verdict": "stable", "total": {"pss_bytes": 0}, "arena": None, "trend": None, "recommendations": []}
    health: Body = {"status": "ok", "version": None, "uptime_s": None, "checks": {}}

    lines = screen(known(health, quiet, {"status": "ok", "services": []}, idle))

    assert len(lines) == 24
    assert [line for line in lines if "queue    -" in line or "arena    -" in line or "errors   none" in line]
    assert any("services: none told of yet" in line for line in lines)


def test_lines_are_allotted_in_the_order_of_the_wishes() -> None:
    wishes = (("head", 1), ("rows", 3), ("tail", 2), ("rows", 9))

    assert dict(allot(4, wishes)) == {"head": 1, "rows": 3, "tail": 0}
    assert dict(allot(8, wishes)) == {"head": 1, "rows": 5, "tail": 2}
    assert dict(allot(-5, wishes)) == {"head": 0, "rows": 0, "tail": 0}
