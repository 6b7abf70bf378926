"""Encoders that are refused memory at any point: each says so, none ends its process, and all work afterwards."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, resource, sys
from ipc import heap
from ipc.messages import Encode, Extent
from ipc.pixels import Geometry, Layout
from ipc.resident import mapped_bytes
from stages import encode, encodings
from stages.shortage import is_shortage

encoding, layout = eval(sys.argv[1], vars(encodings)), Layout(sys.argv[2])
encode.warm()
size = Geometry(1400, 1000, layout)
arena = memoryview(bytearray(os.urandom(size.bytes // 4)) + bytes(size.bytes - size.bytes // 4))


def encoded():
    encode.encode(Encode(Extent(0, size.bytes), size, 0, encodings.encode_encoding(encoding)), arena)


for limit_mib in range(0, int(sys.argv[3]) + 1, int(sys.argv[3]) // 8):
    heap.trim()
    resource.setrlimit(resource.RLIMIT_AS, (mapped_bytes() + (limit_mib << 20), resource.RLIM_INFINITY))
    try:
        encoded()
    except Exception as error:
        told = f"shortage {is_shortage(error)}: {type(error).__name__}: {error}"
    else:
        told = "done"
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(told)
encoded()
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
    program = [sys.executable, "-c", PROGRAM, encoding, layout, str(enough_mib)]
    # What was freed once is not kept to be used again, so that so little really is all there is.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 17)}
    ended = subprocess.run(program, check=False, capture_output=True, text=True, timeout=100, env=environment)

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert {line.split(":")[0] for line in said} == {"shortage True", "done"}, set(said)
    assert said[0] != "done"
    assert said[-1] == "done"
