"""HTTP and WebSocket by hand: what no library would send, and answers as they come."""

import json
import os
import socket
import struct
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from ipc.telemetry import SERVICES_MAX, ServiceFigures
from tests.control.support import ControlProcess, make_settings, make_supervisor, running_control
from tests.waiting import eventually

ANSWER_WITHIN_S: Final = 5.0
TOKEN: Final = "-._0123456789" * 3

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    """Names in lower case; no name may come twice."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A WebSocket frame of the server."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        """Of a close frame."""
        assert self.opcode == CLOSE, self
        return int(struct.unpack(">H", self.payload[:2])[0])


class RawConnection:
    """One TCP connection."""

    def __init__(self, port: int, receive_buffer_bytes: int | None = None) -> None:
        self.port = port
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(ANSWER_WITHIN_S)
        self.socket.connect(("127.0.0.1", port))
        self._data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    # ---- HTTP

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def ask(self, target: str = "/health/live", *headers: str, method: str = "GET", body: bytes = b"") -> RawAnswer:
        """Send a request that is in order, with more headers, and wait for its answer."""
        own = [f"Host: 127.0.0.1:{self.port}", *headers]
        if body:
            own.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([f"{method} {target} HTTP/1.1", *own, "", ""]).encode() + body)
        return self.answer(has_body=method != "HEAD")

    def answer(self, has_body: bool = True) -> RawAnswer:
        """Wait for an answer."""
        while b"\r\n\r\n" not in self._data:
            self._receive()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), f"a header comes twice: {head!r}"
        length = int(headers.get("content-length", "0")) if has_body else 0
        while len(self._data) < length:
            self._receive()
        body, self._data = self._data[:length], self._data[length:]
        return RawAnswer(int(first.split()[1]), headers, body)

    def read_to_end(self, within_s: float = ANSWER_WITHIN_S) -> bytes:
        """Wait until the other end has closed, and return what it sent before."""
        self.socket.settimeout(within_s)
        try:
            while True:
                self._receive()
        except (EOFError, ConnectionResetError):
            data, self._data = self._data, b""
            return data

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"closed, after {self._data!r}")
        self._data += data

    # ---- WebSocket

    def open_feed(self, *headers: str) -> RawAnswer:
        """Send an opening handshake."""
        return self.ask("/ws", *handshake_headers(), *headers)

    def send_frame(self, opcode: int, payload: bytes, is_final: bool = True, is_masked: bool = True) -> None:
        """Send one frame; the mask is zero, so that the payload is sent as it is."""
        self.send(raw_frame(opcode, payload, is_final, is_masked))

    def say(self, message: dict[str, Any]) -> None:
        """Send a message of the feed."""
        self.send_frame(TEXT, json.dumps(message).encode())

    def frame(self) -> RawFrame:
        """Wait for a frame."""
        while (length := self._frame_length()) is None:
            self._receive()
        start, end = length
        frame = RawFrame(self._data[0] & 0x0F, self._data[start:end])
        self._data = self._data[end:]
        return frame

    def hear(self) -> Any:
        """Wait for a message of the feed; pings are passed over."""
        frame = self.frame()
        while frame.opcode == PING:
            frame = self.frame()
        assert frame.opcode == TEXT, frame
        return json.loads(frame.payload)

    def _frame_length(self) -> tuple[int, int] | None:
        """Where the payload of the first frame starts and ends; None if it is not all there."""
        if len(self._data) < 2:
            return None
        length, start = self._data[1], 2
        if length >= 126:
            form, start = (">H", 4) if length == 126 else (">Q", 10)
            if len(self._data) < start:
                return None
            length = struct.unpack(form, self._data[2:start])[0]
        return (start, start + length) if len(self._data) >= start + length else None


def handshake_headers() -> list[str]:
    """Headers that open a WebSocket."""
    key = b64encode(os.urandom(16)).decode()
    return ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]


def raw_frame(opcode: int, payload: bytes, is_final: bool = True, is_masked: bool = True) -> bytes:
    """Write a client's frame."""
    length, mask = len(payload), 0x80 if is_masked else 0
    if length < 126:
        head = bytes([mask | length])
    elif length < 1 << 16:
        head = bytes([mask | 126]) + struct.pack(">H", length)
    else:
        head = bytes([mask | 127]) + struct.pack(">Q", length)
    return bytes([(0x80 if is_final else 0) | opcode]) + head + (b"\0\0\0\0" if is_masked else b"") + payload


@contextmanager
def control_with(*, token: bool = False, log: Path | None = None, **changes: Any) -> Iterator[ControlProcess]:
    """Run a control plane with changes to `settings.control`.

    With `token` it asks for `TOKEN`; what it logs goes to the file `log`, if that is given.
    """
    settings = make_settings()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as running:
        if token:
            path = Path(directory) / "token"
            path.touch(0o600)
            path.write_text(TOKEN)
            changes["token_file"] = str(path)
        changed = msgspec.structs.replace(settings.control, **changes)
        with stderr_to(log) if log else nullcontext():
            control = running.enter_context(running_control(msgspec.structs.replace(settings, control=changed)))
        yield control


@contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """Have the processes that are started meanwhile log to a file."""
    kept = os.dup(2)
    try:
        with path.open("wb") as target:
            os.dup2(target.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def tell_of_services(control: ControlProcess) -> None:
    """Tell of the small pipeline's services, and wait until that has arrived; `TOKEN` is shown."""

    def are_known() -> bool:
        control.tell(make_supervisor(at_s=time.monotonic()))
        with RawConnection(control.port) as connection:
            answer = connection.ask("/api/services/health", f"Authorization: Bearer {TOKEN}")
        return bool(answer.json["services"])

    eventually(are_known, within_s=5, what="the services are known")


def tell_of_a_crowd(control: ControlProcess) -> None:
    """Tell of as many services as there can be, so that answers fill any buffer; `TOKEN` is shown."""
    services = [
        ServiceFigures(name=f"decode-{number}", kind="decode", state="ready", pid=None, started_at_s=0.0)
        for number in range(SERVICES_MAX)
    ]

    def is_known() -> bool:
        control.tell(msgspec.structs.replace(make_supervisor(at_s=time.monotonic()), services=services))
        with RawConnection(control.port) as connection:
            return len(connection.ask("/api/services/health", f"Authorization: Bearer {TOKEN}").body) > 60_000

    eventually(is_known, within_s=5, what="the control plane knows of the crowd")
