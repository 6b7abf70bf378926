"""GStreamer, one picture after the other through one pipeline.

Run as a child: `python3 -m perf.peers.gstreamer_loop`, by the interpreter that Debian's `gi` is made for. That one has
none of our libraries: this module needs GStreamer alone, and speaks `perf.peers.messages` by hand.
"""

import base64
import json
import select
import sys
import time
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]  # it belongs to another interpreter

from perf.peers.cover import cover_of
from perf.work import QUALITY, RESULT_SIDE

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # type: ignore[import-not-found]  # noqa: E402  # versions are required first

WARM_FRAMES = 5
PICTURE_WITHIN_NS = 30 * 1_000_000_000
FOREVER_NS = 1 << 62


def pipeline_of(work: dict[str, Any]) -> str:
    """Write the pipeline between what comes in and what is taken out."""
    steps = []
    width, height = work["width"], work["height"]
    if work["source"] == "jpeg":
        steps += ["jpegdec"]
    if work["result"] == "thumbnail":
        if width != height:
            left, top, right, bottom = (round(edge) for edge in cover_of(width, height).box(width, height))
            steps += [f"videocrop left={left} top={top} right={width - right} bottom={height - bottom}"]
        # The default kernel, bilinear of two pixels, leaves out most of what it shrinks.
        steps += ["videoscale method=lanczos", f"video/x-raw,width={RESULT_SIDE},height={RESULT_SIDE}"]
    if work["source"] == "raw":
        # Not as in video, for which it takes anything of this size: as in JPEG, BT.601 over the full range.
        steps += ["videoconvert", "video/x-raw,format=I420,colorimetry=1:4:7:1"]
    return " ! ".join([*steps, f"jpegenc quality={QUALITY}"])


class Pipeline:
    """A pipeline that plays, for one work and one file."""

    def __init__(self, work: dict[str, Any], source_file: str) -> None:
        raw = f"video/x-raw,format=RGB,width={work['width']},height={work['height']},framerate=0/1"
        caps = raw if work["source"] == "raw" else "image/jpeg,framerate=0/1"
        self._whole = Gst.parse_launch(
            f'appsrc name=source format=time max-buffers=1 max-bytes=0 caps="{caps}" ! {pipeline_of(work)} '
            "! appsink name=sink sync=false max-buffers=1 enable-last-sample=false"
        )
        self._source: GstApp.AppSrc = self._whole.get_by_name("source")
        self._sink: GstApp.AppSink = self._whole.get_by_name("sink")
        self._frame = Gst.Buffer.new_wrapped(Path(source_file).read_bytes())
        self._whole.set_state(Gst.State.PLAYING)

    def do(self) -> Any:
        """Send the picture through, and return what came out, in GStreamer's memory."""
        self._source.push_buffer(self._frame)  # the same one each time: nothing is copied
        sample = self._sink.try_pull_sample(PICTURE_WITHIN_NS)
        if sample is None:
            message = self._whole.get_bus().pop_filtered(Gst.MessageType.ERROR)
            say({"failed": message.parse_error()[0].message if message else "no picture came out"})
            sys.exit(1)
        return sample.get_buffer()

    def close(self) -> None:
        """End its threads."""
        self._whole.set_state(Gst.State.NULL)


def repeat(pipeline: Pipeline) -> dict[str, Any]:
    """Repeat until it is warm, until the window is told, until that has passed; counts as `perf.tally` does."""
    begin_ns = until_ns = FOREVER_NS
    first_ns = last_ns = in_all = 0
    latency_us = []
    now_ns = time.monotonic_ns()
    while now_ns < until_ns:
        pipeline.do()
        previous_ns, now_ns = now_ns, time.monotonic_ns()
        in_all += 1
        if begin_ns <= now_ns <= until_ns:
            last_ns = now_ns
            if first_ns:
                latency_us.append((now_ns - previous_ns) // 1000)
            first_ns = first_ns or now_ns
        if in_all == WARM_FRAMES:
            say({"word": "ready"})
        if begin_ns == FOREVER_NS and in_all >= WARM_FRAMES and select.select([sys.stdin], [], [], 0)[0]:
            window = json.loads(sys.stdin.buffer.readline())
            begin_ns, until_ns = window["begin_ns"], window["until_ns"]
    seconds = (last_ns - first_ns) / 1e9
    return {"frames": len(latency_us), "seconds": seconds, "latency_us": latency_us, "frames_in_all": in_all}


def say(message: dict[str, Any]) -> None:
    """Tell the benchmark."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Take orders from stdin until it ends."""
    Gst.init(None)
    known: tuple[dict[str, Any], str] | None = None
    pipeline: Pipeline | None = None
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if known != (order["work"], order["source_file"]):
            if pipeline is not None:
                pipeline.close()
            known = order["work"], order["source_file"]
            pipeline = Pipeline(*known)
        assert pipeline is not None
        if order["is_sample"]:
            picture = pipeline.do()
            say({"picture": base64.b64encode(picture.extract_dup(0, picture.get_size())).decode()})
        else:
            say(repeat(pipeline))
    if pipeline is not None:
        pipeline.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
