"""Fusion: which frames pass all stages in the worker that decodes them. Pure.

A hand-over from stage to stage costs messages, wake-ups and a cold cache: on 10 megapixels still 4 % of the processor
time. So light frames are done as a whole by the workers that decode, and the others are left to heavy frames, whose
stages are worth the way. A frame of several outputs has these worked on side by side while there are cores for it,
where the hand-overs, as they are measured, are at most `HAND_OVERS_PERCENT_MAX` of its work.
"""

from collections.abc import Sequence
from typing import Final, Literal

from ipc.settings import PoolSettings
from ipc.stage import Stage
from ipc.telemetry import FusionFigures
from omnishotd.broker.frame import Frame

HAND_OVERS: Final = 3
"""From the broker to each of three pools and back."""
HAND_OVERS_PERCENT_MAX: Final = 3
HAND_OVER_US_FIRST: Final = 300
"""Guess of what one takes, before a canary has told."""


class Fusion:
    """The choice, and what it goes by. `pixels_max`, if not `auto`: those frames are whole that have no more pixels."""

    def __init__(self, pools: Sequence[PoolSettings], pixels_max: int | Literal["auto"]) -> None:
        self._pixels_max = pixels_max
        self._cores = sum(pool.workers for pool in pools if Stage.DECODE in pool.stages)
        self._hand_over_us = HAND_OVER_US_FIRST
        self._whole = 0
        self._by_stages = 0

    def choose(self, frame: Frame, working: int) -> bool:
        """Decide on a frame that is started while so many are in work: whether it is to be whole."""
        if frame.is_canary or frame.is_heavy:
            # A heavy one would keep its worker from light ones for longer than it must.
            return False
        if self._pixels_max != "auto":
            return frame.plan.pixels <= self._pixels_max
        is_spread = len(frame.plan.outputs) > 1 and working + 1 < self._cores and frame.cost_us >= self._spread_us_min
        return not is_spread

    def count(self, frame: Frame) -> None:
        """Note that a frame was started."""
        self._whole += frame.is_whole
        self._by_stages += not (frame.is_whole or frame.is_canary)

    def passed(self, canary: Frame, now_us: int) -> None:
        """Learn from a canary, which passes by stages: what it took beyond its work were hand-overs.

        Or waiting for a worker that was busy: so what is less counts at once, and what is more little by little.
        """
        times = canary.times
        took_us = now_us - canary.arrived_us - times.decode - times.transform - times.encode
        measured_us = max(took_us, 0) // HAND_OVERS
        if measured_us < self._hand_over_us:
            self._hand_over_us = measured_us
        else:
            self._hand_over_us += (measured_us - self._hand_over_us) // 64

    def figures(self) -> FusionFigures:
        """Tell operators."""
        return FusionFigures(self._hand_over_us, self._spread_us_min, self._whole, self._by_stages)

    @property
    def _spread_us_min(self) -> int:
        """A frame of less work is not worth the hand-overs."""
        return HAND_OVERS * self._hand_over_us * 100 // HAND_OVERS_PERCENT_MAX
