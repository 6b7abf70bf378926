"""Decoders in a process that is shut in: the first picture finds nothing left to load, nor does the first bad one."""

import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from ipc.pixels import Layout
from omnishotd.supervisor.children import child_environment
from tests.oracles import sample
from tests.photographs import photograph_image
from tests.stages.arenas import decoded_by_us
from tests.stages.decoders.gifs import Frame, gif
from tests.stages.decoders.planar_jpegs import planar_jpeg
from tests.stages.decoders.pngs import CHANNELS, KINDS, chunk, palette, png, profile_chunk
from tests.stages.decoders.profiles import gray_profile, library_profile, rgb_profile

PROGRAM: Final = """
import hashlib, json, sys, zlib
from ipc.errors import FrameError
from stages import decode, decoders
from stages.limits import Limits
from stages.probe import probe
from stages.rehearsal import rehearse
from stages.sandbox import Sandbox

pictures = []
while size := int.from_bytes(sys.stdin.buffer.read(4), "big"):
    pictures.append(sys.stdin.buffer.read(size))
decode.warm()
rehearse()
sandbox = Sandbox("required")
sandbox.shut_files()
sandbox.shut_calls(512 << 20)
assert not sandbox.refusal, sandbox.refusal
loaded = set(sys.modules)
told = []
for data in pictures:
    try:
        picture = probe(data, Limits(10_000, 10_000_000))
        told.append(zlib.crc32(decoders.decoded(data, picture.format, picture.geometry)))
    except FrameError as error:
        told.append(error.code)
print(json.dumps({"told": told, "loaded": sorted(set(sys.modules) - loaded)}))
"""


def written(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def pictures() -> list[bytes]:
    """Of every format, in every way that may take something else."""
    image = photograph_image("coffee.png").crop((0, 0, 90, 60))
    clear = Image.fromarray(sample(Layout.RGBA)[:60, :90])
    icc = rgb_profile()
    made = [
        *(written(image.convert(mode), "JPEG") for mode in ("RGB", "L", "CMYK")),
        written(image, "JPEG", progressive=True, icc_profile=icc),
        written(image.convert("L"), "JPEG", icc_profile=gray_profile()),
        written(image.convert("CMYK"), "JPEG", icc_profile=library_profile("cmyk")),
        planar_jpeg(image.convert("YCbCr"), ((4, 2), (1, 1), (1, 1))),
        *(written(one, "WEBP", **options) for one in (image, clear) for options in ({}, {"lossless": True})),
        written(image, "WEBP", icc_profile=icc),
        *(written(one, "AVIF", speed=10) for one in (image, clear, image.convert("L"))),
        written(image, "AVIF", speed=10, icc_profile=icc, exif=exif()),
        *(written(one, "GIF") for one in (image, clear, image.convert("L"), image.convert("1"))),
        gif(9, 9, [(1, 2, 3), (4, 5, 6)], Frame(np.zeros((3, 3), np.uint8), left=2, top=3, transparent=1)),
    ]
    for color, depth in KINDS:
        pixels = np.zeros((5, 5, CHANNELS[color]), np.uint16)
        colors = [palette([(1, 2, 3), (4, 5, 6)])] if color == 3 else []
        made += [png(pixels, color, depth, *colors, profile_chunk(icc), interlaced=True)]
        if color in (0, 2, 3):
            made.append(png(pixels, color, depth, *colors, chunk(b"tRNS", bytes(2 * CHANNELS[color]))))
    return made


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = 6
    return made


def shut_in(data: list[bytes]) -> dict[str, list[Any]]:
    given = b"".join(len(one).to_bytes(4, "big") + one for one in data) + bytes(4)
    program = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(program, check=False, capture_output=True, timeout=60, input=given, env=child_environment())
    assert (ended.returncode, ended.stderr) == (0, b"")
    told: dict[str, list[Any]] = json.loads(ended.stdout)
    return told


def test_pictures_of_every_kind_decode_in_a_process_that_is_shut_in() -> None:
    told = shut_in(pictures())

    assert told["told"] == [zlib.crc32(decoded_by_us(data).tobytes()) for data in pictures()]
    assert told["loaded"] == []


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: data[:-40] + bytes(40)])
def test_pictures_that_are_damaged_load_nothing_either(damage: Callable[[bytes], bytes]) -> None:
    told = shut_in([damage(data) for data in pictures()])

    assert "BAD_IMAGE" in told["told"]
    assert {one for one in told["told"] if isinstance(one, str)} == {"BAD_IMAGE"}
    assert told["loaded"] == []
