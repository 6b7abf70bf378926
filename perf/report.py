"""The report: tables of what was measured. Building them is pure; showing them is the last two functions."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from perf.figures import Spread, percentile, ratios, spread
from perf.harness import IN_FLIGHT, Measurement
from perf.machine import Machine
from perf.memory import ProcessMemory
from perf.startup import Startup

LAYOUTS: Final = ("daemon", "staged")


class Results(msgspec.Struct, frozen=True):
    """Everything that one run of the benchmark saw."""

    machine: Machine
    rounds: int
    seconds_each: float
    startup: Startup
    measurements: list[Measurement]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first column is aligned to the left, figures to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(results: Results) -> list[Table]:
    """Build all tables."""
    return [
        throughput_table(results.measurements),
        latency_table(results.measurements),
        memory_table(results.startup),
    ]


def facts(results: Results) -> str:
    """Say where, with what and how was measured."""
    machine = results.machine
    versions = ", ".join(f"{library} {version}" for library, version in machine.versions.items())
    ready = spread(results.startup.ready_s)
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / (1 << 30):.0f} GiB, Linux {machine.kernel}\n"
        f"Python {machine.python}, {versions}; revision {machine.revision or 'unknown'}\n"
        f"{results.rounds} rounds of {results.seconds_each:g} s each; load average before: {machine.load_average:.2f}\n"
        f"ready {ready.median:.2f} s after exec ({ready.lowest:.2f}..{ready.highest:.2f}, "
        f"{len(results.startup.ready_s)} starts)"
    )


def throughput_table(measurements: Sequence[Measurement]) -> Table:
    """Compare frames per second, round with round."""
    rows = []
    for side in _sides(measurements):
        ideal = _rates(measurements, side, "ideal")
        row = [f"{side} px", _rate(spread(ideal).median)]
        for layout in LAYOUTS:
            rates = _rates(measurements, side, f"{layout}-{IN_FLIGHT}")
            row += [_rate(spread(rates).median), _ratio(ratios(rates, ideal))]
        untuned = _rates(measurements, side, "untuned")
        daemon = _rates(measurements, side, f"daemon-{IN_FLIGHT}")
        row += [_rate(spread(untuned).median), _ratio(ratios(daemon, untuned))]
        rows.append(tuple(row))
    layouts = (column for layout in LAYOUTS for column in (layout, f"{layout} / ideal"))
    columns = ("", "ideal", *layouts, "untuned", "daemon / untuned")
    return Table(f"frames per second, {IN_FLIGHT} in flight", columns, tuple(rows))


def latency_table(measurements: Sequence[Measurement]) -> Table:
    """Show latencies at the producer, with those of the bare calls."""
    rows = []
    for side in _sides(measurements):
        bare = _medians(measurements, side, "bare")
        rows.append((f"{side} px", "bare calls", "", *_percentiles(measurements, side, "bare"), "", ""))
        for layout in LAYOUTS:
            for in_flight in (1, IN_FLIGHT):
                name = f"{layout}-{in_flight}"
                over = _ratio(ratios(_medians(measurements, side, name), bare)) if in_flight == 1 else ""
                inside = _milliseconds(percentile(_pooled(measurements, side, name, inside=True), 50))
                rows.append(
                    (f"{side} px", layout, str(in_flight), *_percentiles(measurements, side, name), over, inside)
                )
    columns = ("", "what", "in flight", "p50", "p99", "p50 / bare", "p50 inside")
    return Table("latency at the producer, ms", columns, tuple(rows))


def memory_table(startup: Startup) -> Table:
    """Show the memory of each process and of all, idle and after the load."""
    loaded = {memory.service: memory for memory in startup.loaded}
    rows = []
    for memory in startup.idle:
        after = loaded.get(memory.service)
        rows.append((memory.service, *_mebibytes([memory]), *_mebibytes([after] if after else [])))
    rows.append(("all", *_mebibytes(startup.idle), *_mebibytes(startup.loaded)))
    after_load = f"after {startup.loaded_side} px"
    columns = ("", "PSS", "USS", "of it arena", f"PSS {after_load}", "USS", "of it arena")
    return Table("memory, MiB (the arena counts as far as it was touched)", columns, tuple(rows))


def _sides(measurements: Iterable[Measurement]) -> list[int]:
    return list(dict.fromkeys(measurement.side for measurement in measurements))


def _of(measurements: Iterable[Measurement], side: int, contender: str) -> list[Measurement]:
    found = [one for one in measurements if one.side == side and one.contender == contender]
    return sorted(found, key=lambda one: one.round)


def _rates(measurements: Sequence[Measurement], side: int, contender: str) -> list[float]:
    return [one.run.frames_per_second for one in _of(measurements, side, contender)]


def _medians(measurements: Sequence[Measurement], side: int, contender: str) -> list[float]:
    return [percentile(one.run.latency_us, 50) for one in _of(measurements, side, contender)]


def _pooled(measurements: Sequence[Measurement], side: int, contender: str, *, inside: bool = False) -> list[int]:
    runs = [one.run for one in _of(measurements, side, contender)]
    return [time_us for run in runs for time_us in (run.inside_us if inside else run.latency_us)]


def _percentiles(measurements: Sequence[Measurement], side: int, contender: str) -> tuple[str, str]:
    latency_us = _pooled(measurements, side, contender)
    return _milliseconds(percentile(latency_us, 50)), _milliseconds(percentile(latency_us, 99))


def _rate(frames_per_second: float) -> str:
    return f"{frames_per_second:,.0f}" if frames_per_second >= 100 else f"{frames_per_second:.1f}"


def _ratio(value: Spread) -> str:
    return f"{value.median:.2f} ({value.lowest:.2f}..{value.highest:.2f})"


def _milliseconds(time_us: float) -> str:
    return f"{time_us / 1000:.2f}"


def _mebibytes(memories: Sequence[ProcessMemory]) -> tuple[str, str, str]:
    if not memories:
        return ("", "", "")
    sums = (
        sum(memory.pss_bytes for memory in memories),
        sum(memory.uss_bytes for memory in memories),
        sum(memory.arena_bytes for memory in memories),
    )
    return (f"{sums[0] / (1 << 20):.1f}", f"{sums[1] / (1 << 20):.1f}", f"{sums[2] / (1 << 20):.1f}")


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


def show(results: Results) -> None:
    """Print the report: in colour and lines on a terminal, else as plain text."""
    print(facts(results))
    for table in tables(results):
        print()
        if sys.stdout.isatty():
            _show_rich(table)
        else:
            print(plain(table))


def _show_rich(table: Table) -> None:
    shown = RichTable(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if index == 0 else "right")
    for row in table.rows:
        shown.add_row(*row)
    Console().print(shown)
