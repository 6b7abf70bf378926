"""What is lent, as a daemon played by the test sees it."""

import os

from omnishotd.client.segment import FOLDER, NAME_PREFIX
from tests.omnishotd.client.scripted_daemon import Seen, ok


def segments(pid: int | None = None) -> list[str]:
    """Names of the segments that a process has lent and not taken away; of this one, if none is named."""
    return [file.name for file in FOLDER.glob(f"{NAME_PREFIX}{pid or os.getpid()}-*")]


def content(seen: Seen) -> bytes:
    """Read what a request says is lent."""
    lent = seen.header["lent"]
    data = (FOLDER / lent["segment"]).read_bytes()
    piece: bytes = data[lent["offset"] : lent["offset"] + lent["bytes"]]
    return piece


def echo_lent(seen: Seen) -> list[bytes]:
    """A result whose one picture is what was lent."""
    return ok(seen, content(seen))
