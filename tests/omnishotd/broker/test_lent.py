"""Frames that are lent, from admission to reply, and what a cut segment means for whom."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc.messages import Encode, Transform
from ipc.scratch import SCRATCH
from omnishotd.broker.segments import Segments
from tests.omnishotd.broker.rig import (
    MS,
    PLAIN,
    RAW_IN,
    SMALLER,
    Held,
    Rig,
    header,
    make_sender,
    make_settings,
    picture,
)

UID = os.geteuid()
CAMERA = make_sender(b"camera", uid=UID)
OTHER = make_sender(b"other", uid=UID)
FRAME_BYTES = 32 * 16 * 3


class Borrowing:
    """A broker that borrows from a folder of segments."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.segments = Segments(str(folder))
        self.rig = Rig(make_settings(frames={"lent_directory": str(folder)}, **settings), segments=self.segments)

    def add(self, name: str = "ring", content: bytes = bytes(FRAME_BYTES * 4)) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def lend(self, request_id: str, index: int = 0, *, name: str = "ring", sender: Any = CAMERA, **keys: Any) -> None:
        """Send a frame of raw pixels, which lie at `index` in the segment."""
        lent = {"segment": name, "offset": index * FRAME_BYTES, "bytes": FRAME_BYTES}
        self.send(request_id, lent, sender=sender, **{"outputs": [PLAIN], "input": RAW_IN, **keys})

    def send(self, request_id: str, lent: dict[str, Any], *, sender: Any = CAMERA, **keys: Any) -> None:
        self.rig.flow.receive(
            sender, [header(request_id, keys.pop("outputs", None), lent=lent, **keys)], self.rig.now_us
        )
        self.rig.work()

    @property
    def uses(self) -> int:
        """Frames that hold a segment open."""
        return sum(segment.uses for segment in self.segments._open.values())

    def message(self, request_id: str) -> str:
        """What a request was refused with."""
        [told] = [told for told in self.rig.told if told.id == request_id]
        return str(told.header["error"]["message"])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Borrowing]:
    desk = Borrowing(tmp_path)
    yield desk
    desk.segments.close()


def step_of(held: Held) -> Any:
    return held.task.steps[0]


def test_pixels_without_operations_go_to_an_encoder_where_they_lie_and_take_nothing_of_the_arena(
    desk: Borrowing,
) -> None:
    desk.add()
    desk.lend("f", 2)
    [held] = desk.rig.held
    [step] = held.task.steps

    assert isinstance(step, Encode)
    assert (step.source.offset, step.source.bytes, step.source.segment > 0) == (2 * FRAME_BYTES, FRAME_BYTES, True)
    assert desk.rig.allocator.figures().used_bytes == 0
    assert desk.rig.written == []
    desk.rig.finish()
    assert desk.rig.replies("f") == ["ok"]
    assert desk.rig.told[0].header["input"]["bytes"] == FRAME_BYTES
    assert desk.uses == 0


@pytest.mark.parametrize("whole_frame_pixels_max", [0, 1 << 22])
def test_pixels_are_read_by_every_output_and_results_lie_elsewhere(tmp_path: Path, whole_frame_pixels_max: int) -> None:
    desk = Borrowing(tmp_path, whole_frame_pixels_max=whole_frame_pixels_max)
    desk.add()
    desk.lend("f", outputs=[SMALLER, PLAIN])
    steps = [step for held in desk.rig.held for step in held.task.steps]
    transforms = [step for step in steps if isinstance(step, Transform)]

    assert [step.source.segment > 0 for step in transforms] == [True]
    assert transforms[0].target.segment == (SCRATCH if whole_frame_pixels_max else 0)
    assert len(desk.rig.held) == (1 if whole_frame_pixels_max else 2)
    desk.rig.finish()
    assert desk.rig.replies("f") == ["ok"]
    assert desk.rig.allocator.figures().used_bytes == 0
    assert desk.uses == 0
    desk.segments.close()


def test_raw_pixels_that_are_sent_pass_all_stages_in_one_worker_where_they_are_few(tmp_path: Path) -> None:
    desk = Borrowing(tmp_path, whole_frame_pixels_max=1 << 22)
    desk.rig.submit("f", bytes(FRAME_BYTES), [SMALLER, PLAIN], input=RAW_IN)
    [held] = desk.rig.held

    assert [type(step) for step in held.task.steps] == [Transform, Encode, Encode]
    desk.rig.finish()
    assert desk.rig.replies("f") == ["ok"]
    assert desk.rig.allocator.figures().used_bytes == 0
    desk.segments.close()


def test_encoded_picture_is_copied_and_is_as_good_as_sent(desk: Borrowing) -> None:
    data = picture()
    desk.add(content=b"before" + data + b"behind")
    desk.send("f", {"segment": "ring", "offset": 6, "bytes": len(data)})
    (desk.folder / "ring").unlink()

    assert [written for _, written in desk.rig.written] == [data]
    assert desk.uses == 0
    desk.rig.finish()
    assert desk.rig.replies("f") == ["ok"]


def test_encoded_picture_is_known_by_its_content_and_pixels_by_their_place(desk: Borrowing) -> None:
    data = picture()
    desk.add(content=data)
    place = {"segment": "ring", "bytes": len(data)}
    desk.send("f", place)
    desk.add("same", data)
    desk.send("f", {"segment": "same", "bytes": len(data)})
    desk.rig.finish()
    desk.add(content=picture(64, b"x")[: len(data) - 1] + b"x")
    desk.send("f", place)
    assert desk.rig.replies("f") == ["ok", "CONFLICT"]

    desk.add("pixels", bytes(4 * FRAME_BYTES))
    desk.lend("g", 1, name="pixels")
    desk.rig.finish()
    desk.lend("g", 1, name="pixels")
    desk.lend("g", 2, name="pixels")
    assert desk.rig.replies("g") == ["ok", "ok", "CONFLICT"]


def test_request_that_is_asked_again_joins_the_first_though_its_segment_is_gone(desk: Borrowing) -> None:
    desk.add()
    desk.lend("f", client="one")
    (desk.folder / "ring").unlink()
    desk.lend("f", client="one", sender=OTHER)

    assert desk.rig.replies("f") == []
    desk.rig.finish()
    assert [(told.code, told.sender) for told in desk.rig.told] == [("ok", OTHER)]


def test_pixels_take_no_room_in_the_queue_and_encoded_pictures_do(tmp_path: Path) -> None:
    data = picture()
    desk = Borrowing(tmp_path, max_concurrent_jobs=1, queue_max_bytes=len(data) + 1)
    desk.add(content=bytes(4 * FRAME_BYTES) + data)
    desk.lend("working")
    for number in range(4):
        desk.lend(f"{number}", number)
    place = {"segment": "ring", "offset": 4 * FRAME_BYTES, "bytes": len(data)}
    desk.send("first", place)
    desk.send("second", place)

    assert desk.rig.flow.schedule.bytes == len(data)
    assert desk.rig.replies("second") == ["BUSY"]
    assert desk.segments.read_bytes == len(data), "a refusal reads nothing"
    desk.rig.finish()
    assert all(desk.rig.replies(f"{number}") == ["ok"] for number in range(4))
    desk.segments.close()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"input": {**RAW_IN, "height": 15}}, f"lent.bytes: {FRAME_BYTES} bytes, 32x15 RGB has {32 * 15 * 3}"),
        ({"input": None}, "the first bytes are those of no known picture format"),
    ],
)
def test_what_lies_there_is_held_against_what_was_said(desk: Borrowing, keys: dict[str, Any], message: str) -> None:
    desk.add()
    desk.lend("f", **keys)

    assert desk.message("f").startswith(message)
    assert desk.uses == 0


def test_payload_beside_a_loan_is_refused(desk: Borrowing) -> None:
    desk.add()
    lent = {"segment": "ring", "bytes": FRAME_BYTES}
    desk.rig.submit("f", b"x", [PLAIN], sender=CAMERA, input=RAW_IN, lent=lent)

    assert desk.message("f") == "lent: excludes a payload part"


@pytest.mark.parametrize("how", ["cancel", "deadline", "death"])
def test_segment_is_held_until_no_worker_has_the_frame(desk: Borrowing, how: str) -> None:
    desk.add()
    desk.lend("f", deadline_ms=10)
    [held] = desk.rig.held
    if how == "cancel":
        desk.rig.cancel("f", sender=CAMERA)
    elif how == "deadline":
        desk.rig.wait(11 * MS)
    assert desk.uses == 1
    if how == "death":
        desk.rig.die(held.worker)
        desk.rig.finish()
    else:
        desk.rig.answer(held)

    assert desk.uses == 0


def test_waiting_frame_lets_go_of_its_segment_when_it_is_taken_back(tmp_path: Path) -> None:
    desk = Borrowing(tmp_path, max_concurrent_jobs=1)
    desk.add()
    desk.lend("working")
    desk.lend("waiting", 1)
    assert desk.uses == 2
    desk.rig.cancel("waiting", sender=CAMERA)

    assert desk.uses == 1
    desk.rig.finish()
    assert desk.uses == 0
    desk.segments.close()


# ---- cuts


def test_segment_that_is_cut_before_its_frame_is_started_ends_that_frame_alone(tmp_path: Path) -> None:
    desk = Borrowing(tmp_path, max_concurrent_jobs=1)
    path = desk.add()
    desk.lend("working")
    desk.lend("cut", 1)
    desk.rig.submit("sent")
    desk.lend("whole", 0)
    os.truncate(path, FRAME_BYTES)
    desk.rig.finish()

    assert desk.message("cut") == f"lent.bytes: the segment was cut to {FRAME_BYTES} bytes while it was lent"
    assert [desk.rig.replies(name) for name in ("working", "sent", "whole")] == [["ok"]] * 3
    assert desk.uses == 0
    desk.segments.close()


def one_worker(tmp_path: Path) -> Borrowing:
    """All frames go to one worker, several in a message."""
    desk = Borrowing(tmp_path, pools=("decode+transform+encode",), workers=1, max_concurrent_jobs=8)
    desk.rig.submit("before")
    return desk


def test_worker_that_dies_of_a_cut_costs_its_company_nothing(tmp_path: Path) -> None:
    desk = one_worker(tmp_path)
    path = desk.add()
    desk.lend("cut", 3)
    desk.rig.submit("innocent", sender=OTHER)
    desk.rig.answer(desk.rig.held[0])
    os.truncate(path, FRAME_BYTES)
    poison = desk.rig.die(desk.rig.held[0].worker, signal="SIGBUS")

    assert poison == []
    assert desk.message("cut").startswith(f"lent.bytes: the segment was cut to {FRAME_BYTES} bytes")
    assert not any(held.is_suspect for held in desk.rig.held)
    desk.rig.finish()
    assert desk.rig.replies("innocent") == ["ok"]
    [told] = [told for told in desk.rig.told if told.id == "innocent"]
    assert told.header["attempts"] == 1
    assert desk.uses == 0
    desk.segments.close()


def test_pixels_of_who_cut_are_copied_from_then_on_those_that_were_given_out_too(tmp_path: Path) -> None:
    desk = Borrowing(tmp_path, workers=1, max_concurrent_jobs=8)
    path = desk.add()
    for number in range(4):
        desk.lend(f"{number}", number)
    assert not any(step_of(held).source.is_copied for held in desk.rig.held)
    os.truncate(path, 3 * FRAME_BYTES)
    desk.rig.die(desk.rig.held[0].worker, signal="SIGBUS")

    desk.lend("later")
    assert desk.rig.held
    assert all(step_of(held).source.is_copied for held in desk.rig.held)
    desk.rig.finish()
    assert [desk.rig.replies(name) for name in ("0", "1", "2", "later")] == [["ok"]] * 4
    assert desk.rig.replies("3") == ["BAD_REQUEST"]
    desk.segments.close()


def test_segment_that_is_long_enough_again_is_no_suspicion_either(tmp_path: Path) -> None:
    desk = Borrowing(tmp_path)
    desk.add()
    desk.lend("f")
    desk.rig.die(desk.rig.held[0].worker, signal="SIGBUS")
    [held] = desk.rig.held

    assert not held.is_suspect
    assert step_of(held).source.is_copied
    desk.rig.finish()
    assert desk.rig.replies("f") == ["ok"]
    desk.segments.close()


def test_death_by_another_signal_or_without_a_loan_is_judged_as_ever(tmp_path: Path) -> None:
    desk = Borrowing(tmp_path)
    path = desk.add()
    desk.lend("lent")
    os.truncate(path, 0)
    os.truncate(path, 4 * FRAME_BYTES)
    desk.rig.die(desk.rig.held[0].worker, signal="SIGSEGV")
    assert [held.is_suspect for held in desk.rig.held] == [True]
    desk.rig.finish()
    desk.rig.submit("sent")
    desk.rig.die(desk.rig.held[0].worker, signal="SIGBUS")

    assert [held.is_suspect for held in desk.rig.held] == [True]
    desk.rig.finish()
    desk.segments.close()


def test_pixels_that_kill_are_refused_by_their_place(desk: Borrowing) -> None:
    desk.add()
    desk.lend("f", 1)
    desk.rig.die(desk.rig.held[0].worker)
    desk.rig.die(desk.rig.held[0].worker)
    desk.lend("again", 1)
    desk.lend("beside", 2)
    desk.rig.finish()

    assert [desk.rig.replies(name) for name in ("f", "again", "beside")] == [["POISON"], ["POISON"], ["ok"]]
    assert desk.uses == 0
