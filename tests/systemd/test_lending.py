"""Frames lent to the service: it sees the host's shared memory, reads what it is let into, and leaves it alone."""

import json

import numpy as np
import pytest

from omnishotd.client import BadRequest, Output
from tests.systemd.installed import GROUP, PYTHON, SHARED_MEMORY, UNIT, Installed

SEEN_AT = "/dev/shm-of-host"  # noqa: S108 - where the unit shows it
MEMBER = ("setpriv", "--reuid=65534", "--regid=65534", f"--groups={GROUP}")
LEND = """
import json, os, subprocess, sys
import numpy as np
from omnishotd.client import Client, Output

told = []
with Client("ipc:///run/omnishotd/frames.sock", timeout_s=20) as client, client.lend(120 * 160 * 3, count=2) as lent:
    for number, command in enumerate(sys.argv[1:]):
        if command != "send":
            subprocess.run(command.split(), check=True)
        frame = np.full((120, 160, 3), 50 + number, np.uint8)
        result = client.process(lent.image(frame), outputs=Output(format="raw"))
        assert (result.outputs[0].array() == frame).all()
        (name,) = [name for name in os.listdir("/dev/shm") if name.startswith("omnishotd-lent-")]
        facts = os.stat("/dev/shm/" + name)
        told.append([oct(facts.st_mode & 0o777), facts.st_uid, facts.st_gid])
print(json.dumps(told))
"""
"""Lends a frame at each of its arguments, after having run it as a command, and says whose the segment is."""


def test_member_of_the_group_lends_and_the_segment_stays_his(service: Installed) -> None:
    said = service.host.run(*MEMBER, PYTHON, "-P", "-c", LEND, "send", "send")

    assert json.loads(said) == [["0o640", 65534, 65534]] * 2
    assert list(service.file(SHARED_MEMORY).iterdir()) == []


def test_segment_outlives_a_restart_of_the_service(service: Installed) -> None:
    said = service.host.run(PYTHON, "-P", "-c", LEND, "send", f"systemctl restart {UNIT}", "send")

    assert json.loads(said) == [["0o640", 0, 0]] * 3


def test_segments_of_the_producers_group_are_deleted_when_the_service_stops(service: Installed) -> None:
    for owner in ("65534:65534", f"65534:{GROUP}"):
        name = f"{SHARED_MEMORY}/lent-{owner.partition(':')[2]}"
        service.host.run("bash", "-c", f"echo x > {name} && chown {owner} {name}")
    service.host.run("systemctl", "restart", UNIT)
    left = [file.name for file in service.file(SHARED_MEMORY).iterdir()]
    service.host.run("rm", f"{SHARED_MEMORY}/lent-65534")

    assert left == ["lent-65534"]


def test_service_sees_the_hosts_shared_memory_and_cannot_write_there(service: Installed) -> None:
    enter = ("nsenter", f"--target={service.main_pid()}", "--mount", "bash", "-c")
    service.host.run("bash", "-c", f"echo x > {SHARED_MEMORY}/of-host")
    seen = service.host.run(*enter, f"ls {SEEN_AT}; touch {SEEN_AT}/y 2>&1; true")
    service.host.run("rm", f"{SHARED_MEMORY}/of-host")
    options = service.host.run(*enter, f"grep ' {SEEN_AT} ' /proc/self/mounts").split()[3].split(",")

    assert seen.splitlines()[0] == "of-host"
    assert "Read-only file system" in seen
    assert {"ro", "nosuid"} <= set(options)


@pytest.mark.usefixtures("resource_tracker")
def test_producer_with_another_shared_memory_is_told(service: Installed) -> None:
    frame = np.zeros((8, 8), np.uint8)
    with (
        service.client() as client,
        client.lend(64) as lent,
        pytest.raises(BadRequest, match=r"lent\.segment: there is no 'omnishotd-lent-"),
    ):
        client.process(lent.image(frame), outputs=Output(format="raw"))
