"""Many pictures through one daemon: a bounded number in flight, results written as they come."""

import os
import re
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipc.errors import ErrorCode
from omnishotd.cli.pictures import Picture
from omnishotd.cli.request import Request

if TYPE_CHECKING:
    from omnishotd.client import Client, Result, TimingUs

IN_FLIGHT_MAX: Final = 16
IN_FLIGHT_BYTES_MAX: Final = 64 * 1024 * 1024
TIMEOUT_S: Final = 120.0
"""For one picture, the waiting of a full daemon included."""

_SUFFIXES: Final = {"jpeg": ".jpg"}
"""Of formats whose files are not called as the format is."""


_OF_THE_REQUEST: Final = re.compile(r"outputs\[\d+\](?:\.\w+(?:\[\d+\])?)*: ")
"""How a refusal begins that is about a key of the request. One that is about an operation on this picture tells the
operation's name behind the key: `outputs[0].operations[1] (extract): `."""


@dataclass(frozen=True, slots=True)
class Written:
    """One result, as it lies on disk."""

    path: Path
    format: str
    width: int
    height: int
    bytes: int
    quality: int | None
    """None where the format, or the encoding, has none."""
    layout: str | None
    """Of raw pixels, in whose file nothing says it."""


@dataclass(frozen=True, slots=True)
class Done:
    """A picture that is finished."""

    source: Path
    width: int
    height: int
    outputs: tuple[Written, ...]
    timing_us: "TimingUs"


@dataclass(frozen=True, slots=True)
class Failed:
    """A picture that is not, or a folder that could not be searched.

    `code` is the daemon's, UNREADABLE or UNWRITABLE, or names what became of the connection.
    """

    source: Path
    code: str
    message: str


class Futile(Exception):
    """The request itself is wrong, and so is wrong for every picture."""


class Submission:
    """Sends pictures and writes what comes back. Iterate to do it; each picture gives one `Done` or `Failed`.

    Raises `Futile` with the first reply that says so.
    """

    def __init__(self, client: "Client", pictures: Sequence[Picture], request: Request, frame_bytes_max: int) -> None:
        self._client = client
        self._request = request
        self._frame_bytes_max = frame_bytes_max
        self._waiting = deque(pictures)
        self._flying: dict[Future[Result], tuple[Picture, int]] = {}

    def __iter__(self) -> Iterator[Done | Failed]:
        while self._waiting or self._flying:
            while self._waiting and self._has_room():
                refused = self._launch(self._waiting.popleft())
                if refused is not None:
                    yield refused
            # Where nothing flies, because all were refused, this returns at once.
            landed, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            for future in landed:
                picture, _ = self._flying.pop(future)
                yield self._finished(picture, future)

    def _has_room(self) -> bool:
        flying_bytes = sum(size for _, size in self._flying.values())
        return len(self._flying) < IN_FLIGHT_MAX and flying_bytes < IN_FLIGHT_BYTES_MAX

    def _launch(self, picture: Picture) -> Failed | None:
        try:
            payload = _read(picture.source, self._frame_bytes_max + 1)
        except OSError as error:
            return Failed(picture.source, "UNREADABLE", error.strerror or str(error))
        if len(payload) > self._frame_bytes_max:
            # Not sent: the daemon drops the connection over a message that is far too long.
            return Failed(picture.source, "TOO_LARGE", f"more than max_frame_bytes, {self._frame_bytes_max}")
        try:
            future = self._client.submit(
                payload,
                outputs=self._request.outputs,
                preset=self._request.preset,
                page=self._request.page,
                timeout_s=TIMEOUT_S,
            )
        except (ValueError, TypeError) as error:
            if str(error).startswith("header: "):
                raise Futile(str(error)) from error
            # What the client refuses for its form, as an empty file, the daemon would refuse so.
            return Failed(picture.source, "BAD_REQUEST", str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the pictures in flight are still to be written
            return Failed(picture.source, type(error).__name__, str(error))
        self._flying[future] = (picture, len(payload))
        return None

    def _finished(self, picture: Picture, future: "Future[Result]") -> Done | Failed:
        from omnishotd.client import FrameRefused, OmnishotError

        try:
            result = future.result()
            written = tuple(self._write(picture, result))
        except FrameRefused as refusal:
            if refusal.code == ErrorCode.BAD_REQUEST and _OF_THE_REQUEST.match(refusal.message):
                raise Futile(refusal.message) from refusal
            return Failed(picture.source, str(refusal.code), refusal.message)
        except OmnishotError as error:
            return Failed(picture.source, type(error).__name__, str(error))
        except OSError as error:
            return Failed(picture.source, "UNWRITABLE", f"{error.filename}: {error.strerror}")
        return Done(picture.source, result.input.width, result.input.height, written, result.timing_us)

    def _write(self, picture: Picture, result: "Result") -> Iterator[Written]:
        for index, output in enumerate(result.outputs):
            label = self._request.label(index, len(result.outputs))
            suffix = _SUFFIXES.get(output.format, f".{output.format}")
            path = picture.target.with_name(f"{picture.target.name}{label}{suffix}")
            write_whole(path, output.data)
            yield Written(
                path=path,
                format=output.format,
                width=output.width,
                height=output.height,
                bytes=len(output.data),
                quality=output.quality,
                layout=output.layout,
            )


def _read(path: Path, bytes_max: int) -> bytes:
    """Read at most so many bytes of a regular file. Raises OSError."""
    # Looked at before it is opened: opening can wait for ever, as a pipe's does, or do something, as a device's can.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(None, "not a file")
    with path.open("rb") as stream:
        return stream.read(bytes_max)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".omnishotd-{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            stream.write(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
