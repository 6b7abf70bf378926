"""The control plane's process: telemetry in, HTTP out, one event loop, ended by its channel."""

import asyncio
import logging
import os
import socket

import zmq

from control.app import make_app
from control.collector import Collector
from control.intake import Intake
from control.server import Server
from control.system import INTERVAL_S, SystemSampler
from ipc.channel import ChannelClosed
from ipc.child import Child
from ipc.messages import Ready, Stop, Unable
from ipc.sockets import make_context

EXIT_UNAVAILABLE = os.EX_UNAVAILABLE
NICENESS = 5
"""Pictures come first when there is not enough processor time for both."""

log = logging.getLogger(__name__)


def run(child: Child) -> int:
    """Serve until told to stop. Returns the exit status."""
    settings = child.start.settings
    collector = Collector(dict.fromkeys(stage for pool in settings.pipeline.pools for stage in pool.stages))
    context = make_context()
    try:
        intake = Intake(context, child.start.telemetry_endpoint, collector)
    except zmq.ZMQError as error:
        reason = f"control: cannot listen for telemetry on {child.start.telemetry_endpoint}: {error.strerror}"
        child.channel.send(Unable(reason, EXIT_UNAVAILABLE))
        return EXIT_UNAVAILABLE
    try:
        asyncio.run(_serve(child, collector, intake))
    finally:
        context.destroy(linger=0)
    return os.EX_OK


async def _serve(child: Child, collector: Collector, intake: Intake) -> None:
    loop = asyncio.get_running_loop()
    listener = socket.socket(fileno=child.start.listen_fd)
    sampler = SystemSampler()
    is_serving = asyncio.Event()

    def on_serving() -> None:
        host, port = listener.getsockname()[:2]
        child.channel.send(Ready(f"http://{host}:{port}"))
        # Not before: the whole daemon waits for this.
        os.nice(NICENESS)
        is_serving.set()

    server = Server(make_app(collector, sampler, child.start.settings), on_serving)
    loop.add_reader(child.channel.fileno(), _obey, child, server)
    intake.start(loop)
    sampling = loop.create_task(_sample(sampler, is_serving))
    try:
        await server.serve([listener])
    finally:
        sampling.cancel()
        loop.remove_reader(child.channel.fileno())
        intake.close(loop)


def _obey(child: Child, server: Server) -> None:
    try:
        message = child.channel.receive()
    except ChannelClosed:
        # End of file stays readable: asked again, it would keep the loop spinning until the server has stopped.
        asyncio.get_running_loop().remove_reader(child.channel.fileno())
        server.stop()
        return
    if isinstance(message, Stop):
        server.stop()
    elif message is not None:
        log.error("the supervisor sent %s, which is not for the control plane", type(message).__name__)


async def _sample(sampler: SystemSampler, is_serving: asyncio.Event) -> None:
    await is_serving.wait()
    while True:
        sampler.sample()
        await asyncio.sleep(INTERVAL_S)
