"""Changes: what of a configuration that was read again can be taken over at once, and what needs a restart. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from ipc.settings import Settings

IN_PLACE: Final = frozenset(
    {
        "alerts.memory_percent",
        "alerts.response_ms",
        "alerts.error_percent",
        "alerts.queue_length",
        "alerts.webhook_url",
        "frames.curve_authorized_keys",
        "frames.rate_per_second",
        "overlays",
        "pipeline.queue_limit",
        "pipeline.queue_max_bytes",
        "pipeline.queue_timeout_ms",
        "presets",
    }
)
"""What broker and control plane change while they work. All else is built into sockets, memory or processes."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What follows from a new configuration."""

    settings: Settings
    """The old one, with what can be changed in place."""
    applied: list[str]
    """Keys that have changed."""
    waiting: list[str]
    """Keys that differ, and stay as they were until the daemon is restarted."""


def compare(old: Settings, new: Settings) -> Changes:
    """Lay what can be changed of a new configuration over the old one."""
    differing = list(_differing(old, new))
    applied = [key for key in differing if key in IN_PLACE]
    settings = old
    for key in applied:
        section, _, name = key.partition(".")
        value = getattr(new, section)
        if name:
            # The section as it is by now: more than one of its keys may have changed.
            value = msgspec.structs.replace(getattr(settings, section), **{name: getattr(value, name)})
        settings = msgspec.structs.replace(settings, **{section: value})
    return Changes(settings, applied, [key for key in differing if key not in IN_PLACE])


def _differing(old: Settings, new: Settings) -> Iterator[str]:
    """Yield the keys whose values differ, as `section.key`."""
    for section in Settings.__struct_fields__:
        before, after = getattr(old, section), getattr(new, section)
        if before == after:
            continue
        if not isinstance(before, msgspec.Struct):
            yield section
            continue
        for name in before.__struct_fields__:
            if getattr(before, name) != getattr(after, name):
                yield f"{section}.{name}"
