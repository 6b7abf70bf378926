"""SIGHUP: the configuration is read again, and no frame notices but by what its preset now makes."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from omnishotd.client import Client, Result
from tests.daemon import Daemon
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

FRAMES = 300
RELOADS = 20
SIDES = (64, 96)


def write(file: Path, side: int, more: str = "") -> None:
    """Put a configuration in the place of the old one, as an editor does."""
    new = file.with_suffix(".new")
    operation = f'{{op = "resize", width = {side}, height = {side}, fit = "fill"}}'
    new.write_text(f"[presets.square]\noutputs = [{{operations = [{operation}], quality = 90}}]\n{more}")
    new.replace(file)


def told(daemon: Daemon, words: str) -> int:
    """Count the lines of the log that hold these words."""
    return sum(words in line for line in daemon.log)


def reload(daemon: Daemon, words: str = "configuration read again") -> None:
    """Have the configuration read again, and wait until it has been."""
    before = told(daemon, words)
    daemon.process.send_signal(signal.SIGHUP)
    wait_for_another(daemon, words, before)


def wait_for_another(daemon: Daemon, words: str, before: int) -> None:
    """Wait until more lines of the log hold these words than before."""
    eventually(lambda: told(daemon, words) > before, within_s=20.0, what=f"the log says once more: {words}")


@pytest.mark.timeout(120)
def test_no_frame_is_lost_over_reloads_and_each_fits_one_of_the_presets(
    daemon_with: Callable[..., Daemon], tmp_path: Path
) -> None:
    file = tmp_path / "omnishotd.toml"
    write(file, SIDES[0])
    daemon = daemon_with(config=file)
    results: list[Future[Result]] = []
    with Client(daemon.endpoint) as client:
        for round_number in range(RELOADS):
            write(file, SIDES[(round_number + 1) % 2])
            before = told(daemon, "configuration read again")
            daemon.process.send_signal(signal.SIGHUP)
            while len(results) < FRAMES * (round_number + 1) // RELOADS:
                results.append(client.submit(numbered_jpeg(len(results), 320, 240), preset="square"))
                results[-1].result(20)
            wait_for_another(daemon, "configuration read again", before)
        pictures = [future.result(20).outputs[0] for future in results]

    assert [number_of_jpeg(picture.data) for picture in pictures] == list(range(FRAMES))
    assert {(picture.width, picture.height) for picture in pictures} == {(side, side) for side in SIDES}
    assert daemon.frames_at_rest(FRAMES)["completed"] == FRAMES
    assert told(daemon, "changed: presets") == RELOADS


def test_wrong_configuration_is_refused_as_a_whole(daemon_with: Callable[..., Daemon], tmp_path: Path) -> None:
    file = tmp_path / "omnishotd.toml"
    write(file, SIDES[0])
    daemon = daemon_with(config=file)
    write(file, SIDES[1], '[alerts]\nqueue_length = "many"\nspeed = 1\n')
    reload(daemon, "configuration refused")
    with Client(daemon.endpoint) as client:
        picture = client.process(numbered_jpeg(1, 320, 240), preset="square").outputs[0]

    assert picture.width == SIDES[0]
    assert told(daemon, "configuration refused, the old one stays: alerts.queue_length: must be a whole number") == 1
    assert told(daemon, "configuration refused, the old one stays: alerts.speed: unknown key") == 1
    assert not told(daemon, "configuration read again")


def test_what_needs_a_restart_is_named_in_one_line(daemon_with: Callable[..., Daemon], tmp_path: Path) -> None:
    file = tmp_path / "omnishotd.toml"
    write(file, SIDES[0])
    daemon = daemon_with(config=file)
    write(file, SIDES[0], "[memory]\narena_mb = 300\n[pipeline]\nqueue_limit = 7\nstage_timeout_ms = 4000\n")
    reload(daemon)

    assert told(daemon, "these have changed and need a restart: pipeline.stage_timeout_ms, memory.arena_mb") == 1
    assert eventually(
        lambda: daemon.metrics()["queue"]["frames_max"] == 7, within_s=5.0, what="the control plane has the new limit"
    )


def test_broker_started_after_a_reload_has_the_new_preset(daemon_with: Callable[..., Daemon], tmp_path: Path) -> None:
    file = tmp_path / "omnishotd.toml"
    write(file, SIDES[0])
    daemon = daemon_with(config=file)
    write(file, SIDES[1])
    reload(daemon)
    os.kill(daemon.pids("broker")[0], signal.SIGKILL)
    eventually(lambda: told(daemon, "broker is ready again"), within_s=15.0, what="another broker serves")
    with Client(daemon.endpoint) as client:
        picture = client.process(numbered_jpeg(1, 320, 240), preset="square").outputs[0]

    assert picture.width == SIDES[1]


def test_command_line_keeps_the_last_word_after_a_reload(daemon_with: Callable[..., Daemon], tmp_path: Path) -> None:
    file = tmp_path / "omnishotd.toml"
    write(file, SIDES[0])
    daemon = daemon_with("pipeline.queue_limit=9", config=file)
    write(file, SIDES[0], "[pipeline]\nqueue_limit = 7\n")
    reload(daemon)

    assert told(daemon, "configuration read again; changed: nothing") == 1


def test_many_requests_to_reload_come_to_few_and_the_last_counts(
    daemon_with: Callable[..., Daemon], tmp_path: Path
) -> None:
    file = tmp_path / "omnishotd.toml"
    write(file, SIDES[0])
    daemon = daemon_with(config=file)
    for _ in range(30):
        daemon.process.send_signal(signal.SIGHUP)
    write(file, SIDES[1])
    reload(daemon, "changed: presets")

    assert told(daemon, "configuration read again") < 10
    # None is left, and nothing that reads.
    assert len(daemon.all_pids()) == len({*daemon.pids(""), daemon.process.pid})
