"""What operators are told: who holds the arena, who waits, who works."""

import pytest

from ipc.messages import Extent
from ipc.telemetry import PRODUCERS_MAX, OwnerFigures, ProducerFigures
from omnishotd.broker.figures import arena_figures, load_figures, owner_figures, producer_figures
from omnishotd.broker.frame import Sender
from omnishotd.broker.peer import peer_of_key
from omnishotd.broker.schedule import Schedule
from tests.omnishotd.broker.rig import (
    CAMERA,
    MS,
    OTHER,
    PLAIN,
    SMALLER,
    Rig,
    full_rig,
    make_frame,
    make_sender,
    make_settings,
    used_bytes,
)


def owners(rig: Rig) -> list[OwnerFigures]:
    return owner_figures(rig.flow.ledger.holders())


def by_name(rig: Rig) -> dict[str, OwnerFigures]:
    return {owner.owner: owner for owner in owners(rig)}


# ---- owners


def test_owners_are_the_workers_with_leases_and_those_that_wait_and_add_up() -> None:
    rig = Rig(make_settings(workers=1), hire=False)
    for name in ("a", "b"):
        rig.submit(name)
    rig.hire("decode")
    rig.work()
    rig.submit("c")
    rig.answer(rig.held[0])
    told = by_name(rig)

    # a waits for a worker that transforms; b and c are with the one that decodes
    assert {name: owner.frames for name, owner in told.items()} == {"waiting": 1, "decode-1": 2}
    assert sum(owner.bytes for owner in told.values()) == used_bytes(rig)
    assert told["decode-1"].bytes > told["waiting"].bytes


def test_owners_are_told_largest_first() -> None:
    small, large = make_frame(1), make_frame(2)
    small.source, large.source = Extent(0, 64), Extent(64, 128)

    assert owner_figures({small: "decode-0", large: "waiting"}) == [
        OwnerFigures("waiting", 128, 1),
        OwnerFigures("decode-0", 64, 1),
    ]


def test_small_frame_that_one_worker_does_whole_is_counted_with_its_block() -> None:
    rig = Rig(make_settings(whole_frame_pixels_max=1 << 20))
    rig.submit("f", outputs=[SMALLER, PLAIN])

    assert [owner.bytes for owner in owners(rig)] == [used_bytes(rig)]


def test_frame_of_which_several_workers_have_an_output_is_counted_once() -> None:
    rig = Rig(make_settings())
    rig.submit("f", outputs=[SMALLER, SMALLER])
    rig.answer(rig.held[0])
    assert [held.worker.service for held in rig.held] == ["transform-3", "transform-4"]

    assert owners(rig) == [OwnerFigures("transform-3", used_bytes(rig), 1)]


def test_frame_answered_already_is_told_as_abandoned_until_its_worker_answers() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("gone")
    rig.submit("stays")
    rig.cancel("gone")
    assert [(owner.frames, owner.abandoned) for owner in owners(rig)] == [(2, 1)]
    rig.finish()

    assert owners(rig) == []


def test_canary_is_an_owner_as_any_other() -> None:
    rig = Rig(make_settings(workers=1), canaries=True)
    rig.wait(0)
    assert owners(rig) == [OwnerFigures("decode-1", used_bytes(rig), 1)]
    rig.wait(5_001 * MS)

    told = by_name(rig)
    assert (told["decode-1"].frames, told["decode-1"].abandoned) == (1, 1)
    assert told["waiting"].frames == 1, "the next one"
    assert sum(owner.bytes for owner in told.values()) == used_bytes(rig)


def test_empty_arena_has_no_owners() -> None:
    rig = Rig()

    assert owners(rig) == []
    assert arena_figures(rig.allocator.figures()).used_bytes == 0


# ---- who waits


def schedule_of(*waiting: tuple[Sender, str | None, int, bytes]) -> Schedule:
    """A queue with frames of these senders, client names, priorities and payloads."""
    schedule = Schedule(10_000, 1 << 30)
    for number, (sender, client, priority, payload) in enumerate(waiting):
        schedule.push(make_frame(number, payload, sender=sender, client=client, priority=priority))
    return schedule


def test_waiting_frames_are_told_by_priority() -> None:
    schedule = schedule_of(
        (CAMERA, None, 0, b"x"), (OTHER, None, 0, b"x"), (CAMERA, None, 9, b"x"), (CAMERA, None, 9, b"x")
    )

    assert schedule.count_by_priority() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]


def test_producers_are_told_by_their_own_name_or_their_process_those_with_most_frames_first() -> None:
    schedule = schedule_of(
        (OTHER, None, 5, b"123"),
        (CAMERA, "cam", 5, b"1"),
        (CAMERA, "cam", 5, b"22"),
        (CAMERA, "cam", 7, b"333"),
    )

    assert producer_figures(schedule.lines()) == [ProducerFigures("cam", 3, 6), ProducerFigures(OTHER.peer.name, 1, 3)]


def test_two_processes_of_one_name_are_one_producer() -> None:
    schedule = schedule_of((OTHER, "cam", 5, b"1"), (CAMERA, "cam", 5, b"1"))

    assert producer_figures(schedule.lines()) == [ProducerFigures("cam", 2, 2)]


def test_producer_whose_frames_were_taken_is_not_told_and_its_bytes_are_gone() -> None:
    schedule = schedule_of((OTHER, None, 5, b"1"), (CAMERA, None, 5, b"1"), (CAMERA, None, 6, b"333"))
    for _ in range(2):
        frame = schedule.peek()
        assert frame is not None
        schedule.take(frame)

    assert producer_figures(schedule.lines()) == [ProducerFigures(CAMERA.peer.name, 1, 1)]


def test_no_more_than_the_bound_of_producers_is_told_and_they_are_those_with_most_frames() -> None:
    waiting = [(make_sender(b"%d" % one), None, 5, b"x") for one in range(40)]
    schedule = schedule_of(*waiting, *waiting[-PRODUCERS_MAX:])

    assert {told.frames for told in producer_figures(schedule.lines())} == {2}
    assert len(producer_figures(schedule.lines())) == PRODUCERS_MAX


@pytest.mark.parametrize(
    ("sender", "client", "name"),
    [
        (Sender(b"", has_delimiter=False, peer=peer_of_key("k" * 40, "f" * 65)), None, "f" * 64),
        (Sender(b"", has_delimiter=False, peer=peer_of_key("k" * 40, "gate")), "cam", "gate"),
        (make_sender(b"", uid=7, pid=8), None, "uid 7 pid 8"),
        (CAMERA, "a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        (CAMERA, "\x00" * 64, "\\x00" * 16),
    ],
    ids=["long name", "a key's name first", "nameless", "control characters", "too long when printable"],
)
def test_name_of_a_producer_is_printable_and_bounded(sender: Sender, client: str | None, name: str) -> None:
    [told] = producer_figures(schedule_of((sender, client, 5, b"x")).lines())

    assert told.producer == name


# ---- who works


def test_load_of_a_worker_is_the_jobs_it_holds() -> None:
    rig = full_rig(workers=1)

    assert {name: load.held for name, load in load_figures(rig.flow.crew.workers()).items()} == {
        "decode-1": 1,
        "transform-2": 0,
        "encode-3": 0,
    }
