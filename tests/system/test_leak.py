"""A worker that leaks under load is found, named and shown the line; its neighbour under the same load is not accused.

The leak is the test's: a `sitecustomize` on PYTHONPATH, which every child of the daemon runs before anything else, puts
it into one worker.
"""

import itertools
import json
import secrets
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from omnishotd.client import Client, Result
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg
from tests.waiting import eventually

FOUND_WITHIN_S: Final = 60.0
LEAK_BYTES: Final = 4096
"""By the frame; a worker here does a hundred or more a second."""
SIDES: Final = (300, 400, 640, 800, 1200)
IN_FLIGHT: Final = 8
POOLS: Final = (
    'pipeline.pools=[{stages=["decode"],workers=2},{stages=["transform"],workers=1},{stages=["encode"],workers=1}]'
)

LEAK: Final = f"""
import sys

if sys.orig_argv[-4:-2] == ["stages.worker", "decode-0"]:
    from stages import decode

    honest, held = decode.decode, []

    def leaking(step, ground):
        held.append(bytearray({LEAK_BYTES}))
        honest(step, ground)

    decode.decode = leaking
"""
LEAKING_LINE: Final = "sitecustomize.py:10"


@contextmanager
def load(daemon: Daemon) -> Iterator[None]:
    """Keep frames in flight from a thread, pictures of all sizes in turn; every one must be answered well."""
    pictures = itertools.cycle([photograph_jpeg(side) for side in SIDES])
    is_over = threading.Event()
    failures: list[BaseException] = []

    def produce() -> None:
        try:
            with Client(endpoint=daemon.endpoint) as client:
                futures: list[Future[Result]] = []
                while not is_over.is_set():
                    futures.append(client.submit(next(pictures), preset="thumbnail"))
                    if len(futures) >= IN_FLIGHT:
                        futures.pop(0).result(20.0)
                for future in futures:
                    future.result(20.0)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(30.0)
    assert failures == []


class Operator:
    """Who asks the control plane, with the token."""

    def __init__(self, daemon: Daemon, token: str) -> None:
        self._url = daemon.control_url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def memory(self) -> Any:
        """Ask for the analysis."""
        return self._ask("/api/memory-analysis", None)

    def snapshot(self, service: str) -> Any:
        """Have a process trace for a second where it allocates."""
        return self._ask(f"/api/memory-analysis/{service}/snapshot", {"seconds": 1})

    def _ask(self, path: str, body: object) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers)  # noqa: S310 - our own http
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - our own http
            return json.load(response)


@pytest.mark.timeout(180)
def test_leaking_worker_is_named_within_60_s_of_load_and_its_neighbour_is_not(
    runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LEAK, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    token, token_file = secrets.token_hex(16), tmp_path / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(token, encoding="ascii")

    with Daemon(runtime_directory, POOLS, f"control.token_file={token_file}") as daemon, load(daemon):
        operator = Operator(daemon, token)

        def named() -> Any:
            analysis = operator.memory()
            return analysis if analysis["recommendations"] else None

        analysis = eventually(named, within_s=FOUND_WITHIN_S, what="the leak is found")
        largest = operator.snapshot("decode-0")["sites"][0]

    processes = {process["service"]: process for process in analysis["processes"]}
    growing = [name for name, process in processes.items() if process["verdict"] == "growing"]
    assert (analysis["verdict"], growing) == ("growing", ["decode-0"])
    (sentence,) = analysis["recommendations"]
    assert sentence.startswith("decode-0 grows by ")
    assert processes["decode-0"]["trend"]["bytes_per_1000_frames"] == pytest.approx(1000 * LEAK_BYTES, rel=0.2)
    assert processes["decode-1"]["trend"] is not None
    assert largest["where"] == LEAKING_LINE
    assert largest["bytes"] >= largest["blocks"] * LEAK_BYTES / 2
