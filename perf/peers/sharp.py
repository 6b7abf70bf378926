"""sharp, behind Node's http server (`perf/peers/sharp/server.js`)."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlencode

from perf.child import Child
from perf.contender import Contender, Facts, NotInstalled
from perf.peers.server import PRODUCERS, Asked, ServerProcess
from perf.work import QUALITY, RESULT_SIDE, Work

FOLDER: Final = Path(__file__).parent / "sharp"
CORES: Final = len(os.sched_getaffinity(0))
BEST: Final = {
    "SHARP_PROCESSES": str(CORES),
    "UV_THREADPOOL_SIZE": "1",
    "SHARP_CONCURRENCY": "1",
    "SHARP_CACHE": "0",
    "SHARP_OPTIMISE": "0",
}


_BEST_SAID: Final = (
    "cluster of a process a core, one thread each (UV_THREADPOOL_SIZE=1, concurrency 1), no cache, Huffman tables not "
    "made for each picture (optimiseCoding off), as ours; a unix socket"
)


@dataclass(frozen=True)
class Sharp:
    """Node processes that share one socket."""

    name: str = "sharp"
    environment: Mapping[str, str] = field(default_factory=lambda: BEST)
    """Settings of the server, see there."""
    settings: str = _BEST_SAID
    """The same in words."""
    is_tcp: bool = False
    """Whether it is asked over TCP in place of a unix socket."""
    folder: Path = FOLDER

    def facts(self) -> Facts:
        """Look for Node, and for sharp beside the server."""
        installed = self.folder / "node_modules" / "sharp" / "package.json"
        if shutil.which("node") is None:
            raise NotInstalled(
                "Node is not installed: apt-get install nodejs npm, version 20.9 or newer, then make bench-peers"
            )
        if not installed.exists():
            raise NotInstalled("sharp is not installed: make bench-peers")
        version = json.loads(installed.read_bytes())["version"]
        less = "no isolation: a picture that crashes its decoder takes others' requests along; no limits but of size"
        return Facts(f"sharp {version}", self.settings, less)

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start the server, and producers that wait."""
        self.facts()
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(self._started())
            address = str(server.ready()[0]["address"])
            children = [
                stack.enter_context(Child("perf.peers.http_load", environment=os.environ)) for _ in range(PRODUCERS)
            ]
            requests = {work: (_head(work, file), str(file)) for work, file in files.items()}
            yield Asked([server], [address], children, requests)

    def time_start(self) -> float:
        """From the exec of `node` until all of its processes listen."""
        with self._started() as server:
            return server.ready()[1]

    @contextlib.contextmanager
    def _started(self) -> Iterator[ServerProcess]:
        node = shutil.which("node")
        assert node is not None
        with TemporaryDirectory(prefix="oms-perf-") as directory:
            place = {} if self.is_tcp else {"SHARP_SOCKET": f"{directory}/sharp.sock"}
            with ServerProcess([node, "server.js"], {**os.environ, **self.environment, **place}, self.folder) as server:
                yield server


def _head(work: Work, file: Path) -> bytes:
    """Write the head of a request."""
    query = {"quality": QUALITY}
    if work.result == "thumbnail":
        query |= {"width": RESULT_SIDE, "height": RESULT_SIDE}
    if work.source == "raw":
        query |= {"raw_width": work.width, "raw_height": work.height}
    lines = (f"POST /?{urlencode(query)} HTTP/1.1", "Host: localhost", f"Content-Length: {file.stat().st_size}", "", "")
    return "\r\n".join(lines).encode()
