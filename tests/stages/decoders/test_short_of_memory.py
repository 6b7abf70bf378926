"""Decoders that are refused memory, really, in a process of their own: no picture is called damaged for it."""

import io
from typing import Any, Final

import pytest

from tests.photographs import photograph_mosaic
from tests.stages.confined import confined, endings
from tests.stages.decoders.planar_jpegs import planar_jpeg

PROGRAM: Final = """
import sys
import numpy as np
from stages import decode, decoders
from stages.limits import Limits
from stages.probe import probe
from tests.stages.confined import attempt

data = sys.stdin.buffer.read()
picture = probe(data, Limits(10_000, 10_000_000))
geometry = picture.geometry
target = np.empty((geometry.height, geometry.width, geometry.layout.channels), np.uint8)
decode.warm()
attempt(lambda: decoders.decode(memoryview(data), picture.format, geometry, target), map(int, sys.argv[1:]))
"""
SIDE: Final = 1600
LITTLE_MIB: Final = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
ENOUGH_MIB: Final = 400


def written(kind: str) -> bytes:
    image = photograph_mosaic(SIDE)
    options: dict[str, dict[str, Any]] = {
        "PNG": {"compress_level": 1},
        "WEBP": {"method": 0},
        "AVIF": {"speed": 10},
        "GIF": {},
        "JPEG": {"progressive": True},
    }
    stream = io.BytesIO()
    match kind:
        case "odd sampling":
            return planar_jpeg(image.convert("YCbCr"), ((4, 2), (1, 1), (1, 1)))
        case "inks":
            image.convert("CMYK").save(stream, "JPEG")
        case "lossless":
            image.convert("RGBA").save(stream, "WEBP", lossless=True, method=0)
        case "deep":
            image.convert("L").convert("I;16").save(stream, "PNG", compress_level=1)
        case _:
            image.save(stream, kind, **options[kind])
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "inks", "odd sampling", "PNG", "deep", "WEBP", "lossless", "AVIF", "GIF"])
def test_decoder_with_too_little_memory_says_so_and_works_again_when_there_is_enough(kind: str) -> None:
    said = confined(PROGRAM, *LITTLE_MIB, ENOUGH_MIB, data=written(kind))

    assert said[0].startswith("shortage True: "), said
    assert endings(said[:-1]) <= {"shortage True", "done"}, said
    assert said[-1] == "done"
