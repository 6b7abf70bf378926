"""Buffers and who has them: the ring alone, on a real segment."""

import gc
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from omnishotd.client import CannotLend, ClientClosed
from omnishotd.client.ring import LentImage, Phase, Ring, stride_bytes
from omnishotd.client.segment import FOLDER, NAME_PREFIX, Segment

pytestmark = pytest.mark.usefixtures("resource_tracker")

PAGE = os.sysconf("SC_PAGE_SIZE")
COUNT = 3
FRAME_BYTES = 2 * PAGE + 1


@pytest.fixture
def ring() -> Iterator[Ring]:
    ring = Ring(Segment(stride_bytes(FRAME_BYTES) * COUNT, Path("/nowhere")), FRAME_BYTES, COUNT)
    yield ring
    ring.close()


def segments() -> set[str]:
    return {file.name for file in FOLDER.glob(f"{NAME_PREFIX}{os.getpid()}-*")}


def mapped() -> int:
    return Path("/proc/self/maps").read_text().count(NAME_PREFIX)


def taken(ring: Ring, *shape: int) -> LentImage:
    return ring.ask(shape or (FRAME_BYTES,)).result(0)


def test_buffers_lie_apart_on_pages_and_are_shared(ring: Ring) -> None:
    images = [taken(ring) for _ in range(COUNT)]
    for number, image in enumerate(images):
        image.view[:] = bytes([number + 1]) * FRAME_BYTES
    places = [image.submitted() for image in images]
    seen = (FOLDER / places[0]["segment"]).read_bytes()

    assert [place["offset"] % PAGE for place in places] == [0] * COUNT
    assert sorted(place["offset"] for place in places) == [number * 3 * PAGE for number in range(COUNT)]
    for number, place in enumerate(places):
        piece = seen[place["offset"] : place["offset"] + place["bytes"]]
        assert piece == bytes([number + 1]) * FRAME_BYTES
    for image in images:
        image.ended()


def test_array_is_written_in_place(ring: Ring) -> None:
    image = taken(ring, 4, 5, 3)
    image.array[...] = 7

    assert image.array.shape == (4, 5, 3)
    assert bytes(image.view) == b"\7" * 60
    assert image.submitted()["bytes"] == 60
    image.ended()


@pytest.mark.parametrize("size", [0, FRAME_BYTES + 1])
def test_image_that_fits_no_buffer_is_refused(ring: Ring, size: int) -> None:
    with pytest.raises(ValueError, match=f"image: {size} bytes .* a buffer has {FRAME_BYTES}"):
        ring.ask((size,))


def test_those_who_wait_get_buffers_in_turn(ring: Ring) -> None:
    held = [taken(ring) for _ in range(COUNT)]
    waiting = [ring.ask((number + 1,)) for number in range(3)]
    waiting[1].cancel()
    held[0].release()
    held[1].release()

    assert [future.done() for future in waiting] == [True, True, True]
    assert [waiting[0].result(0).shape, waiting[2].result(0).shape] == [(1,), (3,)]


def test_image_serves_one_request_and_its_buffer_the_next_when_that_has_ended(ring: Ring) -> None:
    image = taken(ring)
    image.submitted()
    with pytest.raises(ValueError, match="submitted already"):
        image.submitted()
    image.release()
    assert image.phase is Phase.LENT
    image.ended()
    with pytest.raises(ValueError, match="its buffer was given back"):
        _ = image.view
    with pytest.raises(ValueError, match="submitted already"):
        image.submitted()
    image.ended()

    again = [taken(ring) for _ in range(COUNT)]
    assert sorted(each.index for each in again) == list(range(COUNT))


def test_request_that_did_not_come_about_leaves_the_image_with_its_producer(ring: Ring) -> None:
    image = taken(ring)
    image.submitted()
    image.not_sent()
    image.view[0] = 1
    image.submitted()
    image.ended()

    assert image.phase is Phase.RETURNED


def test_image_that_nobody_holds_is_given_back_though_an_array_shows_it(ring: Ring) -> None:
    held = [taken(ring, 2, 2) for _ in range(COUNT)]
    array = held[1].array
    waiting = ring.ask((2, 2))
    del held[1]
    gc.collect()
    waiting.result(0).array[...] = 5

    assert array.sum() == 20


def test_close_ends_those_who_wait_and_what_is_held_cannot_be_lent_any_more(ring: Ring) -> None:
    held = [taken(ring) for _ in range(COUNT)]
    waiting = ring.ask((1,))
    ring.close()
    with pytest.raises(ClientClosed, match="lent memory was closed"):
        waiting.result(0)
    with pytest.raises(ClientClosed, match="lent memory is closed"):
        ring.ask((1,))
    with pytest.raises(ValueError, match="was closed"):
        held[0].submitted()

    assert segments() == set()


def test_segment_goes_with_the_reply_of_the_last_frame_that_is_lent(ring: Ring) -> None:
    images = [taken(ring) for _ in range(2)]
    for image in images:
        image.submitted()
    ring.close()
    images[0].ended()
    assert len(segments()) == 1
    images[1].ended()

    assert segments() == set()


def test_segment_goes_with_the_last_image_where_nobody_closes() -> None:
    before = mapped()
    ring = Ring(Segment(PAGE, Path("/nowhere")), PAGE, 1)
    image = taken(ring, PAGE)
    del ring
    gc.collect()
    assert len(segments()) == 1
    del image
    gc.collect()

    assert segments() == set()
    assert mapped() <= before


def test_array_outlives_the_memory_that_was_closed(ring: Ring) -> None:
    image = taken(ring, 10, 10)
    array = image.array
    array[...] = 9
    ring.close()
    before = mapped()
    del image
    gc.collect()

    assert int(array.sum()) == 900
    del array
    gc.collect()
    assert mapped() == before - 1


def test_segment_that_somebody_took_away_is_closed_without_a_word(ring: Ring) -> None:
    (name,) = segments()
    (FOLDER / name).unlink()
    ring.close()

    assert segments() == set()


def test_more_memory_than_there_is_is_told_and_leaves_nothing() -> None:
    with pytest.raises(CannotLend, match=r"bytes of shared memory are wanted, /dev/shm has \d+ left"):
        Segment(1 << 44, Path("/nowhere"))

    assert segments() == set()


def test_buffers_that_many_threads_take_and_drop_are_never_two_images_at_a_time(ring: Ring) -> None:
    owners: dict[int, int] = {}
    broken: list[str] = []

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(300):
            waiting: Future[LentImage] = ring.ask((16,))
            if chance.random() < 0.2 and waiting.cancel():
                continue
            image = waiting.result(10)
            del waiting
            if owners.setdefault(image.index, number) != number:
                broken.append(f"{image.index} is {owners[image.index]}'s, and was given to {number}")
            image.view[:] = bytes([number]) * 16
            is_lent = chance.random() < 0.5
            if is_lent:
                image.submitted()
            if bytes(image.view) != bytes([number]) * 16:
                broken.append(f"{image.index} was written to by another than {number}")
            del owners[image.index]
            if is_lent:
                image.ended()
            elif chance.random() < 0.5:
                image.release()
            # Whoever waits for a buffer must not hold one.
            del image

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    gc.collect()

    assert broken == []
    assert sorted(image.index for image in [taken(ring) for _ in range(COUNT)]) == list(range(COUNT))
