"""Panels: the parts of the screen, each made of what a snapshot says of it. Pure: whoever calls says what time it is.

All text of the daemon goes through `printable`, and is never read as rich's markup.
"""

from typing import Final

from rich.table import Table
from rich.text import Text

from ipc.printable import printable
from omnishotd.cli.figures import Latency, Metrics, System
from omnishotd.cli.quantities import UNKNOWN, count, duration, milliseconds, moment, percent, rate, share, size
from omnishotd.cli.snapshot import Snapshot

LABEL: Final = "dim"
GOOD: Final = "green"
WARNING: Final = "yellow"
FAULT: Final = "bold red"

STATUS_STYLES: Final = {"ok": GOOD, "degraded": WARNING, "unhealthy": FAULT}
LABEL_WIDTH: Final = 9
_OUTCOME_WIDTH: Final = 11
_AMOUNT_WIDTH_MIN: Final = 9
"""Of one that grows for a while: what stands beside it stays where it is."""


def state(snapshot: Snapshot, width: int) -> Text:
    """Say what it is, how it is, and how its host is, as far as a line of that width goes."""
    health, metrics = snapshot.health, snapshot.metrics
    line = Text().append("omnishotd", style="bold")
    if health is None:
        return line.append("  not heard yet", style=LABEL)
    line.append(f" {printable(health.version or '')}  ")
    if snapshot.link.is_up:
        line.append(printable(health.status), style=STATUS_STYLES.get(health.status, FAULT))
    else:
        line.append(f"was {printable(health.status)}", style=LABEL)
    for part in (f"  up {duration(health.uptime_s)}", *(_host(metrics.system) if metrics is not None else ())):
        if line.cell_len + len(part) > width:
            break
        line.append(part, style=LABEL)
    return line


def reasons(snapshot: Snapshot, now_s: float) -> list[Text]:
    """Say what is wrong: the connection, alerts that fire, checks that are not well; the worst first."""
    lines = []
    if not snapshot.link.is_up and snapshot.link.reason:
        lines.append(Text(_disconnection(snapshot, now_s), style=FAULT))
    firing = [alert for alert in snapshot.alerts if alert.is_firing]
    for alert in firing:
        began = moment(alert.since, _today(snapshot))
        what = alert.detail or f"{alert.value:g}, the threshold is {alert.threshold:g}"
        lines.append(Text(f"alert {printable(alert.name)} since {began}: {printable(what)}", style=WARNING))
    lines += [Text(f"feed: {printable(fault)}", style=WARNING) for fault in snapshot.faults]
    checks = snapshot.health.checks if snapshot.health is not None else {}
    for name, check in sorted(checks.items(), key=lambda item: item[1].status != "unhealthy"):
        is_told = name == "alerts" and firing
        if check.status != "ok" and not is_told:
            style = STATUS_STYLES.get(check.status, FAULT)
            lines.append(Text(f"{printable(name)} {printable(check.status)}: {printable(check.detail)}", style=style))
    return lines


def account(metrics: Metrics, columns: int) -> Table:
    """Show where the frames are, as a sum that adds up, in one column or two."""
    frames = metrics.frames
    entries = [
        (Text("frames/s"), Text(f"{metrics.throughput_fps:,.1f}", style="bold")),
        (Text("received"), Text(count(frames.received), style="bold")),
        (Text("  completed", style=LABEL), Text(count(frames.completed))),
        (Text("  failed", style=LABEL), Text(count(frames.failed), style=WARNING if frames.failed else "")),
        (Text("  rejected", style=LABEL), Text(count(frames.rejected))),
        (Text("  cancelled", style=LABEL), Text(count(frames.cancelled))),
        (Text("  in flight", style=LABEL), Text(count(frames.in_flight))),
        (Text("  queued", style=LABEL), Text(count(frames.queued))),
    ]
    table = Table.grid(padding=(0, 1))
    for _ in range(columns):
        table.add_column(no_wrap=True, min_width=_OUTCOME_WIDTH)
        table.add_column(no_wrap=True, justify="right", min_width=_AMOUNT_WIDTH_MIN if columns == 1 else None)
    for first in range(0, len(entries), columns):
        table.add_row(*(cell for entry in entries[first : first + columns] for cell in entry))
    return table


def account_width(metrics: Metrics) -> int:
    """Say how wide the account is, in one column. None of its amounts is larger than the sum."""
    return _OUTCOME_WIDTH + 1 + max(len(count(metrics.frames.received)), _AMOUNT_WIDTH_MIN)


def latency(metrics: Metrics, width: int) -> Table:
    """Show how long frames took in the last 10 s, in all and by stage."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=LABEL)
    table.add_column("ms of last 10 s", no_wrap=True)
    for title in ("p50", "p95", "p99"):
        table.add_column(title, justify="right", min_width=5, no_wrap=True)
    has_workers, has_counts = width >= 46, width >= 66
    if has_workers:
        table.add_column("busy", justify="right", min_width=5, no_wrap=True)
        table.add_column("workers", justify="right", no_wrap=True)
    if has_counts:
        table.add_column("done", justify="right", no_wrap=True)
        table.add_column("failed", justify="right", no_wrap=True)
    table.add_row("in all", *_quantiles(metrics.recent_latency_ms), style="bold")
    for name, stage in metrics.stages.items():
        cells = [Text(printable(name)), *_quantiles(stage.recent_latency_ms)]
        cells += [Text(share(stage.utilization)), Text(str(stage.workers))] if has_workers else []
        cells += [Text(count(stage.completed)), Text(count(stage.failed))] if has_counts else []
        table.add_row(*cells)
    return table


def queue(metrics: Metrics) -> Text:
    """Say how full the queue is, and how long frames wait in it."""
    told = metrics.queue
    if told is None:
        return _labelled("queue", UNKNOWN)
    line = f"{count(told.frames)} of {count(told.frames_max)}, {size(told.bytes)} of {size(told.bytes_max)}"
    if told.wait_ms.p95 is not None:
        line += f"; p95 wait {milliseconds(told.wait_ms.p95)} ms"
    is_near_full = told.frames * 10 >= told.frames_max * 9 or told.bytes * 10 >= told.bytes_max * 9
    return _labelled("queue", line, WARNING if is_near_full else "")


def arena(snapshot: Snapshot) -> Text:
    """Say how full the shared memory is, and who holds it."""
    told = snapshot.memory.arena if snapshot.memory is not None else None
    if told is None:
        return _labelled("arena", UNKNOWN)
    line = f"{size(told.used_bytes)} of {size(told.total_bytes)}"
    owners = [
        f"{printable(owner.owner)} {size(owner.bytes)}" + (f" ({owner.abandoned} abandoned)" if owner.abandoned else "")
        for owner in sorted(told.owners, key=lambda owner: -owner.bytes)
    ]
    return _labelled("arena", f"{line}: {', '.join(owners)}" if owners else line)


def errors(metrics: Metrics) -> Text:
    """Say which errors there were, the most frequent first."""
    codes = dict(sorted(metrics.errors.items(), key=lambda item: -item[1]))
    return _labelled("errors", f"now {rate(metrics.error_rate)}; {_pairs(codes)}" if codes else "none")


def extras(snapshot: Snapshot, metrics: Metrics) -> list[Text]:
    """Say what is of use where there is room for it."""
    frames, lines = metrics.frames, []
    if metrics.queue is not None and metrics.queue.by_priority:
        waiting = [
            f"{count(number)} at priority {printable(name)}" for name, number in metrics.queue.by_priority.items()
        ]
        lines.append(_labelled("waiting", ", ".join(waiting)))
    if snapshot.memory is not None and snapshot.memory.arena is not None:
        arena = snapshot.memory.arena
        peak = (
            f"{size(arena.high_water_bytes)} of the arena at most; largest free piece {size(arena.largest_free_bytes)}"
        )
        lines.append(_labelled("peak", peak))
    if metrics.restarts is not None:
        causes = f": {_pairs(metrics.restarts.by_cause)}" if metrics.restarts.by_cause else ""
        lines.append(_labelled("restarts", f"{count(metrics.restarts.total)}{causes}"))
    if metrics.canary is not None:
        canary = metrics.canary
        counts = f"{count(canary.passed)} passed, {count(canary.failed)} failed"
        last = f"; the last passed {duration(canary.age_s)} ago in {milliseconds(canary.took_ms)} ms"
        lines.append(_labelled("canary", counts + (last if canary.age_s is not None else "")))
    traffic = f"{size(frames.payload_bytes)} in, {size(frames.reply_bytes)} out"
    lines.append(_labelled("traffic", f"{traffic}; {count(frames.retried)} tried again, {count(frames.lost)} lost"))
    return lines


def memory(snapshot: Snapshot) -> list[Text]:
    """Say the verdict on the memory, then what to do about it, a sentence a line."""
    told = snapshot.memory
    if told is None:
        return [_labelled("memory", UNKNOWN)]
    line = _labelled("memory", printable(told.verdict), GOOD if told.verdict == "stable" else WARNING)
    line.append(f": {size(told.total.pss_bytes)} in all processes")
    if told.trend is not None:
        slope = told.trend.slope_bytes_per_minute
        line.append(f", {'+' if slope >= 0 else '-'}{size(abs(slope))} a minute")
        line.append(f" (confidence {share(told.trend.confidence)})", style=LABEL)
    return [line, *(_labelled("", printable(sentence)) for sentence in told.recommendations)]


def events(snapshot: Snapshot) -> list[Text]:
    """Say what happened, the latest first."""
    today = _today(snapshot)
    lines = []
    for event in reversed(snapshot.events):
        line = Text().append(f"{moment(event.at, today)} ", style=LABEL)
        line.append(printable(f"{event.event} {event.service}"), style=WARNING if _is_bad(event.event) else "")
        lines.append(line.append(printable(f": {event.detail}" if event.detail else "")))
    return lines


def _disconnection(snapshot: Snapshot, now_s: float) -> str:
    link = snapshot.link
    age = duration(now_s - snapshot.heard_at_s) if snapshot.heard_at_s is not None else None
    figures = f"these figures are {age} old" if age is not None else "no figures yet"
    again = f"next try in {max(link.retry_at_s - now_s, 0):.0f} s"
    what = "refused" if link.is_refused else "disconnected"
    return f"{what} for {duration(now_s - link.since_s)}, {figures}, {again}: {printable(link.reason)}"


def _host(system: System) -> tuple[str, ...]:
    load = f", load {system.load_average[0]:.2f}" if system.load_average is not None else ""
    return f"  host cpu {percent(system.cpu_percent)}", f", memory {percent(system.memory_percent)}", load


def _quantiles(told: Latency) -> list[Text]:
    return [Text(milliseconds(quantile)) for quantile in (told.p50, told.p95, told.p99)]


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{printable(name)} {count(number)}" for name, number in counts.items())


def _labelled(label: str, content: str, style: str = "") -> Text:
    return Text().append(f"{label:<{LABEL_WIDTH}}", style=LABEL).append(content, style=style)


def _is_bad(event: str) -> bool:
    return event.endswith("_exited") or event in {"gave_up", "quarantined"}


def _today(snapshot: Snapshot) -> str:
    """Return the daemon's own time: its host may have another than this one."""
    return snapshot.metrics.timestamp if snapshot.metrics is not None else ""
