"""Whole frames: where the pixels lie of a frame that one worker takes through all stages, and its steps. Pure.

They lie in that worker's scratch memory: the decoded ones first, behind them the result of one output after the other,
as each is encoded before the next is begun. So all steps but the first are the same for every frame of a plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipc.extents import aligned
from ipc.messages import Encode, Extent, Step, Transform
from ipc.pixels import Geometry
from ipc.scratch import SCRATCH, SCRATCH_BYTES
from ipc.stage import Stage

if TYPE_CHECKING:
    from omnishotd.broker.plan import OutputPlan


@dataclass(frozen=True, slots=True)
class Whole:
    """The frames of one plan, where they are whole."""

    pixels: Extent | None
    """Decoded; None of raw ones, which lie where they came to lie."""
    results: tuple[Extent | None, ...]
    """By output, as far as it is transformed."""
    steps: tuple[Step, ...]
    """After decoding; none where they depend on where a frame's own bytes lie."""
    stages: tuple[Stage, ...]
    """Of all steps, decoding included."""

    @property
    def outputs(self) -> range:
        """Indices of the outputs that the steps take further: all."""
        return range(len(self.results))


def whole_of(decoded: Geometry, outputs: "Sequence[OutputPlan]", *, is_raw: bool) -> Whole | None:
    """Lay out the frames of a plan; None where there is too little scratch memory for them."""
    pixels_bytes = 0 if is_raw else aligned(decoded.bytes)
    result_bytes = max((output.room_bytes for output in outputs if output.operations), default=0)
    if pixels_bytes + result_bytes > SCRATCH_BYTES:
        return None
    pixels = None if is_raw else Extent(0, decoded.bytes, SCRATCH)
    results = tuple(
        Extent(pixels_bytes, output.room_bytes, SCRATCH) if output.operations else None for output in outputs
    )
    if pixels is None or any(output.overlays or output.keeps_metadata for output in outputs):
        return Whole(pixels, results, (), ())
    steps: list[Step] = []
    stages = [Stage.DECODE]
    for index, (output, result) in enumerate(zip(outputs, results, strict=True)):
        if result is not None:
            given = decoded, output.nominal, output.operations, output.result
            steps.append(Transform(pixels, result, *given, is_open=output.is_open))
            stages.append(Stage.TRANSFORM)
        steps.append(Encode(result or pixels, output.result, index, output.encoding, is_open=output.is_open))
        stages.append(Stage.ENCODE)
    return Whole(pixels, results, tuple(steps), tuple(stages))
