"""What `info` tells a producer, presets, limits, formats, operations; and `ping`, that the daemon lives. Pure."""

from ipc.settings import Settings
from ipc.wire import InfoReply, PingReply, Request, encode_reply
from omnishotd import __version__
from omnishotd.broker.replies import Reply
from omnishotd.broker.segments import OPEN_OF_USER_MAX
from stages import encodings, probe
from stages.operations import OPERATIONS


def about(request: Request, settings: Settings, epoch: str) -> Reply:
    """Answer a request that is about the daemon, and no frame."""
    if request.op == "info":
        header = encode_reply(info_reply(request.id or "", settings, epoch))
    else:
        header = encode_reply(PingReply(id=request.id or "", epoch=epoch, version=__version__))
    return Reply(header, (), len(header))


def info_reply(request_id: str, settings: Settings, epoch: str) -> InfoReply:
    """Describe this daemon."""
    frames, pipeline = settings.frames, settings.pipeline
    return InfoReply(
        id=request_id,
        epoch=epoch,
        version=__version__,
        presets=sorted(settings.presets),
        limits={
            "max_frame_bytes": frames.max_frame_bytes,
            "max_pixels": frames.max_pixels,
            "max_side": frames.max_side,
            "queue_limit": pipeline.queue_limit,
            "queue_timeout_ms": pipeline.queue_timeout_ms,
            # By unix sockets; 0 where nothing is borrowed.
            "lent_segments": OPEN_OF_USER_MAX if frames.lent_directory else 0,
        },
        formats={"in": [*probe.FORMATS, "raw"], "out": list(encodings.FORMATS)},
        operations=list(OPERATIONS),
    )
