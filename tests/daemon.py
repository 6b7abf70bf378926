"""A real daemon for tests: started by its own command, watched from outside, killed where a test wants it."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Self

import psutil
import zmq

from tests.waiting import eventually

READY_WITHIN_S = 20.0
STOP_WITHIN_S = 25.0


class Daemon:
    """One instance, in a runtime directory of its own, with a control plane on any free port."""

    def __init__(
        self,
        runtime_directory: Path,
        *assignments: str,
        config: Path | None = None,
        wrapper: Sequence[str] = (),
        when_spawned: Callable[[subprocess.Popen[str]], None] | None = None,
    ) -> None:
        self.directory = runtime_directory
        self.endpoint = f"ipc://{runtime_directory}/frames.sock"
        command = [*wrapper, sys.executable, "-P", "-m", "omnishotd", "serve", "--port", "0", "--log-format", "json"]
        # Tests ask far more often than operators do.
        for assignment in ("control.rate_limit_per_minute=0", *assignments):
            command += ["--set", assignment]
        if config is not None:
            command += ["--config", str(config)]
        reader, writer = os.pipe()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OMNISHOTD_")}
        environment["RUNTIME_DIRECTORY"] = str(runtime_directory)
        began_s = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--ready-fd", str(writer)],
            pass_fds=[writer],
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        os.close(writer)
        self.log: list[str] = []
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read_log, args=[self.process.stderr], daemon=True)
        self._reader.start()
        if when_spawned is not None:
            when_spawned(self.process)
        self.is_ready = bool(select.select([reader], [], [], READY_WITHIN_S)[0]) and os.read(reader, 1) == b"R"
        os.close(reader)
        self.ready_after_s = time.monotonic() - began_s

    def __enter__(self) -> Self:
        if not self.is_ready:
            self.process.kill()
            self.wait()
            raise AssertionError("the daemon did not become ready:\n" + "".join(self.log))
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.wait()

    def wait(self) -> int:
        """Wait for the end, and return the exit status. A daemon that does not end is killed, and the test fails."""
        try:
            status = self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
            self.process.kill()
            self.process.wait()
            raise AssertionError("the daemon did not stop:\n" + "".join(self.log)) from None
        self._reader.join(5.0)
        return status

    def pids(self, kind: str) -> list[int]:
        """List the processes of all services whose name begins with `kind`, from the process table."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            try:
                arguments = child.cmdline()
            except psutil.Error:
                continue
            if len(arguments) > 4 and arguments[4].startswith(kind):
                found.append(child.pid)
        return found

    def all_pids(self) -> list[int]:
        """List the supervisor and all its children."""
        return [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]

    @property
    def control_url(self) -> str:
        """Where the control plane listens, as the log says."""
        return eventually(self._find_control_url, within_s=5.0, what="the log names the control plane")

    def get(self, path: str) -> tuple[int, Any]:
        """Ask the control plane. Returns status and JSON body."""
        try:
            with urllib.request.urlopen(self.control_url + path, timeout=5) as response:  # noqa: S310 - our own http
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def is_ready_again(self) -> bool:
        """Whether the control plane answers, and says that frames are taken."""
        try:
            return self.get("/health/ready")[0] == 200
        except OSError:
            return False

    def metrics(self) -> Any:
        """Ask for /api/metrics."""
        return self.get("/api/metrics")[1]

    def frames_at_rest(self, received: int) -> Any:
        """Wait until the broker's own figures say that all is done and nothing of the arena is in use; return them."""

        def at_rest() -> Any:
            metrics = self.metrics()
            frames = metrics["frames"]
            # Null before the broker has said anything.
            arena = metrics["arena"] or {"used_bytes": None}
            is_empty = arena["used_bytes"] == 0 and frames["in_flight"] == 0 and frames["queued"] == 0
            return frames if is_empty and frames["received"] >= received else None

        return eventually(at_rest, within_s=5.0, what=f"the arena is empty after {received} frames")

    def _find_control_url(self) -> str:
        found = re.search(r"control plane at (http://[0-9.:]+)", "".join(self.log))
        return found.group(1) if found else ""

    def _read_log(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.log.append(line)


def connect(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, kind: int = zmq.DEALER) -> zmq.Socket[bytes]:
    """Connect a producer's bare socket."""
    socket = context.socket(kind)
    socket.linger = 0
    socket.connect(endpoint)
    return socket
