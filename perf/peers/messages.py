"""What the benchmark says to the peers' child processes, beside `perf.messages`: one line of JSON each.

A turn is the same for all: the order is given, the child runs itself warm and says `ready`, is told the window, and
answers with its `Run`. Of a sample the answer is the picture.
"""

import msgspec

from perf.work import Work


class HttpOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a producer: keep `in_flight` requests in flight, or send by the clock over so many connections."""

    addresses: list[str]
    """HOST:PORT, or the path of a unix socket. Connections go to each in turn."""
    head: bytes
    """Of the request, as it is sent."""
    source_file: str
    """What is sent with it; empty: nothing."""
    in_flight: int
    frames_per_second: float | None = None
    is_sample: bool = False


class WorkOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To a process that has libraries for it: repeat the work on the file's content."""

    work: Work
    source_file: str
    in_flight: int = 1
    """Of a pool: how many calls are kept in flight, or were not answered yet in the end."""
    frames_per_second: float | None = None
    is_sample: bool = False
    """Do it once and return the picture."""
