"""The kernel's account of a process's memory."""

import os
import subprocess

from perf.memory import ProcessMemory, memory_of, parse_rollup, pss_bytes_of

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
    assert parse_rollup(ROLLUP) == ProcessMemory(pss_bytes=10 << 20, uss_bytes=7 << 20, shared_bytes=2 << 20)


def test_rollup_of_the_running_kernel_is_read() -> None:
    memory = memory_of(os.getpid())

    assert memory is not None
    assert 0 < memory.uss_bytes <= memory.pss_bytes


def test_process_that_has_ended_has_no_memory() -> None:
    ended = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert memory_of(ended.pid) is None  # nobody has waited for it yet
    ended.wait()

    assert memory_of(ended.pid) is None
    assert pss_bytes_of([ended.pid]) == 0
    assert pss_bytes_of([ended.pid, os.getpid()]) > 1 << 20
