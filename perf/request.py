"""What every frame of the benchmark asks for: a photograph becomes a JPEG of 300 x 300."""

from typing import Final

import msgpack  # type: ignore[import-untyped]  # it has no annotations

RESULT_SIDE: Final = 300
QUALITY: Final = 80

_OUTPUTS: Final = [
    {
        "operations": [{"op": "resize", "width": RESULT_SIDE, "height": RESULT_SIDE, "kernel": "lanczos3"}],
        "format": "jpeg",
        "quality": QUALITY,
        "subsampling": "420",
    }
]


def request_header(request_id: str) -> bytes:
    """Write the header of a request, as a producer does for each frame."""
    header: bytes = msgpack.packb({"v": 1, "id": request_id, "outputs": _OUTPUTS})
    return header
