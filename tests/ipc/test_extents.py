"""The allocator, by hand for each rule and by a machine for any order of calls."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ipc.extents import ALIGNMENT_BYTES, ExtentAllocator, ExtentError, aligned
from ipc.messages import Extent

KIB = 1024
SIZES = st.one_of(
    st.integers(1, 200), st.sampled_from([1, 63, 64, 65, 128, 640, KIB, 2 * KIB]), st.integers(1, 6 * KIB)
)


def taken(allocator: ExtentAllocator, size_bytes: int) -> Extent:
    extent = allocator.allocate(size_bytes)
    assert extent is not None
    return extent


def test_extent_has_the_size_asked_for_and_starts_on_a_cache_line() -> None:
    allocator = ExtentAllocator(KIB)

    extents = [taken(allocator, 1), taken(allocator, 65), taken(allocator, 64)]

    assert [Extent(0, 1), Extent(64, 65), Extent(192, 64)] == extents
    assert allocator.figures().used_bytes == 64 + 128 + 64


def test_allocate_when_only_full_extents_are_left_returns_none_and_changes_nothing() -> None:
    allocator = ExtentAllocator(KIB)
    taken(allocator, 512)
    before = allocator.figures()

    assert allocator.allocate(513) is None
    assert allocator.figures() == before
    assert allocator.allocate(512) is not None


@pytest.mark.parametrize("size_bytes", [0, -1])
def test_allocate_of_nothing_raises(size_bytes: int) -> None:
    with pytest.raises(ExtentError):
        ExtentAllocator(KIB).allocate(size_bytes)


def test_free_of_an_extent_that_is_not_in_use_raises() -> None:
    allocator = ExtentAllocator(KIB)
    extent = taken(allocator, 100)
    allocator.free(extent)

    for stranger in (extent, Extent(64, 100), Extent(KIB, 64)):
        with pytest.raises(ExtentError):
            allocator.free(stranger)


def test_free_with_another_size_than_was_taken_raises_and_keeps_the_extent() -> None:
    allocator = ExtentAllocator(KIB)
    extent = taken(allocator, 100)

    with pytest.raises(ExtentError):
        allocator.free(Extent(extent.offset, 200))
    assert allocator.figures().used_bytes == 128


def test_most_recently_freed_extent_is_taken_first() -> None:
    allocator = ExtentAllocator(KIB)
    one, _, two, _ = (taken(allocator, 128) for _ in range(4))
    allocator.free(two)
    allocator.free(one)

    assert taken(allocator, 100).offset == one.offset
    assert taken(allocator, 100).offset == two.offset


def test_most_recently_freed_bytes_of_a_joined_extent_are_taken_first() -> None:
    allocator = ExtentAllocator(KIB)
    one, two, three = (taken(allocator, 256) for _ in range(3))
    allocator.free(one)
    allocator.free(three)
    allocator.free(two)

    assert taken(allocator, 100).offset == two.offset
    assert taken(allocator, 100).offset == two.offset + 128, "the rest of the hot bytes, and not the cold ones before"


def test_extent_whose_hot_bytes_lie_too_near_its_end_is_taken_from_its_start() -> None:
    allocator = ExtentAllocator(KIB)
    one, two = (taken(allocator, 512) for _ in range(2))
    allocator.free(one)
    allocator.free(two)

    assert taken(allocator, 600).offset == 0


def test_allocate_all_without_room_for_the_last_takes_nothing_and_counts_no_high_water() -> None:
    allocator = ExtentAllocator(KIB)
    taken(allocator, 64)
    before = allocator.figures()

    assert allocator.allocate_all([256, 256, 512]) is None
    assert allocator.figures() == before


def test_allocate_all_that_fails_leaves_the_hottest_extent_the_hottest() -> None:
    allocator = ExtentAllocator(KIB)
    one, _, two, _ = (taken(allocator, 128) for _ in range(4))
    taken(allocator, 512)
    allocator.free(two)
    allocator.free(one)

    assert allocator.allocate_all([128, 128, 128]) is None
    assert taken(allocator, 128).offset == one.offset


def test_allocate_all_from_an_empty_arena_takes_what_fits_ever_wherever_its_hot_bytes_lie() -> None:
    allocator = ExtentAllocator(KIB)
    first, second = taken(allocator, 256), taken(allocator, 768)
    allocator.free(first)
    allocator.free(second)

    assert allocator.allocate_all([128, 896]) is not None


def test_fits_ever_counts_extents_as_they_are_taken() -> None:
    allocator = ExtentAllocator(KIB)

    assert allocator.fits_ever([512, 512])
    assert not allocator.fits_ever([512, 449, 1])
    assert ExtentAllocator(KIB).allocate_all([512, 448, 1]) is not None


def test_allocator_of_a_size_that_is_no_multiple_of_a_line_uses_whole_lines_only() -> None:
    allocator = ExtentAllocator(ALIGNMENT_BYTES + 63)

    assert allocator.figures().total_bytes == ALIGNMENT_BYTES
    assert ExtentAllocator(63).allocate(1) is None


def test_extents_taken_from_both_ends_leave_the_hot_bytes_where_they_are() -> None:
    allocator = ExtentAllocator(KIB)
    first, hot = (taken(allocator, 128) for _ in range(2))
    allocator.free(first)
    allocator.free(hot)

    assert allocator.allocate_high([256, 128]) == [Extent(768, 256), Extent(640, 128)]
    assert allocator.allocate_low([64], KIB) == [Extent(0, 64)]
    assert taken(allocator, 64).offset == hot.offset


def test_allocate_high_takes_the_last_extent_that_is_large_enough() -> None:
    allocator = ExtentAllocator(KIB)
    _, large, _, small, _ = (taken(allocator, size) for size in (64, 256, 64, 128, 512))
    allocator.free(large)
    allocator.free(small)

    assert allocator.allocate_high([192]) == [Extent(large.offset + 64, 192)]


def test_allocate_low_takes_from_the_start_and_nothing_behind_the_bound() -> None:
    allocator = ExtentAllocator(KIB)
    everything = [taken(allocator, 256) for _ in range(4)]
    for extent in everything[1:]:
        allocator.free(extent)

    assert allocator.allocate_low([128, 64], 512) == [Extent(256, 128), Extent(384, 64)]
    assert allocator.allocate_low([128], 512) is None
    assert allocator.allocate_low([64], 512) == [Extent(448, 64)]


@pytest.mark.parametrize("allocate", ["allocate_high", "allocate_low"])
def test_high_and_low_without_room_for_the_last_take_nothing_and_count_no_high_water(allocate: str) -> None:
    allocator = ExtentAllocator(KIB)
    _, hot, _, end = (taken(allocator, 256) for _ in range(4))
    allocator.free(end)
    allocator.free(hot)
    before = allocator.figures()
    bound = [KIB] if allocate == "allocate_low" else []

    assert getattr(allocator, allocate)([192, 320], *bound) is None
    assert getattr(allocator, allocate)([192, 192, 128], *bound) is None
    assert allocator.figures() == before
    assert taken(allocator, 64).offset == hot.offset, "what was hottest is so still"


def test_extent_that_was_freed_cold_is_taken_last_and_heats_no_neighbour() -> None:
    allocator = ExtentAllocator(KIB)
    hot, _, cold, _, tepid, _ = (taken(allocator, 128) for _ in range(6))
    allocator.free(tepid)
    allocator.free(hot)
    allocator.free(cold, is_cold=True)
    assert [taken(allocator, 128).offset for _ in range(2)] == [hot.offset, tepid.offset]

    allocator.free(hot)
    allocator.free(Extent(128, 128), is_cold=True)
    assert taken(allocator, 64).offset == hot.offset, "joined with a cold one, the hot bytes are where they were"


class AnyOrder(RuleBasedStateMachine):
    """Allocates and frees in any order, and knows which byte is in use."""

    TOTAL = 16 * KIB

    def __init__(self) -> None:
        super().__init__()
        self.allocator = ExtentAllocator(self.TOTAL)
        self.held: list[Extent] = []
        self.high_water = 0

    def hold(self, extents: list[Extent]) -> None:
        self.held += extents
        self.high_water = max(self.high_water, self.used())

    def used(self) -> int:
        return sum(aligned(extent.bytes) for extent in self.held)

    def gaps(self) -> list[int]:
        """Sizes of what is free, as it lies between what is held."""
        gaps, end = [], 0
        for extent in sorted(self.held, key=lambda held: held.offset):
            gaps.append(extent.offset - end)
            end = extent.offset + aligned(extent.bytes)
        return [*gaps, self.TOTAL - end]

    @rule(size_bytes=SIZES)
    def allocate(self, size_bytes: int) -> None:
        fits = max(self.gaps()) >= aligned(size_bytes)
        extent = self.allocator.allocate(size_bytes)
        assert (extent is not None) == fits, "what is free must be joined to be found"
        if extent is not None:
            assert extent.bytes == size_bytes
            self.hold([extent])

    @rule(sizes_bytes=st.lists(SIZES, min_size=1, max_size=5))
    def allocate_all(self, sizes_bytes: list[int]) -> None:
        before = self.allocator.figures()
        extents = self.allocator.allocate_all(sizes_bytes)
        if extents is None:
            assert self.allocator.figures() == before
            assert self.held or not self.allocator.fits_ever(sizes_bytes), "an empty arena must take what fits ever"
        else:
            assert [extent.bytes for extent in extents] == sizes_bytes
            self.hold(extents)

    @rule(sizes_bytes=st.lists(SIZES, min_size=1, max_size=3), end_max=st.none() | st.integers(0, TOTAL))
    def allocate_at_an_end(self, sizes_bytes: list[int], end_max: int | None) -> None:
        before = self.allocator.figures()
        if end_max is None:
            extents = self.allocator.allocate_high(sizes_bytes)
        else:
            extents = self.allocator.allocate_low(sizes_bytes, end_max)
            assert all(extent.offset + aligned(extent.bytes) <= end_max for extent in extents or ())
        if extents is None:
            assert self.allocator.figures() == before
        else:
            assert [extent.bytes for extent in extents] == sizes_bytes
            self.hold(extents)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), is_cold=st.booleans())
    def free(self, data: st.DataObject, is_cold: bool) -> None:
        extent = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.allocator.free(extent, is_cold=is_cold)

    @invariant()
    def extents_never_overlap(self) -> None:
        assert min(self.gaps()) >= 0
        assert all(extent.offset % ALIGNMENT_BYTES == 0 for extent in self.held)

    @invariant()
    def figures_are_right(self) -> None:
        figures = self.allocator.figures()
        assert figures.used_bytes == self.used()
        assert figures.extents == len(self.held)
        assert figures.largest_free_bytes == max(self.gaps())
        assert figures.high_water_bytes == self.high_water
        assert figures.total_bytes == self.TOTAL

    def teardown(self) -> None:
        for extent in self.held:
            self.allocator.free(extent)
        assert self.allocator.allocate(self.TOTAL) == Extent(0, self.TOTAL)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
