"""libvips in a bare loop, by pyvips. Run as a child: `python -m perf.peers.libvips_loop`."""

import sys
from pathlib import Path

import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed

from perf.peers.cover import cover_of
from perf.peers.loop import Calls, obey_all
from perf.peers.messages import WorkOrder
from perf.work import QUALITY, RESULT_SIDE


def prepare(order: WorkOrder) -> Calls:
    """Read the file, and say what is to be done with it."""
    work, data = order.work, Path(order.source_file).read_bytes()

    def opened() -> pyvips.Image:
        if work.source == "raw":
            return pyvips.Image.new_from_memory(data, work.width, work.height, 3, "uchar")
        return pyvips.Image.new_from_buffer(data, "", access="sequential")

    cover = cover_of(work.width, work.height)
    size = {"height": cover.scaled_height, "size": "force"}

    def shrunk() -> pyvips.Image:
        if work.source == "raw":
            image = opened().thumbnail_image(cover.scaled_width, **size)
        else:
            # The decoder shrinks to a half, a quarter or an eighth where it can.
            image = pyvips.Image.thumbnail_buffer(data, cover.scaled_width, **size)
        # What lies outside is never computed: libvips works from the end.
        return image.crop(cover.left, cover.top, RESULT_SIDE, RESULT_SIDE) if work.width != work.height else image

    made = shrunk if work.result == "thumbnail" else opened

    def calls() -> bytes:
        picture: bytes = made().jpegsave_buffer(Q=QUALITY, subsample_mode="on", keep="none")
        return picture

    return calls


if __name__ == "__main__":
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(1)  # threads within a picture would only take turns: every core has a process
    try:
        obey_all(prepare)
    except KeyboardInterrupt:
        sys.exit(130)
