"""What the broker's process may take: told by a process that takes more."""

import subprocess
import sys

LIMITED = """
import resource
from omnishotd.broker.allowance import limit_memory, raise_descriptors
{body}
"""


def run(body: str) -> str:
    """Run in a process of its own, which a limit may end."""
    program = LIMITED.format(body=body)
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_memory_within_the_limit_is_given_and_beyond_it_is_not() -> None:
    body = """
limit_memory(64 << 20)
kept = bytearray(40 << 20)
try:
    bytearray(40 << 20)
except MemoryError:
    print("no more")
"""
    assert run(body) == "no more"


def test_limit_of_memory_that_is_lower_already_stays() -> None:
    body = """
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
limit_memory(4 << 30)
print(resource.getrlimit(resource.RLIMIT_AS)[0] == 1 << 30)
"""
    assert run(body) == "True"


def test_descriptors_are_raised_to_what_is_allowed() -> None:
    body = """
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 100))
print(raise_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert run(body) == "100 (100, 100)"


def test_descriptors_that_are_enough_are_left_alone() -> None:
    body = """
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
print(raise_descriptors())
"""
    assert run(body) == "100"
