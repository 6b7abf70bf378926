"""Plain text of what `omnishotd top` shows: for files, pipes and other programs."""

import io
import os
import time
from typing import Final

import click
from rich.console import Console

from omnishotd.cli.access import Access
from omnishotd.cli.feed import Feed
from omnishotd.cli.program import Failure
from omnishotd.cli.screen import PLAIN_WIDTH, Setting, compose_plain
from omnishotd.cli.snapshot import Snapshot

ANSWER_SECONDS_MAX: Final = 5.0
"""For all channels together; what has not been told by then is left out."""


def print_plain(access: Access, setting: Setting, block_count: int | None) -> int:
    """Print so many blocks, one each interval and an empty line between them; None: without end.

    Raises Failure if there was no answer to begin with. Later ones that fail to come are told in the block.
    """
    with Feed(access, setting.interval_s) as feed:
        snapshot = feed.wait_until(_is_answered, ANSWER_SECONDS_MAX)
        if snapshot.heard_at_s is None:
            link = snapshot.link
            what = link.reason or f"no figures within {ANSWER_SECONDS_MAX:g} s"
            raise Failure(what, os.EX_NOPERM if link.is_refused else os.EX_UNAVAILABLE)
        due_s, printed_count = time.monotonic(), 0
        while True:
            click.echo(_text(snapshot, setting))
            printed_count += 1
            if printed_count == block_count:
                return 0
            click.echo()
            due_s += setting.interval_s
            while (rest_s := due_s - time.monotonic()) > 0:
                feed.wait_until(lambda _: False, rest_s)
            snapshot = feed.snapshot


def _is_answered(snapshot: Snapshot) -> bool:
    return snapshot.is_complete or bool(snapshot.link.reason)


def _text(snapshot: Snapshot, setting: Setting) -> str:
    page = io.StringIO()
    console = Console(
        file=page,
        width=PLAIN_WIDTH,
        color_system=None,
        force_terminal=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in compose_plain(snapshot, setting, time.monotonic()):
        console.print(part, soft_wrap=True)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())
