"""A real browser for tests of the page: chromium without a window, watched for all that the page must never do."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.waiting import eventually

PROGRAM: Final = "chromium"
ARGUMENTS: Final = (
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Else a process that nobody asked for stays behind each page.
    "--disable-features=SpareRendererForSitePerProcess",
)
WITHIN_S: Final = 20.0

_EYES: Final = """
globalThis.seen = { violations: [], links: [], accounts: new Map() };
globalThis.text = (selector) => document.querySelector(selector).textContent;
globalThis.rows = (table) => [...document.querySelectorAll(`#${table} tbody tr`)].map((row) =>
  Object.fromEntries([...row.cells].map((cell) => [cell.dataset.label, cell.textContent])));
globalThis.account = () => Object.fromEntries([...document.querySelectorAll("[data-count]")].map((cell) =>
  [cell.dataset.count, Number(cell.textContent.replaceAll(",", ""))]));

addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  seen.violations.push(`${violatedDirective}: ${blockedURI}`));
addEventListener("DOMContentLoaded", () => {
  const note = () => seen.links.push(document.body.dataset.link);
  new MutationObserver(note).observe(document.body, { attributeFilter: ["data-link"] });
  const look = () => {
    const now = account();
    if (!Number.isNaN(now.received)) seen.accounts.set(JSON.stringify(now), now);
    requestAnimationFrame(look);
  };
  look();
});
"""
"""For tests' expressions: what a table, an element and the account of frames say; and what was seen so far, however
short it was there: refusals of the browser, states of the connection, and the accounts at each frame of the screen."""

# Chromium writes these itself, where a daemon is not there or answers with an error.
_NETWORK: Final = ("Failed to load resource:", "WebSocket connection to")

Scheme = Literal["dark", "light"]


class Screen:
    """One page, as an operator has it before him."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._host = urlsplit(url).netloc
        self.console: list[str] = []
        self.addresses: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("websocket", lambda opened: self.addresses.append(opened.url))
        page.add_init_script(_EYES)
        page.goto(url)

    def ask(self, expression: str, argument: object = None) -> Any:
        """Evaluate in the page, all at one moment."""
        return self.page.evaluate(expression, argument)

    def text(self, selector: str) -> str:
        """What an element says."""
        return str(self.ask("text", selector)).strip()

    def eventually(
        self, expression: str, *, within_s: float = WITHIN_S, what: str, meanwhile: Callable[[], None] | None = None
    ) -> Any:
        """Ask until the answer is true, and return it; `meanwhile` is done between."""

        def asked() -> Any:
            if meanwhile:
                meanwhile()
            return self.ask(expression)

        return eventually(asked, within_s=within_s, what=what)

    def becomes_live(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Wait until figures are shown, and the daemon has said how it is."""
        live = "document.body.dataset.link === 'live' && /[0-9]/.test(text('[data-count]'))"
        self.eventually(live, what="figures are shown", meanwhile=meanwhile)

    @property
    def accounts(self) -> list[dict[str, int]]:
        """All accounts of frames that were on the screen so far."""
        return list(self.ask("[...seen.accounts.values()]"))

    @property
    def foreign(self) -> list[str]:
        """Addresses of other hosts that anything was asked of."""
        return [address for address in self.addresses if urlsplit(address).netloc != self._host]

    def check(self) -> None:
        """Fail if the page did what none may do."""
        assert self.ask("seen.violations") == []
        wrong = [each for each in self.accounts if each["received"] * 2 != sum(each.values())]
        assert wrong == [], "received = completed + failed + rejected + cancelled + in flight + queued"
        assert self.console == []
        assert self.foreign == []

    def _note(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(_NETWORK):
            self.console.append(f"{message.type}: {message.text}")


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium, ended at the end. Fails where it is not installed."""
    path = shutil.which(PROGRAM)
    if path is None:
        pytest.fail(f"{PROGRAM} is not installed, and the page is tested in it: apt-get install --yes {PROGRAM}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        # Its own processes start with the first page; a test that saw them come would take them for a leak.
        browser.new_page().close()
        yield browser
        browser.close()


@contextlib.contextmanager
def open_screen(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    scheme: Scheme = "dark",
    has_scripts: bool = True,
    is_still: bool = False,
) -> Iterator[Screen]:
    """The page in a context of its own, with nothing kept from another; checked at the end."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        java_script_enabled=has_scripts,
        reduced_motion="reduce" if is_still else "no-preference",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    with contextlib.closing(context):
        screen = Screen(context.new_page(), url)
        yield screen
        if has_scripts:
            screen.check()
