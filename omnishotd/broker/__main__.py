"""Entry of the broker's process; started by the supervisor."""

import contextlib
import gc
import logging
import os
import sys
from typing import NoReturn

import zmq

from ipc import heap
from ipc.channel import ChannelClosed
from ipc.child import begin, leave
from ipc.messages import Ready, Unable
from ipc.sockets import make_context
from omnishotd.broker.allowance import limit_memory, raise_descriptors
from omnishotd.broker.door import DoorBlocked, DoorUnusable
from omnishotd.broker.process import BrokerProcess

log = logging.getLogger(__name__)

EXIT_ADDRESS_TAKEN = 69
EXIT_OVERRUN = 71
COLLECT_AFTER = 50_000


def main() -> None:
    """Serve until the supervisor says stop, or is gone."""
    child = begin(sys.argv)
    # As in `stages.worker`: the broker does not interrupt a worker in mid-picture, and finds several messages at once.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    descriptors_max = raise_descriptors()
    with make_context() as context:
        try:
            process = BrokerProcess(child.start, child.channel, context, descriptors_max)
        except (DoorUnusable, zmq.ZMQError) as error:
            child.channel.send(Unable(str(error), EXIT_ADDRESS_TAKEN))
            sys.exit(EXIT_ADDRESS_TAKEN)
        with contextlib.suppress(OSError):
            heap.trim()
        # What was made so far lives as long as the process: the collector need not walk it again and again.
        gc.freeze()
        # Frames hold no cycles: they go when they are let go of. Looking for cycles among ten thousand remembered
        # replies every few hundred allocations would be time for nothing.
        gc.set_threshold(COLLECT_AFTER, 50, 50)
        limit_memory(child.start.settings.memory.broker_limit_mb << 20)
        child.channel.send(Ready(", ".join(child.start.settings.frames.endpoints)))
        try:
            process.run()
        except MemoryError:
            _end("memory.broker_limit_mb is used up: a producer sends more than it should, or the limit is too low")
        except DoorBlocked as error:
            _end(f"a producer sends what it should not: {error}")
        except ChannelClosed:
            pass
        finally:
            process.close()


def _end(reason: str) -> NoReturn:
    """End at once, without closing anything in order: it may not be possible. Clients send again what is unanswered."""
    log.critical("%s; starting again", reason)
    logging.shutdown()
    os._exit(EXIT_OVERRUN)


if __name__ == "__main__":
    main()
    leave(0)
