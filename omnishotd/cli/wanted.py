"""The options that say what to make of pictures, as they stand on the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

FITS: Final = ("cover", "contain", "fill", "inside", "outside")
FORMATS: Final = ("jpeg", "png", "webp", "avif", "raw")

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was said of the results; what was not is None, False or empty."""

    preset: str | None = None
    sizes: tuple[str, ...] = ()
    fit: str | None = None
    operations: str | None = None
    formats: tuple[str, ...] = ()
    quality: int | None = None
    max_bytes: str | None = None
    lossless: bool = False
    effort: int | None = None
    progressive: bool = False
    metadata: str | None = None

    def given(self) -> list[str]:
        """Return the options that were given, as they are written, without `--preset`."""
        written = {
            "--resize": self.sizes,
            "--fit": self.fit,
            "--operations": self.operations,
            "--format": self.formats,
            "--quality": self.quality,
            "--max-bytes": self.max_bytes,
            "--lossless": self.lossless,
            "--effort": self.effort,
            "--progressive": self.progressive,
            "--metadata": self.metadata,
        }
        # An effort of 0 was given.
        return [option for option, value in written.items() if value is not None and value is not False and value != ()]


_OPTIONS: Final = (
    click.option("--preset", metavar="NAME", help="What to make: a preset of the daemon's configuration."),
    click.option(
        "--resize",
        "sizes",
        multiple=True,
        metavar="WxH",
        help="Size in pixels; one side may be left out: 800x, x600. Repeated: one result each.",
    ),
    click.option("--fit", type=click.Choice(FITS), help="How WxH is met; default: cover."),
    click.option(
        "--operations",
        metavar="JSON|@FILE",
        help="What to do, in this order, as a JSON list: all of it, in place of --resize.",
    ),
    click.option(
        "--format",
        "formats",
        multiple=True,
        type=click.Choice(FORMATS),
        help="Format of the results; default: jpeg. Repeated: one result each.",
    ),
    click.option("--quality", type=click.IntRange(1, 100), metavar="N", help="Of jpeg, webp, avif; default: 80."),
    click.option(
        "--max-bytes",
        metavar="SIZE",
        help="The highest quality, --quality at most, whose result fits: 300000, 200k, 1.5M. Of jpeg, webp, avif.",
    ),
    click.option("--lossless", is_flag=True, help="Keep every pixel as it is. Of webp; png always does."),
    click.option(
        "--effort",
        type=click.IntRange(0, 10),
        metavar="N",
        help="0: fast, 10: small and slow; default: 4 of webp, 2 of avif.",
    ),
    click.option("--progressive", is_flag=True, help="Appear whole and get sharper while loading. Of jpeg."),
    click.option(
        "--metadata",
        type=click.Choice(("strip", "keep")),
        help="keep: copyright, artist and colour profile. Default: strip.",
    ),
)


def wanted_options(command: Command) -> Command:
    """Give a command the options of `Wanted`, as keyword arguments by the names of its fields."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
