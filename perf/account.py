"""`python -m perf.account`: where each microsecond of a frame goes.

What can be had from the kernel is measured in the running daemon: the processor time of each thread. What a thread does
with it is told apart by measuring its parts alone, in this process, warm; the rest is what they cost more where they
are, with caches that others have just used, and what has no name of its own.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import zmq
from xxhash import xxh3_64_intdigest

from perf.account_parts import bare_calls_us, decisions_us, median_us, socket_pass_us, switch_us
from perf.command import run_command
from perf.ideal import Job
from perf.memory import service_of
from perf.request import request_of, with_keys
from perf.sources import source_bytes
from perf.threads import Taken, taken_by
from perf.work import WORKS, Work
from stages import decode, encode, transform
from tests.daemon import Daemon

ROUNDS: Final = 3
IN_FLIGHT: Final = 32
SECONDS: Final = 4.0
WORKS_SHOWN: Final = ("400", "1600")
WARM_FRAMES: Final = 200
REPLY_WITHIN_MS: Final = 20_000
REPEATS: Final = 40
"""Of what is measured alone; the median counts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the account, in microseconds a frame."""

    what: str
    us: float
    is_sum: bool = False


def account_of(work: Work) -> tuple[list[Row], dict[str, float]]:
    """Measure one work in a daemon of its own. Returns the rows, and figures that stand beside them."""
    source = source_bytes(work)
    with TemporaryDirectory(prefix="oms-perf-") as folder, Daemon(Path(folder)) as daemon:
        processes = {service_of(pid): [pid] for pid in daemon.all_pids()} | {"producer": [os.getpid()]}
        frames, seconds, taken = _loaded(daemon.endpoint, work, source, lambda: taken_by(processes))
    each = {key: Taken(sum_.processor_us / frames, sum_.waits) for key, sum_ in taken.items()}
    ideal_us = median_us(Job(request_of(work), source).do, REPEATS)
    calls = bare_calls_us(work, source, REPEATS)
    rows = [Row(f"{name}, the library's call alone", us) for name, us in calls.items()]
    rows.append(Row("round the calls: checks, copies, caches used by another call", ideal_us - sum(calls.values())))
    rows.append(Row("the ideal", ideal_us, is_sum=True))
    rows += _overhead(each, ideal_us, work, source)
    total_us = sum(part.processor_us for part in each.values())
    rows.append(Row("in all", total_us, is_sum=True))
    cores = len(os.sched_getaffinity(0))
    switch = switch_us()
    waits = sum(sum_.waits for sum_ in taken.values()) / frames
    pass_us = socket_pass_us(source)
    beside = {
        "frames a second": frames / seconds,
        "ideal / in all": ideal_us / total_us,
        "wall time x cores, us a frame": seconds / frames * cores * 1e6,
        "wake-ups a frame": waits,
        "a wake-up between two threads of one process, us": switch,
        "a payload of this size once through a unix socket, us": pass_us,
        "floor, us: the ideal, one such pass, one copy, four wake-ups": ideal_us
        + pass_us
        + _copy_us(source)
        + 4 * switch,
    }
    return rows, beside


def _overhead(each: dict[tuple[str, bool], Taken], ideal_us: float, work: Work, source: bytes) -> Iterator[Row]:
    workers = [name for name, _ in each if name.startswith(("decode", "transform", "encode"))]
    named = {"broker", "producer", *workers}
    own = sum(each[name, False].processor_us for name in dict.fromkeys(workers))
    yield Row("workers beyond the ideal: loop, messages, colder caches", own - ideal_us)
    yield Row("workers' libzmq threads", sum(each.get((name, True), Taken()).processor_us for name in set(workers)))
    broker_us = each["broker", False].processor_us
    fingerprint_us = median_us(lambda: xxh3_64_intdigest(source), REPEATS)
    alone = {
        "broker: deciding, in Python, warm": decisions_us(work, source) - fingerprint_us,
        "broker: fingerprint of the payload": fingerprint_us,
        "broker: payload into the arena": _copy_us(source),
    }
    yield from (Row(what, us) for what, us in alone.items())
    yield Row("broker: sockets, loop, colder caches", broker_us - sum(alone.values()))
    yield Row("broker's libzmq thread: the payload out of the socket", each["broker", True].processor_us)
    yield Row("producer", each["producer", False].processor_us)
    yield Row("producer's libzmq thread: the payload into the socket", each["producer", True].processor_us)
    others = sum(part.processor_us for (name, _), part in each.items() if name not in named)
    yield Row("control plane and supervisor", others)


def _loaded(
    endpoint: str, work: Work, source: bytes, look: Callable[[], dict[tuple[str, bool], Taken]]
) -> tuple[int, float, dict[tuple[str, bool], Taken]]:
    """Keep frames in flight: how many were done, in what time, and what was taken meanwhile."""
    head = with_keys(request_of(work), id="0" * 8)
    before, _, behind = head.partition(b"0" * 8)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.copy_threshold = 1 << 20
        dealer.linger = 0
        dealer.rcvtimeo = REPLY_WITHIN_MS
        dealer.connect(endpoint)
        sent = 0

        def send() -> None:
            nonlocal sent
            sent += 1
            dealer.send_multipart([before + b"%08x" % sent + behind, source], copy=False)

        for _ in range(IN_FLIGHT):
            send()
        for _ in range(WARM_FRAMES):
            dealer.recv_multipart(copy=False)
            send()
        frames, began, taken = 0, time.perf_counter(), look()
        while time.perf_counter() - began < SECONDS:
            dealer.recv_multipart(copy=False)
            send()
            frames += 1
        now = look()
        seconds = time.perf_counter() - began
        for _ in range(IN_FLIGHT):
            dealer.recv_multipart(copy=False)
    return frames, seconds, {key: part - taken.get(key, Taken()) for key, part in now.items()}


def _copy_us(source: bytes) -> float:
    """One copy from memory that no cache has to memory that no cache has."""
    copies = max(2, (64 << 20) // len(source))
    far = bytearray(source * copies)
    view, size = memoryview(far), len(source)
    room = memoryview(bytearray(size * copies))
    order = iter(range(0, size * copies, size))

    def copy() -> None:
        at = next(order)
        room[at : at + size] = view[at : at + size]

    took = []
    for _ in range(min(copies, REPEATS)):
        began_ns = time.thread_time_ns()
        copy()
        took.append((time.thread_time_ns() - began_ns) / 1000)
    return statistics.median(took)


def show(name: str, accounts: list[tuple[list[Row], dict[str, float]]]) -> None:
    """Print the medians of all rounds as a Markdown table."""
    print(f"\n| {name} px, microseconds of processor time a frame | | share |\n|---|---|---|")
    total = statistics.median(rows[-1].us for rows, _ in accounts)
    for index, row in enumerate(accounts[0][0]):
        us = statistics.median(rows[index].us for rows, _ in accounts)
        mark = "**" if row.is_sum else ""
        print(f"| {mark}{row.what}{mark} | {mark}{us:,.0f}{mark} | {us / total:.1%} |")
    print()
    for what in accounts[0][1]:
        print(f"- {what}: {statistics.median(beside[what] for _, beside in accounts):,.3g}")


def measure(rounds: int) -> None:
    """Measure and print. The works take turns."""
    for stage in (decode, transform, encode):
        stage.warm()
    accounts: dict[str, list[tuple[list[Row], dict[str, float]]]] = {name: [] for name in WORKS_SHOWN}
    for _ in range(rounds):
        for name in WORKS_SHOWN:
            accounts[name].append(account_of(WORKS[name]))
    for name, found in accounts.items():
        show(name, found)


if __name__ == "__main__":
    sys.exit(run_command("perf.account", __doc__, ROUNDS, measure))
