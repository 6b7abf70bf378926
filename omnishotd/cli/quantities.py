"""Quantities in words: short, of few widths, and the same on the screen and in plain text."""

from datetime import datetime
from typing import Final

from ipc.printable import printable

UNKNOWN: Final = "-"

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def count(number: int | None) -> str:
    """Write a whole number with its thousands apart."""
    return UNKNOWN if number is None else f"{number:,}"


def size(size_bytes: float | None) -> str:
    """Write bytes with three digits and a decimal unit: 7 characters at most."""
    if size_bytes is None:
        return UNKNOWN
    amount, units = float(size_bytes), ["B", "kB", "MB", "GB", "TB"]
    while abs(amount) >= 999.5 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    is_short = units[0] == "B" or abs(amount) >= 99.95
    return f"{amount:.0f} {units[0]}" if is_short else f"{amount:.{2 - (abs(amount) >= 9.995)}f} {units[0]}"


def share(part: float | None) -> str:
    """Write a share, 0 to 1, in percent."""
    return UNKNOWN if part is None else f"{part * 100:.0f} %"


def rate(part: float) -> str:
    """Write a share, 0 to 1, that is small as a rule and not to be overlooked."""
    if 0 < part < 0.0005:
        return "under 0.1 %"
    return f"{part * 100:.{0 if part == 0 or part >= 0.0995 else 1}f} %"


def percent(amount: float | None) -> str:
    """Write what is in percent already."""
    return UNKNOWN if amount is None else f"{amount:.0f} %"


def milliseconds(amount: float | None) -> str:
    """Write milliseconds, without their unit, with as many decimals as say something."""
    if amount is None:
        return UNKNOWN
    return f"{amount:,.{2 if amount < 9.995 else 1 if amount < 99.95 else 0}f}"


def duration(seconds: float | None) -> str:
    """Write a time span in its two largest units."""
    if seconds is None:
        return UNKNOWN
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def age(seconds: float) -> str:
    """Write how old something is, in one unit: 5 characters at most for what is younger than a thousand days."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 100 * _MINUTE_S:
        return f"{seconds // _MINUTE_S:.0f} m"
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h"
    return f"{seconds // _DAY_S:.0f} d"


def moment(at: str, today: str) -> str:
    """Write a moment, ISO 8601, by the clock of this place; with its date, if that is another than of `today`."""
    told = _local(at)
    if told is None:
        return printable(at)
    now = _local(today)
    return f"{told:%H:%M:%S}" if now is not None and now.date() == told.date() else f"{told:%m-%d %H:%M:%S}"


def _local(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
