"""The unit under a real systemd: how it starts, who may talk to it, what it may do, and how it ends."""

import json
import re
import stat
from collections import Counter

from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.systemd.installed import CONFIGURATION, GROUP, PYTHON, RUNTIME, SHARED_MEMORY, TOKEN, UNIT, Installed
from tests.waiting import eventually

LOADED = 100
OUTPUT = {"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}
HEAVY = {"operations": [{"op": "resize", "width": 1600, "height": 1200, "fit": "fill"}], "quality": 90}
"""A third of a hundred such frames takes longer than to say stop."""
SEND = """
import sys
from omnishotd.client import Client
with Client("ipc:///run/omnishotd/frames.sock") as client:
    print(client.ping(float(sys.argv[1])))
"""


def process_status(service: Installed, pid: int, name: str) -> str:
    """Read a line of what the kernel says of a process, by its number inside."""
    lines = service.host.run("cat", f"/proc/{pid}/status").splitlines()
    return next(line.split(None, 1)[1] for line in lines if line.startswith(f"{name}:"))


def workers(service: Installed) -> list[int]:
    """List the stage workers, by their numbers inside."""
    return [pid for pid in service.host.pids(UNIT) if "stages.worker" in service.command(pid)]


def test_start_is_over_when_frames_come_through(service: Installed) -> None:
    state = service.host.show(UNIT, "ActiveState")
    with service.client() as client:
        result = client.process(numbered_jpeg(7, 320, 240), outputs=[OUTPUT])

    assert state == ["active"]
    assert re.fullmatch(rf"serving ipc://{RUNTIME}/frames\.sock, (\d+) of \1 workers ready", service.status_text())
    assert number_of_jpeg(result.outputs[0].data) == 7


def test_only_the_producers_socket_is_open_to_the_producers_group(service: Installed) -> None:
    group = int(service.host.run("getent", "group", GROUP).split(":")[2])
    runtime = service.file(RUNTIME).stat()
    files = {file.name: file.stat() for file in service.file(RUNTIME).iterdir()}
    sockets = {name for name, status in files.items() if stat.S_ISSOCK(status.st_mode)}

    assert (stat.S_IMODE(runtime.st_mode), runtime.st_gid) == (0o710, group)
    assert sockets == {"frames.sock", "work.sock", "work.sock.lent", "telemetry.sock"}
    assert files["frames.sock"].st_gid == group
    assert {name: oct(stat.S_IMODE(status.st_mode)) for name, status in files.items()} == {
        name: "0o660" if name == "frames.sock" else "0o600" for name in files
    }


def test_members_of_the_group_may_send_and_others_may_not(service: Installed) -> None:
    as_member = service.host.run(
        *("setpriv", "--reuid=65534", "--regid=65534", f"--groups={GROUP}", PYTHON, "-P", "-c", SEND, "5")
    )
    as_other = service.host.run(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PYTHON, "-P", "-c", SEND, "0.5"), status=1
    )

    assert "Pong" in as_member
    assert "RequestTimeout" in as_other


def test_operators_show_the_token_that_only_root_can_read(service: Installed) -> None:
    with_token = service.ask("/api/metrics", with_token=True)
    without = service.ask("/api/metrics", with_token=False)
    eventually(lambda: service.ask("/health", with_token=True)[0] == 200, within_s=10.0, what="all have been heard")
    health = service.host.run("omnishotd", "health")
    as_other = service.host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", TOKEN, status=1)

    assert (with_token[0], without[0]) == (200, 401)
    assert health.endswith("\nok\n")
    assert "Permission denied" in as_other


def test_workers_are_shut_in_under_the_unit(service: Installed) -> None:
    def in_force() -> str:
        sandbox = service.ask("/health", with_token=True)[1]["checks"]["sandbox"]
        return json.dumps(sandbox) if sandbox["status"] == "ok" and "landlock" in json.dumps(sandbox) else ""

    told = eventually(in_force, within_s=10.0, what="the sandbox is said to be in force")
    postures = {
        (process_status(service, pid, "NoNewPrivs"), process_status(service, pid, "Seccomp"))
        for pid in workers(service)
    }
    filters = {
        is_worker: {int(process_status(service, pid, "Seccomp_filters")) for pid in pids}
        for is_worker, pids in ((True, workers(service)), (False, [service.main_pid()]))
    }

    assert "seccomp" in told
    assert postures == {("1", "2")}
    assert min(filters[True]) > max(filters[False])


def test_worker_goes_before_the_others_when_memory_runs_out(service: Installed) -> None:
    scores = Counter(
        (service.command(pid).split()[3], int(service.host.run("cat", f"/proc/{pid}/oom_score_adj")))
        for pid in service.host.pids(UNIT)
    )
    by_module = dict(scores.keys())

    assert by_module["stages.worker"] > by_module["control"] > by_module["omnishotd.broker"]
    assert by_module["omnishotd.broker"] > by_module["omnishotd.supervisor"]


def test_shared_memory_of_the_service_is_its_own(service: Installed) -> None:
    pid = service.main_pid()
    size = service.host.run(
        "nsenter", f"--target={pid}", "--mount", "stat", "--file-system", "--format=%S %b", SHARED_MEMORY
    )
    block_bytes, blocks = map(int, size.split())
    names = service.host.run("nsenter", f"--target={pid}", "--mount", "ls", "-A", SHARED_MEMORY)

    assert block_bytes * blocks == 320 << 20
    assert names == ""
    assert list(service.file(SHARED_MEMORY).iterdir()) == []


def test_nothing_can_be_written_but_the_runtime_directory(service: Installed) -> None:
    pid = service.main_pid()
    written = service.host.run(
        *("nsenter", f"--target={pid}", "--mount", "setpriv", "--reuid=0", "bash", "-c"),
        "for place in / /opt/omnishotd /etc /usr /var; do touch $place/x 2>/dev/null && echo $place; done; true",
    )
    hidden = service.host.run("nsenter", f"--target={pid}", "--mount", "bash", "-c", "ls -A /root /home; true")

    assert written == ""
    assert "/root" in hidden
    assert hidden.count("\n") <= 4


def test_journal_has_priorities_and_one_time_a_line(service: Installed) -> None:
    service.host.run("bash", "-c", f"kill -KILL {workers(service)[0]}")
    eventually(lambda: "is ready again" in str(service.log()), within_s=10.0, what="the worker is ready again")
    lines = service.log()
    priorities = {line["MESSAGE"].split()[0]: line["PRIORITY"] for line in lines}

    assert priorities == {"INFO": "6", "WARNING": "4"}
    assert not [line["MESSAGE"] for line in lines if re.search(r"\d\d:\d\d:\d\d|^[<{]", line["MESSAGE"])]


def test_wrong_configuration_is_told_and_not_tried_again(service: Installed) -> None:
    service.configure(lambda text: text.replace("[memory]", "[memory]\narena_mb = 1\nspeed = 2"))
    service.host.run("systemctl", "restart", UNIT, status=1)
    told = [line for line in service.log() if line["MESSAGE"].startswith("omnishotd: ")][-2:]

    assert service.host.show(UNIT, "ActiveState", "ExecMainStatus", "Result") == ["failed", "78", "exit-code"]
    assert [(line["PRIORITY"], line["MESSAGE"]) for line in told] == [
        ("3", f"omnishotd: memory.arena_mb: is 1, must be at least 16 ({CONFIGURATION})"),
        ("3", f"omnishotd: memory.speed: unknown key ({CONFIGURATION})"),
    ]


def test_arena_that_does_not_fit_is_told_with_the_line_that_makes_room(service: Installed) -> None:
    service.configure(lambda text: text.replace("[memory]", "[memory]\narena_mb = 400"))
    service.host.run("systemctl", "restart", UNIT, status=1)
    (said,) = {line["MESSAGE"] for line in service.log() if line["MESSAGE"].startswith("omnishotd: the arena needs")}
    found = re.search(r"systemd: (TemporaryFileSystem=/dev/shm:size=\d+M)", said)
    assert found is not None
    service.drop_in(f"[Service]\nTemporaryFileSystem=\n{found[1]},mode=1777,noexec\n")

    assert service.status_text().startswith("serving")
    assert service.host.show(UNIT, "ActiveState") == ["active"]


def test_stop_answers_what_was_accepted_and_leaves_nothing(service: Installed) -> None:
    pictures = [numbered_jpeg(number, 1600, 1200) for number in range(LOADED)]
    with service.client(in_flight_max=LOADED + 1) as client:
        futures = [client.submit(picture, outputs=[HEAVY]) for picture in pictures]
        # Behind all of them, so the broker has accepted them by then.
        client.ping()
        done_before = sum(future.done() for future in futures)
        service.host.run("systemctl", "stop", UNIT)
        results = [future.result(10) for future in futures]

    assert done_before < LOADED // 2
    assert [number_of_jpeg(result.outputs[0].data) for result in results] == list(range(LOADED))
    assert service.host.show(UNIT, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
    assert not service.file(RUNTIME).exists()
    assert service.host.pids(UNIT) == []
    assert list(service.file(SHARED_MEMORY).iterdir()) == []
