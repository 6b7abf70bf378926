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
    CannotLend,
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
from omnishotd.client.lending import AsyncLentMemory, LentMemory
from omnishotd.client.messages import DaemonInfo, InputFacts, Picture, Pong, Result, TimingUs
from omnishotd.client.operations import (
    AutoOrient,
    Blur,
    Composite,
    Extend,
    Extract,
    Flatten,
    Flip,
    Flop,
    Gamma,
    Grayscale,
    Linear,
    Median,
    Modulate,
    Negate,
    Normalise,
    Operation,
    Resize,
    Rotate,
    Sharpen,
    Threshold,
    Tint,
    Trim,
)
from omnishotd.client.outputs import Output, OutputOptions
from omnishotd.client.pending import Counters
from omnishotd.client.ring import LentImage
from omnishotd.client.submission import ClientOptions, FrameOptions

__all__ = [
    "AsyncClient",
    "AsyncLentMemory",
    "AutoOrient",
    "BadImage",
    "BadRequest",
    "Blur",
    "Busy",
    "Cancelled",
    "CannotLend",
    "Client",
    "ClientClosed",
    "ClientOptions",
    "Composite",
    "Conflict",
    "ConnectionLost",
    "Counters",
    "DaemonInfo",
    "Dropped",
    "Expired",
    "Extend",
    "Extract",
    "Flatten",
    "Flip",
    "Flop",
    "ForkedClient",
    "FrameOptions",
    "FrameRefused",
    "Gamma",
    "Grayscale",
    "Image",
    "InputFacts",
    "Internal",
    "LentImage",
    "LentMemory",
    "Linear",
    "Median",
    "Modulate",
    "Negate",
    "Normalise",
    "OmnishotError",
    "Operation",
    "Output",
    "OutputOptions",
    "Picture",
    "Poison",
    "Pong",
    "RateLimited",
    "RawInput",
    "RequestTimeout",
    "Resize",
    "Result",
    "Rotate",
    "Sharpen",
    "ShuttingDown",
    "StageTimeout",
    "Threshold",
    "TimingUs",
    "Tint",
    "TooLarge",
    "Trim",
    "UnknownPreset",
    "UnreadableReply",
    "UnsupportedFormat",
    "UnsupportedVersion",
]
