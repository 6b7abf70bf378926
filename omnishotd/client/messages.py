"""The protocol's bytes, as a producer writes and reads them: headers of requests, and replies. No sockets.

A reply is read leniently, so that a newer daemon may add keys, but never trusted: what the pictures' frames do not bear
out is an `UnreadableReply`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # has no types of its own; only this module touches it

from omnishotd.client.errors import FrameRefused, OmnishotError, UnreadableReply, refusal

if TYPE_CHECKING:
    import numpy as np

VERSION: Final = 1
HEADER_BYTES_MAX: Final = 4096
NAME_CHARACTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """One finished picture."""

    format: str
    """`jpeg`, `raw`, ..."""
    width: int
    height: int
    quality: int | None
    """None where the format has none."""
    data: bytes = field(repr=False)
    layout: str | None = None
    """Of raw pixels: `GRAY`, `RGB` or `RGBA`."""

    def array(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """Return raw pixels as a read-only array, HxW for `GRAY`, else HxWx3 or HxWx4. Raises ValueError otherwise."""
        import numpy as np  # noqa: PLC0415 - a producer that only passes files on need not load numpy

        if self.format != "raw":
            raise ValueError(f"format: {self.format} is encoded; ask for raw pixels to get an array")
        pixels = np.frombuffer(self.data, np.uint8)
        if self.layout == "GRAY":
            return pixels.reshape(self.height, self.width)
        return pixels.reshape(self.height, self.width, -1)


@dataclass(frozen=True, slots=True)
class InputFacts:
    """What the daemon saw come in; the sides are the file's, before any turning."""

    format: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TimingUs:
    """Microseconds: waiting, in each stage (summed over outputs), and from arrival to reply."""

    queue: int
    decode: int
    transform: int
    encode: int
    total: int


@dataclass(frozen=True, slots=True)
class Result:
    """A frame's pictures, in the order of the outputs asked for."""

    id: str
    outputs: tuple[Picture, ...]
    input: InputFacts
    timing_us: TimingUs
    attempts: int
    """How often the frame was started: 2 after a worker died with it in its hands."""
    trace: str
    """The daemon's name for this frame, to be found in its log."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The broker lives; `epoch` names this life of it, and changes when the broker is replaced."""

    epoch: str
    version: str


@dataclass(frozen=True, slots=True)
class DaemonInfo:
    """What this daemon takes and makes."""

    epoch: str
    version: str
    presets: tuple[str, ...]
    limits: Mapping[str, int]
    formats: Mapping[str, Sequence[str]]
    operations: tuple[str, ...]


Content = Result | Pong | DaemonInfo


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply and the request it belongs to; `id` is empty where the daemon could not read one."""

    id: str
    content: Content | OmnishotError


def encode_header(header: Mapping[str, Any]) -> bytes:
    """Write a request's header, without the keys whose value is None.

    Raises ValueError where it is too long, and TypeError or ValueError for what MessagePack cannot hold. The length and
    the id are checked here, because the daemon could not attribute its answer to the request.
    """
    given = {"v": VERSION} | {key: value for key, value in header.items() if value is not None}
    try:
        packed: bytes = msgpack.packb(given)
    except TypeError as error:
        raise TypeError(f"header: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"header: {error}") from error
    if len(packed) > HEADER_BYTES_MAX:
        raise ValueError(f"header: {len(packed)} bytes with these outputs, at most {HEADER_BYTES_MAX} are taken")
    return packed


def check_name(key: str, name: str) -> str:
    """Return `name`, or raise ValueError if it cannot serve as the header's `key`."""
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARACTERS_MAX:
        raise ValueError(f"{key}: 1 to {NAME_CHARACTERS_MAX} characters, not {name!r}")
    return name


def read_reply(parts: Sequence[bytes]) -> Reply:
    """Read a reply. What cannot be read becomes an `UnreadableReply`, under the id where there is one."""
    try:
        header: Any = msgpack.unpackb(parts[0]) if parts else None
    except (ValueError, msgpack.UnpackException) as error:
        return Reply("", UnreadableReply(f"header: not MessagePack ({error})"))
    if not isinstance(header, dict):
        return Reply("", UnreadableReply("header: not a map"))
    reply_id = header.get("id")
    if not isinstance(reply_id, str):
        return Reply("", UnreadableReply("id: missing"))
    try:
        return Reply(reply_id, _content(reply_id, header, parts[1:]))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return Reply(reply_id, UnreadableReply(f"header: {type(error).__name__}: {error}"))


def _content(reply_id: str, header: Mapping[str, Any], pictures: Sequence[bytes]) -> Content | FrameRefused:
    if header["status"] == "error":
        error = header["error"]
        return refusal(str(error["code"]), str(error["message"]), _integer_or_none(header.get("retry_after_ms")))
    if header["status"] != "ok":
        raise ValueError(f"status {header['status']!r}")
    if "presets" in header:
        return DaemonInfo(
            epoch=str(header["epoch"]),
            version=str(header["version"]),
            presets=tuple(map(str, header["presets"])),
            limits=dict(header.get("limits", {})),
            formats=dict(header.get("formats", {})),
            operations=tuple(map(str, header.get("operations", ()))),
        )
    if "epoch" in header:
        return Pong(epoch=str(header["epoch"]), version=str(header["version"]))
    source, timing = header["input"], header["timing_us"]
    return Result(
        id=reply_id,
        outputs=_pictures(header["outputs"], pictures),
        input=InputFacts(str(source["format"]), int(source["width"]), int(source["height"]), int(source["bytes"])),
        timing_us=TimingUs(*(int(timing.get(name, 0)) for name in ("queue", "decode", "transform", "encode", "total"))),
        attempts=int(header["attempts"]),
        trace=str(header["trace"]),
    )


def _pictures(described: Sequence[Mapping[str, Any]], pictures: Sequence[bytes]) -> tuple[Picture, ...]:
    if len(described) != len(pictures):
        raise ValueError(f"{len(described)} outputs described, {len(pictures)} came")
    made = []
    for facts, data in zip(described, pictures, strict=True):
        if int(facts["bytes"]) != len(data):
            raise ValueError(f"an output of {facts['bytes']} bytes described, {len(data)} came")
        layout = facts.get("layout")
        made.append(
            Picture(
                format=str(facts["format"]),
                width=int(facts["width"]),
                height=int(facts["height"]),
                quality=_integer_or_none(facts.get("quality")),
                data=data,
                layout=None if layout is None else str(layout),
            )
        )
    return tuple(made)


def _integer_or_none(value: Any) -> int | None:
    return None if value is None else int(value)
