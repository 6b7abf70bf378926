"""The channel, over real socket pairs."""

import socket
from collections.abc import Iterator

import msgspec
import pytest

from ipc.causes import Cause
from ipc.channel import (
    MESSAGE_BYTES_MAX,
    UNSENT_MAX,
    Channel,
    ChannelClosed,
    ChannelMisused,
    channel_pair,
    child_channel,
)
from ipc.messages import Drain, FromChild, Kill, Ready, Stop, ToChild, WorkerGone


@pytest.fixture
def ends() -> Iterator[tuple[Channel[FromChild], Channel[ToChild]]]:
    """The supervisor's end and the child's."""
    ours, theirs = channel_pair()
    with ours, child_channel(theirs.detach()) as child:
        yield ours, child


@pytest.fixture
def raw() -> Iterator[tuple[Channel[FromChild], socket.socket]]:
    """The supervisor's end, and the bare socket of a child that may say anything."""
    ours, theirs = channel_pair()
    with ours, theirs:
        yield ours, theirs


def test_messages_arrive_whole_typed_and_in_order(ends: tuple[Channel[FromChild], Channel[ToChild]]) -> None:
    ours, child = ends
    ours.send(WorkerGone(7, "SIGSEGV"))
    ours.send(Drain(1500))
    child.send(Kill(9, "over its time limit", Cause.TIME_LIMIT))

    assert child.receive() == WorkerGone(7, "SIGSEGV")
    assert child.receive() == Drain(1500)
    assert child.receive() is None
    assert ours.receive() == Kill(9, "over its time limit", Cause.TIME_LIMIT)


def test_receive_with_nothing_there_returns_none_at_once(ends: tuple[Channel[FromChild], Channel[ToChild]]) -> None:
    assert ends[0].receive() is None


def test_receive_after_the_peer_closed_gives_what_it_said_and_then_raises(
    ends: tuple[Channel[FromChild], Channel[ToChild]],
) -> None:
    ours, child = ends
    child.send(Ready("here"))
    child.close()

    assert ours.receive() == Ready("here")
    with pytest.raises(ChannelClosed):
        ours.receive()


def test_send_after_the_peer_closed_raises(ends: tuple[Channel[FromChild], Channel[ToChild]]) -> None:
    ours, child = ends
    child.close()

    with pytest.raises(ChannelClosed):
        ours.send(Stop())


def test_send_to_a_peer_that_does_not_read_keeps_all_and_flush_brings_it_in_order(
    ends: tuple[Channel[FromChild], Channel[ToChild]],
) -> None:
    ours, child = ends
    count = 0
    while not ours.wants_flush:
        ours.send(WorkerGone(count, "x" * 1000))
        count += 1
    ours.send(Stop())

    received = []
    while not isinstance(message := child.receive(), Stop):
        if message is None:
            ours.flush()
        else:
            received.append(message)

    assert [message.incarnation for message in received if isinstance(message, WorkerGone)] == list(range(count))
    assert not ours.wants_flush


def test_send_to_a_peer_that_never_reads_raises_at_the_bound(
    ends: tuple[Channel[FromChild], Channel[ToChild]],
) -> None:
    ours, _ = ends
    while not ours.wants_flush:
        ours.send(WorkerGone(0, "x" * 10_000))
    for _ in range(UNSENT_MAX - 1):
        ours.send(Stop())

    with pytest.raises(ChannelClosed, match="not read"):
        ours.send(Stop())


def test_message_of_the_largest_size_goes_through(ends: tuple[Channel[FromChild], Channel[ToChild]]) -> None:
    ours, child = ends
    overhead = len(msgspec.msgpack.encode(WorkerGone(1, "x" * 70_000))) - 70_000
    largest = WorkerGone(1, "x" * (MESSAGE_BYTES_MAX - overhead))
    ours.send(largest)

    assert child.receive() == largest


def test_message_over_the_limit_raises_and_names_it(ends: tuple[Channel[FromChild], Channel[ToChild]]) -> None:
    ours, child = ends

    with pytest.raises(ValueError, match=rf"WorkerGone has \d+ bytes, at most {MESSAGE_BYTES_MAX}"):
        ours.send(WorkerGone(1, "x" * MESSAGE_BYTES_MAX))
    assert not ours.wants_flush
    assert child.receive() is None


@pytest.mark.parametrize(
    "said",
    [
        b"garbage",
        b"\xc1",
        msgspec.msgpack.encode(["kill", "not a number", "why"]),
        msgspec.msgpack.encode(Stop()),
        msgspec.msgpack.encode(["ready", b"\xff"])[:-3] + b"\xa1\xff",
    ],
    ids=["garbage", "no MessagePack", "wrong type", "of the other direction", "no UTF-8"],
)
def test_receive_of_what_is_no_message_raises_and_the_next_is_read(
    raw: tuple[Channel[FromChild], socket.socket], said: bytes
) -> None:
    ours, theirs = raw
    theirs.send(said)
    theirs.send(msgspec.msgpack.encode(Ready()))

    with pytest.raises(ChannelMisused):
        ours.receive()
    assert ours.receive() == Ready()


def test_message_that_was_cut_off_is_refused(raw: tuple[Channel[FromChild], socket.socket]) -> None:
    ours, theirs = raw
    theirs.send(msgspec.msgpack.encode(Ready("x" * (MESSAGE_BYTES_MAX + 100))))

    with pytest.raises(ChannelMisused):
        ours.receive()


def test_last_words_of_a_peer_that_ended_with_something_unread_are_heard() -> None:
    ours, theirs = channel_pair()
    with ours, child_channel(theirs.detach()) as child:
        ours.send(Stop())
        child.send(Ready("the last word"))
        child.close()

        assert ours.receive() == Ready("the last word")
        with pytest.raises(ChannelClosed):
            ours.receive()
