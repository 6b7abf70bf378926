"""Steps: what a worker is told to do to a frame, once the extents for it are there. Pure."""

from ipc.messages import Decode, Encode, Extent, Original, Transform
from ipc.stage import Stage
from omnishotd.broker.frame import Frame, InvariantError


def first_stage(frame: Frame, index: int) -> Stage:
    """Tell where an output begins: one with nothing to transform skips that stage."""
    return Stage.TRANSFORM if frame.plan.outputs[index].operations else Stage.ENCODE


def decode_step(frame: Frame) -> Decode:
    """Make pixels of the payload."""
    plan = frame.plan
    if frame.source is None or frame.pixels is None or plan.format == "raw":
        raise InvariantError(f"frame {frame.trace} has nothing to decode")
    return Decode(frame.source, frame.pixels, plan.format, plan.decoded, plan.page)


def transform_step(frame: Frame, index: int, pixels: Extent, result: Extent) -> Transform:
    """Make an output's pixels, in `result`, of the frame's."""
    plan, output = frame.plan, frame.plan.outputs[index]
    overlays = [
        overlay.at(extent)
        for overlay, extent in zip(plan.overlays, frame.overlays, strict=True)
        if overlay.name in output.overlays
    ]
    return Transform(
        source=pixels,
        target=result,
        geometry=plan.decoded,
        nominal=output.nominal,
        operations=output.operations,
        result=output.result,
        overlays=overlays,
        is_open=output.is_open,
    )


def encode_step(frame: Frame, index: int, source: Extent) -> Encode:
    """Make an output's bytes of its pixels, or, where it has nothing to transform, of the frame's."""
    plan, output, made = frame.plan, frame.plan.outputs[index], frame.made[index]
    original = None
    if output.keeps_metadata and frame.source is not None and plan.format != "raw":
        original = Original(frame.source, plan.format, output.orientation)
    if made is None:
        return Encode(source, output.result, index, output.encoding, original, output.is_open)
    return Encode(Extent(source.offset, made.bytes), made, index, output.encoding, original)
