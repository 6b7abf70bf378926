"""A producer written from PROTOCOL.md alone: `bare_producer.py ENDPOINT JPEG SIDE OUT`, with pyzmq and msgpack only.

Writes a thumbnail to OUT and what the daemon said of it to standard output, as JSON.
"""

import json
import sys
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import zmq

endpoint, source, side, target = sys.argv[1:]
context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.setsockopt(zmq.LINGER, 0)
socket.setsockopt(zmq.RCVTIMEO, 10_000)
socket.connect(endpoint)

resize = {"op": "resize", "width": int(side), "height": int(side)}
request = {"v": 1, "id": "bare-1", "outputs": [{"operations": [resize], "format": "jpeg", "quality": 85}]}
socket.send_multipart([msgpack.packb(request), Path(source).read_bytes()])
header, *pictures = socket.recv_multipart()

reply = msgpack.unpackb(header)
sys.stdout.write(json.dumps(reply))
socket.close()
context.term()
if reply["status"] != "ok":
    sys.exit(f"{reply['error']['code']}: {reply['error']['message']}")
Path(target).write_bytes(pictures[0])
