"""Entry of the supervisor; started by `omnishotd serve`, which has read and checked the configuration.

python -P -m omnishotd.supervisor --settings-fd N [--ready-fd N] [--log-format auto|text|json] [-- ARGUMENT...]

The arguments are those with which `omnishotd` reads the same configuration again.
"""

import argparse
import faulthandler
import os
import sys

import msgspec

from ipc.child import leave
from ipc.journal import Priority, for_standard_error
from ipc.logs import start_logging, wants_json
from ipc.settings import Settings
from omnishotd.supervisor.herald import Herald
from omnishotd.supervisor.instance import Instance, StartupError, listen
from omnishotd.supervisor.process import Supervisor


def main() -> None:
    """Run the daemon and exit with its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings-fd", type=int, required=True, help="holds the settings, as MessagePack")
    parser.add_argument("--ready-fd", type=int, help="gets one byte, R, when the daemon serves")
    parser.add_argument("--log-format", choices=["auto", "text", "json"], default="auto")
    parser.add_argument("reader_arguments", nargs="*", help="with which the configuration is read again")
    options = parser.parse_args()
    # A loop that stands still is ended by the service manager with SIGABRT: say where it stood.
    faulthandler.enable()
    with os.fdopen(options.settings_fd, "rb") as source:
        source.seek(0)
        settings = msgspec.msgpack.decode(source.read(), type=Settings)
    if options.ready_fd is not None:
        os.set_inheritable(options.ready_fd, False)
    leave(_run(settings, options))


def _run(settings: Settings, options: argparse.Namespace) -> int:
    json_logs = wants_json(options.log_format)
    start_logging("supervisor", json=json_logs)
    herald = Herald.from_environment(settings.frames.endpoints)
    try:
        instance = Instance(settings)
        listener = listen(settings.control.host, settings.control.port)
        supervisor = Supervisor(
            settings,
            instance,
            listener,
            herald,
            json_logs=json_logs,
            ready_fd=options.ready_fd,
            reader_arguments=options.reader_arguments,
        )
        exit_status = supervisor.run()
    except StartupError as error:
        print(for_standard_error(f"omnishotd: {error.reason}", Priority.ERROR), file=sys.stderr)  # noqa: T201 - for a person, not for a log
        return error.exit_status
    instance.remove_sockets()
    return exit_status


if __name__ == "__main__":
    main()
