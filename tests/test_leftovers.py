"""What is left behind is seen, and what others hold is not taken for it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.leftovers import descendants, segments, segments_left

HOLDER = """
import mmap, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
held = mmap.mmap(descriptor, 4096)
os.close(descriptor)
print("held", flush=True)
sys.stdin.read()
"""


def test_segment_that_a_child_holds_is_left_behind_and_one_that_others_hold_is_theirs() -> None:
    before = segments()
    path = f"/dev/shm/left-{os.getpid()}"  # noqa: S108 - where it must be
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    os.ftruncate(descriptor, 4096)
    os.close(descriptor)
    try:
        command = [sys.executable, "-c", HOLDER, path]
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
            subprocess.Popen(["cat"], stdin=subprocess.PIPE) as bystander,  # noqa: S607 - wherever it is
        ):
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert holder.pid in descendants(os.getpid())
            assert Path(path) in segments_left(before)
            assert Path(path) in segments_left(before, own_pid=holder.pid)
            assert Path(path) not in segments_left(before, own_pid=bystander.pid)
    finally:
        Path(path).unlink()
    assert Path(path) not in segments_left(before)
