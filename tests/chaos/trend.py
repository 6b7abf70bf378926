"""Trend: a straight line through figures, by least squares. Pure."""

from collections.abc import Sequence


def slope(positions: Sequence[float], figures: Sequence[float]) -> float:
    """By how much the figure grows from one position to the next: sum((x - mx)(y - my)) / sum((x - mx)^2).

    Raises ValueError for fewer than two different positions.
    """
    if len(positions) != len(figures) or len(set(positions)) < 2:
        raise ValueError(f"{len(positions)} positions and {len(figures)} figures make no line")
    mean_x = sum(positions) / len(positions)
    mean_y = sum(figures) / len(figures)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(positions, figures, strict=True))
    return covariance / sum((x - mean_x) ** 2 for x in positions)
