"""The daemon's client for Python: needs pyzmq and msgpack, and numpy only for arrays.

    from omnishotd.client import AutoOrient, Client, Output, Resize

    with Client() as client:
        result = client.process(photo, outputs=Output(AutoOrient(), Resize(300, 300)))
        Path("thumbnail.jpg").write_bytes(result.outputs[0].data)

PROTOCOL.md says what the daemon takes and answers; a producer in another language needs nothing but that.
"""

from omnishotd.client.asynchronous import AsyncClient
from omnishotd.client.blocking import Client
from omnishotd.client.errors import (
    BadImage,
    BadRequest,
    Busy,
    Cancelled,
    ClientClosed,
    Conflict,
    ConnectionLost,
    Dropped,
    Expired,
    ForkedClient,
    FrameRefused,
    Internal,
    OmnishotError,
    Poison,
    RateLimited,
    RequestTimeout,
    ShuttingDown,
    StageTimeout,
    TooLarge,
    UnknownPreset,
    UnreadableReply,
    UnsupportedFormat,
    UnsupportedVersion,
)
from omnishotd.client.images import Image, RawInput
from omnishotd.client.messages import DaemonInfo, InputFacts, Picture, Pong, Result, TimingUs
from omnishotd.client.operations import (
    AutoOrient,
    Extract,
    Flip,
    Flop,
    Grayscale,
    Operation,
    Output,
    Resize,
    Rotate,
)
from omnishotd.client.pending import Counters
from omnishotd.client.submission import ClientOptions, FrameOptions

__all__ = [
    "AsyncClient",
    "AutoOrient",
    "BadImage",
    "BadRequest",
    "Busy",
    "Cancelled",
    "Client",
    "ClientClosed",
    "ClientOptions",
    "Conflict",
    "ConnectionLost",
    "Counters",
    "DaemonInfo",
    "Dropped",
    "Expired",
    "Extract",
    "Flip",
    "Flop",
    "ForkedClient",
    "FrameOptions",
    "FrameRefused",
    "Grayscale",
    "Image",
    "InputFacts",
    "Internal",
    "OmnishotError",
    "Operation",
    "Output",
    "Picture",
    "Poison",
    "Pong",
    "RateLimited",
    "RawInput",
    "RequestTimeout",
    "Resize",
    "Result",
    "Rotate",
    "ShuttingDown",
    "StageTimeout",
    "TimingUs",
    "TooLarge",
    "UnknownPreset",
    "UnreadableReply",
    "UnsupportedFormat",
    "UnsupportedVersion",
]
