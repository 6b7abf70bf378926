"""Frames of a run: as an honest daemon would answer them, and as a dishonest one would."""

import numpy as np
import pytest

from tests.chaos.workload import NUMBERS, Got, Wanted, Work, fault_of, make_work
from tests.numbered import numbered_jpeg, numbered_pixels

SEED = 1


def made(work: Work, number: int) -> list[Got]:
    """Make what is wanted, with a number in it."""
    found = []
    for wanted in work.wanted:
        if wanted.format == "jpeg":
            data = numbered_jpeg(number, wanted.width, wanted.height)
        elif wanted.width == 1:
            data = bytes([number & 255, number >> 8, 255 - (number & 255)])
        else:
            data = numbered_pixels(number, wanted.width, wanted.height).tobytes()
        found.append(Got(wanted, data))
    return found


def works(count: int) -> list[Work]:
    return [make_work(SEED, number) for number in range(count)]


def test_same_frame_of_the_same_run_is_the_same() -> None:
    assert make_work(SEED, 77) == make_work(SEED, 77)
    assert make_work(SEED, 77).payload != make_work(SEED, 78).payload


def test_frames_are_of_every_kind() -> None:
    found = works(300)

    assert {len(work.wanted) for work in found} == {1, 3}
    assert {work.input is None for work in found} == {True, False}
    assert {wanted.format for work in found for wanted in work.wanted} == {"jpeg", "raw"}
    assert max(wanted.width for work in found for wanted in work.wanted) >= 1600
    assert min(wanted.width for work in found for wanted in work.wanted) == 1


def test_right_pictures_have_no_fault() -> None:
    for work in works(150):
        assert fault_of(work, made(work, work.number)) == ""


def test_picture_of_another_frame_is_a_fault_whatever_its_kind() -> None:
    for work in works(150):
        assert fault_of(work, made(work, work.number ^ 0x0101))


def test_one_wrong_picture_of_several_is_a_fault() -> None:
    work = next(work for work in works(300) if len(work.wanted) == 3)
    for index in range(3):
        pictures = made(work, work.number)
        pictures[index] = made(work, work.number + 1)[index]
        assert fault_of(work, pictures) == f"the picture of {work.number + 1} in place of {work.number}"


def test_wrong_size_order_or_count_is_a_fault() -> None:
    work = next(work for work in works(300) if len(work.wanted) == 3)
    pictures = made(work, work.number)

    assert fault_of(work, pictures[:2])
    assert fault_of(work, [])
    assert fault_of(work, list(reversed(pictures)))
    assert fault_of(work, [Got(Wanted("jpeg", 96, 65), pictures[0].data), *pictures[1:]])


@pytest.mark.parametrize("gray", [0, 28, 128, 255])
def test_blank_picture_is_a_fault(gray: int) -> None:
    work = next(work for work in works(300) if work.wanted[0].format == "raw" and work.wanted[0].width > 1)
    [wanted] = work.wanted
    blank = np.full((wanted.height, wanted.width, 3), gray, np.uint8)

    assert fault_of(work, [Got(wanted, blank.tobytes())]) == "the picture carries no number"


def test_numbers_begin_again_when_they_are_used_up() -> None:
    assert make_work(SEED, NUMBERS + 5).number == 5
