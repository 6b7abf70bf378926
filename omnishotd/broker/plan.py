"""Plan: what is to be done to a frame, and what it will need, told from its header before any pixel exists. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from ipc.errors import ErrorCode, FrameError
from ipc.extents import ExtentAllocator, aligned
from ipc.messages import FormatIn
from ipc.pixels import Geometry
from ipc.settings import FramesSettings
from ipc.wire import Request
from omnishotd.broker.overlays import KeptOverlay, Overlays
from omnishotd.broker.recent import Recent
from omnishotd.broker.segments import Loan
from omnishotd.broker.whole import Whole, whole_of
from stages.chain import Chain, compose, scale_allowed
from stages.encodings import Encoding, encode_encoding
from stages.limits import Limits
from stages.operations import encode_operations
from stages.outputs import Output, parse_outputs
from stages.picture import Picture
from stages.probe import probe
from stages.scaling import scaled


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """One picture to be made of the frame."""

    operations: bytes
    """For the transform stage; empty where there is nothing to transform."""
    nominal: Geometry
    """The picture before its operations, unscaled."""
    result: Geometry
    """The picture that is encoded; if `is_open`, the most that it can be, side by side."""
    room_bytes: int
    """What its pixels take of the arena, at most."""
    encoding: bytes
    """For the encode stage."""
    overlays: tuple[str, ...] = ()
    """Names of those that its operations need."""
    is_open: bool = False
    """Whether its size can be told from the pixels only."""
    keeps_metadata: bool = False
    orientation: int = 1
    """EXIF orientation that is still to be told where metadata are kept."""
    format: str = "jpeg"
    """What it is encoded to."""

    def allows(self, made: Geometry) -> bool:
        """Tell whether pixels that a worker says it made are such as were planned."""
        if not self.is_open:
            return made == self.result
        return (
            1 <= made.width <= self.result.width
            and 1 <= made.height <= self.result.height
            and made.layout is self.result.layout
            and made.bytes <= self.room_bytes
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done to one frame. Shared by all frames that want the same of the same kind of picture."""

    format: FormatIn | Literal["raw"]
    page: int
    """Which of the file's frames."""
    picture: Geometry
    """As the file says."""
    decoded: Geometry
    """As it will lie in the arena: scaled by the decoder where all outputs allow it."""
    outputs: tuple[OutputPlan, ...]
    overlays: tuple[KeptOverlay, ...]
    """Those that any output needs."""
    pixels: int
    """Pixels of the largest picture on the way: how heavy the frame is."""
    extents_bytes: tuple[int, ...]
    """Sizes of all extents but the payload's: decoded pixels, each transformed output, each overlay's file."""
    extents_room_bytes: int
    """What these take of the arena in all."""
    whole: Whole | None
    """How it is done by one worker, where that is possible."""
    is_progressive: bool = False
    """Whether it is a JPEG that takes several times as long to decode as others."""

    @property
    def is_raw(self) -> bool:
        """Whether the payload is pixels already."""
        return self.format == "raw"

    @property
    def keeps_source(self) -> bool:
        """Whether an output needs the compressed bytes to the end."""
        return any(output.keeps_metadata for output in self.outputs)

    def sizes_bytes(self, payload_bytes: int, *, is_lent: bool = False, is_whole: bool = False) -> list[int]:
        """List the extents that a frame needs; raw pixels are their own payload, and take none where they are lent.

        `is_whole`: pixels and results lie in a worker's scratch.
        """
        if is_whole:
            overlays_bytes = [len(overlay.data) for overlay in self.overlays]
            return overlays_bytes if is_lent else [payload_bytes, *overlays_bytes]
        if is_lent:
            return [*self.extents_bytes[1:]]
        return [*self.extents_bytes] if self.is_raw else [payload_bytes, *self.extents_bytes]

    def room_bytes(self, payload_bytes: int, *, is_lent: bool = False) -> int:
        """Tell what all these extents take of the arena."""
        if is_lent:
            return self.extents_room_bytes - aligned(self.extents_bytes[0])
        return self.extents_room_bytes if self.is_raw else self.extents_room_bytes + aligned(payload_bytes)


class Planner:
    """Makes plans. Remembers the recent ones: a producer asks for the same thing again and again."""

    def __init__(
        self, frames: FramesSettings, presets: dict[str, bytes], overlays: Overlays, allocator: ExtentAllocator
    ) -> None:
        self._limits = Limits(max_side=frames.max_side, max_pixels=frames.max_pixels)
        self._presets = presets
        self._overlays = overlays
        self._allocator = allocator
        self._outputs: Recent[bytes, tuple[Output, ...]] = Recent(256)
        self._plans: Recent[tuple[Picture, int, bytes], Plan] = Recent(1024)

    def plan(self, request: Request, payload: bytes | memoryview, loan: Loan | None = None) -> Plan:
        """Decide what a request comes to; raw pixels may be on loan, and `payload` empty. Raises `FrameError`."""
        key = self._outputs_key(request)
        outputs = self._outputs.get(key)
        if outputs is None:
            outputs = self._outputs.put(key, parse_outputs(key, self._limits, self._overlays.keys()))
        raw = None if request.input is None else request.input.raw_geometry
        page = 0 if request.input is None else request.input.page
        picture = probe(payload, self._limits, page) if raw is None else self._raw(raw, payload, loan)
        plan_key = (picture, page, key)
        plan = self._plans.get(plan_key)
        if plan is None:
            plan = make_plan(picture, outputs, self._limits, page=page, overlays=self._overlays)
            self._plans.put(plan_key, plan)
        room_bytes = plan.room_bytes(len(payload), is_lent=loan is not None and loan.is_pixels)
        if not self._allocator.fits_ever([room_bytes]):
            need_mib = room_bytes / (1 << 20)
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

    def _raw(self, raw: Geometry, payload: bytes | memoryview, loan: Loan | None) -> Picture:
        self._limits.check(raw.width, raw.height, "input")
        given_bytes = len(payload) if loan is None else loan.bytes
        if given_bytes != raw.bytes:
            what = "payload" if loan is None else "lent.bytes"
            message = f"{what}: {given_bytes} bytes, {raw.width}x{raw.height} {raw.layout} has {raw.bytes}"
            raise FrameError(ErrorCode.BAD_REQUEST, message)
        return Picture(format="raw", geometry=raw)


def make_plan(
    picture: Picture, outputs: tuple[Output, ...], limits: Limits, *, page: int = 0, overlays: Overlays | None = None
) -> Plan:
    """Plan all outputs of one picture. Raises `FrameError`, naming the operation or the option that cannot be.

    `overlays` has all that the outputs name.
    """
    chains = [
        compose(output.operations, picture.geometry, picture.orientation, limits, path=f"outputs[{index}].operations")
        for index, output in enumerate(outputs)
    ]
    for index, (output, chain) in enumerate(zip(outputs, chains, strict=True)):
        _check_sides(output.encoding, chain, f"outputs[{index}]")
    # Only a decoder of JPEG can shrink a picture for less than all of its work.
    denominator = min(map(scale_allowed, chains)) if picture.format == "jpeg" else 1
    decoded = scaled(picture.geometry, denominator)
    plans = tuple(
        _output_plan(output, chain, is_raw=picture.format == "raw")
        for output, chain in zip(outputs, chains, strict=True)
    )
    kept = _needed(plans, overlays or {})
    extents_bytes = (
        decoded.bytes,
        *(chain.room_bytes for chain in chains if chain.operations),
        *(len(overlay.data) for overlay in kept),
    )
    return Plan(
        format=picture.format,
        page=page,
        picture=picture.geometry,
        decoded=decoded,
        outputs=plans,
        overlays=kept,
        pixels=max(picture.geometry.pixels, *(chain.room_bytes // chain.result.layout.channels for chain in chains)),
        extents_bytes=extents_bytes,
        extents_room_bytes=sum(map(aligned, extents_bytes)),
        whole=whole_of(decoded, plans, is_raw=picture.format == "raw"),
        is_progressive=picture.progressive,
    )


def _check_sides(encoding: Encoding, chain: Chain, path: str) -> None:
    """Refuse what the format cannot hold; of an open chain the encoder will know."""
    if chain.is_open:
        return
    try:
        encoding.check(chain.result)
    except FrameError as error:
        raise FrameError(error.code, f"{path}.{error.message}") from None


def _output_plan(output: Output, chain: Chain, *, is_raw: bool) -> OutputPlan:
    names = dict.fromkeys(name for operation in chain.operations for name in operation.overlays)
    return OutputPlan(
        operations=encode_operations(chain.operations) if chain.operations else b"",
        nominal=chain.source,
        result=chain.result,
        room_bytes=chain.room_bytes,
        encoding=encode_encoding(output.encoding),
        overlays=tuple(names),
        is_open=chain.is_open,
        keeps_metadata=_keeps_metadata(output.encoding) and not is_raw,
        orientation=chain.orientation,
        format=output.encoding.format,
    )


def _keeps_metadata(encoding: Encoding) -> bool:
    return getattr(encoding, "metadata", "strip") == "keep"  # raw pixels have no such option


def _needed(outputs: Iterable[OutputPlan], overlays: Overlays) -> tuple[KeptOverlay, ...]:
    names = dict.fromkeys(name for output in outputs for name in output.overlays)
    return tuple(overlays[name] for name in names)


def compile_presets(presets: dict[str, dict[str, object]]) -> dict[str, bytes]:
    """Write each preset's outputs as a producer would have sent them."""
    return {name: msgspec.msgpack.encode(preset.get("outputs")) for name, preset in presets.items()}
