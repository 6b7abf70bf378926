"""What the page says in words and figures: its pure modules, in the browser that runs them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser import running_browser

PAGE = Path(__file__).parents[2] / "control" / "page"
HOST = "http://page.test"
UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

OK = {"status": "ok", "detail": "fine"}
LATENCY = {"p50": 12.0, "p95": 38.25, "p99": 60.0, "max": 90.0}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page without content that can import the modules, straight from their folder."""
    with running_browser() as browser:
        opened = browser.new_page()
        opened.route("**/empty.html", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        opened.route(
            "**/*.js",
            lambda route: route.fulfill(
                path=PAGE / route.request.url.rsplit("/", 1)[1], content_type="text/javascript"
            ),
        )
        opened.goto(f"{HOST}/empty.html")
        yield opened


def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """Call a function of one of the page's modules."""
    return page.evaluate(
        "async ([module, name, given]) => (await import(`/${module}.js`))[name](...given)",
        [module, function, arguments],
    )


@pytest.mark.parametrize(
    ("function", "value", "said"),
    [
        ("count", 0, "0"),
        ("count", 9_007_199_254_740, "9,007,199,254,740"),
        ("count", None, UNKNOWN),
        ("compact", 9_999_999, "9,999,999"),
        ("compact", 123_456_789, "123M"),
        ("rate", 0, "0"),
        ("rate", 7.25, "7.3"),
        ("rate", 411.6, "412"),
        ("rate", 1_234_567.9, "1,234,568"),
        ("percent", 0, "0 %"),
        ("percent", 0.26, "0.3 %"),
        ("percent", 99.4, "99 %"),
        ("share", 0.5, "50 %"),
        ("share", None, UNKNOWN),
        ("milliseconds", 0.0, "0.00 ms"),
        ("milliseconds", 0.576, "0.58 ms"),
        ("milliseconds", 38.25, "38.3 ms"),
        ("milliseconds", 99.96, "100 ms"),
        ("milliseconds", 9999.9, "10,000 ms"),
        ("milliseconds", 12_400, "12 s"),
        ("milliseconds", None, UNKNOWN),
        ("bytes", 0, "0 B"),
        ("bytes", 1023, "1,023 B"),
        ("bytes", 1024, "1.00 KiB"),
        ("bytes", -5_242_880, f"{MINUS}5.00 MiB"),
        ("bytes", 2**62, "4,096 PiB"),
        ("bytes", None, UNKNOWN),
        ("duration", 0.4, "0 s"),
        ("duration", 62, "1 min 2 s"),
        ("duration", 7380, "2 h 3 min"),
        ("duration", 266_400, "3 d 2 h"),
        ("clock", "no time", "no time"),
        ("clock", "2026-03-01T02:14:07.123Z", "1 Mar 02:14:07"),
    ],
)  # fmt: skip
def test_figure_is_said_with_its_unit(page: Page, function: str, value: Any, said: str) -> None:
    assert call(page, "figure", function, value).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"),
     (["a", "b", "c", "d", "e"], "a, b, c and 2 more")],
)  # fmt: skip
def test_names_are_listed_as_in_a_sentence(page: Page, names: list[str], said: str) -> None:
    assert call(page, "figure", "listed", names) == said


def health(status: str = "ok", **checks: dict[str, str]) -> dict[str, Any]:
    """What the daemon says of itself; checks besides two that are fine."""
    return {"status": status, "checks": {"supervisor": OK, "broker": OK, **checks}}


def metrics(fps: float, p95: float | None, queued: int = 0) -> dict[str, Any]:
    """As much of the metrics as the headline looks at."""
    return {
        "throughput_fps": fps,
        "recent_latency_ms": {**LATENCY, "p95": p95},
        "frames": {"queued": queued, "in_flight": 0},
    }


def service(name: str, state: str = "ready", restarts: int = 0) -> dict[str, Any]:
    """As much of a service as the headline looks at."""
    return {"name": name, "kind": name.partition("-")[0], "state": state, "restarts": restarts}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (metrics(412.3, 38.25), "All is well. 412 frames a second, 95 % within 38.3 ms."),
        (metrics(412.3, None), "All is well. 412 frames a second."),
        (metrics(0, None), "All is well. No frames at the moment."),
        (metrics(0, None, 1), "All is well. Nothing was finished lately; 1 frame in hand."),
        (None, "All is well."),
    ],
)
def test_headline_of_a_healthy_daemon_tells_the_flow(page: Page, told: Any, said: str) -> None:
    assert call(page, "headline", "headline", health(), told, None).replace("\u00a0", " ") == said


DECODE = {"status": "degraded", "detail": "1 of 2 ready, decode-1 backoff"}
QUEUE = {"status": "degraded", "detail": "250 of 256 frames"}


@pytest.mark.parametrize(
    ("verdict", "services", "said"),
    [
        (health("degraded", decode=DECODE), [service("decode-0"), service("decode-1", "backoff")],
         "Degraded: decode-1 has ended and will be started again."),
        (health("degraded", decode=DECODE), [service("decode-0", "spawning", 1), service("decode-1", "spawning", 2)],
         "Degraded: decode-0 and decode-1 are starting again."),
        (health("degraded", decode=DECODE), [service("decode-0", "spawning")], "Degraded: decode-0 is starting."),
        (health("degraded", queue=QUEUE, decode=DECODE), [service("decode-1", "failed")],
         "Degraded: decode-1 has failed too often and is not started again, and 1 further reason."),
        (health("degraded", queue=QUEUE), [], "Degraded: the queue is nearly full."),
        (health("unhealthy", queue=QUEUE, broker={"status": "unhealthy", "detail": "backoff"}),
         [service("broker", "backoff")],
         "Unhealthy: the broker has ended and will be started again, and 1 further reason."),
        (health("degraded", novel={"status": "degraded", "detail": "as never before"}), [],
         "Degraded: novel: as never before."),
        (health("degraded"), [], "Degraded: the reason is not known yet."),
    ],
)  # fmt: skip
def test_headline_names_the_worst_reason(page: Page, verdict: Any, services: list[Any], said: str) -> None:
    told = call(page, "headline", "headline", verdict, metrics(1, 1), {"services": services})

    assert told.replace("\u00a0", " ") == said


def test_headline_names_the_alerts_that_fire(page: Page) -> None:
    verdict = health("degraded", alerts={"status": "degraded", "detail": "queue_length: 30 frames wait"})

    told = call(page, "headline", "headline", verdict, metrics(1, 1), None, ["Slow responses", "Long queue"])

    assert told == "Degraded: slow responses and long queue."


def test_failing_checks_come_worst_first(page: Page) -> None:
    bad = {"status": "unhealthy", "detail": "gone"}

    failing = call(page, "headline", "failing", health("unhealthy", queue=QUEUE, canary=bad))

    assert [check["name"] for check in failing] == ["canary", "queue"]
