"""Channels of the feed, and the messages that clients send and get there, as JSON."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control.alerts import Alert
from control.chronicle import EventNote

INTERVAL_MS_MIN: Final = 100
INTERVAL_MS_MAX: Final = 60_000
INTERVAL_MS_DEFAULT: Final = 1000


class Channel(StrEnum):
    """What can be subscribed to."""

    METRICS = "metrics"
    SERVICES = "services"
    MEMORY = "memory"
    ALERTS = "alerts"
    EVENTS = "events"


NEWS: Final = frozenset({Channel.ALERTS, Channel.EVENTS})
"""Each item is sent once, as it comes. Of the other channels the latest state is sent, at intervals."""


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe", forbid_unknown_fields=True):
    """Client: from now on send me this channel. Said again, it begins anew."""

    channel: Channel
    interval_ms: Annotated[int, Meta(ge=INTERVAL_MS_MIN, le=INTERVAL_MS_MAX)] | None = None


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="type", tag="unsubscribe", forbid_unknown_fields=True):
    """Client: send me this channel no more."""

    channel: Channel


class Subscribed(msgspec.Struct, frozen=True, tag_field="type", tag="subscribed"):
    """Server: as you wish."""

    channel: Channel
    snapshot: Sequence[Alert] | Sequence[EventNote]
    """Of news: what is known already, oldest first."""
    interval_ms: int | UnsetType = UNSET


class Unsubscribed(msgspec.Struct, frozen=True, tag_field="type", tag="unsubscribed"):
    """Server: you will hear no more of this channel."""

    channel: Channel


class Complaint(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Server: that was no message for this feed. It goes on."""

    message: str


_decoder: msgspec.json.Decoder[Subscribe | Unsubscribe] = msgspec.json.Decoder(Subscribe | Unsubscribe)


class MessageUnclear(ValueError):
    """What a client sent is no message for the feed. The text is for it."""


def read_message(text: str) -> Subscribe | Unsubscribe:
    """Read what a client sent. Raises `MessageUnclear`."""
    try:
        message = _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise MessageUnclear(str(error)) from None
    if isinstance(message, Subscribe) and message.channel in NEWS and message.interval_ms is not None:
        raise MessageUnclear(f"interval_ms: {message.channel} are sent as they come, at no interval")
    return message


def numbered(channel: Channel, number: int, body: bytes) -> bytes:
    """Write a message of a channel. `body` is JSON that many subscribers share: encoded once, put in as it is."""
    return b'{"type":"%b","seq":%d,"data":%b}' % (channel.encode(), number, body)
