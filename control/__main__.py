"""Start of the control plane's process, by the supervisor: `python -P -m control NAME --channel FD`."""

import sys

from ipc.child import begin, leave


def main() -> int:
    """Begin as a child, then serve."""
    child = begin(sys.argv)
    # Imported here: from now on a Ctrl-C on the terminal cannot hit a process that is still importing.
    from control.process import run  # noqa: PLC0415

    return run(child)


if __name__ == "__main__":
    leave(main())
