"""An encoded picture as its header describes it, before anything of it is decoded."""

from typing import Literal

import msgspec

from ipc.messages import FormatIn
from ipc.pixels import Geometry


class Picture(msgspec.Struct, frozen=True):
    """What the plan for a frame is made from."""

    format: FormatIn | Literal["raw"]
    geometry: Geometry
    """As the file has it, before any turning; of several frames the one that was asked for. RGB, RGBA or GRAY, whatever
    colours it is stored in: grey with alpha is RGBA."""
    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 is upright."""
    progressive: bool = False
