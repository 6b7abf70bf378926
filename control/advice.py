"""Advice: sentences about memory that an operator can act on: who it is, by how much, and what to do next. Pure."""

from collections.abc import Sequence

from control.trend import Growth

_HARMLESS_TO_KILL = "ends its process, the supervisor starts another, and no frame is lost"


def on_growth(service: str, kind: str, pid: int, growth: Growth) -> str:
    """A process grows without an end."""
    rate = f"{amount(growth.bytes_per_s * 60)} a minute"
    per_frame = growth.bytes_per_frame
    by_frame = f"{amount(per_frame)} a frame, " if per_frame is not None else ""
    look = f"`POST /api/memory-analysis/{service}/snapshot` shows the lines that hold on to it"
    if kind in {"broker", "supervisor"}:
        relief = "restarting the daemon gives it back"
    else:
        relief = f"`kill -9 {pid}` gives it back ({_HARMLESS_TO_KILL})"
    seen = f"({by_frame}seen over {span(growth.span_s)})"
    return f"{service} grows by {rate} {seen}, with no end in sight: {look}, {relief}."


def on_kept(service: str, kept_bytes: int) -> str:
    """Malloc of a process holds memory that nothing uses."""
    trim = f"`POST /api/memory-analysis/{service}/trim`"
    return f"malloc of {service} keeps {amount(kept_bytes)} that nothing uses: {trim} gives it back to the host."


def on_full_arena(total_bytes: int, used_bytes: int, full_s: float, largest: Sequence[tuple[str, int]]) -> str:
    """Frames wait for room in the arena. `largest` are owners and their bytes, most first."""
    share = f"{100 * used_bytes / total_bytes:.0f} % of the arena has been in use for {span(full_s)}"
    owners = ", ".join(f"{owner} {amount(held)}" for owner, held in largest)
    held_by = f" (most by {owners})" if owners else ""
    return (
        f"{share}{held_by}, so that frames wait for room: set memory.arena_mb above {total_bytes >> 20}, "
        "or frames.max_pixels lower."
    )


def on_full_host(percent: float, threshold: float, pss_bytes: int, largest: Sequence[tuple[str, int]]) -> str:
    """The host has hardly any memory left. `largest` are services and their PSS, most first."""
    own = f"{amount(pss_bytes)} of it are this daemon's"
    services = ", ".join(f"{service} {amount(held)}" for service, held in largest)
    most = f" (most: {services})" if services else ""
    return (
        f"{percent:.0f} % of the host's memory is in use, the threshold is {threshold:g} %; {own}{most}: end what else "
        "takes memory there, or set memory.arena_mb and pipeline.queue_max_bytes lower."
    )


def amount(count: float) -> str:
    """Bytes, as people say them: `840 bytes`, `1.4 KiB`, `58 MiB`."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(count) >= size:
            value = count / size
            return f"{value:.1f} {unit}" if abs(value) < 9.95 else f"{value:.0f} {unit}"
    return f"{count:.0f} bytes"


def span(seconds: float) -> str:
    """A time, as people say it: `45 s`, `9 min`, `1.8 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
