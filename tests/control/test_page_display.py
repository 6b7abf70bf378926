"""The page's display in a real browser: of every shape of figures, on every screen, by keyboard and by ear."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser

from ipc.settings import Settings
from ipc.telemetry import (
    ArenaFigures,
    BrokerTelemetry,
    FrameFigures,
    LastExit,
    OwnerFigures,
    ProducerFigures,
    ServiceFigures,
    StageFigures,
    SupervisorTelemetry,
    WorkerTelemetry,
)
from tests.browser import Scheme, open_screen, running_browser
from tests.control.support import (
    ControlProcess,
    make_broker,
    make_frames,
    make_histogram,
    make_settings,
    make_supervisor,
    make_worker,
    running_control,
)

POOL = "decode+transform+encode"
LONG = "camera-of-the-entrance-to-the-loading-bay-at-the-far-end-of-site"
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@dataclass
class Pipeline:
    """Stands for all processes but the control plane: tells their telemetry, again and again, as of now."""

    control: ControlProcess
    supervisor: SupervisorTelemetry
    broker: BrokerTelemetry
    workers: list[WorkerTelemetry] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.control.port}/"

    def tell(self) -> None:
        """All messages, once."""
        now_s = time.monotonic()
        canary = replace(self.broker.canary, passed_at_s=now_s)
        self.control.tell(replace(self.supervisor, at_s=now_s))
        self.control.tell(replace(self.broker, at_s=now_s, canary=canary))
        for worker in self.workers:
            self.control.tell(replace(worker, at_s=now_s))


def large() -> tuple[Settings, SupervisorTelemetry, BrokerTelemetry]:
    """Forty workers, the longest names, the greatest numbers."""
    settings = make_settings(pools=[{"stages": POOL.split("+"), "workers": 40}], queue_limit=4096)
    ended = LastExit(None, "SIGSEGV", "a very long reason " * 8, "2026-01-01T00:00:00Z")
    workers = [
        ServiceFigures(
            f"{POOL}-{index}", POOL, "ready" if index % 7 else "backoff", 4_194_000 + index, 0.0, 1234, ended
        )
        for index in range(40)
    ]
    broker = make_broker(
        FrameFigures(
            received=9_007_199_254_740_991,
            completed=9_007_199_254_736_889,
            in_flight=6,
            queued=4096,
            queued_bytes=2**40,
            payload_bytes=2**53,
        ),
        errors={"BAD_IMAGE": 10**12, "UNSUPPORTED_FORMAT": 10**12},
        latency=make_histogram(1, 10**9),
        arena=ArenaFigures(2**40, 2**39, 2**40, 2**30),
        producers=[ProducerFigures(f"{index // 2:02}{LONG[2:]}", 10**9, 2**50) for index in range(15)]
        + [ProducerFigures(MARKUP, 1, 1)],
        owners=[OwnerFigures(f"{POOL}-{index}", 2**34, 10**6, 10**6) for index in range(40)],
    )
    supervisor = make_supervisor()
    others = [service for service in supervisor.services if service.kind in {"supervisor", "broker", "control"}]
    return settings, replace(supervisor, services=[*others, *workers]), broker


@pytest.fixture
def small() -> Iterator[Pipeline]:
    """Two pools at work."""
    with running_control() as control:
        stages = {"decode": StageFigures(completed=20, busy_us=1000, latency=make_histogram(500, 700))}
        workers = [make_worker(name, stages) for name in ("decode-0", "decode-1", "transform+encode-0")]
        broker = make_broker(make_frames(completed=20, failed=3, queued=2), errors={"BAD_IMAGE": 3})
        yield Pipeline(control, make_supervisor(), broker, workers)


def test_page_without_any_telemetry_says_so_and_shows_no_figure(browser: Browser) -> None:
    with running_control() as control, open_screen(browser, f"http://127.0.0.1:{control.port}/") as screen:
        screen.eventually("document.body.dataset.state === 'unhealthy'", what="the state is told")

        assert screen.text("#headline").startswith("Unhealthy:")
        assert screen.text("#latency") == "\N{EN DASH}"


@pytest.mark.parametrize("width", [320, 360, 768, 1280, 1440])
def test_page_of_the_largest_daemon_never_scrolls_sideways(browser: Browser, width: int) -> None:
    settings, supervisor, broker = large()
    with running_control(settings) as control:
        pipeline = Pipeline(control, supervisor, broker)
        pipeline.tell()
        with open_screen(browser, pipeline.address, width=width, height=800) as screen:
            screen.becomes_live(pipeline.tell)
            screen.eventually("rows('producers').length === 16", what="producers are listed", meanwhile=pipeline.tell)
            screen.eventually("rows('services').length === 43", what="all services are listed", meanwhile=pipeline.tell)
            screen.eventually("rows('owners').length === 40", what="owners are listed", meanwhile=pipeline.tell)

            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert screen.ask(wide) == 0
            # Two connections of one name are two rows, and stay two.
            producers = [row["Producer"] for row in screen.ask("rows('producers')")]
            assert producers == [each.producer for each in broker.producers]
            assert screen.ask("document.querySelectorAll('main img').length") == 0


def test_alert_shows_above_the_figures_and_in_the_title(browser: Browser, small: Pipeline) -> None:
    calm = small.supervisor
    dying = [replace(service, deaths_lately=9) for service in calm.services]
    small.supervisor = replace(calm, services=dying)
    small.broker = replace(small.broker, frames=make_frames(completed=20))
    with open_screen(browser, small.address) as screen:
        screen.eventually("!document.querySelector('#firing').hidden", what="the alert is shown", meanwhile=small.tell)

        assert screen.text("#firing strong") == "Restarts again and again"
        screen.eventually("document.title.startsWith('1 alert')", what="the title tells of it", meanwhile=small.tell)


def test_every_control_is_reached_by_keyboard_and_seen_to_be(browser: Browser, small: Pipeline) -> None:
    with open_screen(browser, small.address) as screen:
        screen.becomes_live(small.tell)
        screen.eventually("rows('services').length > 0", what="services are listed", meanwhile=small.tell)
        screen.ask("document.activeElement.blur()")
        name = "(each) => each.id || each.textContent"
        wanted = screen.ask(
            "[...document.querySelectorAll('a[href], button, input, summary')]"
            f".filter((each) => each.checkVisibility()).map({name})"
        )
        reached = []
        for _ in wanted:
            screen.page.keyboard.press("Tab")
            reached.append(screen.ask(f"({name})(document.activeElement)"))
            assert screen.ask("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2

    assert reached == wanted
    assert reached[0] == "Skip to the state"


def test_key_holds_the_figures_still_and_lets_them_go_on(browser: Browser, small: Pipeline) -> None:
    with open_screen(browser, small.address) as screen:
        screen.becomes_live(small.tell)
        screen.eventually("account().completed === 20", what="the first figures are shown", meanwhile=small.tell)

        screen.page.keyboard.press("p")
        screen.eventually("/stand still/.test(text('#announcer'))", what="it is announced", meanwhile=small.tell)
        assert screen.ask("document.querySelector('#pause').getAttribute('aria-pressed')") == "true"
        small.supervisor = replace(small.supervisor, version="9.9.9")
        small.broker = replace(small.broker, frames=make_frames(completed=21, failed=3, queued=2))
        # The state goes on: what it shows came after the frame that the figures must not show.
        screen.eventually("text('#version') === '9.9.9'", what="the state goes on", meanwhile=small.tell)
        assert screen.ask("account().completed") == 20

        screen.page.keyboard.press("p")
        screen.eventually("account().completed === 21", what="figures go on", meanwhile=small.tell)
        screen.eventually("/go on/.test(text('#announcer'))", what="it is announced", meanwhile=small.tell)


def test_page_older_than_the_daemon_asks_to_be_loaded_again(browser: Browser, small: Pipeline) -> None:
    with open_screen(browser, small.address) as screen:
        screen.becomes_live(small.tell)
        screen.eventually("text('#version') === '1.2.3'", what="the version is shown", meanwhile=small.tell)
        assert screen.ask("document.querySelector('#renewed').hidden")

        small.supervisor = replace(small.supervisor, version="1.2.4")

        screen.eventually("!document.querySelector('#renewed').hidden", what="it is told", meanwhile=small.tell)


def test_services_are_sorted_by_the_buttons_of_their_columns(browser: Browser, small: Pipeline) -> None:
    names = "rows('services').map((row) => row.Service)"
    with open_screen(browser, small.address) as screen:
        screen.becomes_live(small.tell)
        screen.eventually("rows('services').length === 6", what="services are listed", meanwhile=small.tell)
        as_told = screen.ask(names)

        button = screen.page.get_by_role("button", name="Service", exact=True)
        seen = []
        for _ in range(3):
            button.press("Enter")
            heading = "document.querySelector('#services th').getAttribute('aria-sort')"
            seen.append((screen.ask(heading), screen.ask(names)))

    assert seen == [("ascending", sorted(as_told)), ("descending", sorted(as_told, reverse=True)), (None, as_told)]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_text_has_contrast_enough(browser: Browser, small: Pipeline, scheme: Scheme) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1; what is greyed because it is old is read, too."""
    with open_screen(browser, small.address, scheme=scheme) as screen:
        screen.becomes_live(small.tell)
        for link in ("live", "lost"):
            screen.ask("link => { document.body.dataset.link = link; }", link)
            pairs = screen.ask(COLOURS)
            ratios = {(pair["ink"], pair["ground"]): contrast(pair["ink"], pair["ground"]) for pair in pairs}

            assert len(ratios) >= 3
            assert min(ratios.values()) >= 4.5, ratios


COLOURS = """() => {
  const hasText = (each) => [...each.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  const isShown = (each) => each.checkVisibility() && !each.closest("svg");
  const shown = [...document.querySelectorAll("body *")].filter((each) => isShown(each) && hasText(each));
  const groundOf = (each) => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  return shown.map((each) => ({ ink: getComputedStyle(each).color, ground: groundOf(each) }));
}"""
"""The colours of every text and of what lies behind it."""


def contrast(ink: str, ground: str) -> float:
    """Ratio of luminances by WCAG 2.2 of two colours as `rgb(1, 2, 3)`."""
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_theme_that_was_chosen_is_kept(browser: Browser, small: Pipeline) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with open_screen(browser, small.address, scheme="dark") as screen:
        screen.becomes_live(small.tell)
        dark = screen.ask(ground)
        button = screen.page.locator("#theme")
        button.click()
        assert (screen.text("#theme-name"), screen.ask(ground)) == ("dark", dark)
        button.click()
        light = screen.ask(ground)
        assert light != dark

        screen.page.reload()

        assert (screen.text("#theme-name"), screen.ask(ground)) == ("light", light)


def test_page_moves_nothing_for_who_wants_no_motion(browser: Browser, small: Pipeline) -> None:
    with open_screen(browser, small.address, is_still=True) as screen:
        screen.becomes_live(small.tell)

        moving = "[...document.querySelectorAll('*')].filter((each) => each.getAnimations().length)"
        assert screen.ask(f"{moving}.length") == 0
        assert screen.ask("getComputedStyle(document.querySelector('#figures')).transitionDuration") == "0s"


def test_page_without_scripts_says_where_the_figures_are(browser: Browser, small: Pipeline) -> None:
    with open_screen(browser, small.address, has_scripts=False) as screen:
        told: Any = screen.page.locator("noscript").inner_text()

    assert "omnishotd top" in told


def test_figures_are_not_announced(browser: Browser, small: Pipeline) -> None:
    """Who listens hears of changes of the state, and not of every figure."""
    with open_screen(browser, small.address) as screen:
        screen.becomes_live(small.tell)
        screen.eventually("rows('services').length > 0", what="services are listed", meanwhile=small.tell)

        live = screen.ask(
            "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map(({ id }) => id)"
        )

    assert sorted(live) == ["announcer", "token-fault"]


def test_parts_of_the_page_are_named_for_who_listens(browser: Browser, small: Pipeline) -> None:
    with open_screen(browser, small.address) as screen:
        screen.becomes_live(small.tell)
        screen.eventually("rows('services').length > 0", what="services are listed", meanwhile=small.tell)

        nameless = screen.ask(
            "[...document.querySelectorAll('section')].filter((each) =>"
            " !(each.ariaLabel || document.getElementById(each.getAttribute('aria-labelledby'))?.textContent)).length"
        )
        tables = screen.ask("[...document.querySelectorAll('table')].map((each) => each.caption.textContent)")
        headless = screen.ask("document.querySelectorAll('tbody tr:not(:has(th[scope=row]))').length")

    assert (nameless, headless) == (0, 0)
    assert all(tables)
