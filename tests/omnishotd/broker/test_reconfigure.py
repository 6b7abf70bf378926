"""A configuration that was read again: what is new counts for what comes, and not for what is there."""

import dataclasses
from typing import Any

import msgspec

from ipc.messages import Transform
from tests.omnishotd.broker.rig import (
    CAMERA,
    LAID,
    LOGO,
    MS,
    RAW_OUT,
    SMALLER,
    Rig,
    full_rig,
    header,
    make_settings,
    picture,
)

WIDER: dict[str, Any] = {"operations": [{"op": "resize", "width": 32, "height": 32, "fit": "fill"}]}

SEAL = dataclasses.replace(LOGO, data=picture(20), digest=8)


def info(rig: Rig) -> dict[str, Any]:
    rig.flow.receive(CAMERA, [header("q", op="info")], rig.now_us)
    return rig.told.pop().header


def test_preset_that_changed_is_used_by_the_next_frame_and_not_by_the_one_in_flight() -> None:
    rig = full_rig()
    rig.submit("old", preset="thumbnail")
    rig.flow.reconfigure(make_settings(presets={"thumbnail": {"outputs": [WIDER]}, "more": {"outputs": [RAW_OUT]}}))
    rig.submit("new", preset="thumbnail")
    rig.finish()

    widths = {told.id: told.header["outputs"][0]["width"] for told in rig.told}
    assert (widths["old"], widths["new"]) == (SMALLER["operations"][0]["width"], 32)
    assert info(rig)["presets"] == ["more", "thumbnail"]


def test_overlay_that_changed_is_used_by_the_next_frame_and_not_by_the_one_in_flight() -> None:
    rig = full_rig()
    rig.submit("old", outputs=[LAID])
    rig.flow.reconfigure(make_settings(), {LOGO.name: SEAL})
    rig.submit("new", outputs=[LAID])
    rig.finish()

    assert [rig.replies(name) for name in ("old", "new")] == [["ok"], ["ok"]]
    assert [data for _, data in rig.written if data in {LOGO.data, SEAL.data}] == [LOGO.data, SEAL.data]


def test_overlay_that_is_gone_is_refused_by_name() -> None:
    rig = Rig()
    rig.flow.reconfigure(make_settings(), {})
    rig.submit("f", outputs=[LAID])

    assert rig.replies("f") == ["BAD_REQUEST"]
    assert "'logo'" in rig.told[0].header["error"]["message"]


def test_preset_that_is_gone_is_unknown() -> None:
    rig = Rig()
    rig.flow.reconfigure(make_settings(presets={"other": {"outputs": [SMALLER]}}))
    rig.submit("f", preset="thumbnail")

    assert rig.replies("f") == ["UNKNOWN_PRESET"]


def test_queue_that_became_shorter_keeps_what_waits_and_takes_no_more() -> None:
    rig = full_rig(queue_limit=8)
    for number in range(5):
        rig.submit(f"f{number}")
    rig.flow.reconfigure(make_settings(queue_limit=2, queue_timeout_ms=70))
    rig.submit("late")
    assert rig.replies("late") == ["BUSY"]
    assert "5 of 2 frames" in rig.told[-1].header["error"]["message"]
    rig.finish()
    rig.submit("after")

    assert [rig.replies(f"f{number}") for number in range(5)] == [["ok"]] * 5
    assert rig.flow.next_us() == rig.now_us + 70 * MS
    assert info(rig)["limits"] | {"queue_limit": 2, "queue_timeout_ms": 70} == info(rig)["limits"]


def test_queue_of_fewer_bytes_takes_fewer() -> None:
    rig = full_rig()
    rig.flow.reconfigure(make_settings(queue_max_bytes=len(picture()) * 2))
    for number in range(3):
        rig.submit(f"f{number}", picture(64, b""))

    assert [rig.replies(f"f{number}") for number in range(3)] == [[], [], ["BUSY"]]


def test_rate_that_changed_counts_from_now_on() -> None:
    rig = Rig(make_settings(max_concurrent_jobs=99, queue_limit=99))
    rig.flow.reconfigure(make_settings(frames={"rate_per_second": 10.0}, queue_limit=99))
    for number in range(11):
        rig.submit(f"f{number}")

    assert [told.id for told in rig.told if told.code == "RATE_LIMITED"] == ["f10"]


def test_what_cannot_be_changed_stays() -> None:
    rig = Rig()
    changed = make_settings(frames={"max_frame_bytes": 5_000, "max_side": 100}, max_concurrent_jobs=1)
    rig.flow.reconfigure(changed)
    rig.submit("f", picture(128) + bytes(5_000))
    rig.submit("g")

    assert info(rig)["limits"]["max_frame_bytes"] == rig.settings.frames.max_frame_bytes
    assert len(rig.held) == 2
    rig.finish()
    assert rig.replies("f") == ["ok"]


def test_plans_of_frames_in_flight_are_their_own() -> None:
    rig = Rig()
    rig.submit("f", preset="thumbnail")
    rig.flow.reconfigure(make_settings(presets={"thumbnail": {"outputs": [WIDER]}}))
    rig.answer(rig.held[0])
    step = rig.held[0].task.steps[0]

    assert isinstance(step, Transform)
    assert step.result.width == 16
    assert msgspec.msgpack.decode(step.operations)
