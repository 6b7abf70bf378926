"""The kernel's account of a process's memory."""

import os
from pathlib import Path

from perf.memory import ProcessMemory, parse_rollup

ROLLUP = """\
556ee35f0000-7ffd7a9f8000 ---p 00000000 00:00 0                          [rollup]
Rss:               20480 kB
Pss:               10240 kB
Pss_Dirty:          8192 kB
Pss_Anon:           7000 kB
Pss_File:           1192 kB
Pss_Shmem:          2048 kB
Shared_Clean:       9000 kB
Shared_Dirty:        100 kB
Private_Clean:      1024 kB
Private_Dirty:      6144 kB
"""


def test_rollup_of_a_process_is_read_in_bytes() -> None:
    expected = ProcessMemory("broker", pss_bytes=10 << 20, uss_bytes=7 << 20, arena_bytes=2 << 20)

    assert parse_rollup("broker", ROLLUP) == expected


def test_rollup_of_the_running_kernel_is_read() -> None:
    memory = parse_rollup("self", Path(f"/proc/{os.getpid()}/smaps_rollup").read_text(encoding="ascii"))

    assert 0 < memory.uss_bytes <= memory.pss_bytes
