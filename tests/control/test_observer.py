"""The observer: what is kept comes back, what is new is told once, and a failure to keep is no end."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from control.alerts import Alert
from control.archive import Archive
from control.chronicle import EventNote
from control.observer import CATCH_UP_S, Observer
from ipc.telemetry import SupervisorTelemetry
from tests.control.support import make_broker, make_frames, make_settings, make_supervisor, make_worker


class Reader:
    """Who is told of what is new."""

    def __init__(self) -> None:
        self.changes = 0
        self.notes: list[EventNote] = []
        self.alerts: list[Alert] = []

    def event(self, note: EventNote) -> None:
        self.notes.append(note)

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def services_changed(self) -> None:
        self.changes += 1


@pytest.fixture
def descriptor() -> Iterator[int]:
    descriptor = os.memfd_create("archive-of-test")
    yield descriptor
    os.close(descriptor)


def known(descriptor: int) -> int:
    """How many frames an observer after this one knows of."""
    after = Observer(make_settings(), Archive(descriptor))
    after.restore()
    return after.collector.pipeline(0).sums.frames.completed


def test_figures_of_the_broker_are_kept_as_soon_as_they_are_told(descriptor: int) -> None:
    observer = Observer(make_settings(), Archive(descriptor))
    for sequence in (1, 2):
        observer.take(make_broker(make_frames(completed=sequence * 10), sequence=sequence), sequence)
        assert known(descriptor) == sequence * 10


def test_archive_that_fails_once_is_written_to_again(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    observer = Observer(make_settings(), Archive(descriptor))
    observer.take(make_broker(make_frames(completed=10), sequence=1), 1)

    def fail(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "write", fail)
        observer.take(make_broker(make_frames(completed=20), sequence=2), 2)
    assert known(descriptor) == 10
    observer.take(make_broker(make_frames(completed=30), sequence=3), 3)
    assert known(descriptor) == 30


def test_archive_that_holds_anything_else_is_left_aside(descriptor: int) -> None:
    Archive(descriptor).write(b"no record")

    assert known(descriptor) == 0


def test_change_of_a_services_state_is_told_once() -> None:
    observer, reader = Observer(make_settings()), Reader()
    observer.add_reader(reader)
    told: list[SupervisorTelemetry] = [make_supervisor(), make_supervisor(2), make_supervisor(3, decode_0="backoff")]
    for message in told:
        observer.take(message, 1)

    assert reader.changes == 2


def test_observer_with_a_record_begins_when_those_who_lived_have_spoken(descriptor: int) -> None:
    before = Observer(make_settings(), Archive(descriptor))
    before.take(make_broker(make_frames(completed=10)), 1)
    before.take(make_worker("decode-0"), 1)
    before.sample(1)

    async def begin() -> float:
        after = Observer(make_settings(), Archive(descriptor))
        after.restore()
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, after.take, make_broker(make_frames(completed=11), sequence=2), 2)
        loop.call_later(0.04, after.take, make_worker("decode-0", sequence=2), 2)
        began_s = loop.time()
        await after.catch_up()
        assert after.collector.pipeline(2).sums.frames.completed == 11
        return loop.time() - began_s

    assert 0.03 < asyncio.run(begin()) < CATCH_UP_S


def test_observer_with_nothing_kept_begins_at_once() -> None:
    asyncio.run(asyncio.wait_for(Observer(make_settings()).catch_up(), 0.01))
