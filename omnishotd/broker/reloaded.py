"""What of a configuration that was read again counts while frames are in flight. Pure."""

import msgspec

from ipc.settings import Settings


def reloaded(old: Settings, new: Settings) -> Settings:
    """Take over what can be changed; all else stays as it was at the start."""
    return msgspec.structs.replace(
        old,
        presets=new.presets,
        overlays=new.overlays,
        frames=msgspec.structs.replace(old.frames, rate_per_second=new.frames.rate_per_second),
        pipeline=msgspec.structs.replace(
            old.pipeline,
            queue_limit=new.pipeline.queue_limit,
            queue_max_bytes=new.pipeline.queue_max_bytes,
            queue_timeout_ms=new.pipeline.queue_timeout_ms,
        ),
    )
