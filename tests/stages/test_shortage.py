"""Libraries that are refused memory, really, in a process of their own; each must say so in words that are known."""

from typing import Final

import cv2
import numpy as np
import pytest

from stages.shortage import check_room, is_shortage, tells_of_shortage
from tests.stages.confined import confined, endings

PROGRAM: Final = """
import os, sys
from ipc.messages import Decode, Encode, Extent, Transform
from ipc.pixels import Geometry, Layout
from stages import decode, encode, transform
from stages.limits import Limits
from stages.operations import encode_operations
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.encodings import JpegEncoding, RawEncoding, encode_encoding
from tests.photographs import photograph_jpeg
from tests.stages.confined import attempt

kind, limits_mib = sys.argv[1], [int(limit) for limit in sys.argv[2:]]
for stage in (decode, encode, transform):
    stage.warm()
size = Geometry(3000, 3000, Layout.RGB)
data = photograph_jpeg(3000, progressive=True, subsampling=0)
arena = memoryview(bytearray(len(data) + 2 * size.bytes))
arena[: len(data)] = data
arena[len(data) : len(data) + size.bytes] = os.urandom(size.bytes)
source, pixels = Extent(0, len(data)), Extent(len(data), size.bytes)
target = Extent(len(data) + size.bytes, size.bytes)


def transformed(*operations, result=size):
    step = Transform(pixels, target, size, size, encode_operations(operations), result)
    transform.transform(step, arena, Limits(max_side=3000, max_pixels=3000 * 3000))


def encoded(encoding):
    encode.encode(Encode(pixels, size, 0, encode_encoding(encoding)), arena)


steps = {
    "decode": lambda: decode.decode(Decode(source, pixels, "jpeg", size), arena),
    "encode": lambda: encoded(JpegEncoding(quality=100, subsampling="444")),
    "raw": lambda: encoded(RawEncoding()),
    "rotate": lambda: transformed(Rotate(90), Rotate(90)),
    "tall": lambda: transformed(Resize(200, 2900, fit="fill"), result=Geometry(200, 2900, Layout.RGB)),
    "wide": lambda: transformed(Resize(2900, 200, fit="fill"), result=Geometry(2900, 200, Layout.RGB)),
    "small": lambda: transformed(Resize(300, 300), result=Geometry(300, 300, Layout.RGB)),
}
del data
attempt(steps[kind], limits_mib)
steps[kind]()
"""


@pytest.mark.parametrize("kind", ["decode", "encode", "raw", "rotate"])
def test_library_without_memory_says_so_and_works_again_when_there_is_some(kind: str) -> None:
    (said,) = confined(PROGRAM, kind, 1)

    assert said.startswith("shortage True: ")


@pytest.mark.parametrize("kind", ["tall", "wide", "small"])
def test_resampling_with_too_little_memory_fails_before_the_library_ends_the_process(kind: str) -> None:
    said = confined(PROGRAM, kind, *range(1, 25))

    assert endings(said) == {"shortage True", "done"}


def test_other_errors_are_no_shortage() -> None:
    with pytest.raises(cv2.error) as raised:
        cv2.resize(np.empty((0, 0, 3), np.uint8), (3, 3))
    assert not is_shortage(raised.value)
    assert not is_shortage(ValueError("Insufficient funds"))
    assert not is_shortage(FileNotFoundError(2, "no such file"))
    assert is_shortage(OSError(12, "Cannot allocate memory"))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Insufficient memory (case 4)", True),
        ("tjCompress2(): Memory allocation failure", True),
        ("Failed to decode image: Out of memory", True),
        ("codec configuration error when writing image file", True),
        ("codec configuration error when reading image file", False),
        ("broken data stream when reading image file", False),
    ],
)
def test_words_of_libraries_tell_of_shortage_or_of_something_else(text: str, is_one: bool) -> None:
    assert tells_of_shortage(text) is is_one


def test_room_is_there_or_is_not() -> None:
    check_room(1 << 20)
    with pytest.raises(MemoryError):
        check_room(1 << 62)
