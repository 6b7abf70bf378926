"""Plot: the picture of a result. `python -m perf.plot NAME` draws a kept one anew."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator

from perf.contender import MeasurementFailed
from perf.figures import ratios, spread
from perf.matrix import DAEMON, IDEAL, LENT, LOADS, SHARP, UNTUNED
from perf.report import BUSY, LOAD_WORK, names_of, shown, works_at, works_busy
from perf.results import FOLDER, Results, Series, load
from perf.work import WORKS

INK, FAINT, GRID = "#222222", "#6b6b6b", "#e3e3e3"
COLORS: Final = {
    DAEMON: "#c8102e",
    LENT: "#f08a24",
    IDEAL: "#222222",
    UNTUNED: "#8a8a8a",
    SHARP: "#2a6fbb",
    "sharp-plain": "#93bde6",
    "libvips": "#2e9e6b",
    "gstreamer": "#8e5bb5",
    "pillow": "#b58b2a",
    "thumbor": "#57b3c4",
}
OTHERS: Final = ("#a0522d", "#708090", "#5f9ea0", "#bc5090")
SERVICES: Final = {
    "decode": "#c8102e",
    "transform": "#e2604f",
    "encode": "#f0a08c",
    "broker": "#f6c445",
    "control": "#9bb7d4",
    "supervisor": "#5b7fa6",
    "producer": "#c9c9c9",
}
INCHES: Final = (15.0, 20.0)
DOTS_PER_INCH: Final = 110


def draw(results: Results, path: Path) -> None:
    """Draw all that there are figures for, as PNG."""
    figure = Figure(
        figsize=INCHES, dpi=DOTS_PER_INCH, facecolor="white", layout=ConstrainedLayoutEngine(h_pad=0.14, w_pad=0.1)
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 2)
    thumbnails = [work for work in works_busy(results) if work.isdecimal()]
    others = [work for work in works_busy(results) if not work.isdecimal()]
    _throughput(axes[0, 0], results, thumbnails, f"to 300 x 300; {BUSY}")
    _throughput(axes[0, 1], results, others, "at full size, and of raw pixels")
    _rates_by_load(axes[1, 0], results)
    _latencies_by_load(axes[1, 1], results)
    _costs_by_size(axes[2, 0], results, thumbnails)
    _services(axes[2, 1], results)
    _single(axes[3, 0], results)
    _memory(axes[3, 1], results)
    machine = results.machine
    figure.suptitle(
        f"omnishotd {machine.versions.get('omnishotd', '')} beside its own library calls and others\n",
        fontsize=18,
        color=INK,
    )
    where = f"{machine.cpu}, {machine.cores} cores, Linux {machine.kernel}; whoever sends runs on the same cores"
    figure.text(
        0.5, 0.977, f"{where}. Medians of {results.rounds} rounds by turns, bars from lowest to highest.",
        ha="center", va="top", fontsize=11, color=FAINT,
    )  # fmt: skip
    figure.savefig(path, format="png")


def _throughput(axes: Axes, results: Results, works: Sequence[str], title: str) -> None:
    """Frames a second over the ideal's, with whiskers from the lowest round to the highest."""
    names = [name for name in names_of(results) if any(results.busy(name, work) for work in works)]
    width = 0.84 / max(1, len(names))
    for index, name in enumerate(names):
        for place, work in enumerate(works):
            one, ideal = results.busy(name, work), results.busy(IDEAL, work)
            if one is None or ideal is None:
                continue
            found = ratios(one.frames_per_second, ideal.frames_per_second)
            at = place - 0.42 + (index + 0.5) * width
            whiskers = [[found.median - found.lowest], [found.highest - found.median]]
            label = name if work == next(w for w in works if results.busy(name, w)) else None
            axes.bar(at, found.median, width * 0.92, color=_color(results, name), label=label)
            axes.errorbar(at, found.median, whiskers, color=INK, linewidth=0.9, capsize=1.5)
            text = f"{found.median:.2f}" if len(works) * len(names) <= 40 else f"{found.median:.1f}"
            axes.text(at, found.highest + 0.015, text, ha="center", va="bottom", fontsize=7, color=INK, rotation=90)
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xticks(range(len(works)), [shown(work).replace(" to ", "\nto ") for work in works])
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    _finish(axes, f"Throughput over the ideal's, {title}", "ideal = 1, more is better", columns=5)


def _rates_by_load(axes: Axes, results: Results) -> None:
    for name in _loaded(results):
        found = _by_load(results, name)
        middle = [spread(one.frames_per_second) for one in found]
        places = [one.in_flight for one in found]
        axes.fill_between(
            places, [m.lowest for m in middle], [m.highest for m in middle], color=_color(results, name), alpha=0.15
        )
        axes.plot(places, [m.median for m in middle], "o-", color=_color(results, name), label=name)
    ideal = results.busy(IDEAL, LOAD_WORK)
    if ideal:
        level = spread(ideal.frames_per_second).median
        axes.axhline(level, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.text(1, level, " ideal", va="bottom", fontsize=9, color=INK)
    axes.set_ylim(bottom=0)
    _by_in_flight(axes)
    _finish(axes, f"Throughput against load, {shown(LOAD_WORK)}", "frames a second")


def _latencies_by_load(axes: Axes, results: Results) -> None:
    for name in _loaded(results):
        found = _by_load(results, name)
        places = [one.in_flight for one in found]
        for percent, style in ((50, "o-"), (99, "^--")):
            times = [spread(one.p50_ms if percent == 50 else one.p99_ms).median for one in found]
            axes.plot(places, times, style, color=_color(results, name), label=f"{name} p{percent}", markersize=5)
    _logarithmic(axes)
    _by_in_flight(axes)
    _finish(axes, f"Latency against load, {shown(LOAD_WORK)}", "ms")


def _costs_by_size(axes: Axes, results: Results, works: Sequence[str]) -> None:
    """Processor time a frame, of the contender and of those who send together."""
    for name in names_of(results):
        found = [(WORKS[work].pixels / 1e6, one) for work in works if (one := results.busy(name, work))]
        if not found:
            continue
        times = [spread(one.frame_us).median + spread(one.producer_us).median for _, one in found]
        line = "--" if name in (IDEAL, UNTUNED) else "-"
        axes.plot(
            [place for place, _ in found], times, f"o{line}", color=_color(results, name), label=name, markersize=5
        )
    axes.set_xscale("log")
    axes.set_xticks([WORKS[work].pixels / 1e6 for work in works], [f"{WORKS[work].width} px" for work in works])
    axes.minorticks_off()
    _logarithmic(axes)
    _finish(
        axes,
        "Processor time a frame against its size, to 300 x 300, 32 in flight",
        "us, with who sends",
        columns=2,
    )


def _services(axes: Axes, results: Results) -> None:
    """Where the daemon's processor time goes, as shares of the ideal's whole."""
    works = [work for work in works_busy(results) if results.busy(DAEMON, work) and results.busy(IDEAL, work)]
    labelled = set()
    for place, work in enumerate(works):
        daemon, ideal = results.busy(DAEMON, work), results.busy(IDEAL, work)
        if daemon is None or ideal is None:
            continue
        whole_us = spread(ideal.frame_us).median
        times_us = {kind: spread(found).median for kind, found in daemon.processor_us.items()}
        times_us["producer"] = spread(daemon.producer_us).median
        bottom = 0.0
        for kind, color in SERVICES.items():
            share = times_us.get(kind, 0.0) / whole_us
            if share < 0.001:
                continue
            axes.bar(place, share, 0.68, bottom=bottom, color=color, label=None if kind in labelled else kind)
            labelled.add(kind)
            bottom += share
        axes.text(place, bottom + 0.02, f"{bottom:.2f}", ha="center", fontsize=9, color=INK)
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xticks(range(len(works)), [shown(work).replace(" to ", "\nto ") for work in works], fontsize=8)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.15)
    _finish(axes, "Processor time of a frame by the daemon's processes", "ideal = 1", columns=4)


def _single(axes: Axes, results: Results) -> None:
    """Latency with one frame in flight over the bare calls': columns at the median, whiskers to p99."""
    works = [work for work in works_at(results, 1) if results.find(IDEAL, work, 1)]
    names = [name for name in names_of(results) if name != IDEAL and any(results.find(name, work, 1) for work in works)]
    width, highest = 0.84 / max(1, len(names)), 1.0
    for index, name in enumerate(names):
        for place, work in enumerate(works):
            one, bare = results.find(name, work, 1), results.find(IDEAL, work, 1)
            if one is None or bare is None:
                continue
            at = place - 0.42 + (index + 0.5) * width
            p50, p99 = ratios(one.p50_ms, bare.p50_ms).median, ratios(one.p99_ms, bare.p50_ms).median
            label = name if work == next(w for w in works if results.find(name, w, 1)) else None
            axes.bar(at, p50, width * 0.92, color=_color(results, name), label=label)
            axes.plot([at, at], [p50, p99], color=INK, linewidth=0.9)
            axes.plot(at, p99, "_", color=INK, markersize=5)
            axes.text(
                at, p99 * 1.05, f"{spread(one.p50_ms).median:.1f}", ha="center", va="bottom", fontsize=7,
                rotation=90, color=INK,
            )  # fmt: skip
            highest = max(highest, p99)
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    labels = [
        f"{shown(work)}\n{spread(bare.p50_ms).median:.2f} ms"
        for work in works
        if (bare := results.find(IDEAL, work, 1))
    ]
    axes.set_xticks(range(len(works)), labels, fontsize=8)
    _logarithmic(axes)
    axes.set_ylim(0.5, 3 * highest)
    _finish(
        axes,
        "Latency with one frame in flight over the bare call's: p50 (figure: ms), line to p99",
        "bare call = 1",
        columns=4,
    )


def _memory(axes: Axes, results: Results) -> None:
    names = list(results.alone)
    for place, name in enumerate(names):
        alone = results.alone[name]
        for offset, memory, alpha in ((-0.2, alone.idle_pss_mib, 0.45), (0.2, alone.loaded_pss_mib, 1.0)):
            whole = sum(memory.values())
            axes.bar(place + offset, whole, 0.38, color=_color(results, name), alpha=alpha)
            axes.text(place + offset, whole, f"{whole:,.0f}", ha="center", va="bottom", fontsize=9, color=INK)
    axes.set_xticks(range(len(names)), names)
    _finish(axes, "Memory, PSS of all processes: idle (light), 32 frames of 3200 px in flight (dark)", "MiB")


def _loaded(results: Results) -> list[str]:
    return [name for name in names_of(results) if len(_by_load(results, name)) > 2]


def _by_load(results: Results, name: str) -> list[Series]:
    return [one for in_flight in LOADS if (one := results.find(name, LOAD_WORK, in_flight))]


def _by_in_flight(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(LOADS, [str(in_flight) for in_flight in LOADS])
    axes.minorticks_off()
    axes.set_xlabel("frames in flight", color=FAINT)


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,g}")


def _color(results: Results, name: str) -> str:
    if name in COLORS:
        return COLORS[name]
    unknown = [one for one in results.contenders if one not in COLORS]
    return OTHERS[unknown.index(name) % len(OTHERS)]


def _finish(axes: Axes, title: str, unit: str, *, columns: int = 1) -> None:
    axes.set_title(title, fontsize=11, loc="left", color=INK, pad=8)
    axes.set_ylabel(unit, color=FAINT)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, ncols=columns, loc="best")


def main() -> int:
    """Draw a kept result. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m perf.plot", description="Draw perf/results/NAME.png of NAME.json.")
    parser.add_argument("name", nargs="?", default="kept", help="default: kept")
    path = FOLDER / f"{parser.parse_args().name}.json"
    try:
        draw(load(path), path.with_suffix(".png"))
    except MeasurementFailed as error:
        print(f"not drawn: {error}", file=sys.stderr)
        return 1
    print(path.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
