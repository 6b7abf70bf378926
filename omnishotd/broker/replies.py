"""Replies: what a producer is told. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ipc.errors import ErrorCode
from ipc.pixels import Layout
from ipc.wire import ErrorFigures, ErrorReply, InputFigures, OkReply, OutputFigures, Timing, encode_reply
from omnishotd.broker.frame import Frame, InvariantError


@dataclass(frozen=True, slots=True)
class Reply:
    """A header and the pictures that follow it, ready to be sent, more than once if need be."""

    header: bytes
    pictures: Sequence[Any] = ()
    """ZeroMQ frames, as they came from the workers: never copied by the broker."""
    bytes: int = 0
    """Size of it all."""


def error_reply(request_id: str, code: ErrorCode, message: str, retry_after_ms: int | None = None) -> Reply:
    """Tell a producer why not."""
    header = encode_reply(
        ErrorReply(
            id=request_id,
            error=ErrorFigures(code=code, message=message),
            retry_after_ms=msgspec.UNSET if retry_after_ms is None else retry_after_ms,
        )
    )
    return Reply(header, (), len(header))


def ok_reply(frame: Frame, now_us: int) -> Reply:
    """Hand a producer its pictures."""
    plan = frame.plan
    times = frame.times
    outputs: list[OutputFigures] = []
    size_bytes = 0
    for encoded, part in zip(frame.encoded, frame.parts, strict=True):
        if encoded is None:
            raise InvariantError(f"frame {frame.trace} answered without all its pictures")
        picture_bytes = len(part)
        size_bytes += picture_bytes
        outputs.append(
            OutputFigures(
                format=encoded.format,
                width=encoded.width,
                height=encoded.height,
                bytes=picture_bytes,
                quality=encoded.quality,
                channels=msgspec.UNSET if encoded.layout is None else Layout(encoded.layout).channels,
                layout=msgspec.UNSET if encoded.layout is None else encoded.layout,
            )
        )
    header = encode_reply(
        OkReply(
            id=frame.key.request_id,
            input=InputFigures(
                format=plan.format,
                width=plan.picture.width,
                height=plan.picture.height,
                bytes=len(frame.payload) if frame.loan is None else frame.loan.bytes,
            ),
            outputs=outputs,
            timing_us=Timing(
                queue=times.queue,
                decode=times.decode,
                transform=times.transform,
                encode=times.encode,
                total=now_us - frame.arrived_us,
            ),
            attempts=frame.attempts,
            trace=frame.trace,
        )
    )
    return Reply(header, tuple(frame.parts), len(header) + size_bytes)
