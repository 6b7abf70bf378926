"""Presets and the overlays that they name, read again under load: all of a configuration counts, or nothing of it."""

import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from omnishotd.client import BadRequest, Client, Result
from tests.daemon import Daemon
from tests.numbered import number_of, numbered_jpeg
from tests.system.test_reload import reload, told
from tests.waiting import eventually

RELOADS: Final = 12
FRAMES: Final = 360
IN_FLIGHT: Final = 8
WIDTHS: Final = (96, 160)
COLORS: Final = ((250, 20, 20), (20, 20, 250))
"""Of the overlay: each goes with the width of the same index."""
MARK: Final = 4
"""Side of the overlay, too small to hide a frame's number."""

Pixels = NDArray[np.uint8]


def preset_of(width: int, overlay: str = "mark") -> str:
    resize = f'{{op = "resize", width = {width}, height = 64, fit = "fill"}}'
    composite = f'{{op = "composite", overlay = "{overlay}", left = 0, top = 0}}'
    return f'[presets.marked]\noutputs = [{{operations = [{resize}, {composite}], format = "raw"}}]\n'


def put(path: Path, data: bytes) -> None:
    """Write a file in the place of the old one, as an editor does."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


def draw(path: Path, color: tuple[int, int, int]) -> None:
    """Put a mark of one colour into the place of the old one."""
    new = path.with_suffix(".new")
    Image.new("RGB", (MARK, MARK), color).save(new, "PNG")
    new.replace(path)


def configure(folder: Path, index: int, more: str = "") -> Path:
    """Write the configuration whose width and colour have this index, and the overlay beside it."""
    draw(folder / "mark.png", COLORS[index])
    file = folder / "omnishotd.toml"
    put(file, (preset_of(WIDTHS[index]) + '[overlays.mark]\nfile = "mark.png"\n' + more).encode())
    return file


def pixels_of(result: Result) -> Pixels:
    return result.outputs[0].array()


def index_of(pixels: Pixels) -> int:
    """Which configuration a picture was made by. Fails where its width and its mark are not of the same."""
    index = WIDTHS.index(pixels.shape[1])
    assert tuple(pixels[1, 1]) == COLORS[index], "the preset of one configuration, the overlay of another"
    return index


def marked(client: Client, number: int = 1) -> Pixels:
    return pixels_of(client.process(numbered_jpeg(number, 320, 240), preset="marked"))


@pytest.mark.timeout(120)
def test_frames_over_reloads_have_preset_and_overlay_of_one_configuration(
    daemon_with: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = daemon_with(config=configure(tmp_path, 0))
    futures: list[Future[Result]] = []
    with Client(daemon.endpoint, in_flight_max=IN_FLIGHT) as client:

        def send(count: int) -> None:
            numbers = range(len(futures), len(futures) + count)
            futures.extend(client.submit(numbered_jpeg(number, 320, 240), preset="marked") for number in numbers)

        for round_number in range(RELOADS):
            index = (round_number + 1) % 2
            configure(tmp_path, index)
            daemon.process.send_signal(signal.SIGHUP)
            send(FRAMES // RELOADS - 1)

            def is_in_force(index: int = index) -> bool:
                send(1)
                return index_of(pixels_of(futures[-1].result(20))) == index

            eventually(is_in_force, within_s=20.0, what="frames are made by the new configuration")
        pictures = [pixels_of(future.result(20)) for future in futures]

    assert [number_of(picture) for picture in pictures] == list(range(len(pictures)))
    assert {index_of(picture) for picture in pictures} == {0, 1}
    assert told(daemon, "configuration read again") == RELOADS
    assert daemon.frames_at_rest(len(pictures))["completed"] == len(pictures)


def test_changed_file_of_an_overlay_is_seen_with_the_next_reload_only(
    daemon_with: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = daemon_with(config=configure(tmp_path, 0))
    with Client(daemon.endpoint) as client:
        first = marked(client)
        draw(tmp_path / "mark.png", COLORS[1])
        unread = marked(client)
        reload(daemon, "changed: overlays")
        eventually(lambda: tuple(marked(client)[1, 1]) == COLORS[1], within_s=5.0, what="the new mark is laid on")

    assert tuple(first[1, 1]) == tuple(unread[1, 1]) == COLORS[0]


NO_PICTURE: Final = b"no picture at all"
WRONG: Final[dict[str, tuple[str, bytes | None, str]]] = {
    "no file": ('[overlays.other]\nfile = "nothing.png"\n', None, "overlays.other.file"),
    "no picture": ('[overlays.other]\nfile = "other.png"\n', NO_PICTURE, "overlays.other.file"),
    "too many bytes": ('[overlays.other]\nfile = "other.png"\n', bytes((4 << 20) + 1), "overlays.other.file"),
    "unknown overlay": (preset_of(64, "nosuch").replace("marked", "other"), None, "presets.other.outputs"),
    "unknown operation": ('[presets.other]\noutputs = [{operations = [{op = "shout"}]}]\n', None, "presets.other"),
    "unknown option": ('[presets.other]\noutputs = [{format = "png", quality = 3}]\n', None, "presets.other"),
    "quality over its bound": ("[presets.other]\noutputs = [{quality = 101}]\n", None, "presets.other"),
    "no output": ("[presets.other]\noutputs = []\n", None, "presets.other"),
    "key of an overlay": ('[overlays.mark.more]\nfile = "mark.png"\n', None, "overlays.mark"),
}
"""What is added to a new configuration that is right otherwise, what the other overlay's file holds, and the key that
must be named."""


@pytest.mark.parametrize("wrong", WRONG)
def test_configuration_that_is_wrong_in_one_place_changes_nothing(
    daemon_with: Callable[..., Daemon], tmp_path: Path, wrong: str
) -> None:
    daemon = daemon_with(config=configure(tmp_path, 0))
    more, held, key = WRONG[wrong]
    if held is not None:
        (tmp_path / "other.png").write_bytes(held)
    configure(tmp_path, 1, more)
    reload(daemon, "configuration refused")
    with Client(daemon.endpoint) as client:
        picture = marked(client)

    assert index_of(picture) == 0
    assert told(daemon, f"configuration refused, the old one stays: {key}")
    assert not told(daemon, "configuration read again")


@pytest.mark.parametrize("wrong", WRONG)
def test_configuration_that_is_wrong_is_no_start_either(runtime_directory: Path, tmp_path: Path, wrong: str) -> None:
    more, held, key = WRONG[wrong]
    if held is not None:
        (tmp_path / "other.png").write_bytes(held)
    daemon = Daemon(runtime_directory, config=configure(tmp_path, 1, more))

    assert daemon.wait() == 78
    assert not daemon.is_ready
    assert key in "".join(daemon.log)


def test_overlay_that_a_request_names_wrongly_is_told_with_its_key(
    daemon_with: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = daemon_with(config=configure(tmp_path, 0))
    operations: list[dict[str, Any]] = [{"op": "flip"}, {"op": "composite", "overlay": "nosuch"}]
    with Client(daemon.endpoint) as client, pytest.raises(BadRequest) as caught:
        client.process(numbered_jpeg(1, 320, 240), outputs=[{"operations": operations}])

    assert "outputs[0].operations[1].overlay" in caught.value.message
    assert "nosuch" in caught.value.message
