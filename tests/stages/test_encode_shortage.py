"""Encoders that are refused memory at any point: each says so, none ends its process, and all work afterwards."""

from typing import Final

import pytest

from tests.stages.confined import confined, endings

PROGRAM: Final = """
import os, sys
from ipc.messages import Encode, Extent
from ipc.pixels import Geometry, Layout
from stages import encode, encodings
from tests.stages.confined import attempt

encoding, layout, enough_mib = eval(sys.argv[1], vars(encodings)), Layout(sys.argv[2]), int(sys.argv[3])
encode.warm()
size = Geometry(1400, 1000, layout)
arena = memoryview(bytearray(os.urandom(size.bytes // 4)) + bytes(size.bytes - size.bytes // 4))
step = Encode(Extent(0, size.bytes), size, 0, encodings.encode_encoding(encoding))
attempt(lambda: encode.encode(step, arena), range(0, enough_mib + 1, enough_mib // 8))
encode.encode(step, arena)
"""


@pytest.mark.parametrize("layout", ["BGR", "RGBA"])
@pytest.mark.parametrize(
    ("encoding", "enough_mib"),
    [
        ('JpegEncoding(quality=95, subsampling="444")', 20),
        ('JpegEncoding(quality=95, subsampling="444", progressive=True)', 30),
        ("PngEncoding(compression=1)", 16),
        ("WebpEncoding(effort=0)", 48),
        ("WebpEncoding(lossless=True, effort=0)", 64),
        ("AvifEncoding(effort=0)", 88),
    ],
)
def test_encoder_with_too_little_memory_says_so_and_works_again_when_there_is_enough(
    encoding: str, enough_mib: int, layout: str
) -> None:
    # What was freed once is not kept to be used again, so that so little really is all there is.
    said = confined(PROGRAM, encoding, layout, enough_mib, environment={"MALLOC_MMAP_THRESHOLD_": str(1 << 17)})

    assert endings(said) == {"shortage True", "done"}, set(said)
    assert said[0] != "done"
    assert said[-1] == "done"
