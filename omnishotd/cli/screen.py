"""The screen: which panels are shown where, for any size of the terminal; and the same as plain text. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ipc.printable import printable
from omnishotd.cli import panels
from omnishotd.cli.figures import Metrics, Service
from omnishotd.cli.keyboard import MEANINGS
from omnishotd.cli.panels import FAULT, GOOD, LABEL, WARNING
from omnishotd.cli.quantities import duration
from omnishotd.cli.roster import roster
from omnishotd.cli.snapshot import Snapshot
from omnishotd.cli.view import View

PLAIN_WIDTH: Final = 160

_SIDE_BY_SIDE_WIDTH_MIN: Final = 72
_ACCOUNT_WIDTH_MIN: Final = 22
_ACCOUNT_LINES: Final = 8
_GAP: Final = 3
_REASONS_OF_SCREEN: Final = 1 / 5
"""At most so much of the screen: all of them are in `omnishotd health`."""
_STALE_S: Final = 3.0
"""Beyond three intervals: figures that are older are said to be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is shown of the command itself."""

    address: str
    interval_s: float


def compose(view: View, latest: Snapshot, setting: Setting, console: Console, now_s: float) -> RenderableType:
    """Fill the console: what matters most comes first, the rest as far as there is room."""
    width, height = console.size
    shown = view.of(latest)
    lines: list[RenderableType] = [_head(view, shown, setting, width, now_s)]
    reasons = [part for line in panels.reasons(shown, now_s) for part in _wrapped(line, 2, console)]
    lines += reasons[: max(int(height * _REASONS_OF_SCREEN), 1)]
    room = height - len(lines) - 1
    body: list[RenderableType] = [Text(), _keys()]
    used = 1 + len(MEANINGS)
    if not view.shows_keys:
        body, used = _body(view, shown, console, room) if shown.heard_at_s is not None else ([], 0)
    return Group(*lines, *body, *[Text()] * max(room - used, 0), _footer(view, setting, width))


def compose_plain(shown: Snapshot, setting: Setting, now_s: float) -> Iterator[RenderableType]:
    """Yield all that is known, for a page as long as it takes."""
    at = shown.metrics.timestamp if shown.metrics is not None else ""
    yield panels.state(shown, PLAIN_WIDTH).append(f"  {setting.address}  {printable(at)}")
    yield from panels.reasons(shown, now_s)
    if shown.metrics is not None:
        yield Text()
        yield _pipeline(shown.metrics, [], PLAIN_WIDTH)
        yield from _stores(shown, shown.metrics)
        yield from panels.extras(shown, shown.metrics)
    if shown.services is not None:
        yield Text()
        yield roster(View().sorted(shown.services.services), PLAIN_WIDTH, at)
    yield Text()
    yield from panels.memory(shown)
    if shown.events:
        yield Text()
        yield from panels.events(shown)


def _body(view: View, shown: Snapshot, console: Console, room: int) -> tuple[list[RenderableType], int]:
    """Return what stands between the head and the footer, and how many lines that is."""
    width = console.width
    services = view.sorted(shown.services.services) if shown.services is not None else []
    memory = [part for line in panels.memory(shown) for part in _wrapped(line, panels.LABEL_WIDTH, console)]
    events = panels.events(shown)
    extras = panels.extras(shown, shown.metrics) if shown.metrics is not None else []
    pipeline: list[RenderableType] = []
    pipeline_lines = 0
    if shown.metrics is not None:
        stores = _stores(shown, shown.metrics)
        pipeline = [_pipeline(shown.metrics, [_cropped(line) for line in stores], width)]
        pipeline_lines = _pipeline_lines(shown.metrics, len(stores), width)
    given = allot(
        room - pipeline_lines,
        (
            ("memory", 1),
            ("services", 1 + min(len(services), 6)),
            ("events", min(len(events), 1)),
            ("memory", min(len(memory), 3)),
            ("services", 1 + min(len(services), 9)),
            ("events", min(len(events), 2)),
            ("services", 1 + len(services)),
            ("blank lines", 2),
            ("extras", len(extras)),
            ("memory", len(memory)),
            ("blank lines", 4),
            ("events", len(events)),
        ),
    )
    blank = [[Text()] if given["blank lines"] > place else [] for place in range(4)]
    body = [
        *blank[2],
        *pipeline,
        *map(_cropped, extras[: given["extras"]]),
        *blank[0],
        *_services(services, given["services"], width, shown),
        *blank[1],
        *memory[: given["memory"]],
        *blank[3],
        *map(_cropped, events[: given["events"]]),
    ]
    return body, pipeline_lines + given.total()


def allot(room: int, wishes: Iterable[tuple[str, int]]) -> Counter[str]:
    """Give lines to parts of the screen: each wish says how many a part is to have in all, as far as there are any."""
    given: Counter[str] = Counter()
    for part, wanted in wishes:
        more = max(min(wanted - given[part], room), 0)
        given[part] += more
        room -= more
    return given


def _head(view: View, shown: Snapshot, setting: Setting, width: int, now_s: float) -> Text:
    link = _link(view, shown, setting, now_s)
    state = panels.state(shown, width - link.cell_len - 2)
    return _cropped(state.append(" " * max(width - state.cell_len - link.cell_len, 1)).append_text(link))


def _link(view: View, shown: Snapshot, setting: Setting, now_s: float) -> Text:
    age_s = now_s - shown.heard_at_s if shown.heard_at_s is not None else None
    if view.held is not None:
        return Text(f"paused for {duration(age_s)}", style=WARNING)
    if not shown.link.is_up and shown.link.reason:
        return Text("disconnected", style=FAULT)
    if age_s is None:
        return Text("connecting", style=WARNING)
    if age_s > 3 * setting.interval_s + _STALE_S:
        return Text(f"figures {duration(age_s)} old", style=WARNING)
    return Text("live", style=GOOD)


def _stores(shown: Snapshot, metrics: Metrics) -> list[Text]:
    return [panels.queue(metrics), panels.arena(shown), panels.errors(metrics)]


def _pipeline(metrics: Metrics, below: Sequence[Text], width: int) -> RenderableType:
    """Show the frames' account beside the times they took and what is `below` these; one after another, if narrow."""
    if width < _SIDE_BY_SIDE_WIDTH_MIN:
        return Group(panels.account(metrics, 2), panels.latency(metrics, width), *below)
    account_width = max(_ACCOUNT_WIDTH_MIN, panels.account_width(metrics))
    room = width - account_width - _GAP
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    grid.add_column(width=account_width)
    grid.add_column(width=room)
    grid.add_row(panels.account(metrics, 1), Group(panels.latency(metrics, room), *below))
    return grid


def _pipeline_lines(metrics: Metrics, below: int, width: int) -> int:
    right = 2 + len(metrics.stages) + below
    return max(_ACCOUNT_LINES, right) if width >= _SIDE_BY_SIDE_WIDTH_MIN else _ACCOUNT_LINES // 2 + right


def _services(services: Sequence[Service], lines: int, width: int, shown: Snapshot) -> list[RenderableType]:
    """Show as many services as there are lines for, and say how many more there are."""
    if lines < 2 or not services:
        return [Text("services: none told of yet", style=LABEL)] if lines and not services else []
    rows = lines - 1
    is_cut = rows < len(services)
    today = shown.metrics.timestamp if shown.metrics is not None else ""
    table = roster(services[: rows - is_cut], width, today)
    return [table, Text(f"and {len(services) - rows + 1} more", style=LABEL)] if is_cut else [table]


def _keys() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for key, meaning in MEANINGS.items():
        table.add_row(Text(f"  {key.value}", style="bold"), Text(meaning, no_wrap=True, overflow="ellipsis"))
    return table


def _footer(view: View, setting: Setting, width: int) -> RenderableType:
    order = f"{view.order.value}{', reversed' if view.is_reversed else ''}"
    pause = "go on" if view.held is not None else "pause"
    keys = Text(f"q quit  ? keys  p {pause}  s sort: {order}  r reverse", style=LABEL)
    where = Text(f"{setting.address} every {setting.interval_s:g} s", style=LABEL)
    if keys.cell_len + where.cell_len + 2 > width:
        return _cropped(keys)
    return keys.append(" " * (width - keys.cell_len - where.cell_len)).append_text(where)


def _wrapped(line: Text, indent: int, console: Console) -> list[Text]:
    """Break a line that is too long, between words where that is possible; what follows is indented."""
    parts = line[indent:].wrap(console, max(console.width - indent, 1))
    return [Text.assemble(line[:indent] if place == 0 else " " * indent, part) for place, part in enumerate(parts)]


def _cropped(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
