"""Waiting for the thing itself, with a deadline, in place of sleeping."""

import select
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")

PAUSE_S = 0.01


def eventually(predicate: Callable[[], T], *, within_s: float, what: str) -> T:
    """Ask until the answer is true, and return it. Fails when it is not within the time."""
    deadline_s = time.monotonic() + within_s
    while True:
        answer = predicate()
        if answer:
            return answer
        assert time.monotonic() < deadline_s, f"not within {within_s} s: {what} (last answer: {answer!r})"
        # Not a wait for anything: it leaves the core to those who are waited for.
        select.select([], [], [], PAUSE_S)


def all_ended(processes: Iterable[psutil.Process]) -> bool:
    """Tell whether all have ended; one that nobody has waited for yet has ended all the same."""
    return not any(_runs(process) for process in processes)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
