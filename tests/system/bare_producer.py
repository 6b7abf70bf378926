"""A producer written from PROTOCOL.md alone, with pyzmq and msgpack only.

`bare_producer.py ENDPOINT JPEG SIDE OUT [SERVER_KEY KEY_FILE]` writes a thumbnail to OUT and what the daemon said of it
to standard output, as JSON. Over TCP it needs the daemon's public key, and the file of its own secret one.
"""

import json
import sys
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import zmq

endpoint, source, side, target, *keys = sys.argv[1:]
context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.setsockopt(zmq.LINGER, 0)
socket.setsockopt(zmq.RCVTIMEO, 10_000)
if keys:
    secret_key = Path(keys[1]).read_bytes().strip()
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys[0].encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret_key)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret_key))
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
