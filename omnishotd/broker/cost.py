"""Cost: how long a frame will keep workers, told before any of it is done. Pure.

Each step takes so many microseconds of processor time a megapixel. What is not known yet goes by a rate that was
measured once, and from then on by what workers report. So a kernel that is slow here, or an effort that a producer
likes, is known after the first frame that has it. Processor time, because on a busy machine everything takes long, and
light frames that were taken for heavy would have to wait behind those that are.
"""

from collections.abc import Hashable, Sequence
from typing import Final

from ipc.messages import Answer, Decode, Step, Transform
from omnishotd.broker.frame import Frame
from omnishotd.broker.plan import OutputPlan, Plan
from omnishotd.broker.recent import Recent

HEAVY_US: Final = 50_000
"""A frame that takes workers so long is a heavy one: ten times a thumbnail of a small photograph."""
RATES_MAX: Final = 512
"""Of kinds that are remembered, each of the three sorts."""
RATE_MIN: Final = 20
RATE_MAX: Final = 10_000_000
"""Microseconds a megapixel that are believed: workers decode hostile bytes."""
LEARN_US_MIN: Final = 10_000
"""Of processor time. Less in a light frame teaches nothing: it will be light whatever it says, and time is short."""
LEARN_PIXELS_MIN: Final = 1 << 16
"""A step over fewer pixels says nothing of larger ones."""

_DECODE: Final = {"jpeg": 2_300, "png": 24_000, "webp": 11_000, "avif": 13_500, "gif": 6_600, "raw": 0}
_DECODE_PROGRESSIVE: Final = 14_000
_TRANSFORM: Final = 1_000
_ENCODE: Final = {"jpeg": 2_000, "png": 90_000, "webp": 30_000, "avif": 300_000, "raw": 300}
_ENCODE_UNKNOWN: Final = 50_000

_MEGAPIXEL: Final = 1_000_000


class Costs:
    """The rates, and what follows from them."""

    def __init__(self, heavy_us: int = HEAVY_US) -> None:
        self.heavy_us = heavy_us
        self._decode: Recent[Hashable, int] = Recent(RATES_MAX)
        self._transform: Recent[Hashable, int] = Recent(RATES_MAX)
        self._encode: Recent[Hashable, int] = Recent(RATES_MAX)
        self._last_plan: Plan | None = None
        self._last_us = 0
        """The latest estimate: a producer sends the same kind of frame again and again."""

    def estimate_us(self, plan: Plan) -> int:
        """Tell how long all steps of a frame will take, one after the other."""
        if plan is self._last_plan:
            return self._last_us
        cost = _decode_pixels(plan) * (self._decode.get(_decode_kind(plan)) or _decode_rate(plan))
        for output in plan.outputs:
            if output.operations:
                pixels = plan.decoded.pixels + output.result.pixels
                cost += pixels * (self._transform.get(output.operations) or _TRANSFORM)
            cost += output.result.pixels * (self._encode.get(output.encoding) or _encode_rate(output))
        self._last_plan, self._last_us = plan, cost // _MEGAPIXEL
        return self._last_us

    def weigh(self, frame: Frame) -> None:
        """Tell a frame what it will cost."""
        frame.cost_us = self.estimate_us(frame.plan)
        frame.is_heavy = frame.cost_us >= self.heavy_us

    def learn(self, frame: Frame, steps: Sequence[Step], answer: Answer) -> None:
        """Take what a worker reports of steps of a frame: their share of its processor time, whatever they waited."""
        took_us = sum(answer.step_us)
        for step, step_us in zip(steps, answer.step_us, strict=True):
            processor_us = step_us * answer.processor_us // max(took_us, 1)
            if processor_us >= LEARN_US_MIN or frame.is_heavy:
                self._learn(frame.plan, step, processor_us)

    def _learn(self, plan: Plan, step: Step, processor_us: int) -> None:
        kind: Hashable
        if isinstance(step, Decode):
            rates, kind, pixels = self._decode, _decode_kind(plan), _decode_pixels(plan)
        elif isinstance(step, Transform):
            rates, kind, pixels = self._transform, step.operations, step.geometry.pixels + step.result.pixels
        else:
            rates, kind, pixels = self._encode, step.options, step.geometry.pixels
        if pixels < LEARN_PIXELS_MIN:
            return
        measured = min(max(processor_us * _MEGAPIXEL // pixels, RATE_MIN), RATE_MAX)
        known = rates.get(kind)
        rates.put(kind, measured if known is None else known + (measured - known) // 4)
        self._last_plan = None


def _decode_kind(plan: Plan) -> Hashable:
    return plan.format, plan.is_progressive


def _decode_pixels(plan: Plan) -> int:
    """Count a picture's pixels half, whose bits must all be read, and half those that come of them."""
    return (plan.picture.pixels + plan.decoded.pixels) // 2 * (plan.page + 1)


def _decode_rate(plan: Plan) -> int:
    return _DECODE_PROGRESSIVE if plan.is_progressive else _DECODE[plan.format]


def _encode_rate(output: OutputPlan) -> int:
    return _ENCODE.get(output.format, _ENCODE_UNKNOWN)
