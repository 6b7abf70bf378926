"""The control plane's process: telemetry in, HTTP out, one event loop, ended by its channel."""

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import zmq

from control.app import make_app
from control.archive import Archive
from control.examination import Examinations
from control.feed import Feed
from control.intake import Intake
from control.observer import Observer
from control.server import Server
from control.webhook import Webhook
from ipc.channel import ChannelClosed
from ipc.child import Child
from ipc.examination import Examiner
from ipc.messages import Beat, Examine, Examined, Ready, Reconfigure, Stop, Unable
from ipc.sockets import make_context
from ipc.token import TokenUnusable, read_token

EXIT_UNAVAILABLE: Final = os.EX_UNAVAILABLE
EXIT_CONFIGURATION: Final = os.EX_CONFIG
NICENESS: Final = 5
"""Pictures come first when there is not enough processor time for both."""
JUDGE_INTERVAL_S: Final = 1.0
PROCESSES_INTERVAL_S: Final = 2.0
"""Reading all takes 3 ms with an arena of 256 MiB in use (8 processes): the kernel walks through their pages."""
PROCESSES_QUIET_S: Final = 3.0
"""So much longer where no frames come and nobody asks: then it is most of what the daemon does."""

log = logging.getLogger(__name__)


def run(child: Child) -> int:
    """Serve until told to stop. Returns the exit status."""
    settings = child.start.settings
    token = None
    if settings.control.token_file:
        try:
            token = read_token(Path(settings.control.token_file))
        except (TokenUnusable, OSError) as error:
            child.channel.send(Unable(f"control.token_file: {error}", EXIT_CONFIGURATION))
            return EXIT_CONFIGURATION
    observer = Observer(settings, Archive(child.start.archive_fd) if child.start.archive_fd >= 0 else None)
    observer.restore()
    context = make_context()
    try:
        intake = Intake(context, child.start.telemetry_endpoint, observer)
    except zmq.ZMQError as error:
        reason = f"control: cannot listen for telemetry on {child.start.telemetry_endpoint}: {error.strerror}"
        child.channel.send(Unable(reason, EXIT_UNAVAILABLE))
        return EXIT_UNAVAILABLE
    try:
        asyncio.run(_serve(child, observer, intake, token))
    finally:
        context.destroy(linger=0)
    return os.EX_OK


async def _serve(child: Child, observer: Observer, intake: Intake, token: str | None) -> None:
    loop = asyncio.get_running_loop()
    listener = socket.socket(fileno=child.start.listen_fd)
    settings = observer.settings
    examinations = Examinations(child.start.incarnation, child.channel.send)
    examiner = Examiner(child.start.service, child.channel.send)
    feed = Feed(observer)
    observer.add_reader(feed)
    _send_alerts_to(settings.alerts.webhook_url, observer)
    is_serving = asyncio.Event()

    def on_serving() -> None:
        host, port = listener.getsockname()[:2]
        child.channel.send(Ready(f"http://{host}:{port}"))
        # Not before: the whole daemon waits for this. A service manager may have shut it: then all are equal.
        with contextlib.suppress(PermissionError):
            os.nice(NICENESS)
        is_serving.set()

    server = Server(make_app(observer, feed, examinations, settings, token), on_serving)
    loop.add_reader(child.channel.fileno(), _obey, child, server, examinations, examiner, observer)
    intake.start(loop)
    tasks = [
        loop.create_task(_endless(_beat(child, settings.supervisor.beat_interval_ms / 1000))),
        loop.create_task(_endless(_judge(observer, examiner))),
        loop.create_task(_endless(_sample(observer, is_serving))),
    ]
    try:
        await observer.catch_up()
        await server.serve([listener])
    finally:
        for task in tasks:
            task.cancel()
        if observer.webhook is not None:
            observer.webhook.close()
        loop.remove_reader(child.channel.fileno())
        intake.close(loop)


def _obey(child: Child, server: Server, examinations: Examinations, examiner: Examiner, observer: Observer) -> None:
    try:
        message = child.channel.receive()
    except ChannelClosed:
        # End of file stays readable: asked again, it would keep the loop spinning until the server has stopped.
        asyncio.get_running_loop().remove_reader(child.channel.fileno())
        server.stop()
        return
    if isinstance(message, Stop):
        server.stop()
    elif isinstance(message, Examined):
        examinations.answered(message)
    elif isinstance(message, Examine):
        examiner.take(message, time.monotonic())
    elif isinstance(message, Reconfigure):
        observer.reconfigure(message.settings)
        _send_alerts_to(message.settings.alerts.webhook_url, observer)
    elif message is not None:
        log.error("the supervisor sent %s, which is not for the control plane", type(message).__name__)


def _send_alerts_to(url: str, observer: Observer) -> None:
    """Send alerts to this address from now on; to nobody where it is empty."""
    if observer.webhook is not None:
        observer.webhook.redirect(url)
    elif url:
        observer.webhook = Webhook(url)
        observer.add_reader(observer.webhook)
        for alert in observer.untold:
            observer.webhook.alert(alert)
        observer.untold = []


async def _beat(child: Child, interval_s: float) -> None:
    """Tell the supervisor that this loop turns: as a task of it, so that one which is blocked is silent."""
    while True:
        try:
            if child.channel.wants_flush:
                # A supervisor that does not read needs no more than lies there already.
                child.channel.flush()
            else:
                child.channel.send(Beat())
        except ChannelClosed:
            # The loop learns of it from the channel itself, and ends in order.
            return
        await asyncio.sleep(interval_s)


async def _endless(work: Coroutine[Any, Any, None]) -> None:
    """Say so if what should never end does: figures that stand still must not look like figures."""
    try:
        await work
    except Exception:
        log.exception("the control plane cannot go on")
        # The supervisor starts another; frames do not notice.
        os._exit(os.EX_SOFTWARE)


async def _judge(observer: Observer, examiner: Examiner) -> None:
    while True:
        observer.sample(time.monotonic())
        examiner.pass_time(time.monotonic())
        await asyncio.sleep(JUDGE_INTERVAL_S)


async def _sample(observer: Observer, is_serving: asyncio.Event) -> None:
    await is_serving.wait()
    has_interval = False
    while True:
        observer.interest.clear()
        observer.system.sample()
        presence = observer.collector.presence(time.monotonic())
        pids = {service.name: service.pid for service in presence.services if service.pid is not None}
        # In a thread: the kernel walks the pages of every process, which takes it some milliseconds each.
        await asyncio.to_thread(observer.processes.sample, pids)
        observer.sampled_processes(time.monotonic())
        # Not at equal intervals: what comes and goes in step with them would look like growth.
        await asyncio.sleep(PROCESSES_INTERVAL_S * random.uniform(0.75, 1.25))  # noqa: S311 - nobody is kept out by it
        with contextlib.suppress(TimeoutError):
            # The second sample is the first that tells of processor time.
            await asyncio.wait_for(observer.interest.wait(), PROCESSES_QUIET_S if has_interval else 0)
        has_interval = True
