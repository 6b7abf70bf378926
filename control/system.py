"""Load of the host, sampled at intervals of our own so that clients' questions do not change the answer."""

import os
from contextlib import suppress

import msgspec


class SystemFigures(msgspec.Struct, frozen=True):
    """Load of the host. None is what /proc does not tell, as in a unit with ProcSubset=pid."""

    cpu_percent: float | None
    """Of all cores together, over the last interval."""
    memory_percent: float | None
    load_average: tuple[float, float, float]
    """Over 1, 5 and 15 minutes."""


class SystemSampler:
    """Asks psutil. The first sample only begins the interval of `cpu_percent`."""

    def __init__(self) -> None:
        self._is_primed = False
        self.figures = SystemFigures(None, None, os.getloadavg())

    def sample(self) -> None:
        """Take a sample; to be called at intervals."""
        # Imported at the first sample, which comes after the server is up: 20 ms of the start are saved.
        import psutil  # noqa: PLC0415

        cpu_percent: float | None = None
        memory_percent: float | None = None
        with suppress(OSError, psutil.Error):
            cpu_percent = psutil.cpu_percent(interval=None)
            memory_percent = psutil.virtual_memory().percent
        self.figures = SystemFigures(cpu_percent if self._is_primed else None, memory_percent, os.getloadavg())
        self._is_primed = True
