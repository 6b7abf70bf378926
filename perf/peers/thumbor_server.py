"""One thumbor process, which listens on a unix socket, says when it does, and ends when its stdin does.

Run as `python -m perf.peers.thumbor_server CONFIGURATION SOCKET` by the interpreter that has thumbor, and none of our
libraries. Its own command forks processes and has no way to be told to end with who started it.
"""

import json
import sys

import thumbor  # type: ignore[import-not-found]  # it belongs to another interpreter
import thumbor.server  # type: ignore[import-not-found]  # as above
from tornado.ioloop import IOLoop  # type: ignore[import-not-found]  # as above


def main(configuration: str, path: str) -> None:
    """Serve until stdin ends."""
    loop = IOLoop.current()
    loop.add_handler(sys.stdin.fileno(), lambda *_: loop.stop(), IOLoop.READ)
    loop.add_callback(lambda: print(json.dumps({"address": path, "version": thumbor.__version__}), flush=True))
    thumbor.server.main(["--conf", configuration, "--fd", path, "--log-level", "error"])


if __name__ == "__main__":
    main(*sys.argv[1:])
