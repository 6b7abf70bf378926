"""Alone: a contender by itself, how soon it serves, what it takes idle, and its memory under the heaviest load."""

import math
import threading
import time
from pathlib import Path
from typing import Final

from perf.contender import Contender, Entrant, Load, MeasurementFailed
from perf.harness import processor_taken_s
from perf.memory import pss_bytes_of
from perf.results import Alone
from perf.work import Work

SETTLE_S: Final = 2.0
"""After it serves: the first telemetry has been sent, and what the start took given back."""
LOOK_EVERY_S: Final = 0.2


def measure_alone(entrant: Entrant, file: tuple[Work, Path], starts: int, idle_seconds: float, seconds: float) -> Alone:
    """Start one so often, after once unmeasured, and let the last one idle, then work. Raises `MeasurementFailed`."""
    work, path = file
    ready_s = []
    if starts and not math.isnan(entrant.time_start()):  # the first one found disk and bytecode cold
        ready_s = [round(entrant.time_start(), 3) for _ in range(starts)]
    with entrant.start({work: path}) as contender:
        if contender.refusal(work, Load(work.busy_in_flight)):
            raise MeasurementFailed(f"{entrant.name} does not do {work.name}")
        time.sleep(SETTLE_S)
        idle_mib = _pss_mib(contender)
        # Who serves nobody waits for the benchmark alone.
        waited_s = idle_seconds if ready_s else min(1.0, idle_seconds)
        share = _idle_share(contender, waited_s)
        loaded_mib = _loaded_mib(contender, work, seconds)
    return Alone(
        ready_s=ready_s,
        idle_pss_mib=idle_mib,
        idle_processor_share=round(share, 5),
        idle_seconds=waited_s,
        loaded_work=work.name,
        loaded_pss_mib=loaded_mib,
    )


def _pss_mib(contender: Contender) -> dict[str, float]:
    return {kind: round(pss_bytes_of(pids) / (1 << 20), 1) for kind, pids in contender.processes().items()}


def _idle_share(contender: Contender, seconds: float) -> float:
    pids = [pid for found in contender.processes().values() for pid in found]
    before_s, began_s = processor_taken_s(pids), time.monotonic()
    time.sleep(seconds)
    return (processor_taken_s(pids) - before_s) / (time.monotonic() - began_s)


def _loaded_mib(contender: Contender, work: Work, seconds: float) -> dict[str, float]:
    """What all processes had when they had most together, looked at while they work."""
    contender.sample(work)
    seen: list[dict[str, float]] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_EVERY_S):
            seen.append(_pss_mib(contender))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        contender.measure(work, Load(work.busy_in_flight), seconds)
    finally:
        is_over.set()
        looker.join()
    seen.append(_pss_mib(contender))
    return max(seen, key=lambda memory: sum(memory.values()))
