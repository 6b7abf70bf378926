"""Events are taken once each, however often telemetry repeats them."""

import msgspec

from control.chronicle import NOTES_MAX, Chronicle
from ipc.events import EVENTS_MAX, EventKind, EventLog
from ipc.telemetry import BrokerTelemetry, SupervisorTelemetry
from tests.control.support import make_broker, make_supervisor


def by_supervisor(events: EventLog) -> SupervisorTelemetry:
    return msgspec.structs.replace(make_supervisor(), events=events.latest)


def by_broker(events: EventLog, incarnation: int) -> BrokerTelemetry:
    return make_broker(incarnation=incarnation, events=events.latest)


def test_event_repeated_by_later_messages_is_taken_once() -> None:
    chronicle, events = Chronicle(), EventLog()
    events.add(EventKind.WORKER_EXITED, "decode-0", "pid 7: SIGKILL")
    first = chronicle.take(by_supervisor(events))
    again = chronicle.take(by_supervisor(events))
    events.add(EventKind.WORKER_READY, "decode-0")
    second = chronicle.take(by_supervisor(events))

    assert [(note.event, note.service, note.detail) for note in first] == [
        ("worker_exited", "decode-0", "pid 7: SIGKILL")
    ]
    assert again == []
    assert [note.event for note in second] == ["worker_ready"]
    assert chronicle.latest == [*first, *second]


def test_events_of_two_brokers_are_told_apart() -> None:
    chronicle = Chronicle()
    for incarnation in (3, 9):
        events = EventLog()
        events.add(EventKind.QUARANTINED, "decode-0")
        assert len(chronicle.take(by_broker(events, incarnation))) == 1

    assert len({note.id for note in chronicle.latest}) == 2


def test_events_in_numbers_are_kept_within_bounds_and_the_latest_stay() -> None:
    chronicle, events = Chronicle(), EventLog()
    for number in range(3 * EVENTS_MAX):
        events.add(EventKind.WORKER_READY, "decode-0", f"{number} " + "x" * 500)
        chronicle.take(by_supervisor(events))

    assert len(events.latest) == EVENTS_MAX
    assert len(chronicle.latest) == NOTES_MAX
    assert chronicle.latest[-1].detail.startswith(f"{3 * EVENTS_MAX - 1} ")


def test_brokers_without_number_are_remembered_within_bounds() -> None:
    chronicle, events = Chronicle(), EventLog()
    events.add(EventKind.QUARANTINED, "decode-0")
    for incarnation in range(1000):
        chronicle.take(by_broker(events, incarnation))

    assert len(chronicle._last_numbers) == 64
