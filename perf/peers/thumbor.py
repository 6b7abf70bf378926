"""thumbor, asked over HTTP."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perf.child import ROOT, Child
from perf.contender import Contender, Facts, NotInstalled
from perf.peers.server import PRODUCERS, Asked, ServerProcess
from perf.work import QUALITY, RESULT_SIDE, Work

INTERPRETER: Final = ROOT / ".venv-thumbor" / "bin" / "python"
CORES: Final = len(os.sched_getaffinity(0))
LOOK_WITHIN_S: Final = 20.0

# Subsampling is not set: Pillow's own is 4:2:0, and where it is set thumbor keeps the tables of what came in.
_CONFIGURATION: Final = """
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {folder!r}
STORAGE = "thumbor.storages.no_storage"
RESULT_STORAGE = None
QUALITY = {quality}
PROGRESSIVE_JPEG = False
PILLOW_RESAMPLING_FILTER = "LANCZOS"
ENGINE_THREADPOOL_SIZE = 0
ENABLE_ETAGS = False
ALLOW_UNSAFE_URL = True
SECURITY_KEY = "not a secret: nothing is signed"
"""
_LOOK: Final = (
    "from importlib.metadata import version; print(*(version(name) for name in ('thumbor', 'pillow', 'tornado')))"
)


class Thumbor:
    """A process for each core, each with a socket of its own."""

    name = "thumbor"

    def __init__(self, interpreter: Path = INTERPRETER) -> None:
        self._interpreter = interpreter

    def facts(self) -> Facts:
        """Ask its interpreter."""
        if not self._interpreter.exists():
            raise NotInstalled("thumbor is not installed: make bench-peers")
        try:
            looked = subprocess.run(
                [self._interpreter, "-c", _LOOK], check=False, capture_output=True, text=True, timeout=LOOK_WITHIN_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInstalled(f"thumbor cannot be started: {error}") from None
        if looked.returncode:
            raise NotInstalled("thumbor is not installed whole: remove .venv-thumbor, then make bench-peers")
        thumbor, pillow, tornado = looked.stdout.split()
        settings = (
            "a process a core, each on a unix socket of its own; files from disk, nothing stored, no ETags, no "
            "threads, baseline JPEG; always with Huffman tables of the picture's own"
        )
        less = "frames are not sent to it: it reads files that lie there; no isolation"
        return Facts(f"thumbor {thumbor}, pillow {pillow}, tornado {tornado}", settings, less)

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start its processes, and producers that wait."""
        self.facts()
        with contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="oms-perf-")))
            photographs = {work: file for work, file in files.items() if work.source == "jpeg"}
            for work, file in photographs.items():
                # By the name it knows what to make of it.
                (directory / f"{work.name}.jpg").symlink_to(file)
            servers = [stack.enter_context(self._started(directory, index)) for index in range(CORES)]
            addresses = [str(server.ready()[0]["address"]) for server in servers]
            children = [
                stack.enter_context(Child("perf.peers.http_load", environment=os.environ)) for _ in range(PRODUCERS)
            ]
            yield Asked(servers, addresses, children, {work: (_head(work), "") for work in photographs})

    def time_start(self) -> float:
        """From the exec of one process until it listens."""
        self.facts()
        with TemporaryDirectory(prefix="oms-perf-") as directory, self._started(Path(directory), 0) as server:
            return server.ready()[1]

    def _started(self, directory: Path, index: int) -> ServerProcess:
        configuration = directory / "thumbor.conf"
        configuration.write_text(_CONFIGURATION.format(folder=str(directory), quality=QUALITY), encoding="utf-8")
        command = [
            str(self._interpreter),
            "-m",
            "perf.peers.thumbor_server",
            str(configuration),
            str(directory / f"{index}.sock"),
        ]
        return ServerProcess(command, os.environ, ROOT)


def _head(work: Work) -> bytes:
    """Write the head of a request."""
    size = f"{RESULT_SIDE}x{RESULT_SIDE}/" if work.result == "thumbnail" else ""
    lines = (f"GET /unsafe/{size}filters:quality({QUALITY})/{work.name}.jpg HTTP/1.1", "Host: localhost", "", "")
    return "\r\n".join(lines).encode()
