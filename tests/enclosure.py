"""A mount namespace for one command: what it finds in fixed places of the host can be made small, full or missing.

A user namespace comes with it, so that nobody need be root.
"""

from collections.abc import Sequence


def behind(*mounts: str, process_table: bool = False) -> Sequence[str]:
    """Return what to put before a command so that it runs after these shell commands, in a namespace of its own.

    The command takes the shell's place and keeps its process number; with `process_table` it gets a process table of
    its own as well, is number 1 in it, and is the child of the process that was started.
    """
    script = " && ".join([*mounts, 'exec "$@"'])
    own_table = ["--pid", "--fork"] if process_table else []
    return ["unshare", "--map-root-user", "--mount", *own_table, "sh", "-c", script, "sh"]
