"""A flow with canaries, for the tests of them."""

from typing import Any, Final

from omnishotd.broker.crew import BATCHES_MAX
from tests.omnishotd.broker.rig import LAYOUTS, MS, Held, Rig, make_settings

TIMEOUT_US: Final = 5_000 * MS
POOL_LIMIT_US: Final = (BATCHES_MAX + 1) * TIMEOUT_US


def canary_rig(pools: tuple[str, ...] = LAYOUTS[0], *, workers: int = 1, hire: bool = True, **pipeline: Any) -> Rig:
    """A flow whose first canary is in the hands of the first pool's worker, if there are workers."""
    rig = Rig(make_settings(pools, workers=workers, **pipeline), hire=hire, canaries=True)
    rig.wait(0)
    return rig


def canary_of(rig: Rig) -> Held:
    """The task that takes the canary under way further."""
    frame = rig.flow.canary.frame
    assert frame is not None, "none is under way"
    [held] = [held for held in rig.held if held.task.trace == frame.trace]
    assert held.task.is_canary
    return held


def passed_pools(rig: Rig) -> list[str]:
    """Have the canary that is under way come back right. Returns the pools it went through."""
    passed = []
    frame = rig.flow.canary.frame
    while rig.flow.canary.frame is frame:
        held = canary_of(rig)
        passed.append(rig.flow.canary.figures().waits_for)
        assert rig.settings.pipeline.pools[held.worker.pool].name == passed[-1]
        rig.answer(held)
    return passed


def verdicts(rig: Rig) -> tuple[int, int]:
    """How many passed, and how many failed."""
    told = rig.flow.canary.figures()
    return told.passed, told.failed
