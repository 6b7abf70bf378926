"""Messages of more parts than there can be: what is too much is thrown away unseen, and not without end."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import zmq

from ipc.sockets import make_context
from omnishotd.broker import door as door_module
from omnishotd.broker.door import PARTS_MAX, Door, DoorBlocked
from tests.omnishotd.broker.rig import make_settings

WITHIN_MS = 10_000


class Passage:
    """A door and one producer before it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        context = stack.enter_context(make_context())
        endpoint = f"ipc://{folder}/frames.sock"
        frames = msgspec.structs.replace(make_settings().frames, endpoints=[endpoint])
        self.door = Door(context, frames, 1 << 20)
        stack.callback(self.door.close)
        self.producer = context.socket(zmq.DEALER)
        stack.callback(self.producer.close, linger=0)
        self.producer.connect(endpoint)

    def contents(self) -> list[bytes]:
        """Take one message: what is in it."""
        assert self.door.socket.poll(WITHIN_MS)
        received = self.door.receive()
        assert received is not None
        return [bytes(part.buffer) for part in received[1]]


@pytest.fixture
def passage(runtime_directory: Path) -> Iterator[Passage]:
    with ExitStack() as stack:
        yield Passage(runtime_directory, stack)


def test_message_of_a_thousand_parts_comes_as_its_first_few_and_the_next_one_whole(passage: Passage) -> None:
    passage.producer.send_multipart([b"%d" % number for number in range(1000)])
    passage.producer.send_multipart([b"header", b"payload"])

    assert passage.contents() == [b"%d" % number for number in range(PARTS_MAX - 1)]
    assert passage.contents() == [b"header", b"payload"]


@pytest.mark.parametrize("parts", [0, 1, 2, 3])
def test_message_of_few_parts_behind_a_delimiter_comes_whole(passage: Passage, parts: int) -> None:
    sent = [b"%d" % number for number in range(parts)]
    passage.producer.send_multipart([b"", *sent])

    assert passage.contents() == sent or ([b""] if not parts else sent)


def test_message_that_would_take_too_long_to_throw_away_is_told(
    passage: Passage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "PARTS_SKIPPED_MAX", 100)
    passage.producer.send_multipart([b""] * (PARTS_MAX - 1 + 100))
    passage.contents()
    passage.producer.send_multipart([b""] * (PARTS_MAX + 100))
    assert passage.door.socket.poll(WITHIN_MS)

    with pytest.raises(DoorBlocked):
        passage.door.receive()
