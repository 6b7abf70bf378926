"""Sameness: contenders did the same work if they made the same picture."""

import io
from typing import Final

from PIL import Image, UnidentifiedImageError

from perf.contender import MeasurementFailed
from perf.matrix import DAEMON, LENT, UNTUNED
from perf.results import Sampled
from perf.work import Work
from tests.photographs import decoded, rmse

SAME_BYTES: Final = (DAEMON, LENT, UNTUNED)
"""Who makes the ideal's calls makes the ideal's picture."""
RMSE_MAX: Final = 8.0
"""Between kernels, in steps of 1/255. A picture cut or turned otherwise is over 30 away."""


def compare(name: str, work: Work, picture: bytes, expected: bytes) -> Sampled:
    """Hold a picture against the ideal's. Raises `MeasurementFailed` where it is another one."""
    try:
        with Image.open(io.BytesIO(picture)) as image:
            seen = f"{image.format} of {image.width} x {image.height}"
    except UnidentifiedImageError:
        seen = f"{len(picture)} bytes that are no picture"
    width, height = work.result_size
    if seen != f"JPEG of {width} x {height}":
        raise MeasurementFailed(f"{work.name}: made a {seen} in place of a JPEG of {width} x {height}")
    distance = 0.0 if picture == expected else rmse(decoded(picture), decoded(expected))
    if distance > RMSE_MAX or (name in SAME_BYTES and picture != expected):
        raise MeasurementFailed(f"{work.name}: the picture is not the ideal's, RMSE {distance:.1f}: not the same work")
    return Sampled(work.name, len(picture), round(distance, 2))
