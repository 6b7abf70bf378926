"""Exposition: the answer to a Prometheus' scrape, as its text or as OpenMetrics, whichever it asks for.

Writing it takes longer than a probe of `/health` is to wait. So it is written family by family with the event loop in
between, and once for all scrapers that ask within `KEPT_S`.
"""

import asyncio
import time
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Final

from control.observer import Observer

KEPT_S: Final = 0.5
SLICE_S: Final = 0.002
"""After how long the event loop gets its turn, at the end of a family."""


class Form(Enum):
    """What Prometheus reads; the value is the content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Scrape:
    """An answer."""

    body: bytes
    content_type: str
    made_at_s: float


class Exposition:
    """Answers scrapes with the figures of one observer, in its event loop."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._kept: dict[Form, Scrape] = {}
        self._writing: dict[Form, asyncio.Task[Scrape]] = {}

    async def answer(self, accept: str) -> Scrape:
        """Answer a scrape; `accept` is the request's header of that name, or empty."""
        form = negotiate(accept)
        kept = self._kept.get(form)
        if kept and time.monotonic() - kept.made_at_s < KEPT_S:
            return kept
        if form not in self._writing:
            self._writing[form] = task = asyncio.get_running_loop().create_task(self._write(form))
            task.add_done_callback(lambda _: self._writing.pop(form))
        # Others may wait for the same: one who hangs up does not end it.
        return await asyncio.shield(self._writing[form])

    async def _write(self, form: Form) -> Scrape:
        # With the first scrape: a host without Prometheus need not spend the memory. In a thread: it takes 40 ms.
        await asyncio.to_thread(import_module, "control.families")
        from control.families import OPENMETRICS_END, families, openmetrics, text  # noqa: PLC0415

        render = openmetrics if form is Form.OPENMETRICS else text
        made_at_s = time.monotonic()
        pieces = []
        slice_ends_s = made_at_s + SLICE_S
        for family in families(self._observer, made_at_s):
            pieces.append(render(family))
            if time.monotonic() >= slice_ends_s:
                await asyncio.sleep(0)
                slice_ends_s = time.monotonic() + SLICE_S
        if form is Form.OPENMETRICS:
            pieces.append(OPENMETRICS_END)
        scrape = self._kept[form] = Scrape(b"".join(pieces), form.value, made_at_s)
        return scrape


def negotiate(accept: str) -> Form:
    """Choose what an Accept header prefers (RFC 9110, 12.5.1): OpenMetrics where it is named and not less liked.

    The library's own negotiation fails on versions that are no numbers, and repeats what it was sent.
    """
    liked = {Form.OPENMETRICS: 0.0, Form.TEXT: 0.0}
    for accepted in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in accepted.split(";"))
        form = Form.OPENMETRICS if media_type == "application/openmetrics-text" else Form.TEXT
        if form is Form.OPENMETRICS or media_type in {"text/plain", "text/*", "*/*"}:
            liked[form] = max(liked[form], _quality(parameters))
    is_openmetrics = 0 < liked[Form.OPENMETRICS] >= liked[Form.TEXT]
    return Form.OPENMETRICS if is_openmetrics else Form.TEXT


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
