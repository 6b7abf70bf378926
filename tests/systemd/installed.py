"""The installed service, as its administrator and its producers see it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from omnishotd.client import Client
from tests.systemd.host import Host
from tests.waiting import eventually

UNIT: Final = "omnishotd.service"
RUNTIME: Final = "/run/omnishotd"
CONFIGURATION: Final = "/etc/omnishotd/omnishotd.toml"
DROP_IN: Final = "/etc/systemd/system/omnishotd.service.d/test.conf"
SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - the kernel's fixed place of it
GROUP: Final = "omnishotd-producers"
PYTHON: Final = "/opt/omnishotd/bin/python"
TOKEN: Final = "/etc/omnishotd/token"  # noqa: S105 - its file
ASK: Final = """
import pathlib, sys, urllib.error, urllib.request
url, token = sys.argv[1:]
headers = {"Authorization": "Bearer " + pathlib.Path(token).read_text().strip()} if token else {}
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


class Installed:
    """The service on its machine."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._example = self.file(CONFIGURATION).read_text()

    def file(self, path: str) -> Path:
        """Return where a file of the machine is found from outside."""
        return self.host.path(path)

    def client(self, **options: Any) -> Client:
        """Connect as root, from outside: only the network is another, and a unix socket is a file."""
        return Client(f"ipc://{self.host.path(RUNTIME)}/frames.sock", **options)

    def main_pid(self) -> int:
        """Return the supervisor's number inside."""
        return int(self.host.show(UNIT, "MainPID")[0])

    def start(self) -> None:
        """Start the service. If it cannot be started, say what its log says."""
        try:
            self.host.run("systemctl", "start", UNIT)
        except AssertionError as error:
            lines = "\n".join(line["MESSAGE"] for line in self.log()[-40:])
            raise AssertionError(f"{error}\n{lines}") from None

    def command(self, pid: int) -> str:
        """Return a process's command line, by its number inside."""
        return self.host.run("cat", f"/proc/{pid}/cmdline").replace("\0", " ")

    def log(self) -> list[dict[str, Any]]:
        """Return what the service itself has said, from the journal."""
        return [line for line in self.host.journal(UNIT) if line.get("_TRANSPORT") == "stdout"]

    def status_text(self) -> str:
        """Return what the daemon last said of itself."""
        return self.host.show(UNIT, "StatusText")[0]

    def configure(self, change: Callable[[str], str]) -> None:
        """Change the configuration, from what was installed."""
        self.file(CONFIGURATION).write_text(change(self._example))

    def drop_in(self, lines: str) -> None:
        """Change the unit, and start the service anew."""
        file = self.file(DROP_IN)
        file.parent.mkdir(exist_ok=True)
        file.write_text(lines)
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", UNIT)

    def forget_changes(self) -> bool:
        """Put configuration and unit back as they were installed. False if that changes nothing."""
        is_changed = self.file(CONFIGURATION).read_text() != self._example
        self.configure(lambda text: text)
        if self.file(DROP_IN).exists():
            is_changed = True
            self.file(DROP_IN).unlink()
            self.host.run("systemctl", "daemon-reload")
        return is_changed

    def wait_for_another(self, pid: int) -> int:
        """Wait until the service serves again in another process; return its number."""

        def another() -> int:
            state, text, now = self.host.show(UNIT, "ActiveState", "StatusText", "MainPID")
            return int(now) if state == "active" and int(now) != pid and text.startswith("serving") else 0

        return eventually(another, within_s=20.0, what="the service serves again")

    def ask(self, path: str, *, with_token: bool) -> tuple[int, Any]:
        """Ask the control plane from inside; return status and body."""
        said = self.host.run(PYTHON, "-P", "-c", ASK, f"http://127.0.0.1:3000{path}", TOKEN if with_token else "")
        status, _, body = said.partition(" ")
        return int(status), json.loads(body)
