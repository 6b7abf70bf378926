"""A producer of the same name as another: `second_producer.py ENDPOINT UID` sends its request as that user.

Always the same client, id and picture. Prints the reply's header as JSON.
"""

import json
import os
import sys

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import zmq

endpoint, uid = sys.argv[1], int(sys.argv[2])
# Only now: another user may not be able to read the modules.
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)

pixels = {"format": "raw", "width": 64, "height": 64, "layout": "GRAY"}
request = {"v": 1, "id": "f", "client": "camera", "input": pixels, "outputs": [{"quality": 85}]}
with zmq.Context() as context, context.socket(zmq.DEALER) as producer:
    producer.setsockopt(zmq.LINGER, 0)
    producer.setsockopt(zmq.RCVTIMEO, 10_000)
    producer.connect(endpoint)
    producer.send_multipart([msgpack.packb(request), bytes(64 * 64)])
    sys.stdout.write(json.dumps(msgpack.unpackb(producer.recv_multipart()[0])))
