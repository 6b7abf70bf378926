"""What the client does to the process it is in: what it loads, and what a fork makes of it."""

import json
import subprocess
import sys

from tests.omnishotd.client.scripted_daemon import ScriptedDaemon, echo

LOADED = """
import json, sys
from omnishotd.client import Client, Output, Resize
with Client(sys.argv[1]) as client:
    assert client.process(b"frame", outputs=Output(Resize(300, 300))).outputs[0].data == b"frame"
print(json.dumps(sorted(name for name in sys.modules if "." not in name or name.startswith(("ipc", "omnishotd")))))
"""

FORKED = """
import os, sys
from omnishotd.client import Client, ForkedClient
client = Client(sys.argv[1])
client.ping()
if (pid := os.fork()) == 0:
    for use in (client.ping, client.info, lambda: client.submit(b"x", preset="p"), lambda: client.cancel("a")):
        try:
            use()
        except ForkedClient as error:
            assert f"used by {os.getpid()}: make a client in each process" in str(error)
        else:
            sys.exit(3)
    client.close()
    with Client(sys.argv[1]) as own:
        own.ping()
    sys.exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert client.process(b"after", preset="p").outputs[0].data == b"after"
sys.exit(status)
"""

FORGOTTEN = """
import sys
from omnishotd.client import Client
client = Client(sys.argv[1])
client.ping()
pending = client.submit(b"x", preset="p")
"""


def run(program: str, played: ScriptedDaemon) -> str:
    """Run a program in a fresh interpreter; it must end well and say nothing about it."""
    command = [sys.executable, "-P", "-W", "error", "-c", program, played.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_fresh_process_loads_neither_numpy_nor_anything_of_the_server(played: ScriptedDaemon) -> None:
    played.answer = echo
    loaded = set(json.loads(run(LOADED, played)))

    assert not loaded & {"numpy", "cv2", "PIL", "simplejpeg", "msgspec", "pydantic", "psutil", "starlette", "click"}
    assert {name for name in loaded if name.startswith("ipc")} == {"ipc", "ipc.errors", "ipc.keys", "ipc.secret"}
    assert not {name for name in loaded if name.startswith(("stages", "control"))}
    ours = {name for name in loaded if name.startswith("omnishotd.") and not name.startswith("omnishotd.client")}
    assert ours == {"omnishotd.runtime"}


def test_forked_process_is_told_to_make_its_own_and_the_parents_goes_on(played: ScriptedDaemon) -> None:
    played.answer = echo
    run(FORKED, played)


def test_program_that_forgets_to_close_ends_all_the_same(played: ScriptedDaemon) -> None:
    run(FORGOTTEN, played)
