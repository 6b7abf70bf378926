"""A producer that lends frames as another user: `lending_producer.py ENDPOINT UID`, until its standard input ends.

Checks each picture's number. Says `serving` after the first, and at the end, as JSON, how many came back and what did
not.
"""

import json
import os
import select
import sys
from concurrent.futures import Future
from multiprocessing import resource_tracker

from omnishotd.client import Client, OmnishotError, Output, Resize, Result
from tests.numbered import number_of_jpeg, numbered_pixels

IN_FLIGHT = 4
endpoint, uid = sys.argv[1], int(sys.argv[2])
frames = [numbered_pixels(number, 320, 240) for number in range(50)]
# ORDER: another user may not be able to read the modules, nor to start the interpreter.
resource_tracker.ensure_running()
with Client(endpoint) as client:
    client.ping()
    with client.lend(frames[0].nbytes, count=1) as lent:
        lent.image(frames[0]).release()
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)

served = 0
failures: list[str] = []
output = Output(Resize(96, 64, fit="fill"), quality=90)
with Client(endpoint, timeout_s=15) as client, client.lend(frames[0].nbytes, count=IN_FLIGHT) as lent:
    waiting: list[tuple[int, Future[Result]]] = []
    is_over = False
    while waiting or not is_over:
        is_over = is_over or bool(select.select([sys.stdin], [], [], 0)[0])
        if not is_over:
            number = (served + len(waiting)) % len(frames)
            waiting.append((number, client.submit(lent.image(frames[number]), outputs=output)))
        if len(waiting) == IN_FLIGHT or is_over:
            number, future = waiting.pop(0)
            try:
                got = number_of_jpeg(future.result().outputs[0].data)
                if got != number:
                    failures.append(f"{got} in place of {number}")
            except (OmnishotError, ValueError) as error:
                failures.append(repr(error))
            served += 1
            if served == 1:
                sys.stdout.write("serving\n")
                sys.stdout.flush()
sys.stdout.write(json.dumps({"served": served, "failures": failures}))
