"""What workers are told besides pixels: the page, overlays, and the original where metadata are kept."""

import io
from typing import Any

import pytest

from ipc.extents import aligned
from ipc.messages import Decode, Encode, Step, Transform
from tests.omnishotd.broker.rig import (
    KEPT,
    LAID,
    LAYOUTS,
    LOGO,
    PLAIN,
    RAW_IN,
    SMALLER,
    Rig,
    make_settings,
    picture,
    used_bytes,
)
from tests.photographs import photograph_mosaic

TURNED: dict[str, Any] = {"operations": [{"op": "auto_orient"}], "metadata": "keep"}


def steps_of(rig: Rig) -> list[Step]:
    """Let the workers do all, and return what they were told."""
    steps: list[Step] = []
    while rig.held:
        steps += rig.held[0].task.steps
        rig.answer(rig.held[0])
    return steps


def test_decoder_is_told_which_of_several_frames_is_meant() -> None:
    written = io.BytesIO()
    frames = [photograph_mosaic(16).rotate(angle) for angle in (0, 90, 180)]
    frames[0].save(written, "gif", save_all=True, append_images=frames[1:])
    rig = Rig()
    rig.submit("f", written.getvalue(), [PLAIN], input={"page": 2})

    [decode] = [step for step in steps_of(rig) if isinstance(step, Decode)]
    assert (decode.format, decode.page) == ("gif", 2)


# ---- overlays


@pytest.mark.parametrize("whole_frame_pixels_max", [0, 64 * 64], ids=["by stages", "whole"])
@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_overlay_is_written_once_and_told_to_each_transform_that_names_it(
    pools: tuple[str, ...], whole_frame_pixels_max: int
) -> None:
    rig = Rig(make_settings(pools, whole_frame_pixels_max=whole_frame_pixels_max))
    rig.submit("f", outputs=[LAID, SMALLER, LAID])

    transforms = [step for step in steps_of(rig) if isinstance(step, Transform)]
    told = [step.overlays for step in transforms]
    [(extent, data)] = rig.written[1:]
    assert data == LOGO.data
    assert sorted(told, key=len) == [[], [LOGO.at(extent)], [LOGO.at(extent)]]
    assert rig.replies("f") == ["ok"]
    assert used_bytes(rig) == 0


def test_overlay_stays_until_the_last_output_is_encoded() -> None:
    rig = Rig()
    rig.submit("f", outputs=[LAID])

    rig.answer(rig.held[0])
    rig.answer(rig.held[0])
    assert isinstance(rig.held[0].task.steps[0], Encode)
    assert used_bytes(rig) == 64 * 64 * 3 + aligned(len(LOGO.data))
    rig.answer(rig.held[0])
    assert used_bytes(rig) == 0


def test_overlay_of_raw_pixels_is_written_after_them() -> None:
    rig = Rig()
    rig.submit("f", bytes(32 * 16 * 3), [LAID], input=RAW_IN)

    assert [data for _, data in rig.written] == [bytes(32 * 16 * 3), LOGO.data]
    rig.finish()
    assert rig.replies("f") == ["ok"]


def test_frame_that_is_made_again_gets_its_overlays_again() -> None:
    rig = Rig()
    rig.submit("f", outputs=[LAID])
    rig.die(rig.held[0].worker)

    assert [data for _, data in rig.written] == 2 * [picture(), LOGO.data]
    rig.finish()
    assert rig.replies("f") == ["ok"]
    assert used_bytes(rig) == 0


def test_overlay_that_is_not_there_is_refused_with_those_that_are() -> None:
    rig = Rig()
    rig.submit("f", outputs=[{"operations": [{"op": "composite", "overlay": "seal"}]}])

    error = rig.told[0].header["error"]
    assert error["code"] == "BAD_REQUEST"
    assert error["message"] == "outputs[0].operations[0].overlay: there is no overlay 'seal'; known: logo"


# ---- originals


@pytest.mark.parametrize("whole_frame_pixels_max", [0, 64 * 64], ids=["by stages", "whole"])
@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_encoder_that_keeps_metadata_is_told_of_the_original(
    pools: tuple[str, ...], whole_frame_pixels_max: int
) -> None:
    rig = Rig(make_settings(pools, whole_frame_pixels_max=whole_frame_pixels_max))
    rig.submit("f", outputs=[KEPT, SMALLER])

    encodes = {step.output: step for step in steps_of(rig) if isinstance(step, Encode)}
    kept = encodes[0].original
    assert kept is not None
    assert (kept.source, kept.format) == (rig.written[0][0], "jpeg")
    assert encodes[1].original is None
    assert used_bytes(rig) == 0


def test_original_stays_until_the_last_output_is_encoded() -> None:
    rig = Rig()
    rig.submit("f", outputs=[KEPT])
    small_bytes, source_bytes = 16 * 16 * 3, aligned(len(picture()))

    rig.answer(rig.held[0])
    rig.answer(rig.held[0])
    assert used_bytes(rig) == small_bytes + source_bytes
    rig.answer(rig.held[0])
    assert used_bytes(rig) == 0


@pytest.mark.parametrize(("output", "left"), [(TURNED, 1), ({**PLAIN, "metadata": "keep"}, 6)], ids=["turned", "as is"])
def test_original_is_told_with_the_orientation_that_is_left(output: dict[str, Any], left: int) -> None:
    rig = Rig()
    rig.submit("f", picture_lying(), [output])

    [kept] = [step.original for step in steps_of(rig) if isinstance(step, Encode)]
    assert kept is not None
    assert kept.orientation == left


def test_raw_pixels_are_no_original() -> None:
    rig = Rig()
    rig.submit("f", bytes(32 * 16 * 3), [KEPT], input=RAW_IN)

    assert [step.original for step in steps_of(rig) if isinstance(step, Encode)] == [None]


def picture_lying() -> bytes:
    """A JPEG that is to be turned by a quarter to be seen upright: EXIF orientation 6."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    plain = picture()
    return plain[:2] + segment + plain[2:]
