"""Sentences for operators: each names who it is, by how much, and what to do next."""

import pytest

from control.advice import amount, on_full_arena, on_full_host, on_growth, on_kept, span
from control.trend import Growth

MIB = 1 << 20


def growth(frames: int | None = 9000) -> Growth:
    return Growth(span_s=36.2, bytes_per_s=12 * MIB / 60, confidence=0.99, frames=frames, has_no_end=True)


def test_growing_worker_is_named_with_its_figures_and_two_next_steps() -> None:
    assert on_growth("decode-0", "decode", 4711, growth()) == (
        "decode-0 grows by 12 MiB a minute (844 bytes a frame, seen over 36 s), with no end in sight: "
        "`POST /api/memory-analysis/decode-0/snapshot` shows the lines that hold on to it, `kill -9 4711` gives it "
        "back (ends its process, the supervisor starts another, and no frame is lost)."
    )


@pytest.mark.parametrize("kind", ["broker", "supervisor"])
def test_growth_of_what_everything_hangs_on_is_not_to_be_killed(kind: str) -> None:
    sentence = on_growth(kind, kind, 4711, growth(frames=None))

    assert "kill" not in sentence
    assert "restarting the daemon gives it back" in sentence
    assert "a frame" not in sentence


def test_kept_memory_is_to_be_trimmed() -> None:
    assert on_kept("broker", 58 * MIB) == (
        "malloc of broker keeps 58 MiB that nothing uses: `POST /api/memory-analysis/broker/trim` gives it back to the "
        "host."
    )


def test_full_arena_is_told_with_its_owners_and_the_settings() -> None:
    assert on_full_arena(256 * MIB, 238 * MIB, 45.0, [("decode-0", 120 * MIB), ("waiting", 60 * MIB)]) == (
        "93 % of the arena has been in use for 45 s (most by decode-0 120 MiB, waiting 60 MiB), so that frames wait "
        "for room: set memory.arena_mb above 256, or frames.max_pixels lower."
    )


def test_full_arena_of_unknown_owners_is_told_without_them() -> None:
    assert "(" not in on_full_arena(256 * MIB, 238 * MIB, 45.0, [])


def test_full_host_is_told_with_our_share_of_it() -> None:
    assert on_full_host(91.4, 80.0, 191 * MIB, [("broker", 74 * MIB)]) == (
        "91 % of the host's memory is in use, the threshold is 80 %; 191 MiB of it are this daemon's (most: broker "
        "74 MiB): end what else takes memory there, or set memory.arena_mb and pipeline.queue_max_bytes lower."
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 bytes"),
        (840.4, "840 bytes"),
        (1024, "1.0 KiB"),
        (9.96 * 1024, "10 KiB"),
        (1.44 * MIB, "1.4 MiB"),
        (58 * MIB, "58 MiB"),
        (3 << 30, "3.0 GiB"),
        (-2 * MIB, "-2.0 MiB"),
    ],
)
def test_amount_has_the_unit_that_people_use(count: float, expected: str) -> None:
    assert amount(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(45.4, "45 s"), (119, "119 s"), (540, "9 min"), (6480, "108 min"), (7200, "2.0 h")]
)
def test_span_has_the_unit_that_people_use(seconds: float, expected: str) -> None:
    assert span(seconds) == expected
