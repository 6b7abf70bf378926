"""Table: rows of text, written for people, terminals and Markdown."""

import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from perf.figures import Spread


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first column is aligned to the left, figures to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plain(table: Table) -> str:
    """Write a table as text."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(table.columns))]
    text = [table.title]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        cells[0] = line[0].ljust(widths[0])
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def markdown(table: Table) -> str:
    """Write a table as Markdown, under its title."""
    head = [f"**{table.title}**", "", _line(table.columns), "|---" + "|--:" * (len(table.columns) - 1) + "|"]
    return "\n".join([*head, *map(_line, table.rows)])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def print_table(table: Table) -> None:
    """Print a table: in colour and lines on a terminal, else as plain text."""
    print()
    if not sys.stdout.isatty():
        print(plain(table))
        return
    shown = RichTable(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if index == 0 else "right")
    for row in table.rows:
        shown.add_row(*row)
    Console().print(shown)


def rate(per_second: float) -> str:
    """Write a rate."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.1f}"


def ranged(value: Spread, digits: int = 2) -> str:
    """Write a median with the lowest and the highest."""
    return f"{value.median:.{digits}f} ({value.lowest:.{digits}f}..{value.highest:.{digits}f})"
