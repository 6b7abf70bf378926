"""The decoders as a target: what the probe takes is decoded to what it told, or refused."""

from typing import Final

from ipc.errors import ErrorCode, FrameError
from stages import decoders
from stages.limits import Limits
from tests.fuzz.finding import hold, page_of, probed

LIMITS: Final = Limits(max_side=1024, max_pixels=1 << 18)
"""So that a run sees many files, and not a few large ones."""

_CODES: Final = frozenset(
    {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.BAD_REQUEST, ErrorCode.TOO_LARGE}
)


def target(data: bytes) -> None:
    """Nothing but `FrameError` leaves a decoder, and the pixels are those of the plan."""
    page = page_of(data)
    picture = probed(data, LIMITS, page)
    if picture is None or picture.format == "raw":
        return
    geometry = picture.geometry
    try:
        pixels = decoders.decoded(data, picture.format, geometry, page)
    except FrameError as error:
        hold(error.code in _CODES, f"the decoder said {error}")
        return
    hold(pixels.shape == (geometry.height, geometry.width, geometry.layout.channels), f"{pixels.shape}, {geometry}")
