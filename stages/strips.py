"""A picture in horizontal strips: intermediate values wider than a byte stay in the processor's cache, and are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stages.raster import Pixels

_STRIP_VALUES: Final = 1 << 16


def strips(pixels: Pixels, rows_min: int = 1, multiple: int = 1) -> Iterator[slice]:
    """Rows of the strips of `pixels`, from the top: some 64 Ki values each, but no fewer than `rows_min` rows.

    All but the last have a multiple of `multiple` rows.
    """
    height, width, channels = pixels.shape
    rows = max(rows_min, _STRIP_VALUES // (width * channels), 1)
    rows = -(-rows // multiple) * multiple
    for first in range(0, height, rows):
        yield slice(first, min(first + rows, height))
