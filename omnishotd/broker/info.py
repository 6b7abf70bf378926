"""What `info` tells a producer: presets, limits, formats, operations. Pure."""

from ipc.settings import Settings
from ipc.wire import InfoReply
from omnishotd import __version__
from stages import encodings, probe
from stages.operations import OPERATIONS


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
        },
        formats={"in": [*probe.FORMATS, "raw"], "out": list(encodings.FORMATS)},
        operations=list(OPERATIONS),
    )
