"""Scratch: memory of a worker's own, for the pixels of frames that it takes through all stages.

Nobody else has to see these pixels, and a worker has one frame in its hands at a time: so they lie at the same bytes
for every frame, which are in the cache of the processor that wrote them last. In the arena each frame in work would
have bytes of its own.
"""

from typing import Final

SCRATCH: Final = -1
"""`Extent.segment` of what lies there."""
SCRATCH_BYTES: Final = 64 << 20
"""Of address space, for each worker. What needs more lies in the arena."""
