"""Contact sheet: every operation and format, made by a real daemon from one photograph, to be looked at.

`.venv/bin/python -m perf.contact_sheet --out contact-sheet.png`
"""

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from omnishotd.cli.private import private_daemon
from omnishotd.cli.program import Failure
from omnishotd.client import Client, OmnishotError, Picture
from perf.contact_examples import EXAMPLES, FRAME, OVERLAY, Example
from stages.operations import OPERATIONS
from tests.photographs import jpeg, photograph, photograph_image

PHOTOGRAPH: Final = "astronaut.png"
COLUMNS: Final = 8

_GAP: Final = 12
_LABEL_HEIGHT: Final = 46
_CHECK: Final = 8
_PAPER: Final = (250, 250, 250)
_INK: Final = (20, 20, 20)
_FAINT: Final = (110, 110, 110)
_RED: Final = (190, 30, 30)
_LIGHT: Final = (236, 236, 236)
_DARK: Final = (206, 206, 206)
_ORIENTATION: Final = 0x0112
_MODES: Final = {"GRAY": "L", "RGB": "RGB", "RGBA": "RGBA"}


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture with its label, or what there is in place of one."""

    title: str
    parameters: str
    picture: Image.Image | None
    note: str
    is_faulty: bool = False


def tiles(client: Client) -> Iterator[Tile]:
    """Have all examples made; then name the operations that have none."""
    upright, sideways = photograph(PHOTOGRAPH), sideways_photograph()
    futures = [client.submit(sideways if each.is_sideways else upright, outputs=each.output) for each in EXAMPLES]
    for example, future in zip(EXAMPLES, futures, strict=True):
        try:
            yield _made(example, future.result().outputs[0])
        except OmnishotError as error:
            yield Tile(example.title, example.parameters, None, str(error), is_faulty=True)
    for name in without_example(EXAMPLES):
        yield Tile(name, "", None, "no example")


def without_example(shown: Sequence[Example]) -> list[str]:
    """Return the operations that no example is about."""
    return sorted(OPERATIONS.keys() - {example.title for example in shown})


def sheet(shown: Sequence[Tile]) -> Image.Image:
    """Lay tiles out in rows."""
    rows = -(-len(shown) // COLUMNS)
    width, height = FRAME + _GAP, FRAME + _LABEL_HEIGHT + _GAP
    whole = Image.new("RGB", (COLUMNS * width + _GAP, rows * height + _GAP), _PAPER)
    for index, tile in enumerate(shown):
        row, column = divmod(index, COLUMNS)
        _draw(whole, tile, _GAP + column * width, _GAP + row * height)
    return whole


def sideways_photograph() -> bytes:
    """The photograph as a camera stores it that was held upright: turned, with an EXIF orientation."""
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    return jpeg(photograph_image(PHOTOGRAPH).transpose(Image.Transpose.ROTATE_90), quality=95, exif=exif)


def overlay() -> Image.Image:
    """A mark with soft edges, holes and half transparency, whose colours tell a wrong order of channels."""
    large = Image.new("RGBA", (640, 640))
    drawing = ImageDraw.Draw(large)
    drawing.ellipse((20, 20, 620, 620), fill=(20, 90, 200, 140), outline=(255, 255, 255, 255), width=30)
    drawing.ellipse((220, 220, 420, 420), fill=(0, 0, 0, 0), outline=(230, 40, 40, 255), width=40)
    return large.resize((120, 120), Image.Resampling.LANCZOS)


def _made(example: Example, picture: Picture) -> Tile:
    note = f"{picture.width}x{picture.height}"
    if example.title == picture.format:
        quality = "" if picture.quality is None else f", quality {picture.quality}"
        note += f"{quality}, {len(picture.data):,} bytes"
    return Tile(example.title, example.parameters, _opened(picture), note)


def _opened(picture: Picture) -> Image.Image:
    """Decode by Pillow, which is not how it was made."""
    if picture.layout is not None:
        return Image.frombytes(_MODES[picture.layout], (picture.width, picture.height), picture.data)
    return Image.open(io.BytesIO(picture.data), formats=[picture.format])


def _draw(whole: Image.Image, tile: Tile, left: int, top: int) -> None:
    drawing = ImageDraw.Draw(whole)
    if tile.picture is None:
        drawing.rectangle((left, top, left + FRAME - 1, top + FRAME - 1), fill=_LIGHT)
        ink = _RED if tile.is_faulty else _FAINT
        words = "\n".join(wrap(tile.note, 36)[:14])
        drawing.multiline_text((left + 8, top + 8), words, fill=ink, font=ImageFont.load_default(13))
    else:
        shown = tile.picture.convert("RGBA")
        at = (left + (FRAME - shown.width) // 2, top + (FRAME - shown.height) // 2)
        whole.paste(_checks(shown.width, shown.height), at)
        whole.paste(shown, at, shown)
    below = top + FRAME + 2
    drawing.text((left, below), tile.title, fill=_INK, font=ImageFont.load_default(15))
    small = ImageFont.load_default(11)
    if tile.picture is not None:
        drawing.text((left + FRAME, below + 4), tile.note, fill=_FAINT, font=small, anchor="ra")
    parameters = wrap(tile.parameters, 46)[:2]
    drawing.multiline_text((left, below + 18), "\n".join(parameters), fill=_FAINT, font=small, spacing=2)


def _checks(width: int, height: int) -> Image.Image:
    """What is seen where a picture lets through."""
    checks = Image.new("RGB", (width, height), _LIGHT)
    drawing = ImageDraw.Draw(checks)
    for top in range(0, height, _CHECK):
        for left in range(top // _CHECK % 2 * _CHECK, width, 2 * _CHECK):
            drawing.rectangle((left, top, left + _CHECK - 1, top + _CHECK - 1), fill=_DARK)
    return checks


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the sheet with a daemon of its own, and return the exit status: 1 where an example was refused."""
    parser = argparse.ArgumentParser(prog="python -m perf.contact_sheet", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("contact-sheet.png"), metavar="FILE", help="default: %(default)s"
    )
    out: Path = parser.parse_args(arguments).out
    try:
        with TemporaryDirectory(prefix="omnishotd-sheet-") as folder:
            configuration = Path(folder, "omnishotd.toml")
            overlay().save(Path(folder, "logo.png"))
            configuration.write_text(f'[overlays.{OVERLAY}]\nfile = "logo.png"\n')
            with private_daemon(["--config", str(configuration)]) as endpoint, Client(endpoint) as client:
                shown = list(tiles(client))
        sheet(shown).save(out)
    except Failure as error:
        print(error.message, file=sys.stderr)
        return error.status
    for tile in shown:
        if tile.picture is None:
            print(f"{tile.title} {tile.parameters}".rstrip() + f": {tile.note}", file=sys.stderr)
    print(f"{len(shown)} tiles: {out}")
    return int(any(tile.is_faulty for tile in shown))


if __name__ == "__main__":
    sys.exit(main())
