"""What steps do to the arena."""

from ipc.extents import aligned
from ipc.messages import Encode, Extent, Step, Transform


def written(step: Step) -> list[Extent]:
    """What a step writes of the arena."""
    return [] if isinstance(step, Encode) else _in_arena(step.target)


def read_to_the_end(step: Step) -> list[Extent]:
    """What a step reads that is there as long as the frame: overlays' files, an original whose metadata are kept."""
    if isinstance(step, Transform):
        return [overlay.source for overlay in step.overlays]
    return [step.original.source] if isinstance(step, Encode) and step.original is not None else []


def touched(step: Step) -> list[Extent]:
    """All of the arena that a step reads or writes."""
    return [*_in_arena(step.source), *read_to_the_end(step), *written(step)]


def _in_arena(extent: Extent) -> list[Extent]:
    return [] if extent.segment else [extent]


def within(part: Extent, whole: Extent) -> bool:
    return whole.offset <= part.offset and part.offset + part.bytes <= whole.offset + aligned(whole.bytes)


def assert_apart(extents: list[Extent]) -> None:
    """No byte belongs to two extents."""
    end = 0
    for extent in sorted(extents, key=lambda extent: extent.offset):
        assert extent.offset >= end
        end = extent.offset + extent.bytes
