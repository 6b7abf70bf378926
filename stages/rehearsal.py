"""Rehearsal: what happens only when something goes wrong, done once while the modules that it needs can be loaded."""

import contextlib
import logging
import time

from ipc import heap
from ipc.resident import resident


def rehearse() -> None:
    """Form a log line with a traceback, and be refused memory: nothing is written, and nothing stays.

    To be called after the stages have warmed up: what they took for it is given back as well.
    """
    # Opens the kernel's figures of this process.
    resident()
    # The C library reads the time zone when it is first asked.
    time.localtime()
    error = _refused_memory()
    about = (type(error), error, error.__traceback__)
    record = logging.LogRecord("rehearsal", logging.ERROR, __file__, 0, "%s", ("",), about)
    for handler in logging.getLogger().handlers:
        handler.format(record)
    # libaom alone has taken 3 MiB for a picture of 16 pixels.
    with contextlib.suppress(OSError):
        heap.trim()


def _refused_memory() -> MemoryError:
    # numpy has an exception of its own for this, in a module of its own.
    import numpy as np

    try:
        np.empty(1 << 62, np.uint8)
    except MemoryError as error:
        return error
    raise AssertionError("this is more than any machine has")
