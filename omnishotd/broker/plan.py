"""Plan: what is to be done to a frame, and what it will need, told from its header before any pixel exists. Pure."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from ipc.errors import ErrorCode, FrameError
from ipc.extents import ExtentAllocator, aligned
from ipc.pixels import Geometry
from ipc.settings import FramesSettings
from ipc.wire import RawInput, Request
from omnishotd.broker.recent import Recent
from stages.chain import Chain, compose, scale_allowed, scaled
from stages.limits import Limits
from stages.operations import encode_operations
from stages.outputs import Output, encode_encoding, parse_outputs
from stages.probe import Picture, probe


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """One picture to be made of the frame."""

    operations: bytes
    """For the transform stage; empty where there is nothing to transform."""
    nominal: Geometry
    """The picture before its operations, unscaled."""
    result: Geometry
    """The picture that is encoded."""
    encoding: bytes
    """For the encode stage."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done to one frame. Shared by all frames that want the same of the same kind of picture."""

    format_in: str
    format: Literal["jpeg"]
    picture: Geometry
    """As the file says."""
    is_raw: bool
    decoded: Geometry
    """As it will lie in the arena: scaled by the decoder where all outputs allow it."""
    outputs: tuple[OutputPlan, ...]
    pixels: int
    """Pixels of the largest picture on the way: how heavy the frame is."""
    pictures_bytes: tuple[int, ...]
    """Sizes of all pictures on the way that lie in the arena."""
    pictures_room_bytes: int
    """What these take of the arena in all."""

    def sizes_bytes(self, payload_bytes: int) -> list[int]:
        """List the extents that a frame needs: its payload, its pixels, and one for each transformed output."""
        return [*self.pictures_bytes] if self.is_raw else [payload_bytes, *self.pictures_bytes]

    def room_bytes(self, payload_bytes: int) -> int:
        """Tell what all these extents take of the arena."""
        return self.pictures_room_bytes if self.is_raw else self.pictures_room_bytes + aligned(payload_bytes)


class Planner:
    """Makes plans. Remembers the recent ones: a producer asks for the same thing again and again."""

    def __init__(self, frames: FramesSettings, presets: dict[str, bytes], allocator: ExtentAllocator) -> None:
        self._limits = Limits(max_side=frames.max_side, max_pixels=frames.max_pixels)
        self._presets = presets
        self._allocator = allocator
        self._outputs: Recent[bytes, tuple[Output, ...]] = Recent(256)
        self._plans: Recent[tuple[Picture, bytes, bool], Plan] = Recent(1024)

    def plan(self, request: Request, payload: bytes | memoryview) -> Plan:
        """Decide what a request comes to. Raises `FrameError`."""
        key = self._outputs_key(request)
        outputs = self._outputs.get(key)
        if outputs is None:
            outputs = self._outputs.put(key, parse_outputs(key, self._limits))
        picture = probe(payload, self._limits) if request.input is None else self._raw(request.input, payload)
        plan_key = (picture, key, request.input is not None)
        plan = self._plans.get(plan_key)
        if plan is None:
            plan = make_plan(picture, outputs, self._limits, is_raw=request.input is not None)
            self._plans.put(plan_key, plan)
        if not self._allocator.fits_ever([plan.room_bytes(len(payload))]):
            need_mib = plan.room_bytes(len(payload)) / (1 << 20)
            have_mib = self._allocator.figures().total_bytes / (1 << 20)
            message = f"the frame needs {need_mib:.0f} MiB of pixels, memory.arena_mb allows {have_mib:.0f}"
            raise FrameError(ErrorCode.TOO_LARGE, message)
        return plan

    def _outputs_key(self, request: Request) -> bytes:
        if request.preset is None:
            return bytes(request.outputs)
        preset = self._presets.get(request.preset)
        if preset is None:
            raise FrameError(ErrorCode.UNKNOWN_PRESET, f"preset: {request.preset!r} is not in the configuration")
        return preset

    def _raw(self, raw: RawInput, payload: bytes | memoryview) -> Picture:
        geometry = Geometry(raw.width, raw.height, raw.layout)
        self._limits.check(raw.width, raw.height, "input")
        if len(payload) != geometry.bytes:
            message = f"payload: {len(payload)} bytes, {raw.width}x{raw.height} {raw.layout} has {geometry.bytes}"
            raise FrameError(ErrorCode.BAD_REQUEST, message)
        return Picture(format="raw", geometry=geometry, orientation=1, progressive=False)


def make_plan(picture: Picture, outputs: tuple[Output, ...], limits: Limits, *, is_raw: bool) -> Plan:
    """Plan all outputs of one picture. Raises `FrameError`, naming the operation that cannot be."""
    chains = [
        compose(output.operations, picture.geometry, picture.orientation, limits, path=f"outputs[{index}].operations")
        for index, output in enumerate(outputs)
    ]
    denominator = 1 if is_raw else min(map(scale_allowed, chains))
    decoded = scaled(picture.geometry, denominator)
    pictures_bytes = (decoded.bytes, *(chain.result.bytes for chain in chains if chain.operations))
    return Plan(
        format_in=picture.format,
        format="jpeg",
        picture=picture.geometry,
        is_raw=is_raw,
        decoded=decoded,
        outputs=tuple(_output_plan(output, chain) for output, chain in zip(outputs, chains, strict=True)),
        pictures_bytes=pictures_bytes,
        pictures_room_bytes=sum(map(aligned, pictures_bytes)),
        pixels=max(picture.geometry.pixels, *(chain.result.pixels for chain in chains)),
    )


def _output_plan(output: Output, chain: Chain) -> OutputPlan:
    return OutputPlan(
        operations=encode_operations(chain.operations) if chain.operations else b"",
        nominal=chain.source,
        result=chain.result,
        encoding=encode_encoding(output.encoding),
    )


def compile_presets(presets: dict[str, dict[str, object]]) -> dict[str, bytes]:
    """Write each preset's outputs as a producer would have sent them."""
    return {name: msgspec.msgpack.encode(preset.get("outputs")) for name, preset in presets.items()}
