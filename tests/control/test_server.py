"""The server within this process: its descriptors, and what it says when it is full."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest

from control.app import make_app
from control.examination import Examinations
from control.feed import Feed
from control.observer import Observer
from control.server import Server
from tests.control.support import make_settings


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "permitted"), [(256, 400, 300, 300), (256, 280, 300, 280), (300, 400, 256, 300)]
)
def test_descriptors_are_permitted_as_far_as_the_host_lets_them(
    soft: int, hard: int, wanted: int, permitted: int
) -> None:
    """In a process of its own: what is given up of this limit cannot be had again."""
    program = (
        "import resource; from control.server import permit_descriptors\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        f"print(permit_descriptors({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    command = [sys.executable, "-P", "-c", program]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)

    assert ended.stdout.split() == [str(permitted)] * 2


def test_server_without_a_place_says_so_at_once_and_in_our_form() -> None:
    answer = asyncio.run(ask_full_server())

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in head.lower()
    assert b"\r\nx-content-type-options: nosniff\r\n" in head.lower()
    assert json.loads(body) == {"error": "too many connections, try again later"}


async def ask_full_server() -> bytes:
    """Connect to a server that has no place at all, and read what it says."""
    settings = make_settings()
    observer = Observer(settings)
    examinations = Examinations(1, lambda _: None)
    is_serving = asyncio.Event()
    plane = make_app(observer, Feed(observer), examinations, settings, None)
    server = Server(plane, is_serving.set, connections_max=0)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    async with asyncio.timeout(5):
        await is_serving.wait()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            return await reader.read()
        finally:
            writer.close()
            server.stop()
            await serving
