"""Requests: how each work is asked for."""

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # it has no annotations

from perf.work import KERNEL, QUALITY, RESULT_SIDE, SUBSAMPLING, WORKS, Work

PHOTOGRAPH: Final = WORKS["400"]
"""Any photograph that becomes a thumbnail: the request is the same for all of them."""


def request_of(work: Work) -> bytes:
    """Write the header of a request without `id`, which every frame has its own of."""
    resize = {"op": "resize", "width": RESULT_SIDE, "height": RESULT_SIDE, "kernel": KERNEL}
    operations = [resize] if work.result == "thumbnail" else []
    output = {"operations": operations, "format": "jpeg", "quality": QUALITY, "subsampling": SUBSAMPLING}
    header: dict[str, Any] = {"v": 1, "outputs": [output]}
    if work.source == "raw":
        header["input"] = {"format": "raw", "width": work.width, "height": work.height, "layout": "RGB"}
    packed: bytes = msgpack.packb(header)
    return packed


def with_keys(request: bytes, **keys: Any) -> bytes:
    """Add keys to a header."""
    packed: bytes = msgpack.packb({**msgpack.unpackb(request), **keys})
    return packed


def request_header(request_id: str) -> bytes:
    """Write the header of a request for a thumbnail, as a producer does for each frame."""
    return with_keys(request_of(PHOTOGRAPH), id=request_id)
