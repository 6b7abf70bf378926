"""Who may say what: every message of every child, before and after it was ready."""

import itertools
from typing import Final

import msgspec
import pytest

from ipc.causes import Cause
from ipc.messages import (
    Beat,
    Drained,
    Examine,
    Examined,
    FromChild,
    Kill,
    Poisoned,
    Ready,
    Retired,
    Unable,
    Worn,
)
from omnishotd.supervisor.rights import Speaker, may_say

MESSAGES: Final[list[FromChild]] = [
    Ready(),
    Unable("reason", 1),
    Beat(),
    Worn("frames"),
    Retired(3),
    Poisoned([3, 4]),
    Kill(3, "reason", Cause.TIME_LIMIT),
    Drained(0),
    Examine(1, "broker", "trim"),
    Examined(1, "decode-0"),
]
ALLOWED: Final = {
    ("broker", False): {Ready, Unable, Beat, Retired, Poisoned, Kill, Drained},
    ("broker", True): {Beat, Retired, Poisoned, Kill, Drained, Examined},
    ("control", False): {Ready, Unable, Beat, Examine},
    ("control", True): {Beat, Examine, Examined},
    ("decode", False): {Ready, Unable},
    ("decode", True): {Worn, Examined},
}


def test_table_knows_every_message() -> None:
    union = msgspec.inspect.type_info(FromChild)
    assert isinstance(union, msgspec.inspect.UnionType)

    assert {part.cls for part in union.types if isinstance(part, msgspec.inspect.StructType)} == set(
        map(type, MESSAGES)
    )


@pytest.mark.parametrize(("who", "message"), list(itertools.product(ALLOWED, MESSAGES)))
def test_child_may_say_what_the_table_says(who: tuple[str, bool], message: FromChild) -> None:
    kind, is_ready = who

    assert may_say(Speaker(kind, is_ready, is_worn=False), message) == (type(message) in ALLOWED[who])


def test_worker_is_worn_once() -> None:
    assert not may_say(Speaker("decode", is_ready=True, is_worn=True), Worn("again"))
