"""Entry of the broker's process; started by the supervisor."""

import gc
import os
import sys

import zmq

from ipc.channel import ChannelClosed
from ipc.child import begin
from ipc.messages import Ready, Unable
from ipc.sockets import make_context
from omnishotd.broker.process import BrokerProcess

EXIT_ADDRESS_TAKEN = 69
COLLECT_AFTER = 50_000


def main() -> None:
    """Serve until the supervisor says stop, or is gone."""
    child = begin(sys.argv)
    # As in `stages.worker`: the broker does not interrupt a worker in mid-picture, and finds several messages at once.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with make_context() as context:
        try:
            process = BrokerProcess(child.start, child.channel, context)
        except zmq.ZMQError as error:
            endpoints = ", ".join(child.start.settings.frames.endpoints)
            child.channel.send(Unable(f"cannot listen on {endpoints}: {error}", EXIT_ADDRESS_TAKEN))
            sys.exit(EXIT_ADDRESS_TAKEN)
        # What was made so far lives as long as the process: the collector need not walk it again and again.
        gc.freeze()
        # Frames hold no cycles: they go when they are let go of. Looking for cycles among ten thousand remembered
        # replies every few hundred allocations would be time for nothing.
        gc.set_threshold(COLLECT_AFTER, 50, 50)
        child.channel.send(Ready(", ".join(child.start.settings.frames.endpoints)))
        try:
            process.run()
        except ChannelClosed:
            pass
        finally:
            process.close()


if __name__ == "__main__":
    main()
