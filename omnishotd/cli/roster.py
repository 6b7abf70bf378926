"""The roster: services in a table, with as many columns as there is room for. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table
from rich.text import Text

from ipc.printable import printable
from omnishotd.cli.figures import Exit, Service
from omnishotd.cli.panels import FAULT, LABEL, WARNING
from omnishotd.cli.quantities import UNKNOWN, age, count, moment, percent, share, size

_NAME_WIDTH_MIN: Final = 10
_EXIT_WIDTH_MIN: Final = 10
_REASON_WIDTH_MIN: Final = 40
_GAP: Final = 1

_HEARD_MS_MAX: Final = 3000
"""A service that has said nothing for longer is conspicuous; health judges it."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column, of fixed width."""

    title: str
    width: int
    rank: int
    """Where there is not room for all, those with the lowest ranks stay."""
    cell: Callable[[Service], Text]


def _state(service: Service) -> Text:
    style = {"ready": "", "stopped": LABEL, "failed": FAULT}.get(service.state, WARNING)
    return Text(printable(service.state), style=style)


def _restarts(service: Service) -> Text:
    return Text(count(service.restarts), style=WARNING if service.restarts else "")


def _heard(service: Service) -> Text:
    if service.heartbeat_age_ms is None:
        return Text(UNKNOWN)
    return Text(age(service.heartbeat_age_ms / 1000), style=WARNING if service.heartbeat_age_ms > _HEARD_MS_MAX else "")


_STATE: Final = _Column("state", 8, 0, _state)
_COLUMNS: Final = (
    _STATE,
    _Column("pid", 7, 5, lambda service: Text(UNKNOWN if service.pid is None else str(service.pid))),
    _Column("busy", 5, 1, lambda service: Text(share(service.utilization))),
    _Column("cpu", 5, 4, lambda service: Text(percent(service.cpu_percent))),
    _Column("memory", 7, 2, lambda service: Text(size(service.pss_bytes))),
    _Column("restarts", 8, 3, _restarts),
    _Column("heard", 6, 6, _heard),
)


def roster(services: Sequence[Service], width: int, today: str) -> Table:
    """Make the table, at most so wide. The column `memory` is PSS: shares of common pages, so that it adds up."""
    longest = max((len(printable(service.name)) for service in services), default=0)
    name_width = min(max(longest, len("service")), max(_NAME_WIDTH_MIN, width // 4))
    columns = _fitting(width - name_width)
    exit_width = width - name_width - sum(column.width + _GAP for column in columns) - _GAP
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style=LABEL)
    table.add_column("service", width=name_width, no_wrap=True)
    for column in columns:
        table.add_column(
            column.title, width=column.width, no_wrap=True, justify="left" if column is _STATE else "right"
        )
    has_exit = exit_width >= _EXIT_WIDTH_MIN
    if has_exit:
        table.add_column("last exit", width=exit_width, no_wrap=True)
    for service in services:
        cells = [Text(_shortened(printable(service.name), name_width)), *(column.cell(service) for column in columns)]
        table.add_row(*cells, *([_exit(service.last_exit, exit_width, today)] if has_exit else []))
    return table


def _fitting(width: int) -> list[_Column]:
    """Choose the columns that fit beside the name, in their order."""
    chosen: set[str] = set()
    for column in sorted(_COLUMNS, key=lambda column: column.rank):
        width -= column.width + _GAP
        if width < 0:
            break
        chosen.add(column.title)
    return [column for column in _COLUMNS if column.title in chosen]


def _shortened(name: str, width: int) -> str:
    # The number at the end tells workers apart.
    if len(name) <= width:
        return name
    tail = width // 2
    return f"{name[: width - tail - 1]}…{name[-tail:]}"


def _exit(last: Exit | None, width: int, today: str) -> Text:
    if last is None:
        return Text()
    how = last.signal or (f"status {last.code}" if last.code is not None else "")
    words = [printable(last.cause), printable(how), moment(last.at, today)]
    line = Text(" ".join(word for word in words if word))
    return line.append(f" {printable(last.reason)}", style=LABEL) if width >= _REASON_WIDTH_MIN else line
