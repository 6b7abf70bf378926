"""What every child of the supervisor does first: bind its life to the supervisor's, and learn who it is."""

import contextlib
import ctypes
import faulthandler
import logging
import os
import resource
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from ipc.channel import Channel, child_channel
from ipc.logs import start_logging
from ipc.messages import Start, ToChild

START_TIMEOUT_MS: Final = 10_000
"""The supervisor sends `Start` before it even spawns: only a broken supervisor makes a child wait."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15

OOM_SCORES: Final = {"broker": 300, "control": 400}
"""By service: how gladly the kernel ends it when memory is short (proc(5), oom_score_adj)."""
OOM_SCORE_OF_WORKERS: Final = 600
"""First of all: a worker costs a retry, the broker costs an epoch, the supervisor costs everything."""

_OOM_PATH: Final = Path("/proc/self/oom_score_adj")


@dataclass(frozen=True, slots=True)
class Child:
    """A child that has begun."""

    start: Start
    channel: Channel[ToChild]


def begin(arguments: list[str]) -> Child:
    """Take up the channel named on the command line, bind this process to its parent, and start logging.

    Must be called from the main thread before any other thread exists: the death signal follows the thread that asks.
    Exits when the parent is already gone.
    """
    # By hand: argparse and what it loads take 0.4 MiB and 5 ms, in each of our processes.
    match arguments[1:]:
        case [_, "--channel", descriptor] if descriptor.isdecimal():
            channel_fd = int(descriptor)
        case _:
            sys.exit("A part of omnishotd; started by its supervisor, not by hand.")
    # The supervisor alone decides when a child ends: a Ctrl-C on the terminal reaches the whole process group, and a
    # worker that dies of it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    faulthandler.enable()
    # A core dump would hold the arena: other producers' pictures.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # ORDER: ask for the death signal, then look whether the parent still lives; the other way round a parent that dies
    # in between would never be noticed.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    channel = child_channel(channel_fd)
    start = _receive_start(channel)
    if os.getppid() != start.parent_pid:
        sys.exit("omnishotd: the supervisor is gone")
    offer_to_oom_killer(OOM_SCORES.get(start.service, OOM_SCORE_OF_WORKERS))
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(start.service.encode()[:15]))
    start_logging(start.service, json=start.json_logs)
    return Child(start, channel)


def leave(status: int) -> NoReturn:
    """End at once, when all is closed that must be: the kernel takes the rest back sooner than the interpreter does."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


def offer_to_oom_killer(score: int) -> None:
    """Be ended sooner than others when memory is short. A score that is higher already stays; best effort."""
    # A container may forbid it; what is lost is only an order of preference.
    with contextlib.suppress(OSError, ValueError):
        present = int(_OOM_PATH.read_text(encoding="ascii"))
        if score > present:
            _OOM_PATH.write_text(str(score), encoding="ascii")


def _receive_start(channel: Channel[ToChild]) -> Start:
    if not select.select([channel], [], [], START_TIMEOUT_MS / 1000)[0]:
        sys.exit("omnishotd: the supervisor did not say what to do")
    message = channel.receive()
    if not isinstance(message, Start):
        sys.exit("omnishotd: the supervisor did not say what to do")
    return message


def _prctl(option: int, argument: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "prctl")
