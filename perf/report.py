"""The report: tables of what was measured. `python -m perf.report NAME` writes those of a kept result as Markdown."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from perf.contender import MeasurementFailed
from perf.figures import Spread, ratios, spread
from perf.goals import goals_table
from perf.matrix import DAEMON, IDEAL, LOADS, SATURATION_SHARE
from perf.results import FOLDER, Results, Series, load
from perf.table import Table, markdown, print_table, ranged, rate
from perf.work import WORKS

LOAD_WORK: Final = "800"
BUSY: Final = "32 in flight (of raw pixels 16)"


def tables(results: Results) -> list[Table]:
    """Build all tables that there are figures for."""
    found = [
        goals_table(results),
        throughput_table(results),
        ratio_table(results),
        latency_table(results),
        load_table(results),
        paced_table(results),
        producers_table(results),
        cost_table(results),
        services_table(results),
        alone_table(results),
        memory_table(results),
        pictures_table(results),
        contenders_table(results),
    ]
    return [table for table in found if table.rows]


def facts(results: Results) -> str:
    """Say where, with what and how was measured."""
    machine = results.machine
    versions = ", ".join(f"{library} {version}" for library, version in machine.versions.items())
    missing = "".join(f"\nnot measured: {name}: {why}" for name, why in results.missing.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / (1 << 30):.0f} GiB, Linux {machine.kernel}\n"
        f"Python {machine.python}, {versions}; revision {machine.revision or 'unknown'}\n"
        f"{results.rounds} rounds, {results.seconds_each:g} s and more a turn, {results.took_s / 60:.1f} minutes; "
        f"load average before: {machine.load_average:.2f}{missing}"
    )


def throughput_table(results: Results) -> Table:
    """Frames a second of everybody."""
    names, works = names_of(results), works_busy(results)
    rows = []
    for work in works:
        found = [results.busy(name, work) for name in names]
        rows.append((shown(work), *(_rate(one) for one in found)))
    return Table(f"frames a second, {BUSY}", ("", *names), tuple(rows))


def ratio_table(results: Results) -> Table:
    """The daemon over everybody, round with round."""
    names = [name for name in names_of(results) if name != DAEMON]
    rows = []
    for work in works_busy(results):
        daemon = results.busy(DAEMON, work)
        if daemon is not None:
            found = [results.busy(name, work) for name in names]
            rows.append((shown(work), *(ratio(daemon, one) for one in found)))
    title = f"the daemon's frames a second over the others', {BUSY}: above 1 the daemon does more"
    return Table(title, ("", *(f"daemon / {name}" for name in names)), tuple(rows))


def latency_table(results: Results) -> Table:
    """One frame in flight."""
    names = [name for name in names_of(results) if any(one.contender == name for one in _at(results, 1))]
    rows = []
    for work in works_at(results, 1):
        bare = results.find(IDEAL, work, 1)
        cells = []
        for name in names:
            one = results.find(name, work, 1)
            cells.append(f"{spread(one.p50_ms).median:.2f}, {spread(one.p99_ms).median:.2f}" if one else "")
        daemon = results.find(DAEMON, work, 1)
        over = ranged(differences(daemon.p50_ms, bare.p50_ms)) if daemon and bare else ""
        rows.append((shown(work), *cells, over))
    columns = ("", *("bare call" if name == IDEAL else name for name in names), "daemon - bare call, p50")
    return Table("latency with one frame in flight, ms: p50, p99", columns, tuple(rows))


def load_table(results: Results) -> Table:
    """What more frames in flight bring, and cost."""
    names = [name for name in names_of(results) if results.find(name, LOAD_WORK, LOADS[1])]
    rows = []
    for in_flight in LOADS:
        cells: list[str] = []
        for name in names:
            one = results.find(name, LOAD_WORK, in_flight)
            cells += _load_cells(one) if one else [""] * 3
        rows.append((str(in_flight), *cells))
    heads = [head for name in names for head in (f"{name}: frames a second", "p50, p99, ms", "processor time, us")]
    title = f"{shown(LOAD_WORK)}, by frames in flight"
    return Table(title, ("", *heads), tuple(rows) if names else ())


def _load_cells(one: Series) -> list[str]:
    latency = f"{spread(one.p50_ms).median:.1f}, {spread(one.p99_ms).median:.1f}"
    return [_rate(one), latency, f"{spread(one.frame_us).median:,.0f}"]


def paced_table(results: Results) -> Table:
    """Tails, where frames come by the clock."""
    rows = []
    for one in results.series:
        if one.saturation_share == SATURATION_SHARE and one.frames:
            tail = ratios(one.p99_ms, one.p50_ms)
            p50, p99 = spread(one.p50_ms).median, spread(one.p99_ms).median
            rows.append((f"{shown(one.work)}, {one.contender}", _rate(one), f"{p50:.2f}", f"{p99:.2f}", ranged(tail)))
    title = f"frames sent by the clock at {SATURATION_SHARE:.0%} of saturation; latency from when each was due, ms"
    return Table(title, ("", "frames a second", "p50", "p99", "p99 / p50"), tuple(rows))


def producers_table(results: Results) -> Table:
    """Four producers in place of one."""
    rows = []
    for one in results.series:
        alone = results.find(one.contender, one.work, one.in_flight)
        if one.producers > 1 and one.frames and alone:
            rows.append((f"{shown(one.work)}, {one.contender}", str(one.producers), _rate(one), ratio(one, alone)))
    return Table(
        "several producers, 32 in flight in all", ("", "producers", "frames a second", "over one"), tuple(rows)
    )


def cost_table(results: Results) -> Table:
    """Processor time of a frame: everybody's, and what those who send take beside it."""
    names = names_of(results)
    rows = []
    for work in works_busy(results):
        cells = []
        for name in names:
            one = results.busy(name, work)
            beside = f" + {spread(one.producer_us).median:,.0f}" if one and any(one.producer_us) else ""
            cells.append(f"{spread(one.frame_us).median:,.0f}{beside}" if one else "")
        rows.append((shown(work), *cells))
    return Table(f"processor time of a frame, us, {BUSY}; + those who send", ("", *names), tuple(rows))


def services_table(results: Results) -> Table:
    """Processor time of the daemon's processes."""
    rows = []
    for is_busy in (True, False):
        for work in works_busy(results) if is_busy else works_at(results, 1):
            in_flight = WORKS[work].busy_in_flight if is_busy else 1
            one, ideal = results.find(DAEMON, work, in_flight), results.find(IDEAL, work, in_flight)
            if one is None:
                continue
            times = {kind: spread(found).median for kind, found in one.processor_us.items()}
            cells = [f"{times.get(kind, 0.0):,.0f}" for kind in _SERVICES]
            bare = f"{spread(ideal.frame_us).median:,.0f}" if ideal else ""
            of_ideal = ranged(ratios(ideal.frame_us, whole_us(one))) if ideal else ""
            total = f"{spread(one.frame_us).median:,.0f}"
            sent = f"{spread(one.producer_us).median:,.0f}"
            rows.append((f"{shown(work)}, {in_flight} in flight", *cells, total, sent, bare, of_ideal))
    columns = ("", *_SERVICES, "all", "producer", "ideal", "ideal / all with producer")
    return Table("processor time of a frame in the daemon's processes, us", columns, tuple(rows))


_SERVICES: Final = ("decode", "transform", "encode", "broker", "control", "supervisor")


def alone_table(results: Results) -> Table:
    """Start and memory of each by itself."""
    rows = []
    for name, alone in results.alone.items():
        ready = f"{spread(alone.ready_s).median:.2f}" if alone.ready_s else ""
        idle, loaded = sum(alone.idle_pss_mib.values()), sum(alone.loaded_pss_mib.values())
        share = f"{alone.idle_processor_share:.2%}"
        rows.append((name, ready, f"{idle:.0f}", share, f"{loaded:.0f}"))
    columns = ("", "ready after, s", "idle PSS, MiB", "idle, of a core", "PSS with 32 of 3200 px in flight, MiB")
    return Table("each by itself", columns, tuple(rows))


def memory_table(results: Results) -> Table:
    """Memory just after each load. The others stand beside it, and share libraries' pages with it."""
    names = names_of(results)
    rows = []
    for work in works_busy(results):
        found = [results.busy(name, work) for name in names]
        rows.append((shown(work), *(f"{spread(one.pss_mib).median:.0f}" if one else "" for one in found)))
    return Table(f"PSS just after the load, MiB, {BUSY}; all stand beside each other", ("", *names), tuple(rows))


def pictures_table(results: Results) -> Table:
    """What was made: a contender that makes another picture does other work."""
    names = list(results.samples)
    works = list(dict.fromkeys(one.work for found in results.samples.values() for one in found))
    rows = []
    for work in works:
        found = {name: one for name, every in results.samples.items() for one in every if one.work == work}
        cells = [
            f"{found[name].picture_bytes / 1000:,.0f}, {found[name].rmse:.1f}" if name in found else ""
            for name in names
        ]
        rows.append((shown(work), *cells))
    return Table("pictures made: KB, and how far from the ideal's (RMSE of 255)", ("", *names), tuple(rows))


def contenders_table(results: Results) -> Table:
    """Who was measured."""
    rows = [(name, about.version, about.settings, about.less or "-") for name, about in results.contenders.items()]
    return Table("contenders", ("", "version", "settings", "does less than the daemon"), tuple(rows))


def whole_us(one: Series) -> list[float]:
    """Processor time of a frame, by round, of the contender and of those who send together."""
    return [frame_us + producer_us for frame_us, producer_us in zip(one.frame_us, one.producer_us, strict=True)]


def differences(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare round with round, by difference."""
    return spread([our - their for our, their in zip(ours, theirs, strict=True)])


def ratio(ours: Series, theirs: Series | None) -> str:
    """Write how many times as many frames a second."""
    return ranged(ratios(ours.frames_per_second, theirs.frames_per_second)) if theirs else ""


def _rate(one: Series | None) -> str:
    return rate(spread(one.frames_per_second).median) if one else ""


def names_of(results: Results) -> list[str]:
    """Contenders that have figures."""
    return [name for name in results.contenders if any(one.contender == name and one.frames for one in results.series)]


def works_at(results: Results, in_flight: int) -> list[str]:
    """Works that were done with so many frames in flight, by one producer."""
    return list(dict.fromkeys(one.work for one in _at(results, in_flight)))


def works_busy(results: Results) -> list[str]:
    """Works that were done with as many frames in flight as keep everything busy."""
    done = {one.work for one in results.series if results.busy(one.contender, one.work)}
    return [work for work in WORKS if work in done]


def shown(work: str) -> str:
    """A work's name for people."""
    source, _, full = work.removeprefix("raw-").partition("-")
    shown = f"raw {source}" if work.startswith("raw-") else f"{source} px"
    return f"{shown} to full size" if full else f"{shown} to 300"


def _at(results: Results, in_flight: int) -> list[Series]:
    return [
        one
        for one in results.series
        if one.in_flight == in_flight and one.producers == 1 and one.saturation_share is None and one.frames
    ]


def show(results: Results) -> None:
    """Print the report."""
    print(facts(results))
    for table in tables(results):
        print_table(table)


def main() -> int:
    """Write the tables of a kept result as Markdown. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m perf.report", description="Write a result's tables as Markdown.")
    parser.add_argument("name", nargs="?", default="kept", help="of perf/results/NAME.json; default: kept")
    arguments = parser.parse_args()
    try:
        results = load(FOLDER / f"{arguments.name}.json")
    except MeasurementFailed as error:
        print(f"no report: {error}", file=sys.stderr)
        return 1
    print(facts(results))
    for table in tables(results):
        print(f"\n{markdown(table)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
