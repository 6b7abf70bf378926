"""Record: all that must outlive a process of the control plane, as it is kept in the archive."""

import msgspec

from control.alerts import Alert
from control.sums import BrokerRecord, WorkerRecord
from ipc.messages import Message


class Record(Message, frozen=True):
    """What is known of all services, and what operators were told."""

    broker: BrokerRecord = BrokerRecord()
    workers: list[WorkerRecord] = msgspec.field(default_factory=list)
    alerts: list[Alert] = msgspec.field(default_factory=list)
    """Those that fire: they are not to fire again."""
    undelivered: list[Alert] = msgspec.field(default_factory=list)
    """Those that the webhook has not delivered yet, oldest first: the next process is to send them."""


_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Write a record."""
    return _encode(record)


def decode_record(data: bytes) -> Record:
    """Read a record. Raises msgspec.MsgspecError."""
    return _decoder.decode(data)
