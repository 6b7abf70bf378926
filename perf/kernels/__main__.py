"""`python -m perf.kernels`: what each operation and each format takes in one thread, beside libvips and Pillow.

All three are called in this process by turns. What counts is processor time, so that other programs on the machine do
not.
"""

import os
import sys
from typing import Final

from omnishotd.supervisor.children import child_environment
from perf.command import run_command
from perf.table import plain

ROUNDS: Final = 5
_MARK: Final = "OMNISHOTD_PERF_KERNELS"
"""In the environment of the process that measures."""


def measure(rounds: int) -> None:
    """Measure all cases and print the tables. Raises `MeasurementFailed`."""
    # What a worker does before its first frame; and libvips computes anew each time.
    import pyvips  # type: ignore[import-untyped]  # noqa: PLC0415  # reads the environment; it has no py.typed

    from perf.kernels import formats, operations  # noqa: PLC0415  # likewise
    from perf.kernels.turns import sizes_table, table  # noqa: PLC0415
    from stages import decode, encode, transform  # noqa: PLC0415

    pyvips.cache_set_max(0)
    for stage in (decode, transform, encode):
        stage.warm()
    print(plain(table("operations, milliseconds of processor time", operations.cases(), rounds)), end="\n\n")
    print(plain(table("formats, milliseconds of processor time", formats.cases(), rounds)), end="\n\n")
    print(plain(sizes_table(formats.encoding_cases())))


if __name__ == "__main__":
    if _MARK not in os.environ:
        # As workers are started, with one thread for libvips as well; all of it is read when a process begins.
        environment = child_environment() | {_MARK: "1", "VIPS_CONCURRENCY": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "perf.kernels", *sys.argv[1:]], environment)  # noqa: S606  # this program again
    sys.exit(run_command("perf.kernels", __doc__, ROUNDS, measure))
