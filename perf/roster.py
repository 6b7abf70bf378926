"""Roster: all contenders, by name."""

from collections.abc import Sequence
from typing import Final

from perf.bare import Bare
from perf.contender import Entrant, MeasurementFailed
from perf.matrix import DAEMON, IDEAL, LENT, UNTUNED
from perf.peers.roster import PEERS
from perf.served import Served

STAGED: Final = "staged"

OURS: Final[tuple[Entrant, ...]] = (
    Bare(IDEAL, is_tuned=True),
    Bare(UNTUNED, is_tuned=False),
    Served(DAEMON),
    Served(LENT, is_lent=True),
)
ON_DEMAND: Final[tuple[Entrant, ...]] = (Served(STAGED, assignments=("pipeline.whole_frame_pixels_max=0",)),)
"""Only where they are asked for."""
INDISPENSABLE: Final = (IDEAL, DAEMON)


def chosen(only: Sequence[str], without: Sequence[str]) -> list[Entrant]:
    """Return the contenders that are wanted. Raises `MeasurementFailed` for one that does not exist."""
    usual = {entrant.name: entrant for entrant in (*OURS, *PEERS)}
    known = usual | {entrant.name: entrant for entrant in ON_DEMAND}
    for name in (*only, *without):
        if name not in known:
            raise MeasurementFailed(f"no contender {name!r}: there are {', '.join(known)}")
    wanted = [known[name] for name in dict.fromkeys(only)] if only else list(usual.values())
    return [entrant for entrant in wanted if entrant.name not in without]
