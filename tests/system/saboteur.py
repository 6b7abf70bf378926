"""What a worker whose decoder was taken over could do: put into the first worker of each pool, and armed by a test.

Copied into a folder on PYTHONPATH as `sitecustomize.py`, which Python runs before anything else. It takes its orders
from a file beside it that is mapped before the worker gives up its rights: one byte for each, 1 for armed.
"""

import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from ipc.messages import Answer, Hello, Report, ToBroker
from ipc.pixels import Geometry, Layout

DEATHS: Final = (
    "decode before", "decode amid", "decode behind",
    "transform before", "transform amid", "transform behind",
    "encode before", "encode behind",
)  # fmt: skip
"""A worker dies at this point of this stage, with a frame in its hands."""
SCRIBBLE: Final = "scribble over the arena"
FORGERIES: Final = (
    "answer twice", "answer for others", "introduce itself as others", "another size", "another output",
    "a size that nobody asked for", "no times", "forget an answer", "no message",
)  # fmt: skip
"""What a report is made into."""
ORDERS: Final = (*DEATHS, SCRIBBLE, *FORGERIES)
ORDERS_FILE: Final = "orders"

CANARY_SIDE_MAX: Final = 64
"""Canaries are left alone."""
TRIED: Final = 40
"""Numbers that are tried for the incarnations and leases of others."""
TO_BROKER: Final[msgspec.msgpack.Decoder[ToBroker]] = msgspec.msgpack.Decoder(ToBroker)

encode, change = msgspec.msgpack.encode, msgspec.structs.replace


class Saboteur:
    """Does what it is ordered, once each time."""

    def __init__(self, orders: mmap.mmap) -> None:
        self._orders = orders

    def is_ordered(self, order: str) -> bool:
        """Whether this is to be done now; it is not any more then."""
        at = ORDERS.index(order)
        is_armed = self._orders[at] == 1
        if is_armed:
            self._orders[at] = 0
        return is_armed

    def die(self, order: str) -> None:
        """Die here if that is ordered."""
        if self.is_ordered(order):
            os._exit(9)

    def step(self, stage: str, honest: Callable[..., Any]) -> Callable[..., Any]:
        """Make a stage's function one that may die, or scribble."""

        def run(step: Any, ground: Any, *more: Any) -> Any:
            if step.geometry.width <= CANARY_SIDE_MAX and step.geometry.height <= CANARY_SIDE_MAX:
                return honest(step, ground, *more)
            self.die(f"{stage} before")
            if stage != "encode" and self.is_ordered(f"{stage} amid"):
                half = step.target.bytes // 2
                ground.at(step.target)[:half] = b"\xa5" * half
                os._exit(9)
            done = honest(step, ground, *more)
            if stage == "decode" and self.is_ordered(SCRIBBLE):
                arena, megabyte = ground._arena, b"\xa5" * (1 << 20)
                for start in range(0, len(arena) - len(megabyte) + 1, len(megabyte)):
                    arena[start : start + len(megabyte)] = megabyte
            self.die(f"{stage} behind")
            return done

        return run

    def report(self, honest: Callable[..., Any]) -> Callable[..., Any]:
        """Make a socket's `send_multipart` one that may forge."""

        def send(socket: Any, parts: Any, *args: Any, **options: Any) -> Any:
            message = TO_BROKER.decode(bytes(parts[0]))
            if isinstance(message, Report) and tells_of_frames(message):
                order = next((order for order in FORGERIES if self.is_ordered(order)), None)
                if order is not None:
                    for forged in forgery(order, message.answers, parts[1:]):
                        honest(socket, forged)
                    return None
            return honest(socket, parts, *args, **options)

        return send


def tells_of_frames(report: Report) -> bool:
    """Whether it carries pictures, and none of a canary."""
    widths = [encoded.width for answer in report.answers for encoded in answer.encoded]
    return bool(widths) and min(widths) > CANARY_SIDE_MAX


def forgery(order: str, answers: list[Answer], pictures: list[Any]) -> list[list[Any]]:
    """Make the messages that are sent in the place of an honest report."""
    true = [encode(Report(answers)), *pictures]
    match order:
        case "answer twice":
            return [true, true]
        case "answer for others":
            own = {answer.lease for answer in answers}
            others = set(range(max(own) - TRIED, max(own) + TRIED)) - own
            return [[encode(Report([Answer(lease, answers[0].step_us, []) for lease in others]))], true]
        case "introduce itself as others":
            return [*([encode(Hello(incarnation, ["decode"]))] for incarnation in range(TRIED)), true]
        case "another size":
            answers = [change(a, encoded=[change(one, width=one.width + 1) for one in a.encoded]) for a in answers]
        case "another output":
            answers = [change(a, encoded=[change(one, output=10**6) for one in a.encoded]) for a in answers]
        case "a size that nobody asked for":
            answers = [change(answer, made=Geometry(1 << 30, 1 << 30, Layout.RGB)) for answer in answers]
        case "no times":
            answers = [change(answer, step_us=[]) for answer in answers]
        case "forget an answer":
            return []
        case "no message":
            return [[b"\xc1" * 100]]
    return [[encode(Report(answers)), *pictures]]


def infiltrate() -> None:
    """Take the place of the stages' functions and of the way out, in the first worker of a pool."""
    import zmq  # noqa: PLC0415 - only in workers

    import stages.decode  # noqa: PLC0415 - only in workers
    import stages.encode  # noqa: PLC0415 - only in workers
    import stages.transform  # noqa: PLC0415 - only in workers

    with (Path(__file__).parent / ORDERS_FILE).open("r+b") as file:
        saboteur = Saboteur(mmap.mmap(file.fileno(), len(ORDERS)))
    stages.decode.decode = saboteur.step("decode", stages.decode.decode)
    stages.transform.transform = saboteur.step("transform", stages.transform.transform)
    stages.encode.encode = saboteur.step("encode", stages.encode.encode)
    zmq.Socket.send_multipart = saboteur.report(zmq.Socket.send_multipart)  # type: ignore[method-assign]  # sabotage


if "stages.worker" in sys.orig_argv and any(argument.endswith("-0") for argument in sys.orig_argv):
    infiltrate()
