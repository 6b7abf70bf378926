"""Reading the configuration again, by real readers of real files."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipc.settings import Settings
from omnishotd.config import resolve
from omnishotd.supervisor import reader
from omnishotd.supervisor.changes import Changes
from omnishotd.supervisor.reader import Reader, Refusal
from omnishotd.supervisor.reload import Reload
from tests.enclosure import behind
from tests.waiting import eventually

WITHIN_S = 15.0


class Daemon:
    """What a reload changes: notes what it is told."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self.begun = 0
        self.ended: list[tuple[Changes | None, str]] = []
        self.reload = Reload(arguments, settings, self._began, self._ended)

    def wait_for(self, count: int) -> None:
        """Turn the loop until so many reloads have ended."""

        def turned() -> bool:
            self.reload.offer(time.monotonic())
            return len(self.ended) >= count and self.reload.due_in_ms() is None

        eventually(turned, within_s=WITHIN_S, what=f"{count} reloads have ended")

    def _began(self) -> None:
        self.begun += 1

    def _ended(self, changes: Changes | None, note: str) -> None:
        self.ended.append((changes, note))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration that says nothing."""
    empty = tmp_path / "omnishotd.toml"
    empty.write_text("")
    return empty


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A configuration that is never read to its end, nor even opened: a pipe into which nobody writes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    return pipe


@pytest.fixture
def start(file: Path) -> Iterator[Callable[[], Daemon]]:
    """Starts what reloads this file."""
    started = []

    def begun() -> Daemon:
        settings = resolve(file, os.environ)
        started.append(Daemon(settings, "serve", "--config", str(file)))
        return started[-1]

    yield begun
    for daemon in started:
        daemon.reload.close()


def read_to_the_end(reading: Reader) -> Settings | Refusal:
    """Wait for what a reader has to tell."""
    outcome = eventually(lambda: reading.outcome(time.monotonic()), within_s=WITHIN_S, what="the reader has ended")
    assert outcome is not None
    return outcome


def test_reader_gives_the_settings_that_a_start_would_have(file: Path) -> None:
    file.write_text("[pipeline]\nqueue_limit = 7\n")

    assert read_to_the_end(Reader(["serve", "--config", str(file), "--port", "4000"])) == resolve(
        file, os.environ, ["control.port=4000"]
    )


def test_reader_tells_each_fault_in_a_line_of_its_own(file: Path) -> None:
    file.write_text("[pipeline]\nqueue_limit = 0\nspeed = 1\n")

    assert read_to_the_end(Reader(["serve", "--config", str(file)])) == Refusal(
        [
            f"pipeline.queue_limit: is 0, must be at least 1 ({file})",
            f"pipeline.speed: unknown key ({file})",
        ]
    )


def test_reader_that_ends_without_a_word_is_a_refusal() -> None:
    assert read_to_the_end(Reader(["serve", "--help"])) == Refusal(
        ["what was read is not settings: Input data was truncated"]
    )


FIRST_PROCESS = """
import os, sys, time
from omnishotd.supervisor.reader import Reader
reader = Reader(["serve", "--config", os.devnull])
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
print(os.getpid(), type(reader.outcome(time.monotonic())).__name__)
"""


def test_reader_of_a_supervisor_that_is_the_first_process_of_a_container_reads() -> None:
    ended = subprocess.run(
        [*behind(process_table=True), sys.executable, "-P", "-c", FIRST_PROCESS],
        capture_output=True,
        check=True,
        text=True,
        timeout=WITHIN_S,
    )

    assert ended.stdout == "1 Settings\n"


def lowest_free() -> int:
    """Return the number that the next open file gets."""
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


def test_reader_that_cannot_have_its_memory_leaves_no_file_open() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = lowest_free()
    # Room for the first of two.
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Reader(["serve"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert lowest_free() == lowest


@pytest.mark.timeout(30)
def test_reader_that_takes_too_long_is_ended(endless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "READ_TIMEOUT_S", 0.5)

    assert read_to_the_end(Reader(["serve", "--config", str(endless)])) == Refusal(
        ["the configuration was not read within 0.5 s"]
    )


def test_reload_hands_on_what_has_changed_and_compares_with_it_the_next_time(
    start: Callable[[], Daemon], file: Path
) -> None:
    daemon = start()
    file.write_text("[alerts]\nqueue_length = 7\n[memory]\narena_mb = 300\n")
    for count in (1, 2):
        daemon.reload.begin()
        daemon.wait_for(count)
    (first, note), (second, _) = daemon.ended

    assert first is not None
    assert second is not None
    assert (first.applied, first.waiting, first.settings.alerts.queue_length) == (
        ["alerts.queue_length"],
        ["memory.arena_mb"],
        7,
    )
    assert note == "a restart is needed for memory.arena_mb"
    assert (second.applied, second.waiting) == ([], ["memory.arena_mb"])


def test_refused_configuration_changes_nothing_and_is_noted(
    start: Callable[[], Daemon], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = start()
    file.write_text("[alerts]\nqueue_length = -1\nspeed = 2\n[pipeline]\nqueue_limit = 7\n")
    daemon.reload.begin()
    daemon.wait_for(1)

    assert daemon.ended == [
        (None, f"new configuration refused: alerts.queue_length: is -1, must be at least 0 ({file}) and 1 more")
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"configuration refused, the old one stays: alerts.queue_length: is -1, must be at least 0 ({file})",
        f"configuration refused, the old one stays: alerts.speed: unknown key ({file})",
    ]


def test_reloads_asked_for_while_one_reads_are_one_more(start: Callable[[], Daemon]) -> None:
    daemon = start()
    for _ in range(10):
        daemon.reload.begin()
    daemon.wait_for(2)

    assert (daemon.begun, len(daemon.ended)) == (2, 2)


def test_reload_that_is_asked_for_before_the_end_is_not_begun(start: Callable[[], Daemon]) -> None:
    daemon = start()
    daemon.reload.begin()
    daemon.reload.begin()
    daemon.reload.forget()
    daemon.wait_for(1)

    assert (daemon.begun, len(daemon.ended)) == (1, 1)


def test_loop_may_sleep_while_nothing_is_read(start: Callable[[], Daemon]) -> None:
    daemon = start()
    before = daemon.reload.due_in_ms()
    daemon.reload.begin()
    during = daemon.reload.due_in_ms()
    daemon.wait_for(1)

    assert (before, daemon.reload.due_in_ms()) == (None, None)
    assert during is not None


@pytest.mark.timeout(30)
def test_end_in_the_middle_of_a_reload_leaves_no_process_behind(endless: Path) -> None:
    """The fixture for all tests looks for it."""
    daemon = Daemon(resolve(Path(os.devnull), os.environ), "serve", "--config", str(endless))
    daemon.reload.begin()
    daemon.reload.close()

    assert daemon.reload.due_in_ms() is None
