"""A table of pending requests on the bench, with a clock of numbers and no sockets."""

import msgpack  # type: ignore[import-untyped]  # has no types of its own

from omnishotd.client.errors import OmnishotError
from omnishotd.client.messages import Content, InputFacts, Pong, Reply, Result, TimingUs
from omnishotd.client.pending import Finished, PendingTable
from omnishotd.client.request import Request, TimeLimit


class Bench:
    """A table with its hands: what it wants sent is taken down, what it says has ended is kept."""

    def __init__(self, jitter: float = 0.0) -> None:
        self.table = PendingTable("camera-7", "ipc:///nowhere", lambda: jitter)
        self.finished: list[Finished] = []

    def submit(self, request_id: str, *, deadline_s: float = 30.0, retry_when_busy: bool = True) -> None:
        self.table.submit(
            Request(
                id=request_id,
                header=msgpack.packb({"id": request_id}),
                payload=b"frame",
                limit=TimeLimit(deadline_s, deadline_s),
                retry_when_busy=retry_when_busy,
                expects=Result,
            )
        )

    def send_all(self, now_s: float = 0.0) -> list[str]:
        """Send what is wanted and return it, as `op:id` for a control and as the id for a request."""
        went = []
        while (outgoing := self.table.outgoing(now_s)) is not None:
            header = msgpack.unpackb(outgoing.header)
            went.append(header["id"] if outgoing.request else f"{header['op']}:{header['id']}")
            self.table.sent(outgoing, now_s)
        return went

    def receive(self, reply_id: str, content: Content | OmnishotError, now_s: float = 0.0) -> None:
        self.finished += self.table.received(Reply(reply_id, content), now_s)

    def connect(self, connection: int, epoch: str, now_s: float = 0.0) -> None:
        """A new connection, greeted and answered."""
        self.finished += self.table.connected(now_s)
        assert self.send_all(now_s) == [f"ping:~{connection}"]
        self.receive(f"~{connection}", Pong(epoch, "0.1.0"), now_s)

    def outcomes(self) -> dict[str, type]:
        assert len({each.id for each in self.finished}) == len(self.finished)
        return {each.id: type(each.outcome) for each in self.finished}


def result(request_id: str) -> Result:
    return Result(request_id, (), InputFacts("jpeg", 1, 1, 1), TimingUs(0, 0, 0, 0, 0), 1, "t")
