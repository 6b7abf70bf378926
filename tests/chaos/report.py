"""Report of a run: for eyes, in colour on a terminal only, and for programs."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.markup import escape

from tests.chaos.ledger import Tally
from tests.chaos.nemesis import GROWN_S
from tests.chaos.plan import HARM_WEIGHTS, TARGET_WEIGHTS
from tests.chaos.run import KINDS, RATE, SETTINGS, Outcome

AVAILABILITY_MIN: Final = 0.99
SILENCE_S_MAX: Final = 3.0
"""What is aimed at. A slow machine may miss it without a fault in the daemon: it does not decide the exit status."""
COMPLAINT_LINES_MAX: Final = 30
SHOWN_MAX: Final = 5
"""Of a list of faults."""


def show_conditions(console: Console, seed: int, seconds: float) -> None:
    """Say what is about to happen."""
    targets, harms = (
        ", ".join(f"{name} {weight} %" for name, weight in weights.items())
        for weights in (TARGET_WEIGHTS, HARM_WEIGHTS)
    )
    console.print(f"seed {seed}, {seconds:g} s, {' '.join(SETTINGS)}", highlight=False, soft_wrap=True)
    console.print(f"strikes: {targets}; {harms}", highlight=False, soft_wrap=True)
    console.print(f"stopped for good is only who is at least {GROWN_S:g} s old", highlight=False, soft_wrap=True)
    console.print(f"producers: {', '.join(KINDS)}, {RATE:g} frames a second each", highlight=False, soft_wrap=True)


def show(console: Console, outcome: Outcome) -> None:
    """Show the ledger, the strikes, and what was left behind."""
    tally = outcome.tally
    rows = [
        ("strikes", _counts(outcome.strikes())),
        ("restarts", f"{_counts(outcome.restarts)}; the last broker tried {outcome.retried} frames again"),
        ("submitted", f"{tally.submitted}"),
        ("ok", _judged(f"{tally.ok} ({tally.availability:.2%})", good=tally.availability >= AVAILABILITY_MIN)),
        ("errors", _counts(tally.errors)),
        (
            "asked again",
            f"{tally.asked_again}; put off: {_counts(tally.put_off)}",
        ),
        ("recovered", _judged(f"{len(tally.recovered)}", good=not tally.recovered)),
        *((name, _judged(f"{len(found)}", good=not found)) for name, found in _faults(tally).items()),
        ("longest silence", _silences(tally)),
        ("slowest answer", f"{tally.slowest_s:.2f} s"),
        ("left behind", _judged("nothing" if not outcome.troubles else "", good=True)),
    ]
    for name, value in rows:
        console.print(f"{name:<16} {value}", highlight=False, soft_wrap=True)
    for name, found in (*_faults(tally).items(), ("left behind", outcome.troubles)):
        for told in found[:SHOWN_MAX]:
            console.print(f"[red]{name}: {escape(told)}[/red]", highlight=False, soft_wrap=True)
    for told in outcome.complaints[-COMPLAINT_LINES_MAX:]:
        console.print(f"[red]{escape(told)}[/red]", highlight=False, soft_wrap=True)
    verdict = "[green]clean[/green]" if outcome.is_clean else "[bold red]NOT CLEAN[/bold red]"
    console.print(f"seed {outcome.seed}: {verdict}", highlight=False, soft_wrap=True)


def save(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write all figures as JSON."""
    content = [
        {
            "seed": outcome.seed,
            "seconds": outcome.seconds,
            "settings": SETTINGS,
            "clean": outcome.is_clean,
            "availability": outcome.tally.availability,
            "ledger": dataclasses.asdict(outcome.tally),
            "strikes": outcome.strikes(),
            "restarts": outcome.restarts,
            "left_behind": outcome.troubles,
        }
        for outcome in outcomes
    ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def _faults(tally: Tally) -> dict[str, list[str]]:
    return {
        "lost": tally.lost,
        "duplicated": tally.duplicated,
        "unexpected": tally.unexpected,
        "wrong content": tally.wrong,
        "broken producers": tally.broken,
    }


def _silences(tally: Tally) -> str:
    longest_s = max((silence.took_s for silence in tally.silences.values()), default=0.0)
    each = ", ".join(
        f"{producer} {silence.took_s:.2f} at {silence.began_s:.1f}" for producer, silence in tally.silences.items()
    )
    together = f"{tally.silence.took_s:.2f} s at {tally.silence.began_s:.1f} of all together"
    told = f"{longest_s:.2f} s of one producer ({each}), {together}"
    return _judged(told, good=longest_s <= SILENCE_S_MAX)


def _judged(text: str, *, good: bool) -> str:
    return text if good else f"[red]{text}[/red]"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
