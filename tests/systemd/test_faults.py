"""What systemd does when the service is frozen, killed or given another configuration."""

import re
import threading

import pytest

from omnishotd.client import Client
from tests.numbered import numbered_jpeg
from tests.systemd.installed import RUNTIME, SHARED_MEMORY, UNIT, Installed
from tests.waiting import eventually

PICTURE = numbered_jpeg(7, 640, 480)


def side_of_thumbnail(client: Client) -> int:
    """Ask for the preset of the example, which makes squares; return how large they are now."""
    (output,) = client.process(PICTURE, preset="thumbnail").outputs
    assert output.width == output.height
    return output.width


def thumbnails_of(side: int) -> str:
    """Write the preset of the example in another size."""
    return f'width = {side}, height = {side} }}], format = "jpeg"'


EXAMPLE = thumbnails_of(300)


def test_frozen_supervisor_is_aborted_and_another_serves(service: Installed) -> None:
    assert service.host.show(UNIT, "WatchdogUSec") == ["10s"]
    # For the test's own haste.
    service.drop_in("[Service]\nWatchdogSec=2s\n")
    pid = service.main_pid()
    before = service.host.pids(UNIT)
    service.host.run("kill", "-STOP", str(pid))
    another = service.wait_for_another(pid)
    told = [line["MESSAGE"] for line in service.host.journal(UNIT)]

    assert any("Watchdog timeout" in line for line in told)
    assert any(re.search(r"Main process exited, code=(killed|dumped), status=6/ABRT", line) for line in told)
    assert not set(before) & set(service.host.pids(UNIT))
    assert service.host.show(UNIT, "NRestarts") == ["1"]
    with service.client() as client:
        assert side_of_thumbnail(client) == 300
    assert another == service.main_pid()


def test_log_says_where_a_frozen_loop_stood(service: Installed) -> None:
    """What the interpreter writes of an abort has no priority of its own, and is an error."""
    service.host.run("kill", "-ABRT", str(service.main_pid()))

    def traceback() -> list[str]:
        lines = [line for line in service.log() if line["PRIORITY"] == "3"]
        return [line["MESSAGE"] for line in lines if "/omnishotd/supervisor/watch.py" in line["MESSAGE"]]

    assert eventually(traceback, within_s=10.0, what="the traceback is in the journal")


def test_killed_supervisor_takes_all_with_it_and_another_serves(service: Installed) -> None:
    pid = service.main_pid()
    before = service.host.pids(UNIT)
    service.host.run("kill", "-KILL", str(pid))
    service.wait_for_another(pid)

    assert not set(before) & set(service.host.pids(UNIT))
    assert list(service.file(SHARED_MEMORY).iterdir()) == []
    with service.client() as client:
        assert side_of_thumbnail(client) == 300


def test_service_that_ends_too_often_is_left_alone(service: Installed) -> None:
    service.drop_in("[Unit]\nStartLimitBurst=1\n")
    service.host.run("kill", "-KILL", str(service.main_pid()))
    eventually(
        lambda: service.host.show(UNIT, "ActiveState") == ["failed"], within_s=10.0, what="systemd has given it up"
    )

    assert service.host.pids(UNIT) == []
    assert not service.file(RUNTIME).exists()


def test_reload_takes_over_a_preset_and_tells_what_needs_a_restart(service: Installed) -> None:
    pid = service.main_pid()
    with service.client() as client:
        before = side_of_thumbnail(client)
        service.configure(
            lambda text: text.replace(EXAMPLE, thumbnails_of(100)).replace("[memory]", "[memory]\narena_mb = 300")
        )
        service.host.run("systemctl", "reload", UNIT)
        eventually(lambda: side_of_thumbnail(client) == 100, within_s=5.0, what="the new preset is in force")
    told = [(line["PRIORITY"], line["MESSAGE"]) for line in service.log()][-2:]

    assert before == 300
    assert service.main_pid() == pid
    assert service.host.show(UNIT, "ActiveState") == ["active"]
    assert service.status_text().endswith("; a restart is needed for memory.arena_mb")
    assert told == [
        ("6", "INFO    supervisor configuration read again; changed: presets"),
        ("4", "WARNING supervisor these have changed and need a restart: memory.arena_mb"),
    ]


def test_reload_of_a_wrong_configuration_changes_nothing_and_says_why(service: Installed) -> None:
    service.configure(lambda text: text.replace(EXAMPLE, thumbnails_of(100)).replace("[memory]", "[memory]\nspeed = 2"))
    service.host.run("systemctl", "reload", UNIT)
    eventually(lambda: "refused" in service.status_text(), within_s=5.0, what="the configuration is refused")
    error = service.log()[-1]
    with service.client() as client:
        side = side_of_thumbnail(client)

    assert side == 300
    assert "new configuration refused: memory.speed: unknown key" in service.status_text()
    assert error["PRIORITY"] == "3"
    assert "configuration refused, the old one stays: memory.speed: unknown key" in error["MESSAGE"]
    assert service.host.show(UNIT, "ActiveState") == ["active"]


@pytest.mark.timeout(60)
def test_stop_in_the_middle_of_a_reload_is_an_ordered_stop(service: Installed) -> None:
    with service.client() as client:
        side_of_thumbnail(client)
        reloading = threading.Thread(target=service.host.run, args=["kill", "-HUP", str(service.main_pid())])
        reloading.start()
        service.host.run("systemctl", "stop", UNIT)
        reloading.join()

    assert service.host.show(UNIT, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
    assert service.host.pids(UNIT) == []
