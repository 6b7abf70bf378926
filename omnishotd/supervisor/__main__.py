"""Entry of the supervisor; started by `omnishotd serve`, which has read and checked the configuration.

python -P -m omnishotd.supervisor --settings-fd N [--ready-fd N] [--log-format auto|text|json]
"""

import argparse
import os
import sys

import msgspec

from ipc.logs import start_logging
from ipc.settings import Settings
from omnishotd.supervisor.instance import Instance, StartupError, listen
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.process import Supervisor


def main() -> None:
    """Run the daemon and exit with its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings-fd", type=int, required=True, help="holds the settings, as MessagePack")
    parser.add_argument("--ready-fd", type=int, help="gets one byte, R, when the daemon serves")
    parser.add_argument("--log-format", choices=["auto", "text", "json"], default="auto")
    options = parser.parse_args()
    with os.fdopen(options.settings_fd, "rb") as source:
        source.seek(0)
        settings = msgspec.msgpack.decode(source.read(), type=Settings)
    json_logs = options.log_format == "json" or (options.log_format == "auto" and not sys.stderr.isatty())
    start_logging("supervisor", json=json_logs)
    if options.ready_fd is not None:
        os.set_inheritable(options.ready_fd, False)
    sys.exit(_run(settings, json_logs=json_logs, ready_fd=options.ready_fd))


def _run(settings: Settings, *, json_logs: bool, ready_fd: int | None) -> int:
    notifier = Notifier.from_environment()
    try:
        instance = Instance(settings)
        listener = listen(settings.control.host, settings.control.port)
        supervisor = Supervisor(settings, instance, listener, notifier, json_logs=json_logs, ready_fd=ready_fd)
        exit_status = supervisor.run()
    except StartupError as error:
        print(f"omnishotd: {error.reason}", file=sys.stderr)  # noqa: T201 - for a person, not for a log
        return error.exit_status
    instance.remove_sockets()
    return exit_status


if __name__ == "__main__":
    main()
