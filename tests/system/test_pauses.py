"""Broker and workers that do not run for a while, as on a machine that was suspended: nobody is blamed for it."""

import os
import select
import signal
from collections.abc import Callable

import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

STAGE_TIMEOUT_S = 2.0
PAUSE_S = 5.0
OUTPUTS = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("is_broker_first", [True, False])
def test_pause_of_broker_and_workers_longer_than_the_time_limit_kills_nobody(
    daemon_with: Callable[..., Daemon], is_broker_first: bool
) -> None:
    daemon = daemon_with(
        f"pipeline.stage_timeout_ms={STAGE_TIMEOUT_S * 1000:.0f}",
        "pipeline.whole_frame_pixels_max=0",
        "supervisor.hang_timeout_ms=60000",
    )
    before = daemon.all_pids()
    [broker] = daemon.pids("broker")
    workers = [pid for stage in ("decode", "transform", "encode") for pid in daemon.pids(stage)]
    pids = [broker, *workers] if is_broker_first else [*workers, broker]
    with Client(endpoint=daemon.endpoint) as client:
        payloads = [numbered_jpeg(number, 3200, 2400) for number in range(24)]
        futures = [client.submit(payload, outputs=OUTPUTS) for payload in payloads]
        eventually(lambda: any(future.done() for future in futures), within_s=20.0, what="the first comes back")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert not all(future.done() for future in futures), "workers are at work when they are stopped"
            descriptors = [os.pidfd_open(pid) for pid in pids]
            ended = select.select(descriptors, [], [], PAUSE_S)[0]
            for descriptor in descriptors:
                os.close(descriptor)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        numbers = [number_of_jpeg(future.result(30.0).outputs[0].data) for future in futures]

    assert not ended
    assert numbers == list(range(24))
    assert any("stood still for" in line for line in daemon.log)
    assert daemon.all_pids() == before
